//! Integration tests: one binary, so that it links once.
//!
//! - `acceptance`: real recordings, long recordings
//! - `parity`: the Rust pipeline against what reference implementations say
//! - `taggers`: the bundled taggers against their reference implementations
//! - `server`: the HTTP API, called in process
//! - `detect`: a model with two window lengths, on sounds made by formulas
//! - `docs`: every command in README.md, CONTRIBUTING.md and docs/
//! - `cli`: the program as people run it, on the sample sounds and on what can go wrong

// A test that cannot go on should panic, in its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod acceptance;
mod cli;
mod detect;
mod docs;
// The hub of the download tests; what those alone need is unused here.
#[allow(dead_code)]
#[path = "../crates/hub/tests/it/server.rs"]
mod hub_server;
mod parity;
mod sandbox;
mod server;
mod taggers;
