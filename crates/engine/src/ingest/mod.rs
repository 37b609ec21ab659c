//! Folders of sound files into an index: incrementally, on all cores, so that it can be cut short at any time.
//!
//! Three steps: `plan` decides from size and modification time what needs a look at all; the pipeline's workers hash,
//! and decode and encode what the hash does not settle; `writer` turns outcomes into batches, each on disk, whole, before
//! it counts. Then `leave` decides what goes. `preview` says what all of them would do.

mod leave;
mod plan;
mod preview;
mod writer;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use earmark_audio::Remarks;
use earmark_index::{Filter, IndexReader, IndexWriter, stored_path};

use crate::pipeline::{self, Keep, Step};
use crate::walk::Walked;
use crate::{Engine, EngineError};
use plan::{Known, KnownContents, PendingFile, Plan, plan, prepare};
use writer::Writer;

pub use leave::{Prune, PruneRefused, Suspicion};
pub use plan::is_unchanged;
pub use preview::{Moved, Preview, preview};

/// How to ingest.
#[derive(Debug, Clone, Default)]
pub struct IngestOptions {
    /// What becomes of clips whose files are gone from under the paths given.
    pub prune: Prune,
    /// Embed everything again, changed or not.
    pub force: bool,
    /// Try files again that failed before and have not changed since.
    pub retry_failed: bool,
    /// Tags for the clips.
    pub tags: Vec<String>,
    /// What is looked at in the index.
    pub scope: Scope,
    /// Whether other machines have files of this index, too: then a file that is not here is gone only if it would be
    /// in what was walked.
    pub is_shared: bool,
}

/// What an ingest looks at in the index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of it: files that are known under another name are recognised, and what is gone or excluded leaves.
    #[default]
    Whole,
    /// What the files that were walked became, and the contents of others where it is asked for them: for a worker
    /// that has a few of the files of a large index. Nothing leaves.
    Files,
}

/// A file that could not be indexed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FailedFile {
    /// Its path, in its stored form.
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
    /// Clips removed because their file is excluded now, by a glob or by an ignore file.
    pub excluded: usize,
    /// Why nothing was removed, for each root that speaks against it.
    pub prune_refused: Vec<PruneRefused>,
    /// Files that failed before and have not changed since: not tried again.
    pub known_bad: usize,
    /// Files passed over for their extension.
    pub other_files: usize,
    /// Files that other workers indexed.
    pub elsewhere: usize,
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
    let has_ffmpeg = engine.read_options().ffmpeg.is_some();
    let reader = index.reader()?;
    let known = match options.scope {
        Scope::Whole => Known::read(&*reader, options, has_ffmpeg)?,
        Scope::Files => Known::read_at(&*reader, &walked, options, has_ffmpeg)?,
    };
    let mut report =
        IngestReport { files: walked.files.len(), other_files: walked.other_files, ..Default::default() };
    let Plan { mut jobs, retag, met } = plan(&walked, &known, options, &mut report);
    observe(IngestEvent::Planned { files: jobs.len(), bytes: jobs.iter().map(|j| j.size).sum() });

    report.retagged = retag.len();
    let mut writer = Writer::new(index, options, &walked.roots, &mut report, &mut observe);
    writer.retag(retag)?;
    // A file whose content was known when the plan was made, but is not any more by the time it is written, comes
    // back and is encoded in a second round.
    let mut contents = match options.scope {
        Scope::Files => KnownContents::Ask(reader),
        Scope::Whole => KnownContents::These(known.hashes),
    };
    while !jobs.is_empty() {
        let mut failure = None;
        let mut again = Vec::new();
        pipeline::run(
            engine.encoders(),
            &engine.pipeline_options(Keep::Segments),
            std::mem::take(&mut jobs).into_iter(),
            |job| prepare(job, &contents, options.force, engine.read_options().limits.max_bytes, stop),
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
        contents = KnownContents::These(HashSet::new());
    }
    writer.flush()?;
    let interrupted = stop.load(Ordering::Relaxed);
    if !interrupted && options.scope == Scope::Whole {
        leave(index, &walked, &met, options.prune, &mut report)?;
    }
    report.interrupted = interrupted;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// A file that needs a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its path, in its stored form.
    pub path: String,
    /// Its size, bytes.
    pub size: u64,
    /// Its modification time, nanoseconds since 1970.
    pub mtime_ns: i64,
}

/// The files among those walked that need a look, for workers to share, and a report of the others.
///
/// # Errors
/// The index.
pub fn pending(
    index: &dyn IndexReader,
    walked: &Walked,
    options: &IngestOptions,
    has_ffmpeg: bool,
) -> Result<(Vec<Pending>, IngestReport), EngineError> {
    let known = match options.scope {
        Scope::Whole => Known::read(index, options, has_ffmpeg)?,
        Scope::Files => Known::read_at(index, walked, options, has_ffmpeg)?,
    };
    let mut report =
        IngestReport { files: walked.files.len(), other_files: walked.other_files, ..Default::default() };
    let jobs = plan(walked, &known, options, &mut report).jobs;
    let pending = |job: PendingFile| Pending { path: job.path, size: job.size, mtime_ns: job.mtime_ns };
    Ok((jobs.into_iter().map(pending).collect(), report))
}

/// Takes out of the index what is gone or excluded.
fn leave(
    index: &dyn IndexWriter,
    walked: &Walked,
    met: &HashSet<String>,
    prune: Prune,
    report: &mut IngestReport,
) -> Result<(), EngineError> {
    // Files that were named and met have nothing under them.
    if walked.roots.iter().all(|root| met.contains(&stored_path(root))) {
        return Ok(());
    }
    let (clips, failures) = paths(&*index.reader()?)?;
    let leaving = leave::leaving(&clips, &failures, walked, met, prune)?;
    report.prune_refused.clone_from(&leaving.refused);
    if leaving.refused.is_empty() {
        report.pruned = leaving.gone.len();
        report.excluded = leaving.excluded.len();
    }
    leaving.apply(index)
}

/// The paths of all clips, and of all remembered failures.
fn paths(index: &dyn IndexReader) -> Result<(Vec<String>, Vec<String>), EngineError> {
    let clips = index.clips(&Filter::default())?.into_iter().map(|clip| clip.meta.path).collect();
    let failures = index.failures()?.into_iter().map(|failure| failure.path).collect();
    Ok((clips, failures))
}

/// Now, seconds since 1970.
pub(crate) fn now_unix_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64)
}
