//! `/v1/jobs`, `/v1/failures`, `/v1/roots`

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use earmark_engine::ingest::{IngestOptions, Prune};
use earmark_index::stored_path;
use earmark_library::{FailurePage, Version, check_tags};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult};
use crate::extract::{ApiId, ApiJson, ApiQuery};
use crate::jobs::{JobRecord, Order};
use crate::paging::PageQuery;
use crate::state::{App, Open};

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

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobPage {
    /// The version of this answer's fields.
    version: Version,
    /// The jobs.
    items: Vec<JobRecord>,
    /// Where the next page begins; `null` on the last.
    next_cursor: Option<String>,
    /// Jobs on all pages.
    total: usize,
}

/// Index a folder
///
/// One job runs at a time; others wait.
#[utoipa::path(post, path = "/v1/jobs", operation_id = "startJob", tag = "jobs", request_body = JobBody,
    responses((status = 202, body = JobRecord, description = "The job")))]
pub(crate) async fn start(
    State(app): State<App>,
    ApiJson(body): ApiJson<JobBody>,
) -> ApiResult<(StatusCode, Json<JobRecord>)> {
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
    let order = Order { root: body.root, path, within, options };
    let work = move || Ok((StatusCode::ACCEPTED, Json(open.jobs.add(order)?)));
    app.inner.searches.run(work).await
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
    let jobs = app.inner.searches.run(move || open.jobs.all()).await?;
    let total = jobs.len();
    let (items, next_cursor) = page.of(jobs, total, app.inner.config.limits.results)?;
    Ok(Json(JobPage { version: Version, items, next_cursor, total }))
}

/// A job
///
/// How far it is, and what it did.
#[utoipa::path(get, path = "/v1/jobs/{id}", operation_id = "getJob", tag = "jobs",
    params(("id" = String, Path, description = "A job's id")),
    responses((status = 200, body = JobRecord, description = "The job")))]
pub(crate) async fn get(State(app): State<App>, ApiId(id): ApiId) -> ApiResult<Json<JobRecord>> {
    let open = app.library()?;
    app.inner.searches.run(move || Ok(Json(open.jobs.get(id)?))).await
}

/// Cancel a job
///
/// What it has finished stays in the index.
#[utoipa::path(delete, path = "/v1/jobs/{id}", operation_id = "cancelJob", tag = "jobs",
    params(("id" = String, Path, description = "A job's id")),
    responses((status = 202, body = JobRecord, description = "The job")))]
pub(crate) async fn cancel(
    State(app): State<App>,
    ApiId(id): ApiId,
) -> ApiResult<(StatusCode, Json<JobRecord>)> {
    let open = app.library()?;
    let work = move || Ok((StatusCode::ACCEPTED, Json(open.jobs.cancel(id)?)));
    app.inner.searches.run(work).await
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
    let open = app.library()?;
    let first = look(Arc::clone(&open), id).await?;
    let stream = unfold((open, Some(first), None), move |(open, mut next, last)| async move {
        if last.as_ref().is_some_and(JobRecord::is_over) {
            return None;
        }
        while next.is_none() || next == last {
            tokio::time::sleep(open.jobs.look_again_in(id)?).await;
            next = match look(Arc::clone(&open), id).await {
                Err(e) if e.is_not_found() => return None,
                // The database may be back at the next look.
                looked => looked.ok(),
            };
        }
        let record = next?;
        let event = Event::default().event(if record.is_over() { "done" } else { "progress" });
        let event = event.json_data(&record).unwrap_or_default();
        Some((Ok(event), (open, None, Some(record))))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// A job as it is now.
async fn look(open: Arc<Open>, id: u64) -> ApiResult<JobRecord> {
    tokio::task::spawn_blocking(move || open.jobs.get(id)).await.map_err(ApiError::internal)?
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
    let open = app.library()?;
    let failures = app.inner.searches.run(move || open.jobs.failures(id)).await?;
    Ok(Json(FailurePage::of(failures, Some(limit), page.cursor.as_deref())?))
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
