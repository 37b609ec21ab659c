//! Excerpts of everything that has to be decoded.

use std::io::{Seek, Write};
use std::ops::Range;
use std::path::Path;

use super::wav::{Tag, WavFormat, WavWriter};
use super::{Excerpt, ExcerptError, frames, out_of_range, seconds};
use crate::limits::ReadOptions;
use crate::mix::SampleKind;
use crate::reader::{AudioReader, Channels};

/// Decodes the file up to the end of the stretch, and writes what lies in it.
pub(super) fn write<W: Write + Seek>(
    path: &Path,
    stretch: Range<f64>,
    options: &ReadOptions,
    out: W,
) -> Result<Excerpt, ExcerptError> {
    let mut reader = AudioReader::open_channels(path, Channels::All, options)?;
    let name = reader.name().to_owned();
    let (rate, channels) = (reader.info().sample_rate, reader.info().channels);
    let kind = reader.sample_kind();
    let format = format(kind, channels, rate);
    let wanted = frames(&stretch, rate);
    let mut out = WavWriter::new(&name, format, out)?;
    let (mut at, mut written, mut bytes) = (0, 0, Vec::new());
    while at < wanted.end {
        let Some(block) = reader.read_frames()? else { break };
        let len = block.len();
        let first = wanted.start.clamp(at, at + len) - at;
        let end = wanted.end.min(at + len) - at;
        if first < end {
            let width = usize::from(channels.max(1));
            bytes.clear();
            for sample in &block.samples[first as usize * width..end as usize * width] {
                push(kind, format.sample_bytes, *sample, &mut bytes);
            }
            out.write(&bytes)?;
            written += end - first;
        }
        at += len;
    }
    if written == 0 {
        return Err(out_of_range(&name, &stretch, at, rate).into());
    }
    out.finish()?;
    let end_s = seconds(wanted.start + written, rate);
    Ok(Excerpt { start_s: seconds(wanted.start, rate), end_s, frames: written })
}

/// Integers keep their width, filled up to whole bytes; 8-bit WAV has no sign, so 16 bits are the least.
fn format(kind: SampleKind, channels: u16, sample_rate: u32) -> WavFormat {
    let (tag, bits) = match kind {
        SampleKind::Int(bits) => (Tag::Int, bits.max(16)),
        SampleKind::Float(bits) => (Tag::Float, bits),
    };
    let (sample_bytes, bits) = (bits.div_ceil(8) as u16, bits as u16);
    WavFormat { tag, channels, sample_rate, sample_bytes, bits }
}

/// Appends a sample, which is 1 at full scale.
fn push(kind: SampleKind, sample_bytes: u16, sample: f64, bytes: &mut Vec<u8>) {
    match kind {
        SampleKind::Float(64) => bytes.extend(sample.to_le_bytes()),
        SampleKind::Float(_) => bytes.extend((sample as f32).to_le_bytes()),
        SampleKind::Int(_) => {
            // The bits that count are the upper ones. Casts stop at the largest integer.
            let value = (sample * 2_147_483_648.0).round() as i32;
            bytes.extend(&value.to_le_bytes()[4 - usize::from(sample_bytes.min(4))..]);
        }
    }
}
