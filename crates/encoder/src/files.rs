//! Where a model's files are: in a folder, or in the program itself.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::digest::digest_of;
use crate::manifest::FileEntry;
use crate::{EncoderError, bundled};

/// The place of a model's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelFiles {
    /// Compiled into this program, under the model's name.
    Bundled(&'static str),
    /// A folder on disk.
    Folder(PathBuf),
}

impl ModelFiles {
    /// Where the files are, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Bundled(_) => "bundled in this program".to_owned(),
            Self::Folder(dir) => dir.display().to_string(),
        }
    }

    /// Reads a file whole, unchecked.
    pub(crate) fn read(&self, model: &str, path: &str) -> Result<Cow<'static, [u8]>, EncoderError> {
        let error =
            |reason: String| EncoderError::File { model: model.to_owned(), path: path.to_owned(), reason };
        match self {
            Self::Bundled(name) => bundled::read(name, path)
                .map(Cow::Borrowed)
                .ok_or_else(|| error("it is not among the bundled files".to_owned())),
            Self::Folder(dir) => {
                std::fs::read(dir.join(path)).map(Cow::Owned).map_err(|e| error(e.to_string()))
            }
        }
    }

    /// Reads a file whole and holds it against the manifest's entry, as [`ModelFiles::verify`].
    pub(crate) fn read_verified(
        &self,
        model: &str,
        entry: &FileEntry,
    ) -> Result<Cow<'static, [u8]>, EncoderError> {
        let bytes = self.read(model, &entry.path)?;
        self.check(model, entry, &mut bytes.as_ref())?;
        Ok(bytes)
    }

    /// Checks a file's size and, for files on disk, its SHA-256 against the manifest's entry, without holding
    /// it in memory. Bundled bytes were checked when the program was built and tested; hashing them at each
    /// start would only cost time.
    pub(crate) fn verify(&self, model: &str, entry: &FileEntry) -> Result<(), EncoderError> {
        let Self::Folder(dir) = self else { return self.read_verified(model, entry).map(drop) };
        let error = |e: io::Error| EncoderError::File {
            model: model.to_owned(),
            path: entry.path.clone(),
            reason: e.to_string(),
        };
        let mut file = File::open(dir.join(&entry.path)).map_err(error)?;
        self.check(model, entry, &mut file)
    }

    fn check(&self, model: &str, entry: &FileEntry, bytes: &mut dyn Read) -> Result<(), EncoderError> {
        let (Some(expected_bytes), Some(expected_sha256)) = (entry.bytes, &entry.sha256) else {
            return Err(EncoderError::Unpinned { model: model.to_owned(), path: entry.path.clone() });
        };
        if matches!(self, Self::Bundled(_)) {
            return Ok(());
        }
        let mismatch = |expected: String, received: String| EncoderError::FileMismatch {
            model: model.to_owned(),
            path: entry.path.clone(),
            expected,
            received,
        };
        let (length, sha256) = digest_of(Sha256::new(), bytes).map_err(|e| EncoderError::File {
            model: model.to_owned(),
            path: entry.path.clone(),
            reason: e.to_string(),
        })?;
        if length != expected_bytes {
            return Err(mismatch(format!("{expected_bytes} bytes"), format!("{length} bytes")));
        }
        if !sha256.eq_ignore_ascii_case(expected_sha256) {
            return Err(mismatch(format!("sha256 {expected_sha256}"), format!("sha256 {sha256}")));
        }
        Ok(())
    }
}
