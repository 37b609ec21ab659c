//! Checksums.

use std::io::{self, Read};

use sha2::Digest;

/// Length, and checksum in lower-case hexadecimal, of all that is left to read. Reads in pieces: models are
/// large.
///
/// # Errors
/// Errors from reading.
pub fn digest_of<D: Digest>(mut digest: D, bytes: &mut dyn Read) -> io::Result<(u64, String)> {
    let (mut piece, mut length) = (vec![0_u8; 256 << 10], 0);
    loop {
        match bytes.read(&mut piece)? {
            0 => return Ok((length, hex(&digest.finalize()))),
            n => {
                digest.update(&piece[..n]);
                length += n as u64;
            }
        }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}
