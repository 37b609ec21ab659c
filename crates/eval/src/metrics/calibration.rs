//! How far probabilities can be believed.

use crate::report::{Calibration, ReliabilityBin};

use super::rows::first_highest;

/// Bins of the reliability diagram, as in Guo et al., "On calibration of modern neural networks", 2017.
const BINS: usize = 15;

/// What a probability of 0 counts as in a logarithm, as in scikit-learn's `log_loss`.
const LEAST: f64 = f64::EPSILON;

/// Reliability with one label a clip. What a row lacks to 1 is the probability of "none of these", which is never
/// right.
pub(super) fn single(probabilities: &[Vec<f32>], truth: &[usize]) -> Calibration {
    let mut bins = Bins::default();
    let (mut brier, mut nll) = (0.0, 0.0);
    for (row, &own) in probabilities.iter().zip(truth) {
        let best = first_highest(row);
        bins.add(f64::from(row[best]), best == own);
        let none = (1.0 - row.iter().map(|&p| f64::from(p)).sum::<f64>()).max(0.0);
        let distance = |(i, &p): (usize, &f32)| (f64::from(p) - f64::from(u8::from(i == own))).powi(2);
        brier += none * none + row.iter().enumerate().map(distance).sum::<f64>();
        nll -= f64::from(row[own]).max(LEAST).ln();
    }
    let clips = truth.len() as f64;
    bins.calibration(brier / clips, nll / clips)
}

/// Reliability of independent probabilities: each pair of clip and class is one case, which is right where the clip
/// has the class.
pub(super) fn independent(
    probabilities: &[Vec<f32>],
    positive: impl Fn(usize, usize) -> bool,
) -> Calibration {
    let mut bins = Bins::default();
    let (mut brier, mut nll, mut cases) = (0.0, 0.0, 0.0);
    for (clip, row) in probabilities.iter().enumerate() {
        for (class, &p) in row.iter().enumerate() {
            let (p, right) = (f64::from(p), positive(clip, class));
            bins.add(p, right);
            brier += (p - f64::from(u8::from(right))).powi(2);
            nll -= (if right { p } else { 1.0 - p }).max(LEAST).ln();
            cases += 1.0;
        }
    }
    bins.calibration(brier / cases, nll / cases)
}

/// Cases by probability, in bins of equal width; each takes its upper edge, the first one also 0.
#[derive(Default)]
struct Bins([(f64, usize, usize); BINS]);

impl Bins {
    fn add(&mut self, probability: f64, right: bool) {
        let bin = (1..BINS).filter(|&edge| probability > edge as f64 / BINS as f64).count();
        let (sum, hits, count) = &mut self.0[bin];
        *sum += probability;
        *hits += usize::from(right);
        *count += 1;
    }

    fn calibration(self, brier: f64, nll: f64) -> Calibration {
        let cases: usize = self.0.iter().map(|b| b.2).sum();
        let bins: Vec<ReliabilityBin> = self
            .0
            .into_iter()
            .filter(|b| b.2 > 0)
            .map(|(sum, hits, count)| {
                let n = count as f64;
                ReliabilityBin { confidence: sum / n, accuracy: hits as f64 / n, count }
            })
            .collect();
        let gap = |b: &ReliabilityBin| (b.confidence - b.accuracy).abs() * b.count as f64 / cases as f64;
        Calibration { ece: bins.iter().map(gap).sum(), brier, nll, bins }
    }
}
