//! What a request can fail with: a kind for programs, a field that is at fault, and words for people.

use std::io;

use earmark_audio::AudioError;
use earmark_encoder::EncoderError;
use earmark_engine::EngineError;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything a request can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of the request is wrong.
    #[error("{field}: {reason}")]
    Field {
        /// Its path in the request, as in `query[0].text`.
        field: String,
        /// What was expected and what came.
        reason: String,
    },
    /// A name or an id stands for nothing.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// What was looked for: `clip`, `file`.
        what: &'static str,
        /// What the request called it.
        name: String,
    },
    /// A clip's file may not or cannot be read.
    #[error("{reason}")]
    ClipFile {
        /// Whether it is there, but outside the folders that may be read.
        forbidden: bool,
        /// Why.
        reason: String,
    },
    /// Too much is waiting already; try again.
    #[error("{0}")]
    Busy(&'static str),
    /// There is nothing in the index for a clip.
    #[error("clip {0} has no sound in the index")]
    NoSound(u64),
    /// The model that made the index is not on this machine.
    #[error("the vectors of the index are of model `{model}`, which is not here: {reason}")]
    ModelGone {
        /// Its name.
        model: String,
        /// Why it cannot be opened.
        reason: String,
    },
    /// No tagger is bundled, and none is named.
    #[error("there is no tagger; name a model of kind `tagger`")]
    NoTagger,
    /// Something that only an index in a folder has.
    #[error("{what} is not for an index in a database, as that at {place}")]
    NotInDatabase {
        /// What was asked for.
        what: &'static str,
        /// The database.
        place: String,
    },
    /// A use-case failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What a program can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Change the request.
    BadRequest,
    /// Name something that is there.
    NotFound,
    /// Not allowed here.
    Forbidden,
    /// It does not fit the present state of the library.
    Conflict,
    /// Send less.
    TooLarge,
    /// The sound cannot be used; another one can.
    Undecodable,
    /// Try again soon.
    Busy,
    /// Try again when what is in the way is gone: a full disk, another writer.
    Unavailable,
    /// Report it, or look at the machine: files that cannot be read, damage.
    Internal,
}

impl Error {
    /// An error of a request's field.
    pub fn field_is(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Field { field: field.into(), reason: reason.into() }
    }

    /// What a program can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Field { .. } => Kind::BadRequest,
            Self::Unknown { .. } => Kind::NotFound,
            Self::ClipFile { forbidden, .. } => {
                if *forbidden {
                    Kind::Forbidden
                } else {
                    Kind::NotFound
                }
            }
            Self::Busy(_) => Kind::Busy,
            Self::NoSound(_) => Kind::Undecodable,
            Self::ModelGone { .. } | Self::NoTagger | Self::NotInDatabase { .. } => Kind::Conflict,
            Self::Engine(e) => kind_of(e),
        }
    }

    /// Whether there is no index, or none with vectors of the model that is named.
    #[must_use]
    pub fn is_no_index(&self) -> bool {
        use earmark_index::Error as Index;
        matches!(self, Self::Engine(EngineError::Index(Index::NotFound { .. } | Index::UnknownSpace { .. })))
    }

    /// The field of the request that is at fault, where one is.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Field { field, .. } => Some(field),
            Self::Engine(e) => field_of(e),
            _ => None,
        }
    }

    /// What is wrong, without the field's name.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Field { reason, .. } => reason.clone(),
            Self::Engine(EngineError::Setting { expected, received, .. }) => {
                format!("expected {expected}, got {received}")
            }
            Self::Engine(EngineError::Labels(reason) | EngineError::Query(reason)) => reason.clone(),
            Self::Engine(e @ EngineError::Audio(_)) => e.to_string(),
            other => other.to_string(),
        }
    }

    /// The same error, of a field within `parent`.
    #[must_use]
    pub fn within(self, parent: &str) -> Self {
        match self {
            Self::Field { field, reason } => Self::Field { field: format!("{parent}.{field}"), reason },
            other => other,
        }
    }
}

fn kind_of(e: &EngineError) -> Kind {
    use earmark_index::Error as Index;
    match e {
        EngineError::Audio(AudioError::OverLimit { what: "bytes", .. }) => Kind::TooLarge,
        EngineError::Audio(AudioError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Kind::NotFound
        }
        EngineError::Audio(AudioError::Io { .. }) => Kind::Internal,
        EngineError::Audio(AudioError::OutOfRange { .. }) => Kind::BadRequest,
        EngineError::Audio(_) | EngineError::Silent { .. } => Kind::Undecodable,
        EngineError::Encoder(EncoderError::Degenerate { .. }) => Kind::Undecodable,
        EngineError::Encoder(EncoderError::NoSuchSide { .. }) => Kind::Conflict,
        EngineError::Encoder(
            EncoderError::EmptyText | EncoderError::UnknownModel { .. } | EncoderError::NotInstalled { .. },
        ) => Kind::BadRequest,
        EngineError::Index(e) => match e {
            Index::UnknownClip { .. } | Index::NotFound { .. } => Kind::NotFound,
            Index::BadFilter { .. } => Kind::BadRequest,
            Index::ReadOnly { .. } => Kind::Conflict,
            Index::Locked { .. } | Index::DiskFull { .. } | Index::Failed { .. } | Index::Database { .. } => {
                Kind::Unavailable
            }
            _ => Kind::Internal,
        },
        EngineError::NoSuchLabelSet { .. } => Kind::NotFound,
        EngineError::LabelSetOfOtherModel { .. }
        | EngineError::LabelSetChanged { .. }
        | EngineError::TooManyLabelSets { .. }
        | EngineError::LabelSetsTooLarge { .. } => Kind::Conflict,
        EngineError::Labels(_)
        | EngineError::Template(_)
        | EngineError::Query(_)
        | EngineError::Setting { .. } => Kind::BadRequest,
        _ => Kind::Internal,
    }
}

fn field_of(e: &EngineError) -> Option<&str> {
    match e {
        EngineError::Audio(AudioError::OutOfRange { .. }) => Some("start_s"),
        EngineError::Encoder(EncoderError::EmptyText) => Some("text"),
        EngineError::Encoder(EncoderError::UnknownModel { .. } | EncoderError::NotInstalled { .. }) => {
            Some("model")
        }
        EngineError::Index(earmark_index::Error::BadFilter { .. }) => Some("filter"),
        EngineError::Labels(_) => Some("labels"),
        EngineError::Template(_) => Some("templates"),
        EngineError::Query(_) => Some("query"),
        EngineError::Setting { field, .. } => Some(field),
        _ => None,
    }
}

impl From<earmark_index::Error> for Error {
    fn from(e: earmark_index::Error) -> Self {
        match e {
            earmark_index::Error::UnknownClip { id } => Self::Unknown { what: "clip", name: id.to_string() },
            e => Self::Engine(e.into()),
        }
    }
}

impl From<EncoderError> for Error {
    fn from(e: EncoderError) -> Self {
        Self::Engine(e.into())
    }
}

impl From<AudioError> for Error {
    fn from(e: AudioError) -> Self {
        Self::Engine(e.into())
    }
}
