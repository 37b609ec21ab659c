//! Multinomial logistic regression with an L2 penalty.

use super::lbfgs::{Until, minimise};
use super::rows::{Rows, add_scaled, dot, softmax};

/// What to learn from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Problem<'a> {
    /// `[clips][width]`.
    pub(super) rows: &'a Rows,
    /// Logits that are there before anything is learned, `[clips][classes]`.
    pub(super) offsets: &'a Rows,
    /// The class of each clip.
    pub(super) truth: &'a [usize],
    /// How much each clip counts; more than 0.
    pub(super) weights: &'a [f64],
    /// Which of the clips to learn from.
    pub(super) members: &'a [usize],
    pub(super) classes: usize,
}

/// Logits of the classes: `weights x + biases`, beside the offsets.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Linear {
    /// `[classes][width]`.
    pub(super) weights: Rows,
    pub(super) biases: Vec<f64>,
}

impl Linear {
    /// Adds this head's logits of a row to `logits`.
    pub(super) fn add_logits(&self, row: &[f64], logits: &mut [f64]) {
        for (class, logit) in logits.iter_mut().enumerate() {
            *logit += dot(self.weights.row(class), row) + self.biases[class];
        }
    }
}

/// The head for which `strength * sum(weight * loss) + |weights|^2 / 2` is least: the objective of scikit-learn's
/// `LogisticRegression(C=strength)`, whose biases bear no penalty either. `start` only saves time.
pub(super) fn train(problem: &Problem<'_>, strength: f64, until: Until, start: Option<&Linear>) -> Linear {
    let (classes, width) = (problem.classes, problem.rows.width());
    let total: f64 = problem.members.iter().map(|&clip| problem.weights[clip]).sum();
    let penalty = 1.0 / (strength * total);
    // What all clips have in common is left to the biases, which bear no penalty: the same head, found in fewer steps.
    let mut mean = vec![0.0; width];
    for &clip in problem.members {
        add_scaled(&mut mean, problem.weights[clip] / total, problem.rows.row(clip));
    }
    let shifted = |weights: &[f64], biases: &[f64], by: f64| -> Vec<f64> {
        let of = |(bias, row)| bias + by * dot(row, &mean);
        biases.iter().zip(weights.chunks(width.max(1))).map(of).collect()
    };
    let start = start.map_or_else(
        || vec![0.0; classes * (width + 1)],
        |linear| {
            let mut weights: Vec<f64> = linear.weights.iter().flatten().copied().collect();
            weights.extend(shifted(&weights, &linear.biases, 1.0));
            weights
        },
    );
    let mut logits = vec![0.0; classes];
    let found = minimise(start, until, |x, gradient| {
        let (weights, biases) = x.split_at(classes * width);
        let biases = shifted(weights, biases, -1.0);
        let (by_weights, by_biases) = gradient.split_at_mut(classes * width);
        by_weights.iter_mut().zip(weights).for_each(|(g, w)| *g = penalty * w);
        by_biases.fill(0.0);
        let mut value = penalty * dot(weights, weights) / 2.0;
        for &clip in problem.members {
            let (row, own) = (problem.rows.row(clip), problem.truth[clip]);
            logits.copy_from_slice(problem.offsets.row(clip));
            for (class, logit) in logits.iter_mut().enumerate() {
                *logit += dot(&weights[class * width..(class + 1) * width], row) + biases[class];
            }
            let own_logit = logits[own];
            let share = problem.weights[clip] / total;
            value += share * (softmax(&mut logits) - own_logit);
            logits[own] -= 1.0;
            for (class, &error) in logits.iter().enumerate() {
                add_scaled(&mut by_weights[class * width..(class + 1) * width], share * error, row);
                by_biases[class] += share * error;
            }
        }
        for (class, &error) in by_biases.iter().enumerate() {
            add_scaled(&mut by_weights[class * width..(class + 1) * width], -error, &mean);
        }
        value
    });
    let (weights, biases) = found.split_at(classes * width);
    Linear { weights: Rows::from_flat(weights.to_vec(), width), biases: shifted(weights, biases, -1.0) }
}
