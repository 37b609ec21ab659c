//! When something is heard: `events` on each recording, against its labelled events.
//!
//! Dense windows are in no index, so recordings are encoded for this, one after the other, each on all cores; what was found is
//! kept.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use earmark_engine::events::{Event as Found, EventOptions, detect, find_events, score_track};
use earmark_engine::ingest::IngestEvent;
use earmark_engine::labels::EncodedLabels;
use earmark_engine::{Engine, EngineError, Source};

use crate::EvalError;
use crate::datasets::{Dataset, Item, Truth};
use crate::metrics::{self, Event, Recording};
use crate::report::{Interval, PromptResult, Results, Skipped};

use super::kept_events::{KeptEvents, stamp};
use super::{Evaluated, RunOptions, classes, nothing};

/// None where it was stopped.
pub(super) fn evaluate(
    engine: &Engine,
    dataset: &Dataset,
    clips: &[&Item],
    folder: &Path,
    options: &RunOptions<'_>,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(IngestEvent<'_>),
) -> Result<Option<Evaluated>, EvalError> {
    // The words in use come first, then those to compare them with.
    let mut asked = vec![super::prompts::own(engine, &options.templates)];
    if !options.prompts.is_empty() {
        asked = super::prompts::with_own(engine, &options.templates, &options.prompts);
    }
    let sets = asked.iter().map(|templates| classes::encode(engine, &dataset.classes, templates));
    let sets: Vec<EncodedLabels> = sets.collect::<Result<_, _>>()?;
    let settings = EventOptions::default();
    let texts: Vec<&str> = dataset.classes.iter().map(|class| class.text.as_str()).collect();
    let version = env!("CARGO_PKG_VERSION");
    let scores = &engine.model().manifest().scores;
    let question = format!("{version} {:?} {scores:?} {settings:?} {texts:?} {asked:?}", engine.identity());
    let mut kept = KeptEvents::open(folder, &question)?;

    let size = |clip: &Item| std::fs::metadata(&clip.path).map_or(0, |file| file.len());
    observe(IngestEvent::Planned { files: clips.len(), bytes: clips.iter().map(|clip| size(clip)).sum() });
    let (mut audio_s, mut skipped) = (0.0, Vec::new());
    let mut recordings: Vec<Vec<Recording>> = asked.iter().map(|_| Vec::new()).collect();
    for clip in clips {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let name = clip.path.display().to_string();
        let Truth::Events(expected) = &clip.truth else { continue };
        let found = match kept.get(&clip.path) {
            Some(found) => Ok(found),
            None => {
                let before = stamp(&clip.path);
                let found = find(engine, clip, &name, &sets, &settings, &mut audio_s);
                if let Ok(found) = &found {
                    kept.keep(&clip.path, before, found)?;
                }
                found
            }
        };
        let failed = found.as_ref().err().map(ToString::to_string);
        observe(IngestEvent::Decoded { audio_s });
        observe(IngestEvent::File { path: &name, bytes: size(clip), failed: failed.as_deref() });
        match found {
            Ok(found) => {
                for (recordings, found) in recordings.iter_mut().zip(found) {
                    recordings.push(Recording { name: name.clone(), expected: expected.clone(), found });
                }
            }
            Err(e) => {
                let reason = e.to_string();
                let reason = reason.strip_prefix(&format!("{name}: ")).unwrap_or(&reason).to_owned();
                skipped.push(Skipped { path: name, reason });
            }
        }
    }
    let Some(own) = recordings.first().filter(|own| !own.is_empty()) else {
        return Err(nothing(dataset, &skipped));
    };
    let names: Vec<String> = dataset.classes.iter().map(|class| class.name.clone()).collect();
    let results = Results::Events(metrics::events(&names, own)?);
    let mut prompts = Vec::new();
    for (templates, recordings) in asked.into_iter().zip(&recordings).filter(|_| !options.prompts.is_empty())
    {
        let value = metrics::events(&names, recordings)?.segment_f1;
        // No interval: seconds of a recording are not independent.
        let value = Interval { value, low: value, high: value };
        prompts.push(PromptResult { templates, metric: "segment-based F1".to_owned(), value });
    }
    Ok(Some(Evaluated {
        results,
        prompts,
        clips: own.len(),
        from_index: 0,
        folds: None,
        untaught: 0,
        skipped,
    }))
}

/// What is found in a recording, for each set of words. It is decoded and encoded once.
fn find(
    engine: &Engine,
    clip: &Item,
    name: &str,
    sets: &[EncodedLabels],
    settings: &EventOptions,
    audio_s: &mut f64,
) -> Result<Vec<Vec<Event>>, EngineError> {
    let Some((own, others)) = sets.split_first() else { return Ok(Vec::new()) };
    let (found, encoded) = detect(engine, Source::Path(clip.path.clone()), name, own, settings)?;
    *audio_s += encoded.duration_s;
    let mut all = vec![found.iter().map(event).collect()];
    for labels in others {
        let track = score_track(engine, &encoded, labels, name)?;
        all.push(find_events(&track, settings).iter().map(event).collect());
    }
    Ok(all)
}

fn event(found: &Found) -> Event {
    Event { class: found.label, onset_s: found.onset_s, offset_s: found.offset_s }
}
