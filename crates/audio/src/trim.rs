//! Which parts of a decoded stream are heard: without encoder delay and padding, and as edit lists have it.

use std::collections::VecDeque;

/// A length of time as a count of clock ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ticks {
    pub(crate) count: u64,
    pub(crate) per_second: u32,
}

impl Ticks {
    pub(crate) const ZERO: Self = Self { count: 0, per_second: 1 };

    pub(crate) fn seconds(self) -> f64 {
        self.count as f64 / f64::from(self.per_second.max(1))
    }

    /// The same length in frames, to the nearest.
    pub(crate) fn frames(self, sample_rate: u32) -> u64 {
        let (per_second, rate) = (u128::from(self.per_second.max(1)), u128::from(sample_rate));
        let frames = (u128::from(self.count) * rate + per_second / 2) / per_second;
        u64::try_from(frames).unwrap_or(u64::MAX)
    }
}

/// A part of a stream that is heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cut {
    /// Silence in front of it.
    pub(crate) silence: Ticks,
    /// Where in the stream it starts.
    pub(crate) start: Ticks,
    /// How long it is; `None` for the rest.
    pub(crate) keep: Option<Ticks>,
}

impl Cut {
    /// The stream without its first `count` samples.
    pub(crate) fn from_sample(count: u64, sample_rate: u32) -> Self {
        Self { silence: Ticks::ZERO, start: Ticks { count, per_second: sample_rate }, keep: None }
    }
}

/// A piece of a decoded stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// Samples of one channel.
    Samples(Vec<f32>),
    /// Samples of all channels.
    Frames(Frames),
    /// So many samples of silence.
    Silence(u64),
}

/// Samples of all channels, interleaved. 64 bits hold what any decoder gives, exactly.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frames {
    /// At least 1.
    pub(crate) channels: usize,
    pub(crate) samples: Vec<f64>,
}

impl Frames {
    /// Samples of each channel.
    pub(crate) fn len(&self) -> u64 {
        (self.samples.len() / self.channels) as u64
    }

    /// The samples of one channel, rounded to 32 bits.
    pub(crate) fn channel(&self, index: usize) -> Vec<f32> {
        self.samples.iter().skip(index).step_by(self.channels).map(|sample| *sample as f32).collect()
    }

    /// Frames of channels that have the same length.
    pub(crate) fn of_channels(planes: &[Vec<f32>]) -> Self {
        let len = planes.iter().map(Vec::len).min().unwrap_or(0);
        let frame = |at: usize| planes.iter().map(move |plane| f64::from(plane[at]));
        Self { channels: planes.len().max(1), samples: (0..len).flat_map(frame).collect() }
    }

    fn part(&self, start: u64, end: u64) -> Self {
        let (start, end) = (start as usize * self.channels, end as usize * self.channels);
        Self { channels: self.channels, samples: self.samples[start..end].to_vec() }
    }
}

impl Piece {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Samples(samples) => samples.len() as u64,
            Self::Frames(frames) => frames.len(),
            Self::Silence(len) => *len,
        }
    }

    /// The samples from `start` to `end`, which must be within.
    fn part(&self, start: u64, end: u64) -> Self {
        match self {
            Self::Samples(samples) => Self::Samples(samples[start as usize..end as usize].to_vec()),
            Self::Frames(frames) => Self::Frames(frames.part(start, end)),
            Self::Silence(_) => Self::Silence(end - start),
        }
    }
}

/// What [`Cutter::push`] added.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Added {
    /// Samples, with silence.
    pub(crate) samples: u64,
    /// Of these, silence in front of a cut.
    pub(crate) silence: u64,
}

/// Carries out [`Cut`]s, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    /// Silence, start and end, in samples; the current one first.
    cuts: VecDeque<(u64, u64, u64)>,
    /// Samples of the stream so far.
    at: u64,
}

impl Cutter {
    pub(crate) fn new(cuts: &[Cut], sample_rate: u32) -> Self {
        let in_samples = |cut: &Cut| {
            let start = cut.start.frames(sample_rate);
            let keep = cut.keep.map_or(u64::MAX, |keep| keep.frames(sample_rate));
            (cut.silence.frames(sample_rate), start, start.saturating_add(keep))
        };
        Self { cuts: cuts.iter().map(in_samples).collect(), at: 0 }
    }

    /// Adds to `out` what of `piece` is heard.
    pub(crate) fn push(&mut self, piece: Piece, out: &mut VecDeque<Piece>) -> Added {
        let mut added = Added::default();
        let (from, to) = (self.at, self.at.saturating_add(piece.len()));
        self.at = to;
        while let Some((silence, start, end)) = self.cuts.front_mut() {
            let (first, last) = (from.max(*start), to.min(*end));
            if first < last {
                let silence = std::mem::take(silence);
                if silence > 0 {
                    out.push_back(Piece::Silence(silence));
                    added.silence = added.silence.saturating_add(silence);
                }
                added.samples = added.samples.saturating_add(silence).saturating_add(last - first);
                if (first, last) == (from, to) {
                    out.push_back(piece);
                    if to == *end {
                        self.cuts.pop_front();
                    }
                    return added;
                }
                out.push_back(piece.part(first - from, last - from));
            }
            if to < *end {
                break;
            }
            self.cuts.pop_front();
        }
        added
    }

    /// Whether nothing more will be heard.
    pub(crate) fn is_done(&self) -> bool {
        self.cuts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(cuts: &[Cut], block_len: usize) -> Vec<f32> {
        let mut cutter = Cutter::new(cuts, 1);
        let all: Vec<f32> = (0..20).map(|i| i as f32).collect();
        let mut queue = VecDeque::new();
        for block in all.chunks(block_len) {
            cutter.push(Piece::Samples(block.to_vec()), &mut queue);
        }
        let samples = |piece| match piece {
            Piece::Samples(samples) => samples,
            Piece::Frames(frames) => frames.channel(0),
            Piece::Silence(len) => vec![-1.0; len as usize],
        };
        queue.into_iter().flat_map(samples).collect()
    }

    fn ticks(count: u64) -> Ticks {
        Ticks { count, per_second: 1 }
    }

    #[test]
    fn cuts_are_the_same_whatever_the_blocks() {
        let one = Cut { silence: Ticks::ZERO, start: ticks(3), keep: Some(ticks(4)) };
        let late = Cut { silence: ticks(2), start: ticks(10), keep: Some(ticks(2)) };
        let rest = Cut { silence: ticks(1), start: ticks(18), keep: None };
        for block_len in 1..21 {
            assert_eq!(heard(&[one], block_len), [3.0, 4.0, 5.0, 6.0]);
            let all = [3.0, 4.0, 5.0, 6.0, -1.0, -1.0, 10.0, 11.0, -1.0, 18.0, 19.0];
            assert_eq!(heard(&[one, late, rest], block_len), all);
        }
    }

    #[test]
    fn ticks_round_to_the_nearest_frame() {
        assert_eq!(Ticks { count: 23, per_second: 1000 }.frames(44_100), 1014);
        assert_eq!(Ticks { count: u64::MAX, per_second: 1 }.frames(48_000), u64::MAX);
    }
}
