//! Paths as the index keeps them: text, from which the exact bytes of a file's name come back.
//!
//! A path is bytes on Unix, and need not be UTF-8. Its stored form is the path itself, except that
//!
//! - a byte that is no part of valid UTF-8 becomes `\xNN`, its two lower-case hexadecimal digits;
//! - a backslash becomes `\x5c` where what follows it in the name would make it look like such an escape.
//!
//! So almost every path is stored as it is, every stored path is valid UTF-8, and two paths never have the
//! same stored form. An escape never stands for a `/` in a path that was stored, so the components of both
//! forms correspond. On other systems the stored form is the path itself.
//!
//! ```
//! # #[cfg(unix)] {
//! use std::ffi::OsStr;
//! use std::os::unix::ffi::OsStrExt;
//! use std::path::Path;
//!
//! use earmark_index::{file_path, stored_path};
//!
//! let latin1 = Path::new(OsStr::from_bytes(b"/sounds/caf\xe9.wav"));
//! assert_eq!(stored_path(latin1), r"/sounds/caf\xe9.wav");
//! assert_eq!(file_path(r"/sounds/caf\xe9.wav"), latin1);
//! # }
//! ```

use std::path::{Path, PathBuf};

/// The stored form of `path`.
#[must_use]
pub fn stored_path(path: &Path) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;

        escape(path.as_os_str().as_bytes())
    }
    #[cfg(not(unix))]
    path.to_string_lossy().into_owned()
}

/// The path whose stored form is `stored`. Text that is no stored form gives a path all the same: an escape
/// is read where there is one, and everything else is taken as it is.
#[must_use]
pub fn file_path(stored: &str) -> PathBuf {
    #[cfg(unix)]
    {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt;

        PathBuf::from(OsString::from_vec(unescape(stored.as_bytes())))
    }
    #[cfg(not(unix))]
    PathBuf::from(stored)
}

/// Bytes of an escape: `\xNN`.
#[cfg(any(unix, test))]
const ESCAPE_BYTES: usize = 4;

#[cfg(any(unix, test))]
fn escape(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find('\\') {
            let (before, from) = rest.split_at(at);
            text.push_str(before);
            text.push_str(if escaped_byte(from.as_bytes()).is_some() { r"\x5c" } else { r"\" });
            rest = &from[1..];
        }
        text.push_str(rest);
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, r"\x{byte:02x}");
        }
    }
    text
}

#[cfg(any(unix, test))]
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let (byte, length) = match escaped_byte(rest) {
            Some(byte) => (byte, ESCAPE_BYTES),
            None => (*first, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    bytes
}

/// The byte that the escape at the start of `text` stands for, if there is one.
#[cfg(any(unix, test))]
fn escaped_byte(text: &[u8]) -> Option<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let &[b'\\', b'x', high, low, ..] = text else { return None };
    let byte = digit(high)? << 4 | digit(low)?;
    // What `escape` never writes stays text, a NUL or a `/` above all.
    (byte >= 0x80 || byte == b'\\').then_some(byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_stored_as_they_are_unless_they_must_not_be() {
        for (bytes, stored) in [
            (&b"/a/b c.wav"[..], "/a/b c.wav"),
            ("/ä/%41\\n.wav".as_bytes(), "/ä/%41\\n.wav"),
            (b"caf\xe9.wav", r"caf\xe9.wav"),
            // Names that look like an escape, or become one half by half.
            (br"caf\xe9.wav", r"caf\x5cxe9.wav"),
            (br"caf\x5cxe9.wav", r"caf\x5cx5cxe9.wav"),
            (br"\\xff", r"\\x5cxff"),
            (b"\\\xff", r"\\xff"),
            (b"\\x4\xff", r"\x4\xff"),
            (b"\\x\xc3", r"\x\xc3"),
            // Not one of ours: upper case, and bytes that are never escaped.
            (br"\xE9 \x2f \x00 \x41", r"\xE9 \x2f \x00 \x41"),
            // Half a character at the end.
            (b"\xe2\x82", r"\xe2\x82"),
        ] {
            assert_eq!(escape(bytes), stored);
            assert_eq!(unescape(stored.as_bytes()), bytes, "{stored}");
        }
    }

    /// Bytes of which many are those of escapes.
    fn name() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(b'\\'), Just(b'x'), Just(b'5'), Just(b'c'), any::<u8>()];
        proptest::collection::vec(byte, 0..24)
    }

    proptest! {
        #[test]
        fn every_path_comes_back_and_no_two_are_stored_alike(a in name(), b in name()) {
            prop_assert_eq!(unescape(escape(&a).as_bytes()), a.clone());
            prop_assert_eq!(escape(&a) == escape(&b), a == b);
        }
    }
}
