//! The planned log-mel front end.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::error::SpecError;
use crate::mel::Filterbank;
use crate::spec::{LogKind, LogMelSpec, LogScale, PadMode, Spectrum, WindowFunction};

/// A log-mel front end, ready to run: tables are computed once and shared between clones, scratch space
/// is its own. Nothing is allocated per frame.
///
/// Frames are transformed in double precision: in single precision, the rounding noise of a loud tone
/// would show in the quiet bands of a logarithmic spectrum.
#[derive(Clone)]
pub struct LogMel {
    tables: Arc<Tables>,
    frame: Vec<f64>,
    bins: Vec<Complex<f64>>,
    fft_scratch: Vec<Complex<f64>>,
    spectrum: Vec<f64>,
    /// Padded copy of the signal, when centred.
    padded: Vec<f32>,
}

struct Tables {
    spec: LogMelSpec,
    fft: Arc<dyn RealToComplex<f64>>,
    /// The window, `[win_length]`.
    window: Vec<f64>,
    /// Where the window starts in the transform: 0, or what centres it.
    window_start: usize,
    filters: Filterbank,
    log: Log,
}

impl LogMel {
    /// Plans the front end that `spec` describes.
    ///
    /// # Errors
    /// [`SpecError`] if the numbers make no sense.
    pub fn new(spec: &LogMelSpec) -> Result<Self, SpecError> {
        spec.validate()?;
        let fft = RealFftPlanner::<f64>::new().plan_fft_forward(spec.n_fft);
        let window_start = if spec.center { (spec.n_fft - spec.win_length) / 2 } else { 0 };
        let tables = Tables {
            window: hann(spec.window, spec.win_length),
            window_start,
            filters: Filterbank::new(spec),
            log: Log::new(&spec.log, spec.spectrum),
            spec: spec.clone(),
            fft: Arc::clone(&fft),
        };
        Ok(Self {
            tables: Arc::new(tables),
            frame: vec![0.0; spec.n_fft],
            bins: fft.make_output_vec(),
            fft_scratch: fft.make_scratch_vec(),
            spectrum: vec![0.0; spec.n_fft / 2 + 1],
            padded: Vec::new(),
        })
    }

    /// The description this was planned from.
    pub fn spec(&self) -> &LogMelSpec {
        &self.tables.spec
    }

    /// Number of mel bands.
    pub fn n_mels(&self) -> usize {
        self.tables.spec.n_mels
    }

    /// Frames that `n_samples` samples give; see [`LogMelSpec`] for the framing.
    pub fn frames(&self, n_samples: usize) -> usize {
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
    pub fn compute(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let frames = self.frames(samples.len());
        let (n_mels, hop) = (self.n_mels(), self.spec().hop_length);
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
    pub(crate) fn frame(&mut self, samples: &[f32], row: &mut [f32]) {
        let tables = &self.tables;
        let (before, after) = self.frame.split_at_mut(tables.window_start);
        let (windowed, after) = after.split_at_mut(tables.window.len());
        // The transform uses its input as scratch, so the zeros must be written every time.
        before.fill(0.0);
        after.fill(0.0);
        for ((out, sample), weight) in windowed.iter_mut().zip(samples).zip(&tables.window) {
            *out = f64::from(*sample) * weight;
        }
        let (frame, bins) = (&mut self.frame, &mut self.bins);
        // Cannot fail: the lengths are the plan's own.
        let _ = tables.fft.process_with_scratch(frame, bins, &mut self.fft_scratch);
        for (value, bin) in self.spectrum.iter_mut().zip(&self.bins) {
            *value = bin.norm_sqr();
        }
        if tables.spec.spectrum == Spectrum::Magnitude {
            for value in &mut self.spectrum {
                *value = value.sqrt();
            }
        }
        tables.filters.apply(&self.spectrum, |band, value| row[band] = tables.log.apply(value));
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

fn hann(function: WindowFunction, len: usize) -> Vec<f64> {
    let period = match function {
        WindowFunction::HannPeriodic => len,
        WindowFunction::HannSymmetric => len - 1,
    };
    // A symmetric window of one sample is 1 (numpy.hanning(1)).
    let step = std::f64::consts::TAU / period.max(1) as f64;
    (0..len).map(|n| if len == 1 { 1.0 } else { 0.5 - 0.5 * (step * n as f64).cos() }).collect()
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

    #[test]
    fn windows_are_numpys() {
        let close = |a: Vec<f64>, b: &[f64]| a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-15);
        assert!(close(hann(WindowFunction::HannPeriodic, 4), &[0.0, 0.5, 1.0, 0.5]));
        assert!(close(hann(WindowFunction::HannSymmetric, 5), &[0.0, 0.5, 1.0, 0.5, 0.0]));
        assert_eq!(hann(WindowFunction::HannSymmetric, 1), [1.0]);
    }
}
