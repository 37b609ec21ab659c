//! How much of an untrusted file we are willing to take.

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
    /// Highest sample rate, in Hz.
    pub max_sample_rate: u32,
}

impl Default for Limits {
    /// 64 GiB, 48 h, 64 channels, 768 kHz: generous to every real recording, bounded for memory
    /// (decoding streams, so only channels and sample rate cost memory).
    fn default() -> Self {
        Self {
            max_bytes: 64 << 30,
            max_duration_s: 48.0 * 3600.0,
            max_channels: 64,
            max_sample_rate: 768_000,
        }
    }
}
