//! `earmark._native`, the part of the Python package that is Rust.
//!
//! Requests come in and answers go out as JSON text of `earmark_library`'s types, so that fields are named as
//! in `earmark --json` and over HTTP; the Python layer in `python/earmark` turns them into dataclasses.
//! Vectors go out as NumPy arrays that take over Rust's memory. All work is done without the GIL.
//!
//! - `library`: the class with all methods
//! - `ask`: requests by name, in JSON
//! - `job`: long work with progress, on a thread of its own while the caller's looks for Ctrl-C
//! - `interrupt`: Ctrl-C in work that goes on between results
//! - `errors`: Rust errors as the Python layer's exceptions
//! - `schemas`: the fields of all types, with which tests compare the dataclasses

mod ask;
mod errors;
mod interrupt;
mod job;
mod library;
mod schemas;

use pyo3::prelude::*;

/// The native part of earmark. Private: use the package `earmark`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::library::Library;
    #[pymodule_export]
    use super::schemas::schemas;
}
