//! Naming what is not audio, from its first bytes.

use crate::error::AudioError;
use crate::formats::readable;
use crate::open_track::{no_decoder, unsupported};

/// How much of a file is looked at to name what is not audio.
pub(crate) const HEAD_LEN: usize = 512;

/// How files of NIST SPHERE begin.
const NIST_SPHERE: &[u8] = b"NIST_1A";

/// What is certainly no sound file that is decoded here, though the demuxers might find something in its
/// middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// No sound.
    Other(&'static str),
    /// Sound, in a codec that we do not decode.
    Codec(&'static str),
}

impl Foreign {
    /// Says so.
    pub(crate) fn refuse(self, file: &str) -> AudioError {
        match self {
            Self::Other(kind) => unsupported(file, readable(), kind),
            Self::Codec(codec) => no_decoder(file, codec),
        }
    }
}

/// Recognises files that are something else by their first bytes.
pub(crate) fn foreign_kind(head: &[u8]) -> Option<Foreign> {
    match by_magic(head) {
        // Text may begin like a sound file, and the markers that the demuxers look for may be anywhere in it,
        // as in this very file. The header of NIST SPHERE is text.
        None | Some(Foreign::Codec(_)) if is_text(head) && !head.starts_with(NIST_SPHERE) => {
            Some(Foreign::Other("text"))
        }
        found => found,
    }
}

fn by_magic(head: &[u8]) -> Option<Foreign> {
    use Foreign::{Codec, Other};
    const MAGIC: &[(&[u8], Foreign)] = &[
        (b"PK\x03\x04", Other("a zip archive")),
        (b"PK\x05\x06", Other("an empty zip archive")),
        (b"\x1f\x8b", Other("a gzip file")),
        (b"BZh", Other("a bzip2 file")),
        (b"\xfd7zXZ\0", Other("an xz file")),
        (b"7z\xbc\xaf\x27\x1c", Other("a 7z archive")),
        (b"Rar!\x1a\x07", Other("a rar archive")),
        (b"%PDF-", Other("a PDF document")),
        (b"\x89PNG\r\n\x1a\n", Other("a PNG image")),
        (b"\xff\xd8\xff", Other("a JPEG image")),
        (b"GIF8", Other("a GIF image")),
        (b"\x7fELF", Other("a program")),
        (b"MThd", Other("a MIDI score")),
        (b"wvpk", Codec("WavPack")),
        (b"MAC ", Codec("Monkey's Audio")),
        (b"MPCK", Codec("Musepack")),
        (b"MP+", Codec("Musepack")),
        (b"TTA1", Codec("True Audio")),
        (b"TTA2", Codec("True Audio")),
        (b"DSD ", Codec("DSD")),
        (b"FRM8", Codec("DSD")),
        (b"#!AMR-WB\n", Codec("AMR-WB")),
        (b"#!AMR\n", Codec("AMR-NB")),
        (b".RMF", Codec("RealMedia")),
        (b".ra\xfd", Codec("RealAudio")),
        (b"\x0b\x77", Codec("AC-3")),
        (b"\x7f\xfe\x80\x01", Codec("DTS")),
        (b"Creative Voice File\x1a", Codec("Creative Voice")),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Codec("Windows Media (ASF)")),
        (b"FLV\x01", Codec("Flash video")),
        (b"FWS", Codec("Flash")),
        (b"nut/multimedia container\0", Codec("NUT")),
        (b"\xb7\xd8\x00\x20\x37\x49\xda\x11", Codec("Windows TV recording")),
        (b"\x06\x0e\x2b\x34", Codec("MXF")),
        (b"\0\0\0\0\x01\xbc\0\0", Codec("GXF")),
        (b"\x72\xf8\x1f\x4e", Codec("S/PDIF bursts")),
        (b"\x64\xa3\x01\0", Codec("IRCAM")),
        (b"\x64\xa3\x02\0", Codec("IRCAM")),
        (b"\x64\xa3\x03\0", Codec("IRCAM")),
        (b"\x64\xa3\x04\0", Codec("IRCAM")),
        (b".SoX", Codec("SoX native")),
        (b"XoS.", Codec("SoX native")),
        (NIST_SPHERE, Codec("NIST SPHERE")),
        (b"PVF1\n", Codec("Portable Voice Format")),
        (b"ALawSoundFile**", Codec("Psion A-law")),
        (b"2BIT", Codec("Audio Visual Research")),
        (b" paf", Codec("Ensoniq PARIS")),
        (b"fap ", Codec("Ensoniq PARIS")),
        (b"STRM", Codec("AST")),
        (b"ASF\0", Codec("Argonaut ASF")),
        (b"ALP ", Codec("High Voltage ALP")),
        (b"MMMD", Codec("Yamaha SMAF")),
        (b"\xc0\xde\xc2", Codec("Codec 2")),
        (b"LM8953", Other("a sample of a Yamaha TX-16W")),
        (b"SOUND SAMPLE DATA", Other("a SampleVision sample")),
        (b"OFR ", Codec("OptimFROG")),
        (b"ajkg", Codec("Shorten")),
    ];
    if head.starts_with(b"RIFF") && head.len() >= 12 && &head[8..12] == b"AVI " {
        return Some(Codec("AVI"));
    }
    if head.starts_with(b"RIFF") && head.len() >= 12 && &head[8..12] != b"WAVE" {
        return Some(Other("a RIFF file that is not WAVE"));
    }
    if head.starts_with(b"FORM") && matches!(head.get(8..12), Some(b"8SVX" | b"16SV" | b"MAUD")) {
        return Some(Codec("Amiga IFF"));
    }
    if head.get(65..69) == Some(b"FSSD") && head.get(128..132) == Some(b"HCOM") {
        return Some(Codec("Macintosh HCOM"));
    }
    if head.get(20..24) == Some(b"vs12") {
        return Some(Codec("Ubisoft APM"));
    }
    // The last bytes of ADX's header, whose length is in it, are a mark.
    if let [0x80, 0, high, low, ..] = *head {
        let end = usize::from(high) << 8 | usize::from(low);
        if end >= 2 && head.get(end - 2..end + 4) == Some(b"(c)CRI") {
            return Some(Codec("CRI ADX"));
        }
    }
    // LOAS: 11 bits of sync word, and 13 for the length of what comes before the next.
    if let [0x56, b1 @ 0xe0..=0xff, b2, ..] = *head {
        let next = 3 + (usize::from(b1 & 0x1f) << 8 | usize::from(b2));
        if head.get(next).is_none_or(|byte| *byte == 0x56) {
            return Some(Codec("AAC in LATM"));
        }
    }
    // The sync words of TrueHD and MLP come behind four bytes.
    if head.get(4..8) == Some(b"\xf8\x72\x6f\xbb") {
        return Some(Codec("MLP"));
    }
    if head.get(4..8) == Some(b"\xf8\x72\x6f\xba") {
        return Some(Codec("TrueHD"));
    }
    // A transport stream has a byte every 188, or every 192 with a time before each.
    let is_packet = |at: &usize| head.get(*at) == Some(&0x47);
    if [0, 188, 376].iter().all(is_packet) || [4, 196, 388].iter().all(is_packet) {
        return Some(Codec("MPEG transport stream"));
    }
    if head.starts_with(b"\0\0\x01\xba") {
        return Some(Codec("MPEG program stream"));
    }
    MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| *kind)
}

fn is_text(head: &[u8]) -> bool {
    let is_printable = |b: &u8| !matches!(b, 0..=8 | 14..=31 | 127);
    // The last character may be cut off.
    let is_utf8 = std::str::from_utf8(head).map_or_else(|e| e.error_len().is_none(), |_| true);
    is_utf8 && head.iter().all(is_printable)
}

/// Names what the probe did not recognise.
pub(crate) fn describe(head: &[u8]) -> &'static str {
    if head.iter().all(|b| *b == 0) { "zero bytes only" } else { "bytes of no known audio format" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_sound() {
        assert_eq!(foreign_kind(b"OggS is how an Ogg page starts.\n"), Some(Foreign::Other("text")));
        // Cut in the middle of a character.
        assert_eq!(
            foreign_kind("caf\u{e9}".as_bytes().split_last().unwrap().1),
            Some(Foreign::Other("text"))
        );
        assert_eq!(foreign_kind(b"OggS\0\x02"), None);
        assert_eq!(foreign_kind(b"MAC addresses of the office\n"), Some(Foreign::Other("text")));
        assert_eq!(foreign_kind(b"MAC \x96\x0f\0\0"), Some(Foreign::Codec("Monkey's Audio")));
        assert_eq!(foreign_kind(b"NIST_1A\n   1024\n"), Some(Foreign::Codec("NIST SPHERE")));
        assert_eq!(foreign_kind(b"%PDF-1.7\n"), Some(Foreign::Other("a PDF document")));
        assert_eq!(foreign_kind(b"RIFF\x10\0\0\0AVI LIST"), Some(Foreign::Codec("AVI")));
        assert!(matches!(foreign_kind(b"RIFF\x10\0\0\0WEBPVP8 "), Some(Foreign::Other(_))));
        assert_eq!(foreign_kind(b"RIFF\x10\0\0\0WAVEfmt "), None);
        assert_eq!(describe(&[0; 9]), "zero bytes only");
    }
}
