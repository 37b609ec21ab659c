//! Cutting encoder delay and padding off the decoded stream, where the decoders do not.

/// A length of time as a count of clock ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ticks {
    pub(crate) count: u64,
    pub(crate) per_second: u32,
}

impl Ticks {
    pub(crate) fn seconds(self) -> f64 {
        self.count as f64 / f64::from(self.per_second)
    }

    /// The same length in frames, to the nearest.
    pub(crate) fn frames(self, sample_rate: u32) -> u64 {
        let (per_second, rate) = (u128::from(self.per_second.max(1)), u128::from(sample_rate));
        let frames = (u128::from(self.count) * rate + per_second / 2) / per_second;
        u64::try_from(frames).unwrap_or(u64::MAX)
    }
}

/// What of a decoded stream is to be kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trim {
    /// Dropped from the start.
    pub(crate) skip: Ticks,
    /// Kept after that; `None` for everything.
    pub(crate) keep: Option<Ticks>,
}

/// Carries out a [`Trim`], block by block.
#[derive(Debug)]
pub(crate) struct Trimmer {
    skip_left: u64,
    keep_left: u64,
}

impl Trimmer {
    pub(crate) fn new(skip_frames: u64, keep_frames: Option<u64>) -> Self {
        Self { skip_left: skip_frames, keep_left: keep_frames.unwrap_or(u64::MAX) }
    }

    /// Cuts from `block` what is not to be kept.
    pub(crate) fn apply(&mut self, block: &mut Vec<f32>) {
        let skip = self.skip_left.min(block.len() as u64);
        self.skip_left -= skip;
        block.drain(..skip as usize);
        let keep = self.keep_left.min(block.len() as u64);
        self.keep_left -= keep;
        block.truncate(keep as usize);
    }

    /// Whether nothing more will be kept.
    pub(crate) fn is_done(&self) -> bool {
        self.keep_left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_cut_whatever_the_blocks() {
        for block_len in 1..9 {
            let mut trimmer = Trimmer::new(3, Some(4));
            let all: Vec<f32> = (0..10).map(|i| i as f32).collect();
            let mut kept = Vec::new();
            for block in all.chunks(block_len) {
                let mut block = block.to_vec();
                trimmer.apply(&mut block);
                kept.extend(block);
            }
            assert_eq!(kept, [3.0, 4.0, 5.0, 6.0]);
            assert!(trimmer.is_done());
        }
    }

    #[test]
    fn ticks_round_to_the_nearest_frame() {
        assert_eq!(Ticks { count: 23, per_second: 1000 }.frames(44_100), 1014);
        assert_eq!(Ticks { count: u64::MAX, per_second: 1 }.frames(48_000), u64::MAX);
    }
}
