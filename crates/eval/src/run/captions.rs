//! Captions and clips: retrieval both ways.

use earmark_encoder::Embedding;
use earmark_engine::Engine;
use earmark_engine::labels::{Label, LabelSet};

use crate::EvalError;
use crate::datasets::{Item, Truth};
use crate::metrics::{Caption, retrieval};
use crate::report::{PromptResult, Results, Retrieval};

use super::{Evaluated, RunOptions, paths};

pub(super) fn evaluate(
    engine: &Engine,
    clips: &[(&Item, Embedding)],
    options: &RunOptions<'_>,
) -> Result<Evaluated, EvalError> {
    let names = paths(clips.iter().map(|(clip, _)| *clip));
    let mut captions: Vec<Caption> = Vec::new();
    for (place, (clip, _)) in clips.iter().enumerate() {
        if let Truth::Captions(texts) = &clip.truth {
            captions.extend(texts.iter().map(|text| Caption { text: text.clone(), clip: place }));
        }
    }
    let both_ways = |templates: &[String]| -> Result<Retrieval, EvalError> {
        // Captions are encoded as labels are; numbers for names, since a caption may be there twice.
        let label = |(number, caption): (usize, &Caption)| Label {
            name: number.to_string(),
            prompts: vec![caption.text.clone()],
        };
        let encoded =
            LabelSet::new(captions.iter().enumerate().map(label).collect())?.encode(engine, templates)?;
        let row = |caption: &Embedding| clips.iter().map(|(_, clip)| caption.cosine(clip)).collect();
        let scores: Vec<Vec<f32>> = encoded.vectors.iter().map(row).collect();
        Ok(retrieval(&names, &captions, &scores)?)
    };
    let mut prompts = Vec::new();
    if !options.prompts.is_empty() {
        for templates in super::prompts::with_own(engine, &options.templates, &options.prompts) {
            let value = both_ways(&templates)?.text_to_audio.r10;
            prompts.push(PromptResult { templates, metric: "text to audio R@10".to_owned(), value });
        }
    }
    let results = Results::Retrieval(both_ways(&options.templates)?);
    Ok(Evaluated {
        results,
        prompts,
        clips: clips.len(),
        from_index: 0,
        folds: None,
        untaught: 0,
        skipped: Vec::new(),
        beside: Vec::new(),
    })
}
