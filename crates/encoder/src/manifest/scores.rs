//! From cosines to probabilities and decisions.

use serde::{Deserialize, Serialize};

/// CLAP's factor before training, 1 / 0.07 (transformers `ClapConfig.logit_scale_init_value`, after CLIP):
/// used where the trained one is not known.
const INITIAL_LOGIT_SCALE: f32 = 1.0 / 0.07;

/// How cosines are read. How the figures were found is in the model's card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Factor on cosines before the softmax over labels, where the checkpoint says it or it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logit_scale: Option<f32>,
    /// Whether the figures here were measured; if not, probabilities are labelled as uncalibrated.
    pub calibrated: bool,
    /// The cosine that "none of these" competes with in the softmax; without it there is no such answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none_similarity: Option<f32>,
    /// Below this cosine a search hit is called no match.
    pub min_similarity: f32,
    /// Independent probability of a label: `sigmoid(multi_scale * cosine + multi_bias)`.
    pub multi_scale: f32,
    /// See [`Scores::multi_scale`].
    pub multi_bias: f32,
    /// From `text.familiarity_output` to the probability that the model knows what a text is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub familiarity: Option<Familiarity>,
    /// From a cosine with a text to the probability that a search hit is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likelihood: Option<SoundLikelihood>,
}

/// Reads a cosine with a text, in a search: `sigmoid(bias + outstanding * z + cosine * c + familiarity * f)`
/// is the probability that the clip is what the text says, where `c` is the cosine, `z` how many standard
/// deviations it lies above the mean cosine of the text with the library, and `f` the log odds of the text's
/// familiarity (0 where there is none).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoundLikelihood {
    /// Added to the rest.
    pub bias: f32,
    /// Factor on how far the cosine stands out.
    pub outstanding: f32,
    /// Factor on the cosine.
    pub cosine: f32,
    /// Factor on the log odds of the familiarity.
    pub familiarity: f32,
}

/// Reads how near a text comes to anything the model knows: `sigmoid(scale * nearness + bias)` is the
/// probability that it describes a sound in words that the model knows. Below one half, faces warn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Familiarity {
    /// Factor on the nearness.
    pub scale: f32,
    /// Added to it.
    pub bias: f32,
}

impl Familiarity {
    /// The probability for a nearness.
    #[must_use]
    pub fn probability(self, nearness: f32) -> f32 {
        1.0 / (1.0 + (-(self.scale * nearness + self.bias)).exp())
    }
}

impl Scores {
    /// Factor on cosines before the softmax over labels: the model's own, or CLAP's initial one.
    #[must_use]
    pub fn softmax_scale(&self) -> f32 {
        self.logit_scale.unwrap_or(INITIAL_LOGIT_SCALE)
    }
}
