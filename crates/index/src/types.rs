//! The index's vocabulary: what goes in, what comes out. No behaviour.

use std::fmt;
use std::sync::Arc;
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
pub struct ClipMeta {
    /// Absolute path. The key: one clip a path.
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
    /// Free labels.
    pub tags: Vec<String>,
    /// When it was indexed, seconds since 1970.
    pub indexed_unix_s: i64,
}

/// A clip in the index.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// Its lasting name.
    pub id: ClipId,
    /// What is known of it.
    pub meta: ClipMeta,
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
    /// Absolute path. The key.
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

/// One step of a batch; see [`crate::Index::apply`].
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Adds a clip, or replaces the clip at the same path: its id stays, and the tags given are added to those it
    /// has. Forgets a failure remembered at the path.
    Put {
        /// What is known of it.
        meta: ClipMeta,
        /// Its segments, in order. May be empty.
        segments: Vec<Segment>,
    },
    /// Gives a clip new metadata (as a rule a new path and mtime) and keeps its segments; the tags given are added to
    /// those it has. Another clip at the new path is removed: its file was overwritten. A clip that is gone is passed over.
    Move {
        /// Which clip.
        id: ClipId,
        /// Its new metadata.
        meta: ClipMeta,
    },
    /// Removes a clip with all its segments.
    Remove(ClipId),
    /// Removes the clip at a path, if there is one.
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

/// Which clips a search may return. The default lets all of them through; the conditions given must all hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Glob over the whole path (`*` stays within a folder, `**` does not), or over the file name alone if it
    /// has no `/`.
    pub path_glob: Option<String>,
    /// The path starts with this, as text.
    pub path_prefix: Option<String>,
    /// Tags that must all be there, exactly.
    pub tags: Vec<String>,
    /// One of these formats, ignoring case. None given: any.
    pub formats: Vec<String>,
    /// Shortest clip, seconds, inclusive.
    pub min_duration_s: Option<f64>,
    /// Longest clip, seconds, inclusive.
    pub max_duration_s: Option<f64>,
    /// Indexed at this time or later, seconds since 1970.
    pub indexed_since_unix_s: Option<i64>,
}

/// How to search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SearchMode {
    /// The graph if it is in memory (see [`crate::Index::refresh_graph`]), the index is large and the filter
    /// lets much through; else exact, which for a single search is faster than loading the graph.
    #[default]
    Auto,
    /// Compare with every admitted segment. Deterministic.
    Exact,
    /// Use the graph, building it if need be. Approximate.
    Graph,
}

/// What to search for.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    /// How many hits at most (clips when `collapse`, else segments).
    pub k: usize,
    /// Which clips may be returned.
    pub filter: Filter,
    /// How to search.
    pub mode: SearchMode,
    /// Leave out hits that score less.
    pub min_score: Option<f32>,
    /// Return only the best segment of each clip.
    pub collapse: bool,
    /// Candidates that the graph keeps while it walks: more is slower and finds more. None: chosen from `k`.
    pub ef: Option<usize>,
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self {
            k: 10,
            filter: Filter::default(),
            mode: SearchMode::Auto,
            min_score: None,
            collapse: true,
            ef: None,
        }
    }
}

/// A segment that matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The clip it belongs to, shared between the hits of one response.
    pub clip: Arc<Clip>,
    /// Which of the clip's segments, from 0.
    pub segment: u32,
    /// Start, seconds from the clip's start.
    pub start_s: f64,
    /// End, seconds from the clip's start.
    pub end_s: f64,
    /// Cosine similarity, -1 to 1; larger is better.
    pub score: f32,
}

/// Which way a search went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchPath {
    /// Every admitted segment was compared.
    Exact,
    /// The graph was walked.
    Graph,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchResponse {
    /// Best first; equal scores by clip id, then start.
    pub hits: Vec<Hit>,
    /// Which way the search went.
    pub path: SearchPath,
    /// Clips that the filter let through.
    pub clips_admitted: usize,
    /// Segments that the filter let through.
    pub segments_admitted: usize,
}

/// Tuning for an open index.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// sled's page cache, bytes. The cost of a small one is re-reading pages; sled's own default is 1 GiB.
    pub cache_bytes: u64,
    /// Segments from which [`SearchMode::Auto`] uses the graph, and [`crate::Index::refresh_graph`] builds
    /// it.
    pub graph_min_rows: usize,
    /// How long to wait for another process to let go of the index. A second covers one-shot searches run
    /// side by side.
    pub lock_wait: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            graph_min_rows: crate::GRAPH_MIN_ROWS,
            lock_wait: Duration::from_secs(1),
        }
    }
}
