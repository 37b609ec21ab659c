//! What a use-case can refuse.

use std::path::PathBuf;

use earmark_audio::AudioError;
use earmark_encoder::EncoderError;
use earmark_index::stored_path;

/// What is wrong with the files of label sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelSetsFault {
    /// The disk, or permissions.
    Io,
    /// The list is not as it was left: gone, foreign or damaged. It can be put back, or accepted as it is.
    List,
    /// What was made for one set is gone or damaged. It can be made again.
    Content,
}

/// Everything the engine can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// An audio file cannot be used.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// A file is digital silence, of which the model makes nothing.
    #[error("{file}: silent: all its samples are zero, and `{model}` gives no vector for silence")]
    Silent {
        /// The file.
        file: String,
        /// The model's id.
        model: String,
    },
    /// The model cannot be used, or refused an input.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] earmark_index::Error),
    /// A path given by the user is not there or cannot be read.
    #[error("{}: {reason}", stored_path(.path))]
    Path {
        /// The path.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Labels are unusable.
    #[error("labels: {0}")]
    Labels(String),
    /// A template without a place for what is described.
    #[error("the template `{0}` has no `{{}}` where the text goes")]
    Template(String),
    /// A query has nothing to search for.
    #[error("query: {0}")]
    Query(String),
    /// A setting is out of its range.
    #[error("{field}: expected {expected}, got {received}")]
    Setting {
        /// Its field in requests.
        field: &'static str,
        /// What would be right.
        expected: String,
        /// What came.
        received: String,
    },
    /// Something that should not happen happened while a file was worked on.
    #[error("{file}: internal error ({what}); please report it with the file")]
    Panic {
        /// The file.
        file: String,
        /// The panic's message.
        what: String,
    },
    /// No label set is saved under this name.
    #[error("there is no label set `{name}`; there {known}")]
    NoSuchLabelSet {
        /// The name.
        name: String,
        /// Those there are, in words.
        known: String,
    },
    /// The saved label sets, or what was fitted for one, cannot be read or written.
    #[error("{}: {reason}", .path.display())]
    LabelSets {
        /// The file.
        path: PathBuf,
        /// What was expected and what came.
        reason: String,
        /// What is wrong, as far as it decides what to do.
        fault: LabelSetsFault,
    },
    /// What was made for a label set went away while it was being read.
    #[error("label set `{name}` is being changed by another process; try again")]
    LabelSetChanged {
        /// The set.
        name: String,
    },
    /// A label set was fitted or adapted in another model's space.
    #[error("label set `{name}` was made with {made_with}, and this is {here}")]
    LabelSetOfOtherModel {
        /// The set.
        name: String,
        /// What made it.
        made_with: Box<earmark_index::Identity>,
        /// What it was to be used with.
        here: Box<earmark_index::Identity>,
    },
    /// There are as many label sets as there may be.
    #[error("there are {most} label sets already; delete one first")]
    TooManyLabelSets {
        /// How many there may be.
        most: usize,
    },
    /// The words of all label sets are too large to be kept in one file.
    #[error(
        "all label sets together would be larger than {most} bytes; delete some, or give fewer and shorter prompts"
    )]
    LabelSetsTooLarge {
        /// How large they may be.
        most: usize,
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

/// The kind of failure that ends when ffmpeg is installed.
pub(crate) const NO_DECODER: &str = "no-decoder";

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
            Self::Audio(AudioError::NoDecoder { .. }) => NO_DECODER,
            Self::Silent { .. } => "silent",
            Self::Audio(_) | Self::Path { .. } => "io",
            _ => "encoder",
        }
    }

    /// Whether the file's content is at fault, so that trying again is no use until it changes. A file that cannot be
    /// read today, or a runtime out of memory, may be fine tomorrow.
    #[must_use]
    pub fn is_about_content(&self) -> bool {
        !matches!(self.kind(), "io" | "encoder")
    }
}
