//! Kaldi's filterbank as data.

use serde::{Deserialize, Serialize};

use super::{WindowFunction, check, check_bands, check_hop, check_n_fft, check_rate};
use crate::error::SpecError;

/// Kaldi's log-mel filterbank, as `torchaudio.compliance.kaldi.fbank` computes it with `snip_edges`, without dither
/// and without the energy column (so `htk_compat` makes no difference).
///
/// Frame `t` is the `frame_length` samples from `t * hop_length` on; only frames that fit are made, so there are
/// `1 + (n - frame_length) / hop_length`. Each frame by itself: its mean is subtracted (`remove_dc`), then
/// `pre_emphasis` times the sample before (the first sample is its own predecessor), then it is windowed and
/// zero-padded at the end to `n_fft`. Bands are triangles over mel (`1127 ln(1 + f / 700)`) that sum the power
/// spectrum; the logarithm is natural, of at least `f32::EPSILON`.
///
/// Within 1e-5 of torchaudio in double precision. In single precision, as models usually run it, torchaudio itself is
/// off by up to 3e-3 in bands that are all but silent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KaldiFbankSpec {
    /// Rate of the samples, in Hz.
    pub sample_rate: u32,
    /// Length of a frame, in samples.
    pub frame_length: usize,
    /// Distance between frames, in samples.
    pub hop_length: usize,
    /// Length of the Fourier transform, in samples; even, at least `frame_length`. Without it, the next power of two
    /// (Kaldi's `round_to_power_of_two`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_fft: Option<usize>,
    /// Shape of the window; torchaudio's "hanning" is [`WindowFunction::HannSymmetric`].
    pub window: WindowFunction,
    /// Number of mel bands.
    pub n_mels: usize,
    /// Lower edge of the first band, in Hz (Kaldi's default is 20).
    pub f_min: f64,
    /// Upper edge of the last band, in Hz; at most half the sample rate (Kaldi's default).
    pub f_max: f64,
    /// How much of the sample before is subtracted from each, 0 to 1.
    #[serde(default = "default_pre_emphasis")]
    pub pre_emphasis: f64,
    /// Whether the mean of each frame is subtracted.
    #[serde(default = "default_remove_dc")]
    pub remove_dc: bool,
    /// What samples are multiplied by first; 32768 where the model was trained on 16-bit integers.
    #[serde(default = "default_gain")]
    pub gain: f64,
}

/// Kaldi's `--preemphasis-coefficient`.
fn default_pre_emphasis() -> f64 {
    0.97
}

/// Kaldi's `--remove-dc-offset`.
fn default_remove_dc() -> bool {
    true
}

fn default_gain() -> f64 {
    1.0
}

impl KaldiFbankSpec {
    /// Length of the Fourier transform, in samples.
    pub fn transform_length(&self) -> usize {
        self.n_fft.unwrap_or_else(|| self.frame_length.next_power_of_two().max(2))
    }

    /// Checks that the numbers make sense together.
    ///
    /// # Errors
    /// [`SpecError`] names the first field that does not.
    pub fn validate(&self) -> Result<(), SpecError> {
        check_rate(self.sample_rate)?;
        check(
            (1..=super::MAX_N_FFT).contains(&self.frame_length),
            "front_end.frame_length",
            || format!("1 to {}", super::MAX_N_FFT),
            self.frame_length,
        )?;
        check_hop(self.hop_length)?;
        let n_fft = self.transform_length();
        check_n_fft(n_fft)?;
        let expected = || format!("at least frame_length ({})", self.frame_length);
        check(n_fft >= self.frame_length, "front_end.n_fft", expected, n_fft)?;
        check_bands(self.n_mels, self.f_min, self.f_max, self.sample_rate)?;
        let pre_emphasis_ok = (0.0..=1.0).contains(&self.pre_emphasis);
        check(pre_emphasis_ok, "front_end.pre_emphasis", || "0 to 1".into(), self.pre_emphasis)?;
        let gain_ok = self.gain.is_finite() && self.gain > 0.0;
        check(gain_ok, "front_end.gain", || "a finite number above 0".into(), self.gain)
    }
}
