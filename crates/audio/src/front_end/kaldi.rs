//! The planned Kaldi filterbank.

use std::sync::Arc;

use super::fft::{PowerSpectrum, window};
use super::mel::{Filterbank, MelBands};
use crate::spec::{KaldiFbankSpec, MelNorm, MelScale, MelShape};

/// A Kaldi filterbank, ready to run; see [`KaldiFbankSpec`] for what it computes.
#[derive(Clone)]
pub(super) struct KaldiFbank {
    tables: Arc<Tables>,
    fft: PowerSpectrum,
}

struct Tables {
    spec: KaldiFbankSpec,
    /// The window, `[frame_length]`.
    window: Vec<f64>,
    filters: Filterbank,
}

/// What the logarithm is taken of at least: `std::numeric_limits<float>::epsilon()` (Kaldi's `feature-fbank.cc`).
const FLOOR: f64 = f32::EPSILON as f64;

impl KaldiFbank {
    /// Plans what a valid `spec` describes.
    pub(super) fn new(spec: &KaldiFbankSpec) -> Self {
        let n_fft = spec.transform_length();
        // Kaldi's mel is HTK's with another unit, and its triangles are over mel, where the unit cancels out.
        let filters = Filterbank::new(&MelBands {
            sample_rate: spec.sample_rate,
            n_fft,
            n_mels: spec.n_mels,
            f_min: spec.f_min,
            f_max: spec.f_max,
            scale: MelScale::Htk,
            norm: MelNorm::None,
            shape: MelShape::Mel,
        });
        let tables = Tables { window: window(spec.window, spec.frame_length), filters, spec: spec.clone() };
        Self { tables: Arc::new(tables), fft: PowerSpectrum::new(n_fft) }
    }

    pub(super) fn spec(&self) -> &KaldiFbankSpec {
        &self.tables.spec
    }

    /// Frames that fit into `n_samples` samples.
    pub(super) fn frames(&self, n_samples: usize) -> usize {
        let spec = self.spec();
        n_samples.checked_sub(spec.frame_length).map_or(0, |rest| 1 + rest / spec.hop_length)
    }

    /// Replaces `out` with the filterbank features of `samples`: `[frames, n_mels]`, row by row.
    pub(super) fn compute(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let (n_mels, hop) = (self.spec().n_mels, self.spec().hop_length);
        out.clear();
        out.resize(self.frames(samples.len()) * n_mels, 0.0);
        for (t, row) in out.chunks_exact_mut(n_mels).enumerate() {
            self.frame(&samples[t * hop..], row);
        }
    }

    /// One frame: the first `frame_length` samples of `samples` to `row` (`[n_mels]`).
    pub(super) fn frame(&mut self, samples: &[f32], row: &mut [f32]) {
        let Tables { spec, window, filters } = &*self.tables;
        let samples = &samples[..spec.frame_length];
        let power = self.fft.of(|frame| {
            let sum: f64 = samples.iter().map(|x| f64::from(*x)).sum();
            let mean = if spec.remove_dc { sum / samples.len() as f64 } else { 0.0 };
            let value = |sample: f32| (f64::from(sample) - mean) * spec.gain;
            let mut before = value(samples[0]);
            for ((out, sample), weight) in frame.iter_mut().zip(samples).zip(window) {
                let now = value(*sample);
                *out = (now - spec.pre_emphasis * before) * weight;
                before = now;
            }
        });
        filters.apply(power, |band, value| row[band] = value.max(FLOOR).ln() as f32);
    }
}
