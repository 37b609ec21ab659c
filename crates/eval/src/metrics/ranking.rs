//! One class against the rest: how well its scores rank clips.

use super::normal::probit;
use super::rows::descending;

/// Average precision: the mean, over the positives, of the precision at their score.
///
/// The definition of scikit-learn's `average_precision_score`, sum of (R_n - R_(n-1)) P_n without interpolation;
/// equal scores are one threshold. `None` without a positive.
#[must_use]
pub fn average_precision(scores: &[f32], positive: &[bool]) -> Option<f64> {
    Ranking::new(scores, positive).average_precision(|_| 1.0)
}

/// Area under the ROC curve: how often a positive scores above a negative, where equal scores count half.
/// `None` without a positive or without a negative.
#[must_use]
pub fn roc_auc(scores: &[f32], positive: &[bool]) -> Option<f64> {
    Ranking::new(scores, positive).roc_auc()
}

/// d' = sqrt(2) probit(AUC): how many standard deviations apart positives and negatives are, if both were normal with
/// equal variance (Hershey et al., "CNN architectures for large-scale audio classification", 2017). `None` where it
/// is not finite, at AUC 0 and 1.
#[must_use]
pub fn d_prime(auc: f64) -> Option<f64> {
    Some(std::f64::consts::SQRT_2 * probit(auc)).filter(|d| d.is_finite())
}

/// Clips by falling score, in groups of equal score.
pub(super) struct Ranking {
    /// The clip and whether it is positive.
    order: Vec<(usize, bool)>,
    /// Where each group of equal scores ends in `order`.
    ends: Vec<usize>,
}

impl Ranking {
    /// Ranks clips; what one list has more than the other is left out.
    pub(super) fn new(scores: &[f32], positive: &[bool]) -> Self {
        let mut clips: Vec<(usize, f32, bool)> =
            scores.iter().zip(positive).enumerate().map(|(clip, (&s, &p))| (clip, s, p)).collect();
        clips.sort_by(|a, b| descending(a.1, b.1));
        let ends = (1..=clips.len()).filter(|&i| i == clips.len() || clips[i].1 != clips[i - 1].1).collect();
        Self { order: clips.into_iter().map(|(clip, _, p)| (clip, p)).collect(), ends }
    }

    /// Average precision where each clip counts `weight` times.
    pub(super) fn average_precision(&self, weight: impl Fn(usize) -> f64) -> Option<f64> {
        let (mut hits, mut seen, mut sum, mut start) = (0.0, 0.0, 0.0, 0);
        for &end in &self.ends {
            let before = hits;
            for &(clip, positive) in &self.order[start..end] {
                let weight = weight(clip);
                seen += weight;
                hits += if positive { weight } else { 0.0 };
            }
            if hits > before {
                sum += (hits - before) * (hits / seen);
            }
            start = end;
        }
        (hits > 0.0).then(|| sum / hits)
    }

    fn roc_auc(&self) -> Option<f64> {
        let positives = self.order.iter().filter(|c| c.1).count();
        let negatives = self.order.len() - positives;
        if positives == 0 || negatives == 0 {
            return None;
        }
        // Pairs in which the positive is above, counted in halves so that the sum stays exact.
        let (mut halves, mut above, mut start) = (0_u64, 0_u64, 0);
        for &end in &self.ends {
            let here = self.order[start..end].iter().filter(|c| c.1).count() as u64;
            halves += ((end - start) as u64 - here) * (2 * above + here);
            above += here;
            start = end;
        }
        Some(halves as f64 / 2.0 / positives as f64 / negatives as f64)
    }
}
