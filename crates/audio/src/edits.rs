//! The edit list of an MP4 file: where in a track the presentation starts, and how long it is.
//!
//! symphonia reads edit lists but does not apply them, and AAC in MP4 starts with a whole packet or two
//! of encoder delay that only the edit list marks. This module walks the few boxes it needs (ISO/IEC
//! 14496-12: `moov`, `mvhd`, `trak`, `tkhd`, `mdia`, `mdhd`, `edts`, `elst`). Whatever looks odd is
//! taken as "no edits": the demuxer reports malformed files, not this.

use std::io::{Read, Seek, SeekFrom};

use crate::trim::{Ticks, Trim};

/// Boxes looked at on one level before giving up.
const MAX_BOXES: usize = 4096;

/// Entries of an edit list that are read.
const MAX_EDITS: u32 = 16;

/// What the edit lists say about each track: `(track id, trim)`.
///
/// Leaves the stream's position anywhere.
pub(crate) fn read(media: &mut (impl Read + Seek)) -> Vec<(u32, Trim)> {
    read_movie(media).unwrap_or_default()
}

type Span = (u64, u64);

fn read_movie(media: &mut (impl Read + Seek)) -> Option<Vec<(u32, Trim)>> {
    let end = media.seek(SeekFrom::End(0)).ok()?;
    let head: [u8; 8] = bytes(media, 0)?;
    if !matches!(&head[4..], b"ftyp" | b"moov" | b"wide" | b"mdat" | b"free" | b"skip") {
        return None;
    }
    let moov = children(media, (0, end)).into_iter().find(|(kind, _)| kind == b"moov")?.1;
    let boxes = children(media, moov);
    let mvhd = boxes.iter().find(|(kind, _)| kind == b"mvhd")?.1;
    let (movie_scale, _) = timing(media, mvhd)?;
    let mut edits = Vec::new();
    for (_, trak) in boxes.iter().filter(|(kind, _)| kind == b"trak") {
        edits.extend(read_track(media, *trak, movie_scale));
    }
    Some(edits)
}

fn read_track(media: &mut (impl Read + Seek), trak: Span, movie_scale: u32) -> Option<(u32, Trim)> {
    let find = |boxes: &[([u8; 4], Span)], name: &[u8; 4]| {
        boxes.iter().find(|(kind, _)| kind == name).map(|(_, span)| *span)
    };
    let boxes = children(media, trak);
    let tkhd = find(&boxes, b"tkhd")?;
    // version and flags, creation and modification time (4 or 8 bytes each), track id
    let [version] = bytes(media, tkhd.0)?;
    let id = u32::from_be_bytes(bytes(media, tkhd.0 + if version == 1 { 20 } else { 12 })?);
    let mdia = children(media, find(&boxes, b"mdia")?);
    let (scale, media_duration) = timing(media, find(&mdia, b"mdhd")?)?;
    let edts = children(media, find(&boxes, b"edts")?);
    let elst = find(&edts, b"elst")?;

    let [version, _, _, _, c0, c1, c2, c3] = bytes(media, elst.0)?;
    let count = u32::from_be_bytes([c0, c1, c2, c3]);
    if count > MAX_EDITS {
        return None;
    }
    // Only edits that show media count; an empty edit (media time -1) merely delays the track.
    let mut shown = Vec::new();
    for index in 0..u64::from(count) {
        let at = elst.0 + 8 + index * if version == 1 { 20 } else { 12 };
        let (duration, start) = if version == 1 {
            (u64::from_be_bytes(bytes(media, at)?), i64::from_be_bytes(bytes(media, at + 8)?))
        } else {
            let start = i32::from_be_bytes(bytes(media, at + 4)?);
            (u64::from(u32::from_be_bytes(bytes(media, at)?)), i64::from(start))
        };
        if let Ok(start) = u64::try_from(start) {
            shown.push((duration, start));
        }
    }
    let [(duration, start)] = shown[..] else { return None };
    let shown = Ticks { count: duration, per_second: movie_scale };
    let rest = Ticks { count: media_duration.saturating_sub(start), per_second: scale };
    // The movie's clock is often as coarse as a millisecond; where it only rounds, take the track's.
    let is_rounded = (shown.seconds() - rest.seconds()).abs() <= 1.5 / f64::from(movie_scale);
    let keep = match duration {
        0 => None, // to the end, as fragmented files have it
        _ if is_rounded => Some(rest),
        _ => Some(shown),
    };
    Some((id, Trim { skip: Ticks { count: start, per_second: scale }, keep }))
}

/// Time scale and duration of an `mvhd` or `mdhd` box, which start alike.
fn timing(media: &mut (impl Read + Seek), span: Span) -> Option<(u32, u64)> {
    let [version] = bytes(media, span.0)?;
    let (scale, duration) = if version == 1 {
        let duration = u64::from_be_bytes(bytes(media, span.0 + 24)?);
        (u32::from_be_bytes(bytes(media, span.0 + 20)?), duration)
    } else {
        let duration = u32::from_be_bytes(bytes(media, span.0 + 16)?);
        (u32::from_be_bytes(bytes(media, span.0 + 12)?), u64::from(duration))
    };
    (scale > 0).then_some((scale, duration))
}

/// The boxes inside `span`: kind and where their content is.
fn children(media: &mut (impl Read + Seek), span: Span) -> Vec<([u8; 4], Span)> {
    let mut boxes = Vec::new();
    let mut at = span.0;
    while boxes.len() < MAX_BOXES && at.checked_add(8).is_some_and(|next| next <= span.1) {
        let Some([s0, s1, s2, s3, kind @ ..]) = bytes::<8>(media, at) else { break };
        let (content, size) = match u32::from_be_bytes([s0, s1, s2, s3]) {
            0 => (at + 8, span.1 - at),
            1 => match bytes(media, at + 8) {
                Some(size) => (at + 16, u64::from_be_bytes(size)),
                None => break,
            },
            size => (at + 8, u64::from(size)),
        };
        let Some(end) = at.checked_add(size).filter(|end| content <= *end && *end <= span.1) else {
            break;
        };
        boxes.push((kind, (content, end)));
        at = end;
    }
    boxes
}

fn bytes<const N: usize>(media: &mut (impl Read + Seek), at: u64) -> Option<[u8; N]> {
    let mut buf = [0; N];
    media.seek(SeekFrom::Start(at)).ok()?;
    media.read_exact(&mut buf).ok()?;
    Some(buf)
}
