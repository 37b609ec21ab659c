//! What a file is, from its first bytes and its headers, before a demuxer sees it.
//!
//! symphonia's demuxers are strict where recorders and editors are not, and leave out what decides about byte
//! order, time and length. So each kind of container is looked at here first, one module each:
//!
//! - `riff`, `aiff`, `au`, `caf`: headers of uncompressed samples, which `pcm` then reads
//! - `mp4`, `mkv`: facts about tracks that the demuxer does not give
//! - `clusters`: what the demuxer is to see of a damaged Matroska file
//! - `ogg`, `flac`: which parts of the file the demuxer is to see
//! - `mpeg`, `adts`: streams of frames without a container, walked by `frames`
//! - `view`: a file with stretches left out or put in
//! - `bytes`: reading at places
//!
//! A file that none of them knows goes to the demuxer as it is.

mod adts;
mod aiff;
mod au;
pub(crate) mod bytes;
mod caf;
mod clusters;
mod flac;
mod frames;
mod mkv;
mod mp4;
mod mpeg;
mod ogg;
pub(crate) mod pcm;
mod riff;
pub(crate) mod view;

use std::io::{self, Read, Seek};

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::io::MediaSource;

use self::bytes::Bytes;
pub(crate) use self::frames::Gap;
pub(crate) use self::ogg::Link;
use self::pcm::Pcm;
pub(crate) use self::riff::SUBTYPE as WAV_SUBTYPE;
use self::view::{Part, View};
use crate::sniff::{HEAD_LEN, foreign_kind};
use crate::trim::{Cut, Ticks};

/// What was found out about a file.
#[derive(Debug)]
pub(crate) enum Found {
    /// Samples in a row.
    Pcm(Pcm),
    /// Frames without a container.
    Stream(Box<Stream>),
    /// Tracks; `parts` where the demuxer is to see others than the file has, because some are damaged.
    Tracks { format: &'static str, tracks: Vec<TrackFacts>, parts: Option<Vec<Part>> },
    /// Pages; `parts` where the demuxer is to see others than the file has.
    Ogg { parts: Option<Vec<Part>>, links: Vec<Link> },
    /// Something that the demuxer reads; `parts` where it is to see only some of the file.
    Demux { parts: Option<Vec<Part>>, format: &'static str },
    /// Sound in a codec that is not decoded here.
    Unknown { codec: String },
    /// The kind of file is known, and it is broken.
    Bad { expected: String, received: String },
    /// None of the above: the demuxers may know it.
    Nothing,
}

/// What was found out about a WAV file.
#[derive(Debug)]
enum FoundWav {
    /// All there is.
    Whole(Found),
    /// A file of another kind inside of it.
    Inner { kind: Inner, start: u64, end: u64 },
}

/// Kinds of files inside of WAV files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inner {
    Mpeg,
    Adts,
    Ogg,
}

/// Frames without a container.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) parts: Vec<Part>,
    /// What was lost between them.
    pub(crate) gaps: Vec<Gap>,
    pub(crate) cut: Cut,
    /// After that.
    pub(crate) length: Ticks,
    /// What the frames' headers say about the codec.
    pub(crate) facts: Option<TrackFacts>,
}

/// What is known of a track.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrackFacts {
    /// Its number in the file.
    pub(crate) id: u32,
    /// Players play it if nobody chooses another.
    pub(crate) is_preferred: bool,
    /// Its codec's name.
    pub(crate) codec: Option<String>,
    /// The parts of it that are shown; empty for all.
    pub(crate) cuts: Vec<Cut>,
    /// They are out of order, or more than are read: `cuts` is empty.
    pub(crate) cuts_ignored: bool,
    /// Codec and decoder settings that the demuxer does not find.
    pub(crate) params: Option<(AudioCodecId, Box<[u8]>)>,
    /// Uncompressed samples, and where they are. Only of the track that is the first choice.
    pub(crate) pcm: Option<(Pcm, Vec<Part>)>,
}

/// Which of the tracks is heard if it can be decoded.
pub(crate) fn first_choice(tracks: &[TrackFacts]) -> Option<usize> {
    tracks.iter().position(|track| track.is_preferred).or((!tracks.is_empty()).then_some(0))
}

/// Looks at a file, which `open` opens.
///
/// # Errors
/// If the file cannot be opened or its length is unknown.
pub(crate) fn inspect(open: &dyn Fn() -> io::Result<Box<dyn MediaSource>>) -> io::Result<Found> {
    let mut media = open()?;
    let mut bytes = Bytes::new(&mut *media)?;
    let (kind, start, end) = match riff::read(&mut bytes) {
        None => return Ok(inspect_bytes(&mut bytes)),
        Some(FoundWav::Whole(found)) => return Ok(found),
        Some(FoundWav::Inner { kind, start, end }) => (kind, start, end),
    };
    let mut inside = View::new(open()?, vec![Part::File { start, end }]);
    let mut bytes = Bytes::new(&mut inside)?;
    let found = match kind {
        Inner::Mpeg => mpeg::read(&mut bytes),
        Inner::Adts => adts::read(&mut bytes),
        Inner::Ogg => ogg::read(&mut bytes),
    };
    let bad =
        || Found::Bad { expected: "frames of sound in the WAV file".to_owned(), received: "none".to_owned() };
    Ok(found.map_or_else(bad, |found| found.shifted(start, end)))
}

/// Looks at a file that is no WAV file.
fn inspect_bytes<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>) -> Found {
    let known = aiff::read(bytes)
        .or_else(|| au::read(bytes))
        .or_else(|| caf::read(bytes))
        .or_else(|| mp4::read(bytes))
        .or_else(|| mkv::read(bytes))
        .or_else(|| ogg::read(bytes))
        .or_else(|| flac::read(bytes));
    if let Some(found) = known {
        return found;
    }
    // These have no magic number: what is certainly something else must not be searched for frames.
    let head = bytes.vec(0, HEAD_LEN);
    if foreign_kind(&head).is_some() {
        return Found::Nothing;
    }
    mpeg::read(bytes).or_else(|| adts::read(bytes)).unwrap_or(Found::Nothing)
}

impl Found {
    /// The same for a file that starts `start` bytes into another.
    fn shifted(self, start: u64, end: u64) -> Self {
        let shift = |parts: Vec<Part>| {
            let shifted = |part| match part {
                Part::File { start: from, end } => Part::File { start: from + start, end: end + start },
                own @ Part::Own(_) => own,
            };
            parts.into_iter().map(shifted).collect()
        };
        match self {
            Self::Stream(stream) => Self::Stream(Box::new(Stream { parts: shift(stream.parts), ..*stream })),
            Self::Ogg { parts, links } => {
                Self::Ogg { parts: Some(parts.map_or_else(|| vec![Part::File { start, end }], shift)), links }
            }
            other => other,
        }
    }
}

/// What people call the codec of a QuickTime, MP4, AIFF-C or CAF file.
fn four_cc_name(code: &[u8; 4]) -> String {
    let name = match code {
        b"mp4a" => "AAC",
        b".mp2" => "MP2",
        b".mp3" => "MP3",
        b"ac-3" | b"sac3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"ac-4" => "AC-4",
        b"dtsc" | b"dtsh" | b"dtsl" | b"dtse" => "DTS",
        b"mlpa" => "TrueHD",
        b"samr" => "AMR-NB",
        b"sawb" => "AMR-WB",
        b"QDM2" | b"QDMC" => "QDesign Music",
        b"Qclp" => "QCELP",
        b"agsm" | b"GSM " => "GSM 6.10",
        b"MAC3" => "MACE 3:1",
        b"MAC6" => "MACE 6:1",
        b"G722" => "G.722",
        b"ilbc" => "iLBC",
        b"mha1" | b"mhm1" => "MPEG-H",
        b"alac" => "ALAC",
        [b'm', b's', high, low] => return riff::codec_name(u16::from_be_bytes([*high, *low])),
        other => {
            let printable = other.iter().map(|byte| match byte {
                b' '..=b'~' => char::from(*byte),
                _ => '?',
            });
            return format!("`{}`", printable.collect::<String>());
        }
    };
    name.to_owned()
}
