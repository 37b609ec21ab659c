//! The steps between a window's frames and what its encoder takes.

use super::fusion::{CHANNELS, fuse};
use crate::spec::FeatureSpec;

/// The steps that a [`FeatureSpec`] describes, for frames of `bands` values.
#[derive(Clone)]
pub(super) struct Steps {
    spec: FeatureSpec,
    bands: usize,
    /// Frames in a chunk, with fusion.
    chunk_frames: Option<usize>,
}

impl Steps {
    pub(super) fn none() -> Self {
        Self::new(&FeatureSpec::default(), 1, None)
    }

    pub(super) fn new(spec: &FeatureSpec, bands: usize, chunk_frames: Option<usize>) -> Self {
        Self { spec: spec.clone(), bands, chunk_frames }
    }

    pub(super) fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    /// Channels, and frames in each, that come of `frames` frames.
    pub(super) fn shape(&self, frames: usize) -> (usize, usize) {
        match self.chunk_frames {
            Some(chunk_frames) => (CHANNELS, chunk_frames),
            None => (1, self.spec.frames.unwrap_or(frames)),
        }
    }

    /// Applies them to a window's frames, `[frames, bands]`; gives `[channels, frames, bands]`.
    pub(super) fn apply(&self, mut rows: Vec<f32>) -> Vec<f32> {
        if let Some(frames) = self.spec.frames {
            rows.resize(frames * self.bands, self.spec.fill);
        }
        if let Some(chunk_frames) = self.chunk_frames {
            // Windows are filled up to a chunk before; samples by themselves may give less.
            rows.resize(rows.len().max(chunk_frames * self.bands), self.spec.fill);
            rows = fuse(&rows, chunk_frames, self.bands);
        }
        if let Some(range) = self.spec.dynamic_range {
            let largest = rows.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let floor = (f64::from(largest) - range) as f32;
            for value in &mut rows {
                *value = value.max(floor);
            }
        }
        let (mean, std) = (self.spec.mean, self.spec.std);
        if (mean, std) != (0.0, 1.0) {
            for value in &mut rows {
                *value = ((f64::from(*value) - mean) / std) as f32;
            }
        }
        rows
    }
}
