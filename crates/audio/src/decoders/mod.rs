//! The decoders: symphonia's, and ours where symphonia has none or decodes wrongly.
//!
//! | module | codec | decoded by |
//! | --- | --- | --- |
//! | [`aac`] | AAC | symphonia for plain AAC-LC of one or two channels; else `syom` |
//! | [`opus`] | Opus | `ruopus` |
//! | [`vorbis`] | Vorbis | symphonia; `lewton` for streams that symphonia decodes wrongly |
//!
//! Every other codec goes to symphonia as it is.

pub(crate) mod aac;
pub(crate) mod opus;
mod vorbis;

use std::sync::LazyLock;

use symphonia::core::codecs::registry::CodecRegistry;

/// Every decoder there is. A codec registered again replaces the decoder that it had.
pub(crate) static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut registry = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut registry);
    registry.register_audio_decoder::<aac::AacAdapter>();
    registry.register_audio_decoder::<opus::OpusAdapter>();
    registry.register_audio_decoder::<vorbis::VorbisAdapter>();
    registry
});
