//! `/v1/events` and `/v1/events/file`.

use axum::Json;
use axum::extract::State;
use earmark_library::{EventsAnswer, EventsRequest};
use utoipa::ToSchema;

use crate::error::ApiResult;
use crate::extract::ApiJson;
use crate::state::App;
use crate::uploads::{Uploads, WithFiles};

/// Find when something is heard in a clip of the index
///
/// The clip's file is decoded. Settings that are left out are the model's own: see `events` in `listModels`.
#[utoipa::path(post, path = "/v1/events", operation_id = "findEvents", tag = "label",
    request_body = EventsRequest,
    responses((status = 200, body = EventsAnswer, description = "What is heard when")))]
pub(crate) async fn events(
    State(app): State<App>,
    ApiJson(request): ApiJson<EventsRequest>,
) -> ApiResult<Json<EventsAnswer>> {
    answer(&app, request, Uploads::default()).await
}

/// A sound file, and what to listen for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
pub(crate) struct EventsForm {
    request: EventsRequest,
    /// The sound file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Find when something is heard in a sound file
///
/// As `findEvents`, for one uploaded file.
#[utoipa::path(post, path = "/v1/events/file", operation_id = "findEventsInFile", tag = "label",
    request_body(content = EventsForm, content_type = "multipart/form-data"),
    responses((status = 200, body = EventsAnswer, description = "What is heard when")))]
pub(crate) async fn events_in_file(
    State(app): State<App>,
    WithFiles { request, files }: WithFiles<EventsRequest>,
) -> ApiResult<Json<EventsAnswer>> {
    answer(&app, request, files).await
}

async fn answer(app: &App, request: EventsRequest, files: Uploads) -> ApiResult<Json<EventsAnswer>> {
    let open = app.library()?;
    let (files, permits) = files.into_files();
    let work = move || {
        let answer = open.library.events(&request, files)?;
        drop(permits);
        Ok(Json(answer))
    };
    app.inner.encodes.run(work).await
}
