//! ID3 tags: version 2.2 to 2.4, which stand before the frames or in a chunk, and version 1 at the end.
//!
//! Frames that are compressed or encrypted are passed over, as are all that hold no text.

use std::io::{Cursor, Read, Seek};

use super::chunks::part;
use super::names;
use super::texts::{MAX_RAW, Texts, fixed, loose, utf16};
use crate::container::bytes::Bytes;

/// Bytes read of a tag that is unsynchronised as a whole: pictures cannot be sought over in it.
const MAX_UNSYNCHRONISED: usize = 1 << 20;

/// Adds the texts of the ID3v2 tag at `start`, which ends before `end`; gives where what follows it is.
pub(super) fn read_v2<M: Read + Seek>(
    bytes: &mut Bytes<'_, M>,
    start: u64,
    end: u64,
    texts: &mut Texts,
) -> Option<u64> {
    let [b'I', b'D', b'3', version @ 2..=4, _, flags, size @ ..] = bytes.array::<10>(start)? else {
        return None;
    };
    let size = u64::from(synchsafe(size)?);
    let first = start + 10;
    let has_footer = version == 4 && flags & 0x10 != 0;
    let after = first + size + if has_footer { 10 } else { 0 };
    // Version 2.2 has no extended header: the flag says that the tag is compressed.
    let (is_unsynchronised, is_extended) = (flags & 0x80 != 0, flags & 0x40 != 0);
    if version == 2 && is_extended {
        return Some(after);
    }
    let tag = Tag { version, is_extended };
    let end = end.min(first + size);
    if is_unsynchronised && version < 4 {
        let content = part(bytes, first, end, MAX_UNSYNCHRONISED);
        texts.count(&content);
        let content = synchronise(&content);
        let len = content.len() as u64;
        if let Ok(mut content) = Bytes::new(&mut Cursor::new(content)) {
            tag.read_frames(&mut content, 0, len, texts);
        }
    } else {
        tag.read_frames(bytes, first, end, texts);
    }
    Some(after)
}

#[derive(Clone, Copy)]
struct Tag {
    version: u8,
    is_extended: bool,
}

impl Tag {
    fn read_frames<M: Read + Seek>(self, bytes: &mut Bytes<'_, M>, start: u64, end: u64, texts: &mut Texts) {
        let mut at = start;
        if self.is_extended {
            let Some(size) = bytes.array::<4>(start) else { return };
            // Version 2.3 does not count these four bytes.
            at += match self.version {
                4 => synchsafe(size).unwrap_or(4).into(),
                _ => 4 + u64::from(u32::from_be_bytes(size)),
            };
        }
        while texts.step() {
            let Some(frame) = self.frame(bytes, at, end) else { return };
            frame.read(bytes, end, texts);
            at = frame.start + u64::from(frame.len);
        }
    }

    /// The frame at `at`; `None` where padding or something else is.
    fn frame<M: Read + Seek>(self, bytes: &mut Bytes<'_, M>, at: u64, end: u64) -> Option<Frame> {
        if at >= end {
            return None;
        }
        if self.version == 2 {
            let [a, b, c, size @ ..] = bytes.array::<6>(at)?;
            let [high, mid, low] = size;
            let len = u32::from_be_bytes([0, high, mid, low]);
            return is_id(&[a, b, c]).then_some(Frame {
                id: [a, b, c, 0],
                start: at + 6,
                len,
                skip: 0,
                unsync: false,
            });
        }
        let [a, b, c, d, s0, s1, s2, s3, _, format] = bytes.array::<10>(at)?;
        let id = [a, b, c, d];
        if !is_id(&id) {
            return None;
        }
        let (start, plain) = (at + 10, u32::from_be_bytes([s0, s1, s2, s3]));
        if self.version == 3 {
            let skip = if format & 0xc0 != 0 { u32::MAX } else { (format >> 5 & 1).into() };
            return Some(Frame { id, start, len: plain, skip, unsync: false });
        }
        // iTunes wrote sizes of version 2.3 into tags of 2.4.
        let len = match synchsafe([s0, s1, s2, s3]) {
            Some(len) if len == plain || !ends_well(bytes, start + u64::from(plain), end) => len,
            Some(len) if ends_well(bytes, start + u64::from(len), end) => len,
            _ => plain,
        };
        let skip = u32::from(format >> 6 & 1) + 4 * u32::from(format & 1);
        let skip = if format & 0x0c != 0 { u32::MAX } else { skip };
        Some(Frame { id, start, len, skip, unsync: format & 2 != 0 })
    }
}

/// Whether a frame may end at `at`: at another, at padding or at the end of the tag.
fn ends_well<M: Read + Seek>(bytes: &mut Bytes<'_, M>, at: u64, end: u64) -> bool {
    at == end || (at < end && bytes.array::<4>(at).is_some_and(|id| is_id(&id) || id == [0; 4]))
}

fn is_id(id: &[u8]) -> bool {
    id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

struct Frame {
    /// In version 2.2 the last byte is 0.
    id: [u8; 4],
    start: u64,
    len: u32,
    /// Bytes before the content; the largest number if the content cannot be read.
    skip: u32,
    unsync: bool,
}

impl Frame {
    fn read<M: Read + Seek>(&self, bytes: &mut Bytes<'_, M>, end: u64, texts: &mut Texts) {
        let id = self.id.split(|byte| *byte == 0).next().unwrap_or_default();
        let (is_comment, is_named) = (matches!(id, b"COMM" | b"COM"), matches!(id, b"TXXX" | b"TXX"));
        let name = names::id3_frame(id);
        if self.skip > self.len || !(is_comment || is_named || name.is_some()) {
            return;
        }
        let end = end.min(self.start + u64::from(self.len));
        let content = part(bytes, self.start + u64::from(self.skip), end, MAX_RAW);
        let content = if self.unsync { synchronise(&content) } else { content };
        let Some((encoding, text)) = content.split_first() else { return };
        if is_comment {
            // A language of three letters, and a description.
            let text = decode(*encoding, text.get(3..).unwrap_or_default());
            let (about, text) = text.split_once('\0').unwrap_or(("", &text));
            // iTunes keeps numbers in comments.
            if !about.starts_with("iTun") {
                texts.add("comment", text);
            }
        } else if is_named {
            let text = decode(*encoding, text);
            if let Some((field, text)) = text.split_once('\0') {
                texts.add_field(field, text);
            }
        } else if let Some(name) = name {
            let text = decode(*encoding, text);
            if name == "genre" { add_genres(&text, texts) } else { texts.add(name, &text) }
        }
    }
}

fn decode(encoding: u8, text: &[u8]) -> String {
    match encoding {
        1 => utf16(text, false),
        2 => utf16(text, true),
        // Latin-1 and UTF-8, which taggers confuse.
        _ => loose(text),
    }
}

/// Genres in words, by number, `17` or `(17)`, or both: `(17)Rock`.
fn add_genres(text: &str, texts: &mut Texts) {
    for mut value in text.split('\0') {
        while let Some((number, rest)) = value.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            let Some(genre) = number.parse().ok().and_then(genre) else { break };
            texts.add("genre", genre);
            value = rest;
        }
        texts.add("genre", value.trim().parse().ok().and_then(genre).unwrap_or(value));
    }
}

/// A number of which each byte holds seven bits.
fn synchsafe(bytes: [u8; 4]) -> Option<u32> {
    let is_safe = bytes.iter().all(|byte| *byte < 0x80);
    is_safe.then(|| bytes.iter().fold(0, |number, byte| number << 7 | u32::from(*byte)))
}

/// `bytes` without the zeros that were put behind each 0xff.
fn synchronise(bytes: &[u8]) -> Vec<u8> {
    let mut before = 0;
    let is_kept = |byte: &u8| std::mem::replace(&mut before, *byte) != 0xff || *byte != 0;
    bytes.iter().copied().filter(is_kept).collect()
}

/// Where the ID3v1 tag of a file is.
pub(super) fn find_v1<M: Read + Seek>(bytes: &mut Bytes<'_, M>) -> Option<u64> {
    let at = bytes.len().checked_sub(128)?;
    (bytes.array(at) == Some(*b"TAG")).then_some(at)
}

/// Adds the texts of the ID3v1 tag at `at`.
pub(super) fn read_v1<M: Read + Seek>(bytes: &mut Bytes<'_, M>, at: u64, texts: &mut Texts) {
    let Some(tag) = bytes.array::<128>(at) else { return };
    for (name, field) in [
        ("title", &tag[3..33]),
        ("artist", &tag[33..63]),
        ("album", &tag[63..93]),
        ("comment", &tag[97..127]),
    ] {
        texts.add(name, &fixed(field));
    }
    if let Some(genre) = genre(tag[127].into()) {
        texts.add("genre", genre);
    }
}

/// The genre of a number: those of ID3v1 and Winamp's. `Other` says nothing.
pub(super) fn genre(number: usize) -> Option<&'static str> {
    GENRES.get(number).copied().filter(|genre| *genre != "Other")
}

#[rustfmt::skip]
const GENRES: [&str; 126] = [
    "Blues", "Classic Rock", "Country", "Dance", "Disco", "Funk", "Grunge", "Hip-Hop", "Jazz", "Metal",
    "New Age", "Oldies", "Other", "Pop", "R&B", "Rap", "Reggae", "Rock", "Techno", "Industrial",
    "Alternative", "Ska", "Death Metal", "Pranks", "Soundtrack", "Euro-Techno", "Ambient", "Trip-Hop",
    "Vocal", "Jazz & Funk", "Fusion", "Trance", "Classical", "Instrumental", "Acid", "House", "Game",
    "Sound Clip", "Gospel", "Noise", "Alternative Rock", "Bass", "Soul", "Punk", "Space", "Meditative",
    "Instrumental Pop", "Instrumental Rock", "Ethnic", "Gothic", "Darkwave", "Techno-Industrial",
    "Electronic", "Pop-Folk", "Eurodance", "Dream", "Southern Rock", "Comedy", "Cult", "Gangsta", "Top 40",
    "Christian Rap", "Pop/Funk", "Jungle", "Native American", "Cabaret", "New Wave", "Psychedelic", "Rave",
    "Showtunes", "Trailer", "Lo-Fi", "Tribal", "Acid Punk", "Acid Jazz", "Polka", "Retro", "Musical",
    "Rock & Roll", "Hard Rock", "Folk", "Folk-Rock", "National Folk", "Swing", "Fast Fusion", "Bebop",
    "Latin", "Revival", "Celtic", "Bluegrass", "Avantgarde", "Gothic Rock", "Progressive Rock",
    "Psychedelic Rock", "Symphonic Rock", "Slow Rock", "Big Band", "Chorus", "Easy Listening", "Acoustic",
    "Humour", "Speech", "Chanson", "Opera", "Chamber Music", "Sonata", "Symphony", "Booty Bass", "Primus",
    "Porn Groove", "Satire", "Slow Jam", "Club", "Tango", "Samba", "Folklore", "Ballad", "Power Ballad",
    "Rhythmic Soul", "Freestyle", "Duet", "Punk Rock", "Drum Solo", "A Cappella", "Euro-House", "Dance Hall",
];
