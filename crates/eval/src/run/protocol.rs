//! How the figures came about, in words.

use earmark_engine::Engine;
use earmark_engine::events::EventDefaults;

use crate::datasets::{Dataset, Task};
use crate::report::Protocol;

use super::{Evaluated, RunOptions, prompts};

pub(super) fn of(
    engine: &Engine,
    dataset: &Dataset,
    options: &RunOptions<'_>,
    evaluated: &Evaluated,
) -> Protocol {
    let model = engine.model();
    let manifest = model.manifest();
    let rate = f64::from(manifest.front_end.sample_rate());
    let windows = |length: usize, hop: usize| {
        let (length_s, hop_s) = (length as f64 / rate, hop as f64 / rate);
        format!("windows of {length_s:.3} s every {hop_s:.3} s over the whole file")
    };
    let (length, hop) = (manifest.window.length_samples, manifest.window.hop_samples);
    let (crop, pooling) = if dataset.task == Task::Events {
        let defaults = EventDefaults::of(manifest);
        let (smooth_s, gap_s) = (defaults.smooth_s, defaults.merge_gap_s);
        let smoothed =
            if smooth_s > 0.0 { format!(", smoothed by a median over {smooth_s} s") } else { String::new() };
        let rest = format!("threshold {}, gaps under {gap_s} s joined", defaults.threshold);
        match &manifest.detect {
            Some(detect) => (
                format!(
                    "{}, within {}",
                    windows(detect.length_samples, detect.hop_samples),
                    windows(length, detect.context_hop_samples)
                ),
                format!("none: each window has a score, from itself and from its context{smoothed}; {rest}"),
            ),
            None => (
                windows(length, defaults.hop_samples),
                format!("none: each window has a score{smoothed}; {rest}"),
            ),
        }
    } else {
        let pooling = format!(
            "{:?} over the windows of a segment of {}, then the mean of the segments by the seconds that they add, as classifying an index does",
            manifest.audio.pooling, manifest.segment.windows
        );
        (windows(length, hop), pooling.to_lowercase())
    };
    let sampled = options.limit.is_some_and(|limit| limit < dataset.clips.len());
    let random_folds = matches!(options.fit, Some((_, super::FoldChoice::Random(_))));
    Protocol {
        earmark: env!("CARGO_PKG_VERSION").to_owned(),
        dataset: dataset.name.clone(),
        layout: dataset.layout.to_string(),
        task: dataset.task.as_str().to_owned(),
        audio: dataset.audio.as_ref().map(|folder| folder.display().to_string()),
        mapping: dataset.mapping.clone(),
        names: dataset.names.clone(),
        split: dataset.split.clone(),
        model: manifest.id.clone(),
        manifest_hash: model.vector_hash().to_owned(),
        prompts: match options.saved {
            Some(_) => Vec::new(),
            None => prompts::own(engine, &options.templates),
        },
        pooling,
        crop,
        precision: "float32 arithmetic and vectors; weights as the model's files have them".to_owned(),
        clips: evaluated.clips,
        from_index: evaluated.from_index,
        clips_in_dataset: dataset.clips.len() + dataset.problems.iter().filter(|p| p.is_clip).count(),
        seed: (sampled || random_folds).then_some(options.seed),
        folds: evaluated.folds,
        fold_choice: options.fit.as_ref().map(|(_, choice)| choice.as_str().to_owned()),
        group_by: dataset.group_by.clone(),
        untaught: evaluated.untaught,
        fitted: options.fit.as_ref().map(|(fit, _)| fit.describe()),
        label_set: options.saved.as_ref().map(|saved| format!("`{}`, {}", saved.name, saved.made)),
    }
}
