//! What the index tells of itself: events, numbers, audits.

use std::fmt;

use crate::graph::Figures;

/// Something worth telling the user that is not a failure; collected by `take_events` of [`crate::Snapshot`],
/// [`crate::Writer`] and [`crate::LiveIndex`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum IndexEvent {
    /// The store lacks batches that were acknowledged: its end was damaged, or it was replaced by an older
    /// copy. What is left is whole.
    BatchesLost {
        /// How many.
        lost: u64,
    },
    /// The store had lost batches, and got their clips back from the published files.
    BatchesRestored {
        /// How many batches.
        batches: u64,
        /// Clips that were put back.
        clips: usize,
    },
    /// sled could not open the store with this file of its own, and could without. The file was kept under
    /// another name.
    StoreMended {
        /// Its new name.
        file: String,
    },
    /// The published files could not be used as they were, and were made anew from the store.
    PublishedAnew {
        /// Why.
        reason: String,
    },
    /// What was written is safe in the store, and readers cannot see it yet; the next write tries again.
    NotPublished {
        /// Why.
        reason: String,
    },
    /// The text side could not be written: names, tags and metadata of what was written last cannot be
    /// searched until the index is opened for writing again.
    NamesNotWritten {
        /// Why.
        reason: String,
    },
    /// The text side is damaged, so that names, tags and metadata were not searched.
    NamesUnusable {
        /// What was found.
        reason: String,
    },
    /// The compact codes are damaged, so that a search compared everything in full precision.
    CodesDamaged {
        /// What was found.
        reason: String,
    },
    /// A graph is damaged or of another version, so that searches do without.
    GraphUnusable {
        /// What was found.
        reason: String,
    },
    /// What others wrote meanwhile could not be read; what was read before still is.
    NotRefreshed {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for IndexEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IndexEvent::BatchesLost { lost } => write!(
                f,
                "{lost} acknowledged batches are lost (a damaged disk, or an older copy of the store)"
            ),
            IndexEvent::BatchesRestored { batches, clips } => write!(
                f,
                "the store had lost {batches} batches (a damaged disk, or an older copy of it); {clips} clips were put \
                 back from the published files, and nothing is missing"
            ),
            IndexEvent::StoreMended { file } => {
                write!(f, "a file of the store was damaged and is not needed; it was kept as {file}")
            }
            IndexEvent::PublishedAnew { reason } => write!(f, "published files made anew ({reason})"),
            IndexEvent::NotPublished { reason } => {
                write!(f, "what was written is safe, but cannot be searched yet: {reason}")
            }
            IndexEvent::NamesNotWritten { reason } => {
                write!(f, "what was written is safe, but cannot be found by name yet: {reason}")
            }
            IndexEvent::NamesUnusable { reason } => {
                write!(f, "names were not searched, which `rebuild` mends: {reason}")
            }
            IndexEvent::CodesDamaged { reason } => write!(f, "searches are right, but slow: {reason}"),
            IndexEvent::GraphUnusable { reason } => {
                write!(f, "searches are right, but slower than with a graph: {reason}")
            }
            IndexEvent::NotRefreshed { reason } => write!(f, "newer changes cannot be read: {reason}"),
        }
    }
}

/// The index in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// Clips.
    pub clips: usize,
    /// Live segments.
    pub segments: usize,
    /// Dead rows in the published files: of clips that are gone or were replaced.
    pub dead: usize,
    /// Bytes on disk, derived files included.
    pub disk_bytes: u64,
    /// Total length of the clips, seconds.
    pub duration_s: f64,
    /// Size of the sound files, bytes.
    pub file_bytes: u64,
    /// Remembered bad files.
    pub failures: usize,
    /// Batches committed since the index was created.
    pub commits: u64,
    /// What was measured of each graph when it was built, with the rows that it covers; the largest first.
    pub graphs: Vec<(usize, Figures)>,
    /// Acknowledged batches that are lost; see [`IndexEvent::BatchesLost`].
    pub lost: u64,
}

impl Stats {
    /// Rows that graphs cover.
    #[must_use]
    pub fn graph_rows(&self) -> usize {
        self.graphs.iter().map(|(rows, _)| rows).sum()
    }
}

/// What [`crate::Writer::rebuild`] did.
#[derive(Debug, Clone, PartialEq)]
pub struct RebuildReport {
    /// Segments in the new files.
    pub rows: usize,
    /// Dead rows dropped.
    pub dropped_dead: usize,
    /// How long it took, seconds.
    pub seconds: f64,
}

/// What [`crate::Snapshot::audit`] and [`crate::Writer::audit`] found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AuditReport {
    /// Clips checked.
    pub clips: usize,
    /// Segments checked.
    pub segments: usize,
    /// Segments that were searched for by their own vector (all of them unless the index is large).
    pub searched: usize,
    /// Of these, found.
    pub found: usize,
    /// What was measured of each graph, with the rows that it covers.
    pub graphs: Vec<(usize, Figures)>,
    /// What is wrong, in words; empty when sound. At most [`crate::MAX_AUDIT_PROBLEMS`].
    pub problems: Vec<String>,
}

impl AuditReport {
    /// Nothing is wrong or lost, and every segment that was searched for was found.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.found == self.searched
    }
}
