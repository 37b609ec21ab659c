//! Downloads from a hub on this machine, on good days and bad.

// A test that cannot go on should panic, in its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cache;
mod faults;
mod refusals;
mod resume;
mod server;
mod setup;
