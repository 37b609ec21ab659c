//! Seconds in which classes are active.

use crate::report::ClassResult;

use super::Event;
use crate::metrics::classification::class_result;

/// Length of a segment, seconds (sed_eval's default).
const SEGMENT: f64 = 1.0;

/// Active segments of a class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Active {
    /// In truth and answer.
    pub(super) hits: usize,
    /// In the answer.
    pub(super) found: usize,
    /// In the truth.
    pub(super) expected: usize,
}

/// Counts over the segments of one recording, or of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentCounts {
    /// By class.
    pub(super) classes: Vec<Active>,
    /// Substitutions, deletions and insertions.
    errors: usize,
}

impl SegmentCounts {
    /// Counts of one recording.
    ///
    /// Between two neighbouring edges of events nothing changes, so such runs are counted whole: a wrong time of some
    /// years costs no more than a right one. Times beyond 2^32 s are that.
    pub(super) fn of(classes: usize, expected: &[Event], found: &[Event]) -> Self {
        let segments = |seconds: f64| seconds.clamp(0.0, f64::from(u32::MAX)) / SEGMENT;
        let first = |e: &Event| segments(e.onset_s).floor() as usize;
        let end = |e: &Event| segments(e.offset_s).ceil() as usize;
        let mut edges: Vec<usize> = expected.iter().chain(found).flat_map(|e| [first(e), end(e)]).collect();
        edges.sort_unstable();
        edges.dedup();

        let mut counts = Self { classes: vec![Active::default(); classes], errors: 0 };
        for run in edges.windows(2) {
            let length = run[1] - run[0];
            let active = |events: &[Event]| -> Vec<bool> {
                let mut active = vec![false; classes];
                let covering = events.iter().filter(|e| first(e) <= run[0] && run[1] <= end(e));
                covering.for_each(|e| active[e.class] = true);
                active
            };
            let (truth, answer) = (active(expected), active(found));
            let (mut missed, mut wrong) = (0, 0);
            for ((class, &t), &a) in counts.classes.iter_mut().zip(&truth).zip(&answer) {
                class.expected += length * usize::from(t);
                class.found += length * usize::from(a);
                class.hits += length * usize::from(t && a);
                missed += usize::from(t && !a);
                wrong += usize::from(a && !t);
            }
            // A miss and a false alarm in one segment are one substitution; the rest are deletions or insertions.
            counts.errors += length * missed.max(wrong);
        }
        counts
    }

    /// Counts of several recordings together.
    pub(super) fn sum(classes: usize, each: &[Self]) -> Self {
        let mut total = Self { classes: vec![Active::default(); classes], errors: 0 };
        for counts in each {
            total.errors += counts.errors;
            for (sum, c) in total.classes.iter_mut().zip(&counts.classes) {
                sum.hits += c.hits;
                sum.found += c.found;
                sum.expected += c.expected;
            }
        }
        total
    }

    /// Figures over all classes together.
    pub(super) fn micro(&self) -> ClassResult {
        let sum = |count: fn(&Active) -> usize| self.classes.iter().map(count).sum();
        class_result("", sum(|c| c.hits), sum(|c| c.found), sum(|c| c.expected))
    }

    /// Substitutions, deletions and insertions for each active segment of the truth.
    pub(super) fn error_rate(&self) -> f64 {
        let expected: usize = self.classes.iter().map(|c| c.expected).sum();
        self.errors as f64 / expected.max(1) as f64
    }
}
