//! Cuts the stream of windows into segments: runs of consecutive windows that are encoded together and, in an index,
//! pooled into one vector.

use std::ops::Range;

use earmark_audio::FeatureWindow;

/// Features of consecutive windows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct SegmentFeatures {
    /// `[windows, frames, mels]`.
    pub(crate) features: Vec<f32>,
    /// Start and end of each window, seconds.
    pub(crate) times: Vec<(f64, f64)>,
}

impl SegmentFeatures {
    /// Moves all windows by so many seconds.
    pub(crate) fn shift(&mut self, seconds: f64) {
        for (start_s, end_s) in &mut self.times {
            *start_s += seconds;
            *end_s += seconds;
        }
    }

    fn append(&mut self, other: Self) {
        self.features.extend(other.features);
        self.times.extend(other.times);
    }
}

/// Groups windows by `per_segment`. A last group of less than half as many is joined to the one before it, so that no
/// segment is a sliver of tail.
#[derive(Debug)]
pub(crate) struct SegmentCutter {
    per_segment: usize,
    held: Option<SegmentFeatures>,
    current: SegmentFeatures,
}

impl SegmentCutter {
    pub(crate) fn new(per_segment: usize) -> Self {
        Self { per_segment: per_segment.max(1), held: None, current: SegmentFeatures::default() }
    }

    /// Takes the next window; gives a segment once it is known to be final.
    pub(crate) fn push(&mut self, window: FeatureWindow) -> Option<SegmentFeatures> {
        self.current.features.extend(window.features);
        self.current.times.push((window.start_s, window.end_s));
        if self.current.times.len() < self.per_segment {
            return None;
        }
        self.held.replace(std::mem::take(&mut self.current))
    }

    /// The last one or two segments.
    pub(crate) fn finish(mut self) -> Vec<SegmentFeatures> {
        let mut last = Vec::new();
        let short = is_sliver(self.current.times.len(), self.per_segment);
        match self.held.take() {
            Some(mut held) if short => {
                held.append(self.current);
                last.push(held);
            }
            Some(held) => last.extend([held, self.current]),
            None => last.push(self.current),
        }
        last.retain(|s| !s.times.is_empty());
        last
    }
}

/// Whether so many windows are too few for a segment of their own where there is one before them.
fn is_sliver(windows: usize, per_segment: usize) -> bool {
    windows * 2 < per_segment
}

/// Which windows make up each segment: what [`SegmentCutter`] does to `windows` windows that are all here.
pub(crate) fn segments_of(windows: usize, per_segment: usize) -> Vec<Range<usize>> {
    let per_segment = per_segment.max(1);
    let (whole, rest) = (windows / per_segment, windows % per_segment);
    let joined = whole > 0 && is_sliver(rest, per_segment);
    let segments = if joined || rest == 0 { whole } else { whole + 1 };
    let end = |i: usize| if i + 1 == segments { windows } else { (i + 1) * per_segment };
    (0..segments).map(|i| i * per_segment..end(i)).collect()
}

/// The part of each stretch that those before it do not cover, start and end in seconds; `stretches` are in
/// order. So overlapping segments share out the sound, and a last window that was moved back counts for what
/// is new in it: of 0 to 5, 5 to 10 and 7 to 12 s the last part is 10 to 12 s.
pub(crate) fn new_parts(stretches: impl Iterator<Item = (f64, f64)>) -> impl Iterator<Item = (f64, f64)> {
    let mut covered = f64::NEG_INFINITY;
    stretches.map(move |(start_s, end_s)| {
        let new = (start_s.max(covered), end_s.max(covered));
        covered = new.1;
        new
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_are_all_here_make_the_segments_of_the_stream() {
        for per_segment in 1..12 {
            for windows in 0..40 {
                let lengths: Vec<usize> = segments_of(windows, per_segment).iter().map(Range::len).collect();
                assert_eq!(lengths, sizes(windows, per_segment), "{windows} windows by {per_segment}");
            }
        }
    }

    #[test]
    fn each_moment_counts_for_one_stretch() {
        let parts: Vec<_> = new_parts([(0.0, 5.0), (5.0, 10.0), (7.0, 12.0)].into_iter()).collect();
        assert_eq!(parts, [(0.0, 5.0), (5.0, 10.0), (10.0, 12.0)]);
        let parts: Vec<_> = new_parts([(2.0, 7.3), (6.8, 12.1), (7.0, 9.0)].into_iter()).collect();
        assert_eq!(parts, [(2.0, 7.3), (7.3, 12.1), (12.1, 12.1)]);
    }

    /// Sizes of the segments that `windows` windows are cut into.
    fn sizes(windows: usize, per_segment: usize) -> Vec<usize> {
        let mut cutter = SegmentCutter::new(per_segment);
        let mut segments = Vec::new();
        for index in 0..windows {
            let start_s = index as f64;
            let window =
                FeatureWindow { index, start_s, end_s: start_s + 2.0, features: vec![index as f32; 3] };
            segments.extend(cutter.push(window));
        }
        segments.extend(cutter.finish());
        let starts: Vec<f64> = segments.iter().flat_map(|s| s.times.iter().map(|t| t.0)).collect();
        assert_eq!(starts, (0..windows).map(|i| i as f64).collect::<Vec<_>>(), "a window was lost or moved");
        assert!(segments.iter().all(|s| s.features.len() == s.times.len() * 3));
        segments.iter().map(|s| s.times.len()).collect()
    }

    #[test]
    fn every_window_is_in_one_segment_and_a_short_tail_joins_the_last() {
        assert_eq!(sizes(0, 10), Vec::<usize>::new());
        assert_eq!(sizes(1, 10), [1]);
        assert_eq!(sizes(10, 10), [10]);
        assert_eq!(sizes(14, 10), [14]);
        assert_eq!(sizes(15, 10), [10, 5]);
        assert_eq!(sizes(20, 10), [10, 10]);
        assert_eq!(sizes(24, 10), [10, 14]);
        assert_eq!(sizes(3, 1), [1, 1, 1]);
    }
}
