//! Writing WAV files.

use std::io::{Seek, SeekFrom, Write};

use super::ExcerptError;
use crate::container::WAV_SUBTYPE;

/// How samples are coded, by WAV's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Int = 1,
    Float = 3,
    ALaw = 6,
    MuLaw = 7,
}

/// WAV's number for a header that says more.
const EXTENSIBLE: u16 = 0xfffe;

/// What a WAV file's header says of its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WavFormat {
    pub(super) tag: Tag,
    pub(super) channels: u16,
    pub(super) sample_rate: u32,
    /// Bytes of one sample of one channel.
    pub(super) sample_bytes: u16,
    /// Bits of a sample that count; they are the upper ones.
    pub(super) bits: u16,
}

impl WavFormat {
    /// The header of a file with so many bytes of samples.
    fn header(&self, data_len: u32) -> Vec<u8> {
        let block = self.sample_bytes.saturating_mul(self.channels);
        let container_bits = self.sample_bytes * 8;
        let is_extensible = self.channels > 2 || self.bits != container_bits;
        let mut fmt = Vec::new();
        fmt.extend(if is_extensible { EXTENSIBLE } else { self.tag as u16 }.to_le_bytes());
        fmt.extend(self.channels.to_le_bytes());
        fmt.extend(self.sample_rate.to_le_bytes());
        fmt.extend(self.sample_rate.saturating_mul(block.into()).to_le_bytes());
        fmt.extend(block.to_le_bytes());
        fmt.extend(container_bits.to_le_bytes());
        if is_extensible {
            fmt.extend(22_u16.to_le_bytes());
            fmt.extend(self.bits.to_le_bytes());
            // Which speakers the channels are for is not known.
            fmt.extend(0_u32.to_le_bytes());
            fmt.extend((self.tag as u16).to_le_bytes());
            fmt.extend(WAV_SUBTYPE);
        } else if self.tag != Tag::Int {
            fmt.extend(0_u16.to_le_bytes());
        }
        let mut chunks = b"WAVE".to_vec();
        let mut chunk = |name: &[u8; 4], content: &[u8]| {
            chunks.extend(name);
            chunks.extend((content.len() as u32).to_le_bytes());
            chunks.extend(content);
        };
        chunk(b"fmt ", &fmt);
        if self.tag != Tag::Int {
            // The standard wants the number of frames of what is no plain PCM.
            chunk(b"fact", &(data_len / u32::from(block.max(1))).to_le_bytes());
        }
        chunks.extend(b"data");
        chunks.extend(data_len.to_le_bytes());
        let len = (chunks.len() as u32).saturating_add(data_len).saturating_add(data_len % 2);
        [b"RIFF".as_slice(), &len.to_le_bytes(), &chunks].concat()
    }
}

/// Most bytes of samples: lengths have 32 bits, and the header needs some.
const MAX_DATA: u64 = u32::MAX as u64 - 256;

/// Writes samples behind a header, which it completes in the end.
pub(super) struct WavWriter<W> {
    source: String,
    format: WavFormat,
    out: W,
    data_len: u64,
}

impl<W: Write + Seek> WavWriter<W> {
    /// `source` is the name of the file that the samples come from.
    pub(super) fn new(source: &str, format: WavFormat, mut out: W) -> Result<Self, ExcerptError> {
        out.write_all(&format.header(0)).map_err(ExcerptError::Write)?;
        Ok(Self { source: source.to_owned(), format, out, data_len: 0 })
    }

    pub(super) fn write(&mut self, samples: &[u8]) -> Result<(), ExcerptError> {
        self.data_len += samples.len() as u64;
        if self.data_len > MAX_DATA {
            return Err(ExcerptError::TooLong { file: self.source.clone() });
        }
        self.out.write_all(samples).map_err(ExcerptError::Write)
    }

    pub(super) fn finish(mut self) -> Result<(), ExcerptError> {
        let len = self.data_len as u32;
        let header = self.format.header(len);
        let padding = vec![0; (len % 2) as usize];
        self.out
            .write_all(&padding)
            .and_then(|()| self.out.seek(SeekFrom::Start(0)))
            .and_then(|_| self.out.write_all(&header))
            .and_then(|()| self.out.flush())
            .map_err(ExcerptError::Write)
    }
}
