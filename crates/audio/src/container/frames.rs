//! Streams of frames that carry their own length and nothing else: MPEG audio and ADTS. There is no container
//! to say where frames or seconds are, so this walks from frame to frame, and finds what lies between them.

use std::collections::VecDeque;
use std::io::{Read, Seek};

use super::bytes::{Bytes, Window};
use super::view::Part;

/// Bytes read at a time.
const WINDOW: usize = 1 << 18;

/// Headers that must follow each other before they are believed, at the start and behind damage. Of random
/// bytes, one place in 2^11 or so looks like a header.
const CHAIN: usize = 3;

/// How far into a file the first frame is looked for.
const SEARCHED_BYTES: u64 = 1 << 20;

/// How far behind frames of another stream those of the same are looked for. A file may have many places
/// where that is in vain.
const NEAR_BYTES: u64 = 1 << 16;

/// Stretches between frames that are kept apart.
const MAX_GAPS: usize = 10_000;

/// Frames whose mean length tells how many were lost in between.
const NEAR: usize = 50;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Bytes, with the header.
    pub(super) len: usize,
    /// Samples of each channel.
    pub(super) samples: u32,
    /// Samples a second.
    pub(super) sample_rate: u32,
    /// What does not change within a stream.
    pub(super) key: u32,
}

/// Time that is missing from the stream: `len` samples after the first `at` samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) at: u64,
    pub(crate) len: u64,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Where frames are.
    pub(super) parts: Vec<Part>,
    /// Estimated from the mean length of the frames around.
    pub(super) gaps: Vec<Gap>,
    /// Samples of all frames, at the rate of the first.
    pub(super) samples: u64,
}

/// Reads a header from the first bytes given; `None` if it is none.
pub(super) type Parse = fn(&[u8]) -> Option<Frame>;

/// Bytes that [`Parse`] needs.
pub(super) const HEADER: usize = 8;

pub(super) struct Scanner<'a, 'b, M: ?Sized> {
    bytes: &'a mut Bytes<'b, M>,
    parse: Parse,
    window: Window,
}

impl<'a, 'b, M: Read + Seek + ?Sized> Scanner<'a, 'b, M> {
    pub(super) fn new(bytes: &'a mut Bytes<'b, M>, parse: Parse) -> Self {
        Self { bytes, parse, window: Window::new(WINDOW) }
    }

    /// The bytes from `at` on, at most `len`.
    pub(super) fn peek(&mut self, at: u64, len: usize) -> &[u8] {
        self.window.peek(self.bytes, at, len)
    }

    fn frame(&mut self, at: u64) -> Option<Frame> {
        let parse = self.parse;
        parse(self.peek(at, HEADER))
    }

    /// Whether frames follow each other from `at` on, as many as should or up to the end of the file.
    fn is_chain(&mut self, mut at: u64, key: Option<u32>) -> bool {
        let mut key = key;
        for number in 0..CHAIN {
            if number > 0 && self.is_end(at) {
                return true;
            }
            match self.frame(at) {
                Some(frame) if key.is_none_or(|key| key == frame.key) => {
                    key = Some(frame.key);
                    at += frame.len as u64;
                }
                _ => return false,
            }
        }
        true
    }

    /// Whether the stream ends here: with the file, or with a tag.
    fn is_end(&mut self, at: u64) -> bool {
        let len = self.bytes.len();
        at + 4 > len || self.tag(at).is_some_and(|end| end >= len)
    }

    /// Where the tag ends that starts at `at`: ID3v1, ID3v2 or APEv2, Lyrics3.
    fn tag(&mut self, at: u64) -> Option<u64> {
        let head = self.peek(at, 32);
        if head.starts_with(b"ID3") {
            return id3v2_len(head).map(|len| at + len);
        }
        if head.starts_with(b"TAG") {
            return Some(at + 128);
        }
        if head.starts_with(b"APETAGEX") && head.len() >= 32 {
            // The size counts the items and the footer, not the header.
            let size = u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
            return Some(at + 32 + u64::from(size));
        }
        // Its length is at its end; ID3v1 comes behind it.
        head.starts_with(b"LYRICSBEGIN").then_some(self.bytes.len())
    }

    /// Where the first frame is.
    pub(super) fn first(&mut self) -> Option<u64> {
        let mut at = 0;
        while let Some(len) = id3v2_len(self.peek(at, 10)) {
            at += len;
        }
        let end = at.saturating_add(SEARCHED_BYTES).min(self.bytes.len());
        (at..end).find(|at| self.is_chain(*at, None))
    }

    /// Walks from the frame at `at` to the end.
    pub(super) fn walk(&mut self, mut at: u64) -> Walk {
        let mut walk = Walk::default();
        let mut near = VecDeque::with_capacity(NEAR + 1);
        let mut start = at;
        let (mut key, mut rate) = (None, None);
        // At other rates, there are fractions of samples.
        let mut samples = 0.0;
        while let Some(frame) = self.frame(at).filter(|frame| key.is_none_or(|key| key == frame.key)) {
            key = Some(frame.key);
            let next = at + frame.len as u64;
            if next > self.bytes.len() {
                // Cut off.
                break;
            }
            let rate = *rate.get_or_insert(frame.sample_rate);
            samples += f64::from(frame.samples) * f64::from(rate) / f64::from(frame.sample_rate);
            walk.samples = samples as u64;
            near.push_back(frame.len);
            if near.len() > NEAR {
                near.pop_front();
            }
            at = next;
            let is_next = |frame: Option<Frame>| frame.is_some_and(|next| next.key == frame_key(key));
            if is_next(self.frame(at)) {
                continue;
            }
            if self.is_end(at) || walk.gaps.len() >= MAX_GAPS {
                break;
            }
            // Another kind of stream, a tag, or damage.
            let Some((resumed, is_tag)) = self.resume(at, key) else { break };
            walk.parts.push(Part::File { start, end: at });
            key = self.frame(resumed).map(|frame| frame.key);
            if !is_tag && resumed > at {
                let (mean, samples) = self.mean_len(&near, resumed);
                let lost = ((resumed - at) as f64 / mean).round() as u64 * samples;
                walk.gaps.push(Gap { at: walk.samples, len: lost });
            }
            near.clear();
            (start, at) = (resumed, resumed);
        }
        let end = if walk.gaps.len() >= MAX_GAPS { self.bytes.len() } else { at };
        walk.parts.push(Part::File { start, end });
        walk
    }

    /// Where frames go on behind `at`, and whether nothing but tags lies between.
    fn resume(&mut self, at: u64, key: Option<u32>) -> Option<(u64, bool)> {
        let mut after = at;
        while let Some(end) = self.tag(after).filter(|end| *end > after && *end < self.bytes.len()) {
            after = end;
        }
        if self.is_chain(after, None) {
            return Some((after, true));
        }
        let end = self.bytes.len();
        let any = (after..end).find(|at| self.is_chain(*at, None))?;
        // The same stream is more likely than another, so it may start somewhat later.
        let same = (any..any.saturating_add(NEAR_BYTES).min(end)).find(|at| self.is_chain(*at, key));
        Some((same.unwrap_or(any), false))
    }

    /// Mean length of the frames before a gap and of those from `at` on, and the samples of one.
    fn mean_len(&mut self, before: &VecDeque<usize>, mut at: u64) -> (f64, u64) {
        let (mut count, mut len, mut samples) = (before.len(), before.iter().sum::<usize>(), 0);
        for _ in 0..NEAR {
            let Some(frame) = self.frame(at) else { break };
            samples = u64::from(frame.samples);
            count += 1;
            len += frame.len;
            at += frame.len as u64;
        }
        (len as f64 / count.max(1) as f64, samples)
    }
}

fn frame_key(key: Option<u32>) -> u32 {
    key.unwrap_or(u32::MAX)
}

/// Length of an ID3v2 tag (ID3v2.4 section 3.1), of which the first bytes are given.
pub(super) fn id3v2_len(head: &[u8]) -> Option<u64> {
    let [b'I', b'D', b'3', major, _, flags, a, b, c, d, ..] = *head else { return None };
    let is_size = [a, b, c, d].iter().all(|byte| *byte < 0x80);
    let size = [a, b, c, d].iter().fold(0, |size, byte| size << 7 | u64::from(*byte));
    // A footer repeats the header.
    let footer = if flags & 0x10 != 0 { 10 } else { 0 };
    (is_size && major < 0xff).then_some(10 + size + footer)
}
