//! The program as people run it.

mod asked;
mod bad_input;
mod beside;
mod clap;
mod classify;
mod describe;
mod duplicates;
mod eval;
mod events;
mod fit;
mod heard;
mod index;
mod kinds;
mod leaving;
mod manifest_mistakes;
mod models;
mod names;
mod on_database;
mod own_models;
mod recovery;
mod reembed;
mod search;
mod serve;
mod spaces;
mod takeout;
mod transfer;
