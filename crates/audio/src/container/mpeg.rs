//! MPEG audio streams (MP1, MP2, MP3): frames, and the header that some encoders put in front of them.
//!
//! The first frame may be no sound but a count of frames (Xing and Info headers, with LAME's encoder delay and
//! padding; Fraunhofer's VBRI). Files that were joined or cut keep a count that is wrong, and symphonia would
//! stop where it ends. Here the frames are counted, and the header is believed where it agrees.

use std::io::{Read, Seek};

use super::bytes::Bytes;
use super::frames::{Frame, Scanner};
use super::view::Part;
use super::{Found, Stream};
use crate::trim::{Cut, Ticks};

/// A decoder's own delay, in samples, that LAME's encoder delay does not count: 528, and 1 for rounding.
const DECODER_DELAY: u64 = 529;

/// Largest frame of layer 3 (320 kbit/s at 32 kHz with padding), and more.
const MAX_HEADER_FRAME: usize = 2881;

/// Headers inside a stream that are hidden, of as many files joined. Each takes some 200 bytes of memory.
const MAX_HIDDEN: usize = 100_000;

/// Bit rates in kbit/s by index, for MPEG-1 layers I, II, III and MPEG-2 layers I and II/III (ISO 11172-3
/// section 2.4.2.3, ISO 13818-3 section 2.4.2.3).
const BIT_RATES: [[u16; 15]; 5] = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

fn parse(head: &[u8]) -> Option<Frame> {
    let [0xff, b1, b2, b3, ..] = *head else { return None };
    if b1 & 0xe0 != 0xe0 {
        return None;
    }
    let (version, layer) = (b1 >> 3 & 3, b1 >> 1 & 3);
    let (rate_index, frequency, padding) = (b2 >> 4, b2 >> 2 & 3, u32::from(b2 >> 1 & 1));
    // Reserved values, and free formats, whose frames do not say how long they are.
    if version == 1 || layer == 0 || frequency == 3 || !(1..15).contains(&rate_index) || b3 & 3 == 2 {
        return None;
    }
    let is_v1 = version == 3;
    let sample_rate = [44_100, 48_000, 32_000][usize::from(frequency)]
        >> match version {
            3 => 0,
            2 => 1,
            _ => 2,
        };
    let table = match (is_v1, layer) {
        (true, 3) => 0,
        (true, 2) => 1,
        (true, _) => 2,
        (false, 3) => 3,
        (false, _) => 4,
    };
    let bits = u32::from(BIT_RATES[table][usize::from(rate_index)]) * 1000;
    let samples = match layer {
        3 => 384,
        1 if !is_v1 => 576,
        _ => 1152,
    };
    let len = if layer == 3 {
        (12 * bits / sample_rate + padding) * 4
    } else {
        samples / 8 * bits / sample_rate + padding
    };
    let key = u32::from(b1 & 0xfe) << 8 | u32::from(b2 & 0x0c);
    Some(Frame { len: len as usize, samples, sample_rate, key })
}

/// Names a layer II frame whose bit rate the standard does not allow for its channels (ISO 11172-3 section
/// 2.4.2.3). symphonia refuses these; ffmpeg writes them, by default for one channel.
fn disallowed(head: &[u8]) -> Option<String> {
    let [_, b1, b2, b3, ..] = *head else { return None };
    if b1 & 0x1e != 0x1c {
        return None;
    }
    let rate = *BIT_RATES[1].get(usize::from(b2 >> 4))?;
    let (is_mono, count) = if b3 >> 6 == 3 { (true, "one channel") } else { (false, "two channels") };
    let is_bad =
        if is_mono { matches!(rate, 224 | 256 | 320 | 384) } else { matches!(rate, 32 | 48 | 56 | 80) };
    is_bad.then(|| format!("MP2 of {count} at {rate} kbit/s"))
}

/// What the first frame says of the others.
#[derive(Default)]
struct Header {
    /// Frames after it.
    frames: Option<u64>,
    /// LAME's encoder delay and padding, in samples.
    lame: Option<(u64, u64)>,
}

/// Reads Xing, Info and VBRI headers.
fn header(frame: &[u8]) -> Option<Header> {
    // Behind a checksum, if there is one, and the side information, whose length depends on version and mode.
    let protected = frame.get(1)? & 1 == 0;
    let is_v1 = frame.get(1)? >> 3 & 3 == 3;
    let is_mono = frame.get(3)? >> 6 == 3;
    let side = match (is_v1, is_mono) {
        (true, false) => 32,
        (true, true) | (false, false) => 17,
        (false, true) => 9,
    };
    let u32_at = |at: usize| {
        frame.get(at..at + 4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
    };
    if frame.get(36..40) == Some(b"VBRI") {
        // Version, delay, quality (2 bytes each), bytes, frames.
        return Some(Header { frames: u32_at(50).map(u64::from), lame: None });
    }
    // Encoders forget the checksum when they place the tag; both places are looked at.
    let place = [4 + side, 4 + side + if protected { 2 } else { 0 }];
    let at = place.into_iter().find(|at| matches!(frame.get(*at..at + 4), Some(b"Xing" | b"Info")))?;
    let flags = u32_at(at + 4)?;
    let mut next = at + 8;
    let mut frames = None;
    // Frames, bytes, seek table, quality.
    for (bit, len) in [(1, 4), (2, 4), (4, 100), (8, 4)] {
        if flags & bit != 0 {
            if bit == 1 {
                frames = u32_at(next).map(u64::from);
            }
            next += len;
        }
    }
    // LAME's extension: encoder (9 bytes), revision, low pass, gains (8), flags, bit rate, delay and padding.
    let lame = frame.get(next + 21..next + 24).filter(|_| frame.get(next).is_some_and(|byte| *byte != 0));
    let lame = lame.map(|three| {
        let both = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        (u64::from(both >> 12), u64::from(both & 0xfff))
    });
    Some(Header { frames, lame })
}

/// Finds the frames of a file that has some.
pub(super) fn read<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>) -> Option<Found> {
    let mut scanner = Scanner::new(bytes, parse);
    let first = scanner.first()?;
    let frame = parse(scanner.peek(first, 8))?;
    let unusual = disallowed(scanner.peek(first, 8));
    let header = header(scanner.peek(first, frame.len.min(MAX_HEADER_FRAME)));
    let start = first + if header.is_some() { frame.len as u64 } else { 0 };
    let mut walk = scanner.walk(start);
    if walk.samples == 0 {
        return None;
    }
    if let Some(codec) = unusual {
        return Some(Found::Unknown { codec });
    }
    let ticks = |count| Ticks { count, per_second: frame.sample_rate };
    let header = header.unwrap_or_default();
    let counted = header.frames.map(|frames| frames * u64::from(frame.samples));
    // A count that is too small is that of a file this one begins with. One that is too large tells of a cut.
    let is_stale = counted.is_some_and(|counted| counted < walk.samples);
    let counted = counted.filter(|_| !is_stale);
    let delay = header.lame.map_or(0, |(delay, _)| delay + DECODER_DELAY);
    let keep = counted.zip(header.lame).map(|(all, (delay, padding))| all.saturating_sub(delay + padding));
    // symphonia would leave such a frame out where it meets one; players decode it, as silence.
    let hidden = hide_headers(&mut scanner, &walk.parts);
    if !hidden.is_empty() {
        walk.parts = without_names(walk.parts, &hidden);
    }
    let lost: u64 = walk.gaps.iter().map(|gap| gap.len).sum();
    let all = counted.unwrap_or(walk.samples + lost);
    Some(Found::Stream(Box::new(Stream {
        parts: walk.parts,
        gaps: walk.gaps,
        cut: Cut { silence: Ticks::ZERO, start: ticks(delay), keep: keep.map(ticks) },
        length: ticks(keep.unwrap_or(all.saturating_sub(delay))),
        facts: None,
    })))
}

/// Places of the names of Xing, Info and VBRI headers inside the stream: those of joined files.
fn hide_headers<M: Read + Seek + ?Sized>(scanner: &mut Scanner<'_, '_, M>, parts: &[Part]) -> Vec<u64> {
    let mut found = Vec::new();
    for part in parts {
        let Part::File { start, end } = *part else { continue };
        let mut at = start;
        while at < end && found.len() < MAX_HIDDEN {
            let Some(frame) = parse(scanner.peek(at, 8)) else { break };
            // Side information of a frame with sound is not all zeros; that of a header is.
            let bytes = scanner.peek(at, frame.len.min(MAX_HEADER_FRAME));
            if bytes.get(4..12).is_some_and(|side| side.iter().all(|byte| *byte == 0))
                && header(bytes).is_some()
            {
                let name = bytes.windows(4).position(|four| matches!(four, b"Xing" | b"Info" | b"VBRI"));
                found.extend(name.map(|name| at + name as u64));
            }
            at += frame.len as u64;
        }
    }
    found
}

fn without_names(parts: Vec<Part>, names: &[u64]) -> Vec<Part> {
    let mut all = Vec::with_capacity(parts.len() + 2 * names.len());
    let mut names = names.iter().copied().peekable();
    for part in parts {
        let Part::File { mut start, end } = part else { continue };
        while let Some(name) = names.next_if(|name| (start..end).contains(name)) {
            all.push(Part::File { start, end: name });
            all.push(Part::Own(vec![0; 4]));
            start = name + 4;
        }
        all.push(Part::File { start, end });
    }
    all
}
