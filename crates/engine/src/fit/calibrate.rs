//! From logits of clips that a head has not seen to probabilities that can be believed.

use super::rows::{Rows, dot, softmax};

/// Bounds within which the factor on logits is looked for.
const FACTORS: (f64, f64) = (1e-3, 1e3);

/// What is probable from here on is likelier than not.
pub(super) const HALF: f64 = 0.5;

/// Newton's steps for [`platt`]; a handful is usual.
const NEWTON: usize = 100;

/// The factor on logits (1 / temperature) for which the mean negative log likelihood of the clips' own classes is least
/// (Guo et al., "On calibration of modern neural networks", 2017).
///
/// With few clips, all of them right, the factor would grow without bound; so, as Platt did for two classes, each clip
/// is taken to be of its own class only with probability `(n + 1) / (n + 2)`, of `n` clips.
///
/// `logits`: `[clips][classes]`; `weights`: how much each clip counts.
pub(super) fn softmax_factor(logits: &Rows, truth: &[usize], weights: &[f64]) -> f64 {
    let others = 1.0 / (logits.len() as f64 + 2.0) / (logits.width() as f64 - 1.0).max(1.0);
    // The slope of the likelihood rises with the factor, so its zero can be bracketed.
    let slope = |factor: f64| -> f64 {
        let of_clip = |(i, row): (usize, &[f64])| {
            let mut probabilities: Vec<f64> = row.iter().map(|z| factor * z).collect();
            softmax(&mut probabilities);
            let all: f64 = row.iter().sum();
            let own = row[truth[i]];
            let expected = others * (all - own) + (1.0 - others * (row.len() as f64 - 1.0)) * own;
            weights[i] * (dot(&probabilities, row) - expected)
        };
        logits.iter().enumerate().map(of_clip).sum()
    };
    let (mut low, mut high) = (FACTORS.0.ln(), FACTORS.1.ln());
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if slope(middle.exp()) < 0.0 { low = middle } else { high = middle }
    }
    f64::midpoint(low, high).exp()
}

/// Negative log likelihood of each clip's own class under `factor * logits`, nats, times its weight; weights are 1 on
/// average.
pub(super) fn losses(logits: &Rows, truth: &[usize], weights: &[f64], factor: f64) -> Vec<f64> {
    let of_clip = |(i, row): (usize, &[f64])| {
        let mut scaled: Vec<f64> = row.iter().map(|z| factor * z).collect();
        let own = scaled[truth[i]];
        weights[i] * (softmax(&mut scaled) - own)
    };
    logits.iter().enumerate().map(of_clip).collect()
}

/// `sigmoid(slope * score + bias)` is the probability that a clip is of a class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sigmoid {
    pub(super) slope: f64,
    pub(super) bias: f64,
}

impl Sigmoid {
    pub(super) fn probability(self, score: f64) -> f64 {
        1.0 / (1.0 + (-(self.slope * score + self.bias)).exp())
    }
}

/// Platt's sigmoid, with his targets `(n + 1) / (n + 2)` and `1 / (n + 2)` against overconfidence ("Probabilistic outputs
/// for support vector machines", 1999), by Newton's method with halved steps (Lin, Lin and Weng, 2007). `None` where
/// there is no score of one side, or where higher scores do not mean the class.
pub(super) fn platt(scores: &[f64], positive: &[bool]) -> Option<Sigmoid> {
    weighted_platt(scores, positive, &vec![1.0; scores.len()])
}

/// As [`platt`], where each score counts as often as its weight says.
pub(super) fn weighted_platt(scores: &[f64], positive: &[bool], weights: &[f64]) -> Option<Sigmoid> {
    let total = |of: bool| -> f64 {
        positive.iter().zip(weights).filter(|(p, _)| **p == of).map(|(_, &weight)| weight).sum()
    };
    let (n, others) = (total(true), total(false));
    if n <= 0.0 || others <= 0.0 {
        return None;
    }
    let target = |p: bool| if p { (n + 1.0) / (n + 2.0) } else { 1.0 / (others + 2.0) };
    let all = || scores.iter().zip(positive).zip(weights).map(|((&score, &p), &weight)| (score, p, weight));
    // -log of the likelihood, written so that nothing overflows.
    let loss = |s: Sigmoid| -> f64 {
        let one = |(score, p, weight): (f64, bool, f64)| {
            let logit = s.slope * score + s.bias;
            weight * (logit.max(0.0) + (-logit.abs()).exp().ln_1p() - target(p) * logit)
        };
        all().map(one).sum()
    };
    let mut at = Sigmoid { slope: 0.0, bias: ((n + 1.0) / (others + 1.0)).ln() };
    let mut value = loss(at);
    for _ in 0..NEWTON {
        let (mut g, mut h) = ([0.0; 2], [1e-12, 0.0, 1e-12]);
        for (score, p, weight) in all() {
            let probability = at.probability(score);
            let error = weight * (probability - target(p));
            let curvature = weight * probability * (1.0 - probability);
            g = [g[0] + error * score, g[1] + error];
            h = [h[0] + curvature * score * score, h[1] + curvature * score, h[2] + curvature];
        }
        if g[0].abs() < 1e-9 && g[1].abs() < 1e-9 {
            break;
        }
        let determinant = h[0] * h[2] - h[1] * h[1];
        let step = [(h[2] * g[0] - h[1] * g[1]) / determinant, (h[0] * g[1] - h[1] * g[0]) / determinant];
        let mut share = 1.0;
        loop {
            let there = Sigmoid { slope: at.slope - share * step[0], bias: at.bias - share * step[1] };
            let value_there = loss(there);
            if value_there < value {
                (at, value) = (there, value_there);
                break;
            }
            share /= 2.0;
            if share < 1e-10 {
                return (at.slope > 0.0).then_some(at);
            }
        }
    }
    (at.slope > 0.0).then_some(at)
}

/// Between which scores the limit may lie from which calling clips the class gives the best F1: `(below, above)`, ranges
/// that hold no score, from the highest on. None where no clip is positive.
pub(super) fn best_f1(scores: &[f64], positive: &[bool]) -> Vec<(f64, f64)> {
    let of_class = positive.iter().filter(|&&p| p).count();
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut hits, mut best, mut ranges) = (0, 0.0, Vec::new());
    for (called, pair) in order.windows(2).enumerate() {
        hits += usize::from(positive[pair[0]]);
        let (above, below) = (scores[pair[0]], scores[pair[1]]);
        // Halved, and a number of whole clips, so that equals are equal.
        let f1 = hits as f64 / (called + 1 + of_class) as f64;
        if above == below || hits == 0 || f1 < best {
            continue;
        }
        if f1 > best {
            (best, ranges) = (f1, Vec::new());
        }
        ranges.push((below, above));
    }
    ranges
}

/// The probability from which a clip is called the class: 0.5, unless the held-out clips speak against it; then the middle
/// of the range of best F1 that is nearest.
pub(super) fn threshold(sigmoid: Sigmoid, ranges: &[(f64, f64)]) -> Option<f64> {
    let in_probability =
        ranges.iter().map(|&(low, high)| (sigmoid.probability(low), sigmoid.probability(high)));
    let distance = |&(low, high): &(f64, f64)| (HALF.clamp(low, high) - HALF).abs();
    let (low, high) = in_probability.min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    Some(if (low..=high).contains(&HALF) { HALF } else { f64::midpoint(low, high) })
}
