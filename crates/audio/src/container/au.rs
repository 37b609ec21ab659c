//! Headers of AU, also called SND (Sun and NeXT; the `audio.h` of both).

use std::io::{Read, Seek};

use super::Found;
use super::bytes::Bytes;
use super::pcm::{Coding, Pcm};

/// Reads the header of a file that starts like one of these.
pub(super) fn read<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>) -> Option<Found> {
    let big_endian = match &bytes.array::<4>(0)? {
        b".snd" => true,
        // DEC's, with the header in the other byte order.
        b"dns." => false,
        _ => return None,
    };
    let mut field =
        |number: u64| if big_endian { bytes.u32_be(number * 4) } else { bytes.u32_le(number * 4) };
    let fields = [field(1), field(2), field(3), field(4), field(5)];
    let [Some(start), Some(len), Some(encoding), Some(sample_rate), Some(channels)] = fields else {
        return Some(Found::Bad {
            expected: "a complete AU header (24 bytes)".to_owned(),
            received: format!("{} bytes", bytes.len()),
        });
    };
    let (coding, sample_bytes) = match encoding {
        1 => (Coding::MuLaw, 1),
        2 => (Coding::Int, 1),
        3 => (Coding::Int, 2),
        4 => (Coding::Int, 3),
        5 => (Coding::Int, 4),
        6 => (Coding::Float, 4),
        7 => (Coding::Float, 8),
        27 => (Coding::ALaw, 1),
        23 => return Some(Found::Unknown { codec: "G.721 ADPCM".to_owned() }),
        24 => return Some(Found::Unknown { codec: "G.722 ADPCM".to_owned() }),
        25 | 26 => return Some(Found::Unknown { codec: "G.723 ADPCM".to_owned() }),
        other => return Some(Found::Unknown { codec: format!("AU encoding {other}") }),
    };
    let channels = u16::try_from(channels).unwrap_or(u16::MAX);
    let there = bytes.len().saturating_sub(start.into());
    // All ones stands for a length that was not known; so does 0 in front of samples.
    let declared = Some(u64::from(len)).filter(|len| *len != 0xffff_ffff && *len != 0 || there == 0);
    Some(Found::Pcm(Pcm {
        format: "au",
        coding,
        big_endian,
        sample_rate,
        channels,
        bits: (sample_bytes * 8) as u16,
        block_bytes: sample_bytes * u32::from(channels.max(1)),
        block_frames: 1,
        start: start.into(),
        len: declared.unwrap_or(there).min(there),
        declared,
        counted: None,
        frames: None,
    }))
}
