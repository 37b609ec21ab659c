//! Who may write an index: one process, which says who it is.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::open::unix_now_s;
use crate::store::patiently;
use crate::types::OpenOptions;

/// The file that is locked, in the index folder.
const LOCK: &str = "writer.lock";

/// The file that says who has the lock. Not the locked one, which some systems let nobody else read.
const HOLDER: &str = "writer";

/// Longest command that is kept, characters.
const COMMAND_CHARS: usize = 200;

/// The process that writes an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// How it was called.
    pub command: String,
    /// Since when it writes, seconds since 1970.
    pub since_unix_s: i64,
}

impl Holder {
    fn this_process() -> Self {
        let mut command: Vec<String> =
            std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
        if let Some(program) = command.first_mut() {
            *program = Path::new(program).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        }
        let command = command.join(" ").chars().filter(|c| !c.is_control()).take(COMMAND_CHARS).collect();
        Self { pid: std::process::id(), command, since_unix_s: unix_now_s() }
    }

    fn read(dir: &Path) -> Option<Self> {
        let text = fs::read_to_string(dir.join(HOLDER)).ok()?;
        let mut lines = text.lines();
        let (pid, since_unix_s) = (lines.next()?.parse().ok()?, lines.next()?.parse().ok()?);
        Some(Self { pid, since_unix_s, command: lines.next()?.to_owned() })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = unix_now_s().saturating_sub(self.since_unix_s).max(0);
        let (amount, unit) = match seconds {
            0..120 => (seconds, "s"),
            120..7200 => (seconds / 60, "min"),
            _ => (seconds / 3600, "h"),
        };
        write!(f, "`{}` (process {}, for {amount} {unit})", self.command, self.pid)
    }
}

/// Keeps all other writers out of an index until it is dropped. Readers need no lock.
#[derive(Debug)]
pub struct WriterLock {
    _file: File,
    holder: PathBuf,
}

impl WriterLock {
    /// Takes the lock of the index in `dir`, waiting for as long as the options say.
    ///
    /// # Errors
    /// [`Error::Locked`] with the process that has it; [`Error::ReadOnly`], [`Error::Io`].
    pub fn take(dir: &Path, opts: &OpenOptions) -> Result<Self> {
        let path = dir.join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|e| Error::io(dir, &path, e))?;
        patiently(opts, || match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                Err(Error::Locked { dir: dir.to_path_buf(), holder: Holder::read(dir).map(Box::new) })
            }
            // A file system without locks: sled's own lock, of the same kind, is all there would be.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        })?;
        let Holder { pid, command, since_unix_s } = Holder::this_process();
        let holder = dir.join(HOLDER);
        // For messages only: a disk too full for it is found out about soon enough.
        let _ = fs::write(&holder, format!("{pid}\n{since_unix_s}\n{command}\n"));
        Ok(Self { _file: file, holder })
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
        assert!(!dir.path().join(HOLDER).exists(), "the holder is not forgotten");
    }
}
