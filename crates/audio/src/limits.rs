//! How files are read, and how much of an untrusted one we are willing to take.

use crate::ffmpeg::Ffmpeg;

/// How a file is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadOptions {
    /// Bounds on the file.
    pub limits: Limits,
    /// Decodes what is not decoded here. `None` refuses it.
    pub ffmpeg: Option<Ffmpeg>,
}

impl From<Limits> for ReadOptions {
    /// Without ffmpeg.
    fn from(limits: Limits) -> Self {
        Self { limits, ffmpeg: None }
    }
}

/// Bounds on one audio file. Whatever exceeds them is [`AudioError::OverLimit`](crate::AudioError).
///
/// The byte, channel and sample-rate limits are checked before a decoder is made; the duration limit is
/// checked against what the header declares and again against what is really decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Largest file, in bytes.
    pub max_bytes: u64,
    /// Longest audio, in seconds.
    pub max_duration_s: f64,
    /// Most channels.
    pub max_channels: u16,
    /// Lowest sample rate, in Hz: each sample of a slower file would become many.
    pub min_sample_rate: u32,
    /// Highest sample rate, in Hz.
    pub max_sample_rate: u32,
    /// Most decoded samples, of all channels together, for each byte of the file. Silence that time stamps ask for
    /// counts as one channel.
    pub max_samples_per_byte: u64,
    /// Longest time that decoding a file may take, in seconds; waiting for whoever takes the samples does not
    /// count.
    pub max_decode_s: f64,
}

impl Default for Limits {
    /// 64 GiB, 48 h, 64 channels, 1 to 768 kHz, 3000 samples a byte, an hour: generous to every real recording,
    /// bounded for memory (decoding streams, so only channels and sample rate cost memory).
    ///
    /// Silence is what codecs store best: in the blocks that encoders write, FLAC takes 292 samples a byte for
    /// it, Opus without transmission up to 1440.
    fn default() -> Self {
        Self {
            max_bytes: 64 << 30,
            max_duration_s: 48.0 * 3600.0,
            max_channels: 64,
            min_sample_rate: 1000,
            max_sample_rate: 768_000,
            max_samples_per_byte: 3000,
            max_decode_s: 3600.0,
        }
    }
}
