//! From windows to the probability of each label over time.

use std::ops::Range;

use earmark_encoder::{Detect, Manifest, Scores, dot, normalise};

use super::Heard;
use super::floor::running_median;
use super::options::length_samples;
use crate::Span;
use crate::labels::EncodedLabels;
use crate::readout::Line;

/// Scores over time: one row a label, one column a window.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreTrack {
    /// Start and end of the stretch that each column stands for, seconds; they meet.
    pub cells: Vec<(f64, f64)>,
    /// Independent probabilities, `[labels][windows]`.
    pub rows: Vec<Vec<f32>>,
    /// Each label's own threshold.
    pub thresholds: Vec<f32>,
    /// How far high scores reach beyond the sound at each end, seconds.
    pub reach_s: f64,
}

/// How far high scores reach beyond a sound, in windows, for models without `[detect]`: a window hears a
/// sound once about 0.3 of it lies within, which is when its centre is 0.2 windows outside. Measured with the
/// first `mini` on the recordings of index-data/events.csv, whose onsets and ends then come out within 0.35
/// s; 0.5 s without.
pub const EDGE_REACH: f64 = 0.2;

/// Probabilities of each label over time, from its cosines with the windows (`near`) and the contexts
/// (`far`), each `[labels][windows]`; `compared` are the labels' vectors as they were compared.
pub(super) fn score_track(
    manifest: &Manifest,
    heard: &Heard,
    near: Vec<Vec<f32>>,
    far: Vec<Vec<f32>>,
    labels: &EncodedLabels,
    compared: &[Vec<f32>],
) -> ScoreTrack {
    let lines = &labels.readout.lines;
    let rate = f64::from(manifest.front_end.sample_rate());
    let length_s = length_samples(manifest) as f64 / rate;
    let windows = &heard.windows;
    let centres: Vec<f64> = windows.iter().map(|s| s.start_s + length_s / 2.0).collect();
    let (rows, reach) = match &manifest.detect {
        None => {
            let independent =
                |(row, line): (Vec<f32>, &Line)| row.iter().map(|&c| line.independent(c)).collect();
            (near.into_iter().zip(lines).map(independent).collect(), EDGE_REACH)
        }
        Some(detect) => {
            let are_fitted = are_fitted(&manifest.scores, labels);
            let around = covering(windows, &heard.contexts);
            let hop_s = windows.get(1).map_or(length_s, |next| next.start_s - windows[0].start_s);
            let half = (detect.floor_window_s / 2.0 / hop_s).round() as usize;
            let both = near.iter().zip(&far);
            let rows = if are_fitted {
                both.zip(lines).map(|((near, far), line)| fitted(near, far, &around, line)).collect()
            } else {
                let scores: Vec<Vec<f32>> =
                    both.map(|(near, far)| two_scales(near, far, &around, detect)).collect();
                let of_label = |label: usize| {
                    let own = &compared[label];
                    let alike: Vec<f32> = compared.iter().map(|other| dot(other, own).max(0.0)).collect();
                    probabilities(&scores, label, &alike, detect, half)
                };
                (0..scores.len()).map(of_label).collect()
            };
            (rows, detect.reach)
        }
    };
    ScoreTrack {
        cells: cells(&centres, heard.duration_s),
        rows,
        thresholds: lines.iter().map(|line| line.threshold).collect(),
        reach_s: reach * length_s,
    }
}

/// Whether the labels were fitted to clips: the model's own lines are not theirs.
pub(super) fn are_fitted(scores: &Scores, labels: &EncodedLabels) -> bool {
    labels.readout.lines.iter().any(|line| *line != Line::of_model(scores))
}

/// The first `axes` components, scaled to unit length; zeros, which are like nothing, if those are all zero.
pub(super) fn cut(vector: &[f32], axes: Option<usize>) -> Vec<f32> {
    let Some(axes) = axes else { return vector.to_vec() };
    let mut cut = vector[..axes.min(vector.len())].to_vec();
    // What cannot be scaled is all zero, since embeddings are finite.
    let _ = normalise(&mut cut);
    cut
}

/// Which context windows cover the middle of each window's sound: one at least, if there are any.
pub(crate) fn covering(windows: &[Span], contexts: &[Span]) -> Vec<Range<usize>> {
    let mut first = 0;
    let middles = windows.iter().map(|window| f64::midpoint(window.start_s, window.end_s));
    middles
        .map(|t| {
            // Contexts start and end in order.
            while first + 1 < contexts.len() && contexts[first].end_s < t {
                first += 1;
            }
            let after = contexts[first..].iter().take_while(|context| context.start_s <= t).count();
            first..(first + after.max(1)).min(contexts.len())
        })
        .collect()
}

/// The best of a label's context scores around each window: a sound is whole in one of two overlapping
/// contexts and cut off in the other, and the whole one knows better what it is.
pub(crate) fn best<'a>(far: &'a [f32], around: &'a [Range<usize>]) -> impl Iterator<Item = f32> + 'a {
    around.iter().map(|contexts| far[contexts.clone()].iter().copied().fold(f32::NEG_INFINITY, f32::max))
}

/// A label's score at each window, from its cosines with detection windows (`near`) and contexts (`far`).
fn two_scales(near: &[f32], far: &[f32], around: &[Range<usize>], detect: &Detect) -> Vec<f32> {
    let share = detect.near_share;
    let both = near.iter().zip(best(far, around));
    both.map(|(near, far)| near.max(0.0).powf(share) * far.max(0.0).powf(1.0 - share)).collect()
}

/// The probability of a label at each window, from the scores of all labels and how alike each is to it (0 to 1). Where a
/// label like it scores more, it is the other that is heard.
fn probabilities(scores: &[Vec<f32>], label: usize, alike: &[f32], detect: &Detect, half: usize) -> Vec<f32> {
    let own = &scores[label];
    let floor = if detect.floor_max > 0.0 { running_median(own, half) } else { vec![0.0; own.len()] };
    let competes = |alike: f32| detect.rivalry > 0.0 && alike > 0.0;
    let rivals: Vec<_> = scores.iter().zip(alike).filter(|(_, alike)| competes(**alike)).collect();
    (0..own.len())
        .map(|at| {
            let more = rivals.iter().map(|(other, alike)| **alike * (other[at] - own[at]));
            let rival = more.fold(0.0, f32::max);
            let y = own[at] - floor[at].clamp(0.0, detect.floor_max) - detect.rivalry * rival;
            1.0 / (1.0 + (-(detect.scale * y + detect.bias)).exp())
        })
        .collect()
}

/// As [`two_scales`] for a fitted label: the geometric mean of its two calibrated probabilities, without a
/// floor.
fn fitted(near: &[f32], far: &[f32], around: &[Range<usize>], line: &Line) -> Vec<f32> {
    let both = near.iter().zip(best(far, around));
    both.map(|(&near, far)| (line.independent(near) * line.independent(far)).sqrt()).collect()
}

/// Stretches that meet halfway between centres; the first begins and the last ends with the sound.
pub(crate) fn cells(centres: &[f64], duration_s: f64) -> Vec<(f64, f64)> {
    let halfway = |i: usize| f64::midpoint(centres[i - 1], centres[i]).min(duration_s);
    (0..centres.len())
        .map(|i| {
            let start = if i == 0 { 0.0 } else { halfway(i) };
            let end = if i + 1 == centres.len() { duration_s } else { halfway(i + 1) };
            (start, end.max(start))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::detect_for_tests;

    fn span(start_s: f64, end_s: f64) -> Span {
        Span { start_s, end_s, vector: Vec::new() }
    }

    #[test]
    fn cells_cover_the_sound_and_meet() {
        let c = cells(&[0.5, 1.0, 1.5], 1.8);
        assert_eq!(c, [(0.0, 0.75), (0.75, 1.25), (1.25, 1.8)]);
        assert_eq!(cells(&[0.5], 0.1), [(0.0, 0.1)]);
        // The last window was moved back.
        assert_eq!(cells(&[0.5, 1.0, 1.25], 1.75), [(0.0, 0.75), (0.75, 1.125), (1.125, 1.75)]);
    }

    #[test]
    fn contexts_cover_the_middle_of_a_window() {
        let contexts = [span(0.0, 5.0), span(2.5, 7.5), span(5.0, 10.0), span(5.5, 10.5)];
        let windows = [span(0.0, 1.0), span(2.0, 3.0), span(4.5, 5.5), span(7.2, 8.2), span(9.6, 10.5)];
        assert_eq!(covering(&windows, &contexts), [0..1, 0..2, 0..3, 2..4, 3..4]);
        assert_eq!(covering(&windows[..1], &contexts[..1]), vec![0..1; 1]);
        assert_eq!(covering(&windows[..1], &[span(0.0, 0.2)]), vec![0..1; 1], "the only one, even so");
    }

    #[test]
    fn a_label_must_be_present_and_plausible() {
        // Near alone, far alone, both, neither, and cosines below zero.
        let (near, far) = ([0.64, 0.0, 0.64, 0.0, -0.5], [0.0, 0.49, 0.49, 0.0, -0.5]);
        let around: Vec<_> = (0..5).map(|i| i..i + 1).collect();
        let x = two_scales(&near, &far, &around, &detect_for_tests());
        for (at, expected) in [0.0, 0.0, 0.8 * 0.7, 0.0, 0.0].into_iter().enumerate() {
            assert!((x[at] - expected).abs() < 1e-6, "{at}: {x:?}");
        }
        let leaning = Detect { near_share: 0.25, ..detect_for_tests() };
        let x = two_scales(&[0.0001], &[0.0001], &around, &leaning);
        assert!((x[0] - 0.0001).abs() < 1e-9, "{x:?}");
        let x = two_scales(&[0.0016], &[1.0], &around, &leaning);
        assert!((x[0] - 0.2).abs() < 1e-6, "the fourth root of the detection window's: {x:?}");
    }

    #[test]
    fn of_labels_that_are_alike_the_one_that_scores_more_is_heard() {
        let detect = Detect { rivalry: 2.0, ..detect_for_tests() };
        let sigmoid = |y: f32| 1.0 / (1.0 + (2.0 - 10.0 * y).exp());
        let scores = [vec![0.5], vec![0.7], vec![0.9]];
        // The second label is half like the first, the third not at all.
        let p = probabilities(&scores, 0, &[1.0, 0.5, 0.0], &detect, 0);
        assert!((p[0] - sigmoid(0.5 - 0.3 - 2.0 * 0.5 * 0.2)).abs() < 1e-6, "{p:?}");
        let p = probabilities(&scores, 1, &[0.5, 1.0, 0.0], &detect, 0);
        assert!((p[0] - sigmoid(0.7 - 0.3)).abs() < 1e-6, "the one that scores more loses nothing: {p:?}");
    }

    #[test]
    fn the_floor_is_taken_off_up_to_its_limit() {
        // A hum of 0.2 with a louder moment, then a lasting 0.9.
        let x = [0.2, 0.2, 0.6, 0.2, 0.2];
        let around: Vec<_> = (0..5).map(|i| i..i + 1).collect();
        let sigmoid = |y: f32| 1.0 / (1.0 + (2.0 - 10.0 * y).exp());
        let heard = |x: &[f32]| {
            let scores = [two_scales(x, x, &around, &detect_for_tests())];
            probabilities(&scores, 0, &[1.0], &detect_for_tests(), 10)
        };
        let p = heard(&x);
        assert!((p[2] - sigmoid(0.4)).abs() < 1e-6 && (p[0] - sigmoid(0.0)).abs() < 1e-6, "{p:?}");
        let p = heard(&[0.9; 5]);
        assert!((p[0] - sigmoid(0.9 - 0.3)).abs() < 1e-6, "a lasting sound is still heard: {p:?}");
    }

    #[test]
    fn of_the_contexts_around_a_window_the_best_counts() {
        assert_eq!(best(&[0.1, 0.7, 0.3], &[0..1, 0..2, 1..3]).collect::<Vec<_>>(), [0.1, 0.7, 0.7]);
    }

    #[test]
    fn a_fitted_label_goes_by_its_own_line_at_both_scales() {
        let line =
            Line { scale: 1.0, bias: 0.0, independent_scale: 10.0, independent_bias: -4.0, threshold: 0.5 };
        let p = fitted(&[0.6, 0.6], &[0.3], &[0..1, 0..1], &line);
        assert!(p[0] == p[1] && (p[0] - (line.independent(0.6) * line.independent(0.3)).sqrt()).abs() < 1e-6);
    }

    #[test]
    fn vectors_are_cut_to_the_axes_that_are_compared() {
        assert_eq!(cut(&[0.6, 0.0, 0.8], Some(2)), [1.0, 0.0]);
        assert_eq!(cut(&[0.6, 0.0, 0.8], None), [0.6, 0.0, 0.8]);
        assert_eq!(cut(&[0.0, 0.0, 1.0], Some(2)), [0.0, 0.0]);
    }
}
