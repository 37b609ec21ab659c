//! Spectra of overlapping frames.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Hz at which sounds are compared.
pub(super) const RATE: u32 = 16_000;

/// Samples in a frame, 64 ms.
const FRAME: usize = 1024;

/// Samples from one frame to the next, 32 ms.
pub(super) const HOP: usize = FRAME / 2;

/// Seconds from one frame to the next.
pub(super) const HOP_S: f64 = HOP as f64 / RATE as f64;

/// Bins of a spectrum.
pub(super) const BINS: usize = FRAME / 2 + 1;

/// The bins from `low_hz` up to `high_hz`.
pub(super) fn bins(low_hz: f64, high_hz: f64) -> std::ops::Range<usize> {
    let bin = |hz: f64| (hz * FRAME as f64 / f64::from(RATE)).ceil() as usize;
    bin(low_hz)..bin(high_hz).min(BINS)
}

/// A planned transform with its Hann window and scratch space.
pub(super) struct Frames {
    plan: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    frame: Vec<f32>,
    scratch: Vec<Complex<f32>>,
}

impl Frames {
    pub(super) fn new() -> Self {
        let plan = RealFftPlanner::<f32>::new().plan_fft_forward(FRAME);
        let step = std::f32::consts::TAU / FRAME as f32;
        Self {
            window: (0..FRAME).map(|n| 0.5 - 0.5 * (step * n as f32).cos()).collect(),
            frame: vec![0.0; FRAME],
            scratch: plan.make_scratch_vec(),
            plan,
        }
    }

    /// What the power of a band is divided by, so that a sine of full scale has a power of 1.
    pub(super) fn full_scale(&self) -> f32 {
        FRAME as f32 * self.window.iter().map(|w| w * w).sum::<f32>() / 4.0
    }

    /// How many frames there are of so many samples: one centred on every `HOP`-th of them.
    pub(super) fn count(samples: usize) -> usize {
        samples / HOP + 1
    }

    /// The spectrum of the frame that is centred on sample `index * HOP`, `[BINS]`. Zeros surround `samples`.
    pub(super) fn spectrum(&mut self, samples: &[f32], index: usize, spectrum: &mut [Complex<f32>]) {
        self.spectrum_at(samples, (index * HOP) as isize, spectrum);
    }

    /// As [`Self::spectrum`], of the frame that is centred on the sample `centre`.
    pub(super) fn spectrum_at(&mut self, samples: &[f32], centre: isize, spectrum: &mut [Complex<f32>]) {
        for (n, value) in self.frame.iter_mut().enumerate() {
            let at = centre + n as isize - HOP as isize;
            let sample = usize::try_from(at).ok().and_then(|at| samples.get(at));
            *value = sample.map_or(0.0, |sample| sample * self.window[n]);
        }
        // Cannot fail: the lengths are the plan's own.
        let _ = self.plan.process_with_scratch(&mut self.frame, spectrum, &mut self.scratch);
    }
}
