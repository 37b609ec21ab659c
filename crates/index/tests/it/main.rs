//! The index by its public verbs, one binary.

// clippy.toml allows these in tests, but does not see that the helpers here are for tests only.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod basics;
mod common;
mod crash;
mod damage;
mod disk;
mod format;
mod graph;
mod kept_tags;
mod model;
mod names;
mod old_layout;
mod readers;
mod recall;
mod spaces;
