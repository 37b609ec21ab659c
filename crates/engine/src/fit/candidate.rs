//! Ways to make a head from labelled clips, and what each says of clips it has not seen.

use earmark_encoder::Scores;

use super::basis::Basis;
use super::lbfgs::Until;
use super::logistic::{self, Linear, Problem};
use super::refuse::best;
use super::rows::{Rows, add_scaled, dot};

/// How much the text may count among a prototype's parts.
const PROTOTYPE_TEXT: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// How much the text may count where a linear head starts from it.
const LINEAR_TEXT: [f64; 2] = [0.0, 1.0];

/// Inverse strengths of the penalty, as scikit-learn's `C`, weakest head first; ten times apart as in its
/// `LogisticRegressionCV`, and around what unit vectors need.
const STRENGTHS: [f64; 3] = [1.0, 10.0, 100.0];

/// When a head counts as learned that is only compared, by the mean loss's gradient: scikit-learn's defaults.
const COMPARED: Until = Until { tolerance: 1e-4, iterations: 100 };

/// The same of the head that is kept.
const KEPT: Until = Until { tolerance: 1e-6, iterations: 1000 };

/// A way to make a head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Candidate {
    /// Each class at the mean of its clips, mixed with its text.
    Prototypes { text_weight: f64 },
    /// Logistic regression, shrunk towards the text's head times `text_weight`.
    Linear { text_weight: f64, strength: f64 },
}

impl Candidate {
    /// All that are tried; a text weight that is given leaves no choice of it. Without text it is 0.
    pub(super) fn all(prototypes: bool, linear: bool, text_weight: Option<f64>) -> Vec<Self> {
        let weights = |grid: &[f64]| text_weight.map_or_else(|| grid.to_vec(), |weight| vec![weight]);
        let mut all = Vec::new();
        if prototypes {
            all.extend(
                weights(&PROTOTYPE_TEXT).into_iter().map(|text_weight| Self::Prototypes { text_weight }),
            );
        }
        if linear {
            let of = |text_weight| STRENGTHS.map(|strength| Self::Linear { text_weight, strength });
            all.extend(weights(&LINEAR_TEXT).into_iter().flat_map(of));
        }
        all
    }

    /// The least logit of the best label that a sound of no class is taken to have.
    ///
    /// A linear head has learned from all classes what speaks against each, so that clips whose own class is
    /// left out score lower than sounds of which it has heard nothing: for those nothing speaks for or against
    /// any label, which is a logit of 0.
    pub(super) fn least_unknown(self) -> f64 {
        match self {
            Self::Prototypes { .. } => f64::NEG_INFINITY,
            Self::Linear { .. } => 0.0,
        }
    }
}

/// A head: logits of the classes are `scale * cosine(clip, vector) + bias`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Directions {
    /// `[classes][dim]`, unit length; zeros where a class has no direction.
    pub(super) vectors: Rows,
    pub(super) scales: Vec<f64>,
    pub(super) biases: Vec<f64>,
}

/// Labelled clips, made ready.
#[derive(Debug)]
pub(super) struct Material {
    /// `[clips][dim]`.
    clips: Rows,
    basis: Basis,
    /// The clips in the basis.
    reduced: Rows,
    /// `[classes][dim]`.
    texts: Option<Rows>,
    /// Logits from the texts alone, `[clips][classes]`; zeros without.
    text_logits: Rows,
    /// Factor from cosines with texts to logits.
    text_scale: f64,
    /// Logit of "none of these" beside the texts, where the model has one.
    text_none: Option<f64>,
    pub(super) truth: Vec<usize>,
    pub(super) classes: usize,
    balanced: bool,
}

impl Material {
    pub(super) fn new(
        clips: Rows,
        texts: Option<Rows>,
        scores: &Scores,
        (truth, classes): (&[usize], usize),
        balanced: bool,
    ) -> Self {
        let basis = Basis::of(&clips);
        let text_scale = f64::from(scores.softmax_scale());
        let mut text_logits = Rows::zeros(clips.len(), classes);
        if let Some(texts) = &texts {
            for (i, clip) in clips.iter().enumerate() {
                let of = text_logits.row_mut(i).iter_mut().zip(texts.iter());
                of.for_each(|(logit, text)| *logit = text_scale * dot(clip, text));
            }
        }
        let reduced = basis.project(&clips);
        Self {
            clips,
            basis,
            reduced,
            texts,
            text_logits,
            text_scale,
            text_none: scores.none_similarity.map(|cosine| text_scale * f64::from(cosine)),
            truth: truth.to_vec(),
            classes,
            balanced,
        }
    }

    /// Clips.
    pub(super) fn len(&self) -> usize {
        self.truth.len()
    }

    /// Logits of the text alone, `[clips][classes]`.
    pub(super) fn text_logits(&self) -> Option<&Rows> {
        self.texts.as_ref().map(|_| &self.text_logits)
    }

    /// Whether the text alone says "none of these" of a clip: no class is more probable than that.
    pub(super) fn text_is_none(&self, clip: usize) -> bool {
        self.text_none.is_some_and(|none| self.text_logits.row(clip).iter().all(|&logit| logit <= none))
    }

    /// Whether the text alone answers a clip rightly; never without text.
    pub(super) fn text_is_right(&self, clip: usize) -> bool {
        let best = best(self.text_logits.row(clip));
        self.texts.is_some() && !self.text_is_none(clip) && best == Some(self.truth[clip])
    }

    /// How much each clip counts among `members` (others: 0): 1 on average, and all classes as much, as scikit-learn's
    /// `class_weight="balanced"`; or all clips as much.
    pub(super) fn weights(&self, members: &[usize]) -> Vec<f64> {
        let mut of_class = vec![0_usize; self.classes];
        members.iter().for_each(|&clip| of_class[self.truth[clip]] += 1);
        let present = of_class.iter().filter(|&&n| n > 0).count();
        let mut weights = vec![0.0; self.len()];
        for &clip in members {
            let alike = (present * of_class[self.truth[clip]]) as f64;
            weights[clip] = if self.balanced { members.len() as f64 / alike } else { 1.0 };
        }
        weights
    }

    /// Logits of the clips `unseen` from each candidate's head learned from `seen`: `[candidates][unseen][classes]`.
    pub(super) fn logits(&self, candidates: &[Candidate], seen: &[usize], unseen: &[usize]) -> Vec<Rows> {
        let mut before: Option<(f64, Linear)> = None;
        let of = |candidate: &Candidate| match *candidate {
            Candidate::Prototypes { text_weight } => {
                let vectors = self.prototypes(text_weight, seen);
                let row = |&clip: &usize| -> Vec<f64> {
                    vectors.iter().map(|v| self.text_scale * dot(v, self.clips.row(clip))).collect()
                };
                Rows::from_flat(unseen.iter().flat_map(row).collect(), self.classes)
            }
            Candidate::Linear { text_weight, strength } => {
                let offsets = self.offsets(text_weight);
                let start =
                    before.as_ref().filter(|(weight, _)| *weight == text_weight).map(|(_, linear)| linear);
                let linear = self.linear(&offsets, strength, seen, (COMPARED, start));
                let row = |&clip: &usize| -> Vec<f64> {
                    let mut logits = offsets.row(clip).to_vec();
                    linear.add_logits(self.reduced.row(clip), &mut logits);
                    logits
                };
                let logits = Rows::from_flat(unseen.iter().flat_map(row).collect(), self.classes);
                before = Some((text_weight, linear));
                logits
            }
        };
        candidates.iter().map(of).collect()
    }

    /// A candidate's head learned from all clips.
    pub(super) fn head(&self, candidate: Candidate) -> Directions {
        let all: Vec<usize> = (0..self.len()).collect();
        match candidate {
            Candidate::Prototypes { text_weight } => Directions {
                vectors: self.prototypes(text_weight, &all),
                scales: vec![self.text_scale; self.classes],
                biases: vec![0.0; self.classes],
            },
            Candidate::Linear { text_weight, strength } => {
                let linear = self.linear(&self.offsets(text_weight), strength, &all, (KEPT, None));
                let (mut vectors, mut scales) = (Rows::default(), Vec::new());
                for class in 0..self.classes {
                    let mut row = self.basis.lift(linear.weights.row(class));
                    if let Some(texts) = &self.texts {
                        add_scaled(&mut row, text_weight * self.text_scale, texts.row(class));
                    }
                    scales.push(make_unit(&mut row));
                    vectors.push(&row);
                }
                Directions { vectors, scales, biases: linear.biases }
            }
        }
    }

    fn offsets(&self, text_weight: f64) -> Rows {
        let scaled = self.text_logits.iter().flatten().map(|logit| text_weight * logit).collect();
        Rows::from_flat(scaled, self.classes)
    }

    fn linear(
        &self,
        offsets: &Rows,
        strength: f64,
        seen: &[usize],
        (until, start): (Until, Option<&Linear>),
    ) -> Linear {
        let weights = self.weights(seen);
        let problem = Problem {
            rows: &self.reduced,
            offsets,
            truth: &self.truth,
            weights: &weights,
            members: seen,
            classes: self.classes,
        };
        logistic::train(&problem, strength, until, start)
    }

    /// `l2((1 - text_weight) * l2(mean of the class's clips) + text_weight * text)`, `[classes][dim]`.
    fn prototypes(&self, text_weight: f64, seen: &[usize]) -> Rows {
        let mut prototypes = Rows::zeros(self.classes, self.clips.width());
        for &clip in seen {
            add_scaled(prototypes.row_mut(self.truth[clip]), 1.0, self.clips.row(clip));
        }
        for class in 0..self.classes {
            let row = prototypes.row_mut(class);
            make_unit(row);
            if let Some(texts) = &self.texts {
                row.iter_mut().for_each(|v| *v *= 1.0 - text_weight);
                add_scaled(row, text_weight, texts.row(class));
                make_unit(row);
            }
        }
        prototypes
    }
}

/// Scales a row to unit length, if it has a direction; gives its length.
fn make_unit(row: &mut [f64]) -> f64 {
    let length = dot(row, row).sqrt();
    if length > f64::MIN_POSITIVE {
        row.iter_mut().for_each(|v| *v /= length);
    }
    length
}
