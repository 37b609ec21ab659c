//! `/v1/clips/{id}/peaks`: the waveform's outline, and what peaks and pictures share.

use std::path::Path;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use earmark_audio::{AudioReader, ReadOptions};
use earmark_index::stored_path;
use earmark_library::bounded;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::media::{File, file, is_known};
use crate::error::{ApiError, ApiResult};
use crate::extract::{ApiId, ApiQuery};
use crate::state::App;

/// How fine.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct PeaksQuery {
    /// Stretches.
    #[param(minimum = 1, maximum = 10000, default = 800)]
    points: usize,
}

impl Default for PeaksQuery {
    fn default() -> Self {
        Self { points: 800 }
    }
}

/// Smallest and largest sample of each of `points` equal stretches.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Peaks {
    /// Seconds.
    duration_s: f64,
    points: usize,
    min: Vec<f32>,
    max: Vec<f32>,
}

/// The waveform's outline
///
/// The smallest and the largest sample of each of `points` equal stretches.
#[utoipa::path(get, path = "/v1/clips/{id}/peaks", operation_id = "getClipPeaks", tag = "clips",
    params(("id" = String, Path, description = "A clip's id"), PeaksQuery),
    responses((status = 200, body = Peaks, description = "The outline"), (status = 304, description = "Unchanged")))]
pub(crate) async fn peaks(
    State(app): State<App>,
    ApiId(id): ApiId,
    ApiQuery(query): ApiQuery<PeaksQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let points = bounded("points", query.points, 1, 10_000)?;
    let what = format!("peaks {points}");
    rendered(&app, id, &headers, &what, "application/json", move |path, frames, read| {
        let mut reader = AudioReader::open(path, read)?;
        let (mut min, mut max) = (vec![f32::INFINITY; points], vec![f32::NEG_INFINITY; points]);
        let (mut block, mut at) = (Vec::new(), 0_u64);
        while reader.read_block(&mut block)? {
            for &sample in &block {
                let point = place(at, frames, points);
                min[point] = min[point].min(sample);
                max[point] = max[point].max(sample);
                at += 1;
            }
        }
        // A sound shorter than the number of points, or than it was.
        let finite = |v: &mut f32| *v = if v.is_finite() { (*v * 1e4).round() / 1e4 } else { 0.0 };
        min.iter_mut().chain(&mut max).for_each(finite);
        let duration_s = at as f64 / f64::from(reader.info().sample_rate.max(1));
        serde_json::to_vec(&Peaks { duration_s, points, min, max }).map_err(ApiError::internal)
    })
    .await
}

/// Which of `parts` equal stretches of a sound of `frames` samples a sample is in.
pub(crate) fn place(at: u64, frames: u64, parts: usize) -> usize {
    let place = u128::from(at) * parts as u128 / u128::from(frames.max(1));
    usize::try_from(place).unwrap_or(usize::MAX).min(parts - 1)
}

/// A clip's file made into something that is kept: `draw` gets the file, its length in samples, and how to read it.
pub(crate) async fn rendered(
    app: &App,
    id: u64,
    headers: &HeaderMap,
    what: &str,
    mime: &'static str,
    draw: impl FnOnce(&Path, u64, &ReadOptions) -> ApiResult<Vec<u8>> + Send + 'static,
) -> ApiResult<Response> {
    let open = app.library()?;
    let File { etag, path, clip } = file(app, &open, id).await?;
    if is_known(headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    // A changed file has another picture.
    let key = format!("{what} {} {etag}", stored_path(&path));
    let body = match app.inner.renders.get(&key) {
        Some(known) => known,
        None => {
            let inner = std::sync::Arc::clone(&app.inner);
            let work = move || {
                let frames =
                    (clip.meta.duration_s * f64::from(clip.meta.sample_rate)).round().max(1.0) as u64;
                let body = Bytes::from(draw(&path, frames, open.library.engine()?.read_options())?);
                inner.renders.insert(key, body.clone());
                Ok(body)
            };
            app.inner.encodes.run(work).await?
        }
    };
    let headers = [
        (header::CONTENT_TYPE, mime),
        (header::ETAG, etag.as_str()),
        (header::CACHE_CONTROL, "private, no-cache"),
    ];
    Ok((StatusCode::OK, headers, body).into_response())
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn every_sample_has_a_place_in_order() {
        assert_eq!((0..10).map(|at| place(at, 10, 4)).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]);
        assert_eq!(place(99, 10, 4), 3);
        assert_eq!(place(0, 0, 1), 0);
    }
}
