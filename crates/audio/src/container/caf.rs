//! Headers of CAF (Apple's Core Audio Format). Uncompressed samples and ADPCM are read here; symphonia's
//! demuxer reads the codecs with packets, but does not take a length of -1 ("to the end of the file").

use std::io::{Read, Seek};

use symphonia::core::codecs::audio::well_known::CODEC_ID_ADPCM_IMA_QT;

use super::aiff::{IMA4_BYTES, IMA4_FRAMES};
use super::bytes::Bytes;
use super::pcm::{Coding, Pcm};
use super::view::Part;
use super::{Found, four_cc_name};

const MAX_CHUNKS: usize = 4096;

/// Flags of linear PCM (`kCAFLinearPCMFormatFlag…`).
const IS_FLOAT: u32 = 1;
const IS_LITTLE_ENDIAN: u32 = 2;

/// Reads the header of a file that starts like one of these.
pub(super) fn read<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>) -> Option<Found> {
    if &bytes.array::<4>(0)? != b"caff" {
        return None;
    }
    let bad = |expected: &str, received: &str| {
        Some(Found::Bad { expected: expected.to_owned(), received: received.to_owned() })
    };
    let (mut at, mut description, mut valid_frames) = (8, None, None);
    let mut data = None;
    for _ in 0..MAX_CHUNKS {
        let (Some(id), Some(len)) = (bytes.array::<4>(at), bytes.u64_be(at + 4)) else { break };
        let start = at + 12;
        let is_open = &id == b"data" && len == u64::MAX;
        match &id {
            b"desc" => description = bytes.array::<32>(start),
            // Packets, valid frames, priming, remainder.
            b"pakt" => valid_frames = bytes.u64_be(start + 8),
            b"data" => data = Some((start, (!is_open).then_some(len))),
            _ => {}
        }
        let Some(next) = start.checked_add(len).filter(|_| !is_open) else { break };
        at = next;
    }
    let Some(description) = description else { return bad("a `desc` chunk", "none") };
    let Some((chunk, len)) = data else { return bad("a `data` chunk", "none") };
    // An edit count comes before the samples.
    let start = chunk + 4;
    let there = bytes.len().saturating_sub(start);
    let declared = len.map(|len| len.saturating_sub(4));

    let [r0, r1, r2, r3, r4, r5, r6, r7, id @ .., b0, b1, b2, b3] = description;
    let rate = f64::from_be_bytes([r0, r1, r2, r3, r4, r5, r6, r7]);
    // Format, flags, bytes a packet, frames a packet, channels; then bits.
    let field = |number: usize| {
        let four = &id[number * 4..number * 4 + 4];
        u32::from_be_bytes([four[0], four[1], four[2], four[3]])
    };
    let bits = u32::from_be_bytes([b0, b1, b2, b3]);
    let (kind, flags, packet_bytes, channels) = (field(0).to_be_bytes(), field(1), field(2), field(4));
    let width = channels.max(1);
    let (coding, bits, block_bytes, block_frames) = match &kind {
        b"lpcm" => {
            let coding = if flags & IS_FLOAT != 0 { Coding::Float } else { Coding::Int };
            let needed = bits.div_ceil(8).max(1);
            let narrow = needed.saturating_mul(width);
            let given = packet_bytes / width;
            let is_sound = packet_bytes % width == 0 && (needed..=8).contains(&given);
            (coding, bits, if is_sound { packet_bytes } else { narrow }, 1)
        }
        b"alaw" => (Coding::ALaw, 8, width, 1),
        b"ulaw" => (Coding::MuLaw, 8, width, 1),
        b"ima4" => (Coding::Adpcm(CODEC_ID_ADPCM_IMA_QT), 4, IMA4_BYTES.saturating_mul(width), IMA4_FRAMES),
        b"aac " | b"alac" | b"opus" | b"flac" | b".mp3" | b".mp2" | b".mp1" => {
            if len.is_some() {
                return Some(Found::Demux { parts: None, format: "caf" });
            }
            let length = (there + 4).to_be_bytes().to_vec();
            let parts = vec![
                Part::File { start: 0, end: chunk - 8 },
                Part::Own(length),
                Part::File { start: chunk, end: bytes.len() },
            ];
            return Some(Found::Demux { parts: Some(parts), format: "caf" });
        }
        other => return Some(Found::Unknown { codec: four_cc_name(other) }),
    };
    Some(Found::Pcm(Pcm {
        format: "caf",
        coding,
        big_endian: flags & IS_LITTLE_ENDIAN == 0,
        // What is no rate becomes 0, which is refused.
        sample_rate: rate as u32,
        channels: u16::try_from(channels).unwrap_or(u16::MAX),
        bits: u16::try_from(bits).unwrap_or(u16::MAX).max(1),
        block_bytes,
        block_frames,
        start,
        len: declared.unwrap_or(there).min(there),
        declared,
        counted: None,
        frames: valid_frames.filter(|frames| block_frames > 1 && *frames > 0),
    }))
}
