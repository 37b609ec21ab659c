//! A dataset's clips into vectors, scores and a report.
//!
//! - [`run`]: all of it
//! - `vectors`: one vector a clip, from the user's index, from what earlier runs kept, or encoded now
//! - `classes`: single labels and several, zero-shot; `captions`: retrieval both ways; `events`, `kept_events`: when something
//!   is heard
//! - [`saved`]: a saved label set, held against the clips of a dataset
//! - [`folds`]: scores of what is fitted to labelled clips, each clip scored by a fit that has not seen it; [`learned`]: what
//!   `earmark fit` learns
//! - [`prompts`]: templates to compare
//! - `protocol`: how the figures came about, in words

mod captions;
mod classes;
mod events;
pub mod folds;
mod kept_events;
pub mod learned;
pub mod prompts;
mod protocol;
pub mod saved;
mod vectors;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use earmark_encoder::Embedding;
use earmark_engine::Engine;
use earmark_engine::ingest::IngestEvent;
use earmark_index::{IndexReader, IndexWriter};

use crate::EvalError;
use crate::datasets::{Dataset, Item, Task};
use crate::report::{EvalReport, PromptResult, Results, Skipped};
use earmark_engine::random::sample;
use folds::{Fit, FoldChoice};
use saved::Saved;

/// Where vectors come from.
pub struct Stores<'a> {
    /// The user's index, if it has a space of the engine's model. It is only read.
    pub index: Option<&'a dyn IndexReader>,
    /// What evaluations keep for their next run: an index of its own, of the engine's model.
    pub kept: &'a dyn IndexWriter,
    /// A folder for the events that they found.
    pub events: &'a Path,
}

/// How to evaluate.
#[derive(Default)]
pub struct RunOptions<'a> {
    /// Evaluate a sample of so many clips.
    pub limit: Option<usize>,
    /// Decides the sample, and folds that the dataset does not bring.
    pub seed: u64,
    /// Templates for labels and captions, averaged; the model's own prompt if empty.
    pub templates: Vec<String>,
    /// Ensembles of templates to compare on the same clips.
    pub prompts: Vec<Vec<String>>,
    /// What to fit, cross-validated, instead of asking in words.
    pub fit: Option<(&'a dyn Fit, FoldChoice)>,
    /// A saved label set to score, instead of the classes' words; not with `fit`.
    pub saved: Option<Saved<'a>>,
}

/// What came of a run.
#[derive(Debug)]
pub enum Outcome {
    /// The report.
    Report(Box<EvalReport>),
    /// It was stopped. Vectors that were finished are kept, and the same run goes on from there.
    Interrupted,
}

/// What a task makes of its clips.
struct Evaluated {
    results: Results,
    prompts: Vec<PromptResult>,
    clips: usize,
    from_index: usize,
    folds: Option<usize>,
    /// Clips whose class no other fold had to teach.
    untaught: usize,
    skipped: Vec<Skipped>,
    /// What else is to be told of clips.
    beside: Vec<Skipped>,
}

/// Evaluates `dataset` with `engine`'s model. `observe` is told how the encoding goes.
///
/// # Errors
/// [`EvalError::Nothing`] when no clip is left; [`EvalError::Setting`] for options that do not fit the dataset; those of the
/// model and of the stores. A clip's own failure is in the report.
pub fn run(
    engine: &Engine,
    dataset: &Dataset,
    stores: &Stores<'_>,
    options: &RunOptions<'_>,
    stop: &AtomicBool,
    mut observe: impl FnMut(IngestEvent<'_>),
) -> Result<Outcome, EvalError> {
    let chosen = sample(dataset.clips.len(), options.limit.unwrap_or(usize::MAX), options.seed);
    let clips: Vec<&Item> = chosen.iter().map(|&i| &dataset.clips[i]).collect();
    if options.fit.is_some() && dataset.task != Task::SingleLabel {
        return Err(EvalError::Setting {
            field: "folds",
            expected: "a dataset with one label a clip".to_owned(),
            received: format!("{}, which has {}", dataset.name, dataset.task.as_str()),
        });
    }
    let matched = options.saved.as_ref().map(|saved| saved.matched(dataset)).transpose()?;
    let mut evaluated = if dataset.task == Task::Events {
        match events::evaluate(engine, dataset, &clips, stores.events, options, stop, &mut observe)? {
            Some(evaluated) => evaluated,
            None => return Ok(Outcome::Interrupted),
        }
    } else {
        let vectors = vectors::of_clips(engine, stores, &clips, stop, &mut observe)?;
        if stop.load(Ordering::Relaxed) {
            return Ok(Outcome::Interrupted);
        }
        let from_index = vectors.from_index;
        let (mut there, mut skipped): (Vec<(&Item, Embedding)>, _) = (Vec::new(), Vec::new());
        for (clip, vector) in clips.iter().zip(vectors.vectors) {
            match vector {
                Ok(vector) => there.push((clip, vector)),
                Err(reason) => skipped.push(Skipped { path: clip.path.display().to_string(), reason }),
            }
        }
        if there.is_empty() {
            return Err(nothing(dataset, &skipped));
        }
        let mut evaluated = match dataset.task {
            Task::Captions => captions::evaluate(engine, &there, options)?,
            _ => classes::evaluate(engine, dataset, &there, options, matched.as_ref())?,
        };
        evaluated.from_index = from_index;
        skipped.append(&mut evaluated.skipped);
        evaluated.skipped = skipped;
        evaluated
    };
    evaluated.prompts.sort_by(|a, b| b.value.value.total_cmp(&a.value.value));
    let listed = |is_clip: bool| {
        let problems = dataset.problems.iter().filter(move |p| p.is_clip == is_clip);
        problems.map(|p| Skipped { path: p.path.clone(), reason: p.reason.clone() })
    };
    let skipped: Vec<Skipped> = listed(true).chain(evaluated.skipped.drain(..)).collect();
    let beside = listed(false).chain(evaluated.beside.drain(..)).collect();
    let protocol = protocol::of(engine, dataset, options, &evaluated);
    // The words of a saved set are its own.
    if options.saved.is_none() {
        for (row, class) in evaluated.results.classes_mut().iter_mut().zip(&dataset.classes) {
            row.text = Some(&class.text).filter(|text| **text != class.name).cloned();
        }
    }
    let Evaluated { results, prompts, .. } = evaluated;
    Ok(Outcome::Report(Box::new(EvalReport { protocol, results, prompts, skipped, beside })))
}

/// The error for a dataset of which no clip could be used.
fn nothing(dataset: &Dataset, skipped: &[Skipped]) -> EvalError {
    let missing = dataset.problems.first().map(|p| (&p.path, &p.reason));
    let first = skipped.first().map(|s| (&s.path, &s.reason)).or(missing);
    let reason = match first {
        Some((path, reason)) => {
            let count = skipped.len() + dataset.problems.len();
            format!("none of its clips can be used; the first of {count}: {path}: {reason}")
        }
        None => "it has no clips".to_owned(),
    };
    EvalError::Nothing { path: dataset.root.clone(), reason }
}

/// Paths of clips, for reports.
fn paths<'a>(clips: impl IntoIterator<Item = &'a Item>) -> Vec<String> {
    clips.into_iter().map(|clip| clip.path.display().to_string()).collect()
}
