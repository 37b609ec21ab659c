//! Any number of labels a clip.

use crate::report::{ClassResult, ClipResult, Interval, MultiLabel};

use super::classification::class_result;
use super::ranking::{Ranking, average_precision, d_prime, roc_auc};
use super::rows::{check, first_highest, in_range, same_length, worst};
use super::{MetricError, bootstrap, calibration};

/// Macro mAP with its bootstrap interval over clips. `scores`: a row a clip, a column a class; `truth`: the classes
/// of each clip. Classes without a positive clip take no part, in the figure and in each resample.
///
/// # Errors
/// Rows and truth that do not fit, scores that are not finite, no positive at all.
pub fn macro_map(scores: &[Vec<f32>], truth: &[Vec<usize>]) -> Result<Interval, MetricError> {
    let columns = Columns::new(scores, truth)?;
    let rankings: Vec<Ranking> = (0..columns.classes)
        .map(|class| Ranking::new(&columns.scores(class), columns.positive(class)))
        .collect();
    let figure =
        |weight: &dyn Fn(usize) -> f64| mean(rankings.iter().filter_map(|r| r.average_precision(weight)));
    let value = figure(&|_| 1.0).ok_or(MetricError::Empty("no clip has a label"))?;
    Ok(bootstrap::interval(value, scores.len(), |drawn| figure(&|clip| f64::from(drawn[clip]))))
}

/// All figures of several labels a clip.
///
/// - `classes`: names, one a column
/// - `clips`: files or names, one a row; they come back in the list of the worst
/// - `probabilities`: independent ones, a row a clip
/// - `truth`: the classes of each clip
/// - `threshold`: from which probability a label counts as given, in precision, recall and F1
///
/// # Errors
/// Lists that do not fit each other, probabilities that are not finite, no positive at all.
pub fn multi_label(
    classes: &[String],
    clips: &[String],
    probabilities: &[Vec<f32>],
    truth: &[Vec<usize>],
    threshold: f32,
) -> Result<MultiLabel, MetricError> {
    let columns = Columns::new(probabilities, truth)?;
    same_length("names of classes", columns.classes, classes.len())?;
    same_length("names of clips", truth.len(), clips.len())?;
    let rows: Vec<ClassResult> = classes
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let (scores, positive) = (columns.scores(class), columns.positive(class));
            let called = |&(&score, _): &(&f32, &bool)| score >= threshold;
            let given: Vec<bool> = scores.iter().zip(positive).filter(called).map(|(_, &p)| p).collect();
            let hits = given.iter().filter(|&&p| p).count();
            let support = positive.iter().filter(|&&p| p).count();
            ClassResult {
                average_precision: average_precision(&scores, positive),
                auc: roc_auc(&scores, positive),
                ..class_result(name, hits, given.len(), support)
            }
        })
        .collect();
    // A class without positives, or without negatives, has no curve and takes no part.
    let macro_auc = mean(rows.iter().filter_map(|c| c.auc));
    let own = |clip: usize| columns.of_clip(clip);
    let quality = |clip: usize| average_precision(&probabilities[clip], &own(clip)).unwrap_or(1.0);
    let labelled = (0..clips.len()).filter(|&clip| !truth[clip].is_empty());
    let listed = worst(labelled, quality).into_iter().map(|clip| {
        let row = &probabilities[clip];
        let best = first_highest(row);
        let own = own(clip);
        let labels: Vec<usize> = (0..classes.len()).filter(|&class| own[class]).collect();
        let names: Vec<&str> = labels.iter().map(|&class| classes[class].as_str()).collect();
        let least = labels.iter().map(|&class| row[class]).fold(f32::INFINITY, f32::min);
        ClipResult {
            path: clips[clip].clone(),
            expected: names.join(", "),
            predicted: classes[best].clone(),
            probability: f64::from(row[best]),
            expected_probability: f64::from(least),
        }
    });
    Ok(MultiLabel {
        macro_map: macro_map(probabilities, truth)?,
        macro_auc,
        d_prime: macro_auc.and_then(d_prime),
        threshold: f64::from(threshold),
        worst: listed.collect(),
        calibration: calibration::independent(probabilities, |clip, class| columns.positive(class)[clip]),
        classes: rows,
    })
}

/// Scores and truth, a class at a time.
struct Columns<'a> {
    rows: &'a [Vec<f32>],
    classes: usize,
    /// `[class][clip]`
    positive: Vec<Vec<bool>>,
}

impl<'a> Columns<'a> {
    fn new(rows: &'a [Vec<f32>], truth: &[Vec<usize>]) -> Result<Self, MetricError> {
        same_length("rows of scores", truth.len(), rows.len())?;
        let classes = rows.first().ok_or(MetricError::Empty("no clip"))?.len();
        check(rows, classes)?;
        let mut positive = vec![vec![false; rows.len()]; classes];
        for (clip, labels) in truth.iter().enumerate() {
            for &class in labels {
                in_range("class", classes, class)?;
                positive[class][clip] = true;
            }
        }
        Ok(Self { rows, classes, positive })
    }

    fn scores(&self, class: usize) -> Vec<f32> {
        self.rows.iter().map(|row| row[class]).collect()
    }

    fn positive(&self, class: usize) -> &[bool] {
        &self.positive[class]
    }

    fn of_clip(&self, clip: usize) -> Vec<bool> {
        self.positive.iter().map(|class| class[clip]).collect()
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / count as f64)
}
