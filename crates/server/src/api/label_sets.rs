//! `/v1/labelsets`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use earmark_engine::label_sets::{SavedSet, check_name};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::labels::check;
use crate::dto::{PageQuery, cursor};
use crate::error::{ApiError, ApiResult, Problem};
use crate::extract::{ApiJson, ApiName, ApiQuery};
use crate::label_sets::{LabelSetContent, LabelSetDto};
use crate::state::App;

/// A page of label sets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LabelSetPage {
    items: Vec<LabelSetDto>,
    next_cursor: Option<String>,
    total: usize,
}

/// Saved label sets, by name
#[utoipa::path(get, path = "/v1/labelsets", operation_id = "listLabelSets", tag = "label", params(PageQuery),
    responses((status = 200, body = LabelSetPage), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(app): State<App>,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> ApiResult<Json<LabelSetPage>> {
    let (limit, offset) = (page.limit(app.inner.config.limits.results)?, page.offset()?);
    let open = app.library()?;
    let work = move || {
        let all = open.label_sets.all()?;
        let total = all.len();
        let items: Vec<LabelSetDto> =
            all.into_iter().skip(offset).take(limit).map(|(name, set)| LabelSetDto::new(name, set)).collect();
        let next = offset.saturating_add(items.len());
        Ok(Json(LabelSetPage { next_cursor: (next < total).then(|| cursor(next)), items, total }))
    };
    app.inner.searches.run(work).await
}

/// A saved label set
#[utoipa::path(get, path = "/v1/labelsets/{name}", operation_id = "getLabelSet", tag = "label", params(("name" = String, Path,)),
    responses((status = 200, body = LabelSetDto), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(State(app): State<App>, ApiName(name): ApiName) -> ApiResult<Json<LabelSetDto>> {
    let open = app.library()?;
    let work = move || {
        let set = open.label_sets.get(&name)?;
        Ok(Json(LabelSetDto::new(name, set)))
    };
    app.inner.searches.run(work).await
}

/// Save a label set of words, or replace one; what was fitted or adapted for it is gone then
#[utoipa::path(put, path = "/v1/labelsets/{name}", operation_id = "putLabelSet", tag = "label",
    params(("name" = String, Path, description = "1 to 100 characters without slashes")), request_body = LabelSetContent,
    responses((status = 200, body = LabelSetDto, description = "Replaced"), (status = 201, body = LabelSetDto, description = "New"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn put(
    State(app): State<App>,
    ApiName(name): ApiName,
    ApiJson(set): ApiJson<LabelSetContent>,
) -> ApiResult<(StatusCode, Json<LabelSetDto>)> {
    check_name(&name).map_err(|e| ApiError::field("name", e.to_string()))?;
    let set = SavedSet::from(set);
    check(&app, &set)?;
    let open = app.library()?;
    let work = move || {
        let is_new = open.label_sets.put(&name, set.clone())?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, Json(LabelSetDto::new(name, set))))
    };
    app.inner.searches.run(work).await
}

/// Delete a saved label set
#[utoipa::path(delete, path = "/v1/labelsets/{name}", operation_id = "deleteLabelSet", tag = "label", params(("name" = String, Path,)),
    responses((status = 204, description = "It is gone"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn delete(State(app): State<App>, ApiName(name): ApiName) -> ApiResult<StatusCode> {
    let open = app.library()?;
    let work = move || Ok(open.label_sets.delete(&name).map(|()| StatusCode::NO_CONTENT)?);
    app.inner.searches.run(work).await
}
