//! Raw samples as data.

use serde::{Deserialize, Serialize};

use super::check_rate;
use crate::error::SpecError;

/// Raw samples, for models with their own front end inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaveformSpec {
    /// Rate of the samples, in Hz.
    pub sample_rate: u32,
    /// What is done to the samples of a window.
    #[serde(default)]
    pub normalise: Normalise,
}

/// What is done to the samples of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// Nothing.
    #[default]
    None,
    /// `(x - mean) / sqrt(variance + 1e-7)` over the window, its padding included (transformers'
    /// `Wav2Vec2FeatureExtractor` with `do_normalize`). With `window.pad = "none"` over the real samples alone, and
    /// zeros after them, as it does for clips padded together.
    UnitVariance,
}

impl WaveformSpec {
    /// Checks that the numbers make sense.
    ///
    /// # Errors
    /// [`SpecError`] names the first field that does not.
    pub fn validate(&self) -> Result<(), SpecError> {
        check_rate(self.sample_rate)
    }
}
