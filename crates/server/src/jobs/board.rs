//! Servers of one database post their jobs, so that a client behind a balancer finds every job at every server.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use earmark_library::{Failure, JobBoard, PostedJob};
use serde_json::Value;

use super::record::{JobRecord, JobState};
use super::{Desk, Job, REMEMBERED};
use crate::error::{ApiError, ApiResult};

/// Time between looks at the jobs of this server.
const LOOK: Duration = Duration::from_millis(500);

/// An unfinished job is posted at least this often, changed or not: so this server is known to live, and learns that
/// somebody wants a job cancelled.
const BEAT: Duration = Duration::from_secs(2);

/// What a job's client reads when its server is gone.
const ABANDONED: &str =
    "the server that ran it is gone; what it finished is in the index, and the same job goes on from there";

/// What was posted last of a job.
struct Posted {
    content: Value,
    at: Instant,
    is_over: bool,
}

/// Posts this server's jobs until the desk is closed, and then once more.
pub(super) fn post_jobs(board: &JobBoard, desk: &Desk) {
    let mut posted: HashMap<u64, Option<Posted>> = HashMap::new();
    loop {
        let is_closed = desk.wait(LOOK);
        let jobs = desk.all();
        posted.retain(|id, _| jobs.iter().any(|job| job.id == *id));
        for job in jobs {
            if let Err(e) = post(board, &job, posted.entry(job.id).or_default()) {
                tracing::warn!(job = job.id, error = %e, "the job could not be posted for the other servers");
                // Each of the others would wait for the database as long; the next look tries again.
                break;
            }
        }
        if is_closed {
            return;
        }
    }
}

/// Posts a job if it changed, or was not posted for some time.
fn post(board: &JobBoard, job: &Job, posted: &mut Option<Posted>) -> Result<(), earmark_index::Error> {
    if posted.as_ref().is_some_and(|last| last.is_over) {
        return Ok(());
    }
    let record = job.record();
    let (content, is_over) = (to_json(&record), record.is_over());
    if posted.as_ref().is_some_and(|last| last.content == content && last.at.elapsed() < BEAT) {
        return Ok(());
    }
    if is_over {
        board.finish(job.id, &content, &to_json(&job.failures()), REMEMBERED)?;
    } else if board.post(job.id, &content)? {
        job.cancel();
    }
    *posted = Some(Posted { content, at: Instant::now(), is_over });
    Ok(())
}

/// Posts a new job, so that every server knows of it before its client does.
pub(super) fn add(board: &JobBoard, job: &Job) {
    if let Err(e) = board.add(job.id, &to_json(&job.record())) {
        tracing::warn!(job = job.id, error = %e, "the job could not be posted for the other servers");
    }
}

/// A job of another server.
pub(super) fn get(board: &JobBoard, id: u64) -> ApiResult<JobRecord> {
    read(board.get(id)?.ok_or_else(|| ApiError::not_found("job", id))?)
}

/// The jobs of all servers, the latest first; of this server's, `own` says more than the board does.
pub(super) fn all(board: &JobBoard, own: &[Arc<Job>]) -> ApiResult<Vec<JobRecord>> {
    let mut records: BTreeMap<u64, JobRecord> = BTreeMap::new();
    for posted in board.all()? {
        let id = posted.id;
        match read(posted) {
            Ok(record) => drop(records.insert(id, record)),
            Err(_) => tracing::warn!(job = id, "the job was posted by another version of earmark"),
        }
    }
    records.extend(own.iter().map(|job| (job.id, job.record())));
    Ok(records.into_values().rev().collect())
}

/// The files that a job of another server could not index.
pub(super) fn failures(board: &JobBoard, id: u64) -> ApiResult<Vec<Failure>> {
    let failures = board.failures(id)?.ok_or_else(|| ApiError::not_found("job", id))?;
    serde_json::from_value(failures).map_err(ApiError::internal)
}

fn read(posted: PostedJob) -> ApiResult<JobRecord> {
    let mut record: JobRecord = serde_json::from_value(posted.content).map_err(ApiError::internal)?;
    if posted.is_abandoned && !record.is_over() {
        record.state = JobState::Failed;
        record.error = Some(ABANDONED.to_owned());
    }
    Ok(record)
}

fn to_json(value: &impl serde::Serialize) -> Value {
    // Records have neither maps with odd keys nor numbers that JSON lacks: nothing that could fail.
    serde_json::to_value(value).unwrap_or_default()
}
