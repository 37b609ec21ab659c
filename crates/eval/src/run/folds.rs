//! Scores of what is fitted to labelled clips. Each clip is scored by a fit that has not seen its fold.

use std::collections::BTreeSet;

use earmark_encoder::Embedding;
use earmark_engine::{Engine, EngineError};

use crate::EvalError;
use crate::datasets::Item;
use crate::random::Random;

/// Probability of each class for one clip.
pub type Scorer = Box<dyn Fn(&Embedding) -> Vec<f32>>;

/// Labelled clips to learn from.
#[derive(Debug, Clone)]
pub struct Examples<'a> {
    /// One a clip.
    pub vectors: Vec<&'a Embedding>,
    /// The class of each clip, by its place in `names`. A class may have none.
    pub truth: Vec<usize>,
    /// Names of the classes.
    pub names: &'a [String],
    /// What the classes are in words, one a class; where the model has a text side.
    pub texts: Option<&'a [Embedding]>,
}

/// Something that learns classes from labelled clips.
pub trait Fit {
    /// What it is, for the protocol.
    fn describe(&self) -> String;

    /// Learns from `examples`.
    ///
    /// # Errors
    /// What cannot be learned from.
    fn fit(&self, engine: &Engine, examples: &Examples<'_>) -> Result<Scorer, EngineError>;
}

/// How clips are parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoldChoice {
    /// As the dataset says.
    Own,
    /// Into so many, at random, each class evenly.
    Random(usize),
}

/// Scores of clips, and how they were parted.
pub(super) struct Folded {
    /// A row a clip.
    pub(super) probabilities: Vec<Vec<f32>>,
    /// How many folds.
    pub(super) folds: usize,
}

/// The fold of each clip.
pub(super) fn assign(
    clips: &[&Item],
    truth: &[usize],
    choice: FoldChoice,
    seed: u64,
) -> Result<Vec<usize>, EvalError> {
    let folds = match choice {
        FoldChoice::Own => {
            clips.iter().map(|clip| clip.fold.map(|fold| fold as usize)).collect::<Option<Vec<_>>>()
        }
        FoldChoice::Random(folds) => Some(random(truth, folds, seed)),
    };
    let folds = folds.ok_or_else(|| EvalError::Setting {
        setting: "--folds own",
        expected: "a dataset that says the fold of each clip".to_owned(),
        received: "one that does not; say how many, as in --folds 5".to_owned(),
    })?;
    let count = folds.iter().collect::<BTreeSet<_>>().len();
    if count < 2 {
        return Err(EvalError::Setting {
            setting: "--folds",
            expected: "clips in two folds or more".to_owned(),
            received: format!("{} clips in {count}", clips.len()),
        });
    }
    Ok(folds)
}

/// Deals the clips of each class out to the folds, going on where the class before stopped.
fn random(truth: &[usize], folds: usize, seed: u64) -> Vec<usize> {
    let mut random = Random::new(seed);
    let mut order: Vec<usize> = (0..truth.len()).collect();
    random.shuffle(&mut order);
    // Stable, so that the shuffled order stays within each class.
    order.sort_by_key(|&clip| truth[clip]);
    let mut assigned = vec![0; truth.len()];
    order.iter().enumerate().for_each(|(place, &clip)| assigned[clip] = place % folds.max(1));
    assigned
}

/// Scores each clip by a fit on the clips of all other folds. `folds`: one a clip of `all`.
pub(super) fn scores_by_fold(
    fit: &dyn Fit,
    engine: &Engine,
    all: &Examples<'_>,
    folds: &[usize],
) -> Result<Folded, EvalError> {
    let names: BTreeSet<usize> = folds.iter().copied().collect();
    let mut probabilities = vec![Vec::new(); folds.len()];
    for &held_out in &names {
        let (unseen, seen): (Vec<usize>, Vec<usize>) =
            (0..folds.len()).partition(|&clip| folds[clip] == held_out);
        let examples = Examples {
            vectors: seen.iter().map(|&clip| all.vectors[clip]).collect(),
            truth: seen.iter().map(|&clip| all.truth[clip]).collect(),
            ..all.clone()
        };
        let score = fit.fit(engine, &examples)?;
        for clip in unseen {
            probabilities[clip] = score(all.vectors[clip]);
        }
    }
    Ok(Folded { probabilities, folds: names.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_folds_share_each_class_evenly() {
        let truth: Vec<usize> = (0..60).map(|i| i % 3).collect();
        let folds = random(&truth, 5, 1);
        assert_eq!(folds, random(&truth, 5, 1));
        assert_ne!(folds, random(&truth, 5, 2));
        for class in 0..3 {
            for fold in 0..5 {
                let both = (0..60).filter(|&i| truth[i] == class && folds[i] == fold).count();
                assert_eq!(both, 4, "class {class}, fold {fold}");
            }
        }
    }
}
