//! Classes asked for in words: one a clip, or any number.

use earmark_encoder::Embedding;
use earmark_engine::Engine;
use earmark_engine::classify::{Decision, read};
use earmark_engine::labels::{EncodedLabels, Label, LabelSet};

use crate::EvalError;
use crate::datasets::{Class, Dataset, Item, Task, Truth};
use crate::metrics::{accuracy, answers, classification, macro_map, multi_label};
use crate::report::{Answers, Interval, PromptResult, Results, Skipped};

use super::folds::{self, Examples, Folded, Scored};
use super::saved::Matched;
use super::{Evaluated, RunOptions, paths};

/// Probability from which a label counts as given, as `classify --multi` has it.
const THRESHOLD: f32 = 0.5;

/// `saved`: the label set of the options, found among the dataset's classes.
pub(super) fn evaluate(
    engine: &Engine,
    dataset: &Dataset,
    clips: &[(&Item, Embedding)],
    options: &RunOptions<'_>,
    saved: Option<&Matched<'_>>,
) -> Result<Evaluated, EvalError> {
    let names: Vec<String> = dataset.classes.iter().map(|class| class.name.clone()).collect();
    let paths = paths(clips.iter().map(|(clip, _)| *clip));
    let vectors: Vec<&Embedding> = clips.iter().map(|(_, vector)| vector).collect();
    let truth: Vec<Vec<usize>> = clips.iter().map(|(clip, _)| labels_of(clip)).collect();
    let first: Vec<usize> = truth.iter().map(|labels| labels.first().copied().unwrap_or_default()).collect();
    let zero_shot = |templates: &[String]| -> Result<Vec<Scored>, EvalError> {
        let labels = encode(engine, &dataset.classes, templates)?;
        Ok(vectors.iter().map(|vector| score(&labels, vector, dataset.task)).collect())
    };
    let figure = |scored: &[Scored]| -> Result<Interval, EvalError> {
        let rows: Vec<Vec<f32>> = scored.iter().map(|scored| scored.probabilities.clone()).collect();
        Ok(match dataset.task {
            Task::MultiLabel => macro_map(&rows, &truth)?,
            _ => accuracy(&rows, &first)?.top1,
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
    // What a fit or a saved set is held against: the same clips, asked in words.
    let has_text = engine.model().manifest().has_text();
    if (options.fit.is_some() || saved.is_some()) && has_text && prompts.is_empty() {
        let templates = super::prompts::own(engine, &options.templates);
        let scored = zero_shot(&options.templates)?;
        let mut tell = |metric: &str, value| {
            let metric = format!("{metric}, zero-shot");
            prompts.push(PromptResult { templates: templates.clone(), metric, value });
        };
        tell(metric, figure(&scored)?);
        if dataset.task == Task::SingleLabel {
            tell("answered rightly", answers_of(&scored, &first)?.right);
        }
    }
    let (mut folded, mut untaught, mut skipped) = (None, 0, Vec::new());
    let results = match (&options.fit, saved) {
        (Some((fit, choice)), _) => {
            let items: Vec<&Item> = clips.iter().map(|(clip, _)| *clip).collect();
            let of_clips = folds::assign(&items, &vectors, &first, *choice, options.seed)?;
            let texts = has_text.then(|| encode(engine, &dataset.classes, &options.templates)).transpose()?;
            let all = Examples {
                vectors: vectors.clone(),
                truth: first.clone(),
                names: &names,
                texts: texts.as_ref().map(|texts| texts.vectors.as_slice()),
                groups: folds::groups(&items, *choice),
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
            let scored: Vec<Scored> = scored.into_iter().flatten().collect();
            single(&names, &paths, &scored, &truth, Some(&of_judged))?
        }
        (None, saved) => {
            let (names, scored) = match saved {
                Some(set) => {
                    let of = |vector: &&Embedding| {
                        let scored = score(set.labels, vector, dataset.task);
                        Scored { probabilities: set.ordered(&scored.probabilities), ..scored }
                    };
                    (&set.names, vectors.iter().map(of).collect())
                }
                None => (&names, zero_shot(&options.templates)?),
            };
            if dataset.task == Task::MultiLabel {
                let rows: Vec<Vec<f32>> = scored.into_iter().map(|scored| scored.probabilities).collect();
                Results::MultiLabel(multi_label(names, &paths, &rows, &truth, THRESHOLD)?)
            } else {
                single(names, &paths, &scored, &first, None)?
            }
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
    scored: &[Scored],
    truth: &[usize],
    folds: Option<&[usize]>,
) -> Result<Results, EvalError> {
    let rows: Vec<Vec<f32>> = scored.iter().map(|scored| scored.probabilities.clone()).collect();
    let mut results = classification(names, paths, &rows, truth, folds)?;
    results.answers = Some(answers_of(scored, truth)?);
    Ok(Results::Classification(results))
}

fn answers_of(scored: &[Scored], truth: &[usize]) -> Result<Answers, EvalError> {
    let rows: Vec<Vec<f32>> = scored.iter().map(|scored| scored.probabilities.clone()).collect();
    let accepted: Vec<bool> = scored.iter().map(|scored| scored.accepted).collect();
    Ok(answers(&rows, truth, &accepted)?)
}

/// What `classify` says of a clip, or `classify --multi` where it may have several labels. "None of these"
/// takes its part of the probability if the labels are words.
fn score(labels: &EncodedLabels, vector: &Embedding, task: Task) -> Scored {
    let cosines: Vec<f32> = labels.vectors.iter().map(|label| vector.cosine(label)).collect();
    let decision = match task {
        Task::MultiLabel => Decision::Multi { threshold: Some(THRESHOLD) },
        _ => Decision::Single { threshold: None },
    };
    let answer = read(&labels.readout, &cosines, decision);
    let mut probabilities = vec![0.0; cosines.len()];
    answer.scores.iter().for_each(|s| probabilities[s.label] = s.probability);
    Scored { probabilities, accepted: answer.accepted > 0 }
}
