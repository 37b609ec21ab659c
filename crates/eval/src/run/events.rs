//! When something is heard: `events` on each recording, against its labelled events.
//!
//! Dense windows are in no index, so recordings are encoded anew in each run, one after the other, each on all cores.

use std::sync::atomic::{AtomicBool, Ordering};

use earmark_engine::events::{Event as Found, EventOptions, detect, find_events, score_track};
use earmark_engine::ingest::IngestEvent;
use earmark_engine::labels::EncodedLabels;
use earmark_engine::{Engine, Source};

use crate::EvalError;
use crate::datasets::{Dataset, Item, Truth};
use crate::metrics::{self, Event, Recording};
use crate::report::{Interval, PromptResult, Results, Skipped};

use super::{Evaluated, RunOptions, classes, nothing};

/// None where it was stopped.
pub(super) fn evaluate(
    engine: &Engine,
    dataset: &Dataset,
    clips: &[&Item],
    options: &RunOptions<'_>,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(IngestEvent<'_>),
) -> Result<Option<Evaluated>, EvalError> {
    let settings = EventOptions::default();
    let labels = classes::encode(engine, &dataset.classes, &options.templates)?;
    let compared = match options.prompts.as_slice() {
        [] => Vec::new(),
        prompts => super::prompts::with_own(engine, &options.templates, prompts),
    };
    let others: Vec<EncodedLabels> = compared
        .iter()
        .map(|templates| classes::encode(engine, &dataset.classes, templates))
        .collect::<Result<_, _>>()?;
    let mut recordings = Vec::new();
    let mut of_others: Vec<Vec<Recording>> = compared.iter().map(|_| Vec::new()).collect();
    let mut skipped = Vec::new();
    let size = |clip: &Item| std::fs::metadata(&clip.path).map_or(0, |file| file.len());
    observe(IngestEvent::Planned { files: clips.len(), bytes: clips.iter().map(|clip| size(clip)).sum() });
    let mut audio_s = 0.0;
    for clip in clips {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let name = clip.path.display().to_string();
        let Truth::Events(expected) = &clip.truth else { continue };
        let recording = |found: &[Found]| Recording {
            name: name.clone(),
            expected: expected.clone(),
            found: found.iter().map(event).collect(),
        };
        match detect(engine, Source::Path(clip.path.clone()), &name, &labels, &settings) {
            Ok((found, encoded)) => {
                audio_s += encoded.duration_s;
                observe(IngestEvent::Decoded { audio_s });
                observe(IngestEvent::File { path: &name, bytes: size(clip), failed: None });
                recordings.push(recording(&found));
                for (labels, recordings) in others.iter().zip(&mut of_others) {
                    let track = score_track(engine, &encoded, labels, &name)?;
                    recordings.push(recording(&find_events(&track, &settings)));
                }
            }
            Err(e) => {
                let reason = e.to_string();
                observe(IngestEvent::File { path: &name, bytes: size(clip), failed: Some(&reason) });
                let reason = reason.strip_prefix(&format!("{name}: ")).unwrap_or(&reason).to_owned();
                skipped.push(Skipped { path: name, reason });
            }
        }
    }
    if recordings.is_empty() {
        return Err(nothing(dataset, &skipped));
    }
    let names: Vec<String> = dataset.classes.iter().map(|class| class.name.clone()).collect();
    let mut prompts = Vec::new();
    for (templates, recordings) in compared.into_iter().zip(&of_others) {
        let value = metrics::events(&names, recordings)?.segment_f1;
        // No interval: seconds of a recording are not independent.
        let value = Interval { value, low: value, high: value };
        prompts.push(PromptResult { templates, metric: "segment-based F1".to_owned(), value });
    }
    let results = Results::Events(metrics::events(&names, &recordings)?);
    Ok(Some(Evaluated { results, prompts, clips: recordings.len(), from_index: 0, folds: None, skipped }))
}

fn event(found: &Found) -> Event {
    Event { class: found.label, onset_s: found.onset_s, offset_s: found.offset_s }
}
