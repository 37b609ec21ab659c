//! Samples that lie in a file one after the other: what headers of WAV, AIFF, CAF and AU come down to.
//!
//! The header is read by this crate (`riff`, `aiff`, `caf`, `au`), which forgives what recorders do to
//! headers; symphonia's decoders turn the samples into numbers.

use std::io::{Read, Seek, SeekFrom};
use std::num::NonZero;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, well_known as codec};
use symphonia::core::errors::{Error, Result, SeekErrorKind, seek_error};
use symphonia::core::formats::well_known::FORMAT_ID_WAVE;
use symphonia::core::formats::{FormatInfo, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::{Metadata, MetadataLog};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, TimeBase, Timestamp};

use super::bytes::Bytes;

/// Frames in a packet, at least: MP3's number, a quarter of a millisecond of work.
const FRAMES_PER_PACKET: u64 = 1152;

/// Most bytes of an ADPCM block. WAV has 16 bits for their number; QuickTime has 32.
const MAX_BLOCK_BYTES: u32 = 1 << 20;

/// Places of a file at which samples are looked at before they are decoded, and how many frames at each.
const PROBES: u64 = 64;
const PROBED_FRAMES: u64 = 1024;

/// Most bytes that are looked at in one place.
const PROBED_BYTES: u64 = 1 << 16;

/// How samples are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Two's complement.
    Int,
    /// 8 bits with 128 for zero.
    Unsigned8,
    Float,
    ALaw,
    MuLaw,
    /// Blocks of a fixed number of frames.
    Adpcm(AudioCodecId),
}

/// Where the samples of a file are, and what they are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pcm {
    /// Name of the container, e.g. "wav".
    pub(crate) format: &'static str,
    pub(crate) coding: Coding,
    pub(crate) big_endian: bool,
    pub(crate) sample_rate: u32,
    pub(crate) channels: u16,
    /// Bits of a sample that count; the others are padding.
    pub(crate) bits: u16,
    /// Bytes of a block: of a sample of each channel, or of an ADPCM block.
    pub(crate) block_bytes: u32,
    /// Frames of a block; 1 but for ADPCM.
    pub(crate) block_frames: u32,
    /// Offset of the first sample.
    pub(crate) start: u64,
    /// Bytes of samples in the file.
    pub(crate) len: u64,
    /// Bytes of samples by the header; `None` if it leaves the length open.
    pub(crate) declared: Option<u64>,
    /// Bytes of samples by a header that says less than is taken for samples.
    pub(crate) counted: Option<u64>,
    /// Frames that count, where the header says that the last block is not full.
    pub(crate) frames: Option<u64>,
}

/// What is wrong with a description of samples.
pub(crate) struct BadPcm {
    pub(crate) expected: &'static str,
    pub(crate) received: String,
}

impl Pcm {
    /// Bytes of one sample of one channel.
    pub(crate) fn sample_bytes(&self) -> u32 {
        self.block_bytes / u32::from(self.channels.max(1))
    }

    /// What people call samples that are well described, and that no decoder here reads.
    pub(crate) fn undecoded(&self) -> Option<&'static str> {
        (self.coding == Coding::Int && self.sample_bytes() == 8).then_some("PCM of 64-bit integers")
    }

    /// The decoder that reads these samples.
    pub(crate) fn codec(&self) -> std::result::Result<AudioCodecId, BadPcm> {
        let bytes = self.sample_bytes();
        let bad = |expected, received| Err(BadPcm { expected, received });
        if self.channels == 0 {
            return bad("at least one channel", "0 channels".to_owned());
        }
        if self.block_bytes == 0 || self.block_frames == 0 {
            return bad("blocks of at least one byte", "blocks of 0 bytes".to_owned());
        }
        if matches!(self.coding, Coding::Adpcm(_)) {
            // A byte holds two samples; the header of a block one or two more in several bytes.
            let most = self.block_bytes.saturating_mul(2);
            if self.block_bytes > MAX_BLOCK_BYTES || self.block_frames > most {
                let Self { block_bytes, block_frames, .. } = self;
                let received = format!("blocks of {block_bytes} bytes and {block_frames} frames");
                return bad("ADPCM blocks of at most 1 MiB, and two frames a byte", received);
            }
        }
        Ok(match (self.coding, bytes, self.big_endian) {
            (Coding::Adpcm(id), ..) => id,
            (Coding::ALaw, 1, _) => codec::CODEC_ID_PCM_ALAW,
            (Coding::MuLaw, 1, _) => codec::CODEC_ID_PCM_MULAW,
            (Coding::Unsigned8, 1, _) => codec::CODEC_ID_PCM_U8,
            (Coding::Int, 1, _) => codec::CODEC_ID_PCM_S8,
            (Coding::Int, 2, false) => codec::CODEC_ID_PCM_S16LE,
            (Coding::Int, 2, true) => codec::CODEC_ID_PCM_S16BE,
            (Coding::Int, 3, false) => codec::CODEC_ID_PCM_S24LE,
            (Coding::Int, 3, true) => codec::CODEC_ID_PCM_S24BE,
            (Coding::Int, 4, false) => codec::CODEC_ID_PCM_S32LE,
            (Coding::Int, 4, true) => codec::CODEC_ID_PCM_S32BE,
            (Coding::Float, 4, false) => codec::CODEC_ID_PCM_F32LE,
            (Coding::Float, 4, true) => codec::CODEC_ID_PCM_F32BE,
            (Coding::Float, 8, false) => codec::CODEC_ID_PCM_F64LE,
            (Coding::Float, 8, true) => codec::CODEC_ID_PCM_F64BE,
            (Coding::Float, ..) => {
                return bad(
                    "floating-point samples of 32 or 64 bits",
                    format!("{} bits", u64::from(bytes) * 8),
                );
            }
            _ => return bad("samples of 1 to 32 bits", format!("{} bits", u64::from(bytes) * 8)),
        })
    }

    /// What to multiply samples with so that full scale is 1: padding may lie above the bits that count, and
    /// floats may have the range of integers.
    pub(crate) fn gain(&self, media: &mut dyn MediaSource) -> Gain {
        let bytes = self.sample_bytes() as usize;
        match self.coding {
            Coding::Int if (1..self.sample_bytes() * 8).contains(&u32::from(self.bits)) => {
                let padding = bytes as u32 * 8 - u32::from(self.bits);
                let (mut low, mut high, mut loudest) = (true, true, 0);
                self.probe(media, |sample| {
                    let value = self.int(sample);
                    loudest = loudest.max(value.unsigned_abs());
                    low &= value.trailing_zeros() >= padding;
                    high &= (value << (64 - u32::from(self.bits))) >> (64 - u32::from(self.bits)) == value;
                });
                // Samples lie in the upper bits by the book, and in the lower bits of some files. Both may
                // hold for silence, for a whisper, and for 16 bits that were made 24; neither does where the
                // header lies.
                let is_loud = loudest >= (1 << (self.bits - 1)) / QUIET;
                let is_high = high && (!low || is_loud);
                let factor = if is_high { (1_u64 << padding) as f32 } else { 1.0 };
                Gain { factor, is_rescaled: false }
            }
            Coding::Float => {
                let (mut loudest, mut sounding, mut loud, mut whole) = (0.0_f64, 0_u64, 0_u64, true);
                self.probe(media, |sample| {
                    let value = self.float(sample).abs();
                    if value.is_finite() && value > 0.0 {
                        loudest = loudest.max(value);
                        sounding += 1;
                        loud += u64::from(value > LOUDEST_FLOAT);
                        whole &= value.fract() == 0.0;
                    }
                });
                let is_int = loudest > LOUDEST_FLOAT && (whole || loud * 100 > sounding);
                let full = INT_SCALES.iter().find(|full| loudest <= **full).filter(|_| is_int);
                full.map_or(Gain::ONE, |full| Gain { factor: (1.0 / full) as f32, is_rescaled: true })
            }
            _ => Gain::ONE,
        }
    }

    /// Calls `see` with samples from all over the file.
    fn probe(&self, media: &mut dyn MediaSource, mut see: impl FnMut(&[u8])) {
        let Ok(mut bytes) = Bytes::new(media) else { return };
        let block = u64::from(self.block_bytes).max(1);
        let blocks = self.len / block;
        let at_once = PROBED_FRAMES.min(PROBED_BYTES / block).max(1);
        for probe in 0..PROBES.min(blocks.div_ceil(at_once)) {
            let first = if blocks <= PROBES * at_once { probe * at_once } else { blocks / PROBES * probe };
            let count = at_once.min(blocks - first);
            let found = bytes.vec(self.start + first * block, (count * block) as usize);
            found.chunks_exact((self.sample_bytes() as usize).max(1)).for_each(&mut see);
        }
    }

    /// A two's complement sample of up to 8 bytes.
    fn int(&self, sample: &[u8]) -> i64 {
        let mut le = [0; 8];
        let bits = sample.len().min(8) as u32 * 8;
        for (to, from) in le.iter_mut().zip(sample) {
            *to = *from;
        }
        let mut value = u64::from_le_bytes(le);
        if self.big_endian {
            value = value.swap_bytes() >> (64 - bits);
        }
        (value << (64 - bits)) as i64 >> (64 - bits)
    }

    fn float(&self, sample: &[u8]) -> f64 {
        match (sample, self.big_endian) {
            (&[a, b, c, d], false) => f64::from(f32::from_le_bytes([a, b, c, d])),
            (&[a, b, c, d], true) => f64::from(f32::from_be_bytes([a, b, c, d])),
            (&[a, b, c, d, e, f, g, h], false) => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
            (&[a, b, c, d, e, f, g, h], true) => f64::from_be_bytes([a, b, c, d, e, f, g, h]),
            _ => 0.0,
        }
    }
}

/// What is this many times quieter than full scale (26 dB) may be so.
const QUIET: u64 = 20;

/// Float samples beyond this, 24 dB over full scale, were never meant for a full scale of 1.
const LOUDEST_FLOAT: f64 = 16.0;

/// Full scale of 16, 24 and 32-bit integers, which programs write as floats without scaling them.
const INT_SCALES: [f64; 3] = [32_768.0, 8_388_608.0, 2_147_483_648.0];

/// What samples are multiplied with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gain {
    pub(crate) factor: f32,
    /// Against the letter of the header: the user should know.
    pub(crate) is_rescaled: bool,
}

impl Gain {
    pub(crate) const ONE: Self = Self { factor: 1.0, is_rescaled: false };
}

/// Cuts samples into packets for symphonia's decoders.
pub(crate) struct PcmReader {
    stream: MediaSourceStream<'static>,
    pcm: Pcm,
    tracks: Vec<Track>,
    media_info: MediaInfo,
    metadata: MetadataLog,
    blocks_per_packet: u64,
    next_block: u64,
    blocks: u64,
}

impl PcmReader {
    /// `codec` is [`Pcm::codec`].
    pub(crate) fn new(mut media: Box<dyn MediaSource>, pcm: Pcm, codec: AudioCodecId) -> Result<Self> {
        if media.is_seekable() {
            media.seek(SeekFrom::Start(pcm.start))?;
        }
        let block_frames = u64::from(pcm.block_frames);
        let blocks_per_packet = (FRAMES_PER_PACKET / block_frames).max(1);
        let blocks = pcm.len / u64::from(pcm.block_bytes);
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(codec)
            .with_sample_rate(pcm.sample_rate)
            .with_channels(Channels::Discrete(pcm.channels))
            .with_max_frames_per_packet(blocks_per_packet * block_frames)
            .with_frames_per_block(block_frames);
        let declared = pcm.declared.map(|bytes| bytes / u64::from(pcm.block_bytes) * block_frames);
        let mut track = Track::new(0);
        track.with_codec_params(CodecParameters::Audio(params));
        if let Some(rate) = NonZero::new(pcm.sample_rate) {
            track.with_time_base(TimeBase::from_recip(rate));
        }
        if let Some(frames) = declared.map(|all| pcm.frames.unwrap_or(all).min(all)) {
            track.with_num_frames(frames).with_duration(Duration::from(frames));
        }
        Ok(Self {
            stream: MediaSourceStream::new(media, Default::default()),
            media_info: MediaInfo::from_track(&track),
            tracks: vec![track],
            metadata: MetadataLog::default(),
            blocks_per_packet,
            next_block: 0,
            blocks,
            pcm,
        })
    }
}

impl FormatReader for PcmReader {
    fn format_info(&self) -> &FormatInfo {
        // Its name is not asked for: `Pcm::format` is.
        const INFO: FormatInfo = FormatInfo { format: FORMAT_ID_WAVE, short_name: "pcm", long_name: "PCM" };
        &INFO
    }

    fn media_info(&self) -> &MediaInfo {
        &self.media_info
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.metadata.metadata()
    }

    fn seek(&mut self, _mode: SeekMode, _to: SeekTo) -> Result<SeekedTo> {
        seek_error(SeekErrorKind::Unseekable)
    }

    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn next_packet(&mut self) -> Result<Option<Packet>> {
        let blocks = self.blocks_per_packet.min(self.blocks - self.next_block);
        let block_bytes = u64::from(self.pcm.block_bytes);
        let mut data = vec![0; (blocks * block_bytes) as usize];
        let mut filled = 0;
        while filled < data.len() {
            match self.stream.read(&mut data[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::IoError(e)),
            }
        }
        let whole = filled as u64 / block_bytes;
        if whole == 0 {
            return Ok(None);
        }
        data.truncate((whole * block_bytes) as usize);
        let block_frames = u64::from(self.pcm.block_frames);
        let pts = Timestamp::new((self.next_block * block_frames).try_into().unwrap_or(i64::MAX));
        self.next_block += whole;
        Ok(Some(Packet::new(0, pts, Duration::from(whole * block_frames), data)))
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        self.stream
    }
}
