//! What a use-case can refuse.

use std::path::PathBuf;

use earmark_audio::AudioError;
use earmark_encoder::EncoderError;

/// Everything the engine can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// An audio file cannot be used.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// The model cannot be used, or refused an input.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] earmark_index::Error),
    /// A path given by the user is not there or cannot be read.
    #[error("{}: {reason}", .path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Labels or templates are unusable.
    #[error("labels: {0}")]
    Labels(String),
    /// A query has nothing to search for.
    #[error("query: {0}")]
    Query(String),
    /// A setting is out of its range.
    #[error("{setting}: expected {expected}, got {received}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What would be right.
        expected: String,
        /// What came.
        received: String,
    },
    /// An exported index is damaged or of another kind.
    #[error("{}: {reason}", .path.display())]
    Transfer {
        /// The file.
        path: PathBuf,
        /// What was expected and what came.
        reason: String,
    },
}

impl EngineError {
    /// Wraps an I/O error met at `path`.
    pub(crate) fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Path { path: path.to_path_buf(), reason: error.to_string() }
    }

    /// One word that sorts this error among the reasons a file can fail for.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Audio(AudioError::Unsupported { .. }) => "unsupported",
            Self::Audio(AudioError::Malformed { .. }) => "malformed",
            Self::Audio(AudioError::OverLimit { .. }) => "limit",
            Self::Audio(AudioError::Empty { .. }) => "empty",
            Self::Audio(AudioError::NonFinite { .. }) => "non-finite",
            Self::Audio(_) | Self::Path { .. } => "io",
            _ => "encoder",
        }
    }
}
