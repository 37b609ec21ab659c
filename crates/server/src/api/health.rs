//! `/healthz`, `/readyz`, `/metrics`

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::error::{ApiError, ApiResult};
use crate::state::App;

/// Whether the process is alive
///
/// For supervisors; says nothing of the library.
#[utoipa::path(get, path = "/healthz", operation_id = "getHealth", tag = "server",
    responses((status = 200, body = String, content_type = "text/plain", description = "`ok`")))]
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// Whether requests will be answered
///
/// The library is open and can be written.
#[utoipa::path(get, path = "/readyz", operation_id = "getReadiness", tag = "server",
    responses((status = 200, body = String, content_type = "text/plain", description = "`ok`")))]
pub(crate) async fn ready(State(app): State<App>) -> ApiResult<&'static str> {
    let open = app.library()?;
    let checked =
        tokio::task::spawn_blocking(move || open.library.live().and_then(|live| Ok(live.check_writable()?)))
            .await;
    checked.map_err(ApiError::internal)?.map_err(|e| match ApiError::from(e) {
        e if e.is_unavailable() => e,
        _ => ApiError::unavailable("the index cannot be written; the server's log says why"),
    })?;
    Ok("ready\n")
}

/// Numbers for Prometheus
///
/// Requests by route and status, their times, and how much waits.
#[utoipa::path(get, path = "/metrics", operation_id = "getMetrics", tag = "server",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(crate) async fn metrics(State(app): State<App>) -> ApiResult<Response> {
    let metrics = &app.inner.metrics;
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    metrics.waiting_encodes.set(number(app.inner.encodes.load()));
    metrics.waiting_searches.set(number(app.inner.searches.load()));
    if let Ok(open) = app.library() {
        metrics.jobs.set(number(open.jobs.unfinished()));
        let stats = app.inner.searches.run(move || Ok(open.index()?.stats()?)).await?;
        metrics.clips.set(number(stats.clips));
        metrics.segments.set(number(stats.segments));
    }
    let text = metrics.text().map_err(ApiError::internal)?;
    let mime = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, mime)], text).into_response())
}
