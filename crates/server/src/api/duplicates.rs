//! `/v1/duplicates`.

use axum::Json;
use axum::extract::State;
use earmark_library::{DuplicatesAnswer, DuplicatesRequest};

use crate::error::ApiResult;
use crate::extract::ApiJson;
use crate::state::App;

/// Clips that are the same sound, in groups
///
/// Copies, other encodings, other gain, and sounds that are cut or padded with silence; not sounds that are
/// merely alike. The files of candidates are decoded and compared; those outside the roots are compared by what
/// the index stores. At most 2000 clips are compared in one request; the filter says which. Nothing is removed.
#[utoipa::path(post, path = "/v1/duplicates", operation_id = "findDuplicates", tag = "clips",
    request_body = DuplicatesRequest,
    responses((status = 200, body = DuplicatesAnswer, description = "Groups of clips that are one sound")))]
pub(crate) async fn duplicates(
    State(app): State<App>,
    ApiJson(request): ApiJson<DuplicatesRequest>,
) -> ApiResult<Json<DuplicatesAnswer>> {
    let open = app.library()?;
    let work = move || {
        let answer = open.library.duplicates(&request)?;
        open.tell_events();
        Ok(Json(answer))
    };
    app.inner.encodes.run(work).await
}
