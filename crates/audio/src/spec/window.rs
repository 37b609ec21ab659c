//! Windows as data.

use serde::{Deserialize, Serialize};

use super::{FeatureSpec, check};
use crate::error::SpecError;

/// How a stream is cut into windows for an encoder: `[window]` of a manifest.
///
/// Windows start every `hop_samples`, and the tail is kept: a stream of `n` samples gives
/// `1 + ceil(max(n - length_samples, 0) / hop_samples)` windows. What becomes of a window that the stream does not
/// fill depends on which it is:
///
/// - the only window of a stream shorter than one is filled up as `pad` says;
/// - the last window of a longer stream is filled up with silence or moved back, as `tail` says.
///
/// With `pad = "none"` nothing is ever added to the samples, of a last window neither (but for less than one
/// frame of them, silence up to one frame): its frames are those that fit, and `features.frames`, which is required,
/// does the rest.
///
/// With `features.fusion`, windows are filled up to a chunk, not to `length_samples`: one that holds more
/// samples than a chunk stays as short as it is, since its features are brought to size by shrinking and
/// cutting. With windows of 30 s, hops as long, and chunks of 10 s:
///
/// - a stream of 4 s is one window, padded to 10 s as `pad` says;
/// - one of 17 s is one window of 17 s;
/// - one of 34 s is a window of 30 s and one of 4 s with 6 s of silence (`tail = "zero"`), or two of 30 s
///   (`tail = "shift"`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSpec {
    /// Length of a window, in samples.
    pub length_samples: usize,
    /// Distance between windows, in samples; at most `length_samples`.
    pub hop_samples: usize,
    /// How a stream shorter than one window fills it.
    pub pad: ShortPad,
    /// What becomes of a last window that ends beyond the stream.
    #[serde(default, skip_serializing_if = "Tail::is_zero")]
    pub tail: Tail,
}

/// How a stream shorter than one window fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShortPad {
    /// With silence.
    Zero,
    /// With itself, over and over, cut at the end.
    Repeat,
    /// With whole copies of itself, then silence (CLAP's "repeatpad").
    RepeatZero,
    /// Not at all: features are made of the real samples, then `features.frames` fills.
    None,
}

/// What becomes of the last window of a stream longer than one, where it ends beyond the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    /// It is filled up with silence.
    #[default]
    Zero,
    /// It is moved back so that it ends with the stream.
    Shift,
}

impl Tail {
    /// Whether this is the default, which specs from before the field have.
    fn is_zero(&self) -> bool {
        *self == Self::Zero
    }
}

/// Longer windows than any model takes; keeps a bad manifest from allocating gigabytes.
const MAX_LENGTH: usize = 1 << 26;

impl WindowSpec {
    /// Checks that the numbers make sense together, and with the steps on the windows' features.
    ///
    /// # Errors
    /// [`SpecError`] names the first field that does not, e.g. `window.hop_samples`.
    pub fn validate(&self, features: &FeatureSpec) -> Result<(), SpecError> {
        let length = self.length_samples;
        let in_range = (1..=MAX_LENGTH).contains(&length);
        check(in_range, "window.length_samples", || format!("1 to {MAX_LENGTH}"), length)?;
        check(
            (1..=length).contains(&self.hop_samples),
            "window.hop_samples",
            || format!("1 to length_samples ({length})"),
            self.hop_samples,
        )?;
        if let Some(fusion) = features.fusion {
            let chunk = fusion.chunk_samples;
            let expected = || format!("at least features.fusion.chunk_samples ({chunk})");
            check(length >= chunk, "window.length_samples", expected, length)?;
            let fills = || "zero, repeat or repeat_zero, since features.fusion needs whole chunks".into();
            check(self.pad != ShortPad::None, "window.pad", fills, "none")?;
        }
        let filled = self.pad != ShortPad::None || features.frames.is_some();
        check(filled, "features.frames", || "a number, since window.pad is none".into(), "nothing")
    }
}
