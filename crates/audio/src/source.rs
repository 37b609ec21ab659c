//! From bytes to a demuxer and a decoder: probing, the choice of a track, what the headers declare.

use std::io::{self, Read, Seek};

use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadBytes, ReadOnlySource, SeekBuffered};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::{TimeBase, Timestamp};

use crate::decoders::{CODECS, aac, opus};
use crate::edits;
use crate::error::AudioError;
use crate::itunes;
use crate::limits::Limits;
use crate::sniff::{HEAD_LEN, describe, foreign_kind};
use crate::trim::{Ticks, Trim, Trimmer};

const READABLE: &str = "a recognised audio format (WAV, AIFF, FLAC, MP3, AAC, Ogg Vorbis or Opus, \
                        M4A/MP4, ALAC, CAF, Matroska or WebM)";

/// A demuxer, the decoder of one of its tracks, and what the headers say about that track.
pub(crate) struct Source {
    pub(crate) format: Box<dyn FormatReader>,
    pub(crate) decoder: Box<dyn AudioDecoder>,
    pub(crate) track_id: u32,
    pub(crate) declared: Declared,
    /// The file ends before its container does.
    pub(crate) is_cut: bool,
    /// What the ADTS header says, as an AudioSpecificConfig.
    pub(crate) adts: Option<Box<[u8]>>,
    trim: Option<Trim>,
    /// Samples that the Opus decoder itself drops from the start.
    pre_skip: u64,
}

/// What the headers say about the length of a track.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Declared {
    /// Length without encoder delay and padding, in seconds.
    pub(crate) duration_s: Option<f64>,
    /// The same in frames, unless it is only an estimate.
    pub(crate) frames: Option<u64>,
    /// The header leaves the length open: the end of the file is the end of the audio.
    pub(crate) is_open_ended: bool,
}

impl Source {
    /// Probes by content, never by name, and makes a decoder for the default (else first) audio track.
    ///
    /// MP4 and Matroska files that were cut off are tried a second time as streams: the demuxers refuse
    /// them if they can look for the end, though their start may hold a header and much audio.
    pub(crate) fn open(
        file: &str,
        open: &dyn Fn() -> io::Result<Box<dyn MediaSource>>,
        limits: &Limits,
    ) -> Result<Self, AudioError> {
        let open = || open().map_err(|source| io_error(file, source));
        let mut media = open()?;
        let edits = edits::read(&mut media);
        let adts = aac::config::of_adts(&mut media);
        let mut head = [0; 8];
        let rewound = media.rewind().and_then(|()| media.read_exact(&mut head));
        let is_streamable =
            rewound.is_ok() && (head[4..] == *b"ftyp" || head[..4] == EBML_MAGIC) && media.is_seekable();
        media.rewind().map_err(|source| io_error(file, source))?;
        match Self::probe(file, media, &edits, adts.as_deref(), limits) {
            Err(error @ (AudioError::Malformed { .. } | AudioError::Unsupported { .. })) if is_streamable => {
                let stream = Box::new(ReadOnlySource::new(open()?));
                // Of two errors, that of the whole file tells more.
                let mut source =
                    Self::probe(file, stream, &edits, adts.as_deref(), limits).map_err(|_| error)?;
                source.is_cut = true;
                Ok(source)
            }
            probed => probed,
        }
    }

    fn probe(
        file: &str,
        media: Box<dyn MediaSource>,
        edits: &[(u32, Trim)],
        adts: Option<&[u8]>,
        limits: &Limits,
    ) -> Result<Self, AudioError> {
        let byte_len = media.byte_len();
        let mut stream = MediaSourceStream::new(media, Default::default());
        stream.ensure_seekback_buffer(HEAD_LEN);
        let mut head = [0; HEAD_LEN];
        let read = ReadBytes::read_buf(&mut stream, &mut head).map_err(|source| io_error(file, source))?;
        stream.seek_buffered_rel(-(read as isize));
        if let Some(received) = foreign_kind(&head[..read]) {
            return Err(unsupported(file, READABLE, received));
        }
        let mut format = symphonia::default::get_probe()
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
        let (track_id, decoder) = Self::decoder_for(file, format.as_ref(), adts, limits)?;
        let trim = edits.iter().find(|(id, _)| *id == track_id).map(|(_, trim)| *trim);
        let trim = trim.or_else(|| itunes::trim(format.as_mut(), track_id));
        let (track, params) = choose_track(file, format.as_ref())?;
        let trim = trim.or_else(|| packet_table_trim(format.as_ref(), track, params));
        let pre_skip = opus::pre_skip(params);
        let declared =
            declare(format.as_ref(), track, params, decoder.codec_params(), byte_len, trim, pre_skip);
        Ok(Self {
            format,
            decoder,
            track_id,
            declared,
            is_cut: false,
            adts: adts.map(Box::from),
            trim,
            pre_skip,
        })
    }

    /// Whether packets are mere slices of the file.
    pub(crate) fn is_raw(&self) -> bool {
        matches!(self.format_name(), "wav" | "aiff" | "caf")
    }

    /// What to cut from the decoded stream, given the time stamp of its first packet.
    ///
    /// Ogg, MP3 and the lossless formats need nothing: symphonia trims them. In Matroska and CAF the
    /// encoder delay is what lies before time 0.
    pub(crate) fn trimmer(&self, first: Timestamp, sample_rate: u32) -> Trimmer {
        let before_zero = match (self.format_name(), self.time_base()) {
            ("mkv" | "caf", Some(base)) if first.is_negative() => Ticks {
                count: first.get().unsigned_abs().saturating_mul(u64::from(base.numer.get())),
                per_second: base.denom.get(),
            }
            .frames(sample_rate),
            _ => 0,
        };
        let edited = self.trim.map_or(0, |trim| trim.skip.frames(sample_rate));
        let keep = self.trim.and_then(|trim| trim.keep).map(|keep| keep.frames(sample_rate));
        Trimmer::new(before_zero.max(edited).saturating_sub(self.pre_skip), keep)
    }

    fn time_base(&self) -> Option<TimeBase> {
        self.format.tracks().iter().find(|track| track.id == self.track_id)?.time_base
    }

    /// Chooses a track and makes its decoder; again when a chained stream starts its next link.
    pub(crate) fn decoder_for(
        file: &str,
        format: &dyn FormatReader,
        adts: Option<&[u8]>,
        limits: &Limits,
    ) -> Result<(u32, Box<dyn AudioDecoder>), AudioError> {
        let (track, params) = choose_track(file, format)?;
        let mut params = params.clone();
        if let ("aac", Some(config)) = (format.format_info().short_name, adts) {
            params.with_extra_data(Box::from(config));
        }
        if params.sample_rate == Some(0) && params.extra_data.is_some() {
            // MP4 has 16 bits for the rate, and writers leave 0 for 88,200 and 96,000 Hz. The codec's own
            // header tells it.
            params.sample_rate = None;
        }
        check_params(file, &params, limits)?;
        let decoder = CODECS
            .make_audio_decoder(&params, &AudioDecoderOptions::default())
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

/// CAF's packet table tells how many frames are left without priming and remainder.
fn packet_table_trim(
    format: &dyn FormatReader,
    track: &Track,
    params: &AudioCodecParameters,
) -> Option<Trim> {
    let has_table = format.format_info().short_name == "caf" && track.padding.is_some();
    let (frames, rate) = (track.num_frames.filter(|n| *n > 0)?, params.sample_rate?);
    let ticks = |count| Ticks { count, per_second: rate };
    has_table.then(|| Trim { skip: ticks(0), keep: Some(ticks(frames)) })
}

fn declare(
    format: &dyn FormatReader,
    track: &Track,
    params: &AudioCodecParameters,
    codec_params: &AudioCodecParameters,
    byte_len: Option<u64>,
    trim: Option<Trim>,
    pre_skip: u64,
) -> Declared {
    let container_rate = params.sample_rate.filter(|rate| *rate > 0);
    let Some(rate) = container_rate.or(codec_params.sample_rate) else {
        return Declared::default();
    };
    if let Some(keep) = trim.and_then(|trim| trim.keep) {
        let frames = Some(keep.frames(rate));
        return Declared { duration_s: Some(keep.seconds()), frames, ..Default::default() };
    }
    let name = format.format_info().short_name;
    // MP3 without a LAME tag and ADTS only guess their length from the first bit rates.
    let is_estimate = match name {
        "aac" => true,
        "mp1" | "mp2" | "mp3" => track.delay.is_none(),
        _ => false,
    };
    let Some(frames) = track.num_frames else {
        let media = format.media_info();
        let ticks = track.time_base.zip(track.duration).or(media.time_base.zip(media.duration));
        let duration_s = ticks.map(|(base, duration)| {
            duration.get() as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get())
        });
        // symphonia already leaves out the length of a WAV file written to a pipe.
        let is_open_ended = matches!(name, "wave" | "aiff" | "caf");
        return Declared { duration_s, frames: None, is_open_ended };
    };
    // A writer that cannot seek back leaves nearly 2^32 bytes where the length should be. Frames of PCM
    // take at least a byte, so a length beyond the file and near that mark says nothing.
    let is_placeholder = frames.saturating_mul(bytes_per_pcm_frame(params)) >= 0xffff_0000
        && byte_len.is_some_and(|len| frames > len);
    if is_placeholder {
        return Declared { is_open_ended: true, ..Default::default() };
    }
    // Where symphonia counts Opus frames, pre-skip is among them.
    let frames = frames.saturating_sub(pre_skip);
    let duration_s = Some(frames as f64 / f64::from(rate));
    let frames = Some(frames).filter(|_| !is_estimate);
    Declared { duration_s, frames, ..Default::default() }
}

fn bytes_per_pcm_frame(params: &AudioCodecParameters) -> u64 {
    let bits = params.bits_per_coded_sample.or(params.bits_per_sample).unwrap_or(8);
    let channels = params.channels.as_ref().map_or(1, |c| c.count());
    u64::from(bits.div_ceil(8)).max(1) * channels.max(1) as u64
}

/// How Matroska and WebM start (RFC 8794 section 11.2.1).
const EBML_MAGIC: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];

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
        // An MP4 that was cut short, or is still being written, has no index.
        Error::Unsupported(what) if what.contains("missing moov") => malformed(
            file,
            "an MP4 file with its index (the moov atom)",
            "one without, as if it were cut short",
        ),
        Error::Unsupported(what) => unsupported(file, "a supported feature", what),
        Error::DecodeError(what) | Error::LimitError(what) => malformed(file, "well-formed audio", what),
        other => malformed(file, "well-formed audio", other.to_string()),
    }
}
