//! Checksums of files.

use std::fs::File;
use std::io;
use std::path::Path;

use earmark_encoder::digest_of;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// What a file must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sum {
    /// SHA-256 of the content, lower-case hexadecimal.
    Sha256(String),
    /// The name that git gives the content: SHA-1 of `blob LENGTH\0` and the content, lower-case hexadecimal. The hub
    /// names files by it that are not in its large-file storage.
    GitBlob(String),
}

impl Sum {
    /// The sum that an entity tag of the hub is: 64 or 40 hexadecimal digits.
    pub(crate) fn of_etag(etag: &str) -> Option<Self> {
        let hex = etag.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match etag.len() {
            64 if hex => Some(Self::Sha256(etag.to_owned())),
            40 if hex => Some(Self::GitBlob(etag.to_owned())),
            _ => None,
        }
    }

    /// The sum of this kind that the file at `path` has.
    pub(crate) fn measure(&self, path: &Path) -> io::Result<Self> {
        Ok(match self {
            Self::Sha256(_) => Self::Sha256(sha256_of_file(path)?),
            Self::GitBlob(_) => Self::GitBlob(git_blob_of_file(path)?),
        })
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sha256(hex) => write!(f, "sha256 {hex}"),
            Self::GitBlob(hex) => write!(f, "git blob {hex}"),
        }
    }
}

/// SHA-256 of a file, lower-case hexadecimal. Reads it in pieces: models are large.
///
/// # Errors
/// When the file cannot be read.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    Ok(digest_of(Sha256::new(), &mut File::open(path)?)?.1)
}

fn git_blob_of_file(path: &Path) -> io::Result<String> {
    let header = format!("blob {}\0", path.metadata()?.len());
    Ok(digest_of(Sha1::new_with_prefix(header), &mut File::open(path)?)?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_sha256sum_and_git() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hello");
        std::fs::write(&path, "hello\n").unwrap();
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"; // sha256sum
        let git = "ce013625030ba8dba906f756967f9e9ca394464a"; // git hash-object
        for sum in [Sum::Sha256(sha256.to_owned()), Sum::GitBlob(git.to_owned())] {
            assert_eq!(sum.measure(&path).unwrap(), sum);
        }
    }

    #[test]
    fn only_an_etag_that_is_a_checksum_is_taken_for_one() {
        assert!(matches!(Sum::of_etag(&"a".repeat(64)), Some(Sum::Sha256(_))));
        assert!(matches!(Sum::of_etag(&"0".repeat(40)), Some(Sum::GitBlob(_))));
        for etag in ["", "../../etc/passwd", &"g".repeat(64), &"A".repeat(40), &"a".repeat(41)] {
            assert_eq!(Sum::of_etag(etag), None, "{etag}");
        }
    }
}
