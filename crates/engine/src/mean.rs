//! Means of vectors.

use earmark_encoder::{Embedding, Model};

use crate::segment::new_parts;
use crate::{EngineError, Span};

/// The direction of the sum of `vectors`; `name` is what has it, for errors.
pub(crate) fn mean(vectors: &[Embedding], model: &str, name: &str) -> Result<Embedding, EngineError> {
    if let [only] = vectors {
        return Ok(only.clone());
    }
    let dim = vectors.first().map_or(0, |v| v.as_slice().len());
    Ok(Embedding::of_sum(dim, vectors.iter().map(|v| (1.0, v.as_slice())), model, name)?)
}

/// The mean of a whole sound's segments, each counting for the seconds that it adds to those before it.
///
/// # Errors
/// [`earmark_encoder::EncoderError::Degenerate`] if the segments cancel out, or if there are none.
pub(crate) fn mean_of_spans(model: &Model, spans: &[Span], name: &str) -> Result<Embedding, EngineError> {
    let seconds = new_parts(spans.iter().map(|s| (s.start_s, s.end_s))).map(|(start, end)| end - start);
    let mean = mean_of_segments(model, seconds.zip(spans.iter().map(|s| s.vector.as_slice())), name)?;
    mean.map_or_else(|| Ok(Embedding::from_values(Vec::new(), &model.manifest().id, name)?), Ok)
}

/// The mean of segments' vectors, each with the seconds that it counts for; `None` where none counts.
pub(crate) fn mean_of_segments<'a>(
    model: &Model,
    segments: impl Iterator<Item = (f64, &'a [f32])>,
    name: &str,
) -> Result<Option<Embedding>, EngineError> {
    let manifest = model.manifest();
    let counted = segments.filter(|(seconds, _)| *seconds > 0.0);
    let mut parts = counted.map(|(seconds, vector)| (seconds as f32, vector)).peekable();
    if parts.peek().is_none() {
        return Ok(None);
    }
    Ok(Some(Embedding::of_sum(manifest.dim, parts, &manifest.id, name)?))
}
