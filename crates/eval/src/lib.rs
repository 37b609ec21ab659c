//! How good earmark is on labelled sounds: the layouts of the field's benchmarks, its metrics, and reports.
//!
//! - [`datasets`]: labelled sounds, from the layouts in which benchmarks come
//! - [`run`]: vectors, scores and results of a dataset
//! - [`fitting`]: labels learned from a dataset's clips, and what they are worth
//! - [`metrics`]: pure functions from scores and truth to figures
//! - [`searches`]: how well searches of an index find what they should
//! - [`report`]: what a run found, as a table, as JSON and as one HTML page

pub mod datasets;
pub mod fitting;
pub mod metrics;
pub mod report;
pub mod run;
pub mod searches;

mod error;

pub use error::EvalError;
