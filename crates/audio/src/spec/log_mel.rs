//! The log-mel front end as data.

use serde::{Deserialize, Serialize};

use super::{check, check_bands, check_hop, check_n_fft, check_rate};
use crate::error::SpecError;

/// How to turn samples into a log-mel spectrogram.
///
/// Framing depends on `center`, because the two families of libraries differ:
///
/// - `center = false` (TensorFlow's `tf.signal.stft`): frame `t` is the `win_length` samples from
///   `t * hop_length` on, times the window, zero-padded **at the end** to `n_fft`. There are
///   `1 + (n - win_length) / hop_length` frames (none if `n < win_length`).
/// - `center = true` (librosa, torch): the signal is padded by `n_fft / 2` on both sides, frame `t` is
///   the `n_fft` samples from `t * hop_length` on, and a window shorter than `n_fft` sits **in the
///   middle** of it. There are `1 + n / hop_length` frames.
///
/// `center_over` says what is padded: each window by itself, or the whole stream, of which a window then is a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogMelSpec {
    /// Rate of the samples, in Hz.
    pub sample_rate: u32,
    /// Length of the Fourier transform, in samples; even.
    pub n_fft: usize,
    /// Length of the window, in samples; at most `n_fft`.
    pub win_length: usize,
    /// Distance between frames, in samples.
    pub hop_length: usize,
    /// Shape of the window.
    pub window: WindowFunction,
    /// Framing, see above.
    #[serde(default)]
    pub center: bool,
    /// What is padded when centred.
    #[serde(default, skip_serializing_if = "CenterOver::is_window")]
    pub center_over: CenterOver,
    /// What is beyond the ends of the signal when centred.
    #[serde(default)]
    pub pad_mode: PadMode,
    /// What the filters sum.
    pub spectrum: Spectrum,
    /// Number of mel bands.
    pub n_mels: usize,
    /// Lower edge of the first band, in Hz.
    pub f_min: f64,
    /// Upper edge of the last band, in Hz; at most half the sample rate.
    pub f_max: f64,
    /// Mel scale.
    pub mel_scale: MelScale,
    /// Scaling of the filters.
    pub mel_norm: MelNorm,
    /// Where the filters are triangles.
    #[serde(default)]
    pub mel_shape: MelShape,
    /// Compression.
    pub log: LogScale,
}

/// The shape of an analysis window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowFunction {
    /// `0.5 - 0.5 cos(2 pi n / N)`: the default of TensorFlow, torch and librosa.
    HannPeriodic,
    /// `0.5 - 0.5 cos(2 pi n / (N - 1))`: `numpy.hanning`.
    HannSymmetric,
    /// The symmetric Hann window to the power of 0.85: Kaldi's default.
    Povey,
}

/// What is padded when frames are centred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CenterOver {
    /// Each window by itself.
    #[default]
    Window,
    /// The stream: frames at a window's ends see the samples of its neighbours, and padding is only at the stream's
    /// ends (which are those after `window.pad` and `window.tail`). A window has the frames centred within it, so
    /// `length_samples / hop_length`, rounded up. Where windows start at whole hops, these are frames of librosa's
    /// spectrogram of the whole sound, as models take them that cut it into patches (MusicNN).
    Stream,
}

impl CenterOver {
    /// Whether this is the default, which specs from before the field have.
    fn is_window(&self) -> bool {
        *self == Self::Window
    }
}

/// What is beyond the ends of a centred signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PadMode {
    /// The signal mirrored, without repeating its last sample (numpy's "reflect").
    #[default]
    Reflect,
    /// Silence (numpy's "constant").
    Zero,
}

/// What the mel filters sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spectrum {
    /// `|X|`.
    Magnitude,
    /// `|X|^2`.
    Power,
}

/// The scale on which the bands are evenly spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MelScale {
    /// `2595 log10(1 + f / 700)` (HTK book; O'Shaughnessy 1987).
    Htk,
    /// Linear below 1 kHz, logarithmic above (Slaney's Auditory Toolbox, 1998).
    Slaney,
}

/// How the filters are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MelNorm {
    /// Peak 1.
    None,
    /// Area 1 over Hz: times `2 / (upper edge - lower edge)`.
    Slaney,
}

/// Where the filters' flanks are straight lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MelShape {
    /// Over Hz (librosa, torchaudio).
    #[default]
    Hz,
    /// Over mel, with the DC bin left out (`tf.signal.linear_to_mel_weight_matrix`).
    Mel,
}

/// The compression, `log(max(x, floor))` or `log(x + offset)`. Exactly one of the two is given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogScale {
    /// Which logarithm.
    #[serde(rename = "type")]
    pub kind: LogKind,
    /// Added before the logarithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<f64>,
    /// Smallest value the logarithm is taken of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
}

/// Which logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// Natural.
    Ln,
    /// Base ten.
    Log10,
    /// Decibels: `10 log10` of a power spectrum, `20 log10` of a magnitude spectrum.
    Db,
}

impl LogMelSpec {
    /// Checks that the numbers make sense together.
    ///
    /// # Errors
    /// [`SpecError`] names the first field that does not.
    pub fn validate(&self) -> Result<(), SpecError> {
        check_rate(self.sample_rate)?;
        check_n_fft(self.n_fft)?;
        check(
            (1..=self.n_fft).contains(&self.win_length),
            "front_end.win_length",
            || format!("1 to n_fft ({})", self.n_fft),
            self.win_length,
        )?;
        check_hop(self.hop_length)?;
        check(
            self.center || self.center_over == CenterOver::Window,
            "front_end.center_over",
            || "window, since center is false".into(),
            "stream",
        )?;
        check_bands(self.n_mels, self.f_min, self.f_max, self.sample_rate)?;
        self.log.validate()
    }
}

impl LogScale {
    fn validate(&self) -> Result<(), SpecError> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let (field, value) = match (self.offset, self.floor) {
            (Some(offset), None) => ("front_end.log.offset", offset),
            (None, Some(floor)) => ("front_end.log.floor", floor),
            (None, None) => return Err(SpecError::new("front_end.log", "an offset or a floor", "neither")),
            (Some(_), Some(_)) => {
                return Err(SpecError::new("front_end.log", "an offset or a floor", "both"));
            }
        };
        if positive(value) { Ok(()) } else { Err(SpecError::new(field, "a finite number above 0", value)) }
    }
}
