//! From the cosines of a clip with labels to probabilities: by the model's own calibration, or by what was fitted.

use earmark_encoder::Scores;
use serde::{Deserialize, Serialize};

/// Independent probability from which a label counts as heard, where nothing else was found out or asked for.
pub const THRESHOLD: f32 = 0.5;

/// How the cosine with one label is read: straight lines on the cosine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The label's logit in the softmax: `scale * cosine + bias`.
    pub scale: f32,
    /// See `scale`.
    pub bias: f32,
    /// The logit of its independent probability: `independent_scale * cosine + independent_bias`.
    pub independent_scale: f32,
    /// See `independent_scale`.
    pub independent_bias: f32,
    /// Independent probability from which it counts as heard.
    pub threshold: f32,
}

impl Line {
    /// The model's own, the same for every label.
    #[must_use]
    pub fn of_model(scores: &Scores) -> Self {
        Self {
            scale: scores.softmax_scale(),
            bias: 0.0,
            independent_scale: scores.multi_scale,
            independent_bias: scores.multi_bias,
            threshold: THRESHOLD,
        }
    }

    /// Logit in the softmax.
    #[must_use]
    pub fn logit(&self, cosine: f32) -> f32 {
        self.scale * cosine + self.bias
    }

    /// Probability of the label by itself.
    #[must_use]
    pub fn independent(&self, cosine: f32) -> f32 {
        1.0 / (1.0 + (-(self.independent_scale * cosine + self.independent_bias)).exp())
    }
}

/// What makes "none of these" the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoneOfThese {
    /// It takes part in the softmax with this logit.
    Logit(f32),
    /// The best label's logit is below this limit, which takes no part in the softmax.
    BelowLimit(f32),
    /// Nothing: some label always fits.
    Never,
}

/// How cosines with the labels of a set are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Readout {
    /// One a label.
    pub lines: Vec<Line>,
    /// What makes "none of these" the answer.
    pub none: NoneOfThese,
    /// Whether probabilities were calibrated.
    pub calibrated: bool,
}

impl Readout {
    /// The model's own, for so many labels.
    #[must_use]
    pub fn of_model(scores: &Scores, labels: usize) -> Self {
        let none = |cosine| NoneOfThese::Logit(scores.softmax_scale() * cosine);
        Self {
            lines: vec![Line::of_model(scores); labels],
            none: scores.none_similarity.map_or(NoneOfThese::Never, none),
            calibrated: scores.calibrated,
        }
    }

    /// Whether a label has a threshold of its own, other than [`THRESHOLD`].
    #[must_use]
    pub fn has_own_thresholds(&self) -> bool {
        self.lines.iter().any(|line| line.threshold != THRESHOLD)
    }

    /// The softmax over labels and, where it takes part, "none of these", whose probability comes second.
    #[must_use]
    pub fn softmax(&self, cosines: &[f32]) -> (Vec<f32>, Option<f32>) {
        let none = match self.none {
            NoneOfThese::Logit(logit) => Some(logit),
            NoneOfThese::BelowLimit(_) | NoneOfThese::Never => None,
        };
        let logits = self.lines.iter().zip(cosines).map(|(line, &cosine)| line.logit(cosine)).chain(none);
        let max = logits.clone().fold(f32::NEG_INFINITY, f32::max);
        let mut probabilities: Vec<f32> = logits.map(|logit| (logit - max).exp()).collect();
        let total: f32 = probabilities.iter().sum();
        probabilities.iter_mut().for_each(|p| *p /= total);
        let none = probabilities.drain(self.lines.len()..).next();
        (probabilities, none)
    }
}
