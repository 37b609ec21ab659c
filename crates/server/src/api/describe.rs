//! `/v1/describe` and `/v1/describe/files`.

use axum::Json;
use axum::extract::State;
use earmark_library::{DescribeAnswer, DescribeRequest, Library};
use utoipa::ToSchema;

use crate::error::ApiResult;
use crate::extract::ApiJson;
use crate::state::App;
use crate::uploads::{Uploads, WithFiles, in_turn};

/// Describe clips of the index in a sentence and a few facts
///
/// How long and how loud each is, where it is silent, what is heard when, how much of it is speech and music.
/// The files of the clips are decoded.
#[utoipa::path(post, path = "/v1/describe", operation_id = "describeClips", tag = "label",
    request_body = DescribeRequest,
    responses((status = 200, body = DescribeAnswer, description = "An account of each clip")))]
pub(crate) async fn describe(
    State(app): State<App>,
    ApiJson(request): ApiJson<DescribeRequest>,
) -> ApiResult<Json<DescribeAnswer>> {
    answer(&app, request, Uploads::default()).await
}

/// Sound files, and how to describe them.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
pub(crate) struct DescribeForm {
    #[schema(required = false)]
    request: DescribeRequest,
    /// Sound files.
    #[schema(value_type = Vec<String>, format = Binary)]
    files: Vec<Vec<u8>>,
}

/// Describe sound files in a sentence and a few facts
///
/// As `describeClips`. A file that cannot be used has its error in its place, unless it is the only one.
#[utoipa::path(post, path = "/v1/describe/files", operation_id = "describeFiles", tag = "label",
    request_body(content = DescribeForm, content_type = "multipart/form-data"),
    responses((status = 200, body = DescribeAnswer, description = "An account of each file")))]
pub(crate) async fn describe_files(
    State(app): State<App>,
    WithFiles { request, files }: WithFiles<DescribeRequest>,
) -> ApiResult<Json<DescribeAnswer>> {
    answer(&app, request, files).await
}

async fn answer(app: &App, request: DescribeRequest, files: Uploads) -> ApiResult<Json<DescribeAnswer>> {
    let open = app.library()?;
    let one = request.clone();
    let work = move |library: &Library, clip_ids, files| {
        let request = DescribeRequest { clip_ids, files: Vec::new(), ..one.clone() };
        Ok(library.describe(&request, files)?.results)
    };
    let sounds = (request.clip_ids.as_slice(), request.files.as_slice(), files);
    let results = in_turn(app, &open, sounds, work, |result| result.error.as_ref()).await?;
    Ok(Json(open.library.describe_answer(results)?))
}
