//! Headers of AIFF and AIFF-C ("Audio Interchange File Format", Apple 1989 and 1991).

use std::io::{Read, Seek};

use symphonia::core::codecs::audio::well_known::CODEC_ID_ADPCM_IMA_QT;

use super::Found;
use super::bytes::Bytes;
use super::pcm::{Coding, Pcm};

const MAX_CHUNKS: usize = 4096;

/// How far behind a broken chunk another is looked for.
const SEARCHED_BYTES: usize = 1 << 20;

/// Bytes and frames of a block of `ima4`, for each channel (QuickTime File Format, "IMA 4:1").
pub(super) const IMA4_BYTES: u32 = 34;
pub(super) const IMA4_FRAMES: u32 = 64;

struct Common {
    channels: u16,
    frames: u32,
    bits: u16,
    sample_rate: u32,
    /// How samples are coded; `NONE` in AIFF.
    compression: [u8; 4],
}

/// Reads the header of a file that starts like one of these.
pub(super) fn read<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>) -> Option<Found> {
    let head: [u8; 12] = bytes.array(0)?;
    let is_aifc = &head[8..] == b"AIFC";
    if &head[..4] != b"FORM" || !(is_aifc || &head[8..] == b"AIFF") {
        return None;
    }
    let mut at = 12;
    let (mut common, mut sound): (Option<Common>, Option<(u64, u64)>) = (None, None);
    for _ in 0..MAX_CHUNKS {
        if common.is_some() && sound.is_some() {
            break;
        }
        let Some((id, len)) = chunk(bytes, at) else {
            // A chunk with a wrong length, or none at all: go on at the next that is needed.
            let name = if common.is_none() { b"COMM" } else { b"SSND" };
            let near = bytes.vec(at + 1, SEARCHED_BYTES);
            match near.windows(4).position(|window| window == name) {
                Some(found) => {
                    at += 1 + found as u64;
                    continue;
                }
                None => break,
            }
        };
        let start = at + 8;
        match &id {
            b"COMM" => common = read_common(bytes, start, is_aifc),
            b"SSND" => {
                let offset = u64::from(bytes.u32_be(start).unwrap_or(0));
                let first = start + 8 + offset;
                sound = Some((first, len.saturating_sub(8 + offset)));
            }
            _ => {}
        }
        let end = start + len;
        let padded = end + end % 2;
        at = if chunk(bytes, padded).is_none() && chunk(bytes, end).is_some() { end } else { padded };
    }
    let bad = |expected: &str| Found::Bad { expected: expected.to_owned(), received: "none".to_owned() };
    Some(match (common, sound) {
        (Some(common), Some((start, len))) => describe(&common, start, len, bytes.len()),
        (None, _) => bad("a `COMM` chunk"),
        (_, None) => bad("an `SSND` chunk with samples"),
    })
}

/// Name and length of the chunk at `at`; `None` unless it has a name and, but for samples, lies in the file.
fn chunk<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, at: u64) -> Option<([u8; 4], u64)> {
    let id: [u8; 4] = bytes.array(at)?;
    let len = u64::from(bytes.u32_be(at + 4)?);
    let is_name = id.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let fits = &id == b"SSND" || at + 8 + len <= bytes.len();
    (is_name && fits).then_some((id, len))
}

fn read_common<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, at: u64, is_aifc: bool) -> Option<Common> {
    let sample_rate = extended(bytes.array(at + 8)?)?;
    let compression = if is_aifc { bytes.array(at + 18)? } else { *b"NONE" };
    Some(Common {
        channels: bytes.u16_be(at)?,
        frames: bytes.u32_be(at + 2)?,
        bits: bytes.u16_be(at + 6)?,
        sample_rate,
        compression,
    })
}

/// An 80-bit float (IEEE 754 extended) as a whole number.
fn extended([sign, exponent, mantissa @ ..]: [u8; 10]) -> Option<u32> {
    let exponent = i32::from(u16::from_be_bytes([sign, exponent])) - 16_383;
    let mantissa = u64::from_be_bytes(mantissa);
    // Negative rates, fractions and rates of 2^32 and more are not rates.
    let whole = (0..32).contains(&exponent).then(|| mantissa >> (63 - exponent))?;
    u32::try_from(whole).ok()
}

fn describe(common: &Common, start: u64, len: u64, file_len: u64) -> Found {
    let there = file_len.saturating_sub(start);
    let Common { channels, frames, bits, sample_rate, compression } = *common;
    let width = u32::from(channels.max(1));
    let sample_bytes = u32::from(bits.div_ceil(8)).max(1);
    let int = |big_endian| (Coding::Int, big_endian, bits, sample_bytes, 1);
    let (coding, big_endian, bits, bytes, block_frames) = match &compression {
        b"NONE" | b"twos" | b"in24" | b"in32" => int(true),
        b"sowt" => int(false),
        b"raw " => (Coding::Unsigned8, true, 8, 1, 1),
        b"fl32" | b"FL32" => (Coding::Float, true, 32, 4, 1),
        b"fl64" | b"FL64" => (Coding::Float, true, 64, 8, 1),
        b"alaw" | b"ALAW" => (Coding::ALaw, true, 8, 1, 1),
        b"ulaw" | b"ULAW" => (Coding::MuLaw, true, 8, 1, 1),
        b"ima4" => (Coding::Adpcm(CODEC_ID_ADPCM_IMA_QT), true, 4, IMA4_BYTES, IMA4_FRAMES),
        other => return Found::Unknown { codec: super::four_cc_name(other) },
    };
    let block_bytes = bytes * width;
    // COMM counts frames, or for `ima4` blocks; a recorder that was cut off leaves 0.
    let counted = u64::from(frames) * u64::from(block_bytes);
    let declared = match (counted, len) {
        (0, 0) => None,
        (0, len) | (len, 0) => Some(len),
        (counted, len) => Some(counted.min(len)),
    };
    // A length of nearly 2^32 stands for one that was not known.
    let declared = declared.filter(|declared| *declared <= there || *declared < 0x7fff_0000);
    Found::Pcm(Pcm {
        format: "aiff",
        coding,
        big_endian,
        sample_rate,
        channels,
        bits,
        block_bytes,
        block_frames,
        start,
        len: declared.unwrap_or(there).min(there),
        declared,
        counted: None,
        frames: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_80_bit_floats() {
        let rate = |exponent: u16, mantissa: u64| {
            let mut bytes = [0; 10];
            bytes[..2].copy_from_slice(&exponent.to_be_bytes());
            bytes[2..].copy_from_slice(&mantissa.to_be_bytes());
            extended(bytes)
        };
        assert_eq!(rate(0x400e, 0xac44 << 48), Some(44_100));
        assert_eq!(rate(0x400e, 0xbb80 << 48), Some(48_000));
        assert_eq!(rate(0x3fff, 1 << 63), Some(1));
        assert_eq!(rate(0x7fff, u64::MAX), None);
        assert_eq!(rate(0xc00e, 0xac44 << 48), None);
        assert_eq!(rate(0, 0), None);
    }
}
