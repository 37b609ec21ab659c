//! `/v1/jobs`, `/v1/failures`, `/v1/roots`

use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use earmark_engine::ingest::{IngestOptions, IngestReport, Prune};
use earmark_index::stored_path;
use earmark_library::{Failure, FailurePage, FileRemarks, Version, check_tags, moment};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult};
use crate::extract::{ApiId, ApiJson, ApiQuery};
use crate::jobs::{Job, Order, Stage, Status};
use crate::paging::PageQuery;
use crate::state::App;

/// Least time between two events.
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);

/// What to index, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JobRequest)]
pub(crate) struct JobBody {
    /// A root's name, a path below one (`NAME/folder`), or an absolute path below one.
    root: String,
    /// Remove clips whose files are gone. `true` and `careful` remove nothing, and the job fails, where the
    /// root is gone or a folder of clips is empty, as when a drive is not mounted, or more than a quarter of
    /// the root's clips would go. `all` removes them all the same.
    #[serde(default)]
    prune: PruneBody,
    /// Listen to everything again, changed or not.
    #[serde(default)]
    force: bool,
    /// Try files again that failed before.
    #[serde(default)]
    retry_failed: bool,
    /// Tags for the clips.
    #[serde(default)]
    #[schema(max_items = 100)]
    tags: Vec<String>,
}

/// Whether to prune, and how.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected true, false, \"never\", \"careful\" or \"all\"")]
#[schema(as = Prune)]
pub(crate) enum PruneBody {
    Switch(bool),
    How(PruneHow),
}

/// How to prune.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PruneHow {
    Never,
    Careful,
    All,
}

impl Default for PruneBody {
    fn default() -> Self {
        Self::Switch(false)
    }
}

impl From<PruneBody> for Prune {
    fn from(body: PruneBody) -> Self {
        match body {
            PruneBody::Switch(false) | PruneBody::How(PruneHow::Never) => Self::Never,
            PruneBody::Switch(true) | PruneBody::How(PruneHow::Careful) => Self::Careful,
            PruneBody::How(PruneHow::All) => Self::All,
        }
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobDto {
    id: String,
    state: StateDto,
    /// As it was asked for.
    root: String,
    #[schema(format = "date-time")]
    created_at: String,
    #[schema(format = "date-time")]
    started_at: Option<String>,
    #[schema(format = "date-time")]
    finished_at: Option<String>,
    /// Files that need a look.
    files: usize,
    /// Of these, done.
    done: usize,
    /// Files that could not be indexed.
    failed: usize,
    /// Bytes of the files that need a look.
    bytes: u64,
    bytes_done: u64,
    /// Audio decoded so far, seconds.
    audio_s: f64,
    report: Option<ReportDto>,
    /// Why the job as a whole failed.
    error: Option<String>,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JobState)]
pub(crate) enum StateDto {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

/// What a job did.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = JobReport)]
pub(crate) struct ReportDto {
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

/// Remarks that a report has at most.
const REMARKS: usize = 100;

impl From<&IngestReport> for ReportDto {
    fn from(r: &IngestReport) -> Self {
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
            known_bad: r.known_bad,
            other_files: r.other_files,
            failed: r.failed.len(),
            remarks: r
                .remarks
                .iter()
                .take(REMARKS)
                .map(|(file, remarks)| FileRemarks::new(file, remarks))
                .collect(),
            audio_s: r.audio_s,
            segments: r.segments,
            seconds: r.seconds,
        }
    }
}

impl JobDto {
    fn new(job: &Job, status: &Status) -> Self {
        Self {
            id: job.id.to_string(),
            state: match status.stage {
                Stage::Queued => StateDto::Queued,
                Stage::Running => StateDto::Running,
                Stage::Done => StateDto::Done,
                Stage::Failed => StateDto::Failed,
                Stage::Cancelled => StateDto::Cancelled,
            },
            root: job.root.clone(),
            created_at: moment(job.created_unix_s),
            started_at: status.started_unix_s.map(moment),
            finished_at: status.finished_unix_s.map(moment),
            files: status.files,
            done: status.done,
            failed: status.failed,
            bytes: status.bytes,
            bytes_done: status.bytes_done,
            audio_s: status.audio_s,
            report: status.report.as_deref().map(ReportDto::from),
            error: status.error.clone(),
        }
    }

    fn of(job: &Job) -> Self {
        Self::new(job, &job.status())
    }
}

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobPage {
    /// The version of this answer's fields.
    version: Version,
    /// The jobs.
    items: Vec<JobDto>,
    /// Where the next page begins; `null` on the last.
    next_cursor: Option<String>,
    /// Jobs on all pages.
    total: usize,
}

/// Index a folder
///
/// One job runs at a time; others wait.
#[utoipa::path(post, path = "/v1/jobs", operation_id = "startJob", tag = "jobs", request_body = JobBody,
    responses((status = 202, body = JobDto, description = "The job")))]
pub(crate) async fn start(
    State(app): State<App>,
    ApiJson(body): ApiJson<JobBody>,
) -> ApiResult<(StatusCode, Json<JobDto>)> {
    let open = app.library()?;
    let path = app.inner.roots.resolve(&body.root)?;
    let options = IngestOptions {
        prune: body.prune.into(),
        force: body.force,
        retry_failed: body.retry_failed,
        tags: check_tags(&body.tags)?,
        ..IngestOptions::default()
    };
    let within = app.inner.roots.all().iter().map(|root| root.path.clone()).collect();
    let job = open.jobs.add(Order { root: body.root, path, within, options })?;
    Ok((StatusCode::ACCEPTED, Json(JobDto::of(&job))))
}

/// Jobs
///
/// The latest first.
#[utoipa::path(get, path = "/v1/jobs", operation_id = "listJobs", tag = "jobs", params(PageQuery),
    responses((status = 200, body = JobPage, description = "A page of jobs")))]
pub(crate) async fn list(
    State(app): State<App>,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> ApiResult<Json<JobPage>> {
    let open = app.library()?;
    let jobs = open.jobs.all();
    let all = jobs.iter().map(|job| JobDto::of(job));
    let (items, next_cursor) = page.of(all, jobs.len(), app.inner.config.limits.results)?;
    Ok(Json(JobPage { version: Version, items, next_cursor, total: jobs.len() }))
}

/// A job
///
/// How far it is, and what it did.
#[utoipa::path(get, path = "/v1/jobs/{id}", operation_id = "getJob", tag = "jobs",
    params(("id" = String, Path, description = "A job's id")),
    responses((status = 200, body = JobDto, description = "The job")))]
pub(crate) async fn get(State(app): State<App>, ApiId(id): ApiId) -> ApiResult<Json<JobDto>> {
    Ok(Json(JobDto::of(app.library()?.jobs.get(id)?.as_ref())))
}

/// Cancel a job
///
/// What it has finished stays in the index.
#[utoipa::path(delete, path = "/v1/jobs/{id}", operation_id = "cancelJob", tag = "jobs",
    params(("id" = String, Path, description = "A job's id")),
    responses((status = 202, body = JobDto, description = "The job")))]
pub(crate) async fn cancel(
    State(app): State<App>,
    ApiId(id): ApiId,
) -> ApiResult<(StatusCode, Json<JobDto>)> {
    let job = app.library()?.jobs.get(id)?;
    if !job.cancel() {
        return Err(ApiError::new(crate::error::Kind::Conflict, "the job is over"));
    }
    Ok((StatusCode::ACCEPTED, Json(JobDto::of(&job))))
}

/// Watch a job
///
/// Server-sent events `progress`, then one `done`, each with the job as JSON.
#[utoipa::path(get, path = "/v1/jobs/{id}/events", operation_id = "watchJob", tag = "jobs",
    params(("id" = String, Path, description = "A job's id")),
    responses((status = 200, body = String, content_type = "text/event-stream", description = "Server-sent events")))]
pub(crate) async fn events(
    State(app): State<App>,
    ApiId(id): ApiId,
) -> ApiResult<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let job = app.library()?.jobs.get(id)?;
    let begin = (job, None::<tokio::sync::watch::Receiver<Status>>, false);
    let stream = unfold(begin, |(job, watched, was_over)| async move {
        if was_over {
            return None;
        }
        let mut watched = match watched {
            None => job.watch(),
            Some(mut watched) => {
                // Each file changes the status; nobody can look that often.
                tokio::time::sleep(LOOK).await;
                watched.changed().await.ok()?;
                watched
            }
        };
        let status = watched.borrow_and_update().clone();
        let is_over = !matches!(status.stage, Stage::Queued | Stage::Running);
        let event = Event::default().event(if is_over { "done" } else { "progress" });
        let event = event.json_data(JobDto::new(&job, &status)).unwrap_or_default();
        Some((Ok(event), (job, Some(watched), is_over)))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// Files that a job could not index
///
/// With reasons; known when the job is over.
#[utoipa::path(get, path = "/v1/jobs/{id}/failures", operation_id = "listJobFailures", tag = "jobs",
    params(("id" = String, Path, description = "A job's id"), PageQuery),
    responses((status = 200, body = FailurePage, description = "A page of failures")))]
pub(crate) async fn failures(
    State(app): State<App>,
    ApiId(id): ApiId,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> ApiResult<Json<FailurePage>> {
    let limit = page.limit(app.inner.config.limits.results)?;
    let status = app.library()?.jobs.get(id)?.status();
    let failed = status.report.as_deref().map(|report| report.failed.as_slice()).unwrap_or_default();
    let failure = |f: &earmark_engine::ingest::FailedFile| Failure {
        path: f.path.clone(),
        kind: f.kind.clone(),
        reason: f.reason.clone(),
        seen_at: None,
    };
    let all = failed.iter().map(failure).collect();
    Ok(Json(FailurePage::of(all, Some(limit), page.cursor.as_deref())?))
}

/// All files that could not be indexed
///
/// With reasons. They are not tried again until they change.
#[utoipa::path(get, path = "/v1/failures", operation_id = "listFailures", tag = "jobs", params(PageQuery),
    responses((status = 200, body = FailurePage, description = "A page of failures")))]
pub(crate) async fn all_failures(
    State(app): State<App>,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> ApiResult<Json<FailurePage>> {
    let open = app.library()?;
    let limit = page.limit(app.inner.config.limits.results)?;
    let work = move || Ok(Json(open.library.failures(Some(limit), page.cursor.as_deref())?));
    app.inner.searches.run(work).await
}

/// A folder that jobs may index.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Root)]
pub(crate) struct RootDto {
    name: String,
    path: String,
    /// Whether uploads go there.
    writable: bool,
}

/// Folders that jobs may index
///
/// Clips outside them are not read.
#[utoipa::path(get, path = "/v1/roots", operation_id = "listRoots", tag = "jobs",
    responses((status = 200, body = Vec<RootDto>, description = "All roots")))]
pub(crate) async fn roots(State(app): State<App>) -> Json<Vec<RootDto>> {
    let root = |root: &crate::roots::Root| RootDto {
        name: root.name.clone(),
        path: stored_path(&root.path),
        writable: root.writable,
    };
    Json(app.inner.roots.all().iter().map(root).collect())
}
