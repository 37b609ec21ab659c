//! AAC: symphonia's decoder for plain AAC-LC, mono and stereo; the `syom` crate for every other kind.
//!
//! Symphonia 0.6.1 decodes AAC-LC of one or two channels. It refuses more channels, takes the Main profile
//! for LC in ADTS (whose demuxer drops the profile) and skips the blocks that then make no sense, and decodes
//! only the core of HE-AAC: half of the band. `syom` decodes all of these; its output differs from ffmpeg's
//! by at most 5e-7 of full scale.
//!
//! | kind | decoder |
//! | --- | --- |
//! | AAC-LC, 1 or 2 channels | symphonia |
//! | AAC-LC, 3 to 8 channels | `syom` |
//! | Main, LTP | `syom` |
//! | HE-AAC (SBR), HE-AAC v2 (PS), however it is signalled | `syom` |
//! | AAC-LD | `syom` |
//! | SSR, Scalable, ER AAC, BSAC, AAC-ELD, xHE-AAC | refused, by name |
//!
//! HE-AAC need not be signalled outside of the packets (ISO/IEC 14496-3:2009 section 1.6.5, "implicit
//! signalling"). So `syom` decodes the first packet of every stream; symphonia takes over if that packet
//! turned out to be plain.
//!
//! A packet that cannot be decoded is an error of its own, and both decoders start afresh after it: the first
//! block then lacks what would have overlapped it.
//!
//! `syom` was chosen over the other crates in the registry: `oxideav-aac` 0.1 takes a thousand times as long
//! and fails on the block switching of ffmpeg's encoder; `rusty_aac` is as right and as fast, but its channel
//! layouts follow FFmpeg's source function by function, so its licence is in doubt.

pub(crate) mod config;

use symphonia::core::audio::{
    AsGenericAudioBufferRef, Audio, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia::core::codecs::audio::{
    AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult,
};
use symphonia::core::codecs::registry::{RegisterableAudioDecoder, SupportedAudioCodec};
use symphonia::core::errors::{Result, decode_error, unsupported_error};
use symphonia::core::packet::PacketRef;
use symphonia::default::codecs::AacDecoder;
use syom::{DecodeOptions, Decoder, MemoryBudgets};

use self::config::Config;
use crate::guard::contain;

const INFO: CodecInfo = CodecInfo { short_name: "aac", long_name: "Advanced Audio Coding", profiles: &[] };

/// A block of HE-AAC: 1024 values of the core, doubled (section 4.6.18.1).
const MAX_FRAMES_PER_PACKET: usize = 2048;

/// Decodes AAC packets for symphonia. See the module's text.
pub(crate) struct AacAdapter {
    params: AudioCodecParameters,
    options: AudioDecoderOptions,
    config: Config,
    choice: Choice,
    syom: Decoder,
    /// What `syom` decoded last.
    buf: AudioBuffer<f32>,
}

enum Choice {
    /// No packet has been decoded yet.
    Open,
    Syom,
    Symphonia(Box<AacDecoder>),
}

impl AacAdapter {
    fn new(params: &AudioCodecParameters, options: &AudioDecoderOptions) -> Result<Self> {
        let asc: Box<[u8]> = match (&params.extra_data, params.sample_rate) {
            (Some(bytes), _) => bytes.clone(),
            (None, Some(rate)) => {
                let channels = params.channels.as_ref().map_or(0, Channels::count);
                match config::low_complexity(rate, channels) {
                    Some(asc) => Box::new(asc),
                    None => return unsupported_error("AAC with an unusual channel layout or sample rate"),
                }
            }
            (None, None) => return unsupported_error("AAC without a header"),
        };
        let config = Config::parse(&asc)?;
        if config.rate == config::UNDECODED_RATE {
            return unsupported_error("AAC at 7350 Hz");
        }
        let limits = DecodeOptions::audio()
            .with_max_duration_secs(f64::INFINITY)
            .with_memory(MemoryBudgets::unbounded_collection());
        let syom = contain(|| Decoder::from_asc(&asc, limits)).ok().and_then(std::result::Result::ok);
        let Some(syom) = syom else { return Err(config.refusal()) };
        // Channels are only ever averaged, so their positions do not matter.
        let channels = Channels::Discrete(config.channels().unwrap_or(1));
        let spec = AudioSpec::new(config.rate, channels.clone());
        let mut params = params.clone();
        params.with_extra_data(asc).with_sample_rate(config.rate).with_channels(channels);
        let buf = AudioBuffer::new(spec, MAX_FRAMES_PER_PACKET);
        Ok(Self { params, options: *options, config, choice: Choice::Open, syom, buf })
    }

    fn decode_packet(&mut self, packet: &PacketRef<'_>) -> Result<()> {
        if let Choice::Symphonia(decoder) = &mut self.choice {
            return decoder.decode_ref(packet).map(|_| ());
        }
        let is_fresh = self.syom.frames() == 0;
        let mut is_replicated = self.decode_with_syom(packet.data);
        if is_replicated.is_none() {
            // After an error `syom` wants a fresh start. Where the number of channels has changed, that is
            // all it needs.
            self.restart_syom();
            if !is_fresh {
                is_replicated = self.decode_with_syom(packet.data);
            }
        }
        let Some(is_replicated) = is_replicated else {
            self.restart_syom();
            return decode_error("aac: bad packet");
        };
        if let Choice::Open = self.choice {
            self.choice = self.choose(is_replicated, packet);
            if is_replicated {
                self.make_explicit(packet.data);
            }
        }
        Ok(())
    }

    /// Tells `syom` in the header what the first packet showed. Else it would take a later packet that lost
    /// its high band for one of half the rate.
    fn make_explicit(&mut self, packet: &[u8]) {
        let (rate, channels) = (self.buf.spec().rate(), self.buf.spec().channels().count());
        let explicit = config::high_efficiency(self.config, rate, channels);
        let is_core_only =
            |asc: &[u8]| Config::LOW_COMPLEXITY == u32::from(asc.first().map_or(0, |b| b >> 3));
        if let (Some(explicit), Some(asc)) = (explicit, &self.params.extra_data)
            && is_core_only(asc)
        {
            let implicit = self.params.extra_data.replace(explicit);
            self.restart_syom();
            if self.decode_with_syom(packet).is_none() {
                self.params.extra_data = implicit;
                self.restart_syom();
                self.decode_with_syom(packet);
            }
        }
    }

    /// Symphonia, if the first packet turned out to be plain; it decodes that packet too.
    fn choose(&self, is_replicated: bool, packet: &PacketRef<'_>) -> Choice {
        let is_plain = self.config.object == Config::LOW_COMPLEXITY && !is_replicated;
        if is_plain
            && self.buf.spec().channels().count() <= 2
            && let Ok(mut decoder) = AacDecoder::try_new(&self.params, &self.options)
            && decoder.decode_ref(packet).is_ok()
        {
            return Choice::Symphonia(Box::new(decoder));
        }
        Choice::Syom
    }

    /// Fills the buffer, and says whether spectral bands were replicated; `None` if the packet is bad.
    fn decode_with_syom(&mut self, packet: &[u8]) -> Option<bool> {
        let Self { syom, buf, .. } = self;
        let mut is_replicated = None;
        let decoded = contain(|| {
            syom.decode_au(packet, |frame| {
                let count = u16::try_from(frame.planar.len()).unwrap_or(u16::MAX);
                let spec = AudioSpec::new(frame.sample_rate, Channels::Discrete(count));
                if *buf.spec() != spec || buf.capacity() < frame.samples {
                    *buf = AudioBuffer::new(spec, frame.samples.max(MAX_FRAMES_PER_PACKET));
                }
                buf.clear();
                buf.render_uninit(Some(frame.samples));
                for (index, plane) in frame.planar.iter().enumerate() {
                    if let Some(to) = buf.plane_mut(index) {
                        to.copy_from_slice(plane);
                    }
                }
                is_replicated = Some(frame.meta.output_rate != frame.meta.core_rate);
                Ok(())
            })
        });
        matches!(decoded, Ok(Ok(()))).then_some(is_replicated).flatten()
    }

    fn restart_syom(&mut self) {
        self.buf.clear();
        self.syom.reset();
        // It was accepted when the decoder was made; if it is not now, the next packet says so.
        if let Some(asc) = &self.params.extra_data {
            let _ = self.syom.set_asc(asc);
        }
    }
}

impl AudioDecoder for AacAdapter {
    fn reset(&mut self) {
        match &mut self.choice {
            Choice::Symphonia(decoder) => decoder.reset(),
            Choice::Open | Choice::Syom => self.restart_syom(),
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
        Ok(self.last_decoded())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        match &self.choice {
            Choice::Symphonia(decoder) => decoder.last_decoded(),
            Choice::Open | Choice::Syom => self.buf.as_generic_audio_buffer_ref(),
        }
    }
}

impl RegisterableAudioDecoder for AacAdapter {
    fn try_registry_new(
        params: &AudioCodecParameters,
        options: &AudioDecoderOptions,
    ) -> Result<Box<dyn AudioDecoder>> {
        Ok(Box::new(Self::new(params, options)?))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        &[SupportedAudioCodec { id: CODEC_ID_AAC, info: INFO }]
    }
}
