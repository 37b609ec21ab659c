//! Opus for symphonia, decoded by the pure-Rust `opus-decoder` crate.
//!
//! Symphonia demuxes Opus (Ogg, WebM/Matroska, MP4, CAF) but does not decode it. The ready-made adapter
//! builds libopus with cmake, which the machines we target lack, so this module adapts `opus-decoder`
//! instead: it passes the RFC 8251 test vectors and has no unsafe code. It decodes to 16 bit, which
//! bounds its signal-to-noise ratio at about 98 dB, far above what the codec itself keeps.
//!
//! The adapter reads the identification header ("OpusHead", RFC 7845 section 5.1): channels, pre-skip,
//! output gain and channel mapping. Mapping families 0 (mono, stereo), 1 (surround) and 255 (unnamed
//! channels) are decoded; the crate's own multistream decoder splits packets in a way of its own, so
//! `streams` does that. Pre-skip is removed here, across as many packets as it takes; the end is trimmed
//! by what the demuxer derives from the last granule position.

mod head;
mod streams;

use symphonia::core::audio::{
    AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{
    AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult,
};
use symphonia::core::codecs::registry::{RegisterableAudioDecoder, SupportedAudioCodec};
use symphonia::core::errors::{Result, unsupported_error};
use symphonia::core::packet::PacketRef;

use self::head::OpusHead;
use self::streams::Streams;

/// Opus always decodes at 48 kHz here, whatever the rate of the original (RFC 7845 section 5.1).
const SAMPLE_RATE: u32 = 48_000;

/// The longest packet is 120 ms (RFC 6716 section 3.2.5): 5760 samples a channel at 48 kHz.
const MAX_FRAMES_PER_PACKET: usize = 5760;

const INFO: CodecInfo = CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] };

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
            None => Streams::new(head.channels, 1, head.channels - 1, &[0, 1][..head.channels])?,
            Some((streams, coupled, map)) => Streams::new(head.channels, *streams, *coupled, map)?,
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
        let frames = self.streams.decode(packet.data, &mut self.interleaved)?;
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

impl AudioDecoder for OpusAdapter {
    fn reset(&mut self) {
        self.streams.reset();
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
