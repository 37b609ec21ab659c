//! Clips against any set of labels.
//!
//! Three kinds of number, never mixed: the *cosine* of a clip and a label; the *probability* of a label among the
//! labels given (a softmax with the model's logit scale, in which "none of these" takes part); the *independent
//! probability* of a label by itself (a calibrated sigmoid).

use std::str::FromStr;

use earmark_encoder::{Scores, dot};
use earmark_index::{Clip, Filter, IndexReader};

use crate::batches::{batches, segments_of};
use crate::labels::EncodedLabels;
use crate::mean::mean_of_spans;
use crate::readout::{Line, NoneOfThese, Readout};
use crate::{Encoded, Engine, EngineError, Span};

/// How a clip's windows become one cosine a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClipPooling {
    /// Pool the windows first, as an index does: what the clip is about as a whole.
    #[default]
    Mean,
    /// The best window for each label: whether it is heard at all.
    Max,
    /// Windows weighted, for each label, by a softmax of their own cosines: between the two.
    Attention,
}

impl FromStr for ClipPooling {
    type Err = EngineError;

    fn from_str(s: &str) -> Result<Self, EngineError> {
        match s {
            "mean" => Ok(Self::Mean),
            "max" => Ok(Self::Max),
            "attention" => Ok(Self::Attention),
            other => Err(EngineError::Setting {
                field: "pooling",
                expected: "mean, max or attention".to_owned(),
                received: other.to_owned(),
            }),
        }
    }
}

/// How scores become an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// Exactly one label, or none: probabilities over the labels sum to 1.
    Single {
        /// Probability that the best label must reach, 0 to 1. It replaces [`Readout::none`], which decides
        /// if this is `None`.
        threshold: Option<f32>,
    },
    /// Any number of labels: each whose independent probability reaches the threshold.
    Multi {
        /// 0 to 1; each label's own if `None`.
        threshold: Option<f32>,
    },
}

/// A label's scores for one clip.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelScore {
    /// Which label, by its place in the set.
    pub label: usize,
    /// Softmax or independent probability, as decided.
    pub probability: f32,
    /// Cosine of the clip and the label.
    pub cosine: f32,
}

/// The answer for one clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Classification {
    /// All labels, the likeliest first.
    pub scores: Vec<LabelScore>,
    /// How many of `scores`, from the first, are the answer. 0: none of these.
    pub accepted: usize,
    /// Probability that it is none of the labels; for [`Decision::Single`] with words, where the model can
    /// tell.
    pub none_probability: Option<f32>,
}

/// Softness of [`ClipPooling::Attention`]: a window whose cosine is 0.1 better weighs e times more.
const ATTENTION_SCALE: f32 = 10.0;

/// Cosine of each label with a clip given as window rows ([`crate::Keep::Windows`]).
///
/// # Errors
/// Windows without direction.
pub fn cosines_of_windows(
    engine: &Engine,
    encoded: &Encoded,
    labels: &EncodedLabels,
    pooling: ClipPooling,
    name: &str,
) -> Result<Vec<f32>, EngineError> {
    if pooling == ClipPooling::Mean {
        let clip = engine.pool(encoded, name)?;
        return Ok(labels.vectors.iter().map(|l| clip.cosine(l)).collect());
    }
    let spans = encoded
        .spans
        .iter()
        .map(|s| Ok(Span { vector: engine.model().pool(&s.vector, name)?.into_vec(), ..s.clone() }))
        .collect::<Result<Vec<_>, EngineError>>()?;
    cosines_of_spans(engine, &spans, labels, pooling, name)
}

/// Cosine of each label with a clip given as unit vectors, such as an index's segments.
///
/// # Errors
/// Vectors that cancel out.
pub fn cosines_of_spans(
    engine: &Engine,
    spans: &[Span],
    labels: &EncodedLabels,
    pooling: ClipPooling,
    name: &str,
) -> Result<Vec<f32>, EngineError> {
    if pooling == ClipPooling::Mean {
        let clip = mean_of_spans(engine.model(), spans, name)?;
        return Ok(labels.vectors.iter().map(|l| clip.cosine(l)).collect());
    }
    Ok(labels
        .vectors
        .iter()
        .map(|label| {
            let cosines: Vec<f32> = spans.iter().map(|s| dot(&s.vector, label.as_slice())).collect();
            let best = cosines.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if pooling == ClipPooling::Max {
                return best;
            }
            let weights = cosines.iter().map(|c| ((c - best) * ATTENTION_SCALE).exp());
            let (sum, total) = weights.zip(&cosines).fold((0.0, 0.0), |(s, t), (w, c)| (s + w * c, t + w));
            sum / total
        })
        .collect())
}

/// Turns cosines into an answer with the model's calibration.
#[must_use]
pub fn decide(scores: &Scores, cosines: &[f32], decision: Decision) -> Classification {
    read(&Readout::of_model(scores, cosines.len()), cosines, decision)
}

/// Turns cosines with the labels of a set into an answer, as its readout says.
#[must_use]
pub fn read(readout: &Readout, cosines: &[f32], decision: Decision) -> Classification {
    let (probabilities, none_probability) = match decision {
        Decision::Single { .. } => readout.softmax(cosines),
        Decision::Multi { .. } => {
            let independent = |(line, &cosine): (&Line, &f32)| line.independent(cosine);
            (readout.lines.iter().zip(cosines).map(independent).collect(), None)
        }
    };
    // Logits rank as probabilities do, but do not saturate.
    let key = |label: usize| {
        let (line, cosine) = (&readout.lines[label], cosines[label]);
        match decision {
            Decision::Single { .. } => line.logit(cosine),
            Decision::Multi { .. } => line.independent_scale * cosine + line.independent_bias,
        }
    };
    let mut ranked: Vec<LabelScore> = probabilities
        .into_iter()
        .zip(cosines)
        .enumerate()
        .map(|(label, (probability, &cosine))| LabelScore { label, probability, cosine })
        .collect();
    ranked.sort_by(|a, b| key(b.label).total_cmp(&key(a.label)).then(a.label.cmp(&b.label)));
    let accepted = match decision {
        Decision::Single { threshold: None } => ranked.first().is_some_and(|best| fits(readout, best)).into(),
        Decision::Single { threshold: Some(least) } => {
            ranked.first().is_some_and(|best| best.probability >= least).into()
        }
        Decision::Multi { threshold } => {
            // Labels with thresholds of their own are not accepted in the order of their probabilities.
            let reaches =
                |s: &LabelScore| s.probability >= threshold.unwrap_or(readout.lines[s.label].threshold);
            ranked.sort_by_key(|s| !reaches(s));
            ranked.iter().take_while(|s| reaches(s)).count()
        }
    };
    Classification { scores: ranked, accepted, none_probability }
}

/// Whether the best label is better than "none of these".
fn fits(readout: &Readout, best: &LabelScore) -> bool {
    let line = &readout.lines[best.label];
    match readout.none {
        NoneOfThese::Logit(none) => line.logit(best.cosine) > none,
        NoneOfThese::BelowLimit(limit) => line.logit(best.cosine) >= limit,
        NoneOfThese::Never => true,
    }
}

/// Classifies every clip of an index that `filter` admits, from its stored vectors: nothing is decoded again.
///
/// # Errors
/// A bad filter, a damaged index.
pub fn classify_indexed(
    engine: &Engine,
    index: &dyn IndexReader,
    filter: &Filter,
    labels: &EncodedLabels,
    pooling: ClipPooling,
    decision: Decision,
    mut each: impl FnMut(&Clip, Classification),
) -> Result<(), EngineError> {
    let clips = index.clips(filter)?;
    let clips: Vec<&Clip> = clips.iter().collect();
    for some in batches(&clips, index.header().identity.dim) {
        for (clip, segments) in some.iter().zip(segments_of(index, some)?) {
            let Some(segments) = segments else { continue };
            let spans: Vec<Span> = segments.into_iter().map(Span::from).collect();
            let cosines = cosines_of_spans(engine, &spans, labels, pooling, &clip.meta.path)?;
            each(clip, read(&labels.readout, &cosines, decision));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINGLE: Decision = Decision::Single { threshold: None };

    const SCORES: Scores = Scores {
        logit_scale: Some(10.0),
        calibrated: true,
        none_similarity: Some(0.2),
        min_similarity: 0.1,
        multi_scale: 10.0,
        multi_bias: -4.0,
        familiarity: None,
        likelihood: None,
    };

    #[test]
    fn single_probabilities_sum_to_one_with_none_and_rank_by_cosine() {
        let c = decide(&SCORES, &[0.1, 0.7, 0.3], SINGLE);
        let sum: f32 = c.scores.iter().map(|s| s.probability).sum::<f32>() + c.none_probability.unwrap();
        assert!((sum - 1.0).abs() < 1e-6);
        assert_eq!(c.scores.iter().map(|s| s.label).collect::<Vec<_>>(), [1, 2, 0]);
        assert_eq!(c.accepted, 1);
    }

    #[test]
    fn none_of_these_wins_when_nothing_fits() {
        let c = decide(&SCORES, &[0.1, 0.15], SINGLE);
        assert_eq!(c.accepted, 0);
        assert!(c.none_probability.unwrap() > c.scores[0].probability);
    }

    #[test]
    fn without_a_cosine_for_none_it_is_a_plain_softmax_and_the_best_label_is_the_answer() {
        let scores = Scores { none_similarity: None, ..SCORES };
        let c = decide(&scores, &[0.1, 0.15], SINGLE);
        assert_eq!((c.accepted, c.none_probability), (1, None));
        assert!((c.scores.iter().map(|s| s.probability).sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((c.scores[0].probability - 1.0 / (1.0 + (-0.5_f32).exp())).abs() < 1e-6);
    }

    #[test]
    fn multi_accepts_each_label_by_itself() {
        let c = decide(&SCORES, &[0.5, 0.1, 0.45], Decision::Multi { threshold: Some(0.5) });
        assert_eq!(c.accepted, 2);
        assert!((c.scores[0].probability - Line::of_model(&SCORES).independent(0.5)).abs() < 1e-6);
        assert_eq!(c.none_probability, None);
    }

    /// Labels that were fitted, and cosines whose best label has a bias, a logit of 8 and a softmax
    /// probability of 0.94.
    fn fitted(none: NoneOfThese) -> (Readout, [f32; 3]) {
        let line = |bias, threshold| Line {
            scale: 10.0,
            bias,
            independent_scale: 10.0,
            independent_bias: -4.0,
            threshold,
        };
        let lines = vec![line(0.0, 0.3), line(3.0, 0.9), line(-9.0, 0.5)];
        (Readout { lines, none, calibrated: true }, [0.35, 0.5, 0.39])
    }

    #[test]
    fn labels_that_were_fitted_go_by_their_own_lines_and_thresholds() {
        let (readout, cosines) = fitted(NoneOfThese::Never);
        assert_eq!(read(&readout, &cosines, SINGLE).scores[0].label, 1, "the bias counts");
        let multi = read(&readout, &cosines, Decision::Multi { threshold: None });
        assert_eq!(multi.scores.iter().map(|s| s.label).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(multi.accepted, 1, "label 1 has 0.73, below its own 0.9");
        assert_eq!(read(&readout, &cosines, Decision::Multi { threshold: Some(0.4) }).accepted, 2);
    }

    #[test]
    fn one_limit_refuses_the_best_label_whatever_the_labels_own_thresholds() {
        for (limit, accepted) in [(7.9, 1), (8.1, 0)] {
            let (readout, cosines) = fitted(NoneOfThese::BelowLimit(limit));
            let single = read(&readout, &cosines, SINGLE);
            assert_eq!((single.accepted, single.none_probability), (accepted, None));
            let sum: f32 = single.scores.iter().map(|s| s.probability).sum();
            assert!((sum - 1.0).abs() < 1e-6, "the limit takes no part in the softmax");
        }
    }

    #[test]
    fn a_threshold_that_is_asked_for_replaces_the_limit_and_none_of_these() {
        let (readout, cosines) = fitted(NoneOfThese::BelowLimit(8.1));
        let ask = |least| read(&readout, &cosines, Decision::Single { threshold: Some(least) }).accepted;
        assert_eq!([ask(0.0), ask(0.9), ask(0.999)], [1, 1, 0]);
        let words = |least| decide(&SCORES, &[0.1, 0.15], Decision::Single { threshold: Some(least) });
        assert_eq!((words(0.0).accepted, words(0.4).accepted), (1, 0), "without it, none of these wins");
    }

    #[test]
    fn equal_cosines_keep_the_order_of_the_labels() {
        let c = decide(&SCORES, &[0.5, 0.5, 0.5], SINGLE);
        assert_eq!(c.scores.iter().map(|s| s.label).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
