//! Captions find clips, and clips find captions.

use crate::report::{CaptionResult, Retrieval, RetrievalDirection};

use super::MetricError;
use super::interval::share;
use super::rows::{check, first_highest, in_range, same_length, worst};

/// How deep average precision looks, as in DCASE's language-based audio retrieval.
const DEPTH: usize = 10;

/// A caption and the clip it describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// Its words.
    pub text: String,
    /// The number of its clip.
    pub clip: usize,
}

/// Retrieval both ways, as for Clotho and AudioCaps: a caption looks for its one clip among all; a clip looks for its
/// captions among all, and recall counts the best of them. Average precision at 10 is the sum of the precisions at
/// the right answers among the first ten, divided by the number of right answers there are.
///
/// - `clips`: files or names; they come back in the list of the worst
/// - `captions`: any number a clip; clips without one are only found, they do not ask
/// - `scores`: a row a caption, a column a clip
///
/// An equal score of a wrong answer counts as ranked before the right one. Intervals are Wilson's, with clips, not
/// captions, as independent: captions of one clip succeed and fail together.
///
/// # Errors
/// Lists that do not fit each other, scores that are not finite, no captions.
pub fn retrieval(
    clips: &[String],
    captions: &[Caption],
    scores: &[Vec<f32>],
) -> Result<Retrieval, MetricError> {
    same_length("rows of scores", captions.len(), scores.len())?;
    if captions.is_empty() {
        return Err(MetricError::Empty("no caption"));
    }
    check(scores, clips.len())?;
    captions.iter().try_for_each(|c| in_range("clip", clips.len(), c.clip))?;

    let mut own = vec![Vec::new(); clips.len()];
    captions.iter().enumerate().for_each(|(i, c)| own[c.clip].push(i));
    let asking: Vec<usize> = (0..clips.len()).filter(|&clip| !own[clip].is_empty()).collect();

    let to_audio: Vec<Vec<usize>> =
        captions.iter().zip(scores).map(|(caption, row)| ranks(row, &[caption.clip])).collect();
    let to_text: Vec<Vec<usize>> = asking
        .iter()
        .map(|&clip| ranks(&scores.iter().map(|row| row[clip]).collect::<Vec<f32>>(), &own[clip]))
        .collect();
    let listed = worst(0..captions.len(), |i| -(to_audio[i][0] as f64)).into_iter().map(|i| CaptionResult {
        caption: captions[i].text.clone(),
        path: clips[captions[i].clip].clone(),
        rank: to_audio[i][0],
        first: clips[first_highest(&scores[i])].clone(),
    });
    Ok(Retrieval {
        worst: listed.collect(),
        text_to_audio: direction(&to_audio, asking.len()),
        audio_to_text: direction(&to_text, asking.len()),
        captions: captions.len(),
    })
}

/// The places of the right answers, from 1, best first. Equal scores of wrong ones are before them.
fn ranks(row: &[f32], right: &[usize]) -> Vec<usize> {
    let mut own: Vec<f32> = right.iter().map(|&i| row[i]).collect();
    own.sort_by(|a, b| super::rows::descending(*a, *b));
    // As many right ones as score at least the same are no wrong ones.
    let at_least = |row: &[f32], score: f32| row.iter().filter(|&&v| v >= score).count();
    own.iter().enumerate().map(|(i, &score)| at_least(row, score) - at_least(&own, score) + i + 1).collect()
}

/// Figures from the places of each query's right answers.
fn direction(queries: &[Vec<usize>], independent: usize) -> RetrievalDirection {
    let n = queries.len() as f64;
    let recall = |k| {
        let found = queries.iter().filter(|places| places[0] <= k).count();
        share(found as f64 / n, independent)
    };
    let precision = |places: &Vec<usize>| {
        let found = places.iter().take_while(|&&place| place <= DEPTH).enumerate();
        found.map(|(i, &place)| (i + 1) as f64 / place as f64).sum::<f64>() / places.len() as f64
    };
    let mut first: Vec<usize> = queries.iter().map(|places| places[0]).collect();
    first.sort_unstable();
    let median = (first[(first.len() - 1) / 2] + first[first.len() / 2]) as f64 / 2.0;
    RetrievalDirection {
        r1: recall(1),
        r5: recall(5),
        r10: recall(10),
        map10: queries.iter().map(precision).sum::<f64>() / n,
        median_rank: median,
        queries: queries.len(),
    }
}
