//! The words of the pipeline: what it takes, how it is asked to run, and what it gives.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use earmark_audio::{AudioInfo, ReadOptions, Remarks};
use earmark_index::{Segment, stored_path};

use crate::EngineError;

/// Where the bytes of a sound come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file, streamed.
    Path(PathBuf),
    /// Bytes in memory, and a name for messages.
    Bytes {
        /// Name for messages.
        name: String,
        /// A whole audio file.
        bytes: Vec<u8>,
    },
}

impl Source {
    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => stored_path(path),
            Self::Bytes { name, .. } => name.clone(),
        }
    }

    /// The hash of its bytes, by which an index knows copies; `None` if they cannot be read.
    #[must_use]
    pub fn content_hash(&self) -> Option<[u8; 32]> {
        match self {
            Self::Path(path) => {
                let mut hasher = blake3::Hasher::new();
                hasher.update_reader(File::open(path).ok()?).ok()?;
                Some(*hasher.finalize().as_bytes())
            }
            Self::Bytes { bytes, .. } => Some(*blake3::hash(bytes).as_bytes()),
        }
    }
}

/// What becomes of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// One unit vector a segment: the windows pooled as the manifest says.
    Segments,
    /// One raw row a window, for pooling over any stretch later.
    Windows,
    /// For finding events: one raw row a detection window, and beside them one a context window
    /// ([`Encoded::contexts`]), both cut from one decode. As [`Keep::Windows`] for a model without
    /// `[detect]`.
    Detection,
}

/// How to run.
#[derive(Debug, Clone)]
pub struct PipelineOptions {
    /// Worker threads.
    pub threads: usize,
    /// See [`crate::EngineOptions::batch`].
    pub batch: usize,
    /// What becomes of windows.
    pub keep: Keep,
    /// Hop between windows (detection windows for [`Keep::Detection`]) in samples at the model's rate, where
    /// it is not the manifest's.
    pub hop_samples: Option<usize>,
    /// Keep each window's cosines with these instead of its row. Each, a unit vector, is compared with as
    /// many first components of the window's embedding as it has. Hours of sound then take little memory.
    pub compare: Option<Arc<Vec<Vec<f32>>>>,
    /// Use only this stretch of each file, seconds; the end may be infinite.
    pub range: Option<(f64, f64)>,
    /// How sound files are read.
    pub read: ReadOptions,
}

/// A stretch of sound and its vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Start, seconds from the start of the file.
    pub start_s: f64,
    /// End, seconds from the start of the file.
    pub end_s: f64,
    /// A unit vector `[dim]` for [`Keep::Segments`], else a row of the encoder's, or what it was compared
    /// with gave.
    pub vector: Vec<f32>,
}

impl From<Segment> for Span {
    fn from(Segment { start_s, end_s, vector }: Segment) -> Self {
        Self { start_s, end_s, vector }
    }
}

impl From<Span> for Segment {
    /// Of a span of [`Keep::Segments`]: only those have what an index stores.
    fn from(Span { start_s, end_s, vector }: Span) -> Self {
        Self { start_s, end_s, vector }
    }
}

/// A sound, encoded.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// What the file is.
    pub info: AudioInfo,
    /// Length of the audio that was decoded, seconds.
    pub duration_s: f64,
    /// What a user should know about how the file was read. Boxed, since it is large and mostly empty.
    pub remarks: Box<Remarks>,
    /// Its spans, in order.
    pub spans: Vec<Span>,
    /// The context windows of [`Keep::Detection`], in order; none for a model without `[detect]`.
    pub contexts: Vec<Span>,
}

/// Checks a stretch given in seconds.
///
/// # Errors
/// [`EngineError::Setting`] when it is empty, negative or not a number.
pub(crate) fn check_range(range: Option<(f64, f64)>) -> Result<(), EngineError> {
    match range {
        Some((start, end)) if !(start >= 0.0 && start.is_finite() && end > start) => {
            Err(EngineError::Setting {
                field: "start_s",
                expected: "a start of 0 s or more, and an end after it".to_owned(),
                received: format!("{start} s to {end} s"),
            })
        }
        _ => Ok(()),
    }
}
