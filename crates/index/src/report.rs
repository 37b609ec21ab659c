//! What the index tells of itself: events, numbers, audits.

use std::fmt;
use std::path::PathBuf;

/// Something worth telling the user that is not a failure; collected by [`crate::Index::take_events`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum IndexEvent {
    /// The folder cannot be written (or its disk is full), so a temporary copy of the store was opened for
    /// reading.
    OpenedCopy {
        /// The index folder.
        from: PathBuf,
        /// The copy, deleted on close.
        to: PathBuf,
        /// What was copied, bytes.
        bytes: u64,
    },
    /// The store lacks batches that were acknowledged: its end was damaged, or it was replaced by an older
    /// copy. What is left is whole.
    BatchesLost {
        /// How many.
        lost: u64,
    },
    /// The flat copy of the vectors could not be used, so they were read from the store.
    VectorsReread {
        /// Why (missing, stale, damaged).
        reason: String,
    },
    /// The graph could not be used as it lay on disk.
    GraphUnusable {
        /// Why (missing, stale, damaged).
        reason: String,
    },
    /// The graph was built, whole or in part.
    GraphBuilt {
        /// Segments in the graph now.
        rows: usize,
        /// Segments inserted this time.
        inserted: usize,
        /// How long it took, seconds.
        seconds: f64,
    },
    /// A derived file (never the store) could not be written; searches still work.
    CacheNotSaved {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for IndexEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IndexEvent::OpenedCopy { from, bytes, .. } => write!(
                f,
                "{} cannot be written; reading from a temporary copy ({} MiB)",
                from.display(),
                bytes >> 20
            ),
            IndexEvent::BatchesLost { lost } => write!(
                f,
                "the last {lost} batches are missing (a damaged disk, or an older copy of the store); run `earmark index` \
                 again to put them back"
            ),
            IndexEvent::VectorsReread { reason } => {
                write!(f, "vector cache not used ({reason}); read from the store")
            }
            IndexEvent::GraphUnusable { reason } => write!(f, "graph not used ({reason})"),
            IndexEvent::GraphBuilt { rows, inserted, seconds } => {
                write!(f, "graph of {rows} segments ready ({inserted} inserted in {seconds:.1} s)")
            }
            IndexEvent::CacheNotSaved { reason } => write!(f, "search cache not saved: {reason}"),
        }
    }
}

/// Where the graph stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphState {
    /// Not in memory (it may lie on disk).
    NotLoaded,
    /// In memory.
    Ready {
        /// Segments that it holds, dead ones included.
        rows: usize,
        /// Of these, segments whose clip is gone or replaced.
        dead: usize,
    },
}

/// The index in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// Clips.
    pub clips: usize,
    /// Live segments.
    pub segments: usize,
    /// Dead rows (tombstones) in the derived search structures, if those are in memory.
    pub dead: usize,
    /// Bytes on disk, derived files included.
    pub disk_bytes: u64,
    /// Total length of the clips, seconds.
    pub duration_s: f64,
    /// Remembered bad files.
    pub failures: usize,
    /// Where the graph stands.
    pub graph: GraphState,
    /// Batches committed since the index was created.
    pub commits: u64,
}

/// What [`crate::Index::rebuild`] did.
#[derive(Debug, Clone, PartialEq)]
pub struct RebuildReport {
    /// Segments in the new structures.
    pub rows: usize,
    /// Tombstones dropped.
    pub dropped_dead: usize,
    /// Whether a graph was built (small indices go without).
    pub graph: bool,
    /// How long it took, seconds.
    pub seconds: f64,
}

/// What [`crate::Index::audit`] found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AuditReport {
    /// Clips checked.
    pub clips: usize,
    /// Segments checked.
    pub segments: usize,
    /// Segments that the exact scan looked for by their own vector (all of them unless the index is large).
    pub exact_searched: usize,
    /// Of these, found.
    pub exact_found: usize,
    /// Segments looked for in the graph (0 without a graph).
    pub graph_searched: usize,
    /// Of these, found by their own vector.
    pub graph_found: usize,
    /// What is wrong with the store, in words; empty when sound. At most [`crate::MAX_AUDIT_PROBLEMS`].
    pub problems: Vec<String>,
}

impl AuditReport {
    /// The store is sound and the exact scan finds every segment.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.exact_found == self.exact_searched
    }
}
