//! Excerpts of uncompressed samples: the bytes as they are in the file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;

use super::wav::{Tag, WavFormat, WavWriter};
use super::{Excerpt, ExcerptError, frames, out_of_range, seconds};
use crate::container::pcm::{Coding, Pcm};
use crate::error::AudioError;
use crate::limits::Limits;
use crate::open_track::{check_channels, check_rate, io_error};

/// Frames that are copied at once.
const FRAMES_AT_ONCE: u64 = 1 << 14;

/// Whether a WAV file can hold the samples as they are.
pub(super) fn is_plain(pcm: &Pcm) -> bool {
    tag(pcm).is_some() && pcm.block_frames == 1 && pcm.codec().is_ok()
}

fn tag(pcm: &Pcm) -> Option<Tag> {
    match (pcm.coding, pcm.sample_bytes()) {
        (Coding::Int, 1..=4) | (Coding::Unsigned8, 1) => Some(Tag::Int),
        (Coding::Float, 4 | 8) => Some(Tag::Float),
        (Coding::ALaw, 1) => Some(Tag::ALaw),
        (Coding::MuLaw, 1) => Some(Tag::MuLaw),
        _ => None,
    }
}

/// Refuses what a reader of the file refuses by its header.
pub(super) fn check(name: &str, pcm: &Pcm, limits: &Limits) -> Result<(), AudioError> {
    check_rate(name, pcm.sample_rate, limits)?;
    check_channels(name, pcm.channels.into(), limits)
}

/// Copies the samples of a stretch. `pcm` must be [plain](is_plain).
pub(super) fn copy<W: Write + Seek>(
    name: &str,
    mut source: File,
    pcm: &Pcm,
    stretch: Range<f64>,
    out: W,
) -> Result<Excerpt, ExcerptError> {
    let block = u64::from(pcm.block_bytes.max(1));
    let (rate, all) = (pcm.sample_rate, pcm.len / block);
    let wanted = frames(&stretch, rate);
    let (first, end) = (wanted.start, wanted.end.min(all));
    let (true, Some(tag)) = (first < end, tag(pcm)) else {
        return Err(out_of_range(name, &stretch, all, rate).into());
    };
    let format = WavFormat {
        tag,
        channels: pcm.channels,
        sample_rate: rate,
        sample_bytes: pcm.sample_bytes() as u16,
        bits: pcm.bits,
    };
    let failed = |source| ExcerptError::Read(io_error(name, source));
    let mut out = WavWriter::new(name, format, out)?;
    source.seek(SeekFrom::Start(pcm.start + first * block)).map_err(failed)?;
    let mut at = first;
    while at < end {
        let now = FRAMES_AT_ONCE.min(end - at);
        let mut bytes = vec![0; (now * block) as usize];
        source.read_exact(&mut bytes).map_err(failed)?;
        to_wav(pcm, &mut bytes);
        out.write(&bytes)?;
        at += now;
    }
    out.finish()?;
    Ok(Excerpt { start_s: seconds(first, rate), end_s: seconds(end, rate), frames: end - first })
}

/// Changes samples to how WAV stores them.
fn to_wav(pcm: &Pcm, bytes: &mut [u8]) {
    let width = pcm.sample_bytes() as usize;
    if pcm.big_endian && width > 1 {
        bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
    if pcm.coding == Coding::Int && width == 1 {
        bytes.iter_mut().for_each(|byte| *byte ^= 0x80);
    }
}
