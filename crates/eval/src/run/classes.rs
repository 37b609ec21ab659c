//! Classes asked for in words: one a clip, or any number.

use earmark_encoder::Embedding;
use earmark_engine::Engine;
use earmark_engine::classify::{Decision, independent, read};
use earmark_engine::labels::{EncodedLabels, Label, LabelSet};

use crate::EvalError;
use crate::datasets::{Class, Dataset, Item, Task, Truth};
use crate::metrics::{accuracy, answers, classification, macro_map, multi_label};
use crate::report::{Interval, PromptResult, Results, Skipped};

use super::folds::{self, Examples, FoldChoice, Folded, Scored};
use super::{Evaluated, RunOptions, paths};

/// Probability from which a label counts as given, as `classify --multi` has it.
const THRESHOLD: f32 = 0.5;

pub(super) fn evaluate(
    engine: &Engine,
    dataset: &Dataset,
    clips: &[(&Item, Embedding)],
    options: &RunOptions<'_>,
) -> Result<Evaluated, EvalError> {
    let names: Vec<String> = dataset.classes.iter().map(|class| class.name.clone()).collect();
    let paths = paths(clips.iter().map(|(clip, _)| *clip));
    let vectors: Vec<&Embedding> = clips.iter().map(|(_, vector)| vector).collect();
    let truth: Vec<Vec<usize>> = clips.iter().map(|(clip, _)| labels_of(clip)).collect();
    let first: Vec<usize> = truth.iter().map(|labels| labels.first().copied().unwrap_or_default()).collect();
    let zero_shot = |templates: &[String]| -> Result<Vec<Vec<f32>>, EvalError> {
        let labels = encode(engine, &dataset.classes, templates)?;
        Ok(vectors.iter().map(|vector| probabilities(engine, &labels, vector, dataset.task)).collect())
    };
    let figure = |probabilities: &[Vec<f32>]| -> Result<Interval, EvalError> {
        Ok(match dataset.task {
            Task::MultiLabel => macro_map(probabilities, &truth)?,
            _ => accuracy(probabilities, &first)?.top1,
        })
    };
    let metric = if dataset.task == Task::MultiLabel { "macro mAP" } else { "top-1" };
    let mut prompts = Vec::new();
    if !options.prompts.is_empty() {
        for templates in super::prompts::with_own(engine, &options.templates, &options.prompts) {
            let value = figure(&zero_shot(&templates)?)?;
            prompts.push(PromptResult { templates, metric: metric.to_owned(), value });
        }
    }
    let (mut folded, mut untaught, mut skipped) = (None, 0, Vec::new());
    let results = match (&options.fit, dataset.task) {
        (_, Task::MultiLabel) => {
            let probabilities = zero_shot(&options.templates)?;
            Results::MultiLabel(multi_label(&names, &paths, &probabilities, &truth, THRESHOLD)?)
        }
        (None, _) => {
            let labels = encode(engine, &dataset.classes, &options.templates)?;
            let scored = vectors.iter().map(|vector| answer(&labels, vector));
            single(&names, &paths, scored, &first, None)?
        }
        (Some((fit, choice)), _) => {
            // What the fit is held against: the same clips, asked in words.
            if engine.model().manifest().has_text() && prompts.is_empty() {
                let templates = super::prompts::own(engine, &options.templates);
                let value = figure(&zero_shot(&options.templates)?)?;
                prompts.push(PromptResult { templates, metric: format!("{metric}, zero-shot"), value });
            }
            let items: Vec<&Item> = clips.iter().map(|(clip, _)| *clip).collect();
            let of_clips = folds::assign(&items, &vectors, &first, *choice, options.seed)?;
            let texts = if engine.model().manifest().has_text() {
                Some(encode(engine, &dataset.classes, &options.templates)?.vectors)
            } else {
                None
            };
            let all = Examples {
                vectors: vectors.clone(),
                truth: first.clone(),
                names: &names,
                texts: texts.as_deref(),
                groups: match choice {
                    FoldChoice::Own => items.iter().map(|item| item.fold).collect(),
                    FoldChoice::Random(_) => None,
                },
            };
            let Folded { scored, folds, untaught: of_no_other } =
                folds::scores_by_fold(*fit, engine, &all, &of_clips)?;
            (folded, untaught) = (Some(folds), of_no_other);
            let only = (0..clips.len()).filter(|&clip| of_clips[clip].is_none());
            let reason = "the only sound of its class: without it nothing would teach the class";
            skipped.extend(only.map(|clip| Skipped { path: paths[clip].clone(), reason: reason.to_owned() }));
            let judged: Vec<usize> = (0..clips.len()).filter(|&clip| of_clips[clip].is_some()).collect();
            let paths: Vec<String> = judged.iter().map(|&clip| paths[clip].clone()).collect();
            let truth: Vec<usize> = judged.iter().map(|&clip| first[clip]).collect();
            let of_judged: Vec<usize> = of_clips.iter().copied().flatten().collect();
            single(&names, &paths, scored.into_iter().flatten(), &truth, Some(&of_judged))?
        }
    };
    let clips = clips.len() - skipped.len();
    Ok(Evaluated {
        results,
        prompts,
        clips,
        from_index: 0,
        folds: folded,
        untaught,
        skipped,
        beside: Vec::new(),
    })
}

fn labels_of(clip: &Item) -> Vec<usize> {
    match &clip.truth {
        Truth::Labels(labels) => labels.clone(),
        _ => Vec::new(),
    }
}

/// Classes in the model's space.
pub(super) fn encode(
    engine: &Engine,
    classes: &[Class],
    templates: &[String],
) -> Result<EncodedLabels, EvalError> {
    let label = |class: &Class| Label { name: class.name.clone(), prompts: vec![class.text.clone()] };
    Ok(LabelSet::new(classes.iter().map(label).collect())?.encode(engine, templates)?)
}

/// The figures of one label a clip.
fn single(
    names: &[String],
    paths: &[String],
    scored: impl Iterator<Item = Scored>,
    truth: &[usize],
    folds: Option<&[usize]>,
) -> Result<Results, EvalError> {
    let (rows, accepted): (Vec<_>, Vec<_>) = scored.map(|s| (s.probabilities, s.accepted)).unzip();
    let mut results = classification(names, paths, &rows, truth, folds)?;
    results.answers = Some(answers(&rows, truth, &accepted)?);
    Ok(Results::Classification(results))
}

/// What `classify` says of a clip; "none of these" takes its part of the probability.
fn answer(labels: &EncodedLabels, vector: &Embedding) -> Scored {
    let cosines: Vec<f32> = labels.vectors.iter().map(|label| vector.cosine(label)).collect();
    let answer = read(&labels.readout, &cosines, Decision::Single);
    let mut probabilities = vec![0.0; cosines.len()];
    answer.scores.iter().for_each(|s| probabilities[s.label] = s.probability);
    Scored { probabilities, accepted: answer.accepted > 0 }
}

/// Probability of each class, in the classes' order: as `classify` gives it, alone or with `--multi`.
fn probabilities(engine: &Engine, labels: &EncodedLabels, vector: &Embedding, task: Task) -> Vec<f32> {
    if task != Task::MultiLabel {
        return answer(labels, vector).probabilities;
    }
    let scores = &engine.model().manifest().scores;
    labels.vectors.iter().map(|label| independent(scores, vector.cosine(label))).collect()
}
