//! Files of chunks: WAV and its relatives (RIFX, RF64, BW64, W64), AIFF and CAF.
//!
//! Reads the texts of `INFO` lists, AIFF's text chunks and CAF's `info`; and the broadcast extension `bext`
//! (EBU Tech 3285), iXML and ID3 tags, which occur in all of them.

use std::io::{Read, Seek};

use super::texts::{MAX_RAW, Texts, fixed, loose};
use super::{id3, ixml, names};
use crate::container::bytes::Bytes;

/// Bytes read of an iXML chunk.
const MAX_XML: usize = 256 << 10;

/// Bytes read of a CAF file's strings.
const MAX_STRINGS: usize = 64 << 10;

/// How chunks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Riff,
    Rifx,
    W64,
    Aiff,
    Caf,
}

/// A chunk. Its end may lie beyond that of the file.
#[derive(Clone, Copy)]
struct Chunk {
    /// In lower case: W64 writes all names so, and programs do not agree on `iXML` and `ID3 `.
    id: [u8; 4],
    start: u64,
    end: u64,
}

/// Adds the texts of a file of chunks that starts at `start`.
pub(super) fn read<M: Read + Seek>(bytes: &mut Bytes<'_, M>, start: u64, texts: &mut Texts) {
    let (layout, header) = match bytes.array::<4>(start) {
        Some([b'r', ..]) => (Layout::W64, 40),
        Some([b'R', .., b'X']) => (Layout::Rifx, 12),
        Some([b'F', ..]) => (Layout::Aiff, 12),
        Some([b'c', ..]) => (Layout::Caf, 8),
        _ => (Layout::Riff, 12),
    };
    let mut at = start + header;
    let mut data_len = None;
    while texts.step() {
        let Some(mut chunk) = layout.chunk(bytes, at) else { return };
        match &chunk.id {
            // RF64 and BW64 keep the length of `data` here.
            b"ds64" => data_len = bytes.u64_le(chunk.start + 8),
            b"data" if chunk.end - chunk.start == u64::from(u32::MAX) => {
                chunk.end = data_len.map_or(chunk.end, |len| chunk.start.saturating_add(len));
            }
            _ => read_chunk(bytes, layout, chunk, texts),
        }
        at = layout.after(bytes, chunk);
    }
}

/// Adds the texts of the chunk of a WAV file that a FLAC file keeps at `start`.
pub(super) fn read_kept<M: Read + Seek>(bytes: &mut Bytes<'_, M>, start: u64, end: u64, texts: &mut Texts) {
    if let Some(chunk) = Layout::Riff.chunk(bytes, start).filter(|chunk| chunk.end <= end) {
        read_chunk(bytes, Layout::Riff, chunk, texts);
    }
}

impl Layout {
    fn chunk<M: Read + Seek>(self, bytes: &mut Bytes<'_, M>, at: u64) -> Option<Chunk> {
        let mut header = [0; 24];
        let read = bytes.read(at, &mut header);
        let [a, b, c, d, rest @ ..] = header;
        let [e, f, g, h, ..] = rest;
        let long = |from: usize| header[from..].first_chunk().copied().unwrap_or_default();
        let (header_len, len) = match self {
            Self::Riff => (8, u32::from_le_bytes([e, f, g, h]).into()),
            Self::Rifx | Self::Aiff => (8, u32::from_be_bytes([e, f, g, h]).into()),
            Self::W64 => (24, u64::from_le_bytes(long(16)).checked_sub(24)?),
            // -1 is a length that was not known.
            Self::Caf => (12, u64::from_be_bytes(long(4))),
        };
        let is_name = [a, b, c, d].iter().all(|byte| matches!(byte, b' '..=b'~'));
        let start = at.checked_add(header_len)?;
        (is_name && read as u64 >= header_len).then(|| Chunk {
            id: [a, b, c, d].map(|byte| byte.to_ascii_lowercase()),
            start,
            end: start.saturating_add(len),
        })
    }

    /// Where the chunk after `chunk` is: on an even place (W64: on a multiple of 8), but some writers forget.
    fn after<M: Read + Seek>(self, bytes: &mut Bytes<'_, M>, chunk: Chunk) -> u64 {
        let multiple = match self {
            Self::Riff | Self::Rifx | Self::Aiff => 2,
            Self::W64 => 8,
            Self::Caf => 1,
        };
        let padded = chunk.end.checked_next_multiple_of(multiple).unwrap_or(u64::MAX);
        let forgot = padded != chunk.end
            && self.chunk(bytes, padded).is_none()
            && self.chunk(bytes, chunk.end).is_some();
        if forgot { chunk.end } else { padded }
    }
}

fn read_chunk<M: Read + Seek>(bytes: &mut Bytes<'_, M>, layout: Layout, chunk: Chunk, texts: &mut Texts) {
    let Chunk { id, start, end } = chunk;
    match (&id, layout) {
        (b"bext", _) => {
            let description = part(bytes, start, end, 256);
            texts.add("description", &fixed(&description));
            let originator = part(bytes, start.saturating_add(256), end, 32);
            texts.add("artist", &fixed(&originator));
        }
        (b"ixml", _) => {
            let xml = part(bytes, start, end, MAX_XML);
            texts.count(&xml);
            ixml::read(&xml, texts);
        }
        (b"id3 ", _) => {
            id3::read_v2(bytes, start, end.min(bytes.len()), texts);
        }
        (b"list", _) if bytes.array(start) == Some(*b"INFO") => read_info(bytes, layout, chunk, texts),
        (b"info", Layout::Caf) => {
            read_strings(&part(bytes, start.saturating_add(4), end, MAX_STRINGS), texts)
        }
        (b"comt", Layout::Aiff) => read_comments(bytes, start, end, texts),
        (_, Layout::Aiff) => {
            if let Some(name) = names::aiff_chunk(&id) {
                texts.add(name, &loose(&part(bytes, start, end, MAX_RAW)));
            }
        }
        _ => {}
    }
}

/// An `INFO` list. W64 is not known to have one; its chunks would be those of RIFF.
fn read_info<M: Read + Seek>(bytes: &mut Bytes<'_, M>, layout: Layout, list: Chunk, texts: &mut Texts) {
    let layout = if layout == Layout::W64 { Layout::Riff } else { layout };
    let mut at = list.start + 4;
    while texts.step() {
        let Some(entry) = layout.chunk(bytes, at).filter(|entry| entry.start < list.end) else { return };
        if let Some(name) = names::riff_info(&entry.id.map(|byte| byte.to_ascii_uppercase())) {
            let text = part(bytes, entry.start, entry.end.min(list.end), MAX_RAW);
            texts.add(name, &loose(&text));
        }
        at = layout.after(bytes, entry);
    }
}

/// AIFF's comments: their number, and for each a time, a marker, a length and a text.
fn read_comments<M: Read + Seek>(bytes: &mut Bytes<'_, M>, start: u64, end: u64, texts: &mut Texts) {
    let count = bytes.u16_be(start).unwrap_or(0);
    let mut at = start.saturating_add(2);
    for _ in 0..count {
        if !texts.step() {
            return;
        }
        let Some(len) = bytes.u16_be(at.saturating_add(6)) else { return };
        let text = part(bytes, at + 8, end.min(at + 8 + u64::from(len)), MAX_RAW);
        texts.add("comment", &loose(&text));
        at += 8 + u64::from(len.saturating_add(len % 2));
    }
}

/// CAF's strings: a key, a zero, a value, a zero, and so on.
fn read_strings(strings: &[u8], texts: &mut Texts) {
    texts.count(strings);
    let mut strings = strings.split(|byte| *byte == 0);
    while let (Some(key), Some(value)) = (strings.next(), strings.next()) {
        texts.add_field(&loose(key), &loose(&value[..value.len().min(MAX_RAW)]));
    }
}

/// The bytes from `start` to `end`, at most `max`.
pub(super) fn part<M: Read + Seek>(bytes: &mut Bytes<'_, M>, start: u64, end: u64, max: usize) -> Vec<u8> {
    let len = end.min(bytes.len()).saturating_sub(start);
    bytes.vec(start, usize::try_from(len).unwrap_or(max).min(max))
}
