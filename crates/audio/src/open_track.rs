//! From bytes to a demuxer and a decoder: the choice of a track, and what is declared of it.

use std::collections::VecDeque;
use std::io::{self, Read};

use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::{TimeBase, Timestamp};

use crate::container::pcm::{Gain, Pcm, PcmReader};
use crate::container::view::{Part, View};
use crate::container::{self, Found, Gap, Link, Stream, TrackFacts};
use crate::decoders::{CODECS, opus};
use crate::error::AudioError;
use crate::itunes;
use crate::limits::Limits;
use crate::meter::{MAX_BARREN_BYTES, Meter, Metered};
use crate::sniff::{HEAD_LEN, describe, foreign_kind};
use crate::trim::{Cut, Ticks};

/// Opens the file, from its start.
pub(crate) type Open<'a> = &'a dyn Fn() -> io::Result<Box<dyn MediaSource>>;

/// What says when a packet is to be heard.
#[derive(Debug)]
pub(crate) enum Clock {
    /// The samples before it, but for what is known to be lost.
    Count(VecDeque<Gap>),
    /// Its time stamp.
    Stamp {
        /// Time 0 is the start; else the first stamp is.
        is_absolute: bool,
        /// Why time stamps would leave something out.
        is_damage: bool,
    },
}

/// A demuxer, the decoder of one of its tracks, and what the headers say about that track.
pub(crate) struct OpenTrack {
    pub(crate) format: Box<dyn FormatReader>,
    pub(crate) decoder: Box<dyn AudioDecoder>,
    pub(crate) track_id: u32,
    /// The container's short name, e.g. "wav".
    pub(crate) format_name: &'static str,
    pub(crate) declared: Declared,
    /// Frames that the file has room for, where they all have the same size.
    pub(crate) room: Option<u64>,
    pub(crate) clock: Clock,
    pub(crate) gain: Gain,
    /// How the stream goes on behind each reset.
    pub(crate) links: VecDeque<Link>,
    /// The file ends before its container does.
    pub(crate) is_cut: bool,
    /// The codec of a track that players would play, and that cannot be decoded: another one is read.
    pub(crate) passed_over: Option<String>,
    /// The edit list is not carried out.
    pub(crate) edits_ignored: bool,
    /// Length by a header that counts fewer samples than are read, in seconds.
    pub(crate) header_s: Option<f64>,
    /// Counts what the demuxer reads.
    pub(crate) meter: Meter,
    facts: Vec<TrackFacts>,
    cuts: Vec<Cut>,
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

impl OpenTrack {
    /// Looks at the content, never at the name, and makes a decoder for the track that players would play.
    pub(crate) fn open(file: &str, open: Open<'_>, limits: &Limits) -> Result<Self, AudioError> {
        let media = || open().map_err(|source| io_error(file, source));
        let found = container::inspect(open).map_err(|source| io_error(file, source))?;
        let whole = Clock::Count(VecDeque::new());
        match found {
            Found::Pcm(pcm) => Self::pcm(file, media()?, media()?, pcm, limits),
            Found::Stream(stream) => {
                let Stream { parts, gaps, cut, length, facts } = *stream;
                let view = Box::new(View::stream(media()?, parts));
                let facts = facts.into_iter().collect();
                let mut source = Self::demux(file, view, facts, Clock::Count(gaps.into()), limits)?;
                source.declared = Declared {
                    duration_s: Some(length.seconds()),
                    frames: Some(length.count),
                    is_open_ended: false,
                };
                source.cuts = vec![cut];
                Ok(source)
            }
            Found::Tracks { format, tracks, parts } => {
                Self::tracks(file, open, format, tracks, parts, limits)
            }
            Found::Ogg { parts, links } => {
                let clock = Clock::Stamp { is_absolute: false, is_damage: parts.is_some() };
                let media = seen(media()?, parts);
                let source = Self::demux(file, media, Vec::new(), clock, limits)?;
                Ok(Self { links: links.into(), ..source })
            }
            Found::Demux { parts, format } => {
                let stamped = Clock::Stamp { is_absolute: false, is_damage: true };
                let clock = if format == "flac" { stamped } else { whole };
                Self::demux(file, seen(media()?, parts), Vec::new(), clock, limits)
            }
            Found::Unknown { codec } => Err(no_decoder(file, codec)),
            Found::Bad { expected, received } => Err(malformed(file, expected, received)),
            Found::Nothing => {
                let mut head = Vec::with_capacity(HEAD_LEN);
                let read = media()?.take(HEAD_LEN as u64).read_to_end(&mut head);
                read.map_err(|source| io_error(file, source))?;
                match foreign_kind(&head) {
                    Some(kind) => Err(kind.refuse(file)),
                    None => {
                        Self::demux(file, media()?, Vec::new(), whole, limits).map_err(|error| match error {
                            AudioError::Unsupported { .. } => {
                                unsupported(file, crate::formats::readable(), describe(&head))
                            }
                            error => error,
                        })
                    }
                }
            }
        }
    }

    /// Samples in a row. `media` is opened twice: to look at some, and to read all.
    fn pcm(
        file: &str,
        mut probed: Box<dyn MediaSource>,
        media: Box<dyn MediaSource>,
        pcm: Pcm,
        limits: &Limits,
    ) -> Result<Self, AudioError> {
        if let Some(codec) = pcm.undecoded() {
            return Err(no_decoder(file, codec));
        }
        let codec = pcm.codec().map_err(|bad| malformed(file, bad.expected, bad.received))?;
        check_rate(file, pcm.sample_rate, limits)?;
        check_channels(file, pcm.channels.into(), limits)?;
        let gain = pcm.gain(&mut *probed);
        let in_frames =
            |bytes: u64| (bytes / u64::from(pcm.block_bytes.max(1))).saturating_mul(pcm.block_frames.into());
        let header_s = pcm.counted.map(|bytes| in_frames(bytes) as f64 / f64::from(pcm.sample_rate));
        let room = in_frames(pcm.len);
        let (format_name, is_open_ended) = (pcm.format, pcm.declared.is_none());
        let reader = PcmReader::new(media, pcm, codec).map_err(|error| from_symphonia(file, error))?;
        let format: Box<dyn FormatReader> = Box::new(reader);
        let mut source = Self::with_decoder(file, format, Vec::new(), Clock::Count(VecDeque::new()), limits)?;
        source.format_name = format_name;
        source.gain = gain;
        source.room = Some(room);
        source.header_s = header_s;
        source.declared.is_open_ended = is_open_ended;
        Ok(source)
    }

    /// What ffmpeg decodes.
    pub(crate) fn by_ffmpeg(
        file: &str,
        format: Box<dyn FormatReader>,
        limits: &Limits,
    ) -> Result<Self, AudioError> {
        Self::with_decoder(file, format, Vec::new(), Clock::Count(VecDeque::new()), limits)
    }

    /// A file with tracks. MP4 and Matroska files that were cut off are tried a second time as streams: the
    /// demuxers refuse them if they can look for the end, though their start may hold a header and much
    /// audio.
    fn tracks(
        file: &str,
        open: Open<'_>,
        format: &'static str,
        tracks: Vec<TrackFacts>,
        parts: Option<Vec<Part>>,
        limits: &Limits,
    ) -> Result<Self, AudioError> {
        let media = || open().map_err(|source| io_error(file, source));
        if let Some(track) = container::first_choice(&tracks).map(|first| &tracks[first])
            && let Some((pcm, parts)) = &track.pcm
        {
            let seen = || Ok::<_, AudioError>(seen(media()?, Some(parts.clone())));
            let mut source = Self::pcm(file, seen()?, seen()?, pcm.clone(), limits)?;
            source.declared = with_cuts(source.declared, &track.cuts, pcm.sample_rate, 0);
            source.cuts = track.cuts.clone();
            source.edits_ignored = track.cuts_ignored;
            return Ok(source);
        }
        let clock = || Clock::Stamp { is_absolute: true, is_damage: parts.is_some() };
        let whole = || Ok::<_, AudioError>(seen(media()?, parts.clone()));
        let mut opened = Self::demux(file, whole()?, tracks.clone(), clock(), limits);
        if let Err(AudioError::Malformed { .. } | AudioError::Unsupported { .. }) = opened {
            let stream = Box::new(ReadOnlySource::new(whole()?));
            // Of two errors, that of the whole file tells more.
            if let Ok(mut source) = Self::demux(file, stream, tracks, clock(), limits) {
                source.is_cut = true;
                opened = Ok(source);
            }
        }
        opened.map(|source| Self { format_name: format, ..source })
    }

    fn demux(
        file: &str,
        media: Box<dyn MediaSource>,
        facts: Vec<TrackFacts>,
        clock: Clock,
        limits: &Limits,
    ) -> Result<Self, AudioError> {
        let meter = Meter::default();
        let media = Box::new(Metered::new(media, meter.clone()));
        let stream = MediaSourceStream::new(media, Default::default());
        let format = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|error| match error {
                Error::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    malformed(file, "a complete header", "a file that ends inside it")
                }
                error => from_symphonia(file, error),
            })?;
        let source = Self::with_decoder(file, format, facts, clock, limits)?;
        Ok(Self { meter, ..source })
    }

    fn with_decoder(
        file: &str,
        mut format: Box<dyn FormatReader>,
        facts: Vec<TrackFacts>,
        clock: Clock,
        limits: &Limits,
    ) -> Result<Self, AudioError> {
        let Chosen { track_id, decoder, passed_over } = choose(file, format.as_ref(), &facts, limits)?;
        let tagged = itunes::cut(format.as_mut(), track_id);
        let track = format.tracks().iter().find(|track| track.id == track_id);
        let params = track.and_then(|track| track.codec_params.as_ref()?.audio());
        let (Some(track), Some(params)) = (track, params) else {
            return Err(no_tracks(file, format.as_ref()));
        };
        let rate = params.sample_rate.filter(|rate| *rate > 0).or(decoder.codec_params().sample_rate);
        let rate = rate.unwrap_or(0);
        let known = facts.iter().find(|facts| facts.id == track_id);
        let edits_ignored = known.is_some_and(|facts| facts.cuts_ignored);
        let cuts = known.map(|facts| facts.cuts.clone());
        let cuts = cuts.filter(|cuts| !cuts.is_empty());
        let cuts = cuts.or_else(|| tagged.map(|cut| vec![cut]));
        let cuts = cuts.or_else(|| packet_table(format.as_ref(), track, params).map(|cut| vec![cut]));
        let cuts = cuts.unwrap_or_default();
        let pre_skip = opus::pre_skip(params);
        let declared = declare(format.as_ref(), track, rate, pre_skip);
        let declared = with_cuts(declared, &cuts, rate, pre_skip);
        let format_name = match format.format_info().short_name {
            "isomp4" => "mp4",
            "matroska" => "mkv",
            name => name,
        };
        Ok(Self {
            format,
            decoder,
            track_id,
            format_name,
            declared,
            room: None,
            clock,
            gain: Gain::ONE,
            links: VecDeque::new(),
            is_cut: false,
            passed_over,
            edits_ignored,
            header_s: None,
            meter: Meter::default(),
            facts,
            cuts,
            pre_skip,
        })
    }

    /// Which parts of the decoded stream are heard, given the time stamp of its first packet.
    ///
    /// Ogg and FLAC need nothing: symphonia trims them. In Matroska and CAF the encoder delay is what lies
    /// before time 0.
    pub(crate) fn cuts(&self, first: Timestamp, sample_rate: u32) -> Vec<Cut> {
        let before_zero = match (self.format_name, self.time_base()) {
            ("mkv" | "caf", Some(base)) if first.is_negative() => Ticks {
                count: first.get().unsigned_abs().saturating_mul(u64::from(base.numer.get())),
                per_second: base.denom.get(),
            }
            .frames(sample_rate),
            _ => 0,
        };
        let mut cuts = self.cuts.clone();
        if cuts.is_empty() {
            cuts.push(Cut::from_sample(0, sample_rate));
        }
        if let [first] = &mut cuts[..] {
            let start = first.start.frames(sample_rate).max(before_zero).saturating_sub(self.pre_skip);
            first.start = Ticks { count: start, per_second: sample_rate };
        }
        cuts
    }

    /// Seconds that a unit of the track's time stamps lasts.
    pub(crate) fn time_base(&self) -> Option<TimeBase> {
        self.format.tracks().iter().find(|track| track.id == self.track_id)?.time_base
    }

    /// Chooses a track and makes its decoder again, when a chained stream starts its next link.
    pub(crate) fn next_link(&mut self, file: &str, limits: &Limits) -> Result<Link, AudioError> {
        let chosen = choose(file, self.format.as_ref(), &self.facts, limits)?;
        (self.track_id, self.decoder) = (chosen.track_id, chosen.decoder);
        Ok(self.links.pop_front().unwrap_or(Link::New))
    }

    /// Makes the decoder again for the same track.
    pub(crate) fn renew_decoder(&mut self, file: &str, limits: &Limits) -> Result<(), AudioError> {
        self.decoder = choose(file, self.format.as_ref(), &self.facts, limits)?.decoder;
        Ok(())
    }
}

/// All of a file, or what is to be seen of it.
fn seen(media: Box<dyn MediaSource>, parts: Option<Vec<Part>>) -> Box<dyn MediaSource> {
    match parts {
        Some(parts) => Box::new(View::new(media, parts)),
        None => media,
    }
}

struct Chosen {
    track_id: u32,
    decoder: Box<dyn AudioDecoder>,
    passed_over: Option<String>,
}

/// Chooses the track that players would play, or the first that can be decoded.
fn choose(
    file: &str,
    format: &dyn FormatReader,
    facts: &[TrackFacts],
    limits: &Limits,
) -> Result<Chosen, AudioError> {
    let audio = |track: &Track| Some((track.id, track.codec_params.as_ref()?.audio()?.clone()));
    let of = |id: u32| facts.iter().find(|facts| facts.id == id);
    let mut tracks: Vec<(u32, AudioCodecParameters)> = format.tracks().iter().filter_map(audio).collect();
    let default = format.default_track(TrackType::Audio).map(|track| track.id);
    let is_preferred = |id: u32| of(id).map_or(default == Some(id), |facts| facts.is_preferred);
    // Stable: among equals, the file's order.
    tracks.sort_by_key(|(id, _)| !is_preferred(*id));
    // The demuxer passes over tracks of codecs that it does not know.
    let first = container::first_choice(facts).map(|first| &facts[first]);
    let unknown = first.filter(|first| tracks.iter().all(|(id, _)| *id != first.id));
    let mut refused: Option<(AudioError, String)> =
        unknown.and_then(|facts| facts.codec.clone()).map(|codec| (no_decoder(file, codec.clone()), codec));
    for (track_id, mut params) in tracks {
        let facts = of(track_id);
        if let Some((codec, extra)) = facts.and_then(|facts| facts.params.clone()) {
            params.for_codec(codec).with_extra_data(extra);
        }
        if params.sample_rate == Some(0) && params.extra_data.is_some() {
            // MP4 has 16 bits for the rate, and writers leave 0 for 88,200 and 96,000 Hz. The codec's own
            // header tells it.
            params.sample_rate = None;
        }
        match make_decoder(file, &params, facts, limits) {
            Ok(decoder) => {
                let passed_over = refused.map(|(_, codec)| codec);
                return Ok(Chosen { track_id, decoder, passed_over });
            }
            Err(error) => {
                let codec = codec_name(&params, facts);
                refused.get_or_insert((error, codec));
            }
        }
    }
    Err(refused.map_or_else(|| no_tracks(file, format), |(error, _)| error))
}

fn no_tracks(file: &str, format: &dyn FormatReader) -> AudioError {
    unsupported(file, "an audio track", format!("{} tracks, none of them audio", format.tracks().len()))
}

fn make_decoder(
    file: &str,
    params: &AudioCodecParameters,
    facts: Option<&TrackFacts>,
    limits: &Limits,
) -> Result<Box<dyn AudioDecoder>, AudioError> {
    check_params(file, params, limits)?;
    if CODECS.get_audio_decoder(params.codec).is_none() {
        return Err(no_decoder(file, codec_name(params, facts)));
    }
    let decoder =
        CODECS.make_audio_decoder(params, &AudioDecoderOptions::default()).map_err(|error| match error {
            // Our adapters name the codec; symphonia says what it lacks.
            Error::Unsupported(what) if !what.contains(": ") => no_decoder(file, what),
            Error::Unsupported(what) => no_decoder(file, format!("{} ({what})", codec_name(params, facts))),
            error => from_symphonia(file, error),
        })?;
    check_params(file, decoder.codec_params(), limits)?;
    Ok(decoder)
}

/// What people call the codec.
fn codec_name(params: &AudioCodecParameters, facts: Option<&TrackFacts>) -> String {
    let known = CODECS.get_audio_decoder(params.codec).map(|codec| codec.codec.info.long_name.to_owned());
    let named = facts.and_then(|facts| facts.codec.clone());
    named.or(known).unwrap_or_else(|| format!("codec {}", params.codec))
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
    let over = |bound: &'static str, limit: u32| AudioError::OverLimit {
        file: file.to_owned(),
        what: "sample rate",
        limit: format!("{bound} {limit} Hz"),
        received: format!("{rate} Hz"),
    };
    if rate < limits.min_sample_rate {
        return Err(over("at least", limits.min_sample_rate));
    }
    if rate > limits.max_sample_rate {
        return Err(over("at most", limits.max_sample_rate));
    }
    Ok(())
}

pub(crate) fn check_channels(file: &str, count: usize, limits: &Limits) -> Result<(), AudioError> {
    if count > usize::from(limits.max_channels) {
        return Err(AudioError::OverLimit {
            file: file.to_owned(),
            what: "channels",
            limit: format!("at most {}", limits.max_channels),
            received: count.to_string(),
        });
    }
    Ok(())
}

/// CAF's packet table tells how many frames are left without priming and remainder.
fn packet_table(format: &dyn FormatReader, track: &Track, params: &AudioCodecParameters) -> Option<Cut> {
    let has_table = format.format_info().short_name == "caf" && track.padding.is_some();
    let (frames, rate) = (track.num_frames.filter(|n| *n > 0)?, params.sample_rate?);
    let keep = Some(Ticks { count: frames, per_second: rate });
    has_table.then_some(Cut { keep, ..Cut::from_sample(0, rate) })
}

fn declare(format: &dyn FormatReader, track: &Track, rate: u32, pre_skip: u64) -> Declared {
    if rate == 0 {
        return Declared::default();
    }
    let Some(frames) = track.num_frames else {
        let media = format.media_info();
        let ticks = track.time_base.zip(track.duration).or(media.time_base.zip(media.duration));
        let duration_s = ticks.map(|(base, duration)| {
            duration.get() as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get())
        });
        return Declared { duration_s, ..Declared::default() };
    };
    // Where symphonia counts Opus frames, pre-skip is among them.
    let frames = frames.saturating_sub(pre_skip);
    Declared { duration_s: Some(frames as f64 / f64::from(rate)), frames: Some(frames), is_open_ended: false }
}

/// The length that is left when the cuts are made. `pre_skip` samples are not counted, and are before the
/// cuts.
fn with_cuts(declared: Declared, cuts: &[Cut], rate: u32, pre_skip: u64) -> Declared {
    let whole = declared.frames;
    let heard = |cut: &Cut| {
        let start = cut.start.frames(rate).saturating_sub(pre_skip);
        let rest = whole.map(|whole| whole.saturating_sub(start));
        let keep = cut.keep.map(|keep| keep.frames(rate));
        // An edit list may show more than there is.
        let keep = match (keep, rest) {
            (Some(keep), Some(rest)) => Some(keep.min(rest)),
            (keep, rest) => keep.or(rest),
        };
        Some(keep?.saturating_add(cut.silence.frames(rate)))
    };
    if cuts.is_empty() || rate == 0 {
        return declared;
    }
    let frames = cuts.iter().map(heard).try_fold(0, |sum: u64, heard| Some(sum.saturating_add(heard?)));
    let duration_s = frames.map(|frames| frames as f64 / f64::from(rate)).or(declared.duration_s);
    Declared { duration_s, frames, ..declared }
}

pub(crate) fn unsupported(
    file: &str,
    expected: impl Into<String>,
    received: impl Into<String>,
) -> AudioError {
    AudioError::Unsupported { file: file.to_owned(), expected: expected.into(), received: received.into() }
}

pub(crate) fn no_decoder(file: &str, codec: impl Into<String>) -> AudioError {
    AudioError::NoDecoder { file: file.to_owned(), codec: codec.into(), ffmpeg: String::new() }
}

pub(crate) fn malformed(file: &str, expected: impl Into<String>, received: impl Into<String>) -> AudioError {
    AudioError::Malformed { file: file.to_owned(), expected: expected.into(), received: received.into() }
}

pub(crate) fn io_error(file: &str, source: io::Error) -> AudioError {
    AudioError::Io { file: file.to_owned(), source }
}

/// Translates symphonia's error classes.
pub(crate) fn from_symphonia(file: &str, error: Error) -> AudioError {
    match error {
        Error::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            malformed(file, "a complete file", "a file that ends early")
        }
        // A place that no file has: a length in the file is wrong, and not the system.
        Error::IoError(e) if e.kind() == io::ErrorKind::InvalidInput => {
            malformed(file, "lengths that fit the file", "a length that points outside of it")
        }
        Error::IoError(e) if e.kind() == io::ErrorKind::FileTooLarge => AudioError::OverLimit {
            file: file.to_owned(),
            what: "bytes without sound",
            limit: format!("at most {} MiB in one place", MAX_BARREN_BYTES >> 20),
            received: "more".to_owned(),
        },
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
