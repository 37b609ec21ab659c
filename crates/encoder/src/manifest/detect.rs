//! Finding events with windows of their own.

use earmark_audio::{ShortPad, Tail, WindowSpec};
use serde::{Deserialize, Serialize};

/// How events are found by a model that wants other windows for that than for search: `[detect]` of a
/// manifest.
///
/// A label must be present in a short *detection window* and plausible in the longer *context windows* around
/// it, which are those of `[window]`. `earmark_engine::events` says how the two become a probability. How the
/// figures were found is in the model's card. Nothing here decides stored vectors, so nothing here is in
/// [`super::Manifest::vector_hash`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    /// Length of a detection window, in samples; at most that of `[window]`.
    pub length_samples: usize,
    /// Distance between detection windows, in samples; at most `length_samples`.
    pub hop_samples: usize,
    /// How a sound shorter than one detection window fills it.
    pub pad: ShortPad,
    /// What becomes of a last detection window that ends beyond the sound.
    #[serde(default)]
    pub tail: Tail,
    /// Distance between context windows, in samples; at most the length of `[window]`.
    pub context_hop_samples: usize,
    /// Only so many components of the vectors, from the first, are compared; both sides are cut and scaled to
    /// unit length. All where there is none. Fitted labels are always compared whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axes: Option<usize>,
    /// Exponent of the detection window's cosine in the weighted geometric mean of the two, 0 to 1; the contexts have the
    /// rest.
    #[serde(default = "defaults::near_share")]
    pub near_share: f32,
    /// How much labels that are asked for together compete: a label loses this times what another scores more than it,
    /// times the cosine of the two labels. 0 for not at all.
    #[serde(default)]
    pub rivalry: f32,
    /// Probability of a label: `sigmoid(scale * y + bias)`, where `y` is its score less its floor.
    pub scale: f32,
    /// See [`Detect::scale`].
    pub bias: f32,
    /// Length of the running median that is the floor, seconds.
    #[serde(default = "defaults::floor_window_s")]
    pub floor_window_s: f64,
    /// Most that the floor takes off a score (0 to 1), so that a sound that lasts through the recording is
    /// still heard.
    pub floor_max: f32,
    /// An event ends below this share of the threshold at which it began.
    #[serde(default = "defaults::release")]
    pub release: f32,
    /// Events of one label closer than this become one, seconds.
    #[serde(default = "defaults::merge_gap_s")]
    pub merge_gap_s: f64,
    /// Shorter events are dropped, seconds.
    #[serde(default = "defaults::min_duration_s")]
    pub min_duration_s: f64,
    /// How far high scores reach beyond a sound at each end, in detection windows, 0 to 0.5.
    #[serde(default = "defaults::reach")]
    pub reach: f64,
}

impl Detect {
    /// The detection windows.
    #[must_use]
    pub fn window(&self) -> WindowSpec {
        let Self { length_samples, hop_samples, pad, tail, .. } = *self;
        WindowSpec { length_samples, hop_samples, pad, tail }
    }
}

/// What a manifest need not say; models/README.md lists them.
mod defaults {
    pub(super) fn near_share() -> f32 {
        0.5
    }

    pub(super) fn floor_window_s() -> f64 {
        120.0
    }

    pub(super) fn release() -> f32 {
        0.8
    }

    pub(super) fn merge_gap_s() -> f64 {
        3.0
    }

    pub(super) fn min_duration_s() -> f64 {
        0.2
    }

    /// A window hears a clear sound once about 0.3 of it lies within, which is when its middle is 0.2 windows
    /// outside.
    pub(super) fn reach() -> f64 {
        0.2
    }
}
