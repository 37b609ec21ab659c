//! `/v1/labelsets`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use earmark_library::{LabelSetContent, NamedLabelSet, Version};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiResult;
use crate::extract::{ApiJson, ApiName, ApiQuery};
use crate::paging::PageQuery;
use crate::state::App;

/// A page of label sets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LabelSetPage {
    /// The version of this answer's fields.
    version: Version,
    /// The label sets.
    items: Vec<NamedLabelSet>,
    /// Where the next page begins; `null` on the last.
    next_cursor: Option<String>,
    /// Label sets on all pages.
    total: usize,
}

/// Saved label sets
///
/// By name. Sets that were fitted or adapted say with which model and how well they did.
#[utoipa::path(get, path = "/v1/labelsets", operation_id = "listLabelSets", tag = "label", params(PageQuery),
    responses((status = 200, body = LabelSetPage, description = "A page of label sets")))]
pub(crate) async fn list(
    State(app): State<App>,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> ApiResult<Json<LabelSetPage>> {
    let most = app.inner.config.limits.results;
    let open = app.library()?;
    let work = move || {
        let all = open.library.all_label_sets()?;
        let total = all.len();
        let (items, next_cursor) = page.of(all, total, most)?;
        Ok(Json(LabelSetPage { version: Version, items, next_cursor, total }))
    };
    app.inner.searches.run(work).await
}

/// A saved label set
///
/// With its labels and templates, and what was learned for it.
#[utoipa::path(get, path = "/v1/labelsets/{name}", operation_id = "getLabelSet", tag = "label",
    params(("name" = String, Path, description = "The set's name")),
    responses((status = 200, body = NamedLabelSet, description = "The label set")))]
pub(crate) async fn get(State(app): State<App>, ApiName(name): ApiName) -> ApiResult<Json<NamedLabelSet>> {
    let open = app.library()?;
    let work = move || {
        let set = open.library.label_sets().get(&name)?;
        Ok(Json(NamedLabelSet::new(name, set)))
    };
    app.inner.searches.run(work).await
}

/// Save a label set of words
///
/// Replaces a set of that name; what was fitted or adapted for it is gone then.
#[utoipa::path(put, path = "/v1/labelsets/{name}", operation_id = "putLabelSet", tag = "label",
    params(("name" = String, Path, description = "1 to 100 characters without slashes")),
    request_body = LabelSetContent,
    responses((status = 200, body = NamedLabelSet, description = "Replaced"),
        (status = 201, body = NamedLabelSet, description = "New")))]
pub(crate) async fn put(
    State(app): State<App>,
    ApiName(name): ApiName,
    ApiJson(set): ApiJson<LabelSetContent>,
) -> ApiResult<(StatusCode, Json<NamedLabelSet>)> {
    let open = app.library()?;
    let work = move || {
        let (is_new, set) = open.library.put_label_set(&name, set)?;
        Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(set)))
    };
    app.inner.searches.run(work).await
}

/// Delete a saved label set
///
/// And what was fitted or adapted for it.
#[utoipa::path(delete, path = "/v1/labelsets/{name}", operation_id = "deleteLabelSet", tag = "label",
    params(("name" = String, Path, description = "The set's name")),
    responses((status = 204, description = "It is gone")))]
pub(crate) async fn delete(State(app): State<App>, ApiName(name): ApiName) -> ApiResult<StatusCode> {
    let open = app.library()?;
    let work = move || Ok(open.library.label_sets().delete(&name).map(|()| StatusCode::NO_CONTENT)?);
    app.inner.searches.run(work).await
}
