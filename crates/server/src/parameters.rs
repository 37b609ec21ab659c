//! Query parameters that an operation does not have are refused: one that is misspelt would else be left out, and the
//! answer be another than the one asked for.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::Response;
use axum_extra::extract::Query;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};

use crate::error::{ApiError, ApiResult};

/// The query parameters of each operation, by method and path, as the OpenAPI document has them.
pub(crate) struct Parameters(HashMap<(Method, String), Vec<String>>);

impl Parameters {
    pub(crate) fn of(document: &OpenApi) -> Arc<Self> {
        let mut known = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                let parameters = operation.parameters.iter().flatten();
                let in_query = parameters.filter(|p| p.parameter_in == ParameterIn::Query);
                known.insert((method, path.clone()), in_query.map(|p| p.name.clone()).collect());
            }
        }
        Arc::new(Self(known))
    }

    fn check(&self, method: &Method, path: &str, uri: &Uri) -> ApiResult<()> {
        let method = if *method == Method::HEAD { Method::GET } else { method.clone() };
        let Some(known) = self.0.get(&(method, path.to_owned())) else { return Ok(()) };
        // What is no query string at all is for the handler to refuse.
        let Ok(Query(given)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else { return Ok(()) };
        let Some((unknown, _)) = given.into_iter().find(|(name, _)| !known.contains(name)) else {
            return Ok(());
        };
        let there = match known.as_slice() {
            [] => "this operation has none".to_owned(),
            known => format!("there are: {}", known.join(", ")),
        };
        Err(ApiError::field(unknown, format!("unknown query parameter; {there}")))
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let each = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    each.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

/// The layer.
pub(crate) async fn known_parameters(
    State(known): State<Arc<Parameters>>,
    request: Request,
    next: Next,
) -> ApiResult<Response> {
    if let Some(route) = request.extensions().get::<MatchedPath>() {
        known.check(request.method(), route.as_str(), request.uri())?;
    }
    Ok(next.run(request).await)
}
