//! The planned log-mel front end.

use std::sync::Arc;

use super::fft::{PowerSpectrum, window};
use super::mel::{Filterbank, MelBands};
use super::piece::Piece;
use crate::spec::{CenterOver, LogKind, LogMelSpec, LogScale, Spectrum};

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

    /// Samples on either side of a window that its frames see.
    pub(super) fn context(&self) -> usize {
        let spec = self.spec();
        if spec.center && spec.center_over == CenterOver::Stream { spec.n_fft / 2 } else { 0 }
    }

    /// Frames that `n_samples` samples give; see [`LogMelSpec`] for the framing.
    pub(super) fn frames(&self, n_samples: usize) -> usize {
        let spec = self.spec();
        match (spec.center, spec.center_over) {
            (false, _) => n_samples.checked_sub(spec.win_length).map_or(0, |rest| 1 + rest / spec.hop_length),
            (true, CenterOver::Window) if n_samples == 0 => 0,
            (true, CenterOver::Window) => 1 + n_samples / spec.hop_length,
            (true, CenterOver::Stream) => n_samples.div_ceil(spec.hop_length),
        }
    }

    /// Replaces `out` with the log-mel spectrogram of `samples`: `[frames, n_mels]`, row by row.
    pub(super) fn compute(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        if self.spec().center {
            self.compute_centred(Piece::whole(samples), 0, samples.len(), out);
        } else {
            let frames = self.frames(samples.len());
            self.compute_frames(samples, frames, out);
        }
    }

    /// As [`LogMel::compute`], centred, for `length` samples from `start` of a signal, seeing what is around them.
    pub(super) fn compute_centred(
        &mut self,
        signal: Piece<'_>,
        start: u64,
        length: usize,
        out: &mut Vec<f32>,
    ) {
        let (n_fft, hop, mode) = (self.spec().n_fft, self.spec().hop_length, self.spec().pad_mode);
        let frames = self.frames(length);
        let first = start as i64 - (n_fft / 2) as i64;
        let end = first + (frames.saturating_sub(1) * hop + n_fft) as i64;
        let mut padded = std::mem::take(&mut self.padded);
        signal.read(first..end, mode, &mut padded);
        self.compute_frames(padded.get(self.tables.window_start..).unwrap_or_default(), frames, out);
        self.padded = padded;
    }

    /// Replaces `out` with `frames` frames, of which the first is at the start of `samples`.
    fn compute_frames(&mut self, samples: &[f32], frames: usize, out: &mut Vec<f32>) {
        let (n_mels, hop) = (self.spec().n_mels, self.spec().hop_length);
        out.clear();
        out.resize(frames * n_mels, 0.0);
        for (t, row) in out.chunks_exact_mut(n_mels).enumerate() {
            self.frame(&samples[t * hop..], row);
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
