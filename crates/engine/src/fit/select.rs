//! Which candidate is best on clips that it has not seen, and how its logits are to be read.

use super::calibrate::{HALF, Sigmoid, best_f1, losses, platt, softmax_factor, threshold};
use super::candidate::{Candidate, Material};
use super::folds;
use super::refuse;
use super::rows::Rows;

/// Clips of a class that must have been held out before it gets a sigmoid of its own.
const OWN_SIGMOID: usize = 2;

/// Clips of a class that must have been held out before its threshold may be another than a half. The best F1 of fewer
/// lies wherever the few happen to.
const OWN_THRESHOLD: usize = 5;

/// Clips of the first fold from which it decides alone which candidates are tried on the others: the best of each kind.
/// With so many, a candidate that another one beats later is not much worse than it.
const FIRST_DECIDES: usize = 200;

/// Held-out clips without which nothing is clearly better than something else.
const CLEAR: usize = 10;

/// How the clips are parted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parting<'a> {
    /// For each clip the first one with the same sound.
    pub(super) twins: &'a [usize],
    /// The group of each clip, where they are parted by groups.
    pub(super) groups: Option<&'a [u32]>,
    pub(super) folds: usize,
    pub(super) seed: u64,
}

impl Parting<'_> {
    /// The fold of each of `members`.
    pub(super) fn assign(&self, members: &[usize], truth: &[usize]) -> Vec<Option<usize>> {
        match self.groups {
            // What is left when a fold is held out may be one group.
            Some(of) if members.iter().any(|&clip| of[clip] != of[members[0]]) => {
                folds::assign_groups(members, truth, (self.twins, of), self.folds, self.seed)
            }
            _ => folds::assign(members, truth, self.twins, self.folds, self.seed),
        }
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
    /// Logit, before the factor, below which the best class is not the answer; `None`: it always is.
    pub(super) limit: Option<f64>,
}

impl Reading {
    /// Whether the answer is "none of these" where the best class has this logit.
    pub(super) fn refuses(&self, best: f64) -> bool {
        self.limit.is_some_and(|limit| best < limit)
    }
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
    let mut tried: Vec<(Candidate, Rows)> =
        candidates.iter().map(|&candidate| (candidate, Rows::default())).collect();
    for fold in 0..parting.folds {
        let is_in = |(_, f): &(&usize, &Option<usize>)| **f == Some(fold);
        let pairs = || members.iter().zip(&fold_of);
        let unseen: Vec<usize> = pairs().filter(is_in).map(|(&clip, _)| clip).collect();
        let seen: Vec<usize> = pairs().filter(|pair| !is_in(pair)).map(|(&clip, _)| clip).collect();
        if unseen.is_empty() || seen.is_empty() {
            continue;
        }
        let candidates: Vec<Candidate> = tried.iter().map(|(candidate, _)| *candidate).collect();
        for ((_, all), of_fold) in tried.iter_mut().zip(material.logits(&candidates, &seen, &unseen)) {
            of_fold.iter().for_each(|row| all.push(row));
        }
        let is_first = held_out.is_empty();
        held_out.extend(unseen);
        if is_first && held_out.len() >= FIRST_DECIDES {
            let finalists = finalists(judge(material, &tried, &held_out));
            tried.retain(|(candidate, _)| finalists.contains(candidate));
        }
    }
    if held_out.is_empty() {
        return None;
    }
    let best = match best_of_kinds(judge(material, &tried, &held_out)) {
        (Some(prototypes), Some(linear)) if !linear.is_clearly_better(&prototypes) => prototypes,
        (prototypes, linear) => linear.or(prototypes)?,
    };
    let truth: Vec<usize> = held_out.iter().map(|&clip| material.truth[clip]).collect();
    let weights = weights(material, &held_out);
    let words_right: f64 = held_out
        .iter()
        .zip(&weights)
        .filter(|(clip, _)| material.text_is_right(**clip))
        .map(|(_, w)| w)
        .sum();
    let least_unknown = best.candidate.least_unknown();
    let limit = refuse::limit(best.logits, &truth, &weights, least_unknown, words_right);
    Some((best.candidate, Reading { limit, ..reading(best.logits, &truth, material.classes, best.factor) }))
}

/// How much each of the clips that were held out counts.
fn weights(material: &Material, held_out: &[usize]) -> Vec<f64> {
    let weights = material.weights(held_out);
    held_out.iter().map(|&clip| weights[clip]).collect()
}

/// How each candidate does on the clips that were held out, whose logits it has.
pub(super) fn judge<'a>(
    material: &Material,
    tried: &'a [(Candidate, Rows)],
    held_out: &[usize],
) -> Vec<Judged<'a>> {
    let truth: Vec<usize> = held_out.iter().map(|&clip| material.truth[clip]).collect();
    let weights = weights(material, held_out);
    let of = |(candidate, logits): &'a (Candidate, Rows)| {
        let factor = softmax_factor(logits, &truth, &weights);
        let losses = losses(logits, &truth, &weights, factor);
        Judged { candidate: *candidate, logits, factor, losses }
    };
    tried.iter().map(of).collect()
}

/// The best of each kind; no linear head where prototypes do better, since it cannot be clearly better than they are.
pub(super) fn finalists(judged: Vec<Judged<'_>>) -> Vec<Candidate> {
    let (prototypes, linear) = best_of_kinds(judged);
    let is_beaten = |linear: &Judged<'_>| prototypes.as_ref().is_some_and(|p| p.total() <= linear.total());
    let linear = linear.filter(|linear| !is_beaten(linear));
    prototypes.iter().chain(&linear).map(|judged| judged.candidate).collect()
}

/// The best prototypes, and the best linear head.
fn best_of_kinds(judged: Vec<Judged<'_>>) -> (Option<Judged<'_>>, Option<Judged<'_>>) {
    let is_linear = |judged: &Judged<'_>| matches!(judged.candidate, Candidate::Linear { .. });
    let (linear, prototypes): (Vec<_>, Vec<_>) = judged.into_iter().partition(is_linear);
    (best(prototypes), best(linear))
}

/// A candidate on held-out clips.
pub(super) struct Judged<'a> {
    candidate: Candidate,
    logits: &'a Rows,
    factor: f64,
    /// One a clip.
    losses: Vec<f64>,
}

impl Judged<'_> {
    fn total(&self) -> f64 {
        self.losses.iter().sum()
    }

    /// By more than one standard error, as Breiman, Friedman, Olshen and Stone have it ("Classification and regression
    /// trees", 1984). Short of that the simpler head is taken, which tells what is none of its classes better.
    fn is_clearly_better(&self, other: &Self) -> bool {
        if self.losses.len() < CLEAR {
            return false;
        }
        let n = self.losses.len() as f64;
        let gains: Vec<f64> = other.losses.iter().zip(&self.losses).map(|(other, own)| other - own).collect();
        let mean = gains.iter().sum::<f64>() / n;
        let variance = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / (n - 1.0);
        mean > (variance / n).sqrt()
    }
}

/// The one with the least loss; the first of equals, which is the simplest.
fn best(judged: Vec<Judged<'_>>) -> Option<Judged<'_>> {
    judged.into_iter().min_by(|a, b| a.total().total_cmp(&b.total()))
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
    let limit = |sigmoid, scores: &[f64], positive: &[bool]| {
        let enough = positive.iter().filter(|&&p| p).count() >= OWN_THRESHOLD;
        threshold(sigmoid, &best_f1(scores, positive)).filter(|_| enough)
    };
    let common_threshold = limit(common, &all_scores, &all_positive).unwrap_or(HALF);
    let (sigmoids, thresholds) = (0..classes)
        .map(|class| {
            let enough = positive[class].iter().filter(|&&p| p).count() >= OWN_SIGMOID;
            match platt(&scores[class], &positive[class]).filter(|_| enough) {
                Some(own) => (own, limit(own, &scores[class], &positive[class]).unwrap_or(HALF)),
                None => (common, common_threshold),
            }
        })
        .unzip();
    Reading { factor, sigmoids, thresholds, limit: None }
}
