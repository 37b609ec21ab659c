//! One label a clip.

use crate::report::{Accuracy, Answers, ClassResult, Classification, ClipResult};

use super::ranking::{average_precision, roc_auc};
use super::rows::{check, first_highest, in_range, rank, same_length, worst};
use super::{MetricError, calibration, wilson};

/// Top-1 and top-5 accuracy. `probabilities` (or any scores): a row a clip, a column a class; `truth`: the class of
/// each clip. Among equal scores the class that comes first is before.
///
/// # Errors
/// Rows and truth that do not fit, scores that are not finite, no clips.
pub fn accuracy(probabilities: &[Vec<f32>], truth: &[usize]) -> Result<Accuracy, MetricError> {
    let classes = width(probabilities, truth)?;
    let ranks: Vec<usize> = probabilities.iter().zip(truth).map(|(row, &own)| rank(row, own)).collect();
    let within = |k| wilson(ranks.iter().filter(|&&r| r <= k).count(), ranks.len());
    Ok(Accuracy { top1: within(1), top5: (classes > 5).then(|| within(5)) })
}

/// `[true class][predicted class]`, clips. Arguments and errors as of [`accuracy`].
///
/// # Errors
/// See [`accuracy`].
pub fn confusion(probabilities: &[Vec<f32>], truth: &[usize]) -> Result<Vec<Vec<u32>>, MetricError> {
    let classes = width(probabilities, truth)?;
    let mut matrix = vec![vec![0_u32; classes]; classes];
    for (row, &own) in probabilities.iter().zip(truth) {
        matrix[own][first_highest(row)] += 1;
    }
    Ok(matrix)
}

/// How often the best label is right and accepted, and how often it is not accepted, which is "none of these". `accepted`: one
/// a clip. Other arguments and errors as of [`accuracy`].
///
/// # Errors
/// See [`accuracy`].
pub fn answers(
    probabilities: &[Vec<f32>],
    truth: &[usize],
    accepted: &[bool],
) -> Result<Answers, MetricError> {
    width(probabilities, truth)?;
    same_length("answers", truth.len(), accepted.len())?;
    let clips = probabilities.iter().zip(truth).zip(accepted);
    let right = clips.filter(|((row, own), accepted)| **accepted && first_highest(row) == **own).count();
    let none = accepted.iter().filter(|accepted| !**accepted).count();
    Ok(Answers { right: wilson(right, truth.len()), none: none as f64 / truth.len() as f64 })
}

/// All figures of one label a clip.
///
/// - `classes`: names, one a column
/// - `clips`: files or names, one a row; they come back in the list of the worst
/// - `probabilities`: a row a clip; a row may sum to less than 1, the rest is "none of these"
/// - `truth`: the class of each clip
/// - `folds`: the fold of each clip, any numbers; gives the accuracy in each, by rising number
///
/// # Errors
/// Lists that do not fit each other, probabilities that are not finite, no clips.
pub fn classification(
    classes: &[String],
    clips: &[String],
    probabilities: &[Vec<f32>],
    truth: &[usize],
    folds: Option<&[usize]>,
) -> Result<Classification, MetricError> {
    let accuracy = accuracy(probabilities, truth)?;
    same_length("names of classes", probabilities[0].len(), classes.len())?;
    same_length("names of clips", truth.len(), clips.len())?;
    let confusion = confusion(probabilities, truth)?;
    let rows: Vec<ClassResult> = classes
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let scores: Vec<f32> = probabilities.iter().map(|row| row[class]).collect();
            let positive: Vec<bool> = truth.iter().map(|&own| own == class).collect();
            let called = confusion.iter().map(|row| row[class] as usize).sum();
            let support = positive.iter().filter(|&&p| p).count();
            ClassResult {
                average_precision: average_precision(&scores, &positive),
                auc: roc_auc(&scores, &positive),
                ..class_result(name, confusion[class][class] as usize, called, support)
            }
        })
        .collect();
    let present: Vec<f64> = rows.iter().filter(|c| c.support > 0).map(|c| c.recall).collect();
    let own = |clip: usize| f64::from(probabilities[clip][truth[clip]]);
    let best = |clip: usize| first_highest(&probabilities[clip]);
    // Clips that were rightly called with better than even odds are no news.
    let doubtful = (0..clips.len()).filter(|&clip| best(clip) != truth[clip] || own(clip) < 0.5);
    let listed = worst(doubtful, own).into_iter().map(|clip| {
        let best = best(clip);
        ClipResult {
            path: clips[clip].clone(),
            expected: classes[truth[clip]].clone(),
            predicted: classes[best].clone(),
            probability: f64::from(probabilities[clip][best]),
            expected_probability: own(clip),
        }
    });
    Ok(Classification {
        accuracy,
        answers: None,
        balanced_accuracy: present.iter().sum::<f64>() / present.len() as f64,
        worst: listed.collect(),
        calibration: calibration::single(probabilities, truth),
        folds: folds
            .map(|folds| fold_accuracies(probabilities, truth, folds))
            .transpose()?
            .unwrap_or_default(),
        classes: rows,
        confusion,
    })
}

/// Precision, recall and F1 from counts: `hits` right ones among `called` so, of `support` there are. 0 where
/// undefined.
pub(super) fn class_result(name: &str, hits: usize, called: usize, support: usize) -> ClassResult {
    let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    ClassResult {
        name: name.to_owned(),
        text: None,
        support,
        precision: share(hits, called),
        recall: share(hits, support),
        f1: share(2 * hits, called + support),
        average_precision: None,
        auc: None,
    }
}

fn fold_accuracies(
    probabilities: &[Vec<f32>],
    truth: &[usize],
    folds: &[usize],
) -> Result<Vec<f64>, MetricError> {
    same_length("folds of clips", truth.len(), folds.len())?;
    let mut counts = std::collections::BTreeMap::<usize, (usize, usize)>::new();
    for ((row, &own), &fold) in probabilities.iter().zip(truth).zip(folds) {
        let (hits, clips) = counts.entry(fold).or_default();
        *hits += usize::from(first_highest(row) == own);
        *clips += 1;
    }
    Ok(counts.into_values().map(|(hits, clips)| hits as f64 / clips as f64).collect())
}

/// Checks rows and truth; gives the number of classes.
fn width(probabilities: &[Vec<f32>], truth: &[usize]) -> Result<usize, MetricError> {
    same_length("rows of scores", truth.len(), probabilities.len())?;
    let Some(first) = probabilities.first() else { return Err(MetricError::Empty("no clip")) };
    check(probabilities, first.len())?;
    truth.iter().try_for_each(|&class| in_range("class", first.len(), class))?;
    Ok(first.len())
}
