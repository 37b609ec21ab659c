//! The index's vocabulary: what goes in. No behaviour. What is asked and answered is in `query`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What made the vectors: two indices with different identities cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The model's name, as in `models/NAME`.
    pub model_id: String,
    /// Hash of the model's manifest.
    pub manifest_hash: String,
    /// Version of the code between the file's bytes and the vector.
    pub pipeline_version: u32,
    /// Elements in each vector.
    pub dim: usize,
}

/// Elements of a vector at most.
pub(crate) const MAX_DIM: usize = 1 << 16;

impl Identity {
    /// Whether vectors of [`Self::dim`] elements can be kept.
    pub(crate) fn has_valid_dim(&self) -> bool {
        (1..=MAX_DIM).contains(&self.dim)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Twelve characters tell manifests apart as well as sixty-four do.
        let hash: String = self.manifest_hash.chars().take(12).collect();
        write!(
            f,
            "model `{}` (manifest {hash}, pipeline {}, dim {})",
            self.model_id, self.pipeline_version, self.dim
        )
    }
}

/// What the index says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Layout of the records; see [`crate::FORMAT_VERSION`].
    pub format_version: u32,
    /// What made the vectors.
    pub identity: Identity,
    /// When the index was created, seconds since 1970.
    pub created_unix_s: i64,
}

/// Names a clip for as long as the index lives: kept when the clip is replaced or moved, never reused.
pub type ClipId = u64;

/// What is known of a sound file besides its vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "StoredMeta", from = "StoredMeta")]
pub struct ClipMeta {
    /// Absolute path, in its stored form ([`crate::stored_path`]). The key: one clip a path.
    pub path: String,
    /// Hash of the file's bytes.
    pub content_hash: [u8; 32],
    /// Modification time, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// File size, bytes.
    pub size: u64,
    /// Length of the sound, seconds.
    pub duration_s: f64,
    /// Hz, as stored in the file.
    pub sample_rate: u32,
    /// Channels, as stored in the file.
    pub channels: u16,
    /// Container or codec, in lower case (`wav`, `mp3`).
    pub format: String,
    /// The program that decoded it, with its version, if it was not earmark (`ffmpeg 5.1.9`).
    pub decoder: Option<String>,
    /// Free labels.
    pub tags: Vec<String>,
    /// When it was indexed, seconds since 1970.
    pub indexed_unix_s: i64,
}

/// [`ClipMeta`] as stored: the decoder stands behind the format ([`stored_format`]).
#[derive(Serialize, Deserialize)]
struct StoredMeta {
    path: String,
    content_hash: [u8; 32],
    mtime_ns: i64,
    size: u64,
    duration_s: f64,
    sample_rate: u32,
    channels: u16,
    format: String,
    tags: Vec<String>,
    indexed_unix_s: i64,
}

/// Between a format and the decoder in what is stored. No format's name has one.
const DECODED_BY: char = '/';

/// Format and decoder in one text: `wav`, or `ac3/ffmpeg 5.1.9`.
pub(crate) fn stored_format(format: &str, decoder: Option<&str>) -> String {
    decoder.map_or_else(|| format.to_owned(), |decoder| format!("{format}{DECODED_BY}{decoder}"))
}

/// What [`stored_format`] joined.
pub(crate) fn split_format(stored: &str) -> (&str, Option<&str>) {
    match stored.split_once(DECODED_BY) {
        Some((format, decoder)) => (format, Some(decoder)),
        None => (stored, None),
    }
}

impl From<ClipMeta> for StoredMeta {
    fn from(meta: ClipMeta) -> Self {
        Self {
            format: stored_format(&meta.format, meta.decoder.as_deref()),
            path: meta.path,
            content_hash: meta.content_hash,
            mtime_ns: meta.mtime_ns,
            size: meta.size,
            duration_s: meta.duration_s,
            sample_rate: meta.sample_rate,
            channels: meta.channels,
            tags: meta.tags,
            indexed_unix_s: meta.indexed_unix_s,
        }
    }
}

impl From<StoredMeta> for ClipMeta {
    fn from(stored: StoredMeta) -> Self {
        let (format, decoder) = split_format(&stored.format);
        Self {
            format: format.to_owned(),
            decoder: decoder.map(str::to_owned),
            path: stored.path,
            content_hash: stored.content_hash,
            mtime_ns: stored.mtime_ns,
            size: stored.size,
            duration_s: stored.duration_s,
            sample_rate: stored.sample_rate,
            channels: stored.channels,
            tags: stored.tags,
            indexed_unix_s: stored.indexed_unix_s,
        }
    }
}

/// Something that a sound file says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipText {
    /// What it is, in lower case: `title`, `description`, `keywords`, `category`, `artist`.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// A clip in the index.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// Its lasting name.
    pub id: ClipId,
    /// What is known of it.
    pub meta: ClipMeta,
    /// How many segments it has.
    pub segments: u32,
}

/// A stretch of a clip and its embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Start, seconds from the clip's start.
    pub start_s: f64,
    /// End, seconds from the clip's start.
    pub end_s: f64,
    /// Unit vector, `[dim]`.
    pub vector: Vec<f32>,
}

/// A file that could not be indexed, remembered so that it is not tried again until it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Absolute path, in its stored form ([`crate::stored_path`]). The key.
    pub path: String,
    /// File size, bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Why, in words.
    pub reason: String,
    /// Why, in one word (`malformed`, `unsupported`, `limit`, `io`).
    pub kind: String,
    /// When it was tried, seconds since 1970.
    pub seen_unix_s: i64,
}

/// One step of a batch; see [`crate::IndexWriter::apply`].
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Adds a clip, or replaces the clip at the same path: its id stays, and the tags given are added to
    /// those it has. A new clip also takes back the tags of a clip with the same content that was removed.
    /// Forgets a failure remembered at the path.
    Put {
        /// What is known of it.
        meta: ClipMeta,
        /// Its segments, in order. May be empty.
        segments: Vec<Segment>,
        /// What the file says about itself.
        texts: Vec<ClipText>,
    },
    /// Gives a clip new metadata (as a rule a new path and mtime) and keeps its segments; the tags given are
    /// added to those it has. Another clip at the new path is removed: its file was overwritten. A clip that
    /// is gone is passed over.
    Move {
        /// Which clip.
        id: ClipId,
        /// Its new metadata.
        meta: ClipMeta,
    },
    /// Removes a clip with all its segments. Its tags are kept for a year, of up to 200 000 removed clips.
    Remove(ClipId),
    /// As `Remove`, for the clip at a path, if there is one.
    RemoveAt(String),
    /// Replaces a clip's tags.
    SetTags {
        /// Which clip.
        id: ClipId,
        /// The new tags, possibly none.
        tags: Vec<String>,
    },
    /// Adds tags to the clip at a path, if there is one.
    AddTags {
        /// The clip's path.
        path: String,
        /// Those it has already stay, in their places.
        tags: Vec<String>,
    },
    /// Remembers a bad file. A clip at the same path stays as it is.
    Fail(Failure),
    /// Forgets a bad file.
    ClearFailure(String),
}

/// Tuning for an open index.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// sled's page cache, bytes. The cost of a small one is re-reading pages; sled's own default is 1 GiB.
    pub cache_bytes: u64,
    /// How long to wait for another process that writes.
    pub lock_wait: Duration,
    /// For a process that searches once and ends: what a search has read does not stay in its memory.
    pub once: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, lock_wait: Duration::from_secs(1), once: false }
    }
}
