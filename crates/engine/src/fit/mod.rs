//! From a few labelled clips to a head: directions in a model's space for the user's own classes, and how cosines with
//! them are read. Pure mathematics over vectors; nothing here knows a file.
//!
//! Two kinds of head are tried. *Prototypes*: each class at the mean of its clips, mixed with its text.
//! *Linear*: logistic regression, shrunk towards nothing or towards the text's own head. Cross-validation
//! chooses the kind, how much the text counts and how strong the penalty is, by the log-likelihood of clips
//! that were held out (a linear head must be clearly better than prototypes); their logits also give the
//! softmax's temperature, each class's sigmoid and threshold, and the limit for "none of these". The figures
//! that come out are of clips on which none of this was decided: the whole of it is done again without each
//! fold.
//!
//! A model whose vectors have a second block of axes, of its trunk's inner features, offers them to the heads without more
//! ado: they are in the vectors.
//!
//! - `candidate`: the kinds of head, `logistic` with `lbfgs`, `basis`: learning them
//! - `folds`, `select`, `calibrate`, `refuse`: choosing and reading them
//! - `audit`: labels to look at again
//! - `head`: what comes out, and is kept

mod audit;
mod basis;
mod calibrate;
mod candidate;
pub mod folds;
mod head;
mod lbfgs;
mod logistic;
mod refuse;
mod rows;
mod select;

use std::str::FromStr;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use earmark_encoder::{Embedding, Scores};

use crate::EngineError;
use crate::adapt::Surroundings;
use candidate::{Candidate, Material};
use refuse::{best, best_without};
use rows::{Rows, softmax};
use select::{Parting, select};

pub use audit::{Suspect, suspects};
pub use head::Head;

/// Which kind of head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Prototypes, unless a linear head does clearly better on held-out clips.
    #[default]
    Auto,
    /// Means of clips, mixed with the text.
    Prototypes,
    /// Logistic regression.
    Linear,
}

impl FromStr for Method {
    type Err = EngineError;

    fn from_str(s: &str) -> Result<Self, EngineError> {
        match s {
            "auto" => Ok(Self::Auto),
            "prototypes" => Ok(Self::Prototypes),
            "linear" => Ok(Self::Linear),
            other => Err(EngineError::Setting {
                field: "method",
                expected: "auto, prototypes or linear".to_owned(),
                received: other.to_owned(),
            }),
        }
    }
}

/// How to fit.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// Which kind of head.
    pub method: Method,
    /// How much the text counts, 0 to 1; chosen by cross-validation if `None`.
    pub text_weight: Option<f32>,
    /// Parts for cross-validation, 2 to [`MOST_FOLDS`].
    pub folds: usize,
    /// Seed of the parting.
    pub seed: u64,
    /// The group of each clip, such as the recording that it was cut from, where clips of a group are to be held out
    /// together ([`folds::assign_groups`]).
    pub groups: Option<Vec<u32>>,
    /// Whether classes count alike however many clips they have; else they are taken to be as frequent as among the
    /// clips.
    pub balanced: bool,
    /// Threads; the outcome does not depend on them.
    pub threads: usize,
}

/// More folds take more time, and say nothing more.
pub const MOST_FOLDS: usize = 50;

/// Parts for choosing within the clips that are left when a fold is held out: fewer, since that is done for every fold.
const INNER_FOLDS: usize = 3;

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            method: Method::Auto,
            text_weight: None,
            folds: 5,
            seed: 0,
            groups: None,
            balanced: true,
            threads: 1,
        }
    }
}

/// Clips with their classes.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// One a clip.
    pub vectors: &'a [Embedding],
    /// The class of each clip, by its place in `names`.
    pub truth: &'a [usize],
    /// Names of the classes, at least two.
    pub names: &'a [String],
    /// The vectors of the classes' texts, where the model has a text side.
    pub texts: Option<&'a [Embedding]>,
}

/// A clip judged by a fit that has not seen it.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfFold {
    /// Which clip.
    pub clip: usize,
    /// The fold in which it was held out.
    pub fold: usize,
    /// Probability of each class.
    pub probabilities: Vec<f32>,
    /// The same before calibration.
    pub uncalibrated: Vec<f32>,
    /// Whether the answer is "none of these": the best class's logit is below the limit.
    pub none: bool,
    /// Whether the answer is "none of these" if the clip's own class is left out of the labels: then it is
    /// right.
    pub none_without_class: bool,
    /// What the text alone says, where there is text.
    pub zero_shot: Option<ZeroShot>,
}

/// A clip judged by the text alone, with the model's own reading.
#[derive(Debug, Clone, PartialEq)]
pub struct ZeroShot {
    /// Probability of each class, among the classes only.
    pub probabilities: Vec<f32>,
    /// Whether the answer is "none of these".
    pub none: bool,
}

/// What was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen {
    /// [`Method::Prototypes`] or [`Method::Linear`].
    pub method: Method,
    /// How much the text counts.
    pub text_weight: f32,
    /// Inverse strength of the penalty, of a linear head.
    pub strength: Option<f32>,
}

/// A head, and how it does.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The head.
    pub head: Head,
    /// What was chosen.
    pub chosen: Chosen,
    /// The clips that could be held out, in their order. Clips with the same sound share a fold; the only sound of its
    /// class is never held out.
    pub held_out: Vec<OutOfFold>,
}

/// Fits a head. `scores`: the model's own reading of cosines, for text, and for everything where no clip can be held
/// out.
///
/// # Errors
/// [`EngineError::Labels`] for fewer than two classes, a class without clips; [`EngineError::Setting`]; a class whose
/// clips and text cancel out.
pub fn fit(clips: &Labelled<'_>, scores: &Scores, options: &FitOptions) -> Result<Fitted, EngineError> {
    fit_told(clips, scores, options, &|_, _| {})
}

/// As [`fit`], which may take a minute with thousands of clips; `told` hears how many parts of the work are done, of how
/// many.
///
/// # Errors
/// As [`fit`].
pub fn fit_told(
    clips: &Labelled<'_>,
    scores: &Scores,
    options: &FitOptions,
    told: &(dyn Fn(usize, usize) + Sync),
) -> Result<Fitted, EngineError> {
    check(clips, options)?;
    let slices: Vec<&[f32]> = clips.vectors.iter().map(Embedding::as_slice).collect();
    let texts = clips.texts.map(|texts| Rows::of(&texts.iter().map(Embedding::as_slice).collect::<Vec<_>>()));
    let text_weight = if texts.is_some() { options.text_weight.map(f64::from) } else { Some(0.0) };
    let classes = (clips.truth, clips.names.len());
    let material = Material::new(Rows::of(&slices), texts, scores, classes, options.balanced);
    let twins = folds::twins(&slices);
    let (groups, seed) = (options.groups.as_deref(), options.seed);
    let parting = Parting { twins: &twins, groups, folds: options.folds, seed };
    let (prototypes, linear) = (options.method != Method::Linear, options.method != Method::Prototypes);
    let candidates = Candidate::all(prototypes, linear, text_weight);

    let all: Vec<usize> = (0..material.len()).collect();
    let fold_of = parting.assign(&all, clips.truth);
    // The last piece of work is the head itself, the others are judged.
    let work = |piece: usize| {
        if piece == options.folds {
            return (select(&material, &candidates, &all, &parting), Vec::new());
        }
        let is_in = |clip: &usize| fold_of[*clip] == Some(piece);
        let (unseen, seen): (Vec<usize>, Vec<usize>) = all.iter().partition(|clip| is_in(clip));
        (None, judge(&material, (&candidates, text_weight), &seen, (piece, &unseen), &parting))
    };
    let pieces = on_threads(options.folds + 1, options.threads, work, told);
    let mut held_out = Vec::new();
    let mut selected = None;
    for (choice, judged) in pieces {
        selected = selected.or(choice);
        held_out.extend(judged);
    }
    held_out.sort_by_key(|one: &OutOfFold| one.clip);
    let (candidate, reading) = match selected {
        Some((candidate, reading)) => (candidate, Some(reading)),
        None => (untried(text_weight), None),
    };
    let place = Surroundings::of(clips.vectors);
    let head = Head::new(clips.names, material.head(candidate), reading.as_ref(), scores, place)?;
    Ok(Fitted { head, chosen: candidate.into(), held_out })
}

/// What is taken where nothing can be tried: both sides of a prototype count alike, unless it is said otherwise.
fn untried(text_weight: Option<f64>) -> Candidate {
    Candidate::Prototypes { text_weight: text_weight.unwrap_or(0.5) }
}

fn check(clips: &Labelled<'_>, options: &FitOptions) -> Result<(), EngineError> {
    let setting =
        |field, expected: String, received: String| Err(EngineError::Setting { field, expected, received });
    if clips.names.len() < 2 {
        let found = clips.names.join(", ");
        return Err(EngineError::Labels(format!(
            "expected clips of at least two classes, got: {}",
            if found.is_empty() { "none" } else { &found }
        )));
    }
    if let Some(class) = (0..clips.names.len()).find(|class| !clips.truth.contains(class)) {
        return Err(EngineError::Labels(format!("no clip of `{}` can be used", clips.names[class])));
    }
    if !(2..=MOST_FOLDS).contains(&options.folds) {
        return setting("folds", format!("2 to {MOST_FOLDS}"), options.folds.to_string());
    }
    if let Some(groups) = options.groups.as_ref().filter(|groups| groups.len() != clips.vectors.len()) {
        return setting("groups", format!("{}, one a clip", clips.vectors.len()), groups.len().to_string());
    }
    match options.text_weight {
        Some(weight) if !(0.0..=1.0).contains(&weight) => {
            setting("text_weight", "0 to 1".to_owned(), weight.to_string())
        }
        _ => Ok(()),
    }
}

/// Chooses, learns and calibrates on `seen`, and judges `unseen`.
fn judge(
    material: &Material,
    (candidates, text_weight): (&[Candidate], Option<f64>),
    seen: &[usize],
    (fold, unseen): (usize, &[usize]),
    parting: &Parting<'_>,
) -> Vec<OutOfFold> {
    if unseen.is_empty() {
        return Vec::new();
    }
    let parting = Parting { folds: parting.folds.min(INNER_FOLDS), ..*parting };
    let (candidate, reading) = match select(material, candidates, seen, &parting) {
        Some((candidate, reading)) => (candidate, Some(reading)),
        None => (untried(text_weight), None),
    };
    let factor = reading.as_ref().map_or(1.0, |reading| reading.factor);
    let logits = material.logits(&[candidate], seen, unseen).pop().unwrap_or_default();
    let probabilities = |row: &[f64], factor: f64| -> Vec<f32> {
        let mut row: Vec<f64> = row.iter().map(|z| factor * z).collect();
        softmax(&mut row);
        row.iter().map(|&p| p as f32).collect()
    };
    let refuses = |best: f64| reading.as_ref().is_some_and(|reading| reading.refuses(best));
    let of = |(&clip, row): (&usize, &[f64])| OutOfFold {
        clip,
        fold,
        probabilities: probabilities(row, factor),
        uncalibrated: probabilities(row, 1.0),
        none: best(row).is_some_and(|best| refuses(row[best])),
        none_without_class: refuses(best_without(row, material.truth[clip])),
        zero_shot: material.text_logits().map(|logits| ZeroShot {
            probabilities: probabilities(logits.row(clip), 1.0),
            none: material.text_is_none(clip),
        }),
    };
    unseen.iter().zip(logits.iter()).map(of).collect()
}

/// Does pieces of work on threads; results in order. `told`: see [`fit_told`].
fn on_threads<T: Send>(
    pieces: usize,
    threads: usize,
    work: impl Fn(usize) -> T + Sync,
    told: &(dyn Fn(usize, usize) + Sync),
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, pieces.max(1)) {
            scope.spawn(|| {
                loop {
                    let piece = next.fetch_add(1, Ordering::Relaxed);
                    if piece >= pieces {
                        break;
                    }
                    let result = work(piece);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((piece, result));
                    told(done.len(), pieces);
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(piece, _)| *piece);
    done.into_iter().map(|(_, result)| result).collect()
}

impl From<Candidate> for Chosen {
    fn from(candidate: Candidate) -> Self {
        match candidate {
            Candidate::Prototypes { text_weight } => {
                Self { method: Method::Prototypes, text_weight: text_weight as f32, strength: None }
            }
            Candidate::Linear { text_weight, strength } => Self {
                method: Method::Linear,
                text_weight: text_weight as f32,
                strength: Some(strength as f32),
            },
        }
    }
}

#[cfg(test)]
mod tests;
