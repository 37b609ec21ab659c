//! Indexing jobs: one at a time on a thread of its own, others waiting, each with progress that can be watched.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use earmark_engine::ingest::{IngestEvent, IngestOptions, IngestReport, Prune, ingest};
use earmark_engine::{Engine, EngineError, WalkOptions, walk};
use earmark_library::{Live, Writing, index_shared};
use tokio::sync::watch;

use crate::error::{ApiError, ApiResult};

/// Finished jobs that are remembered.
const REMEMBERED: usize = 100;

/// Failed files that a job remembers; all are in the index.
const FAILURES: usize = 10_000;

/// Time between looks at whether another process is done with writing the index.
const LOCK_POLL: Duration = Duration::from_millis(200);

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

/// What is known of a job.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) stage: Stage,
    pub(crate) started_unix_s: Option<i64>,
    pub(crate) finished_unix_s: Option<i64>,
    pub(crate) files: usize,
    pub(crate) done: usize,
    pub(crate) failed: usize,
    pub(crate) bytes: u64,
    pub(crate) bytes_done: u64,
    pub(crate) audio_s: f64,
    pub(crate) report: Option<Arc<IngestReport>>,
    pub(crate) error: Option<String>,
}

/// A job.
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) root: String,
    pub(crate) created_unix_s: i64,
    path: PathBuf,
    options: IngestOptions,
    /// Links that lead out of these are not followed.
    within: Vec<PathBuf>,
    stop: AtomicBool,
    status: watch::Sender<Status>,
}

impl Job {
    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Asks it to stop; what it has finished stays. False if it was over already.
    pub(crate) fn cancel(&self) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        let mut was_alive = false;
        self.status.send_modify(|status| {
            was_alive = matches!(status.stage, Stage::Queued | Stage::Running);
            if status.stage == Stage::Queued {
                status.stage = Stage::Cancelled;
                status.finished_unix_s = Some(now());
            }
        });
        was_alive
    }
}

/// All jobs.
pub(crate) struct Jobs {
    desk: Arc<Desk>,
    /// How many may wait.
    queue: usize,
    worker: Mutex<Option<JoinHandle<()>>>,
}

/// Where jobs lie, and the worker waits for them.
#[derive(Default)]
struct Desk {
    list: Mutex<List>,
    changed: Condvar,
}

#[derive(Default)]
struct List {
    jobs: BTreeMap<u64, Arc<Job>>,
    waiting: VecDeque<Arc<Job>>,
    last: u64,
    is_closed: bool,
}

impl Desk {
    /// The next job that is due; `None` once the desk is closed.
    fn next(&self) -> Option<Arc<Job>> {
        let mut list = lock(&self.list);
        while !list.is_closed {
            if let Some(job) = list.waiting.pop_front() {
                return Some(job);
            }
            list = self.changed.wait(list).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }
}

/// What a job is started with.
pub(crate) struct Order {
    pub(crate) root: String,
    pub(crate) path: PathBuf,
    pub(crate) within: Vec<PathBuf>,
    pub(crate) options: IngestOptions,
}

impl Jobs {
    pub(crate) fn start(engine: Engine, index: Live, queue: usize) -> std::io::Result<Self> {
        let desk = Arc::<Desk>::default();
        let orders = Arc::clone(&desk);
        let worker = std::thread::Builder::new()
            .name("jobs".to_owned())
            .spawn(move || work(&engine, &index, &orders))?;
        Ok(Self { desk, queue, worker: Mutex::new(Some(worker)) })
    }

    pub(crate) fn add(&self, order: Order) -> ApiResult<Arc<Job>> {
        let mut list = lock(&self.desk.list);
        if list.is_closed {
            return Err(ApiError::unavailable("the server is shutting down"));
        }
        // What was cancelled while it waited has no place any more.
        list.waiting.retain(|job| job.status.borrow().stage == Stage::Queued);
        if list.waiting.len() >= self.queue {
            return Err(ApiError::busy("too many jobs are waiting", 30));
        }
        list.last += 1;
        let status = Status {
            stage: Stage::Queued,
            started_unix_s: None,
            finished_unix_s: None,
            files: 0,
            done: 0,
            failed: 0,
            bytes: 0,
            bytes_done: 0,
            audio_s: 0.0,
            report: None,
            error: None,
        };
        let job = Arc::new(Job {
            id: list.last,
            root: order.root,
            created_unix_s: now(),
            path: order.path,
            options: order.options,
            within: order.within,
            stop: AtomicBool::new(false),
            status: watch::Sender::new(status),
        });
        list.waiting.push_back(Arc::clone(&job));
        self.desk.changed.notify_one();
        list.jobs.insert(job.id, Arc::clone(&job));
        let is_over = |job: &Job| !matches!(job.status.borrow().stage, Stage::Queued | Stage::Running);
        let over: Vec<u64> = list.jobs.values().filter(|job| is_over(job)).map(|job| job.id).collect();
        for id in over.iter().take(over.len().saturating_sub(REMEMBERED)) {
            list.jobs.remove(id);
        }
        Ok(job)
    }

    pub(crate) fn get(&self, id: u64) -> ApiResult<Arc<Job>> {
        lock(&self.desk.list).jobs.get(&id).cloned().ok_or_else(|| ApiError::not_found("job", id))
    }

    /// The latest first.
    pub(crate) fn all(&self) -> Vec<Arc<Job>> {
        lock(&self.desk.list).jobs.values().rev().cloned().collect()
    }

    /// How many run or wait.
    pub(crate) fn unfinished(&self) -> usize {
        let is_unfinished =
            |job: &Arc<Job>| matches!(job.status.borrow().stage, Stage::Queued | Stage::Running);
        lock(&self.desk.list).jobs.values().filter(|job| is_unfinished(job)).count()
    }

    /// Stops all jobs, and waits for the one at work to write what it has.
    pub(crate) fn shut_down(&self) {
        lock(&self.desk.list).is_closed = true;
        self.desk.changed.notify_all();
        for job in self.all() {
            job.cancel();
        }
        if let Some(worker) = lock(&self.worker).take() {
            let _ = worker.join();
        }
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn work(engine: &Engine, index: &Live, orders: &Desk) {
    while let Some(job) = orders.next() {
        let mut is_due = false;
        job.status.send_modify(|status| {
            is_due = status.stage == Stage::Queued;
            if is_due {
                status.stage = Stage::Running;
                status.started_unix_s = Some(now());
            }
        });
        if !is_due {
            continue;
        }
        let run = std::panic::AssertUnwindSafe(|| run(engine, index, &job));
        let result = std::panic::catch_unwind(run);
        for event in index.take_events() {
            tracing::info!(%event, "index");
        }
        job.status.send_modify(|status| {
            status.finished_unix_s = Some(now());
            match result {
                Ok(Ok(mut report)) => {
                    status.stage = match report.prune_refused.first() {
                        _ if report.interrupted => Stage::Cancelled,
                        Some(refused) => {
                            let remedy =
                                "if the files are gone for good, `\"prune\": \"all\"` removes their clips";
                            status.error = Some(format!("{refused}; {remedy}"));
                            Stage::Failed
                        }
                        None => Stage::Done,
                    };
                    status.failed = report.failed.len();
                    report.failed.truncate(FAILURES);
                    status.report = Some(Arc::new(report));
                }
                Ok(Err(e)) => {
                    tracing::error!(job = job.id, error = %e, "job failed");
                    status.stage = Stage::Failed;
                    status.error = Some(for_client(&e));
                }
                Err(_) => {
                    tracing::error!(job = job.id, "job panicked");
                    status.stage = Stage::Failed;
                    status.error = Some("internal error; the server's log says more".to_owned());
                }
            }
        });
    }
}

/// A job's failure as clients may see it: about paths that they named, and nothing of the insides.
fn for_client(e: &EngineError) -> String {
    match e {
        EngineError::Path { .. } | EngineError::Audio(_) => e.to_string(),
        EngineError::Index(earmark_index::Error::DiskFull { .. }) => "the disk is full".to_owned(),
        EngineError::Index(earmark_index::Error::Locked { .. }) => {
            "another process is writing the index; try again when it is done".to_owned()
        }
        _ => "internal error; the server's log says more".to_owned(),
    }
}

fn run(engine: &Engine, index: &Live, job: &Job) -> Result<IngestReport, EngineError> {
    let options = WalkOptions {
        missing_ok: job.options.prune != Prune::Never,
        within: Some(job.within.clone()),
        ..WalkOptions::default()
    };
    let walked = walk(std::slice::from_ref(&job.path), &options)?;
    // Held as long as the job runs, and no longer: other processes write too.
    let writer = loop {
        match index.write() {
            // Whoever writes will be done some time; a job can wait.
            Err(earmark_index::Error::Locked { .. }) if !job.stop.load(Ordering::Relaxed) => {
                std::thread::sleep(LOCK_POLL);
            }
            opened => break opened?,
        }
    };
    let mut observe = |event: IngestEvent<'_>| {
        job.status.send_modify(|status| match event {
            IngestEvent::Planned { files, bytes } => (status.files, status.bytes) = (files, bytes),
            IngestEvent::Decoded { audio_s } => status.audio_s = audio_s,
            IngestEvent::File { bytes, failed, .. } => {
                status.done += 1;
                status.bytes_done += bytes;
                status.failed += usize::from(failed.is_some());
            }
        });
    };
    let report = match &writer {
        Writing::Local(local) => ingest(engine, &**local, walked, &job.options, &job.stop, observe)?,
        // Other servers and workers take part.
        Writing::Database(shared) => {
            index_shared(engine, shared, &walked, &job.options, &job.stop, &mut observe, &mut |_| {})?
        }
    };
    if let Err(e) = writer.tidy() {
        tracing::warn!(error = %e, "the room of removed clips could not be given back");
    }
    Ok(report)
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
