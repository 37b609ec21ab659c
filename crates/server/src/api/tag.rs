//! `/v1/tag` and `/v1/tag/files`.

use axum::Json;
use axum::extract::State;
use earmark_library::{Library, TagAnswer, TagRequest};
use utoipa::ToSchema;

use crate::error::ApiResult;
use crate::extract::ApiJson;
use crate::state::App;
use crate::uploads::{Uploads, WithFiles, in_turn};

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
    let one = request.clone();
    let work = move |library: &Library, clip_ids, files| {
        let request = TagRequest { clip_ids, files: Vec::new(), ..one.clone() };
        Ok(library.tag(&request, files)?.results)
    };
    let sounds = (request.clip_ids.as_slice(), request.files.as_slice(), files);
    let results = in_turn(app, &open, sounds, work, |result| result.error.as_ref()).await?;
    Ok(Json(open.library.tag_answer(results)?))
}
