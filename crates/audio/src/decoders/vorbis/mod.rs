//! Vorbis: symphonia's decoder where it is right, the `lewton` crate where it is not.
//!
//! Symphonia 0.6.1 decodes mono and ordinary stereo as the specification says, and fast. With more channels
//! it has two faults, which [`Setup::suits_symphonia`] describes: its output then resembles the sound with a
//! cosine of 0.85 to 0.95. Both are faults of reading the packet, so nothing outside the decoder can mend
//! them. `lewton` decodes those streams; it matches libvorbis on the Xiph test vectors.
//!
//! `lewton` allocates whatever a setup header asks for, and panics on some damaged packets. The header is
//! therefore checked twice before it sees it, by [`Setup::parse`] and by symphonia's own decoder, and its
//! panics become errors of one packet.

mod setup;

use lewton::audio::{PreviousWindowRight, read_audio_packet_generic};
use lewton::header::{IdentHeader, SetupHeader, read_header_ident, read_header_setup};
use symphonia::core::audio::{
    AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_VORBIS;
use symphonia::core::codecs::audio::{
    AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult,
};
use symphonia::core::codecs::registry::{RegisterableAudioDecoder, SupportedAudioCodec};
use symphonia::core::errors::{Error, Result, decode_error, unsupported_error};
use symphonia::core::packet::PacketRef;
use symphonia::default::codecs::VorbisDecoder;

use self::setup::Setup;
use crate::guard::contain;

const INFO: CodecInfo = CodecInfo { short_name: "vorbis", long_name: "Vorbis", profiles: &[] };

/// The identification header is 30 bytes long (section 4.2.2).
const IDENT_LEN: usize = 30;

/// Passes over a residue that `lewton` reads the codebooks of; the specification allows 8.
const LEWTON_PASSES: u32 = 7;

/// Decodes Vorbis packets for symphonia. See the module's text.
pub(crate) struct VorbisAdapter {
    params: AudioCodecParameters,
    gapless: bool,
    ident: IdentHeader,
    setup: SetupHeader,
    /// The second half of the last block, which overlaps the next one.
    overlap: PreviousWindowRight,
    buf: AudioBuffer<f32>,
}

impl VorbisAdapter {
    /// `Ok(None)` if the stream is one that symphonia decodes right.
    fn new(params: &AudioCodecParameters, options: &AudioDecoderOptions) -> Result<Option<Self>> {
        let Some(extra) = &params.extra_data else {
            return unsupported_error("vorbis: no headers");
        };
        let (ident, setup) = split_headers(extra)?;
        let Some(channels) = ident.get(11).copied().filter(|channels| *channels > 0) else {
            return decode_error("vorbis: no channels");
        };
        let parsed = Setup::parse(setup, u32::from(channels))?;
        if parsed.suits_symphonia() {
            return Ok(None);
        }
        // Refuses headers that `lewton` would take far too much memory for.
        VorbisDecoder::try_new(params, options)?;

        let bad_header = |_| Error::DecodeError("vorbis: bad header");
        let ident = read_header_ident(ident).map_err(bad_header)?;
        let blocks = (ident.blocksize_0, ident.blocksize_1);
        // `lewton` counts the values of a block, channels together, in 16 bits.
        if usize::from(channels) << blocks.1 > usize::from(u16::MAX) || parsed.most_passes() > LEWTON_PASSES {
            return unsupported_error("vorbis: more than seven passes, or many channels in long blocks");
        }
        let setup = read_header_setup(setup, channels, blocks).map_err(bad_header)?;
        // Channels are only ever averaged, so their positions do not matter.
        let spec = AudioSpec::new(ident.audio_sample_rate, Channels::Discrete(u16::from(channels)));
        let mut params = params.clone();
        params.with_sample_rate(spec.rate()).with_channels(spec.channels().clone());
        Ok(Some(Self {
            params,
            gapless: options.gapless,
            buf: AudioBuffer::new(spec, 1 << blocks.1),
            ident,
            setup,
            overlap: PreviousWindowRight::new(),
        }))
    }

    fn decode_packet(&mut self, packet: &PacketRef<'_>) -> Result<()> {
        let Self { ident, setup, overlap, .. } = self;
        let planes: Vec<Vec<f32>> =
            match contain(|| read_audio_packet_generic(ident, setup, packet.data, overlap)) {
                Ok(decoded) => decoded.map_err(|_| Error::DecodeError("vorbis: bad packet"))?,
                Err(_panic) => {
                    self.reset();
                    return decode_error("vorbis: bad packet");
                }
            };
        let frames = planes.iter().map(Vec::len).min().unwrap_or(0).min(self.buf.capacity());
        self.buf.render_uninit(Some(frames));
        for (index, plane) in planes.iter().enumerate() {
            if let Some(to) = self.buf.plane_mut(index) {
                to.copy_from_slice(&plane[..frames]);
            }
        }
        if self.gapless {
            let trim = |duration| usize::try_from(duration).unwrap_or(frames).min(frames);
            self.buf.trim(trim(packet.trim_start.get()), trim(packet.trim_end.get()));
        }
        Ok(())
    }
}

/// The identification and the setup header: one after the other (as symphonia's Ogg demuxer gives them), or
/// laced together with the comment header (Matroska).
fn split_headers(extra: &[u8]) -> Result<(&[u8], &[u8])> {
    let split = || {
        let [2, lengths @ ..] = extra else {
            return extra.split_at_checked(IDENT_LEN);
        };
        let (ident_len, rest) = read_lacing(lengths)?;
        let (comment_len, rest) = read_lacing(rest)?;
        let (ident, rest) = rest.split_at_checked(ident_len)?;
        Some((ident, rest.get(comment_len..)?))
    };
    split().ok_or(Error::DecodeError("vorbis: headers too short"))
}

/// A length as a run of 255s and a rest (RFC 3533 section 6), and the bytes after it.
fn read_lacing(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let full = bytes.iter().take_while(|byte| **byte == 255).count();
    Some((full * 255 + usize::from(*bytes.get(full)?), bytes.get(full + 1..)?))
}

impl AudioDecoder for VorbisAdapter {
    fn reset(&mut self) {
        self.overlap = PreviousWindowRight::new();
    }

    fn codec_info(&self) -> &CodecInfo {
        &INFO
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buf.clear();
        self.decode_packet(packet).inspect_err(|_| self.buf.clear())?;
        Ok(self.buf.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buf.as_generic_audio_buffer_ref()
    }
}

impl RegisterableAudioDecoder for VorbisAdapter {
    fn try_registry_new(
        params: &AudioCodecParameters,
        options: &AudioDecoderOptions,
    ) -> Result<Box<dyn AudioDecoder>> {
        Ok(match Self::new(params, options)? {
            Some(adapter) => Box::new(adapter),
            None => Box::new(VorbisDecoder::try_new(params, options)?),
        })
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        &[SupportedAudioCodec { id: CODEC_ID_VORBIS, info: INFO }]
    }
}
