//! `/v1/info`

use axum::Json;
use axum::extract::State;
use earmark_library::Info;

use crate::error::ApiResult;
use crate::state::App;

/// The library in numbers
///
/// What is in the index, which model made its vectors, and which graphs it has.
#[utoipa::path(get, path = "/v1/info", operation_id = "getInfo", tag = "server",
    responses((status = 200, body = Info, description = "The library in numbers")))]
pub(crate) async fn info(State(app): State<App>) -> ApiResult<Json<Info>> {
    let open = app.library()?;
    app.inner.searches.run(move || Ok(Json(open.library.info()?))).await
}
