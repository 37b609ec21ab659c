//! Which candidate is best on clips that it has not seen, and how its logits are to be read.

use super::calibrate::{Sigmoid, best_f1, losses, platt, softmax_factor, threshold};
use super::candidate::{Candidate, Material};
use super::folds;
use super::rows::Rows;

/// Clips of a class that must have been held out before it gets a sigmoid of its own.
const OWN_SIGMOID: usize = 2;

/// How the clips are parted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parting<'a> {
    /// For each clip the first one with the same sound.
    pub(super) twins: &'a [usize],
    pub(super) folds: usize,
    pub(super) seed: u64,
}

impl Parting<'_> {
    /// The fold of each of `members`.
    pub(super) fn assign(&self, members: &[usize], truth: &[usize]) -> Vec<Option<usize>> {
        folds::assign(members, truth, self.twins, self.folds, self.seed)
    }
}

/// How logits are read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    /// Factor on logits before the softmax.
    pub(super) factor: f64,
    /// Independent probabilities, one a class.
    pub(super) sigmoids: Vec<Sigmoid>,
    /// Independent probability from which a clip is called the class, one a class.
    pub(super) thresholds: Vec<f64>,
}

/// The best candidate, and how to read it; `None` where no clip could be held out.
pub(super) fn select(
    material: &Material,
    candidates: &[Candidate],
    members: &[usize],
    parting: &Parting<'_>,
) -> Option<(Candidate, Reading)> {
    let fold_of = parting.assign(members, &material.truth);
    let mut held_out: Vec<usize> = Vec::new();
    let mut logits: Vec<Rows> = vec![Rows::default(); candidates.len()];
    for fold in 0..parting.folds {
        let is_in = |(_, f): &(&usize, &Option<usize>)| **f == Some(fold);
        let pairs = || members.iter().zip(&fold_of);
        let unseen: Vec<usize> = pairs().filter(is_in).map(|(&clip, _)| clip).collect();
        let seen: Vec<usize> = pairs().filter(|pair| !is_in(pair)).map(|(&clip, _)| clip).collect();
        if unseen.is_empty() || seen.is_empty() {
            continue;
        }
        for (all, of_fold) in logits.iter_mut().zip(material.logits(candidates, &seen, &unseen)) {
            of_fold.iter().for_each(|row| all.push(row));
        }
        held_out.extend(unseen);
    }
    if held_out.is_empty() {
        return None;
    }
    let truth: Vec<usize> = held_out.iter().map(|&clip| material.truth[clip]).collect();
    let weights = material.weights(&held_out);
    let weights: Vec<f64> = held_out.iter().map(|&clip| weights[clip]).collect();
    let judged = candidates.iter().zip(&logits).map(|(&candidate, logits)| {
        let factor = softmax_factor(logits, &truth, &weights);
        Judged { candidate, logits, factor, losses: losses(logits, &truth, &weights, factor) }
    });
    let (linear, prototypes): (Vec<Judged<'_>>, Vec<Judged<'_>>) =
        judged.partition(|judged| matches!(judged.candidate, Candidate::Linear { .. }));
    let best = match (best(prototypes), best(linear)) {
        (Some(prototypes), Some(linear)) if !linear.is_clearly_better(&prototypes) => prototypes,
        (prototypes, linear) => linear.or(prototypes)?,
    };
    Some((best.candidate, reading(best.logits, &truth, material.classes, best.factor)))
}

/// A candidate on held-out clips.
struct Judged<'a> {
    candidate: Candidate,
    logits: &'a Rows,
    factor: f64,
    /// One a clip.
    losses: Vec<f64>,
}

impl Judged<'_> {
    /// By more than one standard error, as Breiman, Friedman, Olshen and Stone have it ("Classification and regression
    /// trees", 1984). Short of that the simpler head is taken, which tells what is none of its classes better.
    fn is_clearly_better(&self, other: &Self) -> bool {
        let n = self.losses.len() as f64;
        let gains: Vec<f64> = other.losses.iter().zip(&self.losses).map(|(other, own)| other - own).collect();
        let mean = gains.iter().sum::<f64>() / n;
        let variance = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / n;
        mean > (variance / n).sqrt()
    }
}

/// The one with the least loss; the first of equals, which is the simplest.
fn best(judged: Vec<Judged<'_>>) -> Option<Judged<'_>> {
    let total = |judged: &Judged<'_>| judged.losses.iter().sum::<f64>();
    judged.into_iter().min_by(|a, b| total(a).total_cmp(&total(b)))
}

/// Sigmoids and thresholds from the logits of clips that were held out.
fn reading(logits: &Rows, truth: &[usize], classes: usize, factor: f64) -> Reading {
    let of_class = |class: usize| -> (Vec<f64>, Vec<bool>) {
        (logits.iter().map(|row| row[class]).collect(), truth.iter().map(|&own| own == class).collect())
    };
    // What all classes have in common, for those with too few clips.
    let (scores, positive): (Vec<Vec<f64>>, Vec<Vec<bool>>) = (0..classes).map(of_class).unzip();
    let (all_scores, all_positive) = (scores.concat(), positive.concat());
    let rate = (1.0 / classes as f64 / (1.0 - 1.0 / classes as f64)).ln();
    let common = platt(&all_scores, &all_positive).unwrap_or(Sigmoid { slope: 0.0, bias: rate });
    let common_threshold = threshold(common, &best_f1(&all_scores, &all_positive)).unwrap_or(0.5);
    let (sigmoids, thresholds) = (0..classes)
        .map(|class| {
            let enough = positive[class].iter().filter(|&&p| p).count() >= OWN_SIGMOID;
            match platt(&scores[class], &positive[class]).filter(|_| enough) {
                Some(own) => {
                    let limit = threshold(own, &best_f1(&scores[class], &positive[class]));
                    (own, limit.unwrap_or(common_threshold))
                }
                None => (common, common_threshold),
            }
        })
        .unzip();
    Reading { factor, sigmoids, thresholds }
}
