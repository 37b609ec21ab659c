//! Indexing by many workers: files in a queue of the database, taken a few at a time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use earmark_engine::ingest::{
    FailedFile, IngestEvent, IngestOptions, IngestReport, Pending, Scope, ingest, pending,
};
use earmark_engine::{Engine, EngineError, Walked};
use earmark_index::{
    Change, Failure, IndexReader as _, IndexWriter as _, file_path, stored_path, unix_now_s,
};
use earmark_postgres::{Lease, PgIndex, Queue, QueuedFile};

/// Files that a worker takes at a time: enough to keep all its cores at work, few enough that the last ones are
/// shared out evenly.
const FILES: usize = 128;

/// Clips of an index of which a worker reads all, so that it recognises files under another name (a link, a folder
/// that is mounted twice): some 300 bytes each.
const MOST_KNOWN: usize = 1_000_000;

/// How often a lease is renewed; it lasts four times as long.
const RENEWED_EVERY: Duration = Duration::from_secs(15);

/// How often a worker without files looks whether some have become free.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Indexes the files that were walked, and those that other workers queued, until none are left: also those of a
/// worker that was killed meanwhile, once its lease has ended. Then removes what is gone or excluded from what was
/// walked. `tell_waiting` is called now and then while other workers have the last files, with how many those are.
///
/// # Errors
/// As [`ingest`]. A file that cannot be indexed is in the report.
pub fn index_shared(
    engine: &Engine,
    index: &PgIndex,
    walked: &Walked,
    options: &IngestOptions,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(IngestEvent<'_>),
    tell_waiting: &mut dyn FnMut(u64),
) -> Result<IngestReport, EngineError> {
    let started = Instant::now();
    let has_ffmpeg = engine.read_options().ffmpeg.is_some();
    let queue = Queue::of(index);
    let worker = queue.register(&host(), std::process::id())?;
    let scope = if index.stats()?.clips > MOST_KNOWN { Scope::Files } else { Scope::Whole };
    let to_plan = IngestOptions { scope, ..options.clone() };
    let (files, mut report) = pending(index, walked, &to_plan, has_ffmpeg)?;
    let force = options.force;
    let queued =
        |file: Pending| QueuedFile { path: file.path, size: file.size, mtime_ns: file.mtime_ns, force };
    let files: Vec<QueuedFile> = files.into_iter().map(queued).collect();
    let own = files.iter().map(|file| file.path.clone()).collect();
    let bytes = files.iter().map(|file| file.size).sum();
    queue.add(&files)?;
    observe(IngestEvent::Planned { files: files.len(), bytes });
    let mut work = Work {
        engine,
        index,
        queue,
        worker,
        walked,
        stop,
        own,
        report: &mut report,
        done: 0,
        decoded_s: 0.0,
    };
    let done = work.run(observe, tell_waiting);
    // Whatever happened: another worker need not wait for the lease to end.
    let given_back = work.queue.give_back(worker);
    let taken = work.done;
    done?;
    given_back?;
    report.interrupted = stop.load(Ordering::Relaxed);
    if !report.interrupted {
        report.elsewhere = files.len().saturating_sub(taken);
        // New tags for what was walked, what leaves, and what the queue was robbed of.
        let of_rest = IngestOptions { force: false, retry_failed: false, is_shared: true, ..options.clone() };
        let rest = ingest(engine, index, walked.clone(), &of_rest, stop, observe)?;
        report.retagged = rest.retagged;
        report.pruned = rest.pruned;
        report.excluded = rest.excluded;
        report.prune_refused.clone_from(&rest.prune_refused);
        report.interrupted = rest.interrupted;
        // Counted already.
        merge(&mut report, IngestReport { unchanged: 0, ..rest });
    }
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// A worker at work.
struct Work<'a> {
    engine: &'a Engine,
    index: &'a PgIndex,
    queue: Queue,
    worker: i64,
    walked: &'a Walked,
    stop: &'a AtomicBool,
    /// The files that this run queued.
    own: HashSet<String>,
    report: &'a mut IngestReport,
    /// Files that this worker has done.
    done: usize,
    decoded_s: f64,
}

impl Work<'_> {
    /// Takes files until none are left below what was walked, other workers' included.
    fn run(
        &mut self,
        observe: &mut dyn FnMut(IngestEvent<'_>),
        tell_waiting: &mut dyn FnMut(u64),
    ) -> Result<(), EngineError> {
        // Another machine's files may not be here.
        let folders: Vec<String> = self.walked.roots.iter().map(|root| stored_path(root)).collect();
        while !self.stop.load(Ordering::Relaxed) {
            let lease = self.queue.take(self.worker, FILES, &folders)?;
            self.give_up(&lease)?;
            if !lease.files.is_empty() {
                self.index_files(lease.files, observe)?;
                continue;
            }
            let (free, taken) = self.queue.left(&folders)?;
            if free + taken == 0 {
                break;
            }
            if free == 0 {
                tell_waiting(taken);
                std::thread::sleep(LOOK_AGAIN);
            }
        }
        Ok(())
    }

    fn index_files(
        &mut self,
        files: Vec<QueuedFile>,
        observe: &mut dyn FnMut(IngestEvent<'_>),
    ) -> Result<(), EngineError> {
        let files = self.strike_off_done(files)?;
        let (forced, others): (Vec<QueuedFile>, Vec<QueuedFile>) =
            files.into_iter().partition(|file| file.force);
        for (force, files) in [(true, forced), (false, others)] {
            if files.is_empty() || self.stop.load(Ordering::Relaxed) {
                continue;
            }
            let some = Walked {
                roots: self.walked.roots.clone(),
                files: files.iter().map(|file| file_path(&file.path)).collect(),
                again: Vec::new(),
                other_files: 0,
                errors: Vec::new(),
                options: self.walked.options.clone(),
            };
            // Another run may have queued them, for which tags of this one are not meant; its own are given at the end.
            // What is queued is to be tried, whatever became of it before.
            let options = IngestOptions {
                force,
                retry_failed: true,
                scope: Scope::Files,
                is_shared: true,
                ..IngestOptions::default()
            };
            let before = self.decoded_s;
            let (engine, index, stop) = (self.engine, self.index, self.stop);
            let part = with_lease(&self.queue, self.worker, || {
                ingest(engine, index, some, &options, stop, |event| match event {
                    IngestEvent::Planned { .. } => {}
                    IngestEvent::Decoded { audio_s } => {
                        observe(IngestEvent::Decoded { audio_s: before + audio_s })
                    }
                    event => observe(event),
                })
            })?;
            if !part.interrupted {
                self.queue.finish(self.worker, &files, part.failed.len(), part.audio_s)?;
                self.done += files.iter().filter(|file| self.own.contains(&file.path)).count();
                self.decoded_s += part.audio_s;
            }
            merge(self.report, part);
        }
        Ok(())
    }

    /// Strikes off what was done before by a worker that had no time to strike it off, which the plan of this run counts
    /// as unchanged; gives the rest.
    fn strike_off_done(&self, files: Vec<QueuedFile>) -> Result<Vec<QueuedFile>, EngineError> {
        let (own, others): (Vec<QueuedFile>, Vec<QueuedFile>) =
            files.into_iter().partition(|file| file.force || self.own.contains(&file.path));
        let (done, mut rest) = self.split_done(others)?;
        if !done.is_empty() {
            self.queue.finish(self.worker, &done, 0, 0.0)?;
        }
        rest.extend(own);
        Ok(rest)
    }

    /// Files whose clip is there and as they are, and the others.
    fn split_done(&self, files: Vec<QueuedFile>) -> Result<(Vec<QueuedFile>, Vec<QueuedFile>), EngineError> {
        let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
        let clips = self.index.clips_at(&paths)?;
        let is_done = |file: &QueuedFile| {
            let state = (&file.path, file.size, file.mtime_ns);
            clips.iter().any(|clip| (&clip.meta.path, clip.meta.size, clip.meta.mtime_ns) == state)
        };
        Ok(files.into_iter().partition(is_done))
    }

    /// Remembers files that several workers have taken and not finished, so that they are not tried again until they
    /// change. What became a clip after all is only struck off.
    fn give_up(&mut self, lease: &Lease) -> Result<(), EngineError> {
        if lease.given_up.is_empty() {
            return Ok(());
        }
        let (_, unfinished) = self.split_done(lease.given_up.clone())?;
        let reason = "several workers began with this file and none finished it; does it stop the program?";
        let failure = |file: &QueuedFile| Failure {
            path: file.path.clone(),
            size: file.size,
            mtime_ns: file.mtime_ns,
            reason: reason.to_owned(),
            kind: "unfinished".to_owned(),
            seen_unix_s: unix_now_s(),
        };
        let failures: Vec<Failure> = unfinished.iter().map(failure).collect();
        self.report.failed.extend(failures.iter().map(|failure| FailedFile {
            path: failure.path.clone(),
            kind: failure.kind.clone(),
            reason: failure.reason.clone(),
        }));
        let failed = failures.len();
        self.index.apply(failures.into_iter().map(Change::Fail).collect())?;
        Ok(self.queue.finish(self.worker, &lease.given_up, failed, 0.0)?)
    }
}

/// Adds what became of some of the files.
fn merge(report: &mut IngestReport, part: IngestReport) {
    report.added += part.added;
    report.updated += part.updated;
    report.unchanged += part.unchanged;
    report.moved += part.moved;
    report.copied += part.copied;
    report.failed.extend(part.failed);
    report.remarks.extend(part.remarks);
    report.audio_s += part.audio_s;
    report.segments += part.segments;
}

/// Does something while a thread renews the worker's lease.
fn with_lease<T>(queue: &Queue, worker: i64, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        scope.spawn(move || {
            while let Err(mpsc::RecvTimeoutError::Timeout) = is_done.recv_timeout(RENEWED_EVERY) {
                // One that fails leaves time for the next; a lease that ends costs work, not clips.
                let _ = queue.renew(worker);
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// The name of this machine, for people who watch the workers.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "?".to_owned())
}
