//! `/v1/search`, `/v1/search/files` and `/v1/clips/{id}/similar`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use earmark_library::{Files, Filter, QueryPart, SearchAnswer, SearchRequest, number};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiResult;
use crate::extract::{ApiId, ApiJson, ApiQuery, FilterQuery};
use crate::state::{App, Open};
use crate::uploads::{Uploads, WithFiles};

/// Search by words, by clips of the index, by both
///
/// The query is the weighted sum of its parts; a negative weight keeps away from a part. Hits are ordered by
/// cosine.
#[utoipa::path(post, path = "/v1/search", operation_id = "searchSounds", tag = "search",
    request_body = SearchRequest, responses((status = 200, body = SearchAnswer, description = "What was found")))]
pub(crate) async fn search(
    State(app): State<App>,
    ApiJson(request): ApiJson<SearchRequest>,
) -> ApiResult<Json<SearchAnswer>> {
    answer(&app, request, Uploads::default()).await
}

/// Sound files, and the request that names them.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
pub(crate) struct SearchForm {
    request: SearchRequest,
    /// Sound files; parts of the query name them by their file names.
    #[schema(value_type = Vec<String>, format = Binary)]
    files: Vec<Vec<u8>>,
}

/// Search by sound files, alone or with words and clips
///
/// As `searchSounds`; a part of the query names an uploaded file in `file`.
#[utoipa::path(post, path = "/v1/search/files", operation_id = "searchByFiles", tag = "search",
    request_body(content = SearchForm, content_type = "multipart/form-data"),
    responses((status = 200, body = SearchAnswer, description = "What was found")))]
pub(crate) async fn search_by_files(
    State(app): State<App>,
    WithFiles { request, files }: WithFiles<SearchRequest>,
) -> ApiResult<Json<SearchAnswer>> {
    answer(&app, request, files).await
}

/// Encodes the query where there is room for that, then searches.
async fn answer(app: &App, request: SearchRequest, files: Uploads) -> ApiResult<Json<SearchAnswer>> {
    let open = app.library()?;
    let gate = if request.decodes() { &app.inner.encodes } else { &app.inner.texts };
    let (encoding, (files, permits)) = (Arc::clone(&open), files.into_files());
    let encode = move || {
        let query = encoding.library.query(&request, files)?;
        drop(permits);
        Ok((request, query))
    };
    let (request, query) = gate.run(encode).await?;
    find(app, open, request, query).await
}

async fn find(
    app: &App,
    open: Arc<Open>,
    request: SearchRequest,
    query: earmark_library::Query,
) -> ApiResult<Json<SearchAnswer>> {
    let work = move || {
        let answer = open.library.find(&request, &query)?;
        open.tell_events();
        Ok(Json(answer))
    };
    app.inner.searches.run(work).await
}

/// Which stretch, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct SimilarQuery {
    /// Hits.
    #[param(minimum = 1, maximum = 500, default = 10)]
    k: usize,
    /// Where the stretch begins, seconds.
    #[serde(deserialize_with = "number")]
    start_s: Option<f64>,
    /// Where the stretch ends, seconds.
    #[serde(deserialize_with = "number")]
    end_s: Option<f64>,
    /// Name the sound classes that each hit shares with the clip.
    explain: bool,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Default for SimilarQuery {
    fn default() -> Self {
        Self { k: SearchRequest::default().k, start_s: None, end_s: None, explain: false, cursor: None }
    }
}

/// Find clips like this one
///
/// The clip itself is left out. A stretch of it can be given, which is decoded if the file can be read.
#[utoipa::path(get, path = "/v1/clips/{id}/similar", operation_id = "findSimilar", tag = "search",
    params(("id" = String, Path, description = "A clip's id"), SimilarQuery, Filter),
    responses((status = 200, body = SearchAnswer, description = "What was found")))]
pub(crate) async fn similar(
    State(app): State<App>,
    ApiId(id): ApiId,
    ApiQuery(query): ApiQuery<SimilarQuery>,
    FilterQuery(filter): FilterQuery,
) -> ApiResult<Json<SearchAnswer>> {
    let SimilarQuery { k, start_s, end_s, explain, cursor } = query;
    let request = SearchRequest {
        query: vec![QueryPart { start_s, end_s, ..QueryPart::clip(id.to_string()) }],
        exclude: vec![id.to_string()],
        min_score: Some(None),
        filter,
        k,
        explain,
        cursor,
        ..SearchRequest::default()
    };
    let open = app.library()?;
    let gate = if request.decodes() { &app.inner.encodes } else { &app.inner.searches };
    let encoding = Arc::clone(&open);
    let encode = move || {
        // 404 for a clip that is not there, whatever else is wrong.
        encoding.library.find_clip(id)?;
        let query = encoding.library.query(&request, Files::default())?;
        Ok((request, query))
    };
    let (request, query) = gate.run(encode).await?;
    find(&app, open, request, query).await
}
