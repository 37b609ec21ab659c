//! An index by words, by example, by both.

use std::path::PathBuf;

use earmark_encoder::Embedding;
use earmark_index::{Hit, Index, SearchRequest, SearchResponse};

use crate::{Engine, EngineError};

/// One thing to look for, or to keep away from.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryPart {
    /// What.
    pub what: Like,
    /// How much it counts; negative to keep away from.
    pub weight: f32,
}

/// What a part of a query is given as.
#[derive(Debug, Clone, PartialEq)]
pub enum Like {
    /// A description.
    Text(String),
    /// A sound file, or a stretch of it in seconds (the end may be infinite).
    File {
        /// The file.
        path: PathBuf,
        /// The stretch.
        range: Option<(f64, f64)>,
    },
}

/// The direction of a query: the weighted sum of its parts, scaled to unit length.
///
/// # Errors
/// [`EngineError::Query`] without a positive part or when the parts cancel out; those of encoding a part.
pub fn query_vector(engine: &Engine, parts: &[QueryPart]) -> Result<Embedding, EngineError> {
    if let Some(part) = parts.iter().find(|p| !p.weight.is_finite()) {
        return Err(EngineError::Query(format!("a weight must be a finite number, got {}", part.weight)));
    }
    if !parts.iter().any(|p| p.weight > 0.0) {
        let reason = "nothing to look for; give words, or --like FILE, besides what to keep away from";
        return Err(EngineError::Query(reason.to_owned()));
    }
    let mut sum = vec![0.0_f32; engine.model().manifest().dim];
    for part in parts {
        let vector = match &part.what {
            Like::Text(text) => engine.with_text(|encoder| {
                let prompt = if text.trim().is_empty() { String::new() } else { encoder.prompt(text) };
                Ok(encoder.embed(&[&prompt])?.pop())
            })?,
            Like::File { path, range } => Some(engine.embed_file(path, *range)?),
        };
        if let Some(vector) = vector {
            sum.iter_mut().zip(vector.as_slice()).for_each(|(s, v)| *s += part.weight * v);
        }
    }
    Embedding::from_values(sum, &engine.model().manifest().id, "the query")
        .map_err(|_| EngineError::Query("its parts cancel out; change the words or the weights".to_owned()))
}

/// Searches `index` for the parts.
///
/// # Errors
/// Those of [`query_vector`] and of the index.
pub fn search(
    engine: &Engine,
    index: &Index,
    parts: &[QueryPart],
    request: &SearchRequest,
) -> Result<(Embedding, SearchResponse), EngineError> {
    let query = query_vector(engine, parts)?;
    let response = index.search(query.as_slice(), request)?;
    Ok((query, response))
}

/// What one axis adds to a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    /// The axis' name.
    pub axis: String,
    /// Its part of the cosine.
    pub contribution: f32,
}

/// The axes that a query and a hit share, the largest part of the score first; at most `n`, none below a fiftieth of
/// it. `None` for a model whose axes have no names.
///
/// # Errors
/// Those of reading the hit's vector.
pub fn explain(
    engine: &Engine,
    index: &Index,
    query: &Embedding,
    hit: &Hit,
    n: usize,
) -> Result<Option<Vec<Shared>>, EngineError> {
    let Some(axes) = engine.model().axes() else { return Ok(None) };
    let segments = index.segments(hit.clip.id)?;
    let Some(segment) = segments.get(hit.segment as usize) else { return Ok(Some(Vec::new())) };
    let mut shared: Vec<Shared> = axes
        .iter()
        .zip(query.as_slice().iter().zip(&segment.vector))
        .map(|(axis, (q, v))| Shared { axis: axis.clone(), contribution: q * v })
        .filter(|s| s.contribution.abs() >= hit.score.abs() / 50.0)
        .collect();
    shared.sort_by(|a, b| {
        b.contribution.abs().total_cmp(&a.contribution.abs()).then_with(|| a.axis.cmp(&b.axis))
    });
    shared.truncate(n);
    Ok(Some(shared))
}

/// Checks a stretch given in seconds.
///
/// # Errors
/// [`EngineError::Setting`] when it is empty, negative or not a number.
pub(crate) fn check_range(range: Option<(f64, f64)>) -> Result<(), EngineError> {
    match range {
        Some((start, end)) if !(start >= 0.0 && start.is_finite() && end > start) => {
            Err(EngineError::Setting {
                setting: "--from/--to",
                expected: "a start of 0 s or more, and an end after it".to_owned(),
                received: format!("{start} s to {end} s"),
            })
        }
        _ => Ok(()),
    }
}
