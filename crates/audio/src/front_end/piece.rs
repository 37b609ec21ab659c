//! Samples of a signal, and what is taken to be beyond its ends.

use std::ops::Range;

use crate::spec::PadMode;

/// A piece of a signal.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    /// The samples from `base` on.
    pub(crate) samples: &'a [f32],
    /// Where the piece starts in the signal.
    pub(crate) base: u64,
    /// Length of the whole signal.
    pub(crate) total: u64,
}

impl<'a> Piece<'a> {
    /// All of a signal.
    pub(super) fn whole(samples: &'a [f32]) -> Self {
        Self { samples, base: 0, total: samples.len() as u64 }
    }

    /// The samples from `start` to `end` of the signal, both inside the piece.
    pub(super) fn range(&self, start: u64, end: u64) -> &'a [f32] {
        &self.samples[(start - self.base) as usize..(end - self.base) as usize]
    }

    /// Replaces `out` with the samples at `positions` of the signal, which may lie beyond its ends. The piece holds
    /// those inside, and those that a reflection needs.
    ///
    /// Reflection goes back and forth as often as a short signal needs (numpy's "reflect").
    pub(super) fn read(&self, positions: Range<i64>, mode: PadMode, out: &mut Vec<f32>) {
        out.clear();
        let total = self.total as i64;
        if total == 0 {
            return;
        }
        let beyond = |at: i64| match mode {
            PadMode::Zero => 0.0,
            PadMode::Reflect => {
                // Positions repeat every 2 (total - 1).
                let period = 2 * (total - 1);
                let at = if period == 0 { 0 } else { at.abs() % period };
                self.samples[(at.min(period - at) as u64 - self.base) as usize]
            }
        };
        let inside = positions.start.clamp(0, total)..positions.end.clamp(0, total);
        out.extend((positions.start..inside.start.min(positions.end)).map(beyond));
        out.extend_from_slice(self.range(inside.start as u64, inside.end as u64));
        out.extend((inside.end.max(positions.start)..positions.end).map(beyond));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(samples: &[f32], positions: Range<i64>, mode: PadMode) -> Vec<f32> {
        let mut out = vec![9.0];
        Piece::whole(samples).read(positions, mode, &mut out);
        out
    }

    #[test]
    fn reflection_is_numpys() {
        // numpy.pad([1, 2, 3], 5, mode="reflect")
        let padded = [2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0];
        assert_eq!(read(&[1.0, 2.0, 3.0], -5..8, PadMode::Reflect), padded);
        assert_eq!(read(&[1.0, 2.0, 3.0], -3..-1, PadMode::Reflect), padded[2..4]);
        assert_eq!(read(&[1.0, 2.0, 3.0], 5..8, PadMode::Reflect), padded[10..]);
        assert_eq!(read(&[4.0], -2..3, PadMode::Reflect), [4.0; 5]);
        assert_eq!(read(&[4.0], -1..2, PadMode::Zero), [0.0, 4.0, 0.0]);
        assert_eq!(read(&[], -1..2, PadMode::Zero), []);
    }

    #[test]
    fn a_piece_from_the_middle_reflects_at_the_signals_end() {
        let piece = Piece { samples: &[7.0, 8.0, 9.0], base: 7, total: 10 };
        let mut out = Vec::new();
        piece.read(8..12, PadMode::Reflect, &mut out);
        assert_eq!(out, [8.0, 9.0, 8.0, 7.0]);
    }
}
