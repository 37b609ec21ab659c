//! When the answer is "none of these": one limit on the logit of the best label, for all labels together.
//!
//! Each held-out clip is scored twice. As it is, the best label should be accepted. Without the label of its
//! own class it is a sound that no label fits, and should be refused. A sigmoid says how probable it is that
//! a sound with a given best logit is answered rightly, and the limit is where refusing it becomes the better
//! bet, if one sound in ten fits no label ([`UNKNOWN_SHARE`]). A wrong label, a label for a sound that none
//! fits and "none of these" for a clip that a label fits cost the same, so that refusing a clip only because
//! it is doubtful gains nothing.
//!
//! A few clips say little about how low a right answer may score: between the lowest of `n` and the unknown
//! sounds the clips themselves know no best place, and about one clip in `n + 1` will score lower still. So
//! the limit is not put in the middle of that gap. Platt's targets make the sigmoid flat where there are few
//! clips, which keeps the limit close to the unknown sounds, and lets it rise as clips come in.
//!
//! A logit tells sounds that no label fits better than the softmax's probability does, which is high for any
//! sound where there are few labels: of `mini`'s 11 drums by 8 examples each, 61 % of the hits were answered
//! rightly by either, and 94 % of other sounds were refused by the logit, 78 % by the probability.

use super::calibrate::weighted_platt;
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

/// The logit that the best label must reach; `None` where the clips give no reason to refuse any.
///
/// - `logits`: `[clips][classes]`, of clips that were held out
/// - `truth`: the class of each clip
/// - `weights`: how much each clip counts
/// - `least_unknown`: the least that a sound which no label fits scores
/// - `least_right`: weight of the clips that must still be answered rightly, as far as their best labels are
///   right
pub(super) fn limit(
    logits: &Rows,
    truth: &[usize],
    weights: &[f64],
    least_unknown: f64,
    least_right: f64,
) -> Option<f64> {
    // Logits and weights of right answers, the lowest first, and of sounds that no label fits.
    let (mut right, mut unknown) = (Vec::new(), Vec::new());
    for ((row, &own), &weight) in logits.iter().zip(truth).zip(weights) {
        let best = best(row)?;
        if best == own {
            right.push((row[best], weight));
        }
        unknown.push((best_without(row, own).max(least_unknown), weight));
    }
    right.sort_by(|a, b| a.0.total_cmp(&b.0));
    let is_right: Vec<bool> = (0..right.len() + unknown.len()).map(|i| i < right.len()).collect();
    let (scores, weights): (Vec<f64>, Vec<f64>) = right.iter().chain(&unknown).copied().unzip();
    let sigmoid = weighted_platt(&scores, &is_right, &weights)?;
    let odds = (UNKNOWN_SHARE / (1.0 - UNKNOWN_SHARE)).ln();
    let limit = (odds - sigmoid.bias) / sigmoid.slope;
    Some(limit.min(highest_with(&right, least_right)))
}

/// The highest limit that still accepts `least` of the answers, which are logits with weights, the lowest
/// first.
fn highest_with(answers: &[(f64, f64)], least: f64) -> f64 {
    let mut accepted: f64 = answers.iter().map(|(_, weight)| weight).sum();
    for &(logit, weight) in answers {
        accepted -= weight;
        if accepted < least - EQUAL {
            return logit;
        }
    }
    f64::INFINITY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit_of(rows: &[[f64; 3]], truth: &[usize], least_right: f64) -> Option<f64> {
        let logits = Rows::from_flat(rows.concat(), 3);
        limit(&logits, truth, &vec![1.0; truth.len()], f64::NEG_INFINITY, least_right)
    }

    /// Clips of one class: own logits around 10, those without their own label around 2, each spread by 1.
    fn apart(n: usize) -> (Vec<[f64; 3]>, Vec<usize>) {
        let spread = |i: usize| (i % 5) as f64 / 2.0 - 1.0;
        ((0..n).map(|i| [10.0 + spread(i), 2.0 + spread(i), 0.0]).collect(), vec![0; n])
    }

    #[test]
    fn few_clips_put_it_near_the_unknown_sounds_and_more_raise_it() {
        let of = |n| {
            let (rows, truth) = apart(n);
            limit_of(&rows, &truth, 0.0).unwrap()
        };
        let (few, some, many) = (of(5), of(20), of(500));
        assert!(few < some && some < many, "{few} {some} {many}");
        assert!(
            (2.0..4.5).contains(&some),
            "{some}: 9 is the lowest right answer, 3 the highest unknown sound"
        );
        assert!((3.0..7.0).contains(&many), "{many}");
    }

    #[test]
    fn a_clip_whose_best_label_is_wrong_is_no_reason_to_refuse_or_to_accept() {
        let (mut rows, mut truth) = apart(20);
        let without = limit_of(&rows, &truth, 0.0).unwrap();
        // As unknown sounds, the same as the others; as they are, wrong.
        rows.extend([[0.0, 2.0, 1.0], [0.0, 2.0, 1.0]]);
        truth.extend([0, 0]);
        assert!((limit_of(&rows, &truth, 0.0).unwrap() - without).abs() < 0.5);
    }

    #[test]
    fn a_right_answer_weighs_nine_times_a_refused_sound() {
        // At 5 there are as many right answers as unknown sounds, at 2 one to twenty.
        let mut rows = Vec::new();
        let mut add = |n: usize, own: f64, other: f64| rows.extend(vec![[own, other, 0.0]; n]);
        add(20, 8.0, 2.0);
        add(20, 5.0, 2.0);
        add(20, 8.0, 5.0);
        add(2, 2.5, 2.0);
        let truth = vec![0; rows.len()];
        let limit = limit_of(&rows, &truth, 0.0).unwrap();
        assert!((2.0..5.0).contains(&limit), "{limit}");
    }

    #[test]
    fn it_leaves_as_many_right_answers_as_the_words_alone_give() {
        let mut rows = vec![[2.5, 0.0, 0.0]];
        rows.extend((0..60).map(|_| [12.0, 4.0, 0.0]));
        let truth = vec![0; rows.len()];
        assert!(limit_of(&rows, &truth, 0.0).unwrap() > 2.5);
        assert_eq!(limit_of(&rows, &truth, 61.0), Some(2.5));
        assert!(limit_of(&rows, &truth, 60.0).unwrap() > 2.5, "words alone answer one less rightly");
    }

    #[test]
    fn clips_count_by_their_weights() {
        let rows = [[6.0, 2.0], [9.0, 5.0]];
        let weighted = |weights: [f64; 2]| {
            let logits = Rows::from_flat((0..10).flat_map(|_| rows.concat()).collect(), 2);
            limit(&logits, &[0; 20], &weights.repeat(10), f64::NEG_INFINITY, 0.0).unwrap()
        };
        assert!(weighted([1.8, 0.2]) < weighted([0.2, 1.8]));
        let twice = Rows::from_flat((0..20).flat_map(|_| rows.concat()).collect(), 2);
        let once = weighted([2.0, 2.0]);
        assert!((limit(&twice, &[0; 40], &[1.0; 40], f64::NEG_INFINITY, 0.0).unwrap() - once).abs() < 1e-6);
    }

    #[test]
    fn unknown_sounds_score_no_less_than_the_head_gives_a_sound_like_none_of_the_clips() {
        let logits = Rows::from_flat(vec![[3.0, -3.0]; 20].concat(), 2);
        let of = |least_unknown| limit(&logits, &[0; 20], &[1.0; 20], least_unknown, 0.0).unwrap();
        assert!(of(f64::NEG_INFINITY) < 0.0 && of(0.0) > 0.0);
    }

    #[test]
    fn without_anything_to_gain_there_is_none() {
        // Without their own labels clips score as high as the others do with theirs.
        assert_eq!(limit_of(&[[2.0, 2.0, 0.0], [2.0, 2.0, 0.0]], &[0, 0], 0.0), None);
        // No best label is right.
        assert_eq!(limit_of(&[[2.0, 1.0, 0.0]], &[1], 0.0), None);
        assert_eq!(limit(&Rows::zeros(0, 2), &[], &[], f64::NEG_INFINITY, 0.0), None);
    }

    #[test]
    fn the_first_of_equals_is_the_best() {
        assert_eq!(best(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(best(&[]), None);
        assert!((best_without(&[1.0, 3.0, 2.0], 1) - 2.0).abs() < 1e-12);
    }
}
