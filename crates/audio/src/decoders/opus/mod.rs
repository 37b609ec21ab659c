//! Opus for symphonia, decoded by the pure-Rust `ruopus` crate.
//!
//! Symphonia demuxes Opus (Ogg, WebM/Matroska, MP4, CAF) but does not decode it. The ready-made adapters
//! build libopus with cmake, which the machines we target lack, so this module adapts `ruopus` instead:
//! it passes the RFC 8251 test vectors with the range coder's final state exact, and its decoder has no
//! unsafe code. It takes 2 ms a second of stereo; `opus-decoder`, tried first, takes 290 ms, and splits
//! surround packets in a way no encoder writes them.
//!
//! The adapter reads the identification header ("OpusHead", RFC 7845 section 5.1): channels, pre-skip,
//! output gain and channel mapping. Mapping families 0 (mono, stereo), 1 (surround) and 255 (unnamed
//! channels) are decoded. Pre-skip is removed here, across as many packets as it takes; the end is
//! trimmed by what the demuxer derives from the last granule position.

mod head;

use ruopus::{MultistreamDecoder, OpusDecoder, Packet, PacketError};
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

use self::head::OpusHead;

/// Opus always decodes at 48 kHz here, whatever the rate of the original (RFC 7845 section 5.1).
const SAMPLE_RATE: u32 = 48_000;

/// The longest packet is 120 ms (RFC 6716 section 3.2.5): 5760 samples a channel at 48 kHz.
const MAX_FRAMES_PER_PACKET: usize = 5760;

const INFO: CodecInfo = CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] };

enum Streams {
    /// Mapping family 0.
    One(Box<OpusDecoder>),
    /// Mapping families 1 and 255.
    Many(MultistreamDecoder),
}

impl Streams {
    /// The header's numbers were checked when it was parsed.
    fn new(head: &OpusHead) -> Self {
        match &head.mapping {
            None => Self::One(Box::new(OpusDecoder::with_rate(SAMPLE_RATE, head.channels))),
            Some((streams, coupled, map)) => {
                Self::Many(MultistreamDecoder::with_rate(SAMPLE_RATE, *streams, *coupled, map))
            }
        }
    }

    /// Interleaved samples of one packet.
    fn decode(&mut self, packet: &[u8]) -> std::result::Result<Vec<f32>, PacketError> {
        match self {
            Self::One(decoder) => decoder.decode_packet(packet),
            Self::Many(decoder) => decoder.decode_packet(packet),
        }
    }
}

fn to_error(error: PacketError) -> Error {
    Error::DecodeError(match error {
        PacketError::Empty => "opus: empty packet",
        PacketError::InvalidFrameLength => "opus: invalid frame length",
        PacketError::InvalidFrameCount => "opus: invalid frame count",
        PacketError::InvalidPadding => "opus: invalid padding",
        _ => "opus: invalid packet",
    })
}

/// Samples of each channel that a packet holds, at 48 kHz; 0 for what is no packet. In one of several streams, all
/// hold as many.
pub(crate) fn packet_samples(data: &[u8]) -> u64 {
    Packet::parse(data).map_or(0, |packet| {
        (packet.frames().len() * packet.toc().frame_size().samples_per_channel_48k()) as u64
    })
}

/// Samples that decoding a stream with these parameters drops from its start; 0 if it is not Opus.
pub(crate) fn pre_skip(params: &AudioCodecParameters) -> u64 {
    match &params.extra_data {
        Some(bytes) if params.codec == CODEC_ID_OPUS => {
            OpusHead::parse(bytes).map_or(0, |head| head.pre_skip as u64)
        }
        _ => 0,
    }
}

/// Decodes Opus packets for symphonia. See the module's text.
pub(crate) struct OpusAdapter {
    params: AudioCodecParameters,
    head: OpusHead,
    streams: Streams,
    /// Pre-skip still to be dropped, in samples a channel.
    skip_left: usize,
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
        let streams = Streams::new(&head);
        // Channels are only ever averaged, so their positions do not matter.
        let channels = Channels::Discrete(u16::try_from(head.channels).unwrap_or(u16::MAX));
        let mut params = params.clone();
        params.with_sample_rate(SAMPLE_RATE).with_channels(channels.clone());
        Ok(Self {
            params,
            skip_left: head.pre_skip,
            buf: AudioBuffer::new(AudioSpec::new(SAMPLE_RATE, channels), MAX_FRAMES_PER_PACKET),
            head,
            streams,
        })
    }

    fn decode_packet(&mut self, packet: &PacketRef<'_>) -> Result<()> {
        // An empty packet would ask the decoder to conceal a loss.
        if packet.data.is_empty() {
            return decode_error("opus: empty packet");
        }
        let mut samples = self.streams.decode(packet.data).map_err(to_error)?;
        let frames = samples.len() / self.head.channels;
        if frames > MAX_FRAMES_PER_PACKET {
            return decode_error("opus: packet longer than 120 ms");
        }
        if self.head.gain != 1.0 {
            for sample in &mut samples {
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

impl AudioDecoder for OpusAdapter {
    fn reset(&mut self) {
        self.streams = Streams::new(&self.head);
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
