//! Ogg pages (RFC 3533): which of them are there and whole.
//!
//! symphonia leaves out a page that is damaged, and dates the packets of the next by the page before the
//! damage. A reader that starts with that next page dates them right, from its granule position. So where
//! pages are missing, this makes the stream start anew there: it repeats the header pages.

use std::collections::HashMap;
use std::io::{Read, Seek};

use super::Found;
use super::bytes::{Bytes, Window};
use super::frames::id3v2_len;
use super::view::Part;

/// Bytes of a page's header without its segment table.
const HEADER: usize = 27;

/// Largest page.
const MAX_PAGE: usize = HEADER + 255 + 255 * 255;

/// Bytes read at a time.
const WINDOW: usize = 1 << 20;

/// Damaged places that are mended; what comes behind that many is not worth it.
const MAX_DAMAGE: usize = 1000;

/// Bytes of pages whose checksum may be wrong, all together. Each `OggS` can claim 64 KiB, and they can
/// overlap.
const MAX_WRONG: usize = 1 << 28;

/// Header pages that are repeated, in bytes: those of Vorbis hold its codebooks, and at times a picture.
const MAX_HEADERS: u64 = 1 << 24;

/// How the first packets of codecs that are decoded begin, and of the others that we can name.
const DECODED: [&[u8]; 3] = [b"\x01vorbis", b"OpusHead", b"\x7fFLAC"];
const NAMED: [(&[u8], &str); 4] = [
    (b"Speex   ", "Speex"),
    (b"CELT    ", "CELT"),
    (b"PCM     ", "PCM in Ogg"),
    (b"\x80kate", "no sound but subtitles (Kate)"),
];

/// How a stream goes on behind a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Another stream, whose time starts at its own zero.
    New,
    /// The same behind damage, with the same time.
    Same,
}

/// One page.
struct Page {
    at: u64,
    len: u64,
    serial: u32,
    sequence: u32,
    granule: i64,
    is_first: bool,
    /// Start of its content.
    magic: [u8; 8],
}

struct Pages<'a, 'b, M: ?Sized> {
    bytes: &'a mut Bytes<'b, M>,
    window: Window,
    /// Bytes of pages whose checksum was wrong.
    wrong: usize,
}

impl<M: Read + Seek + ?Sized> Pages<'_, '_, M> {
    fn peek(&mut self, at: u64, len: usize) -> &[u8] {
        self.window.peek(self.bytes, at, len)
    }

    /// The page at `at`, if a whole one is there and its checksum is right.
    fn page(&mut self, at: u64) -> Option<Page> {
        let bytes = self.peek(at, MAX_PAGE);
        if !bytes.starts_with(b"OggS\0") || bytes.len() < HEADER {
            return None;
        }
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let segments = usize::from(bytes[26]);
        let table = bytes.get(HEADER..HEADER + segments)?;
        let len = HEADER + segments + table.iter().map(|len| usize::from(*len)).sum::<usize>();
        let page = bytes.get(..len)?;
        let (mut granule, mut magic) = ([0; 8], [0; 8]);
        granule.copy_from_slice(&page[6..14]);
        let content = &page[HEADER + segments..];
        let known = content.len().min(8);
        magic[..known].copy_from_slice(&content[..known]);
        let is_right = checksum(page) == u32_at(22);
        let page = Page {
            at,
            len: len as u64,
            serial: u32_at(14),
            sequence: u32_at(18),
            granule: i64::from_le_bytes(granule),
            is_first: page[5] & 2 != 0,
            magic,
        };
        self.wrong += if is_right { 0 } else { len };
        is_right.then_some(page)
    }

    fn next_page(&mut self, from: u64) -> Option<Page> {
        let mut at = from;
        while at + HEADER as u64 <= self.bytes.len() && self.wrong <= MAX_WRONG {
            if let Some(page) = self.page(at) {
                return Some(page);
            }
            let near = self.peek(at + 1, 1 << 16);
            let skip = near.windows(4).position(|four| four == b"OggS");
            at += 1 + skip.unwrap_or(near.len().saturating_sub(3).max(1)) as u64;
        }
        None
    }
}

/// CRC-32 with polynomial 0x04c11db7, not reflected, of a page whose own checksum counts as zeros.
fn checksum(page: &[u8]) -> u32 {
    static TABLE: std::sync::LazyLock<[u32; 256]> = std::sync::LazyLock::new(|| {
        let mut table = [0; 256];
        for (byte, entry) in (0u32..).zip(&mut table) {
            *entry =
                (0..8).fold(byte << 24, |crc, _| crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 });
        }
        table
    });
    let byte = |(at, byte): (usize, &u8)| if (22..26).contains(&at) { 0 } else { *byte };
    page.iter()
        .enumerate()
        .map(byte)
        .fold(0, |crc, byte| crc << 8 ^ TABLE[usize::from((crc >> 24) as u8 ^ byte)])
}

/// The stream that is being read.
#[derive(Default)]
struct Current {
    /// Where its header pages are.
    headers: Option<(u64, u64)>,
    /// Last page number of each audio stream.
    sequences: HashMap<u32, u32>,
    in_headers: bool,
}

/// Reads the pages of a file that starts with one.
pub(super) fn read<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>) -> Option<Found> {
    let head = bytes.vec(0, 16);
    let start = id3v2_len(&head).unwrap_or(0);
    if &bytes.array::<4>(start)? != b"OggS" {
        return None;
    }
    let mut pages = Pages { bytes, window: Window::new(WINDOW), wrong: 0 };
    let (mut parts, mut links) = (Vec::new(), Vec::new());
    let (mut named, mut decoded) = (None, false);
    let mut current = Current::default();
    // What was not put into a part yet.
    let mut from = start;
    let (mut at, mut damage) = (start, 0);
    while let Some(page) = pages.next_page(at) {
        let is_hole = page.at > at;
        at = page.at + page.len;
        if page.is_first {
            if !current.in_headers {
                if current.headers.is_some() {
                    links.push(Link::New);
                }
                current =
                    Current { headers: Some((page.at, page.at)), in_headers: true, ..Current::default() };
            }
            named = named.or_else(|| NAMED.iter().find(|(magic, _)| page.magic.starts_with(magic)).copied());
            if DECODED.iter().any(|magic| page.magic.starts_with(magic)) {
                decoded = true;
                current.sequences.insert(page.serial, page.sequence);
            }
            continue;
        }
        let Some(last) = current.sequences.get_mut(&page.serial) else { continue };
        let is_next = page.sequence == last.wrapping_add(1);
        // Some writers do not number pages; those do not make holes.
        let is_missing = !is_next && (is_hole || page.sequence > last.wrapping_add(1));
        *last = page.sequence;
        if current.in_headers {
            if page.granule > 0 {
                current.in_headers = false;
                if let Some(headers) = &mut current.headers {
                    headers.1 = page.at;
                }
            }
            continue;
        }
        let Some((header_start, header_end)) = current.headers.filter(|_| is_missing) else { continue };
        damage += 1;
        if header_end - header_start <= MAX_HEADERS && damage <= MAX_DAMAGE {
            parts.push(Part::File { start: from, end: page.at });
            parts.push(Part::File { start: header_start, end: header_end });
            from = page.at;
            links.push(Link::Same);
        }
    }
    if !decoded && let Some((_, codec)) = named {
        return Some(Found::Unknown { codec: codec.to_owned() });
    }
    let end = pages.bytes.len();
    parts.push(Part::File { start: from, end });
    let parts = (damage > 0).then_some(parts);
    Some(Found::Ogg { parts, links })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_libogg() {
        // A page of no segments, as `oggz-comment` makes one; its sum was computed with libogg 1.3.5.
        let mut page = b"OggS\0\x02".to_vec();
        page.extend([0; 8]);
        page.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        page.extend([0xaa; 4]);
        page.push(0);
        let sum = checksum(&page);
        // Whatever is in the sum's place does not count.
        page[22..26].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(checksum(&page), sum);
        page[5] = 0;
        assert_ne!(checksum(&page), sum);
    }
}
