//! The front end as data: what a model's manifest says about features and windows.

mod features;
mod kaldi;
mod log_mel;
mod waveform;
mod window;

use serde::{Deserialize, Serialize};

pub use features::{FeatureSpec, FusionSpec};
pub use kaldi::KaldiFbankSpec;
pub use log_mel::{
    CenterOver, LogKind, LogMelSpec, LogScale, MelNorm, MelScale, MelShape, PadMode, Spectrum, WindowFunction,
};
pub use waveform::{Normalise, WaveformSpec};
pub use window::{ShortPad, Tail, WindowSpec};

use crate::error::SpecError;

/// From samples to features: `[front_end]` of a manifest, told apart by `type`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FrontEndSpec {
    /// Log-mel spectrogram as librosa, torch and TensorFlow make it.
    LogMel(LogMelSpec),
    /// Log-mel filterbank as Kaldi makes it.
    KaldiFbank(KaldiFbankSpec),
    /// The samples themselves.
    Waveform(WaveformSpec),
}

impl FrontEndSpec {
    /// The rate that samples must be resampled to, in Hz.
    pub fn sample_rate(&self) -> u32 {
        match self {
            Self::LogMel(spec) => spec.sample_rate,
            Self::KaldiFbank(spec) => spec.sample_rate,
            Self::Waveform(spec) => spec.sample_rate,
        }
    }

    /// Samples between frames; 1 for raw samples.
    pub fn hop_length(&self) -> usize {
        match self {
            Self::LogMel(spec) => spec.hop_length,
            Self::KaldiFbank(spec) => spec.hop_length,
            Self::Waveform(_) => 1,
        }
    }

    /// Checks that the numbers make sense together.
    ///
    /// # Errors
    /// [`SpecError`] names the first field that does not, e.g. `front_end.hop_length`.
    pub fn validate(&self) -> Result<(), SpecError> {
        match self {
            Self::LogMel(spec) => spec.validate(),
            Self::KaldiFbank(spec) => spec.validate(),
            Self::Waveform(spec) => spec.validate(),
        }
    }
}

/// More samples a second than any converter gives, Hz.
const MAX_RATE: u32 = 1 << 20;
/// Larger transforms and more bands than any front end has; keeps a bad manifest from allocating gigabytes.
const MAX_N_FFT: usize = 1 << 16;
const MAX_N_MELS: usize = 1 << 10;

/// An error about `field` unless `ok`.
fn check(
    ok: bool,
    field: &'static str,
    expected: impl FnOnce() -> String,
    received: impl ToString,
) -> Result<(), SpecError> {
    if ok { Ok(()) } else { Err(SpecError::new(field, expected(), received)) }
}

fn check_rate(sample_rate: u32) -> Result<(), SpecError> {
    check(
        (1..=MAX_RATE).contains(&sample_rate),
        "front_end.sample_rate",
        || format!("1 to {MAX_RATE} Hz"),
        sample_rate,
    )
}

fn check_n_fft(n_fft: usize) -> Result<(), SpecError> {
    check(
        (2..=MAX_N_FFT).contains(&n_fft) && n_fft.is_multiple_of(2),
        "front_end.n_fft",
        || format!("an even number from 2 to {MAX_N_FFT}"),
        n_fft,
    )
}

fn check_hop(hop_length: usize) -> Result<(), SpecError> {
    check(hop_length > 0, "front_end.hop_length", || "above 0".into(), hop_length)
}

fn check_bands(n_mels: usize, f_min: f64, f_max: f64, sample_rate: u32) -> Result<(), SpecError> {
    let nyquist = f64::from(sample_rate) / 2.0;
    check((1..=MAX_N_MELS).contains(&n_mels), "front_end.n_mels", || format!("1 to {MAX_N_MELS}"), n_mels)?;
    check(
        (0.0..nyquist).contains(&f_min),
        "front_end.f_min",
        || format!("from 0 Hz to below half the sample rate ({nyquist} Hz)"),
        f_min,
    )?;
    check(
        f_max > f_min && f_max <= nyquist,
        "front_end.f_max",
        || format!("above f_min ({f_min} Hz) and at most half the sample rate ({nyquist} Hz)"),
        f_max,
    )
}
