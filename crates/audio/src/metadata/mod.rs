//! What a sound file says about itself, in words.
//!
//! [`embedded_texts`] reads tags and headers, never samples. One module each:
//!
//! - `chunks`: WAV and its relatives, AIFF and CAF; `ixml`: the XML that recorders and libraries put there
//! - `id3`, `ape`: tags before and behind a stream of frames
//! - `vorbis`: the comments of FLAC and Ogg files
//! - `mp4`: the item list of MP4 and QuickTime files
//! - `names`: which fields of these formats have which of our names
//! - `texts`: the texts found so far, cleaned and counted
//! - `ucs`: the Universal Category System
//!
//! Tags are hostile input. A bounded number of items is looked at, a bounded part of each is read, the rest
//! is sought over, and nothing recurses into what a file nests. What is damaged is passed over; what stands
//! before it counts.
//!
//! Why not the crate lofty: 1000 nested chapters in an ID3v2 tag, a file of 30 kB, overflow its stack. That
//! ends the process and cannot be contained. Its limit on allocations does not hold for compressed frames: a
//! file of 0.5 MB takes 1.1 GB.

mod ape;
mod chunks;
mod id3;
mod ixml;
mod mp4;
mod names;
#[cfg(test)]
mod tests;
mod texts;
mod ucs;
mod vorbis;

use std::io::{Read, Seek};

use self::texts::Texts;
pub use self::ucs::ucs_category;
use crate::container::bytes::Bytes;

/// ID3v2 tags read at the start of a file. More than one is a bug of a tagger.
const MAX_LEADING_TAGS: usize = 4;

/// A text that a sound file carries about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedText {
    /// What it is, one of:
    ///
    /// | name | what it holds |
    /// | --- | --- |
    /// | `title` | the name of the sound, track or effect |
    /// | `description` | what is heard |
    /// | `keywords` | words to find it by |
    /// | `category`, `subcategory` | its place in a list of categories |
    /// | `artist` | who made it: artist, designer, recordist, composer, the originator of a recording |
    /// | `album` | what it belongs to: album, library, project, show, publisher |
    /// | `genre`, `mood` | as in music libraries |
    /// | `location` | where it was recorded |
    /// | `scene` | scene of a film |
    /// | `comment`, `note` | anything else |
    pub name: &'static str,
    /// What it says: not blank, without control characters, spaces single.
    pub text: String,
}

/// The texts in a file's tags, at most 64, of 4 KiB each and 16 KiB together.
///
/// Nothing is decoded. A file without tags has none, and a damaged one those that can be read. Knows ID3,
/// APE, Vorbis comments, MP4 items, RIFF `INFO`, `bext`, iXML (with the fields of ASWG, UCS and Steinberg),
/// and the text chunks of AIFF and CAF.
///
/// ```
/// use std::io::Cursor;
///
/// let wav = b"RIFF\x1c\0\0\0WAVELIST\x10\0\0\0INFOINAM\x04\0\0\0door";
/// let texts = earmark_audio::embedded_texts(Cursor::new(wav));
/// assert_eq!((texts[0].name, texts[0].text.as_str()), ("title", "door"));
/// ```
pub fn embedded_texts<R: Read + Seek>(mut reader: R) -> Vec<EmbeddedText> {
    let mut texts = Texts::default();
    if let Ok(mut bytes) = Bytes::new(&mut reader) {
        read(&mut bytes, &mut texts);
    }
    texts.into_vec()
}

fn read<M: Read + Seek>(bytes: &mut Bytes<'_, M>, texts: &mut Texts) {
    let (mut start, end) = (0, bytes.len());
    for _ in 0..MAX_LEADING_TAGS {
        let Some(tag_end) = id3::read_v2(bytes, start, end, texts) else { break };
        start = tag_end;
    }
    let mut head = [0; 12];
    bytes.read(start, &mut head);
    match &head {
        [b'R', b'I', b'F', b'F' | b'X', .., b'W', b'A', b'V', b'E']
        | [b'R', b'F', b'6', b'4', .., b'W', b'A', b'V', b'E']
        | [b'B', b'W', b'6', b'4', .., b'W', b'A', b'V', b'E']
        | [b'F', b'O', b'R', b'M', .., b'A', b'I', b'F', b'F' | b'C']
        | [b'c', b'a', b'f', b'f', ..]
        | [b'r', b'i', b'f', b'f', 0x2e, 0x91, ..] => chunks::read(bytes, start, texts),
        [b'f', b'L', b'a', b'C', ..] => vorbis::read_flac(bytes, start, texts),
        [b'O', b'g', b'g', b'S', ..] => vorbis::read_ogg(bytes, start, texts),
        [_, _, _, _, kind @ .., _, _, _, _] if mp4::is_first_atom(kind) => mp4::read(bytes, start, texts),
        // MPEG frames, ADTS, and the formats that have APE tags. Behind an ID3v2 tag, anything.
        [0xff, 0xe0..=0xff, ..]
        | [b'M', b'A', b'C', b' ', ..]
        | [b'M', b'P', b'+' | b'C', ..]
        | [b'w', b'v', b'p', b'k', ..]
        | [b'T', b'T', b'A', b'1' | b'2', ..]
        | [b'O', b'F', b'R', b' ', ..] => read_end(bytes, texts),
        _ if start > 0 => read_end(bytes, texts),
        _ => {}
    }
}

/// The tags that stand behind frames.
fn read_end<M: Read + Seek>(bytes: &mut Bytes<'_, M>, texts: &mut Texts) {
    let v1 = id3::find_v1(bytes);
    ape::read(bytes, v1.unwrap_or(bytes.len()), texts);
    if let Some(at) = v1 {
        id3::read_v1(bytes, at, texts);
    }
}
