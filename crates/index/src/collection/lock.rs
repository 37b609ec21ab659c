//! Who may change which spaces there are. Whoever opens one holds them where they are for that moment;
//! whoever makes, switches, moves or drops one is alone for that moment. Nobody keeps either lock while
//! working.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{Collection, spaces_dir};
use crate::error::{Error, Result};
use crate::lock_file::LockFile;
use crate::store::patiently;
use crate::types::OpenOptions;

/// The file's name in the collection's folder.
const LOCK: &str = "lock";

/// How long to wait for the lock, which nobody holds for longer than it takes to open an index.
const WAIT: Duration = Duration::from_secs(30);

/// Keeps the spaces of a collection where they are, and the current one current, until it is dropped.
#[derive(Debug)]
pub struct Hold {
    _file: Option<LockFile>,
}

impl Collection {
    /// Keeps the spaces where they are: to be held from finding one until it is open.
    ///
    /// # Errors
    /// [`Error::Locked`] where another process changes them for long.
    pub fn hold(&self) -> Result<Hold> {
        // Without the file, or the right to read it, nobody has changed anything here that could.
        let Ok(file) = LockFile::open_shared(&self.dir.join(LOCK)) else { return Ok(Hold { _file: None }) };
        wait(&self.dir, || file.try_lock_shared())?;
        Ok(Hold { _file: Some(file) })
    }
}

/// Keeps all others out who change spaces or open one. Makes the folder of spaces if it is not there.
pub(super) fn alone(dir: &Path) -> Result<LockFile> {
    let spaces = spaces_dir(dir);
    fs::create_dir_all(&spaces).map_err(|e| Error::io(dir, &spaces, e))?;
    let file = LockFile::open(dir, &dir.join(LOCK))?;
    wait(dir, || file.try_lock())?;
    Ok(file)
}

fn wait(dir: &Path, mut attempt: impl FnMut() -> bool) -> Result<()> {
    patiently(&OpenOptions { lock_wait: WAIT, ..OpenOptions::default() }, || match attempt() {
        true => Ok(()),
        false => Err(Error::Locked { dir: dir.to_path_buf(), holder: None }),
    })
}
