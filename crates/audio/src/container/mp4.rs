//! What symphonia's demuxer does not read of MP4 and QuickTime files (ISO/IEC 14496-12; QuickTime File
//! Format): edit lists, which track is to be heard, byte order and layout of uncompressed samples, ALAC in
//! QuickTime.
//!
//! Uncompressed samples and ADPCM lie in chunks, whose places are in `stco`: they are read by this crate.
//! Whatever looks odd is left to the demuxer, which reports malformed files.

use std::io::{Read, Seek};

use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_ADPCM_IMA_QT, CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS, CODEC_ID_ALAC, CODEC_ID_MP2,
};

use super::aiff::{IMA4_BYTES, IMA4_FRAMES};
use super::bytes::Bytes;
use super::pcm::{Coding, Pcm};
use super::view::Part;
use super::{Found, TrackFacts, first_choice, four_cc_name};
use crate::trim::{Cut, Ticks};

/// Boxes looked at on one level before giving up.
const MAX_BOXES: usize = 4096;

/// Entries of an edit list that are read.
const MAX_EDITS: u32 = 1024;

/// Entries of the tables that say where chunks are: a day in chunks of a twentieth of a second.
const MAX_CHUNKS: usize = 2_000_000;

type Span = (u64, u64);
type Boxes = Vec<([u8; 4], Span)>;

/// Reads the tracks of a file that starts like one of these.
pub(super) fn read<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>) -> Option<Found> {
    let head: [u8; 8] = bytes.array(0)?;
    if !matches!(&head[4..], b"ftyp" | b"moov" | b"wide" | b"mdat" | b"free" | b"skip" | b"pnot") {
        return None;
    }
    let boxes = children(bytes, (0, bytes.len()));
    let tracks = read_movie(bytes, &boxes).unwrap_or_default();
    Some(Found::Tracks { format: "mp4", tracks, parts: None })
}

fn read_movie<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, file: &Boxes) -> Option<Vec<TrackFacts>> {
    let moov = find(file, b"moov")?;
    let boxes = children(bytes, moov);
    let (movie_scale, _) = timing(bytes, find(&boxes, b"mvhd")?)?;
    let is_fragmented = find(&boxes, b"mvex").is_some();
    let traks = boxes.iter().filter(|(kind, _)| kind == b"trak").map(|(_, trak)| *trak);
    let mut read = |trak: Span, chunks: Chunks| read_track(bytes, trak, movie_scale, chunks).zip(Some(trak));
    let (mut tracks, traks): (Vec<TrackFacts>, Vec<Span>) =
        traks.filter_map(|trak| read(trak, Chunks::Left)).unzip();
    // A track may have millions of chunks, and a file many tracks.
    if let Some(first) = first_choice(&tracks).filter(|_| !is_fragmented)
        && let Some((track, _)) = read(traks[first], Chunks::Read)
    {
        tracks[first] = track;
    }
    Some(tracks)
}

/// Whether it is read where the samples of a track are.
#[derive(Clone, Copy, PartialEq)]
enum Chunks {
    Read,
    Left,
}

fn read_track<M: Read + Seek + ?Sized>(
    bytes: &mut Bytes<'_, M>,
    trak: Span,
    movie_scale: u32,
    chunks: Chunks,
) -> Option<TrackFacts> {
    let boxes = children(bytes, trak);
    let tkhd = find(&boxes, b"tkhd")?;
    // Version and flags, creation and modification time (4 or 8 bytes each), track id.
    let [version, _, _, flags] = bytes.array(tkhd.0)?;
    let id = bytes.u32_be(tkhd.0 + if version == 1 { 20 } else { 12 })?;
    let mdia = children(bytes, find(&boxes, b"mdia")?);
    let hdlr = find(&mdia, b"hdlr")?;
    if &bytes.array::<4>(hdlr.0 + 8)? != b"soun" {
        return None;
    }
    let (scale, media_duration) = timing(bytes, find(&mdia, b"mdhd")?)?;
    let minf = children(bytes, find(&mdia, b"minf")?);
    let stbl = children(bytes, find(&minf, b"stbl")?);
    let edts = find(&boxes, b"edts").map(|edts| children(bytes, edts));
    let elst = edts.and_then(|edts| find(&edts, b"elst"));
    let cuts = elst.map(|elst| read_edits(bytes, elst, (movie_scale, scale), media_duration));
    let cuts_ignored = matches!(cuts, Some(None));
    let mut track = TrackFacts {
        id,
        is_preferred: flags & 1 == 1,
        cuts: cuts.flatten().unwrap_or_default(),
        cuts_ignored,
        ..TrackFacts::default()
    };
    if let Some(entry) = find(&stbl, b"stsd").and_then(|stsd| sample_entry(bytes, stsd)) {
        describe(bytes, &mut track, &entry, &stbl, chunks);
    }
    Some(track)
}

/// The parts of a track that are shown, in order; `None` where they are not what a stream can show: going
/// back, showing something twice, or something unreadable.
fn read_edits<M: Read + Seek + ?Sized>(
    bytes: &mut Bytes<'_, M>,
    elst: Span,
    (movie_scale, scale): (u32, u32),
    media_duration: u64,
) -> Option<Vec<Cut>> {
    let [version] = bytes.array(elst.0)?;
    let count = bytes.u32_be(elst.0 + 4)?;
    if count > MAX_EDITS {
        return None;
    }
    let mut cuts: Vec<Cut> = Vec::new();
    // Movie time without media.
    let mut silence = 0_u64;
    let mut shown_to = 0;
    for index in 0..u64::from(count) {
        let at = elst.0 + 8 + index * if version == 1 { 20 } else { 12 };
        let (duration, start) = if version == 1 {
            (bytes.u64_be(at)?, bytes.u64_be(at + 8)? as i64)
        } else {
            (u64::from(bytes.u32_be(at)?), i64::from(bytes.u32_be(at + 4)? as i32))
        };
        // A media time of -1 is an empty edit, which delays what follows.
        let Ok(start) = u64::try_from(start) else {
            silence = silence.saturating_add(duration);
            continue;
        };
        if start < shown_to {
            return None;
        }
        let shown = Ticks { count: duration, per_second: movie_scale };
        let rest = Ticks { count: media_duration.saturating_sub(start), per_second: scale };
        // The movie's clock is often as coarse as a millisecond; where it only rounds, take the track's.
        let is_rounded = (shown.seconds() - rest.seconds()).abs() <= 1.5 / f64::from(movie_scale);
        let keep = match duration {
            0 => None, // to the end, as fragmented files have it
            _ if is_rounded => Some(rest),
            _ => Some(shown),
        };
        shown_to = keep.map_or(u64::MAX, |keep| start.saturating_add(keep.frames(scale)));
        cuts.push(Cut {
            silence: Ticks { count: silence, per_second: movie_scale },
            start: Ticks { count: start, per_second: scale },
            keep,
        });
        silence = 0;
    }
    Some(cuts)
}

/// What `stsd` says of the samples.
struct Entry {
    kind: [u8; 4],
    version: u16,
    channels: u32,
    bits: u32,
    sample_rate: f64,
    /// Version 1: frames and bytes of a block of one channel, bytes of a block of all channels.
    packet: Option<(u32, u32, u32)>,
    /// Version 2: flags and bytes of a block.
    lpcm: Option<(u32, u32)>,
    /// The boxes inside, and those of the `wave` among them.
    boxes: Boxes,
}

fn sample_entry<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, stsd: Span) -> Option<Entry> {
    if bytes.u32_be(stsd.0 + 4)? != 1 {
        return None;
    }
    let (kind, (at, end)) = children(bytes, (stsd.0 + 8, stsd.1)).into_iter().next()?;
    let version = bytes.u16_be(at + 8)?;
    let mut entry = Entry {
        kind,
        version,
        channels: u32::from(bytes.u16_be(at + 16)?),
        bits: u32::from(bytes.u16_be(at + 18)?),
        sample_rate: f64::from(bytes.u32_be(at + 24)?) / 65_536.0,
        packet: None,
        lpcm: None,
        boxes: Vec::new(),
    };
    let inside = match version {
        0 => at + 28,
        1 => {
            entry.packet = Some((bytes.u32_be(at + 28)?, bytes.u32_be(at + 32)?, bytes.u32_be(at + 36)?));
            at + 44
        }
        2 => {
            entry.sample_rate = f64::from_be_bytes(bytes.array(at + 32)?);
            entry.channels = bytes.u32_be(at + 40)?;
            entry.bits = bytes.u32_be(at + 48)?;
            entry.lpcm = Some((bytes.u32_be(at + 52)?, bytes.u32_be(at + 56)?));
            at + 64
        }
        _ => return None,
    };
    entry.boxes = children(bytes, (inside, end));
    if let Some(wave) = find(&entry.boxes, b"wave") {
        entry.boxes.extend(children(bytes, wave));
    }
    Some(entry)
}

fn describe<M: Read + Seek + ?Sized>(
    bytes: &mut Bytes<'_, M>,
    track: &mut TrackFacts,
    entry: &Entry,
    stbl: &Boxes,
    wanted: Chunks,
) {
    track.codec = Some(four_cc_name(&entry.kind));
    if &entry.kind == b"mp4a" {
        match object_type(bytes, entry) {
            // Layers I to III, and symphonia takes each for layer III.
            Some(0x69 | 0x6b) if starts_as_mp2(bytes, stbl) => {
                track.codec = Some("MP2".to_owned());
                track.params = Some((CODEC_ID_MP2, Box::default()));
            }
            Some(object) => track.codec = object_name(object).map(str::to_owned).or(track.codec.take()),
            None => {}
        }
        return;
    }
    if &entry.kind == b"alac" {
        // In QuickTime, the decoder's settings are in a box of the same name inside `wave`, behind its
        // version.
        let config = entry.boxes.iter().rev().find(|(kind, _)| kind == b"alac").map(|(_, span)| *span);
        track.params = config.and_then(|(start, end)| {
            let config = bytes.vec(start + 4, end.saturating_sub(start + 4).min(64) as usize);
            (config.len() >= 24).then(|| (CODEC_ID_ALAC, config.into_boxed_slice()))
        });
        return;
    }
    let Some((coding, big_endian, bits, block_bytes, block_frames)) = layout(bytes, entry) else { return };
    if wanted == Chunks::Left {
        return;
    }
    let parts = chunks(bytes, stbl, block_bytes, block_frames);
    track.pcm = parts.map(|(parts, len)| {
        let pcm = Pcm {
            format: "mp4",
            coding,
            big_endian,
            sample_rate: entry.sample_rate as u32,
            channels: u16::try_from(entry.channels).unwrap_or(u16::MAX),
            bits,
            block_bytes,
            block_frames,
            start: 0,
            len,
            declared: Some(len),
            counted: None,
            frames: None,
        };
        (pcm, parts)
    });
}

/// The object type of an `esds` box (ISO/IEC 14496-1 section 7.2.6).
fn object_type<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, entry: &Entry) -> Option<u8> {
    let (start, end) = find(&entry.boxes, b"esds")?;
    let esds = bytes.vec(start + 4, end.saturating_sub(start + 4).min(64) as usize);
    // A descriptor is its tag, its length in one to four bytes, all but the last with the top bit, and
    // itself.
    let inside = |rest: &[u8], tag: u8| {
        let long = rest.get(1..)?.iter().take(3).take_while(|byte| **byte & 0x80 != 0).count();
        (rest.first() == Some(&tag)).then_some(long + 2)
    };
    let at = inside(&esds, 3)?;
    // Its id, and flags for what comes before the next descriptor.
    let flags = *esds.get(at + 2)?;
    let named = if flags & 0x40 != 0 { usize::from(*esds.get(at + 3)?) + 1 } else { 0 };
    let next = at + 3 + if flags & 0x80 != 0 { 2 } else { 0 } + named + if flags & 0x20 != 0 { 2 } else { 0 };
    let config = esds.get(next..)?;
    config.get(inside(config, 4)?).copied()
}

/// Object types other than AAC (the registration authority's list).
fn object_name(object: u8) -> Option<&'static str> {
    Some(match object {
        0x69 | 0x6b => "MP3",
        0xa5 => "AC-3",
        0xa6 => "E-AC-3",
        0xa9..=0xac => "DTS",
        0xad => "Opus",
        0xdd => "Vorbis",
        0xe1 => "QCELP",
        _ => return None,
    })
}

/// Whether the first chunk starts with the header of a frame of MPEG audio, layer II.
fn starts_as_mp2<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, stbl: &Boxes) -> bool {
    let offset = match (find(stbl, b"stco"), find(stbl, b"co64")) {
        (Some(stco), _) => bytes.u32_be(stco.0 + 8).map(u64::from),
        (None, Some(co64)) => bytes.u64_be(co64.0 + 8),
        (None, None) => None,
    };
    let head = offset.and_then(|offset| bytes.array::<2>(offset));
    head.is_some_and(|head| head[0] == 0xff && head[1] & 0xe6 == 0xe4)
}

/// Coding, byte order, bits, bytes and frames of a block.
type Layout = (Coding, bool, u16, u32, u32);

fn layout<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, entry: &Entry) -> Option<Layout> {
    let width = entry.channels.max(1);
    let enda = find(&entry.boxes, b"enda").and_then(|(at, _)| bytes.u16_be(at));
    // Without `enda`, big-endian.
    let big = enda != Some(1);
    let plain = |coding, big, bits: u32| {
        Some((coding, big, u16::try_from(bits).ok()?, bits.div_ceil(8).checked_mul(width)?, 1))
    };
    // Version 1 gives the bytes of a sample; QuickTime leaves 16 in the field for bits, whatever they are.
    let coded = entry
        .packet
        .map_or(entry.bits, |(_, bytes, _)| if bytes > 0 { bytes.saturating_mul(8) } else { entry.bits });
    match &entry.kind {
        b"twos" => plain(Coding::Int, true, coded),
        b"sowt" => plain(Coding::Int, false, coded),
        b"in24" => plain(Coding::Int, big, 24),
        b"in32" => plain(Coding::Int, big, 32),
        b"fl32" => plain(Coding::Float, big, 32),
        b"fl64" => plain(Coding::Float, big, 64),
        b"raw " | b"NONE" if coded <= 8 => plain(Coding::Unsigned8, true, 8),
        b"raw " | b"NONE" => plain(Coding::Int, true, coded),
        b"alaw" => plain(Coding::ALaw, true, 8),
        b"ulaw" => plain(Coding::MuLaw, true, 8),
        b"lpcm" => {
            let (flags, block) = entry.lpcm?;
            // kAudioFormatFlagIsFloat, IsBigEndian, IsSignedInteger.
            let coding = match (flags & 1 != 0, flags & 4 != 0, entry.bits) {
                (true, ..) => Coding::Float,
                (false, false, ..=8) => Coding::Unsigned8,
                _ => Coding::Int,
            };
            let needed = entry.bits.div_ceil(8).checked_mul(width)?;
            let block = if block >= needed && block % width == 0 { block } else { needed };
            Some((coding, flags & 2 != 0, u16::try_from(entry.bits).ok()?, block, 1))
        }
        b"ipcm" | b"fpcm" => {
            // ISO/IEC 23003-5: version and flags, format flags (1: little-endian), bits.
            let (at, _) = find(&entry.boxes, b"pcmC")?;
            let [flags, bits] = bytes.array(at + 4)?;
            let coding = if &entry.kind == b"fpcm" { Coding::Float } else { Coding::Int };
            plain(coding, flags & 1 == 0, bits.into())
        }
        b"ima4" => Some((
            Coding::Adpcm(CODEC_ID_ADPCM_IMA_QT),
            true,
            4,
            IMA4_BYTES.saturating_mul(width),
            IMA4_FRAMES,
        )),
        b"ms\0\x02" | b"ms\0\x11" if entry.version == 1 => {
            let (frames, _, block) = entry.packet?;
            let id = if entry.kind[3] == 2 { CODEC_ID_ADPCM_MS } else { CODEC_ID_ADPCM_IMA_WAV };
            (frames > 0 && block > 0).then_some((Coding::Adpcm(id), false, 4, block, frames))
        }
        _ => None,
    }
}

/// Where the chunks of a track are, and how many bytes they are together.
fn chunks<M: Read + Seek + ?Sized>(
    bytes: &mut Bytes<'_, M>,
    stbl: &Boxes,
    block_bytes: u32,
    block_frames: u32,
) -> Option<(Vec<Part>, u64)> {
    // A sample of the table lasts so many frames: one of PCM, or a block of ADPCM.
    let stts = find(stbl, b"stts")?;
    let frames = u64::from(bytes.u32_be(stts.0 + 12)?.max(1));
    let sample_bytes = (u64::from(block_bytes) * frames).max(1);
    let block_frames = u64::from(block_frames.max(1));
    let (offsets, wide) = match (find(stbl, b"stco"), find(stbl, b"co64")) {
        (Some(stco), _) => (stco, false),
        (None, co64) => (co64?, true),
    };
    let count = bytes.u32_be(offsets.0 + 4)? as usize;
    let entry = if wide { 8 } else { 4 };
    if count == 0 || count > MAX_CHUNKS || count as u64 * entry > offsets.1 - offsets.0 {
        return None;
    }
    let table = bytes.vec(offsets.0 + 8, count * entry as usize);
    let offset = |chunk: &[u8]| chunk.iter().fold(0_u64, |offset, byte| offset << 8 | u64::from(*byte));

    // First chunk, samples in each, description.
    let stsc = find(stbl, b"stsc")?;
    let runs = bytes.u32_be(stsc.0 + 4)? as usize;
    if runs == 0 || runs > MAX_CHUNKS || runs as u64 * 12 > stsc.1 - stsc.0 {
        return None;
    }
    let runs = bytes.vec(stsc.0 + 8, runs * 12);
    let field = |run: &[u8], number: usize| {
        let four = &run[number * 4..number * 4 + 4];
        u32::from_be_bytes([four[0], four[1], four[2], four[3]])
    };
    let mut runs = runs.chunks_exact(12).peekable();
    let mut samples = 0;
    let (mut parts, mut len): (Vec<Part>, u64) = (Vec::new(), 0);
    for (number, chunk) in (1_u32..).zip(table.chunks_exact(entry as usize)) {
        while let Some(run) = runs.next_if(|run| field(run, 0) <= number) {
            samples = field(run, 1);
        }
        let start = offset(chunk);
        let size = u64::from(samples).checked_mul(sample_bytes)? / block_frames;
        let end = start.checked_add(size)?;
        len = len.checked_add(size)?;
        match parts.last_mut() {
            Some(Part::File { end: last, .. }) if *last == start => *last = end,
            _ => parts.push(Part::File { start, end }),
        }
    }
    Some((parts, len))
}

/// Time scale and duration of an `mvhd` or `mdhd` box, which start alike.
fn timing<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, span: Span) -> Option<(u32, u64)> {
    let [version] = bytes.array(span.0)?;
    let (scale, duration) = if version == 1 {
        (bytes.u32_be(span.0 + 20)?, bytes.u64_be(span.0 + 24)?)
    } else {
        (bytes.u32_be(span.0 + 12)?, u64::from(bytes.u32_be(span.0 + 16)?))
    };
    (scale > 0).then_some((scale, duration))
}

fn find(boxes: &Boxes, name: &[u8; 4]) -> Option<Span> {
    boxes.iter().find(|(kind, _)| kind == name).map(|(_, span)| *span)
}

/// The boxes inside `span`: kind and where their content is.
fn children<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, span: Span) -> Boxes {
    let mut boxes = Vec::new();
    let mut at = span.0;
    while boxes.len() < MAX_BOXES && at.checked_add(8).is_some_and(|next| next <= span.1) {
        let Some([s0, s1, s2, s3, kind @ ..]) = bytes.array::<8>(at) else { break };
        let (content, size) = match u32::from_be_bytes([s0, s1, s2, s3]) {
            0 => (at + 8, span.1 - at),
            1 => match bytes.u64_be(at + 8) {
                Some(size) => (at + 16, size),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::io::Cursor;
    use std::path::Path;

    use super::*;

    #[test]
    fn chunks_are_read_only_of_the_track_that_is_heard() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/faults/pcm_alaw.mov");
        let mut file = std::fs::read(path).unwrap();
        // The same track three times, of which the last is enabled.
        let place = |file: &[u8], name: &[u8; 4]| file.windows(4).rposition(|four| four == name).unwrap();
        let len = |file: &[u8], at: usize| u32::from_be_bytes(file[at - 4..at].try_into().unwrap()) as usize;
        let (moov, trak) = (place(&file, b"moov"), place(&file, b"trak"));
        let (end, trak_end) = (moov - 4 + len(&file, moov), trak - 4 + len(&file, trak));
        assert_eq!(end, file.len());
        let track = file[trak - 4..trak_end].to_vec();
        let mut off = track.clone();
        let tkhd = place(&off, b"tkhd");
        off[tkhd + 7] &= !1;
        file.splice(trak - 4..trak_end, [off.clone(), off, track].concat());
        let grown = (len(&file, moov) + 2 * (trak_end + 4 - trak)) as u32;
        file[moov - 4..moov].copy_from_slice(&grown.to_be_bytes());
        let mut file = Cursor::new(file);
        let Some(Found::Tracks { tracks, .. }) = read(&mut Bytes::new(&mut file).unwrap()) else { panic!() };
        let with_chunks: Vec<bool> = tracks.iter().map(|track| track.pcm.is_some()).collect();
        assert_eq!(with_chunks, [false, false, true]);
    }
}
