//! One file a command. Each opens what it needs, asks the engine, and prints.

pub(crate) mod adapt;
pub(crate) mod classify;
pub(crate) mod completions;
pub(crate) mod copy;
pub(crate) mod db;
pub(crate) mod describe;
pub(crate) mod duplicates;
pub(crate) mod eval;
pub(crate) mod events;
pub(crate) mod fit;
mod graph;
pub(crate) mod index;
pub(crate) mod info;
pub(crate) mod jobs;
pub(crate) mod labels;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod mcp;
pub(crate) mod models;
pub(crate) mod reembed;
pub(crate) mod remove;
pub(crate) mod search;
pub(crate) mod serve;
pub(crate) mod spaces;
pub(crate) mod tag;
pub(crate) mod transfer;
pub(crate) mod verify;
