//! [`JobRecord`]: a job as clients see it, and as servers of one database post it for each other.

use earmark_engine::ingest::IngestReport;
use earmark_library::FileRemarks;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Remarks that a report has at most.
const REMARKS: usize = 100;

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobRecord {
    pub(crate) id: String,
    pub(crate) state: JobState,
    /// As it was asked for.
    pub(crate) root: String,
    #[schema(format = "date-time")]
    pub(crate) created_at: String,
    #[schema(format = "date-time")]
    pub(crate) started_at: Option<String>,
    #[schema(format = "date-time")]
    pub(crate) finished_at: Option<String>,
    /// Files that need a look.
    pub(crate) files: usize,
    /// Of these, done.
    pub(crate) done: usize,
    /// Files that could not be indexed.
    pub(crate) failed: usize,
    /// Bytes of the files that need a look.
    pub(crate) bytes: u64,
    pub(crate) bytes_done: u64,
    /// Audio decoded so far, seconds.
    pub(crate) audio_s: f64,
    pub(crate) report: Option<JobReport>,
    /// Why the job as a whole failed.
    pub(crate) error: Option<String>,
}

impl JobRecord {
    /// Whether nothing more will happen.
    pub(crate) fn is_over(&self) -> bool {
        self.state.is_over()
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobState {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

impl JobState {
    /// As [`JobRecord::is_over`].
    pub(super) fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// What a job did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct JobReport {
    files: usize,
    added: usize,
    updated: usize,
    unchanged: usize,
    moved: usize,
    copied: usize,
    retagged: usize,
    /// Clips removed because their files are gone.
    pruned: usize,
    /// Clips removed because their files are excluded now, by an ignore file.
    excluded: usize,
    /// Files that other workers of the same database indexed meanwhile.
    elsewhere: usize,
    /// Files that failed before and have not changed since.
    known_bad: usize,
    /// Files passed over for their extension.
    other_files: usize,
    failed: usize,
    /// Files that were not read as they are: cut off, damaged, with gaps. The first hundred.
    remarks: Vec<FileRemarks>,
    audio_s: f64,
    segments: usize,
    seconds: f64,
}

impl From<&IngestReport> for JobReport {
    fn from(r: &IngestReport) -> Self {
        let remarks = r.remarks.iter().take(REMARKS);
        Self {
            files: r.files,
            added: r.added,
            updated: r.updated,
            unchanged: r.unchanged,
            moved: r.moved,
            copied: r.copied,
            retagged: r.retagged,
            pruned: r.pruned,
            excluded: r.excluded,
            elsewhere: r.elsewhere,
            known_bad: r.known_bad,
            other_files: r.other_files,
            failed: r.failed.len(),
            remarks: remarks.map(|(file, remarks)| FileRemarks::new(file, remarks)).collect(),
            audio_s: r.audio_s,
            segments: r.segments,
            seconds: r.seconds,
        }
    }
}
