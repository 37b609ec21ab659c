//! `/v1/models`

use axum::Json;
use axum::extract::State;
use earmark_encoder::{Manifest, Model, State as ModelState};
use earmark_engine::events::EventDefaults;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiResult;
use crate::state::App;

/// Models that are here, and those that can be had.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// `list`
    object: &'static str,
    data: Vec<ModelDto>,
}

/// A model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Model)]
pub(crate) struct ModelDto {
    id: String,
    /// `model`
    object: &'static str,
    /// `joint` (audio and text), `audio`, or `tagger`.
    kind: Option<String>,
    /// Length of its vectors.
    dim: Option<usize>,
    description: Option<String>,
    /// Of the weights.
    licence: Option<String>,
    /// `bundled`, `installed`, `own`, `downloadable` or `exportable`.
    state: &'static str,
    /// Whether the library's vectors are of it.
    current: bool,
    /// What `/v1/events` does with it where a request does not say.
    events: Option<EventDefaultsDto>,
}

/// What a model does to find events where nothing else is asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventDefaults)]
pub(crate) struct EventDefaultsDto {
    /// Probability at which an event begins; labels that were fitted have thresholds of their own.
    threshold: f32,
    /// An event ends below this share of the threshold.
    release_share: f32,
    /// Seconds between looks.
    hop_s: f64,
    /// Length of the median filter, seconds.
    smooth_s: f64,
    /// Shorter events are dropped, seconds.
    min_duration_s: f64,
    /// Events of one label closer than this become one, seconds.
    merge_gap_s: f64,
}

impl EventDefaultsDto {
    fn of(manifest: &Manifest) -> Self {
        let EventDefaults { threshold, release_share, hop_samples, smooth_s, min_duration_s, merge_gap_s } =
            EventDefaults::of(manifest);
        let hop_s = hop_samples as f64 / f64::from(manifest.front_end.sample_rate());
        Self { threshold, release_share, hop_s, smooth_s, min_duration_s, merge_gap_s }
    }
}

/// Models
///
/// Those that are here, and those that can be had.
#[utoipa::path(get, path = "/v1/models", operation_id = "listModels", tag = "models",
    responses((status = 200, body = ModelList, description = "All models")))]
pub(crate) async fn models(State(app): State<App>) -> ApiResult<Json<ModelList>> {
    let open = app.library()?;
    let work = move || {
        let current = open.library.engine()?.model().manifest().id.clone();
        let data = open
            .library
            .catalogue()
            .entries()
            .into_iter()
            .map(|entry| {
                let manifest = entry.model.as_ref().ok().map(Model::manifest);
                ModelDto {
                    current: manifest.is_some_and(|m| m.id == current),
                    events: manifest.map(EventDefaultsDto::of),
                    id: entry.name,
                    object: "model",
                    kind: manifest.map(|m| m.kind.as_str().to_owned()),
                    dim: manifest.map(|m| m.dim),
                    description: manifest.map(|m| m.description.clone()),
                    licence: manifest.map(|m| m.licence.clone()),
                    state: match entry.state {
                        ModelState::Bundled => "bundled",
                        ModelState::Installed => "installed",
                        ModelState::Own => "own",
                        ModelState::Downloadable => "downloadable",
                        ModelState::Exportable => "exportable",
                    },
                }
            })
            .collect();
        Ok(Json(ModelList { object: "list", data }))
    };
    app.inner.searches.run(work).await
}
