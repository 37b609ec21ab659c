//! When the answer is "none of these": one limit on the logit of the best label, for all labels together.
//!
//! Each held-out clip is scored twice. As it is, the best label should be accepted. Without the label of its
//! own class it is a sound that no label fits, and should be refused. The limit is the one with the fewest
//! wrong answers, if one sound in ten fits no label ([`UNKNOWN_SHARE`]). A wrong label, a label for a sound
//! that none fits and "none of these" for a clip that a label fits cost the same, so that refusing a clip
//! only because it is doubtful gains nothing.
//!
//! A logit tells sounds that no label fits better than the softmax's probability does, which is high for any
//! sound where there are few labels: of `mini`'s 11 drums by 8 examples each, 61 % of the hits were answered
//! rightly by either, and 94 % of other sounds were refused by the logit, 78 % by the probability.

use super::rows::Rows;

/// Share of the sounds that are taken to fit no label.
const UNKNOWN_SHARE: f64 = 0.1;

/// Sums of weights that differ by less are equal.
const EQUAL: f64 = 1e-9;

/// The place of the highest value.
pub(super) fn best(values: &[f64]) -> Option<usize> {
    (0..values.len()).rev().max_by(|&a, &b| values[a].total_cmp(&values[b]))
}

/// The highest value, but not that of `left_out`.
pub(super) fn best_without(values: &[f64], left_out: usize) -> f64 {
    let others = values.iter().enumerate().filter(|(place, _)| *place != left_out);
    others.map(|(_, &value)| value).fold(f64::NEG_INFINITY, f64::max)
}

/// What the limit passes as it rises.
struct Step {
    logit: f64,
    /// Weight of a clip that would be answered rightly.
    right: f64,
    /// Weight of a sound that no label fits.
    unknown: f64,
}

/// The logit that the best label must reach; `None` where the fewest answers are wrong without a limit.
///
/// - `logits`: `[clips][classes]`, of clips that were held out
/// - `truth`: the class of each clip
/// - `weights`: how much each clip counts
/// - `least_right`: weight of the clips that must still be answered rightly, as far as their best labels are
///   right
pub(super) fn limit(logits: &Rows, truth: &[usize], weights: &[f64], least_right: f64) -> Option<f64> {
    let mut steps = Vec::with_capacity(2 * logits.len());
    for ((row, &own), &weight) in logits.iter().zip(truth).zip(weights) {
        let best = best(row)?;
        let right = if best == own { weight } else { 0.0 };
        steps.push(Step { logit: row[best], right, unknown: 0.0 });
        steps.push(Step { logit: best_without(row, own), right: 0.0, unknown: weight });
    }
    steps.sort_by(|a, b| a.logit.total_cmp(&b.logit));
    let mut right: f64 = steps.iter().map(|step| step.right).sum();
    let mut unknown: f64 = steps.iter().map(|step| step.unknown).sum();
    let risk = |right: f64, unknown: f64| UNKNOWN_SHARE * unknown - (1.0 - UNKNOWN_SHARE) * right;
    let (mut least, mut limit) = (risk(right, unknown), None);
    for pair in steps.windows(2) {
        right -= pair[0].right;
        unknown -= pair[0].unknown;
        if right < least_right - EQUAL {
            break;
        }
        let here = risk(right, unknown);
        if pair[0].logit < pair[1].logit && here < least - EQUAL {
            (least, limit) = (here, Some(f64::midpoint(pair[0].logit, pair[1].logit)));
        }
    }
    limit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit_of(rows: &[[f64; 3]], truth: &[usize], least_right: f64) -> Option<f64> {
        let logits = Rows::from_flat(rows.concat(), 3);
        limit(&logits, truth, &vec![1.0; truth.len()], least_right)
    }

    #[test]
    fn it_lies_between_the_classes_own_clips_and_those_of_classes_left_out() {
        // Best with their own label: 5, 6, 7; without it: 1, 2, 0.5.
        let rows = [[5.0, 1.0, 0.0], [2.0, 6.0, -1.0], [0.0, 0.5, 7.0]];
        assert_eq!(limit_of(&rows, &[0, 1, 2], 0.0), Some(3.5));
    }

    #[test]
    fn a_clip_whose_best_label_is_wrong_is_no_reason_to_refuse() {
        // The third clip is doubtful and wrong; without its own label it is the same as with it.
        let rows = [[5.0, 4.5, 0.0], [4.5, 6.0, -1.0], [4.6, 0.5, 4.4]];
        assert_eq!(limit_of(&rows, &[0, 1, 2], 0.0), Some(4.8));
        let apart = [[5.0, 5.5, 0.0], [5.5, 6.0, -1.0], [7.0, 0.5, 0.4]];
        assert_eq!(limit_of(&apart, &[1, 1, 2], 0.0), Some(5.25), "5.0 is refused, 5.5 and 6 are not");
    }

    #[test]
    fn a_right_answer_weighs_nine_times_a_refused_sound() {
        // Nine sounds between 2 and 3 would be refused by giving up the right answer at 1.
        let between = |n: usize| -> (Vec<[f64; 3]>, Vec<usize>) {
            let mut rows = vec![[1.0, 0.0, 0.0]];
            rows.extend((0..n).map(|i| [9.0, 2.0 + i as f64 / 100.0, 0.0]));
            (rows, vec![0; n + 1])
        };
        let (rows, truth) = between(8);
        assert_eq!(limit_of(&rows, &truth, 0.0), Some(0.5));
        let (rows, truth) = between(10);
        assert!(limit_of(&rows, &truth, 0.0).is_some_and(|limit| limit > 2.09), "{rows:?}");
        assert_eq!(
            limit_of(&rows, &truth, 11.0),
            Some(0.5),
            "unless words alone would answer all 11 rightly"
        );
    }

    #[test]
    fn without_anything_to_gain_there_is_none() {
        // Without their own labels clips score higher than the others do with theirs.
        assert_eq!(limit_of(&[[2.0, 1.9, 0.0], [1.95, 2.0, 0.0]], &[1, 0], 0.0), None);
        assert_eq!(limit(&Rows::zeros(0, 2), &[], &[], 0.0), None);
    }

    #[test]
    fn the_first_of_equals_is_the_best() {
        assert_eq!(best(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(best(&[]), None);
        assert!((best_without(&[1.0, 3.0, 2.0], 1) - 2.0).abs() < 1e-12);
    }
}
