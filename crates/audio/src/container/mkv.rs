//! Which track of a Matroska or WebM file is to be heard (RFC 9559). symphonia does not read the flags.
//! Damage is looked for in `clusters`.

use std::io::{Read, Seek};

use super::bytes::Bytes;
use super::clusters::{self, CLUSTER};
use super::{Found, TrackFacts, riff};

/// How Matroska and WebM start (RFC 8794 section 11.2.1).
pub(super) const EBML_MAGIC: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];

/// Elements looked at on one level before giving up.
const MAX_ELEMENTS: usize = 4096;

const SEGMENT: u32 = 0x1853_8067;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK_ENTRY: u32 = 0xae;
const TRACK_NUMBER: u32 = 0xd7;
const TRACK_TYPE: u32 = 0x83;
const FLAG_ENABLED: u32 = 0xb9;
const FLAG_DEFAULT: u32 = 0x88;
const CODEC_ID: u32 = 0x86;
const CODEC_PRIVATE: u32 = 0x63a2;

/// `TrackType` of audio.
const AUDIO: u64 = 2;

/// Id of an element, and where its content is.
type Element = (u32, (u64, u64));

/// Reads the tracks of a file that starts like one of these.
pub(super) fn read<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>) -> Option<Found> {
    if bytes.array::<4>(0)? != EBML_MAGIC {
        return None;
    }
    let file = (0, bytes.len());
    let segment = children(bytes, file, SEGMENT).into_iter().find(|(id, _)| *id == SEGMENT);
    let tracks = segment
        .and_then(|(_, segment)| children(bytes, segment, TRACKS).into_iter().find(|(id, _)| *id == TRACKS));
    let mut entries = tracks.map_or_else(Vec::new, |(_, tracks)| children(bytes, tracks, 0));
    entries.retain(|(id, _)| *id == TRACK_ENTRY);
    let numbers: Vec<u64> = entries.iter().filter_map(|(_, entry)| number(bytes, *entry)).collect();
    let parts = segment
        .zip(tracks)
        .and_then(|((_, segment), (_, tracks))| clusters::mend(bytes, tracks.1, segment.1, &numbers));
    let tracks = entries.into_iter().filter_map(|(_, entry)| track(bytes, entry)).collect();
    Some(Found::Tracks { format: "mkv", tracks, parts })
}

/// The number by which blocks name a track.
fn number<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, entry: (u64, u64)) -> Option<u64> {
    let fields = children(bytes, entry, 0);
    let (_, span) = fields.iter().find(|(id, _)| *id == TRACK_NUMBER)?;
    uint(bytes, *span)
}

fn track<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, entry: (u64, u64)) -> Option<TrackFacts> {
    let fields = children(bytes, entry, 0);
    let find = |wanted: u32| fields.iter().find(|(id, _)| *id == wanted).map(|(_, span)| *span);
    let mut number =
        |wanted: u32, default: Option<u64>| find(wanted).map_or(default, |span| uint(bytes, span));
    // Defaults as in the schema: both flags are set where they are absent.
    let id = number(TRACK_NUMBER, None)?;
    let kind = number(TRACK_TYPE, None)?;
    let is_default = number(FLAG_DEFAULT, Some(1))? != 0;
    let is_enabled = number(FLAG_ENABLED, Some(1))? != 0;
    let codec = find(CODEC_ID).map(|(start, end)| bytes.vec(start, (end - start).min(64) as usize));
    let codec = codec.and_then(|name| String::from_utf8(name).ok());
    let codec = codec.map(|name| name.trim_end_matches('\0').to_owned());
    // The header of a WAV file, which starts with the codec's number.
    let private = find(CODEC_PRIVATE).filter(|_| codec.as_deref() == Some("A_MS/ACM"));
    let tag = private.and_then(|(start, _)| bytes.array::<2>(start)).map(u16::from_le_bytes);
    (kind == AUDIO).then(|| TrackFacts {
        id: u32::try_from(id).unwrap_or(u32::MAX),
        is_preferred: is_default && is_enabled,
        codec: tag.map(riff::codec_name).or(codec.map(|id| codec_name(&id))),
        ..TrackFacts::default()
    })
}

/// What people call a codec (the Matroska codec registry).
fn codec_name(id: &str) -> String {
    let name = match id {
        "A_AC3" | "A_AC3/BSID9" | "A_AC3/BSID10" => "AC-3",
        "A_EAC3" => "E-AC-3",
        "A_TRUEHD" => "TrueHD",
        "A_MLP" => "MLP",
        "A_DTS" | "A_DTS/EXPRESS" | "A_DTS/LOSSLESS" => "DTS",
        "A_WAVPACK4" => "WavPack",
        "A_TTA1" => "TTA",
        "A_MS/ACM" => "a Windows codec (A_MS/ACM)",
        "A_REAL/COOK" | "A_REAL/28_8" | "A_REAL/14_4" | "A_REAL/SIPR" | "A_REAL/ATRC" => "RealAudio",
        "A_PCM/INT/LIT" | "A_PCM/INT/BIG" | "A_PCM/FLOAT/IEEE" => "PCM in this form",
        "A_ATRAC/AT1" => "ATRAC",
        other => return other.to_owned(),
    };
    name.to_owned()
}

/// The elements inside `span`, up to the one that is looked for (0: all) or to the first cluster.
fn children<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, span: (u64, u64), until: u32) -> Vec<Element> {
    let mut elements = Vec::new();
    let mut at = span.0;
    while elements.len() < MAX_ELEMENTS && at < span.1 {
        let head = bytes.vec(at, 12);
        let Some((id, id_len)) = vint(&head, 4, true) else { break };
        let Some((size, size_len)) = vint(&head[id_len..], 8, false) else { break };
        let start = at + (id_len + size_len) as u64;
        // All ones stand for a length that was not known; as does one beyond the end of a file that was cut.
        let unknown = size == (1 << (7 * size_len)) - 1;
        let end = if unknown { span.1 } else { start.saturating_add(size).min(span.1) };
        let id = id as u32;
        elements.push((id, (start, end)));
        if id == until || id == CLUSTER {
            break;
        }
        at = end;
    }
    elements
}

/// A variable-length integer of at most `longest` bytes (RFC 8794 section 4), and how many bytes it takes.
pub(super) fn vint(bytes: &[u8], longest: usize, with_marker: bool) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let len = first.leading_zeros() as usize + 1;
    if len > longest {
        return None;
    }
    let start = if with_marker { u64::from(first) } else { u64::from(first) & ((1 << (8 - len)) - 1) };
    let value = bytes.get(1..len)?.iter().fold(start, |value, byte| value << 8 | u64::from(*byte));
    Some((value, len))
}

fn uint<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, (start, end): (u64, u64)) -> Option<u64> {
    let len = usize::try_from(end - start).ok().filter(|len| *len <= 8)?;
    let value = bytes.vec(start, len);
    (value.len() == len).then(|| value.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}
