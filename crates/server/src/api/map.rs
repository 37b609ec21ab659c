//! `/v1/map`: the library in two dimensions.

use std::collections::HashSet;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use earmark_index::{Filter, IndexReader};
use earmark_library::{Version, bounded};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, ApiResult};
use crate::extract::ApiQuery;
use crate::pca::plane;
use crate::state::{App, Open};

/// Points of one map.
const POINTS: usize = 20_000;

/// How the map is drawn.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct MapQuery {
    /// How it is drawn.
    #[param(inline)]
    method: MethodDto,
    /// At most so many clips; of more, an even selection.
    #[param(minimum = 1, maximum = 20000, default = 5000)]
    limit: usize,
}

impl Default for MapQuery {
    fn default() -> Self {
        Self { method: MethodDto::Pca, limit: 5000 }
    }
}

/// How many dimensions become two.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MapMethod)]
pub(crate) enum MethodDto {
    /// The two directions in which the library varies most.
    #[default]
    Pca,
}

/// The library in two dimensions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Map)]
pub(crate) struct MapDto {
    /// The version of this answer's fields.
    version: Version,
    /// The clips, by id.
    points: Vec<PointDto>,
    /// How it is drawn.
    method: MethodDto,
    /// Clips in the library.
    total: usize,
}

/// A clip on the map.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Point)]
pub(crate) struct PointDto {
    /// The clip.
    clip_id: String,
    /// Its file name.
    name: String,
    /// -1 to 1.
    x: f32,
    /// -1 to 1.
    y: f32,
    /// The sound class that the clip is most of, where the model's axes have names.
    #[serde(skip_serializing_if = "Option::is_none")]
    top_class: Option<String>,
}

/// The library in two dimensions
///
/// Clips that sound alike lie close together.
#[utoipa::path(get, path = "/v1/map", operation_id = "getMap", tag = "search", params(MapQuery),
    responses((status = 200, body = MapDto, description = "The map")))]
pub(crate) async fn map(State(app): State<App>, ApiQuery(query): ApiQuery<MapQuery>) -> ApiResult<Response> {
    let open = app.library()?;
    let limit = bounded("limit", query.limit, 1, POINTS)?;
    let inner = std::sync::Arc::clone(&app.inner);
    let work = move || {
        let index = open.index()?;
        let stats = index.stats()?;
        let key = format!("map {} {limit}", stats.commits);
        if let Some(known) = inner.renders.get(&key) {
            return Ok(known);
        }
        let map = draw(&open, &*index, query.method, stats.clips, limit)?;
        let body = Bytes::from(serde_json::to_vec(&map).map_err(ApiError::internal)?);
        inner.renders.insert(key, body.clone());
        Ok(body)
    };
    let body = app.inner.encodes.run(work).await?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn draw(
    open: &Open,
    index: &dyn IndexReader,
    method: MethodDto,
    total: usize,
    limit: usize,
) -> ApiResult<MapDto> {
    let step = total.div_ceil(limit).max(1);
    let clips = index.clips(&Filter::default())?;
    let chosen: HashSet<u64> = clips.iter().step_by(step).map(|clip| clip.id).collect();
    let (mut clips, mut rows): (Vec<(u64, String)>, Vec<Vec<f32>>) = Default::default();
    index.for_each_segment(&Filter::default(), &mut |segment| {
        let id = segment.clip.id;
        if !chosen.contains(&id) {
            return true;
        }
        if clips.last().map(|(last, _)| *last) != Some(id) {
            let name = std::path::Path::new(&segment.clip.meta.path).file_name().unwrap_or_default();
            clips.push((id, name.to_string_lossy().into_owned()));
            rows.push(vec![0.0; segment.vector.len()]);
        }
        let weight = (segment.end_s - segment.start_s).max(0.0) as f32;
        if let Some(row) = rows.last_mut() {
            earmark_encoder::add_scaled(row, weight, segment.vector);
        }
        true
    })?;
    for row in &mut rows {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
        row.iter_mut().for_each(|v| *v /= norm);
    }
    let engine = open.library.engine()?;
    let axes = engine.model().own_axes().unwrap_or_default();
    let top = |row: &[f32]| {
        let named = axes.iter().zip(row).filter_map(|(axis, value)| axis.map(|name| (name, value)));
        named.max_by(|a, b| a.1.total_cmp(b.1)).map(|(name, _)| name.to_owned())
    };
    let mut points: Vec<PointDto> = clips
        .into_iter()
        .zip(plane(&rows))
        .zip(&rows)
        .map(|(((id, name), (x, y)), row)| PointDto {
            clip_id: id.to_string(),
            name,
            x,
            y,
            top_class: top(row),
        })
        .collect();
    points.sort_by_key(|point| point.clip_id.parse::<u64>().unwrap_or(0));
    Ok(MapDto { version: Version, points, method, total })
}
