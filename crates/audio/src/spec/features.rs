//! Steps on a window's features as data.

use serde::{Deserialize, Serialize};

use super::check;
use crate::error::SpecError;

/// Steps on the features of each window, in the order of the fields: `[features]` of a manifest. The default
/// is no step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureSpec {
    /// Exactly so many frames: more are cut off, missing ones are filled with `fill`. (Raw samples: so many samples.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
    /// What missing frames hold, before the steps below.
    pub fill: f32,
    /// Four channels made of one, see [`FusionSpec`]. Not together with `frames`: the chunk gives their number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fusion: Option<FusionSpec>,
    /// Values further than this below the window's largest are raised to there (Whisper: 8, in units of log10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_range: Option<f64>,
    /// Every value becomes `(x - mean) / std`.
    pub mean: f64,
    /// See `mean`.
    pub std: f64,
}

impl Default for FeatureSpec {
    fn default() -> Self {
        Self { frames: None, fill: 0.0, fusion: None, dynamic_range: None, mean: 0.0, std: 1.0 }
    }
}

/// Feature fusion of LAION CLAP (Wu et al. 2023, "Large-scale contrastive language-audio pretraining", section 3.3;
/// transformers' `ClapFeatureExtractor` with `truncation = "fusion"`): four channels `[shrunk, front, middle, back]`.
///
/// A window with as many frames as a chunk gives four equal channels. One with more is shrunk bilinearly over time to
/// a chunk's frames for the first channel, and cut at its start, its middle and its end for the others. (transformers
/// draws the three cuts at random from the thirds of where they can be. Ours are the first place, the middle one,
/// rounded down, and the last, so that vectors are reproducible.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FusionSpec {
    /// Length of a chunk, in samples; at most `window.length_samples`.
    pub chunk_samples: usize,
}

/// More frames (or raw samples) in a window than any model takes; keeps a bad manifest from allocating gigabytes.
const MAX_FRAMES: usize = 1 << 24;

impl FeatureSpec {
    /// Checks that the numbers make sense together.
    ///
    /// # Errors
    /// [`SpecError`] names the first field that does not, e.g. `features.frames`.
    pub fn validate(&self) -> Result<(), SpecError> {
        let finite = || "a finite number".to_owned();
        if let Some(frames) = self.frames {
            let in_range = (1..=MAX_FRAMES).contains(&frames);
            check(in_range, "features.frames", || format!("1 to {MAX_FRAMES}"), frames)?;
            let alone = || "nothing beside features.fusion, whose chunk gives the number of frames".into();
            check(self.fusion.is_none(), "features.frames", alone, frames)?;
        }
        check(self.fill.is_finite(), "features.fill", finite, self.fill)?;
        if let Some(range) = self.dynamic_range {
            let ok = range.is_finite() && range > 0.0;
            check(ok, "features.dynamic_range", || "a finite number above 0".into(), range)?;
        }
        check(self.mean.is_finite(), "features.mean", finite, self.mean)?;
        let std_ok = self.std.is_finite() && self.std > 0.0;
        check(std_ok, "features.std", || "a finite number above 0".into(), self.std)?;
        let chunk = self.fusion.map_or(1, |fusion| fusion.chunk_samples);
        check(chunk > 0, "features.fusion.chunk_samples", || "above 0".into(), chunk)
    }
}
