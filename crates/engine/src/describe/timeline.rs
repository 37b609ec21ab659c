//! From a tagger's windows to what is heard when.
//!
//! Each class is a row of probabilities over time, and its events are found as `crate::events` finds those
//! of free labels: an event begins where the probability reaches the threshold, goes on while it stays above
//! a lower one, and events close to each other become one. A tagger with `[detect]` hears each moment in a
//! short window, which knows when, and in the longer ones around it, which know better what: the probability
//! is `short^near_share * long^(1 - near_share)`. Others hear it in their only windows.
//!
//! Then events are drawn in to where it is not silent, and a broader class is dropped where a narrower one
//! says the same: `Animal` and `Dog` where `Bark` is heard.

use earmark_encoder::Manifest;

use super::classes;
use super::level::{Measured, SilentStretch, milliseconds, ten_thousandths};
use crate::events::{EDGE_REACH, Event, EventSettings, ScoreTrack, best, cells, covering, find_events};
use crate::tag::Tagger;
use crate::{Encoded, EngineError, Source};

/// Something heard.
#[derive(Debug, Clone, PartialEq)]
pub struct SoundEvent {
    /// The class, as the tagger names it.
    pub class: String,
    /// Start, seconds.
    pub onset_s: f64,
    /// End, seconds.
    pub offset_s: f64,
    /// Highest probability within it, 0 to 1.
    pub score: f32,
}

/// What a tagger heard.
pub(super) struct Heard {
    pub(super) events: Vec<SoundEvent>,
    pub(super) speech_share: Option<f64>,
    pub(super) music_share: Option<f64>,
    /// The class that came nearest to being heard, where none was.
    pub(super) nearest: Option<(String, f32)>,
    pub(super) remarks: Vec<String>,
}

/// AudioSet's class of no sound at all. Silence is measured instead.
const SILENCE: &str = "Silence";

/// Windows shorter than this are often wrong, seconds: a class is then heard from twice the tagger's own
/// threshold on. `docs/describe.md` has the figures.
const SHORT_WINDOW_S: f64 = 2.0;

/// An event goes on above this share of the threshold.
const RELEASE_SHARE: f32 = 0.5;

/// Events of a class closer than this are one, seconds: barks are counted, but rain that is not heard for a
/// moment goes on.
const MERGE_GAP_S: f64 = 3.0;
const MERGE_GAP_OF_COUNTED_S: f64 = 0.75;

/// Shorter events are dropped, seconds.
const MIN_DURATION_S: f64 = 0.1;

/// A broader class is dropped where narrower ones that are at least this share as probable leave little of it
/// uncovered: a dog that is certain says more than a bark that is not.
const AS_PROBABLE: f32 = 0.5;

/// Little is this share of it; or up to half of it, where that is no more than this, seconds. So a bark
/// within two seconds of "dog" is all of the dog, but a minute of piano does not stand for three minutes of
/// music.
const UNCOVERED: f64 = 0.2;
const UNCOVERED_S: f64 = 5.0;

/// Silence over more of a recording than this says nothing about when something is heard: all of it is quiet.
const MOSTLY_SILENT: f64 = 0.95;

/// Listens to a recording that was measured before.
pub(super) fn listen(
    tagger: &Tagger,
    source: Source,
    threshold: Option<f32>,
    measured: &Measured,
) -> Result<Heard, EngineError> {
    let encoded = tagger.listen(source)?;
    let classes = tagger.classes();
    let manifest = tagger.model().manifest();
    let threshold = threshold.unwrap_or_else(|| usual_threshold(tagger));
    let rows = Rows::new(manifest, &encoded, measured.duration_s);
    let mut events: Vec<SoundEvent> = Vec::new();
    let mut nearest: Option<(usize, f32)> = None;
    for (index, class) in classes.iter().enumerate().filter(|(_, class)| *class != SILENCE) {
        let track = rows.track(index);
        let best = track.rows[0].iter().copied().fold(0.0, f32::max);
        let known = classes::class(class);
        if !known.is_some_and(|class| class.is_setting) && nearest.is_none_or(|(_, most)| best > most) {
            nearest = Some((index, best));
        }
        if best >= threshold {
            let settings = settings(threshold, known.is_some_and(|class| class.is_counted));
            events.extend(find_events(&track, &settings).into_iter().map(|event| named(class, &event)));
        }
    }
    if measured.silence.share < MOSTLY_SILENT {
        events = without_silence(events, &measured.silence.stretches);
    }
    let share = |is: fn(&classes::Class) -> bool| {
        let names = |name: &str| classes::class(name).is_some_and(is);
        classes.iter().any(|class| names(class)).then(|| {
            let of_kind = events.iter().filter(|event| names(&event.class));
            let share = covered_s(of_kind) / measured.duration_s.max(f64::MIN_POSITIVE);
            ten_thousandths(share.min(1.0))
        })
    };
    let (speech_share, music_share) = (share(|class| class.is_speech), share(|class| class.is_music));
    let mut events = without_broader(events);
    events.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s).then(b.score.total_cmp(&a.score)));
    Ok(Heard {
        nearest: nearest.filter(|_| events.is_empty()).map(|(class, score)| (classes[class].clone(), score)),
        events,
        speech_share,
        music_share,
        remarks: encoded.remarks.sentences(),
    })
}

/// The probability from which a class is heard unless another is asked for.
fn usual_threshold(tagger: &Tagger) -> f32 {
    let manifest = tagger.model().manifest();
    let samples = manifest.detect.as_ref().map_or(manifest.window.length_samples, |d| d.length_samples);
    let length_s = samples as f64 / f64::from(manifest.front_end.sample_rate());
    tagger.threshold() * if length_s < SHORT_WINDOW_S { 2.0 } else { 1.0 }
}

fn settings(threshold: f32, is_counted: bool) -> EventSettings {
    EventSettings {
        threshold,
        release: threshold * RELEASE_SHARE,
        own_thresholds: false,
        release_share: RELEASE_SHARE,
        hop_samples: 0,
        smooth_s: 0.0,
        min_duration_s: MIN_DURATION_S,
        merge_gap_s: if is_counted { MERGE_GAP_OF_COUNTED_S } else { MERGE_GAP_S },
    }
}

fn named(class: &str, event: &Event) -> SoundEvent {
    SoundEvent {
        class: class.to_owned(),
        onset_s: milliseconds(event.onset_s),
        offset_s: milliseconds(event.offset_s),
        score: (event.score * 1e4).round() / 1e4,
    }
}

/// The probabilities of each class over time.
struct Rows<'a> {
    encoded: &'a Encoded,
    cells: Vec<(f64, f64)>,
    /// Which context windows are around each window; empty for a tagger that hears one scale.
    around: Vec<std::ops::Range<usize>>,
    near_share: f32,
    reach_s: f64,
}

impl<'a> Rows<'a> {
    fn new(manifest: &Manifest, encoded: &'a Encoded, duration_s: f64) -> Self {
        let rate = f64::from(manifest.front_end.sample_rate());
        let (window, reach, near_share) = match &manifest.detect {
            Some(detect) => (detect.window(), detect.reach, detect.near_share),
            None => (manifest.window, EDGE_REACH, 1.0),
        };
        let length_s = window.length_samples as f64 / rate;
        let centres: Vec<f64> = encoded.spans.iter().map(|span| span.start_s + length_s / 2.0).collect();
        Self {
            encoded,
            cells: cells(&centres, duration_s),
            around: if encoded.contexts.is_empty() {
                Vec::new()
            } else {
                covering(&encoded.spans, &encoded.contexts)
            },
            near_share,
            // Windows side by side do not reach into a sound before it begins: each is its own stretch.
            reach_s: if window.hop_samples < window.length_samples { reach * length_s } else { 0.0 },
        }
    }

    /// The track of one class.
    fn track(&self, class: usize) -> ScoreTrack {
        let near: Vec<f32> = self.encoded.spans.iter().map(|span| span.vector[class]).collect();
        let row = if self.around.is_empty() {
            near
        } else {
            let far: Vec<f32> = self.encoded.contexts.iter().map(|span| span.vector[class]).collect();
            let both = near.iter().zip(best(&far, &self.around));
            both.map(|(near, far)| {
                near.max(0.0).powf(self.near_share) * far.max(0.0).powf(1.0 - self.near_share)
            })
            .collect()
        };
        ScoreTrack {
            cells: self.cells.clone(),
            rows: vec![row],
            thresholds: vec![0.0],
            reach_s: self.reach_s,
        }
    }
}

/// Draws events in to where it is not silent; those that lie in silence are dropped.
fn without_silence(events: Vec<SoundEvent>, silent: &[SilentStretch]) -> Vec<SoundEvent> {
    events
        .into_iter()
        .filter_map(|mut event| {
            // Stretches are in order and do not meet: of those that end after the onset, the first.
            let first = silent.partition_point(|stretch| stretch.end_s <= event.onset_s);
            if let Some(stretch) = silent.get(first).filter(|stretch| stretch.start_s <= event.onset_s) {
                event.onset_s = stretch.end_s;
            }
            let after = silent.partition_point(|stretch| stretch.start_s < event.offset_s);
            if let Some(stretch) = after.checked_sub(1).map(|last| silent[last])
                && stretch.end_s >= event.offset_s
            {
                event.offset_s = stretch.start_s;
            }
            (event.onset_s < event.offset_s).then_some(event)
        })
        .collect()
}

/// Drops events of broader classes where those of narrower ones cover most of them.
fn without_broader(events: Vec<SoundEvent>) -> Vec<SoundEvent> {
    let is_said_by_others = |broad: &SoundEvent| {
        let narrower = events.iter().filter(|event| {
            event.score >= AS_PROBABLE * broad.score && classes::implies(&event.class, &broad.class)
        });
        let within =
            narrower.map(|event| (event.onset_s.max(broad.onset_s), event.offset_s.min(broad.offset_s)));
        let length_s = broad.offset_s - broad.onset_s;
        let uncovered_s = length_s - union_s(within);
        uncovered_s <= (UNCOVERED * length_s).max(UNCOVERED_S.min(length_s / 2.0))
    };
    let kept: Vec<bool> = events.iter().map(|event| !is_said_by_others(event)).collect();
    events.into_iter().zip(kept).filter_map(|(event, kept)| kept.then_some(event)).collect()
}

/// How many seconds some events cover together.
pub(super) fn covered_s<'a>(events: impl IntoIterator<Item = &'a SoundEvent>) -> f64 {
    union_s(events.into_iter().map(|event| (event.onset_s, event.offset_s)))
}

/// How many seconds events of both lists are heard at the same time.
pub(super) fn overlap_s(a: &[&SoundEvent], b: &[&SoundEvent]) -> f64 {
    union_s(a.iter().flat_map(|a| b.iter().map(|b| (a.onset_s.max(b.onset_s), a.offset_s.min(b.offset_s)))))
}

/// Length of the union of stretches; those that end before they begin have none.
fn union_s(stretches: impl Iterator<Item = (f64, f64)>) -> f64 {
    let mut stretches: Vec<(f64, f64)> = stretches.filter(|(start, end)| start < end).collect();
    stretches.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut total, mut reached) = (0.0, f64::NEG_INFINITY);
    for (start, end) in stretches {
        total += (end - start.max(reached)).max(0.0);
        reached = reached.max(end);
    }
    total
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(class: &str, onset_s: f64, offset_s: f64, score: f32) -> SoundEvent {
        SoundEvent { class: class.to_owned(), onset_s, offset_s, score }
    }

    fn names(events: &[SoundEvent]) -> Vec<&str> {
        events.iter().map(|event| event.class.as_str()).collect()
    }

    #[test]
    fn broader_classes_go_where_a_narrower_one_says_the_same() {
        let heard = [
            event("Animal", 1.0, 3.0, 0.9),
            event("Dog", 1.0, 3.0, 0.9),
            event("Bark", 1.2, 2.8, 0.6),
            event("Rain", 0.0, 9.0, 0.8),
            event("Water", 0.0, 9.0, 0.7),
        ];
        assert_eq!(names(&without_broader(heard.to_vec())), ["Bark", "Rain"]);
    }

    #[test]
    fn a_broader_class_stays_where_the_narrower_is_short_or_doubtful() {
        let short = [event("Music", 0.0, 60.0, 0.9), event("Piano", 10.0, 45.0, 0.8)];
        assert_eq!(names(&without_broader(short.to_vec())), ["Music", "Piano"]);
        let doubtful = [event("Speech", 0.0, 5.0, 0.9), event("Child speech, kid speaking", 0.0, 5.0, 0.3)];
        assert_eq!(without_broader(doubtful.to_vec()).len(), 2);
    }

    #[test]
    fn events_are_drawn_in_to_where_it_is_not_silent() {
        let silent = [SilentStretch { start_s: 0.0, end_s: 1.0 }, SilentStretch { start_s: 4.0, end_s: 6.0 }];
        let heard = [
            event("Bark", 0.5, 2.0, 0.5),
            event("Bark", 3.0, 4.5, 0.5),
            event("Bark", 0.2, 0.9, 0.5),
            event("Rain", 2.0, 8.0, 0.5),
        ];
        let times: Vec<_> =
            without_silence(heard.to_vec(), &silent).iter().map(|e| (e.onset_s, e.offset_s)).collect();
        assert_eq!(times, [(1.0, 2.0), (3.0, 4.0), (2.0, 8.0)]);
    }

    #[test]
    fn overlapping_stretches_count_once() {
        let events = [event("a", 0.0, 2.0, 0.5), event("b", 1.0, 3.0, 0.5), event("c", 5.0, 6.0, 0.5)];
        assert!((covered_s(&events) - 4.0).abs() < 1e-9);
        assert!((overlap_s(&[&events[0]], &[&events[1], &events[2]]) - 1.0).abs() < 1e-9);
    }

    proptest! {
        /// What is left was there, lies within what it was, and has its edges outside silence.
        #[test]
        fn drawing_in_only_shortens(
            times in proptest::collection::vec((0.0..60.0_f64, 0.1..20.0_f64), 0..30),
            gaps in proptest::collection::vec((0.1..5.0_f64, 0.5..5.0_f64), 0..10),
        ) {
            let events: Vec<SoundEvent> =
                times.iter().map(|(onset, length)| event("Bark", *onset, onset + length, 0.5)).collect();
            let mut at = 0.0;
            let silent: Vec<SilentStretch> = gaps.iter().map(|(sound, silence)| {
                let start_s = at + sound;
                at = start_s + silence;
                SilentStretch { start_s, end_s: at }
            }).collect();
            for kept in without_silence(events.clone(), &silent) {
                prop_assert!(events.iter().any(|e| e.onset_s <= kept.onset_s && kept.offset_s <= e.offset_s));
                prop_assert!(kept.onset_s < kept.offset_s);
                let inside = |t: f64| silent.iter().any(|s| s.start_s < t && t < s.end_s);
                prop_assert!(!inside(kept.onset_s) && !inside(kept.offset_s));
            }
        }

        /// Of a class and a broader one at the same time, one at least is left; what is left was there.
        #[test]
        fn something_is_left_of_every_moment(
            heard in proptest::collection::vec((0..6_usize, 0.0..20.0_f64, 0.1..10.0_f64, 0.3..1.0_f32), 1..20),
        ) {
            let classes = ["Animal", "Domestic animals, pets", "Dog", "Bark", "Cat", "Meow"];
            let events: Vec<SoundEvent> = heard.iter()
                .map(|(class, onset, length, score)| event(classes[*class], *onset, onset + length, *score))
                .collect();
            let kept = without_broader(events.clone());
            prop_assert!(!kept.is_empty() && kept.iter().all(|event| events.contains(event)));
            // The narrowest are never dropped.
            prop_assert_eq!(
                kept.iter().filter(|e| e.class == "Bark" || e.class == "Meow").count(),
                events.iter().filter(|e| e.class == "Bark" || e.class == "Meow").count()
            );
        }
    }
}
