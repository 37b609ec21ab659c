//! The store in PostgreSQL, on a real server: `cargo xtask test --postgres`.

mod common;
mod job_board;
mod network;
mod parity;
mod proxy;
mod queue;
mod trouble;
