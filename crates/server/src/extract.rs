//! Extractors whose refusals are problem documents that name the field.

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header;
use axum::http::request::Parts;
use earmark_library::Filter;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::Schema;

use crate::error::{ApiError, ApiResult, Kind};
use crate::state::App;
use crate::uploads::too_large;

/// A JSON body.
pub(crate) struct ApiJson<T>(pub(crate) T);

/// Most bytes of JSON, as a body or a part of one: texts and ids are short, and what they are read into is several
/// times as large.
pub(crate) const JSON_BYTES: usize = 1 << 20;

impl<T: DeserializeOwned> FromRequest<App> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let mime = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if mime != "application/json" && !(mime.starts_with("application/") && mime.ends_with("+json")) {
            let detail = format!("expected application/json, got `{kind}`");
            return Err(ApiError::new(Kind::UnsupportedMediaType, detail));
        }
        let limit =
            usize::try_from(app.inner.config.limits.upload_bytes).unwrap_or(usize::MAX).min(JSON_BYTES);
        let bytes = to_bytes(request.into_body(), limit).await.map_err(|e| {
            if format!("{e:?}").contains("LengthLimit") {
                too_large("JSON", limit as u64)
            } else {
                ApiError::field("body", e.to_string())
            }
        })?;
        Ok(Self(from_json(&bytes)?))
    }
}

/// Reads JSON; an error names the field by its path.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        let field = if path == "." { "body".to_owned() } else { path };
        ApiError::field(field, e.into_inner().to_string())
    })?;
    json.end().map_err(|e| ApiError::field("body", e.to_string()))?;
    Ok(value)
}

/// The query string.
pub(crate) struct ApiQuery<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        match axum_extra::extract::Query::<T>::from_request_parts(parts, app).await {
            Ok(axum_extra::extract::Query(value)) => Ok(Self(value)),
            Err(e) => Err(ApiError::field("query string", e.body_text())),
        }
    }
}

/// The conditions of a filter in the query string; other parameters are another extractor's.
pub(crate) struct FilterQuery(pub(crate) Filter);

impl FromRequestParts<App> for FilterQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let ApiQuery(pairs) = ApiQuery::<Vec<(String, String)>>::from_request_parts(parts, app).await?;
        let mut conditions = serde_json::Map::new();
        for parameter in Filter::into_params(|| Some(ParameterIn::Query)) {
            let mut values = pairs.iter().filter(|(name, _)| *name == parameter.name).map(|(_, value)| value);
            let is_list = matches!(parameter.schema, Some(RefOr::T(Schema::Array(_))));
            let value = if is_list {
                let values: Vec<Value> = values.map(|value| Value::from(value.as_str())).collect();
                (!values.is_empty()).then_some(Value::Array(values))
            } else {
                values.next_back().map(|value| Value::from(value.as_str()))
            };
            conditions.extend(value.map(|value| (parameter.name, value)));
        }
        let filter = serde_path_to_error::deserialize(Value::Object(conditions));
        filter.map(Self).map_err(|e| ApiError::field(e.path().to_string(), e.into_inner().to_string()))
    }
}

/// A part of the path that is a number.
pub(crate) struct ApiId(pub(crate) u64);

impl FromRequestParts<App> for ApiId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let name = ApiName::from_request_parts(parts, app).await?.0;
        // An id that cannot be one names nothing.
        name.parse()
            .map(Self)
            .map_err(|_| ApiError::new(Kind::NotFound, format!("there is nothing with id `{name}`")))
    }
}

/// A part of the path.
pub(crate) struct ApiName(pub(crate) String);

impl FromRequestParts<App> for ApiName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let Path(name) = Path::<String>::from_request_parts(parts, app)
            .await
            .map_err(|e| ApiError::field("path", e.body_text()))?;
        Ok(Self(name))
    }
}
