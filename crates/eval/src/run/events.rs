//! When something is heard: `events` on each recording, against its labelled events.
//!
//! Dense windows are in no index, so recordings are encoded for this, one after the other, each on all cores; what was found is
//! kept.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use earmark_engine::events::{Event as Found, EventOptions, EventSettings, find_events, listen};
use earmark_engine::ingest::IngestEvent;
use earmark_engine::labels::EncodedLabels;
use earmark_engine::{Engine, EngineError, Source};

use crate::EvalError;
use crate::datasets::{Dataset, Item, Truth};
use crate::metrics::{self, Event, Recording};
use crate::report::{Interval, PromptResult, Results, Skipped};

use super::kept_events::{InRecording, KeptEvents, stamp};
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
    let manifest = engine.model().manifest();
    let settings = EventOptions::default().settle(manifest)?;
    let texts: Vec<&str> = dataset.classes.iter().map(|class| class.text.as_str()).collect();
    let version = env!("CARGO_PKG_VERSION");
    let (scores, detect) = (&manifest.scores, &manifest.detect);
    let question =
        format!("{version} {:?} {scores:?} {detect:?} {settings:?} {texts:?} {asked:?}", engine.identity());
    let mut kept = KeptEvents::open(folder, &question)?;

    let size = |clip: &Item| std::fs::metadata(&clip.path).map_or(0, |file| file.len());
    observe(IngestEvent::Planned { files: clips.len(), bytes: clips.iter().map(|clip| size(clip)).sum() });
    let (mut audio_s, mut skipped, mut beside) = (0.0, Vec::new(), Vec::new());
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
                let found = find(engine, clip, &sets, &settings);
                audio_s += found.as_ref().map_or(0.0, |found| found.duration_s);
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
            Ok(InRecording { duration_s, found }) => {
                let (expected, beyond) = within(expected, duration_s);
                if beyond > 0 {
                    let events = if beyond == 1 { "1 event goes" } else { &format!("{beyond} events go") };
                    let reason = format!(
                        "{events} on beyond its end at {duration_s:.2} s; what lies beyond is cut off the truth"
                    );
                    beside.push(Skipped { path: name.clone(), reason });
                }
                for (recordings, found) in recordings.iter_mut().zip(found) {
                    let (name, expected) = (name.clone(), expected.clone());
                    recordings.push(Recording { name, duration_s, expected, found });
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
    if own.iter().all(|recording| recording.expected.is_empty()) {
        let problem = dataset.problems.first().map(|p| (&p.path, &p.reason));
        let first = problem.or(skipped.iter().chain(&beside).next().map(|s| (&s.path, &s.reason)));
        let because = first.map(|(path, reason)| format!("; {path}: {reason}")).unwrap_or_default();
        let reason = format!("no recording with a labelled event is left{because}");
        return Err(EvalError::Nothing { path: dataset.root.clone(), reason });
    }
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
        beside,
    }))
}

/// What is found in a recording, for each set of words. It is decoded and encoded once.
fn find(
    engine: &Engine,
    clip: &Item,
    sets: &[EncodedLabels],
    settings: &EventSettings,
) -> Result<InRecording, EngineError> {
    let heard = listen(engine, Source::Path(clip.path.clone()), &sets.iter().collect::<Vec<_>>(), settings)?;
    let of_set = |(i, labels): (usize, &EncodedLabels)| {
        let track = heard.track(engine, i, labels)?;
        Ok(find_events(&track, settings).iter().map(event).collect())
    };
    let found = sets.iter().enumerate().map(of_set).collect::<Result<_, EngineError>>()?;
    Ok(InRecording { duration_s: heard.duration_s, found })
}

/// Ends of labelled events are rounded; that much beyond a recording's end is not told. It is the collar of event-based figures.
const ROUNDED_S: f64 = 0.2;

/// The part of the events that lies within a recording, and how many of them go on well beyond it.
fn within(expected: &[Event], duration_s: f64) -> (Vec<Event>, usize) {
    let beyond = expected.iter().filter(|event| event.offset_s > duration_s + ROUNDED_S).count();
    let inside = expected.iter().filter(|event| event.onset_s < duration_s);
    (inside.map(|e| Event { offset_s: e.offset_s.min(duration_s), ..*e }).collect(), beyond)
}

fn event(found: &Found) -> Event {
    Event { class: found.label, onset_s: found.onset_s, offset_s: found.offset_s }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_ends_with_the_recording() {
        let event = |onset_s, offset_s| Event { class: 0, onset_s, offset_s };
        let truth = [event(0.0, 1.0), event(9.0, 10.1), event(8.0, 1e300), event(12.0, 13.0)];
        let (inside, beyond) = within(&truth, 10.0);
        assert_eq!(inside, [event(0.0, 1.0), event(9.0, 10.0), event(8.0, 10.0)]);
        assert_eq!(beyond, 2);
    }
}
