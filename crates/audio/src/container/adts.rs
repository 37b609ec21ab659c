//! AAC in ADTS frames (ISO/IEC 13818-7 section 6.2).

use std::io::{Read, Seek};

use super::bytes::Bytes;
use super::frames::{Frame, Scanner};
use super::{Found, Stream};
use crate::trim::{Cut, Ticks};

/// Sample rates by index (ISO/IEC 14496-3 table 1.18).
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

fn parse(head: &[u8]) -> Option<Frame> {
    let [0xff, b1, b2, b3, b4, b5, b6, ..] = *head else { return None };
    // Sync word and layer.
    if b1 & 0xf6 != 0xf0 {
        return None;
    }
    let sample_rate = *SAMPLE_RATES.get(usize::from(b2 >> 2 & 15))?;
    let len = usize::from(b3 & 3) << 11 | usize::from(b4) << 3 | usize::from(b5 >> 5);
    let header = if b1 & 1 == 1 { 7 } else { 9 };
    // Version, profile, sample rate and channels.
    let key = u32::from(b1) << 16 | u32::from(b2 & 0xfd) << 8 | u32::from(b3 & 0xc0);
    let samples = 1024 * (u32::from(b6 & 3) + 1);
    (len > header).then_some(Frame { len, samples, sample_rate, key })
}

/// Finds the frames of a file that has some.
pub(super) fn read<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>) -> Option<Found> {
    let mut scanner = Scanner::new(bytes, parse);
    let first = scanner.first()?;
    let frame = parse(scanner.peek(first, 8))?;
    let walk = scanner.walk(first);
    let lost: u64 = walk.gaps.iter().map(|gap| gap.len).sum();
    let ticks = |count| Ticks { count, per_second: frame.sample_rate };
    (walk.samples > 0).then(|| {
        Found::Stream(Stream {
            parts: walk.parts,
            gaps: walk.gaps,
            cut: Cut::from_sample(0, frame.sample_rate),
            length: ticks(walk.samples + lost),
        })
    })
}
