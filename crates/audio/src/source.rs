//! From bytes to a demuxer and a decoder: probing, the choice of a track, what the headers declare.

use std::sync::LazyLock;

use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadBytes, SeekBuffered};
use symphonia::core::meta::MetadataOptions;

use crate::error::AudioError;
use crate::limits::Limits;
use crate::opus::OpusAdapter;

static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut registry = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut registry);
    registry.register_audio_decoder::<OpusAdapter>();
    registry
});

const READABLE: &str = "a recognised audio format (WAV, AIFF, FLAC, MP3, AAC, Ogg Vorbis or Opus, \
                        M4A/MP4, ALAC, CAF, Matroska or WebM)";

/// A demuxer, the decoder of one of its tracks, and what the headers say about that track.
pub(crate) struct Source {
    pub(crate) format: Box<dyn FormatReader>,
    pub(crate) decoder: Box<dyn AudioDecoder>,
    pub(crate) track_id: u32,
    pub(crate) declared: Declared,
}

/// What the headers say about the length of a track.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Declared {
    /// Length without encoder delay and padding, in seconds.
    pub(crate) duration_s: Option<f64>,
    /// The same in frames, unless it is only an estimate.
    pub(crate) frames: Option<u64>,
}

impl Source {
    /// Probes by content, never by name, and makes a decoder for the default (else first) audio track.
    pub(crate) fn open(file: &str, media: Box<dyn MediaSource>, limits: &Limits) -> Result<Self, AudioError> {
        let byte_len = media.byte_len();
        let mut stream = MediaSourceStream::new(media, Default::default());
        stream.ensure_seekback_buffer(HEAD_LEN);
        let mut head = [0; HEAD_LEN];
        let read = stream.read_buf(&mut head).map_err(|source| io_error(file, source))?;
        stream.seek_buffered_rel(-(read as isize));
        if let Some(received) = foreign_kind(&head[..read]) {
            return Err(unsupported(file, READABLE, received));
        }
        let format = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|error| match error {
                Error::Unsupported(why) if why.starts_with("core (probe)") => {
                    unsupported(file, READABLE, describe(&head[..read]))
                }
                Error::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                    malformed(file, "a complete header", "a file that ends inside it")
                }
                error => from_symphonia(file, error),
            })?;
        let (track_id, decoder) = Self::decoder_for(file, format.as_ref(), limits)?;
        let (track, params) = choose_track(file, format.as_ref())?;
        let declared = declare(format.as_ref(), track, params, byte_len);
        Ok(Self { format, decoder, track_id, declared })
    }

    /// Chooses a track and makes its decoder; again when a chained stream starts its next link.
    pub(crate) fn decoder_for(
        file: &str,
        format: &dyn FormatReader,
        limits: &Limits,
    ) -> Result<(u32, Box<dyn AudioDecoder>), AudioError> {
        let (track, params) = choose_track(file, format)?;
        check_params(file, params, limits)?;
        let decoder = CODECS
            .make_audio_decoder(params, &AudioDecoderOptions::default())
            .map_err(|error| from_symphonia(file, error))?;
        check_params(file, decoder.codec_params(), limits)?;
        Ok((track.id, decoder))
    }

    /// The container's short name, e.g. "wav".
    pub(crate) fn format_name(&self) -> &'static str {
        match self.format.format_info().short_name {
            "wave" => "wav",
            "isomp4" => "mp4",
            "matroska" => "mkv",
            name => name,
        }
    }
}

fn choose_track<'a>(
    file: &str,
    format: &'a dyn FormatReader,
) -> Result<(&'a Track, &'a AudioCodecParameters), AudioError> {
    let audio = |track: &'a Track| Some((track, track.codec_params.as_ref()?.audio()?));
    let decodable =
        |(_, params): &(&Track, &AudioCodecParameters)| CODECS.get_audio_decoder(params.codec).is_some();
    let default = format.default_track(TrackType::Audio).and_then(audio);
    if let Some(found) = default.into_iter().chain(format.tracks().iter().filter_map(audio)).find(decodable) {
        return Ok(found);
    }
    Err(match format.tracks().iter().find_map(audio) {
        Some((_, params)) => unsupported(
            file,
            "an audio track in a codec that can be decoded",
            format!("codec {}", params.codec),
        ),
        None => unsupported(
            file,
            "an audio track",
            format!("{} tracks, none of them audio", format.tracks().len()),
        ),
    })
}

/// Refuses absurd headers before a decoder allocates for them.
fn check_params(file: &str, params: &AudioCodecParameters, limits: &Limits) -> Result<(), AudioError> {
    if let Some(rate) = params.sample_rate {
        check_rate(file, rate, limits)?;
    }
    if let Some(channels) = &params.channels {
        check_channels(file, channels.count(), limits)?;
    }
    Ok(())
}

pub(crate) fn check_rate(file: &str, rate: u32, limits: &Limits) -> Result<(), AudioError> {
    if rate == 0 {
        return Err(malformed(file, "a sample rate above 0 Hz", "0 Hz"));
    }
    if rate > limits.max_sample_rate {
        return Err(AudioError::OverLimit {
            file: file.to_owned(),
            what: "sample rate",
            limit: format!("{} Hz", limits.max_sample_rate),
            received: format!("{rate} Hz"),
        });
    }
    Ok(())
}

pub(crate) fn check_channels(file: &str, count: usize, limits: &Limits) -> Result<(), AudioError> {
    if count > usize::from(limits.max_channels) {
        return Err(AudioError::OverLimit {
            file: file.to_owned(),
            what: "channels",
            limit: limits.max_channels.to_string(),
            received: count.to_string(),
        });
    }
    Ok(())
}

fn declare(
    format: &dyn FormatReader,
    track: &Track,
    params: &AudioCodecParameters,
    byte_len: Option<u64>,
) -> Declared {
    let rate = f64::from(params.sample_rate.unwrap_or(0));
    // MP3 without a LAME tag and ADTS only guess their length from the first bit rates.
    let is_estimate = match format.format_info().short_name {
        "aac" => true,
        "mp1" | "mp2" | "mp3" => track.delay.is_none(),
        _ => false,
    };
    let frames = track.num_frames.filter(|&frames| {
        // A writer that cannot seek back leaves 0 or nearly 2^32 where the length should be. Frames of
        // PCM take at least a byte, so a length beyond the file and near that mark says nothing.
        let is_placeholder = frames.saturating_mul(bytes_per_pcm_frame(params)) >= 0xffff_0000
            && byte_len.is_some_and(|len| frames > len);
        !is_placeholder
    });
    let duration_s = match frames {
        Some(frames) if rate > 0.0 => Some(frames as f64 / rate),
        Some(_) => None,
        None if track.num_frames.is_some() => None,
        None => track.time_base.zip(track.duration).map(|(base, duration)| {
            duration.get() as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get())
        }),
    };
    Declared { duration_s, frames: frames.filter(|_| !is_estimate) }
}

fn bytes_per_pcm_frame(params: &AudioCodecParameters) -> u64 {
    let bits = params.bits_per_coded_sample.or(params.bits_per_sample).unwrap_or(8);
    let channels = params.channels.as_ref().map_or(1, |c| c.count());
    u64::from(bits.div_ceil(8)).max(1) * channels.max(1) as u64
}

/// How much of a file is looked at to name what is not audio.
const HEAD_LEN: usize = 512;

/// Kinds of file that are certainly not audio, though the demuxers might find something in their middle.
fn foreign_kind(head: &[u8]) -> Option<&'static str> {
    const MAGIC: &[(&[u8], &str)] = &[
        (b"PK\x03\x04", "a zip archive"),
        (b"PK\x05\x06", "an empty zip archive"),
        (b"\x1f\x8b", "a gzip file"),
        (b"BZh", "a bzip2 file"),
        (b"\xfd7zXZ\0", "an xz file"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07", "a rar archive"),
        (b"%PDF-", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"GIF8", "a GIF image"),
        (b"\x7fELF", "a program"),
        (b"MThd", "a MIDI score"),
        (b"wvpk", "a WavPack file"),
        (b"MAC ", "a Monkey's Audio file"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "an ASF/WMA file"),
    ];
    if head.starts_with(b"RIFF") && head.len() >= 12 && &head[8..12] != b"WAVE" {
        return Some("a RIFF file that is not WAVE");
    }
    MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| *kind)
}

/// Names what the probe did not recognise.
fn describe(head: &[u8]) -> &'static str {
    let is_text = |b: &u8| matches!(b, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..);
    match head {
        [] => "an empty file",
        bytes if bytes.iter().all(|b| *b == 0) => "zero bytes only",
        bytes
            if bytes.iter().all(is_text)
                && std::str::from_utf8(&bytes[..bytes.len().min(256)])
                    .map_or_else(|e| e.error_len().is_none(), |_| true) =>
        {
            "text"
        }
        _ => "bytes of no known audio format",
    }
}

pub(crate) fn unsupported(
    file: &str,
    expected: impl Into<String>,
    received: impl Into<String>,
) -> AudioError {
    AudioError::Unsupported { file: file.to_owned(), expected: expected.into(), received: received.into() }
}

pub(crate) fn malformed(file: &str, expected: impl Into<String>, received: impl Into<String>) -> AudioError {
    AudioError::Malformed { file: file.to_owned(), expected: expected.into(), received: received.into() }
}

pub(crate) fn io_error(file: &str, source: std::io::Error) -> AudioError {
    AudioError::Io { file: file.to_owned(), source }
}

/// Translates symphonia's error classes.
pub(crate) fn from_symphonia(file: &str, error: Error) -> AudioError {
    match error {
        Error::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            malformed(file, "a complete file", "a file that ends early")
        }
        Error::IoError(source) => io_error(file, source),
        Error::Unsupported(what) => unsupported(file, "a supported feature", what),
        Error::DecodeError(what) | Error::LimitError(what) => malformed(file, "well-formed audio", what),
        other => malformed(file, "well-formed audio", other.to_string()),
    }
}
