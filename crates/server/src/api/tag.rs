//! `/v1/tag` and `/v1/tag/files`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use earmark_library::{TagAnswer, TagRequest};
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult, Kind};
use crate::extract::ApiJson;
use crate::state::App;
use crate::uploads::{Uploads, WithFiles, one_by_one};

/// Tag clips of the index with the tagger's own classes
///
/// The files of the clips are decoded.
#[utoipa::path(post, path = "/v1/tag", operation_id = "tagClips", tag = "label", request_body = TagRequest,
    responses((status = 200, body = TagAnswer, description = "What is heard in each clip")))]
pub(crate) async fn tag(
    State(app): State<App>,
    ApiJson(request): ApiJson<TagRequest>,
) -> ApiResult<Json<TagAnswer>> {
    answer(&app, request, Uploads::default()).await
}

/// Sound files, and how to tag them.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
pub(crate) struct TagForm {
    #[schema(required = false)]
    request: TagRequest,
    /// Sound files.
    #[schema(value_type = Vec<String>, format = Binary)]
    files: Vec<Vec<u8>>,
}

/// Tag sound files with the tagger's own classes
///
/// A file that cannot be used has its error in its place, unless it is the only one.
#[utoipa::path(post, path = "/v1/tag/files", operation_id = "tagFiles", tag = "label",
    request_body(content = TagForm, content_type = "multipart/form-data"),
    responses((status = 200, body = TagAnswer, description = "What is heard in each file")))]
pub(crate) async fn tag_files(
    State(app): State<App>,
    WithFiles { request, files }: WithFiles<TagRequest>,
) -> ApiResult<Json<TagAnswer>> {
    answer(&app, request, files).await
}

async fn answer(app: &App, request: TagRequest, files: Uploads) -> ApiResult<Json<TagAnswer>> {
    let open = app.library()?;
    files.check_names(&request.files)?;
    let sounds = request.clip_ids.len() + files.len();
    earmark_library::bounded("clip_ids", sounds, 1, open.library.limits().tagged)?;
    let mut results = Vec::with_capacity(sounds);
    for one in one_by_one(&request.clip_ids, files) {
        let request = TagRequest { clip_ids: one.clip_ids, files: Vec::new(), ..request.clone() };
        let (open, files, permit) = (Arc::clone(&open), one.files, one.permit);
        let work = move || {
            let answer = open.library.tag(&request, files)?;
            drop(permit);
            Ok(answer)
        };
        results.extend(app.inner.encodes.run(work).await?.results);
    }
    if let [only] = results.as_slice()
        && let Some(error) = &only.error
    {
        return Err(ApiError::new(Kind::of_name(&error.kind), error.detail.clone()));
    }
    Ok(Json(open.library.tag_answer(results)?))
}
