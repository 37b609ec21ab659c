//! Files that are locked by whoever is at work.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// A file that says, by being locked, that a process is at work; free again when it is closed.
#[derive(Debug)]
pub(crate) struct LockFile(File);

impl LockFile {
    /// Opens the file at `path`, of the index in `dir`, or makes it.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Io`].
    pub(crate) fn open(dir: &Path, path: &Path) -> Result<Self> {
        let file = File::options().create(true).truncate(false).write(true).open(path);
        Ok(Self(file.map_err(|e| Error::io(dir, path, e))?))
    }

    /// Opens the file at `path` to share its lock with others.
    pub(crate) fn open_shared(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    /// Locks it; false while another process has it locked.
    pub(crate) fn try_lock(&self) -> bool {
        is_free(&self.0.try_lock())
    }

    /// Locks it beside others who do so; false while another process has it locked for itself.
    pub(crate) fn try_lock_shared(&self) -> bool {
        is_free(&self.0.try_lock_shared())
    }
}

/// On a file system without locks, care is all there is.
fn is_free(attempt: &std::result::Result<(), TryLockError>) -> bool {
    !matches!(attempt, Err(TryLockError::WouldBlock))
}
