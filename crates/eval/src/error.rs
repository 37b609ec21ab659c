//! What an evaluation can refuse.

use std::path::{Path, PathBuf};

use earmark_engine::EngineError;

/// Everything an evaluation can fail with. A clip's own failure is in the report instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A file of the dataset's cannot be read or understood.
    #[error("{}: {reason}", .path.display())]
    Dataset {
        /// The file or folder.
        path: PathBuf,
        /// What was expected and what came.
        reason: String,
    },
    /// A setting does not fit the dataset.
    #[error("{field}: expected {expected}, got {received}")]
    Setting {
        /// Its field.
        field: &'static str,
        /// What would be right.
        expected: String,
        /// What came.
        received: String,
    },
    /// No clip is left to evaluate.
    #[error("nothing to evaluate in {}: {reason}", .path.display())]
    Nothing {
        /// The dataset.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Scores that no figure can be made of.
    #[error(transparent)]
    Metric(#[from] crate::metrics::MetricError),
    /// The model, or a use-case.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The index that vectors are kept in.
    #[error(transparent)]
    Index(#[from] earmark_index::Error),
}

impl EvalError {
    /// An error about a file of the dataset's.
    pub(crate) fn dataset(path: &Path, reason: impl Into<String>) -> Self {
        Self::Dataset { path: path.to_path_buf(), reason: reason.into() }
    }

    /// An I/O error met at `path`.
    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::dataset(path, error.to_string())
    }
}
