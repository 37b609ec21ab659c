//! When something is heard: event-based and segment-based figures, as sed_eval computes them (Mesaros, Heittola and
//! Virtanen, "Metrics for polyphonic sound event detection", Applied Sciences 6, 2016).

mod matching;
mod segments;

use crate::report::{ClassResult, EventDetection, HeardEvent, RecordingResult};

use super::MetricError;
use super::classification::class_result;
use super::rows::{in_range, worst};
use segments::SegmentCounts;

/// A class from one time to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// The number of its class.
    pub class: usize,
    /// Start, seconds.
    pub onset_s: f64,
    /// End, seconds.
    pub offset_s: f64,
}

/// A recording's truth and answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// File or name; it comes back in the list of the worst.
    pub name: String,
    /// Length, seconds.
    pub duration_s: f64,
    /// What is heard in it.
    pub expected: Vec<Event>,
    /// What was found.
    pub found: Vec<Event>,
}

/// All figures of events, over all recordings together.
///
/// Event-based: an event is found by one of its class whose onset is within 0.2 s of its own and whose offset within
/// 0.2 s or half its length, whichever is more; as many are matched as can be, each once. Segment-based: a class is
/// active in a second that one of its events touches. Macro figures are means over the classes that the truth has; a
/// class that was never found has precision 0 (sed_eval's `empty_system_output_handling="zero_score"`).
///
/// Two more ways to match, for uses in which exact ends do not matter; again within a class, each event once
/// and as many as can be. By overlap: the two have a moment in common. By onset: their onsets are within 0.5
/// s. False alarms are the found events that are left over by overlap, so a second piece of an event is one
/// too.
///
/// # Errors
/// Classes that do not exist, times that are not finite, no event in the truth.
pub fn events(classes: &[String], recordings: &[Recording]) -> Result<EventDetection, MetricError> {
    for recording in recordings {
        if !recording.duration_s.is_finite() {
            let name = recording.name.clone();
            return Err(MetricError::NotFinite { what: "length of a recording", name });
        }
        for event in recording.expected.iter().chain(&recording.found) {
            in_range("class", classes.len(), event.class)?;
            if !event.onset_s.is_finite() || !event.offset_s.is_finite() {
                return Err(MetricError::NotFinite {
                    what: "time of an event",
                    name: recording.name.clone(),
                });
            }
        }
    }
    if recordings.iter().all(|r| r.expected.is_empty()) {
        return Err(MetricError::Empty("no event in the truth"));
    }

    let of = |events: &[Event], class: usize| -> Vec<Event> {
        events.iter().filter(|e| e.class == class).copied().collect()
    };
    let mut counts = vec![(0, 0, 0); classes.len()];
    let (mut overlapping, mut at_onset) = (0, 0);
    for recording in recordings {
        for (class, (hits, found, expected)) in counts.iter_mut().enumerate() {
            let (truth, answer) = (of(&recording.expected, class), of(&recording.found, class));
            *hits += matching::count(&truth, &answer, matching::within_collars);
            overlapping += matching::count(&truth, &answer, matching::overlaps);
            at_onset += matching::count(&truth, &answer, matching::onsets_meet);
            *found += answer.len();
            *expected += truth.len();
        }
    }
    let rows: Vec<ClassResult> = classes
        .iter()
        .zip(&counts)
        .map(|(name, &(hits, found, expected))| class_result(name, hits, found, expected))
        .collect();
    let hours = recordings.iter().map(|r| r.duration_s).sum::<f64>() / 3600.0;
    let all = counts.iter().fold((0, 0, 0), |a, c| (a.0 + c.0, a.1 + c.1, a.2 + c.2));

    let each: Vec<SegmentCounts> =
        recordings.iter().map(|r| SegmentCounts::of(classes.len(), &r.expected, &r.found)).collect();
    let total = SegmentCounts::sum(classes.len(), &each);
    let segment_rows: Vec<ClassResult> = total
        .classes
        .iter()
        .zip(classes)
        .map(|(c, name)| class_result(name, c.hits, c.found, c.expected))
        .collect();

    let eventful = (0..recordings.len())
        .filter(|&i| !recordings[i].expected.is_empty() || !recordings[i].found.is_empty());
    let named = |events: &[Event]| -> Vec<HeardEvent> {
        let name = |e: &Event| HeardEvent {
            class: classes[e.class].clone(),
            onset_s: e.onset_s,
            offset_s: e.offset_s,
        };
        events.iter().map(name).collect()
    };
    let listed = worst(eventful, |i| each[i].micro().f1).into_iter().map(|i| RecordingResult {
        path: recordings[i].name.clone(),
        segment_f1: each[i].micro().f1,
        expected: named(&recordings[i].expected),
        found: named(&recordings[i].found),
    });
    Ok(EventDetection {
        event_f1: class_result("", all.0, all.1, all.2).f1,
        event_f1_macro: macro_f1(&rows),
        overlap_f1: class_result("", overlapping, all.1, all.2).f1,
        onset_f1: class_result("", at_onset, all.1, all.2).f1,
        false_alarms_per_hour: if hours > 0.0 { (all.1 - overlapping) as f64 / hours } else { 0.0 },
        segment_f1: total.micro().f1,
        segment_f1_macro: macro_f1(&segment_rows),
        error_rate: total.error_rate(),
        worst: listed.collect(),
        classes: rows,
    })
}

/// Mean over the classes that the truth has.
fn macro_f1(classes: &[ClassResult]) -> f64 {
    let present: Vec<f64> = classes.iter().filter(|c| c.support > 0).map(|c| c.f1).collect();
    present.iter().sum::<f64>() / present.len().max(1) as f64
}
