//! Folders of sound files into an index: incrementally, on all cores, so that it can be cut short at any time.
//!
//! Three steps: `plan` decides from size and modification time what needs a look at all; the pipeline's workers hash,
//! and decode and encode what the hash does not settle; `writer` turns outcomes into batches, each on disk, whole, before
//! it counts.

mod plan;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use earmark_audio::Remarks;
use earmark_index::{Change, Filter, IndexWriter};

use crate::pipeline::{self, Keep, Step};
use crate::walk::Walked;
use crate::{Engine, EngineError};
use plan::{Known, Plan, plan, prepare};
use writer::Writer;

pub use plan::is_unchanged;

/// How to ingest.
#[derive(Debug, Clone, Default)]
pub struct IngestOptions {
    /// Remove clips whose files are gone from under the paths given.
    pub prune: bool,
    /// Embed everything again, changed or not.
    pub force: bool,
    /// Try files again that failed before and have not changed since.
    pub retry_failed: bool,
    /// Tags for the clips.
    pub tags: Vec<String>,
}

/// A file that could not be indexed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FailedFile {
    /// Its path.
    pub path: String,
    /// One word: `unsupported`, `malformed`, `limit`, `empty`, `non-finite`, `io`, `encoder`.
    pub kind: String,
    /// Why, for people.
    pub reason: String,
}

/// What an ingest did.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct IngestReport {
    /// Sound files found.
    pub files: usize,
    /// New clips.
    pub added: usize,
    /// Clips whose file had changed.
    pub updated: usize,
    /// Clips whose file had not changed.
    pub unchanged: usize,
    /// Clips whose file has another path now.
    pub moved: usize,
    /// Unchanged clips that were given tags.
    pub retagged: usize,
    /// New clips with the content of one that was known: not encoded again.
    pub copied: usize,
    /// Clips removed because their file is gone.
    pub pruned: usize,
    /// Files that failed before and have not changed since: not tried again.
    pub known_bad: usize,
    /// Files passed over for their extension.
    pub other_files: usize,
    /// Files that could not be indexed, this time.
    pub failed: Vec<FailedFile>,
    /// What a user should know about how files were read, by path.
    pub remarks: Vec<(String, Remarks)>,
    /// Audio encoded, seconds.
    pub audio_s: f64,
    /// Segments written.
    pub segments: usize,
    /// How long it took, seconds.
    pub seconds: f64,
    /// Whether it was cut short; running again goes on from here.
    pub interrupted: bool,
}

/// What happens along the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum IngestEvent<'a> {
    /// The plan is made.
    Planned {
        /// Files that need a look.
        files: usize,
        /// Their size, bytes.
        bytes: u64,
    },
    /// So much audio was decoded so far, that of unfinished files included. Told several times a second.
    Decoded {
        /// Seconds.
        audio_s: f64,
    },
    /// A file is done.
    File {
        /// Which.
        path: &'a str,
        /// Its size, bytes.
        bytes: u64,
        /// Why it failed, where it did.
        failed: Option<&'a str>,
    },
}

/// Indexes the sound files that were walked. When `stop` is set, batches what is finished, and returns; it is also set
/// here when the index cannot be written.
///
/// # Errors
/// The model, the index. A bad file is in the report, not an error.
pub fn ingest(
    engine: &Engine,
    index: &dyn IndexWriter,
    walked: Walked,
    options: &IngestOptions,
    stop: &AtomicBool,
    mut observe: impl FnMut(IngestEvent<'_>),
) -> Result<IngestReport, EngineError> {
    let started = Instant::now();
    let roots = walked.roots.clone();
    let known = Known::read(&*index.reader()?, options)?;
    let mut report =
        IngestReport { files: walked.files.len(), other_files: walked.other_files, ..Default::default() };
    let Plan { mut jobs, retag } = plan(walked, &known, options, &mut report);
    observe(IngestEvent::Planned { files: jobs.len(), bytes: jobs.iter().map(|j| j.size).sum() });

    report.retagged = retag.len();
    let mut writer = Writer::new(index, &options.tags, &mut report, &mut observe);
    writer.retag(retag)?;
    // A file whose content was known when the plan was made, but is not any more by the time it is written, comes
    // back and is encoded in a second round.
    let mut hashes = if options.force { Default::default() } else { known.hashes };
    while !jobs.is_empty() {
        let mut failure = None;
        let mut again = Vec::new();
        pipeline::run(
            engine.encoders(),
            &engine.pipeline_options(Keep::Segments),
            std::mem::take(&mut jobs).into_iter(),
            |job| prepare(job, &hashes, options.force, engine.read_options().limits.max_bytes, stop),
            stop,
            |step| match step {
                Step::Decoded { audio_s } => writer.tell(IngestEvent::Decoded { audio_s }),
                Step::Finished(job, outcome) => {
                    if failure.is_none()
                        && let Err(e) = writer.take(job, outcome, &mut again)
                    {
                        stop.store(true, Ordering::Relaxed);
                        failure = Some(e);
                    }
                }
            },
        )?;
        if let Some(e) = failure {
            return Err(e);
        }
        jobs = again;
        hashes.clear();
    }
    writer.flush()?;
    let interrupted = stop.load(Ordering::Relaxed);
    if options.prune && !interrupted {
        report.pruned = prune(index, &roots)?;
    }
    report.interrupted = interrupted;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Removes clips and remembered failures under `roots` whose files are gone.
fn prune(index: &dyn IndexWriter, roots: &[PathBuf]) -> Result<usize, EngineError> {
    let is_gone = |path: &str| {
        let path = Path::new(path);
        // Only a plain "not found" counts: an unreadable folder or a stale mount must not empty the index.
        roots.iter().any(|root| path.starts_with(root))
            && matches!(std::fs::symlink_metadata(path), Err(e) if e.kind() == std::io::ErrorKind::NotFound)
    };
    let mut changes = Vec::new();
    let stored = index.reader()?;
    for clip in stored.clips(&Filter::default())? {
        if is_gone(&clip.meta.path) {
            changes.push(Change::RemoveAt(clip.meta.path));
        }
    }
    let pruned = changes.len();
    let failures = stored.failures()?.into_iter().filter(|f| is_gone(&f.path));
    changes.extend(failures.map(|f| Change::ClearFailure(f.path)));
    if !changes.is_empty() {
        index.apply(changes)?;
    }
    Ok(pruned)
}

/// Now, seconds since 1970.
pub(crate) fn now_unix_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64)
}
