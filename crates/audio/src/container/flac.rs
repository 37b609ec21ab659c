//! Where the frames of a FLAC file are (RFC 9639). symphonia takes what follows the last frame (an ID3v1 tag,
//! padding) for a part of it, finds its checksum wrong, and drops the frame. And it keeps all pictures in
//! memory, so of the metadata it sees the stream's properties alone.

use std::io::{Read, Seek};

use super::Found;
use super::bytes::Bytes;
use super::frames::id3v2_len;
use super::view::Part;

/// Bytes of the magic number and of the block STREAMINFO, with its header.
const INFO: usize = 4 + 4 + 34;

/// Metadata blocks looked at before giving up: there are seven kinds, and pictures.
const MAX_BLOCKS: u32 = 10_000;

/// A frame is not longer, but for absurd ones: 65,535 samples of 8 channels in 32 bits take 2 MB.
const SEARCHED_BYTES: u64 = 1 << 21;

/// Frame headers, from the end, of which the last frame is looked for; and those from which it is first
/// looked for up to the likely ends: a false header is rare, and the true one must be among the last.
const MAX_HEADERS: usize = 64;
const MAX_HEADERS_TO_THE_END: usize = 8;

/// Reads the header of a file that starts like one.
pub(super) fn read<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>) -> Option<Found> {
    let head = bytes.vec(0, 16);
    let start = id3v2_len(&head).unwrap_or(0);
    if &bytes.array::<4>(start)? != b"fLaC" {
        return None;
    }
    // The first metadata block is STREAMINFO: block sizes (2 x 2 bytes), frame sizes (2 x 3 bytes).
    let mut info: [u8; INFO] = bytes.array(start)?;
    let min_frame = u32::from_be_bytes([0, info[12], info[13], info[14]]);
    let mut first = start + 4;
    let mut blocks = 0;
    loop {
        let [kind, a, b, c] = bytes.array(first)?;
        first += 4 + u64::from(u32::from_be_bytes([0, a, b, c]));
        blocks += 1;
        if kind & 0x80 != 0 {
            break;
        }
        if blocks == MAX_BLOCKS {
            let expected = format!("at most {MAX_BLOCKS} blocks of FLAC metadata");
            return Some(Found::Bad { expected, received: "more".to_owned() });
        }
    }
    let len = bytes.len();
    let from = first.max(len.saturating_sub(SEARCHED_BYTES));
    let tail = bytes.vec(from, SEARCHED_BYTES as usize);
    let end = last_frame(&tail, min_frame as usize).map_or(len, |end| from + end as u64);
    let parts = if blocks > 1 && info[4] == 0 && info[5..8] == [0, 0, 34] {
        // The last block.
        info[4] = 0x80;
        Some(vec![Part::Own(info.to_vec()), Part::File { start: first, end }])
    } else {
        (end < len || start > 0).then(|| vec![Part::File { start, end }])
    };
    Some(Found::Demux { parts, format: "flac" })
}

/// Where the last frame in `tail` ends: with the file if its checksum agrees, else before a tag, else
/// wherever the checksum first comes out. In a long frame it comes out by chance, too: once in 65,536 bytes.
fn last_frame(tail: &[u8], min_frame: usize) -> Option<usize> {
    let starts = (0..tail.len().saturating_sub(1)).rev().filter(|at| is_header(&tail[*at..]));
    let starts: Vec<usize> = starts.take(MAX_HEADERS).collect();
    let likely = likely_ends(tail);
    let mut best: Option<usize> = None;
    for start in starts.iter().take(MAX_HEADERS_TO_THE_END) {
        let is_end = |rank: &usize| is_frame(&tail[*start..likely[*rank]], min_frame);
        let ranks = 0..best.unwrap_or(likely.len());
        best = ranks.filter(|rank| likely[*rank] > *start).find(is_end).or(best);
        if best == Some(0) {
            break;
        }
    }
    // A false header has no end.
    let first = || starts.iter().find_map(|start| Some(start + end_of_frame(&tail[*start..], min_frame)?));
    best.map(|rank| likely[rank]).or_else(first)
}

/// Where the last frame of a file that ends with `tail` may end, the likeliest first: with the file, or
/// before an ID3v1 tag, an APEv2 tag or both.
fn likely_ends(tail: &[u8]) -> Vec<usize> {
    let mut ends = vec![tail.len()];
    let mut end = tail.len();
    if let Some(before) = end.checked_sub(128).filter(|at| tail[*at..].starts_with(b"TAG")) {
        ends.push(before);
        end = before;
    }
    if let Some(footer) = end.checked_sub(32).filter(|at| tail[*at..].starts_with(b"APETAGEX")) {
        let field = |at: usize| {
            let four = &tail[footer + at..footer + at + 4];
            u32::from_le_bytes([four[0], four[1], four[2], four[3]])
        };
        // The size counts the items and this footer; a flag says whether there is a header, too.
        let header = if field(20) >> 31 == 1 { 32 } else { 0 };
        let size = usize::try_from(field(12)).ok().and_then(|size| size.checked_add(header));
        ends.extend(size.and_then(|size| end.checked_sub(size)));
    }
    ends
}

/// Length of the frame header at the start of `bytes`, if one is there (RFC 9639 section 9.1).
fn header_len(bytes: &[u8]) -> Option<usize> {
    let [0xff, 0xf8 | 0xf9, sizes, channels, number, ..] = *bytes else { return None };
    let (block, rate) = (sizes >> 4, sizes & 15);
    if block == 0 || rate == 15 || channels >> 4 > 10 || channels & 0x0f == 0x06 || channels & 1 == 1 {
        return None;
    }
    // The frame's number, coded as UTF-8 would be.
    let coded = match number.leading_ones() {
        0 => 1,
        ones @ 2..=7 => ones as usize,
        _ => return None,
    };
    let extra = match block {
        6 => 1,
        7 => 2,
        _ => 0,
    } + match rate {
        12 => 1,
        13 | 14 => 2,
        _ => 0,
    };
    Some(4 + coded + extra + 1)
}

fn is_header(bytes: &[u8]) -> bool {
    let Some(header) = header_len(bytes).and_then(|len| bytes.get(..len)) else { return false };
    // CRC-8 with polynomial 7, over the header and its own value, is 0.
    let crc = |crc: u8, byte: &u8| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 != 0 { crc << 1 ^ 7 } else { crc << 1 })
    };
    header.iter().fold(0, crc) == 0
}

/// Length of the frame that `bytes` start with: up to where its checksum comes out.
fn end_of_frame(bytes: &[u8], min_frame: usize) -> Option<usize> {
    let least = min_frame.max(header_len(bytes)? + 3);
    let mut crc = 0;
    let comes_out = |byte: &u8| {
        crc = crc_16(crc, *byte);
        crc == 0
    };
    let outs = bytes.iter().map(comes_out).enumerate();
    outs.filter(|(at, is_out)| *is_out && at + 1 >= least).map(|(at, _)| at + 1).next()
}

/// Whether `bytes` are one frame, by its checksum.
fn is_frame(bytes: &[u8], min_frame: usize) -> bool {
    let least = header_len(bytes).map(|len| min_frame.max(len + 3));
    least.is_some_and(|least| bytes.len() >= least)
        && bytes.iter().fold(0, |crc, byte| crc_16(crc, *byte)) == 0
}

/// CRC-16 with polynomial 0x8005, which is 0 over a frame and its own value.
fn crc_16(crc: u16, byte: u8) -> u16 {
    static TABLE: std::sync::LazyLock<[u16; 256]> = std::sync::LazyLock::new(|| {
        let mut table = [0; 256];
        for (byte, entry) in (0u16..).zip(&mut table) {
            *entry = (0..8).fold(byte << 8, |crc, _| crc << 1 ^ if crc >> 15 == 1 { 0x8005 } else { 0 });
        }
        table
    });
    crc << 8 ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)]
}
