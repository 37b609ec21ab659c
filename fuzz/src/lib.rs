//! What the fuzz targets do with their bytes. `cargo xtask fuzz` builds and runs them.
//!
//! A target fails on a panic of earmark's own code, on output without bounds and on too much memory. Panics of
//! other crates are contained by earmark and fail nothing; the first from each place is printed.

#[cfg(feature = "requests")]
pub mod api;
#[cfg(feature = "manifests")]
pub mod manifest;
pub mod memory;
pub mod ogg;
pub mod opus;
pub mod panics;
#[cfg(feature = "indexes")]
pub mod published;
pub mod sound;
