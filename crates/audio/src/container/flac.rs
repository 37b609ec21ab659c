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

/// Where the last frame in `tail` ends.
fn last_frame(tail: &[u8], min_frame: usize) -> Option<usize> {
    let starts = (0..tail.len().saturating_sub(1)).rev().filter(|at| is_header(&tail[*at..]));
    // A false header has no end.
    starts.take(64).find_map(|start| end_of_frame(&tail[start..], min_frame).map(|end| start + end))
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
    // CRC-16 with polynomial 0x8005, over the frame and its own value, is 0.
    static TABLE: std::sync::LazyLock<[u16; 256]> = std::sync::LazyLock::new(|| {
        let mut table = [0; 256];
        for (byte, entry) in (0u16..).zip(&mut table) {
            *entry = (0..8).fold(byte << 8, |crc, _| crc << 1 ^ if crc >> 15 == 1 { 0x8005 } else { 0 });
        }
        table
    });
    let least = min_frame.max(header_len(bytes)? + 3);
    let mut crc = 0;
    for (at, byte) in bytes.iter().enumerate() {
        crc = crc << 8 ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)];
        if crc == 0 && at + 1 >= least {
            return Some(at + 1);
        }
    }
    None
}
