//! An index by words, by example, by both.
//!
//! - here: the direction of a query, and why a hit matched
//! - [`rank`]: the clips by what they sound like, by what they are called, by both
//! - [`diversity`]: hits that differ from each other
//! - [`likelihood`]: how likely a hit is right

pub mod diversity;
pub mod likelihood;
pub mod rank;

use std::collections::BTreeMap;

use earmark_encoder::Embedding;
use earmark_index::{ClipId, Hit, IndexReader};

use crate::mean::mean_of_segments;
use crate::pipeline::check_range;
use crate::segment::new_parts;
use crate::{Engine, EngineError};

/// The direction of a query whose parts are encoded already, each with its weight.
///
/// # Errors
/// [`EngineError::Query`] without a positive part or when the parts cancel out.
pub fn combine(engine: &Engine, parts: &[(Embedding, f32)]) -> Result<Embedding, EngineError> {
    check_weights(parts.iter().map(|(_, weight)| *weight))?;
    let manifest = engine.model().manifest();
    let parts = parts.iter().map(|(vector, weight)| (*weight, vector.as_slice()));
    Embedding::of_sum(manifest.dim, parts, &manifest.id, "the query")
        .map_err(|_| EngineError::Query("its parts cancel out; change the words or the weights".to_owned()))
}

fn check_weights(weights: impl Iterator<Item = f32> + Clone) -> Result<(), EngineError> {
    if let Some(weight) = weights.clone().find(|weight| !weight.is_finite()) {
        return Err(EngineError::Query(format!("a weight must be a finite number, got {weight}")));
    }
    if !weights.clone().any(|weight| weight > 0.0) {
        let reason = "nothing to look for; give words, or a sound, besides what to keep away from";
        return Err(EngineError::Query(reason.to_owned()));
    }
    Ok(())
}

/// The embedding of an indexed clip from its stored segments, each counting for the seconds that it adds to
/// those before it; of a stretch (seconds) for those of them that lie within. Nothing is decoded. `None`
/// where the clip has no segment there.
///
/// # Errors
/// An unknown clip; [`EngineError::Setting`] for a bad stretch; segments that cancel out.
pub fn clip_vector(
    engine: &Engine,
    index: &dyn IndexReader,
    clip: ClipId,
    range: Option<(f64, f64)>,
) -> Result<Option<Embedding>, EngineError> {
    check_range(range)?;
    let (start_s, end_s) = range.unwrap_or((0.0, f64::INFINITY));
    let segments = index.segments(clip)?;
    let parts = new_parts(segments.iter().map(|s| (s.start_s, s.end_s)));
    let shared = parts.map(|(start, end)| end.min(end_s) - start.max(start_s));
    mean_of_segments(
        engine.model(),
        shared.zip(segments.iter().map(|s| s.vector.as_slice())),
        &format!("clip {clip}"),
    )
}

/// What one axis adds to a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The axis' name.
    pub axis: String,
    /// Its part of the cosine.
    pub contribution: f32,
}

/// The axes that a query and a hit with this stored `vector` (`[dim]`) share, the largest part of the score first; at
/// most `n`, none below a fiftieth of it. Axes of one name count as one. `None` for a model whose axes have no names.
#[must_use]
pub fn explain(
    engine: &Engine,
    query: &Embedding,
    hit: &Hit,
    vector: &[f32],
    n: usize,
) -> Option<Vec<Share>> {
    let axes = engine.model().axes()?;
    let mut parts: BTreeMap<&str, f32> = BTreeMap::new();
    for (axis, (q, v)) in axes.iter().zip(query.as_slice().iter().zip(vector)) {
        *parts.entry(axis).or_default() += q * v;
    }
    let mut shared: Vec<Share> = parts
        .into_iter()
        .map(|(axis, contribution)| Share { axis: axis.to_owned(), contribution })
        .filter(|s| s.contribution.abs() >= hit.score.abs() / 50.0)
        .collect();
    shared.sort_by(|a, b| {
        b.contribution.abs().total_cmp(&a.contribution.abs()).then_with(|| a.axis.cmp(&b.axis))
    });
    shared.truncate(n);
    Some(shared)
}
