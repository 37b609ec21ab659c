//! [`Timeline`]: where in time packets are, and what is missing between them.

use std::collections::VecDeque;

use symphonia::core::units::{TimeBase, Timestamp};

use crate::container::{Gap, Link};
use crate::open_track::Clock;

/// A packet may be this much late or early, in seconds: time stamps are rounded, to a millisecond in
/// Matroska. A lost packet that is shorter (Opus has such of 2.5 to 10 ms) is only noticed together with
/// others.
const TOLERANCE_S: f64 = 0.012;

/// Longest silence that is put in for one gap, in seconds: longer ones are mistakes as a rule (clocks that
/// were set, streams that were joined), and would cost more than they tell.
const MAX_GAP_S: f64 = 3600.0;

/// Time stamps that go back by more than this start anew, in seconds.
const RESTART_S: f64 = 1.0;

/// What is missing before a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// So many samples, which were damaged.
    Damage(u64),
    /// So many samples, which the time stamps leave out.
    Gap(u64),
    /// So many samples before the first packet.
    Late(u64),
    /// So many samples, too many for silence.
    Jump(u64),
}

/// Counts samples, in the stream and at the rate of its first packet.
#[derive(Debug)]
pub(crate) struct Timeline {
    clock: Clock,
    sample_rate: u32,
    /// Time of sample 0 by the time stamps, in samples; `None` before the first packet.
    origin: Option<i64>,
    /// Samples so far, with silence.
    written: u64,
    /// The same without what was put in for gaps.
    counted: u64,
    /// The next packet is the first after a reset.
    link: Option<Link>,
}

impl Timeline {
    pub(crate) fn new(clock: Clock, sample_rate: u32) -> Self {
        Self { clock, sample_rate, origin: None, written: 0, counted: 0, link: Some(Link::New) }
    }

    /// The stream was reset.
    pub(crate) fn reset(&mut self, link: Link) {
        self.link = Some(link);
    }

    /// Whether the next packet is the first, or the first after a reset.
    pub(crate) fn is_start(&self) -> bool {
        self.link.is_some()
    }

    /// A time stamp in samples.
    pub(crate) fn samples(&self, stamp: Timestamp, base: Option<TimeBase>) -> Option<i64> {
        let base = base?;
        let (numer, denom) = (i128::from(base.numer.get()), i128::from(base.denom.get()));
        let scaled = i128::from(stamp.get()) * numer * i128::from(self.sample_rate);
        i64::try_from(scaled.div_euclid(denom)).ok()
    }

    /// What is missing before a packet that starts at `start` (in samples, by its time stamp).
    pub(crate) fn before(&mut self, start: Option<i64>) -> Before {
        let Clock::Stamp { is_absolute, is_damage } = self.clock else { return self.counted_gap() };
        let Some(start) = start else { return Before::Nothing };
        let written = i64::try_from(self.written).unwrap_or(i64::MAX);
        let link = self.link.take();
        let tolerance = (TOLERANCE_S * f64::from(self.sample_rate)) as i64;
        let longest = (MAX_GAP_S * f64::from(self.sample_rate)) as i64;
        let Some(origin) = self.origin else {
            // Some streams start with the time of day.
            let is_late = is_absolute && (tolerance..=longest).contains(&start);
            self.origin =
                Some(if is_late || is_absolute && start < tolerance { start.min(0) } else { start });
            return if is_late { Before::Late(start as u64) } else { Before::Nothing };
        };
        if link == Some(Link::New) {
            self.origin = Some(start.saturating_sub(written));
            return Before::Nothing;
        }
        let missing = start.saturating_sub(origin).saturating_sub(written);
        let restart = (RESTART_S * f64::from(self.sample_rate)) as i64;
        if missing > longest || missing < -restart {
            self.origin = Some(start.saturating_sub(written));
            return if missing > 0 { Before::Jump(missing as u64) } else { Before::Nothing };
        }
        match missing {
            _ if missing <= tolerance => Before::Nothing,
            _ if is_damage || link == Some(Link::Same) => Before::Damage(missing as u64),
            _ => Before::Gap(missing as u64),
        }
    }

    fn counted_gap(&mut self) -> Before {
        let Clock::Count(gaps) = &mut self.clock else { return Before::Nothing };
        let missing = take_gaps(gaps, self.counted);
        if missing == 0 { Before::Nothing } else { Before::Damage(missing) }
    }

    /// Silence was put in for a gap.
    pub(crate) fn filled(&mut self, samples: u64) {
        self.written = self.written.saturating_add(samples);
    }

    /// A packet was read, decoded or not.
    pub(crate) fn read(&mut self, samples: u64) {
        self.written = self.written.saturating_add(samples);
        self.counted = self.counted.saturating_add(samples);
    }
}

fn take_gaps(gaps: &mut VecDeque<Gap>, counted: u64) -> u64 {
    let mut missing = 0;
    while let Some(gap) = gaps.pop_front_if(|gap| gap.at <= counted) {
        missing = gap.len.saturating_add(missing);
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(is_absolute: bool) -> Timeline {
        Timeline::new(Clock::Stamp { is_absolute, is_damage: false }, 1000)
    }

    fn step(timeline: &mut Timeline, start: i64) -> Before {
        let before = timeline.before(Some(start));
        if let Before::Gap(len) | Before::Late(len) | Before::Damage(len) = before {
            timeline.filled(len);
        }
        timeline.read(100);
        before
    }

    #[test]
    fn gaps_are_found_and_rounding_is_not_one() {
        let mut timeline = stamped(true);
        let found: Vec<Before> =
            [0, 101, 199, 305, 400, 900, 1000].into_iter().map(|at| step(&mut timeline, at)).collect();
        let nothing = Before::Nothing;
        assert_eq!(found, [nothing, nothing, nothing, nothing, nothing, Before::Gap(400), nothing]);
    }

    #[test]
    fn small_delays_add_up_to_a_gap() {
        let mut timeline = stamped(true);
        let missing = (0..100).filter(|at| step(&mut timeline, at * 103) != Before::Nothing).count();
        assert!(timeline.written.abs_diff(99 * 103 + 100) <= 12, "{}", timeline.written);
        assert!(missing < 30);
    }

    #[test]
    fn a_late_start_counts_where_time_is_absolute_and_days_do_not() {
        assert_eq!(step(&mut stamped(true), 700), Before::Late(700));
        assert_eq!(step(&mut stamped(false), 700), Before::Nothing);
        let mut day = stamped(true);
        assert_eq!(step(&mut day, 40_000_000), Before::Nothing);
        assert_eq!(step(&mut day, 40_000_100), Before::Nothing);
        assert_eq!(step(&mut day, 40_000_700), Before::Gap(500));
        assert_eq!(step(&mut day, 90_000_000), Before::Jump(49_999_200));
        assert_eq!(step(&mut day, 90_000_100), Before::Nothing);
        assert_eq!(step(&mut day, 0), Before::Nothing);
        assert_eq!(step(&mut day, 300), Before::Gap(200));
    }

    #[test]
    fn a_new_link_goes_on_and_the_same_link_keeps_its_time() {
        let mut timeline = stamped(false);
        step(&mut timeline, 0);
        timeline.reset(Link::New);
        assert_eq!(step(&mut timeline, 5000), Before::Nothing);
        assert_eq!(step(&mut timeline, 5100), Before::Nothing);
        timeline.reset(Link::Same);
        assert_eq!(step(&mut timeline, 5500), Before::Damage(300));
    }

    #[test]
    fn counted_gaps_come_after_their_sample() {
        let gaps = [Gap { at: 150, len: 40 }, Gap { at: 200, len: 2 }, Gap { at: 300, len: 7 }];
        let mut timeline = Timeline::new(Clock::Count(gaps.into()), 1000);
        let found: Vec<Before> = (0..5)
            .map(|_| {
                let before = timeline.before(None);
                timeline.read(100);
                before
            })
            .collect();
        let nothing = Before::Nothing;
        assert_eq!(found, [nothing, nothing, Before::Damage(42), Before::Damage(7), nothing]);
    }
}
