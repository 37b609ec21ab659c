//! `/v1/events`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use earmark_engine::Source;
use earmark_engine::events::{EventOptions, find_events, listen};
use earmark_index::IndexReader as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::labels;
use crate::api::search::clip_id;
use crate::dto::KnownTextDto;
use crate::error::{ApiError, ApiResult, Problem};
use crate::label_sets::LabelDto;
use crate::state::App;
use crate::uploads::WithFiles;

/// Scores that one request may compute, labels times windows: some seconds of work.
const SCORES: usize = 4_000_000;

/// Numbers in the tracks of one answer.
const TRACK_NUMBERS: usize = 2_000_000;

/// Where to listen, and for what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventsRequest)]
pub(crate) struct EventsBody {
    /// A clip of the index; or one file in a multipart request.
    #[serde(default)]
    clip_id: Option<String>,
    /// Either this or `label_set`.
    #[serde(default)]
    labels: Option<Vec<LabelDto>>,
    /// The name of a saved set.
    #[serde(default)]
    label_set: Option<String>,
    /// Sentences with `{}` where the label goes.
    #[serde(default)]
    templates: Vec<String>,
    /// Probability at which an event begins. If none is given, 0.5, or each label's own in a set that was fitted.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    threshold: Option<f32>,
    /// Probability below which it ends; at most `threshold`. As all settings that are not given, the model's
    /// own: see `events` in `/v1/models`.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    release: Option<f32>,
    /// Seconds between looks.
    #[serde(default)]
    #[schema(minimum = 0.05)]
    hop_s: Option<f64>,
    /// Length of the median filter, seconds.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 60)]
    smooth_s: Option<f64>,
    /// Shorter events are dropped, seconds.
    #[serde(default)]
    #[schema(minimum = 0)]
    min_duration_s: Option<f64>,
    /// Events of one label closer than this become one, seconds.
    #[serde(default)]
    #[schema(minimum = 0)]
    merge_gap_s: Option<f64>,
    /// Give the probabilities over time too.
    #[serde(default)]
    tracks: bool,
}

/// What is heard when.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventsResponse)]
pub(crate) struct EventsAnswer {
    /// Length of the sound, seconds.
    duration_s: f64,
    /// What to know about how the sound was read: where it is cut off, damaged or silent.
    remarks: Vec<String>,
    labels: Vec<String>,
    /// Whether the probabilities were calibrated for this model, or on the clips that the set was fitted to.
    calibrated: bool,
    /// How well the model knows each text that stands for a label; empty for models that cannot tell, and for
    /// fitted sets.
    texts: Vec<KnownTextDto>,
    /// In order of onset.
    events: Vec<EventDto>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracks: Option<TracksDto>,
    model: String,
}

/// A stretch in which a label is heard.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventDto {
    /// Seconds.
    onset_s: f64,
    /// Seconds.
    offset_s: f64,
    label: String,
    /// The highest probability in it.
    score: f32,
}

/// Probabilities over time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tracks)]
pub(crate) struct TracksDto {
    /// Middle of the stretch that each column stands for, seconds.
    times: Vec<f64>,
    /// A row a label, in the order of `labels`.
    rows: Vec<Vec<f32>>,
    /// How far high scores reach beyond a sound at each end, seconds; `events` have it taken off.
    reach_s: f64,
}

/// Multipart form: the request as JSON, and a sound file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
#[schema(as = EventsForm)]
pub(crate) struct EventsForm {
    request: EventsBody,
    #[schema(format = Binary, value_type = Option<String>)]
    file: Option<Vec<u8>>,
}

/// Find when something is heard
#[utoipa::path(post, path = "/v1/events", operation_id = "findEvents", tag = "label",
    request_body(content((EventsBody = "application/json"), (EventsForm = "multipart/form-data"))),
    responses((status = 200, body = EventsAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn events(
    State(app): State<App>,
    WithFiles { request, mut files }: WithFiles<EventsBody>,
) -> ApiResult<Json<EventsAnswer>> {
    let open = app.library()?;
    let options = EventOptions {
        threshold: request.threshold,
        release: request.release,
        hop_s: request.hop_s,
        smooth_s: request.smooth_s,
        min_duration_s: request.min_duration_s,
        merge_gap_s: request.merge_gap_s,
    };
    let settings = options.settle(open.engine.model().manifest())?;
    if options.hop_s.is_some_and(|hop| hop < 0.05) {
        return Err(ApiError::field("hop_s", "expected 0.05 s or more"));
    }
    let set = labels::choose(&open, request.labels, request.label_set.as_deref(), request.templates)?;
    let (source, permit) = match (request.clip_id, files.pop(), files.is_empty()) {
        (Some(id), None, _) => {
            let id = clip_id("clip_id", &id)?;
            let clip = open.index().clip(id)?.ok_or_else(|| ApiError::not_found("clip", id))?;
            (Source::Path(app.inner.roots.clip_file(&clip.meta.path)?), None)
        }
        (None, Some(file), true) => file.into_source(),
        _ => {
            return Err(ApiError::field(
                "clip_id",
                "expected either `clip_id` or one file in a multipart request",
            ));
        }
    };
    let labels = labels::encode(&app, &open, &set).await?;
    let open = Arc::clone(&open);
    let work = move || {
        let heard = listen(&open.engine, source, &[&labels], &settings)?;
        let numbers = heard.windows() * labels.names.len();
        if numbers > SCORES || request.tracks && numbers > TRACK_NUMBERS {
            let detail = "so many labels over so long a sound are too much; give fewer, or a larger `hop_s`";
            return Err(ApiError::field("labels", detail));
        }
        let track = heard.track(&open.engine, 0, &labels)?;
        let events = find_events(&track, &settings);
        let tracks = request.tracks.then(|| {
            let times = track.cells.iter().map(|(start, end)| f64::midpoint(*start, *end)).collect();
            TracksDto { times, rows: track.rows, reach_s: track.reach_s }
        });
        drop(permit);
        let event = |e: &earmark_engine::events::Event| EventDto {
            onset_s: to_millisecond(e.onset_s),
            offset_s: to_millisecond(e.offset_s),
            label: labels.names[e.label].clone(),
            score: e.score,
        };
        let manifest = open.engine.model().manifest();
        Ok(Json(EventsAnswer {
            duration_s: heard.duration_s,
            remarks: heard.remarks.sentences(),
            labels: labels.names.clone(),
            calibrated: labels.readout.calibrated,
            texts: labels.texts.iter().map(KnownTextDto::from).collect(),
            events: events.iter().map(event).collect(),
            tracks,
            model: manifest.id.clone(),
        }))
    };
    app.inner.encodes.run(work).await
}

/// A hop is a tenth of a second or so; more digits would only pretend.
fn to_millisecond(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
