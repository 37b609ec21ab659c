//! `/v1/stats`

use axum::Json;
use axum::extract::State;
use earmark_index::IndexReader as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::dto::moment;
use crate::error::{ApiResult, Problem};
use crate::state::App;

/// The library in numbers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stats)]
pub(crate) struct StatsDto {
    clips: usize,
    segments: usize,
    /// All clips together, seconds.
    duration_s: f64,
    /// Size of the sound files, bytes.
    bytes: u64,
    /// Size of the index, bytes.
    disk_bytes: u64,
    /// Files that could not be indexed.
    failures: usize,
    model: String,
    /// Length of a vector.
    dim: usize,
    /// Score below which hits are left out unless a request says otherwise.
    min_score: f32,
    /// Whether probabilities were calibrated for the model.
    calibrated: bool,
    /// The tagger's name, where there is one.
    tagger: Option<String>,
    #[schema(format = "date-time")]
    created_at: String,
    /// Whether searches may walk a graph.
    graph: bool,
    /// Version of the program.
    version: &'static str,
}

/// The library in numbers
#[utoipa::path(get, path = "/v1/stats", operation_id = "getStats", tag = "server",
    responses((status = 200, body = StatsDto), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn stats(State(app): State<App>) -> ApiResult<Json<StatsDto>> {
    let open = app.library()?;
    let work = move || {
        let index = open.index();
        let stats = index.stats()?;
        let (header, manifest) = (index.header(), open.engine.model().manifest());
        Ok(Json(StatsDto {
            clips: stats.clips,
            segments: stats.segments,
            duration_s: stats.duration_s,
            bytes: stats.file_bytes,
            disk_bytes: stats.disk_bytes,
            failures: stats.failures,
            model: header.identity.model_id.clone(),
            dim: header.identity.dim,
            min_score: manifest.scores.min_similarity,
            calibrated: manifest.scores.calibrated,
            tagger: open.tagger.as_ref().map(|tagger| tagger.model().manifest().id.clone()),
            created_at: moment(header.created_unix_s),
            graph: stats.graph_rows() > 0,
            version: env!("CARGO_PKG_VERSION"),
        }))
    };
    app.inner.searches.run(work).await
}
