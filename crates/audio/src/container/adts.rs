//! AAC in ADTS frames (ISO/IEC 13818-7 section 6.2).

use std::io::{Read, Seek};

use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;

use super::bytes::Bytes;
use super::frames::{Frame, Scanner};
use super::{Found, Stream, TrackFacts};
use crate::decoders::aac::config::{RATES, of_adts};
use crate::trim::{Cut, Ticks};

fn parse(head: &[u8]) -> Option<Frame> {
    let [0xff, b1, b2, b3, b4, b5, b6, ..] = *head else { return None };
    // Sync word and layer.
    if b1 & 0xf6 != 0xf0 {
        return None;
    }
    let sample_rate = *RATES.get(usize::from(b2 >> 2 & 15))?;
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
    let config = of_adts(scanner.peek(first, frame.len))?;
    let walk = scanner.walk(first);
    let lost: u64 = walk.gaps.iter().map(|gap| gap.len).sum();
    let ticks = |count| Ticks { count, per_second: frame.sample_rate };
    (walk.samples > 0).then(|| {
        Found::Stream(Box::new(Stream {
            parts: walk.parts,
            gaps: walk.gaps,
            cut: Cut::from_sample(0, frame.sample_rate),
            length: ticks(walk.samples + lost),
            facts: Some(TrackFacts {
                id: 0,
                is_preferred: true,
                params: Some((CODEC_ID_AAC, config)),
                ..TrackFacts::default()
            }),
        }))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::container::view::Part;

    #[test]
    fn frames_are_found_behind_a_tag_and_junk() {
        // Main profile, 44,100 Hz, stereo, frames of 20 bytes.
        let mut frame = vec![0xff, 0xf1, 0x10, 0x80, 0x02, 0x9f, 0xfc];
        frame.resize(20, 0);
        let mut file = b"ID3\x04\0\0\0\0\x01\x02".to_vec();
        file.resize(10 + 130, 0x55);
        // A sync word by chance, in front of the true one.
        file.extend([0xff, 0xf1, 0x10, 0x80, 0x02, 0x9f, 0xfc]);
        for _ in 0..3 {
            file.extend(&frame);
        }
        let found = read(&mut Bytes::new(&mut Cursor::new(file)).unwrap());
        let Some(Found::Stream(stream)) = found else { panic!("{found:?}") };
        assert_eq!(stream.parts, [Part::File { start: 147, end: 207 }]);
        assert_eq!(stream.length.count, 3 * 1024);
        for other in [b"RIFF".to_vec(), vec![0xff; 100_000]] {
            assert!(read(&mut Bytes::new(&mut Cursor::new(other)).unwrap()).is_none());
        }
    }
}
