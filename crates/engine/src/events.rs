//! When something is heard: sliding windows, smoothed, thresholded with hysteresis, cleaned up.
//!
//! A window's score says what is heard somewhere within it, so it is credited to the window's centre, and each centre
//! stands for the stretch half a hop to either side. A window that reaches a little way into a clear sound hears it
//! already, so the stretch of high scores begins before the sound and ends after it; [`EDGE_REACH`] takes that back.

use crate::labels::EncodedLabels;
use crate::{Encoded, Engine, EngineError, Keep, PipelineOptions, Source};

/// How events are told from scores.
#[derive(Debug, Clone, PartialEq)]
pub struct EventOptions {
    /// Independent probability at which an event begins, 0 to 1.
    pub threshold: f32,
    /// Probability below which it ends; at most `threshold`. Hysteresis keeps an event whole over a dip.
    pub release: f32,
    /// Take each label's own threshold instead, and [`RELEASE_SHARE`] of it.
    pub own_thresholds: bool,
    /// Hop between windows, seconds; `None` for an eighth of the model's window.
    pub hop_s: Option<f64>,
    /// Length of the median filter, seconds: outliers shorter than half of it vanish. 0 for none.
    pub smooth_s: f64,
    /// Shorter events are dropped, seconds.
    pub min_duration_s: f64,
    /// Events of one label closer than this become one, seconds.
    pub merge_gap_s: f64,
}

/// Release level as a share of the threshold, where none is given: a dip of less than a third is no end.
pub const RELEASE_SHARE: f32 = 0.7;

/// Longest median filter, seconds: longer ones say nothing about when, and sorting them takes time.
const MAX_SMOOTH_S: f64 = 60.0;

impl Default for EventOptions {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            release: 0.5 * RELEASE_SHARE,
            own_thresholds: false,
            hop_s: None,
            smooth_s: 0.36,
            min_duration_s: 0.2,
            merge_gap_s: 0.3,
        }
    }
}

/// Something heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Start, seconds.
    pub onset_s: f64,
    /// End, seconds.
    pub offset_s: f64,
    /// Which label, by its place in the set.
    pub label: usize,
    /// Highest probability within it.
    pub score: f32,
}

/// Scores over time: one row a label, one column a window.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreTrack {
    /// Start and end of the stretch that each column stands for, seconds; they meet.
    pub cells: Vec<(f64, f64)>,
    /// Independent probabilities, `[labels][windows]`.
    pub rows: Vec<Vec<f32>>,
    /// Each label's own threshold.
    pub thresholds: Vec<f32>,
    /// How far high scores reach beyond the sound at each end, seconds.
    pub reach_s: f64,
}

/// How far high scores reach beyond a sound, in windows: a window hears a sound once about 0.3 of it lies within,
/// which is when its centre is 0.2 windows outside. Measured with `mini` on the recordings of index-data/events.csv,
/// whose onsets and ends then come out within 0.35 s; 0.5 s without.
pub const EDGE_REACH: f64 = 0.2;

impl EventOptions {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`EngineError::Setting`] that names the one out of range.
    pub fn validate(&self) -> Result<(), EngineError> {
        let check = |ok: bool, setting: &'static str, expected: &str, received: String| {
            if ok {
                Ok(())
            } else {
                Err(EngineError::Setting { setting, expected: expected.to_owned(), received })
            }
        };
        let unit = 0.0..=1.0;
        check(unit.contains(&self.threshold), "--threshold", "0 to 1", self.threshold.to_string())?;
        let release_ok = (0.0..=self.threshold).contains(&self.release);
        check(release_ok, "--release", "0 to the threshold", self.release.to_string())?;
        let smooth_ok = self.smooth_s <= MAX_SMOOTH_S;
        check(smooth_ok, "--smooth", "at most 60 s", self.smooth_s.to_string())?;
        let seconds = [
            ("--smooth", self.smooth_s),
            ("--min-duration", self.min_duration_s),
            ("--merge-gap", self.merge_gap_s),
            ("--hop", self.hop_s.unwrap_or(1.0)),
        ];
        for (setting, value) in seconds {
            let ok = value.is_finite() && value >= 0.0 && (setting != "--hop" || value > 0.0);
            let expected = if setting == "--hop" { "more than 0 s" } else { "a number of seconds" };
            check(ok, setting, expected, value.to_string())?;
        }
        Ok(())
    }
}

/// Finds events in one sound.
///
/// # Errors
/// A setting out of range; those of decoding and encoding the sound.
pub fn detect(
    engine: &Engine,
    source: Source,
    name: &str,
    labels: &EncodedLabels,
    options: &EventOptions,
) -> Result<(Vec<Event>, Encoded), EngineError> {
    let encoded = windows(engine, source, options)?;
    let track = score_track(engine, &encoded, labels, name)?;
    Ok((find_events(&track, options), encoded))
}

/// A sound's windows at the options' hop, for [`score_track`].
///
/// # Errors
/// A setting out of range; those of decoding and encoding the sound.
pub fn windows(engine: &Engine, source: Source, options: &EventOptions) -> Result<Encoded, EngineError> {
    options.validate()?;
    let window_s = engine.model().manifest().window_s();
    if let Some(hop_s) = options.hop_s.filter(|hop| *hop > window_s) {
        return Err(EngineError::Setting {
            setting: "--hop",
            expected: format!("at most the model's window, {window_s:.3} s"),
            received: format!("{hop_s} s"),
        });
    }
    let pipeline = PipelineOptions {
        hop_samples: Some(hop_samples(engine, options.hop_s)),
        ..engine.pipeline_options(Keep::Windows)
    };
    engine.encode_one(source, &pipeline)
}

/// The hop of `hop_s` seconds (`None` for the default) in samples at the model's rate: a whole number of the front end's frames,
/// so that overlapping windows share them.
#[must_use]
pub fn hop_samples(engine: &Engine, hop_s: Option<f64>) -> usize {
    let manifest = engine.model().manifest();
    let wanted = match hop_s {
        Some(seconds) => (seconds * f64::from(manifest.front_end.sample_rate())) as usize,
        None => manifest.window.length_samples / 8,
    };
    let frame = manifest.front_end.hop_length().max(1);
    (wanted / frame * frame).max(frame).min(manifest.window.length_samples)
}

/// Probabilities of each label over time.
///
/// # Errors
/// Windows without direction.
pub fn score_track(
    engine: &Engine,
    encoded: &Encoded,
    labels: &EncodedLabels,
    name: &str,
) -> Result<ScoreTrack, EngineError> {
    let manifest = engine.model().manifest();
    let length_s = manifest.window_s();
    let centres: Vec<f64> = encoded.spans.iter().map(|s| s.start_s + length_s / 2.0).collect();
    let mut rows = vec![Vec::with_capacity(encoded.spans.len()); labels.vectors.len()];
    for span in &encoded.spans {
        let window = engine.model().pool(&span.vector, name)?;
        for ((row, label), line) in rows.iter_mut().zip(&labels.vectors).zip(&labels.readout.lines) {
            row.push(line.independent(window.cosine(label)));
        }
    }
    Ok(ScoreTrack {
        cells: cells(&centres, encoded.duration_s),
        rows,
        thresholds: labels.readout.lines.iter().map(|line| line.threshold).collect(),
        reach_s: EDGE_REACH * length_s,
    })
}

/// Stretches that meet halfway between centres; the first begins and the last ends with the sound.
fn cells(centres: &[f64], duration_s: f64) -> Vec<(f64, f64)> {
    let halfway = |i: usize| f64::midpoint(centres[i - 1], centres[i]).min(duration_s);
    (0..centres.len())
        .map(|i| {
            let start = if i == 0 { 0.0 } else { halfway(i) };
            let end = if i + 1 == centres.len() { duration_s } else { halfway(i + 1) };
            (start, end.max(start))
        })
        .collect()
}

/// Events of all labels, in order of onset.
#[must_use]
pub fn find_events(track: &ScoreTrack, options: &EventOptions) -> Vec<Event> {
    let hop_s = match track.cells.get(1) {
        Some((start, end)) => end - start,
        None => f64::INFINITY,
    };
    let median_length = (options.smooth_s / hop_s).round() as usize | 1;
    let mut events: Vec<Event> = track
        .rows
        .iter()
        .enumerate()
        .flat_map(|(label, row)| label_events(label, &median(row, median_length), track, options))
        .collect();
    events.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s).then(a.label.cmp(&b.label)));
    events
}

fn label_events(label: usize, row: &[f32], track: &ScoreTrack, options: &EventOptions) -> Vec<Event> {
    let cells = &track.cells;
    let (threshold, release) = if options.own_thresholds {
        (track.thresholds[label], track.thresholds[label] * RELEASE_SHARE)
    } else {
        (options.threshold, options.release)
    };
    let mut events: Vec<Event> = Vec::new();
    let mut i = 0;
    while i < row.len() {
        if row[i] < threshold {
            i += 1;
            continue;
        }
        // The event reaches back and on for as long as the score stays above the release level.
        let first = row[..i].iter().rposition(|&s| s < release).map_or(0, |p| p + 1);
        let last = row[i..].iter().position(|&s| s < release).map_or(row.len(), |p| i + p) - 1;
        let score = row[first..=last].iter().copied().fold(0.0, f32::max);
        let event = Event { onset_s: cells[first].0, offset_s: cells[last].1, label, score };
        match events.last_mut() {
            Some(before) if event.onset_s - before.offset_s < options.merge_gap_s => {
                before.offset_s = event.offset_s;
                before.score = before.score.max(event.score);
            }
            _ => events.push(event),
        }
        i = last + 1;
    }
    let end_s = cells.last().map_or(0.0, |c| c.1);
    for event in &mut events {
        // An event cut off by the start or end of the recording has no edge there; a short one keeps half of itself.
        let reach = track.reach_s.min((event.offset_s - event.onset_s) / 4.0);
        event.onset_s += if event.onset_s > 0.0 { reach } else { 0.0 };
        event.offset_s -= if event.offset_s < end_s { reach } else { 0.0 };
    }
    events.retain(|e| e.offset_s - e.onset_s >= options.min_duration_s);
    events
}

/// Median over `length` (odd) columns, fewer at the ends.
fn median(row: &[f32], length: usize) -> Vec<f32> {
    let half = (length / 2).min(row.len());
    if half == 0 {
        return row.to_vec();
    }
    (0..row.len())
        .map(|i| {
            // The same reach to both sides, so that the ends are not shifted.
            let reach = half.min(i).min(row.len() - 1 - i);
            let mut window = row[i - reach..=i + reach].to_vec();
            window.sort_by(f32::total_cmp);
            window[reach]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One label at a hop of 0.1 s.
    fn events(row: &[f32], options: &EventOptions) -> Vec<(f64, f64)> {
        let cells = (0..row.len()).map(|i| (i as f64 / 10.0, (i + 1) as f64 / 10.0)).collect();
        let track = ScoreTrack { cells, rows: vec![row.to_vec()], thresholds: vec![0.65], reach_s: 0.0 };
        find_events(&track, options).iter().map(|e| (e.onset_s, e.offset_s)).collect()
    }

    #[test]
    fn edges_are_drawn_in_but_not_at_the_ends_of_the_recording() {
        let cells = (0..10).map(|i| (f64::from(i), f64::from(i + 1))).collect();
        let row = vec![0.9, 0.9, 0.0, 0.0, 0.9, 0.9, 0.9, 0.9, 0.0, 0.0];
        let track = ScoreTrack { cells, rows: vec![row], thresholds: vec![0.5], reach_s: 0.75 };
        let found = find_events(&track, &raw());
        let times: Vec<_> = found.iter().map(|e| (e.onset_s, e.offset_s)).collect();
        assert_eq!(times, [(0.0, 1.5), (4.75, 7.25)]);
    }

    fn raw() -> EventOptions {
        EventOptions { smooth_s: 0.0, min_duration_s: 0.0, merge_gap_s: 0.0, ..Default::default() }
    }

    #[test]
    fn hysteresis_bridges_a_dip_and_ends_below_the_release() {
        let row = [0.0, 0.4, 0.6, 0.4, 0.7, 0.3, 0.6];
        assert_eq!(events(&row, &raw()), [(0.1, 0.5), (0.6, 0.7)]);
    }

    #[test]
    fn a_labels_own_threshold_is_taken_if_wanted() {
        let row = [0.0, 0.6, 0.0, 0.5, 0.7, 0.4];
        assert_eq!(events(&row, &EventOptions { own_thresholds: true, ..raw() }), [(0.3, 0.5)]);
    }

    #[test]
    fn close_events_merge_and_short_ones_vanish() {
        let row = [0.9, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.9];
        let options = EventOptions { merge_gap_s: 0.15, min_duration_s: 0.15, ..raw() };
        assert_eq!(events(&row, &options), [(0.0, 0.3)]);
    }

    #[test]
    fn the_median_removes_a_spike_and_keeps_an_edge() {
        assert_eq!(median(&[0.0, 0.0, 1.0, 0.0, 0.0], 3), [0.0; 5]);
        assert_eq!(median(&[0.0, 0.0, 1.0, 1.0, 1.0], 3), [0.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!(median(&[1.0], 9), [1.0]);
    }

    #[test]
    fn cells_cover_the_sound_and_meet() {
        let c = cells(&[0.5, 1.0, 1.5], 1.8);
        assert_eq!(c, [(0.0, 0.75), (0.75, 1.25), (1.25, 1.8)]);
        assert_eq!(cells(&[0.5], 0.1), [(0.0, 0.1)]);
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let bad = EventOptions { release: 0.9, ..Default::default() };
        assert!(bad.validate().unwrap_err().to_string().contains("--release"));
        let bad = EventOptions { hop_s: Some(0.0), ..Default::default() };
        assert!(bad.validate().unwrap_err().to_string().contains("--hop"));
    }

    proptest::proptest! {
        /// Events are in order, within the sound, do not overlap within a label, and reach the threshold.
        #[test]
        fn events_are_well_formed(row in proptest::collection::vec(0.0_f32..1.0, 1..80), smooth in 0.0..0.5_f64) {
            let options = EventOptions { smooth_s: smooth, ..Default::default() };
            let found = events(&row, &options);
            for (onset, offset) in &found {
                proptest::prop_assert!(*onset >= 0.0 && onset < offset && *offset <= row.len() as f64 / 10.0 + 1e-9);
                proptest::prop_assert!(offset - onset >= options.min_duration_s - 1e-9);
            }
            for pair in found.windows(2) {
                proptest::prop_assert!(pair[1].0 - pair[0].1 >= options.merge_gap_s - 1e-9);
            }
        }
    }
}
