//! Indexing jobs: one at a time on a thread of its own, others waiting, each with progress that can be watched.
//!
//! Servers of one database know of each other's jobs (`board`).

mod board;
mod record;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use earmark_engine::ingest::{FailedFile, IngestEvent, IngestOptions, IngestReport, Prune, ingest};
use earmark_engine::{Engine, EngineError, WalkOptions, walk};
use earmark_library::{Failure, JobBoard, Live, Writing, index_shared, moment};

use crate::error::{ApiError, ApiResult, Kind};

pub(crate) use record::JobRecord;
use record::{JobReport, JobState};

/// Finished jobs that are remembered.
const REMEMBERED: usize = 100;

/// Failed files that a job remembers; all are in the index.
const FAILURES: usize = 10_000;

/// Time between looks of a client that watches a job of this server, or one that another server posted.
const LOOK_AT_OWN: Duration = Duration::from_millis(100);
const LOOK_AT_POSTED: Duration = Duration::from_millis(500);

/// Time between looks at whether another process is done with writing the index.
const LOCK_POLL: Duration = Duration::from_millis(200);

/// What is known of a job.
#[derive(Debug, Clone)]
struct Status {
    state: JobState,
    started_unix_s: Option<i64>,
    finished_unix_s: Option<i64>,
    files: usize,
    done: usize,
    failed: usize,
    bytes: u64,
    bytes_done: u64,
    audio_s: f64,
    report: Option<Arc<IngestReport>>,
    error: Option<String>,
}

/// A job of this server.
struct Job {
    id: u64,
    root: String,
    created_unix_s: i64,
    path: PathBuf,
    options: IngestOptions,
    /// Links that lead out of these are not followed.
    within: Vec<PathBuf>,
    stop: AtomicBool,
    status: Mutex<Status>,
}

impl Job {
    fn new(id: u64, order: Order) -> Self {
        let status = Status {
            state: JobState::Queued,
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
        Self {
            id,
            root: order.root,
            created_unix_s: now(),
            path: order.path,
            options: order.options,
            within: order.within,
            stop: AtomicBool::new(false),
            status: Mutex::new(status),
        }
    }

    fn state(&self) -> JobState {
        lock(&self.status).state
    }

    fn record(&self) -> JobRecord {
        let status = lock(&self.status).clone();
        JobRecord {
            id: self.id.to_string(),
            state: status.state,
            root: self.root.clone(),
            created_at: moment(self.created_unix_s),
            started_at: status.started_unix_s.map(moment),
            finished_at: status.finished_unix_s.map(moment),
            files: status.files,
            done: status.done,
            failed: status.failed,
            bytes: status.bytes,
            bytes_done: status.bytes_done,
            audio_s: status.audio_s,
            report: status.report.as_deref().map(JobReport::from),
            error: status.error,
        }
    }

    /// The files that could not be indexed; known when the job is over.
    fn failures(&self) -> Vec<Failure> {
        let report = lock(&self.status).report.clone();
        let failed = report.as_deref().map(|report| report.failed.as_slice()).unwrap_or_default();
        let failure = |f: &FailedFile| Failure {
            path: f.path.clone(),
            kind: f.kind.clone(),
            reason: f.reason.clone(),
            seen_at: None,
        };
        failed.iter().map(failure).collect()
    }

    /// Asks it to stop; what it has finished stays. False if it was over already.
    fn cancel(&self) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        let mut status = lock(&self.status);
        let was_alive = !status.state.is_over();
        if status.state == JobState::Queued {
            status.state = JobState::Cancelled;
            status.finished_unix_s = Some(now());
        }
        was_alive
    }
}

/// All jobs.
pub(crate) struct Jobs {
    desk: Arc<Desk>,
    /// How many may wait.
    queue: usize,
    /// Where other servers of the index post theirs.
    board: Option<JobBoard>,
    threads: Mutex<Vec<JoinHandle<()>>>,
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
    /// Whether the worker is done for good.
    is_worker_done: bool,
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

    /// The latest first.
    fn all(&self) -> Vec<Arc<Job>> {
        lock(&self.list).jobs.values().rev().cloned().collect()
    }

    /// Waits for some time; true, and at once, when the worker is done for good.
    fn wait(&self, time: Duration) -> bool {
        let list = lock(&self.list);
        let waited = self.changed.wait_timeout_while(list, time, |list| !list.is_worker_done);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_worker_done
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
        let board = index.job_board();
        let mut threads = Vec::new();
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let orders = Arc::clone(&desk);
        threads.push(named("jobs").spawn(move || {
            work(&engine, &index, &orders);
            lock(&orders.list).is_worker_done = true;
            orders.changed.notify_all();
        })?);
        if let Some(board) = board.clone() {
            let desk = Arc::clone(&desk);
            threads.push(named("job-board").spawn(move || board::post_jobs(&board, &desk))?);
        }
        Ok(Self { desk, queue, board, threads: Mutex::new(threads) })
    }

    pub(crate) fn add(&self, order: Order) -> ApiResult<JobRecord> {
        let reserved = self.board.as_ref().map(JobBoard::reserve).transpose()?;
        let job = self.put(reserved, order)?;
        if let Some(board) = &self.board {
            board::add(board, &job);
        }
        Ok(job.record())
    }

    /// Puts a job on the desk, with the number that was reserved for it or the next one.
    fn put(&self, reserved: Option<u64>, order: Order) -> ApiResult<Arc<Job>> {
        let mut list = lock(&self.desk.list);
        if list.is_closed {
            return Err(ApiError::unavailable("the server is shutting down"));
        }
        // What was cancelled while it waited has no place any more.
        list.waiting.retain(|job| job.state() == JobState::Queued);
        if list.waiting.len() >= self.queue {
            return Err(ApiError::busy("too many jobs are waiting", 30));
        }
        list.last += 1;
        let job = Arc::new(Job::new(reserved.unwrap_or(list.last), order));
        list.waiting.push_back(Arc::clone(&job));
        self.desk.changed.notify_all();
        list.jobs.insert(job.id, Arc::clone(&job));
        let over: Vec<u64> =
            list.jobs.values().filter(|job| job.state().is_over()).map(|job| job.id).collect();
        for id in over.iter().take(over.len().saturating_sub(REMEMBERED)) {
            list.jobs.remove(id);
        }
        Ok(job)
    }

    /// A job of this server's, or else what another server posted of it.
    fn find<T>(
        &self,
        id: u64,
        own: impl FnOnce(&Job) -> ApiResult<T>,
        posted: impl FnOnce(&JobBoard) -> ApiResult<T>,
    ) -> ApiResult<T> {
        let job = lock(&self.desk.list).jobs.get(&id).cloned();
        match (job, &self.board) {
            (Some(job), _) => own(&job),
            (None, Some(board)) => posted(board),
            (None, None) => Err(ApiError::not_found("job", id)),
        }
    }

    /// A job, of whichever server. May wait for the database.
    pub(crate) fn get(&self, id: u64) -> ApiResult<JobRecord> {
        self.find(id, |job| Ok(job.record()), |board| board::get(board, id))
    }

    /// How long to wait before looking at a job again; `None` if this server shuts down and the job is another's.
    pub(crate) fn look_again_in(&self, id: u64) -> Option<Duration> {
        let list = lock(&self.desk.list);
        match list.jobs.contains_key(&id) {
            true => Some(LOOK_AT_OWN),
            false if list.is_closed => None,
            false => Some(LOOK_AT_POSTED),
        }
    }

    /// The files that a job could not index. May wait for the database.
    pub(crate) fn failures(&self, id: u64) -> ApiResult<Vec<Failure>> {
        self.find(id, |job| Ok(job.failures()), |board| board::failures(board, id))
    }

    /// Cancels a job; a server other than its own only asks for that. May wait for the database.
    ///
    /// # Errors
    /// [`Kind::Conflict`] if it was over already.
    pub(crate) fn cancel(&self, id: u64) -> ApiResult<JobRecord> {
        let is_cancelled = self.find(id, |job| Ok(job.cancel()), |board| Ok(board.cancel(id)?))?;
        let record = self.get(id)?;
        if is_cancelled { Ok(record) } else { Err(ApiError::new(Kind::Conflict, "the job is over")) }
    }

    /// The jobs of all servers, the latest first. May wait for the database.
    pub(crate) fn all(&self) -> ApiResult<Vec<JobRecord>> {
        let own = self.desk.all();
        match &self.board {
            Some(board) => board::all(board, &own),
            None => Ok(own.iter().map(|job| job.record()).collect()),
        }
    }

    /// How many of this server's run or wait.
    pub(crate) fn unfinished(&self) -> usize {
        self.desk.all().iter().filter(|job| !job.state().is_over()).count()
    }

    /// Stops all jobs of this server, and waits for the one at work to write what it has.
    pub(crate) fn shut_down(&self) {
        lock(&self.desk.list).is_closed = true;
        self.desk.changed.notify_all();
        for job in self.desk.all() {
            job.cancel();
        }
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in threads {
            let _ = thread.join();
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
        {
            let mut status = lock(&job.status);
            if status.state != JobState::Queued {
                continue;
            }
            status.state = JobState::Running;
            status.started_unix_s = Some(now());
        }
        let run = std::panic::AssertUnwindSafe(|| run(engine, index, &job).map_err(Stopped::Error));
        let result = std::panic::catch_unwind(run);
        for event in index.take_events() {
            tracing::info!(%event, "index");
        }
        finish(&job, result.unwrap_or(Err(Stopped::Panic)));
    }
}

/// Why a job as a whole failed.
enum Stopped {
    Error(EngineError),
    Panic,
}

fn finish(job: &Job, result: Result<IngestReport, Stopped>) {
    let mut status = lock(&job.status);
    status.finished_unix_s = Some(now());
    match result {
        Ok(mut report) => {
            status.state = match report.prune_refused.first() {
                _ if report.interrupted => JobState::Cancelled,
                Some(refused) => {
                    let remedy = "if the files are gone for good, `\"prune\": \"all\"` removes their clips";
                    status.error = Some(format!("{refused}; {remedy}"));
                    JobState::Failed
                }
                None => JobState::Done,
            };
            status.failed = report.failed.len();
            report.failed.truncate(FAILURES);
            status.report = Some(Arc::new(report));
        }
        Err(Stopped::Error(e)) => {
            tracing::error!(job = job.id, error = %e, "job failed");
            status.state = JobState::Failed;
            status.error = Some(for_client(&e));
        }
        Err(Stopped::Panic) => {
            tracing::error!(job = job.id, "job panicked");
            status.state = JobState::Failed;
            status.error = Some("internal error; the server's log says more".to_owned());
        }
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
        let mut status = lock(&job.status);
        match event {
            IngestEvent::Planned { files, bytes } => (status.files, status.bytes) = (files, bytes),
            IngestEvent::Decoded { audio_s } => status.audio_s = audio_s,
            IngestEvent::File { bytes, failed, .. } => {
                status.done += 1;
                status.bytes_done += bytes;
                status.failed += usize::from(failed.is_some());
            }
        }
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
