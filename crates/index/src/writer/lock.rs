//! Who may write an index: one process, which says who it is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::holder::Holder;
use crate::lock_file::LockFile;
use crate::store::patiently;
use crate::types::OpenOptions;

/// The file that is locked, in the index folder.
const LOCK: &str = "writer.lock";

/// Keeps all other writers out of an index until it is dropped. Readers need no lock.
#[derive(Debug)]
pub struct WriterLock {
    _file: LockFile,
    holder: PathBuf,
}

impl WriterLock {
    /// Takes the lock of the index in `dir`, waiting for as long as the options say.
    ///
    /// # Errors
    /// [`Error::Locked`] with the process that has it; [`Error::ReadOnly`], [`Error::Io`].
    pub fn take(dir: &Path, opts: &OpenOptions) -> Result<Self> {
        let file = LockFile::open(dir, &dir.join(LOCK))?;
        patiently(opts, || match file.try_lock() {
            true => Ok(()),
            false => Err(Error::Locked { dir: dir.to_path_buf(), holder: Holder::read(dir).map(Box::new) }),
        })?;
        Holder::note(dir);
        Ok(Self { _file: file, holder: Holder::path(dir) })
    }

    /// Gives the lock back and removes its file, where there will be no index any more.
    pub(crate) fn remove(self) {
        let _ = fs::remove_file(self.holder.with_file_name(LOCK));
    }

    /// Says no longer who has the lock.
    pub(crate) fn forget_holder(&self) {
        let _ = fs::remove_file(&self.holder);
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // While the file is still locked, so that it is not another writer's.
        self.forget_holder();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_writer_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let opts = OpenOptions { lock_wait: Duration::ZERO, ..OpenOptions::default() };
        let first = WriterLock::take(dir.path(), &opts).unwrap();
        let Err(Error::Locked { holder: Some(holder), .. }) = WriterLock::take(dir.path(), &opts) else {
            panic!("there is no lock, or nobody's")
        };
        assert_eq!(holder.pid, std::process::id());
        assert!(holder.to_string().contains(&format!("process {}, for ", holder.pid)), "{holder}");
        drop(first);
        WriterLock::take(dir.path(), &opts).unwrap();
        assert!(!Holder::path(dir.path()).exists(), "the holder is not forgotten");
    }
}
