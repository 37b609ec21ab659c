//! Naming what is not audio, from its first bytes.

/// How much of a file is looked at to name what is not audio.
pub(crate) const HEAD_LEN: usize = 512;

/// Kinds of file that are certainly not audio, though the demuxers might find something in their middle.
pub(crate) fn foreign_kind(head: &[u8]) -> Option<&'static str> {
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
    let magic = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| *kind);
    // The markers the demuxers look for may be anywhere in a text, as in this very file.
    magic.or(is_text(head).then_some("text"))
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
        assert_eq!(foreign_kind(b"OggS is how an Ogg page starts.\n"), Some("text"));
        // Cut in the middle of a character.
        assert_eq!(foreign_kind("caf\u{e9}".as_bytes().split_last().unwrap().1), Some("text"));
        assert_eq!(foreign_kind(b"OggS\0\x02"), None);
        assert_eq!(foreign_kind(b"RIFF\x10\0\0\0AVI LIST"), Some("a RIFF file that is not WAVE"));
        assert_eq!(foreign_kind(b"RIFF\x10\0\0\0WAVEfmt "), None);
        assert_eq!(describe(&[0; 9]), "zero bytes only");
    }
}
