//! How good earmark is on labelled sounds: the layouts of the field's benchmarks, its metrics, and reports.
//!
//! - [`metrics`]: pure functions from scores and truth to figures
//! - [`report`]: what a run found, as a table, as JSON and as one HTML page

pub mod metrics;
pub mod report;
