//! Scores of what is fitted to labelled clips. Each clip is scored by a fit that has not seen its fold.

use std::collections::BTreeSet;

use earmark_encoder::Embedding;
use earmark_engine::fit::folds as parting;
use earmark_engine::{Engine, EngineError};

use crate::EvalError;
use crate::datasets::Item;

/// What is said of one clip.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scored {
    /// Probability of each class.
    pub probabilities: Vec<f32>,
    /// Whether the best class is the answer; else that is "none of these".
    pub accepted: bool,
}

/// Scores one clip.
pub type Scorer = Box<dyn Fn(&Embedding) -> Scored>;

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
    /// Which clips belong together, one a clip, where the dataset's own folds or their recordings say so:
    /// what is chosen and calibrated on held-out clips must keep them together as well.
    pub groups: Option<Vec<u32>>,
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
    /// Into so many, at random, each class evenly, copies of a sound and clips of a group together: as
    /// `earmark fit` parts them.
    Random(usize),
}

impl FoldChoice {
    /// Whose folds they are, in a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Random(_) => "random",
        }
    }
}

/// Scores of clips, and how they were parted.
pub(super) struct Folded {
    /// One a clip; `None` where it was never held out.
    pub(super) scored: Vec<Option<Scored>>,
    /// How many folds.
    pub(super) folds: usize,
    /// Clips whose class no other fold had to teach.
    pub(super) untaught: usize,
}

/// The fold of each clip; `None`: one that is never held out, as `earmark fit` has it, since nothing else
/// would be left of its class. Copies of a sound share a random fold, and so do clips of a group. `vectors`
/// and `truth`: one a clip.
pub(super) fn assign(
    clips: &[&Item],
    vectors: &[&Embedding],
    truth: &[usize],
    choice: FoldChoice,
    seed: u64,
) -> Result<Vec<Option<usize>>, EvalError> {
    let folds: Vec<Option<usize>> = match choice {
        FoldChoice::Own => clips.iter().map(|clip| clip.fold.map(|fold| fold as usize)).collect(),
        FoldChoice::Random(folds) => {
            let slices: Vec<&[f32]> = vectors.iter().map(|vector| vector.as_slice()).collect();
            let all: Vec<usize> = (0..clips.len()).collect();
            let twins = parting::twins(&slices);
            match groups(clips, choice) {
                Some(groups) => parting::assign_groups(&all, truth, (&twins, &groups), folds, seed),
                None => parting::assign(&all, truth, &twins, folds, seed),
            }
        }
    };
    if let (FoldChoice::Own, Some(without)) = (choice, folds.iter().position(Option::is_none)) {
        let some = folds.iter().any(Option::is_some);
        let received = if some {
            format!(
                "none for {}; correct its row, or say how many folds to make",
                clips[without].path.display()
            )
        } else {
            "one that does not; say how many folds to make".to_owned()
        };
        return Err(EvalError::Setting {
            field: "folds",
            expected: "a dataset that says the fold of each clip".to_owned(),
            received,
        });
    }
    let count = folds.iter().flatten().collect::<BTreeSet<_>>().len();
    if count < 2 {
        return Err(EvalError::Setting {
            field: "folds",
            expected: "clips in two folds or more".to_owned(),
            received: format!("{} clips in {count}", clips.len()),
        });
    }
    Ok(folds)
}

/// The group of each clip, where there are groups: the dataset's own folds, or the recordings.
pub(super) fn groups(clips: &[&Item], choice: FoldChoice) -> Option<Vec<u32>> {
    let group = |clip: &&Item| match choice {
        FoldChoice::Own => clip.fold,
        FoldChoice::Random(_) => clip.group,
    };
    clips.iter().map(group).collect()
}

/// Scores each clip that has a fold by a fit on the clips of all others. `folds`: one a clip of `all`.
pub(super) fn scores_by_fold(
    fit: &dyn Fit,
    engine: &Engine,
    all: &Examples<'_>,
    folds: &[Option<usize>],
) -> Result<Folded, EvalError> {
    let names: BTreeSet<usize> = folds.iter().copied().flatten().collect();
    let mut scored = vec![None; folds.len()];
    let mut untaught = 0;
    for &held_out in &names {
        let (unseen, seen): (Vec<usize>, Vec<usize>) =
            (0..folds.len()).partition(|&clip| folds[clip] == Some(held_out));
        let examples = Examples {
            vectors: seen.iter().map(|&clip| all.vectors[clip]).collect(),
            truth: seen.iter().map(|&clip| all.truth[clip]).collect(),
            groups: all.groups.as_ref().map(|groups| seen.iter().map(|&clip| groups[clip]).collect()),
            ..all.clone()
        };
        let score = fit.fit(engine, &examples)?;
        for clip in unseen {
            untaught += usize::from(!examples.truth.contains(&all.truth[clip]));
            scored[clip] = Some(score(all.vectors[clip]));
        }
    }
    Ok(Folded { scored, folds: names.len(), untaught })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::Truth;

    #[test]
    fn copies_share_a_random_fold_and_the_only_sound_of_a_class_has_none() {
        // 20 sounds of two classes, each there twice, and one of a third.
        let truth: Vec<usize> = (0..40).map(|i| i % 2).chain([2]).collect();
        let vector = |clip: usize| {
            let angle = (clip / 4) as f32 + 0.5 * (clip % 2) as f32;
            Embedding::from_values(vec![angle.cos(), angle.sin(), 1.0], "test", "a clip").unwrap()
        };
        let vectors: Vec<Embedding> = (0..41).map(vector).collect();
        let vectors: Vec<&Embedding> = vectors.iter().collect();
        let item = |i: usize| Item {
            path: format!("{i}.wav").into(),
            truth: Truth::Labels(vec![truth[i]]),
            fold: None,
            group: None,
        };
        let items: Vec<Item> = (0..41).map(item).collect();
        let items: Vec<&Item> = items.iter().collect();
        let random = |seed| assign(&items, &vectors, &truth, FoldChoice::Random(5), seed).unwrap();
        let folds = random(1);
        for clip in 0..40 {
            let twin = if clip % 4 < 2 { clip + 2 } else { clip - 2 };
            assert_eq!(folds[clip], folds[twin], "clips {clip} and {twin} are one sound");
            assert!(folds[clip].is_some());
        }
        assert_eq!(folds[40], None);
        assert_eq!(folds, random(1));
        assert_ne!(folds, random(2));
    }

    #[test]
    fn a_clip_without_a_fold_is_named() {
        let item =
            |name: &str, fold| Item { path: name.into(), truth: Truth::Labels(vec![0]), fold, group: None };
        let (with, without) = (item("a.wav", Some(1)), item("b.wav", None));
        let own = |clips: &[&Item]| assign(clips, &[], &[0, 0], FoldChoice::Own, 0).unwrap_err().to_string();
        assert!(own(&[&with, &without]).contains("b.wav"));
        assert!(own(&[&without]).contains("how many folds to make"));
    }
}
