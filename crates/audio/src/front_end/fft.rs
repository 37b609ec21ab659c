//! The power spectrum of a frame, and the windows that frames are multiplied with.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::spec::WindowFunction;

/// A planned Fourier transform of real frames, with its scratch space. Nothing is allocated per frame.
///
/// It runs in double precision: in single precision, the rounding noise of a loud tone would show in the quiet bands
/// of a logarithmic spectrum.
#[derive(Clone)]
pub(super) struct PowerSpectrum {
    plan: Arc<dyn RealToComplex<f64>>,
    frame: Vec<f64>,
    bins: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    power: Vec<f64>,
}

impl PowerSpectrum {
    /// Plans transforms of `n_fft` samples.
    pub(super) fn new(n_fft: usize) -> Self {
        let plan = RealFftPlanner::<f64>::new().plan_fft_forward(n_fft);
        Self {
            frame: vec![0.0; n_fft],
            bins: plan.make_output_vec(),
            scratch: plan.make_scratch_vec(),
            power: vec![0.0; n_fft / 2 + 1],
            plan,
        }
    }

    /// `|X|^2`, `[n_fft / 2 + 1]`, of what `fill` writes into the zeroed frame (`[n_fft]`).
    pub(super) fn of(&mut self, fill: impl FnOnce(&mut [f64])) -> &mut [f64] {
        // The transform uses its input as scratch, so the zeros must be written every time.
        self.frame.fill(0.0);
        fill(&mut self.frame);
        // Cannot fail: the lengths are the plan's own.
        let _ = self.plan.process_with_scratch(&mut self.frame, &mut self.bins, &mut self.scratch);
        for (value, bin) in self.power.iter_mut().zip(&self.bins) {
            *value = bin.norm_sqr();
        }
        &mut self.power
    }
}

/// Kaldi's exponent on the Hann window (`feature-window.cc`).
const POVEY_EXPONENT: f64 = 0.85;

/// The window `function` of `len` samples.
pub(super) fn window(function: WindowFunction, len: usize) -> Vec<f64> {
    let period = match function {
        WindowFunction::HannPeriodic => len,
        WindowFunction::HannSymmetric | WindowFunction::Povey => len - 1,
    };
    // A symmetric window of one sample is 1 (numpy.hanning(1)).
    let step = std::f64::consts::TAU / period.max(1) as f64;
    let hann = (0..len).map(|n| if len == 1 { 1.0 } else { 0.5 - 0.5 * (step * n as f64).cos() });
    match function {
        WindowFunction::Povey => hann.map(|w: f64| w.powf(POVEY_EXPONENT)).collect(),
        WindowFunction::HannPeriodic | WindowFunction::HannSymmetric => hann.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_numpys_and_kaldis() {
        let close = |a: Vec<f64>, b: &[f64]| a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-15);
        assert!(close(window(WindowFunction::HannPeriodic, 4), &[0.0, 0.5, 1.0, 0.5]));
        assert!(close(window(WindowFunction::HannSymmetric, 5), &[0.0, 0.5, 1.0, 0.5, 0.0]));
        let shoulder = 0.5f64.powf(0.85);
        assert!(close(window(WindowFunction::Povey, 5), &[0.0, shoulder, 1.0, shoulder, 0.0]));
        assert_eq!(window(WindowFunction::HannSymmetric, 1), [1.0]);
    }
}
