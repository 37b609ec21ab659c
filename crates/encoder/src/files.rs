//! Where a model's files are: in a folder, or in the program itself.

use std::borrow::Cow;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::manifest::{FileEntry, hex};
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

    /// Reads a file whole and checks its size and, for files on disk, its SHA-256 against the manifest's entry. Bundled
    /// bytes were checked when the program was built and tested; hashing them at each start would only cost time.
    pub(crate) fn read_verified(
        &self,
        model: &str,
        entry: &FileEntry,
    ) -> Result<Cow<'static, [u8]>, EncoderError> {
        let bytes = self.read(model, &entry.path)?;
        let mismatch = |expected: String, received: String| EncoderError::FileMismatch {
            model: model.to_owned(),
            path: entry.path.clone(),
            expected,
            received,
        };
        let (Some(expected_bytes), Some(expected_sha256)) = (entry.bytes, &entry.sha256) else {
            return Err(EncoderError::Unpinned { model: model.to_owned(), path: entry.path.clone() });
        };
        if bytes.len() as u64 != expected_bytes {
            return Err(mismatch(format!("{expected_bytes} bytes"), format!("{} bytes", bytes.len())));
        }
        if matches!(self, Self::Folder(_)) {
            let sha256 = hex(&Sha256::digest(&bytes));
            if !sha256.eq_ignore_ascii_case(expected_sha256) {
                return Err(mismatch(format!("sha256 {expected_sha256}"), format!("sha256 {sha256}")));
            }
        }
        Ok(bytes)
    }
}
