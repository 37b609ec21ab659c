//! The planned log-mel front end.

use std::sync::Arc;

use super::fft::{PowerSpectrum, window};
use super::mel::{Filterbank, MelBands};
use crate::spec::{LogKind, LogMelSpec, LogScale, PadMode, Spectrum};

/// A log-mel front end, ready to run; see [`LogMelSpec`] for what it computes.
#[derive(Clone)]
pub(super) struct LogMel {
    tables: Arc<Tables>,
    fft: PowerSpectrum,
    /// Padded copy of the signal, when centred.
    padded: Vec<f32>,
}

struct Tables {
    spec: LogMelSpec,
    /// The window, `[win_length]`.
    window: Vec<f64>,
    /// Where the window starts in the transform: 0, or what centres it.
    window_start: usize,
    filters: Filterbank,
    log: Log,
}

impl LogMel {
    /// Plans what a valid `spec` describes.
    pub(super) fn new(spec: &LogMelSpec) -> Self {
        let filters = Filterbank::new(&MelBands {
            sample_rate: spec.sample_rate,
            n_fft: spec.n_fft,
            n_mels: spec.n_mels,
            f_min: spec.f_min,
            f_max: spec.f_max,
            scale: spec.mel_scale,
            norm: spec.mel_norm,
            shape: spec.mel_shape,
        });
        let tables = Tables {
            window: window(spec.window, spec.win_length),
            window_start: if spec.center { (spec.n_fft - spec.win_length) / 2 } else { 0 },
            filters,
            log: Log::new(&spec.log, spec.spectrum),
            spec: spec.clone(),
        };
        Self { tables: Arc::new(tables), fft: PowerSpectrum::new(spec.n_fft), padded: Vec::new() }
    }

    pub(super) fn spec(&self) -> &LogMelSpec {
        &self.tables.spec
    }

    /// Frames that `n_samples` samples give; see [`LogMelSpec`] for the framing.
    pub(super) fn frames(&self, n_samples: usize) -> usize {
        let spec = self.spec();
        if n_samples == 0 {
            0
        } else if spec.center {
            1 + n_samples / spec.hop_length
        } else {
            n_samples.checked_sub(spec.win_length).map_or(0, |rest| 1 + rest / spec.hop_length)
        }
    }

    /// Replaces `out` with the log-mel spectrogram of `samples`: `[frames, n_mels]`, row by row.
    pub(super) fn compute(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let frames = self.frames(samples.len());
        let (n_mels, hop) = (self.spec().n_mels, self.spec().hop_length);
        out.clear();
        out.resize(frames * n_mels, 0.0);
        if self.spec().center {
            let mut padded = std::mem::take(&mut self.padded);
            pad(samples, self.spec().n_fft / 2, self.spec().pad_mode, &mut padded);
            let start = self.tables.window_start;
            for (t, row) in out.chunks_exact_mut(n_mels).enumerate() {
                self.frame(&padded[start + t * hop..], row);
            }
            self.padded = padded;
        } else {
            for (t, row) in out.chunks_exact_mut(n_mels).enumerate() {
                self.frame(&samples[t * hop..], row);
            }
        }
    }

    /// One frame: the first `win_length` samples of `samples` to `row` (`[n_mels]`).
    pub(super) fn frame(&mut self, samples: &[f32], row: &mut [f32]) {
        let tables = &*self.tables;
        let spectrum = self.fft.of(|frame| {
            let frame = &mut frame[tables.window_start..];
            for ((out, sample), weight) in frame.iter_mut().zip(samples).zip(&tables.window) {
                *out = f64::from(*sample) * weight;
            }
        });
        if tables.spec.spectrum == Spectrum::Magnitude {
            for value in &mut *spectrum {
                *value = value.sqrt();
            }
        }
        tables.filters.apply(spectrum, |band, value| row[band] = tables.log.apply(value));
    }
}

/// `scale * ln(max(x, floor) + offset)`, which is every [`LogScale`].
struct Log {
    offset: f64,
    floor: f64,
    scale: f64,
}

impl Log {
    fn new(log: &LogScale, spectrum: Spectrum) -> Self {
        let decades = |factor: f64| factor / std::f64::consts::LN_10;
        let scale = match (log.kind, spectrum) {
            (LogKind::Ln, _) => 1.0,
            (LogKind::Log10, _) => decades(1.0),
            (LogKind::Db, Spectrum::Power) => decades(10.0),
            (LogKind::Db, Spectrum::Magnitude) => decades(20.0),
        };
        Self { offset: log.offset.unwrap_or(0.0), floor: log.floor.unwrap_or(0.0), scale }
    }

    fn apply(&self, value: f64) -> f32 {
        ((value.max(self.floor) + self.offset).ln() * self.scale) as f32
    }
}

/// Pads by `width` on both sides. Reflection goes back and forth as often as a short signal needs
/// (numpy's "reflect").
fn pad(samples: &[f32], width: usize, mode: PadMode, out: &mut Vec<f32>) {
    out.clear();
    let n = samples.len();
    if n == 0 {
        return;
    }
    match mode {
        PadMode::Zero => {
            out.resize(width, 0.0);
            out.extend_from_slice(samples);
            out.resize(2 * width + n, 0.0);
        }
        PadMode::Reflect => {
            // Positions repeat every 2 (n - 1); `fold` maps any of them into the signal.
            let period = 2 * (n - 1);
            let fold = |at: usize| {
                let at = if period == 0 { 0 } else { at % period };
                samples[at.min(period - at)]
            };
            out.extend((1..=width).rev().map(fold));
            out.extend_from_slice(samples);
            out.extend((n..n + width).map(fold));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reflection_is_numpys() {
        let mut out = Vec::new();
        pad(&[1.0, 2.0, 3.0], 5, PadMode::Reflect, &mut out);
        // numpy.pad([1, 2, 3], 5, mode="reflect")
        assert_eq!(out, [2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
        pad(&[4.0], 2, PadMode::Reflect, &mut out);
        assert_eq!(out, [4.0; 5]);
        pad(&[4.0], 1, PadMode::Zero, &mut out);
        assert_eq!(out, [0.0, 4.0, 0.0]);
    }
}
