//! Opus for symphonia, decoded by the pure-Rust `opus-decoder` crate.
//!
//! Symphonia demuxes Opus (Ogg, WebM/Matroska, MP4, CAF) but does not decode it. The ready-made adapter
//! builds libopus with cmake, which the machines we target lack, so this module adapts `opus-decoder`
//! instead: it passes the RFC 8251 test vectors and has no unsafe code. It decodes to 16 bit, which
//! bounds its signal-to-noise ratio at about 98 dB, far above what the codec itself keeps.
//!
//! The adapter reads the identification header ("OpusHead", RFC 7845 section 5.1): channels, pre-skip,
//! output gain and channel mapping. Mapping families 0 (mono, stereo), 1 (surround) and 255 (unnamed
//! channels) are decoded. Pre-skip is removed here, across as many packets as it takes; the end is
//! trimmed by what the demuxer derives from the last granule position.

use opus_decoder::{OpusDecoder, OpusError, OpusMultistreamDecoder};
use symphonia::core::audio::{
    AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{
    AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult,
};
use symphonia::core::codecs::registry::{RegisterableAudioDecoder, SupportedAudioCodec};
use symphonia::core::errors::{Error, Result, decode_error, unsupported_error};
use symphonia::core::packet::PacketRef;

/// Opus always decodes at 48 kHz here, whatever the rate of the original (RFC 7845 section 5.1).
const SAMPLE_RATE: u32 = 48_000;

/// The longest packet is 120 ms (RFC 6716 section 3.2.5): 5760 samples a channel at 48 kHz.
const MAX_FRAMES_PER_PACKET: usize = 5760;

const INFO: CodecInfo = CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] };

/// The fields of the Opus identification header that decoding needs.
#[derive(Debug, PartialEq)]
struct OpusHead {
    channels: usize,
    /// Samples at 48 kHz to drop from the start of the decoded stream.
    pre_skip: usize,
    /// Linear factor for the decoded samples.
    gain: f32,
    /// Streams, coupled streams and the channel map; `None` for mapping family 0.
    mapping: Option<(usize, usize, Vec<u8>)>,
}

impl OpusHead {
    /// Parses "OpusHead" (RFC 7845 section 5.1). Version 0 means that the bytes come from an MP4 "dOps"
    /// box, whose integers are big-endian, with symphonia's magic in front.
    fn parse(bytes: &[u8]) -> Result<Self> {
        let Some(([magic @ .., version, channels, skip0, skip1], rest)) = bytes.split_first_chunk::<12>()
        else {
            return decode_error("opus: identification header too short");
        };
        let Some(([_rate @ .., gain0, gain1, family], table)) = rest.split_first_chunk::<7>() else {
            return decode_error("opus: identification header too short");
        };
        if *magic != *b"OpusHead" {
            return decode_error("opus: identification header lacks its signature");
        }
        // The upper four bits are the major version; only 0 exists (RFC 7845 section 5.1).
        if version >> 4 != 0 {
            return unsupported_error("opus: unknown major version");
        }
        let (skip, gain) = ([*skip0, *skip1], [*gain0, *gain1]);
        let (pre_skip, gain_q8) = if *version == 0 {
            (u16::from_be_bytes(skip), i16::from_be_bytes(gain))
        } else {
            (u16::from_le_bytes(skip), i16::from_le_bytes(gain))
        };
        let channels = usize::from(*channels);
        let mapping = match (*family, channels) {
            (_, 0) => return decode_error("opus: no channels"),
            (0, 1 | 2) => None,
            (0, _) => return decode_error("opus: mapping family 0 holds one or two channels"),
            (1 | 255, _) => {
                let [streams, coupled, map @ ..] = table else {
                    return decode_error("opus: channel mapping table missing");
                };
                let Some(map) = map.get(..channels) else {
                    return decode_error("opus: channel mapping table too short");
                };
                Some((usize::from(*streams), usize::from(*coupled), map.to_vec()))
            }
            _ => return unsupported_error("opus: channel mapping family other than 0, 1 and 255"),
        };
        // Output gain is 20 log10(factor) in Q7.8 (RFC 7845 section 5.1).
        let gain = 10f32.powf(f32::from(gain_q8) / (20.0 * 256.0));
        Ok(Self { channels, pre_skip: usize::from(pre_skip), gain, mapping })
    }
}

enum Streams {
    /// Mapping family 0.
    One(OpusDecoder),
    /// Mapping families 1 and 255.
    Many(OpusMultistreamDecoder),
}

/// Decodes Opus packets for symphonia. See the module's text.
pub(crate) struct OpusAdapter {
    params: AudioCodecParameters,
    head: OpusHead,
    streams: Streams,
    /// Pre-skip still to be dropped, in samples a channel.
    skip_left: usize,
    /// Interleaved output of the decoder.
    interleaved: Vec<f32>,
    buf: AudioBuffer<f32>,
}

impl OpusAdapter {
    fn new(params: &AudioCodecParameters) -> Result<Self> {
        let head = match &params.extra_data {
            Some(bytes) => OpusHead::parse(bytes)?,
            // CAF keeps no OpusHead: plain mono or stereo, the pre-skip is the container's to tell.
            None => {
                let channels = params.channels.as_ref().map_or(0, Channels::count);
                if !(1..=2).contains(&channels) {
                    return unsupported_error("opus: more than two channels without a mapping");
                }
                OpusHead { channels, pre_skip: 0, gain: 1.0, mapping: None }
            }
        };
        let streams = match &head.mapping {
            None => Streams::One(OpusDecoder::new(SAMPLE_RATE, head.channels).map_err(to_error)?),
            Some((streams, coupled, map)) => Streams::Many(
                OpusMultistreamDecoder::new(SAMPLE_RATE, head.channels, *streams, *coupled, map)
                    .map_err(to_error)?,
            ),
        };
        // Channels are only ever averaged, so their positions do not matter.
        let channels = Channels::Discrete(u16::try_from(head.channels).unwrap_or(u16::MAX));
        let mut params = params.clone();
        params.with_sample_rate(SAMPLE_RATE).with_channels(channels.clone());
        Ok(Self {
            params,
            skip_left: head.pre_skip,
            interleaved: vec![0.0; MAX_FRAMES_PER_PACKET * head.channels],
            buf: AudioBuffer::new(AudioSpec::new(SAMPLE_RATE, channels), MAX_FRAMES_PER_PACKET),
            head,
            streams,
        })
    }

    fn decode_packet(&mut self, packet: &PacketRef<'_>) -> Result<()> {
        if packet.data.is_empty() {
            return decode_error("opus: empty packet");
        }
        let frames = match &mut self.streams {
            Streams::One(d) => d.decode_float(packet.data, &mut self.interleaved, false),
            Streams::Many(d) => d.decode_float(packet.data, &mut self.interleaved, false),
        }
        .map_err(to_error)?;
        if frames > MAX_FRAMES_PER_PACKET {
            return decode_error("opus: packet longer than 120 ms");
        }
        let samples = &mut self.interleaved[..frames * self.head.channels];
        if self.head.gain != 1.0 {
            for sample in samples.iter_mut() {
                *sample *= self.head.gain;
            }
        }
        self.buf.render_uninit(Some(frames));
        self.buf.copy_from_slice_interleaved(&samples);

        // Pre-skip counts decoded samples, so it is taken from the front of whole packets; the
        // demuxer's own start trim, if it ever sets one, is not added to it.
        let skip = self.skip_left.min(frames);
        self.skip_left -= skip;
        let end = usize::try_from(packet.trim_end.get()).unwrap_or(frames).min(frames - skip);
        self.buf.trim(skip, end);
        Ok(())
    }
}

fn to_error(error: OpusError) -> Error {
    Error::DecodeError(match error {
        OpusError::InvalidPacket => "opus: invalid packet",
        OpusError::InvalidArgument(_) => "opus: invalid channel mapping",
        OpusError::BufferTooSmall => "opus: packet longer than 120 ms",
        OpusError::InternalError => "opus: inconsistent decoder state",
    })
}

impl AudioDecoder for OpusAdapter {
    fn reset(&mut self) {
        match &mut self.streams {
            Streams::One(d) => d.reset(),
            Streams::Many(d) => d.reset(),
        }
    }

    fn codec_info(&self) -> &CodecInfo {
        &INFO
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buf.clear();
        self.decode_packet(packet)?;
        Ok(self.buf.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buf.as_generic_audio_buffer_ref()
    }
}

impl RegisterableAudioDecoder for OpusAdapter {
    fn try_registry_new(
        params: &AudioCodecParameters,
        _options: &AudioDecoderOptions,
    ) -> Result<Box<dyn AudioDecoder>> {
        Ok(Box::new(Self::new(params)?))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        &[SupportedAudioCodec { id: CODEC_ID_OPUS, info: INFO }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// version, channels, pre-skip, rate, gain, family, then the mapping table.
    fn head(version: u8, channels: u8, skip: [u8; 2], gain: [u8; 2], tail: &[u8]) -> Vec<u8> {
        let mut bytes = b"OpusHead".to_vec();
        bytes.extend([version, channels]);
        bytes.extend(skip);
        bytes.extend([0x80, 0xbb, 0, 0]);
        bytes.extend(gain);
        bytes.extend(tail);
        bytes
    }

    #[test]
    fn the_header_is_little_endian_in_ogg_and_big_endian_in_mp4() {
        let ogg = OpusHead::parse(&head(1, 2, [0x38, 0x01], [0, 1], &[0])).unwrap();
        let mp4 = OpusHead::parse(&head(0, 2, [0x01, 0x38], [1, 0], &[0])).unwrap();
        assert_eq!(ogg, mp4);
        assert_eq!((ogg.channels, ogg.pre_skip), (2, 312));
        // Gain 256 in Q7.8 is 1 dB.
        assert!((20.0 * ogg.gain.log10() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn surround_carries_its_mapping_table() {
        let bytes = head(1, 6, [0, 0], [0, 0], &[1, 4, 2, 0, 4, 1, 2, 3, 5]);
        let parsed = OpusHead::parse(&bytes).unwrap();
        assert_eq!(parsed.mapping, Some((4, 2, vec![0, 4, 1, 2, 3, 5])));
        assert!(OpusHead::parse(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn bad_headers_are_refused() {
        let good = head(1, 2, [0, 0], [0, 0], &[0]);
        for len in 0..good.len() {
            assert!(OpusHead::parse(&good[..len]).is_err(), "{len} bytes");
        }
        assert!(OpusHead::parse(&head(1, 0, [0, 0], [0, 0], &[0])).is_err());
        assert!(OpusHead::parse(&head(1, 3, [0, 0], [0, 0], &[0])).is_err());
        assert!(OpusHead::parse(&head(16, 2, [0, 0], [0, 0], &[0])).is_err());
        assert!(OpusHead::parse(&head(1, 2, [0, 0], [0, 0], &[2])).is_err());
    }
}
