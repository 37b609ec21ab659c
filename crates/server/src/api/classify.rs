//! `/v1/classify` and `/v1/classify/files`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use earmark_library::{Classified, Classifier, ClassifyAnswer, ClassifyRequest, Error, Files, Kind};
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult};
use crate::extract::ApiJson;
use crate::state::{App, Open};
use crate::uploads::{Uploads, WithFiles};

/// Label clips of the index with any words
///
/// Clips are named by `clip_ids` or chosen by `filter`; their stored vectors are compared, and nothing is
/// decoded.
#[utoipa::path(post, path = "/v1/classify", operation_id = "classifyClips", tag = "label",
    request_body = ClassifyRequest,
    responses((status = 200, body = ClassifyAnswer, description = "What was heard in each clip")))]
pub(crate) async fn classify(
    State(app): State<App>,
    ApiJson(request): ApiJson<ClassifyRequest>,
) -> ApiResult<Json<ClassifyAnswer>> {
    answer(&app, request, Uploads::default()).await
}

/// Sound files, and the labels.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
pub(crate) struct ClassifyForm {
    request: ClassifyRequest,
    /// Sound files.
    #[schema(value_type = Vec<String>, format = Binary)]
    files: Vec<Vec<u8>>,
}

/// Label sound files with any words
///
/// A file that cannot be used has its error in its place, unless it is the only one.
#[utoipa::path(post, path = "/v1/classify/files", operation_id = "classifyFiles", tag = "label",
    request_body(content = ClassifyForm, content_type = "multipart/form-data"),
    responses((status = 200, body = ClassifyAnswer, description = "What was heard in each file")))]
pub(crate) async fn classify_files(
    State(app): State<App>,
    WithFiles { request, files }: WithFiles<ClassifyRequest>,
) -> ApiResult<Json<ClassifyAnswer>> {
    answer(&app, request, files).await
}

async fn answer(app: &App, request: ClassifyRequest, files: Uploads) -> ApiResult<Json<ClassifyAnswer>> {
    let open = app.library()?;
    if request.clip_ids.is_empty() && request.filter.is_none() && files.is_empty() {
        return Err(ApiError::field("clip_ids", "nothing to label; give ids of clips, a filter, or files"));
    }
    files.check_names(&request.files)?;
    let (encoding, wanted) = (Arc::clone(&open), request.clone());
    let classifier = app.inner.encodes.run(move || Ok(encoding.library.classifier(&wanted)?)).await?;
    let mut results = clips(app, &open, &classifier, request).await?;
    let only = files.len() == 1 && results.is_empty();
    for (name, source, permit) in files.into_sources() {
        let classifier = classifier.clone();
        let work = move || {
            let classified = classifier.sound(source);
            drop(permit);
            Ok(classified)
        };
        // One file at a time, so that others get their turn.
        match app.inner.encodes.run(work).await? {
            Ok(classified) => results.push(classified),
            // Of several sounds a bad one has its error in its place.
            Err(e) if !only && e.kind() == Kind::Undecodable => results.push(Classifier::refused(name, &e)),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(Json(classifier.answer(results)))
}

async fn clips(
    app: &App,
    open: &Arc<Open>,
    classifier: &Classifier,
    request: ClassifyRequest,
) -> ApiResult<Vec<Classified>> {
    let (open, classifier) = (Arc::clone(open), classifier.clone());
    let request = ClassifyRequest { files: Vec::new(), ..request };
    let work = move || {
        let mut results = Vec::new();
        let mut each = |classified| {
            results.push(classified);
            true
        };
        open.library.classify_with(&classifier, &request, Files::default(), &mut each)?;
        Ok::<_, Error>(results)
    };
    app.inner.searches.run(move || Ok(work()?)).await
}
