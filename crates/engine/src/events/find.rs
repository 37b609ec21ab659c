//! From probabilities over time to events: smoothed, thresholded with hysteresis, cleaned up.

use super::{EventSettings, ScoreTrack};

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

/// Events of all labels, in order of onset.
#[must_use]
pub fn find_events(track: &ScoreTrack, settings: &EventSettings) -> Vec<Event> {
    let hop_s = match track.cells.get(1) {
        Some((start, end)) => end - start,
        None => f64::INFINITY,
    };
    let median_length = (settings.smooth_s / hop_s).round() as usize | 1;
    let mut events: Vec<Event> = track
        .rows
        .iter()
        .enumerate()
        .flat_map(|(label, row)| label_events(label, &median(row, median_length), track, settings))
        .collect();
    events.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s).then(a.label.cmp(&b.label)));
    events
}

fn label_events(label: usize, row: &[f32], track: &ScoreTrack, settings: &EventSettings) -> Vec<Event> {
    let cells = &track.cells;
    let (threshold, release) = if settings.own_thresholds {
        (track.thresholds[label], track.thresholds[label] * settings.release_share)
    } else {
        (settings.threshold, settings.release)
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
            Some(before) if event.onset_s - before.offset_s < settings.merge_gap_s => {
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
    events.retain(|e| e.offset_s - e.onset_s >= settings.min_duration_s);
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
    fn events(row: &[f32], settings: &EventSettings) -> Vec<(f64, f64)> {
        let cells = (0..row.len()).map(|i| (i as f64 / 10.0, (i + 1) as f64 / 10.0)).collect();
        let track = ScoreTrack { cells, rows: vec![row.to_vec()], thresholds: vec![0.65], reach_s: 0.0 };
        find_events(&track, settings).iter().map(|e| (e.onset_s, e.offset_s)).collect()
    }

    #[test]
    fn edges_are_drawn_in_but_not_at_the_ends_of_the_recording() {
        let cells = (0..10).map(|i| (f64::from(i), f64::from(i + 1))).collect();
        let row = vec![0.9, 0.9, 0.0, 0.0, 0.9, 0.9, 0.9, 0.9, 0.0, 0.0];
        let track = ScoreTrack { cells, rows: vec![row], thresholds: vec![0.5], reach_s: 0.75 };
        let found = find_events(&track, &RAW);
        let times: Vec<_> = found.iter().map(|e| (e.onset_s, e.offset_s)).collect();
        assert_eq!(times, [(0.0, 1.5), (4.75, 7.25)]);
    }

    const DEFAULT: EventSettings = EventSettings {
        threshold: 0.5,
        release: 0.35,
        own_thresholds: false,
        release_share: 0.7,
        hop_samples: 1600,
        smooth_s: 0.36,
        min_duration_s: 0.2,
        merge_gap_s: 0.3,
    };

    const RAW: EventSettings =
        EventSettings { smooth_s: 0.0, min_duration_s: 0.0, merge_gap_s: 0.0, ..DEFAULT };

    #[test]
    fn hysteresis_bridges_a_dip_and_ends_below_the_release() {
        let row = [0.0, 0.4, 0.6, 0.4, 0.7, 0.3, 0.6];
        assert_eq!(events(&row, &RAW), [(0.1, 0.5), (0.6, 0.7)]);
    }

    #[test]
    fn a_labels_own_threshold_is_taken_if_wanted() {
        let row = [0.0, 0.6, 0.0, 0.5, 0.7, 0.4];
        assert_eq!(events(&row, &EventSettings { own_thresholds: true, ..RAW }), [(0.3, 0.5)]);
    }

    #[test]
    fn close_events_merge_and_short_ones_vanish() {
        let row = [0.9, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.9];
        let settings = EventSettings { merge_gap_s: 0.15, min_duration_s: 0.15, ..RAW };
        assert_eq!(events(&row, &settings), [(0.0, 0.3)]);
    }

    #[test]
    fn the_median_removes_a_spike_and_keeps_an_edge() {
        assert_eq!(median(&[0.0, 0.0, 1.0, 0.0, 0.0], 3), [0.0; 5]);
        assert_eq!(median(&[0.0, 0.0, 1.0, 1.0, 1.0], 3), [0.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!(median(&[1.0], 9), [1.0]);
    }

    proptest::proptest! {
        /// Events are in order, within the sound, do not overlap within a label, and reach the threshold.
        #[test]
        fn events_are_well_formed(row in proptest::collection::vec(0.0_f32..1.0, 1..80), smooth in 0.0..0.5_f64) {
            let settings = EventSettings { smooth_s: smooth, ..DEFAULT };
            let found = events(&row, &settings);
            for (onset, offset) in &found {
                proptest::prop_assert!(*onset >= 0.0 && onset < offset && *offset <= row.len() as f64 / 10.0 + 1e-9);
                proptest::prop_assert!(offset - onset >= settings.min_duration_s - 1e-9);
            }
            for pair in found.windows(2) {
                proptest::prop_assert!(pair[1].0 - pair[0].1 >= settings.merge_gap_s - 1e-9);
            }
        }
    }
}
