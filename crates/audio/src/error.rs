//! What can go wrong, told so that the reader of the message can act on it.

use std::io;

/// Why a file could not be turned into samples. Every variant names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// The bytes are not audio, or are audio of a kind no decoder here reads.
    #[error("{file}: unsupported: expected {expected}, received {received}")]
    Unsupported {
        /// The file's name as given.
        file: String,
        /// What would have been accepted.
        expected: String,
        /// What came.
        received: String,
    },
    /// The bytes claim to be audio of a known kind, but break its rules.
    #[error("{file}: malformed: expected {expected}, received {received}")]
    Malformed {
        /// The file's name as given.
        file: String,
        /// What a sound file would have held.
        expected: String,
        /// What came.
        received: String,
    },
    /// The file holds sound in a codec that is not decoded here.
    #[error("{file}: no decoder for {codec}{ffmpeg}")]
    NoDecoder {
        /// The file's name as given.
        file: String,
        /// The codec, by the name that people know.
        codec: String,
        /// What ffmpeg, the second decoder, has to do with it; starts with a separator.
        ffmpeg: String,
    },
    /// The file is larger, longer, wider or faster than [`Limits`](crate::Limits) allow.
    #[error("{file}: over the limit on {what}: expected {limit}, received {received}")]
    OverLimit {
        /// The file's name as given.
        file: String,
        /// Which limit: "bytes", "duration", "channels", "sample rate", "samples a byte", "bytes without
        /// sound" or "decoding time".
        what: &'static str,
        /// The limit, with "at most" or "at least" and its unit.
        limit: String,
        /// What came, with its unit.
        received: String,
    },
    /// The operating system could not read the file.
    #[error("{file}: cannot be read: {source}")]
    Io {
        /// The file's name as given.
        file: String,
        /// The system's error.
        source: io::Error,
    },
    /// The file is well-formed but holds no audio.
    #[error("{file}: empty: expected at least one sample of audio, received {received}")]
    Empty {
        /// The file's name as given.
        file: String,
        /// What came: "0 bytes" or "0 samples".
        received: &'static str,
    },
    /// A decoded sample is NaN or infinite, or so large (beyond 2^40 times full scale) that it might as
    /// well be.
    #[error("{file}: expected finite samples, received {value:e} at {at_s:.3} s")]
    NonFinite {
        /// The file's name as given.
        file: String,
        /// The value (after mixing to mono).
        value: f32,
        /// Where, in seconds from the start.
        at_s: f64,
    },
    /// The range asked for holds no audio.
    #[error(
        "{file}: no audio in the range: expected a range within 0 to {duration_s:.3} s \
         (the length of the file), received {}",
        range(*.start_s, *.end_s)
    )]
    OutOfRange {
        /// The file's name as given.
        file: String,
        /// Start of the range, in seconds.
        start_s: f64,
        /// End of the range, in seconds; may be infinite.
        end_s: f64,
        /// How long the file is, in seconds.
        duration_s: f64,
    },
}

fn range(start_s: f64, end_s: f64) -> String {
    if end_s.is_infinite() {
        format!("{start_s:.3} s and later")
    } else {
        format!("{start_s:.3} to {end_s:.3} s")
    }
}

impl AudioError {
    /// The name of the file the error is about.
    pub fn file(&self) -> &str {
        match self {
            Self::Unsupported { file, .. }
            | Self::NoDecoder { file, .. }
            | Self::Malformed { file, .. }
            | Self::OverLimit { file, .. }
            | Self::Io { file, .. }
            | Self::Empty { file, .. }
            | Self::NonFinite { file, .. }
            | Self::OutOfRange { file, .. } => file,
        }
    }
}

/// A front-end description that makes no sense, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}, received {received}")]
pub struct SpecError {
    /// The field, by its path in a manifest, e.g. `front_end.hop_length`.
    pub field: &'static str,
    /// What is accepted.
    pub expected: String,
    /// What came.
    pub received: String,
}

impl SpecError {
    pub(crate) fn new(field: &'static str, expected: impl Into<String>, received: impl ToString) -> Self {
        Self { field, expected: expected.into(), received: received.to_string() }
    }
}
