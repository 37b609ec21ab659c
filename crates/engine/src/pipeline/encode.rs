//! Encodes runs of windows, and makes spans of the encoder's rows.

use earmark_audio::FeatureShape;
use earmark_encoder::{AudioEncoder, EncoderError, Model, dot};

use super::types::{Keep, PipelineOptions, Span};
use crate::EngineError;
use crate::segment::SegmentFeatures;

/// What makes rows of windows: the audio graph, or what a test puts in its place.
pub(super) trait WindowEncoder: Sync {
    /// Values in a row.
    fn width(&self) -> usize;

    /// Encodes windows of one shape, `[windows, shape]`, in one call, and adds their rows `[windows, width]`.
    fn encode(&self, shape: FeatureShape, features: &[f32], rows: &mut Vec<f32>) -> Result<(), EncoderError>;
}

impl WindowEncoder for AudioEncoder {
    fn width(&self) -> usize {
        self.width()
    }

    fn encode(&self, shape: FeatureShape, features: &[f32], rows: &mut Vec<f32>) -> Result<(), EncoderError> {
        self.encode_shaped(shape, features, rows)
    }
}

/// The encoder's rows `[windows, width]` of each run, made in one call; all runs are of one shape.
pub(super) fn rows_of(
    encoder: &dyn WindowEncoder,
    shape: FeatureShape,
    runs: &[&SegmentFeatures],
) -> Result<Vec<Vec<f32>>, EncoderError> {
    let together: Vec<f32>;
    let features = match runs {
        [run] => &run.features,
        _ => {
            together = runs.iter().flat_map(|run| run.features.iter().copied()).collect();
            &together
        }
    };
    let mut rows = Vec::new();
    encoder.encode(shape, features, &mut rows)?;
    let mut rows = rows.into_iter();
    let of_run = |run: &&SegmentFeatures| rows.by_ref().take(run.times.len() * encoder.width()).collect();
    Ok(runs.iter().map(of_run).collect())
}

/// The spans that a run's rows become; `name` is the file's, for errors.
pub(super) fn spans_of(
    model: &Model,
    options: &PipelineOptions,
    name: &str,
    run: &SegmentFeatures,
    rows: &[f32],
    width: usize,
) -> Result<Vec<Span>, EngineError> {
    let span = |(start_s, end_s): (f64, f64), vector: Vec<f32>| Span { start_s, end_s, vector };
    match options.keep {
        Keep::Windows | Keep::Detection => run
            .times
            .iter()
            .zip(rows.chunks_exact(width))
            .map(|(&times, row)| match &options.compare {
                None => Ok(span(times, row.to_vec())),
                Some(others) => Ok(span(times, cosines(model.pool(row, name)?.as_slice(), others))),
            })
            .collect(),
        Keep::Segments => {
            let times = (run.times[0].0, run.times[run.times.len() - 1].1);
            Ok(vec![span(times, model.pool(rows, name)?.into_vec())])
        }
    }
}

/// Cosine of each of `others` with as many first components of `vector`; 0 where those are all zero.
pub(crate) fn cosines(vector: &[f32], others: &[Vec<f32>]) -> Vec<f32> {
    let (mut length, mut norm) = (0, 0.0);
    let mut cosine = |other: &Vec<f32>| {
        let part = &vector[..other.len()];
        if other.len() != length {
            (length, norm) = (other.len(), dot(part, part).sqrt());
        }
        if norm > 0.0 { dot(part, other) / norm } else { 0.0 }
    };
    others.iter().map(&mut cosine).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_compared_as_far_as_the_other_goes() {
        let others = [vec![1.0, 0.0], vec![0.6, 0.8], vec![0.0, 0.0, 1.0], vec![1.0]];
        let close = |vector: &[f32], expected: [f32; 4]| {
            let found = cosines(vector, &others);
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        };
        close(&[0.6, 0.0, 0.8], [1.0, 0.6, 0.8, 1.0]);
        close(&[0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]);
    }
}
