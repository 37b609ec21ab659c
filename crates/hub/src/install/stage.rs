//! The folder in which a model is put together, beside where it will be.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::InstallError;

/// Names of folders that a killed run may leave behind begin so; the catalogue does not look at them.
const PREFIX: &str = ".stage-";

/// The right to change the folder of models. One process at a time has it.
#[derive(Debug)]
pub(crate) struct Session {
    root: PathBuf,
    _lock: File,
}

/// A folder that becomes a model, or nothing.
#[derive(Debug)]
pub(crate) struct Stage {
    root: PathBuf,
    folder: PathBuf,
}

impl Session {
    /// Waits for other processes (`waiting` is called if there is one), and clears away what killed ones left.
    pub(crate) fn begin(root: &Path, waiting: &mut dyn FnMut()) -> Result<Self, InstallError> {
        fs::create_dir_all(root).map_err(InstallError::io(root))?;
        let path = root.join(".lock");
        let open = File::options().create(true).write(true).truncate(false).open(&path);
        let lock = open.map_err(InstallError::io(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                lock.lock().map_err(InstallError::io(&path))?;
            }
            Err(TryLockError::Error(e)) => return Err(InstallError::io(&path)(e)),
        }
        for entry in fs::read_dir(root).map_err(InstallError::io(root))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                fs::remove_dir_all(entry.path()).map_err(InstallError::io(entry.path()))?;
            }
        }
        Ok(Self { root: root.to_path_buf(), _lock: lock })
    }

    /// An empty folder; `purpose` tells those of one session apart: a model's name, or what no name can be, with a dot
    /// before it.
    pub(crate) fn stage(&self, purpose: &str) -> Result<Stage, InstallError> {
        let folder = self.root.join(format!("{PREFIX}{purpose}"));
        fs::create_dir(&folder).map_err(InstallError::io(&folder))?;
        Ok(Stage { root: self.root.clone(), folder })
    }

    /// Deletes a model. It is gone at once, even if deleting its files is cut short.
    pub(crate) fn discard(&self, folder: &Path) -> Result<(), InstallError> {
        discard(&self.root, folder)
    }
}

/// Where a model waits to be deleted.
fn doomed(root: &Path) -> PathBuf {
    root.join(format!("{PREFIX}.doomed"))
}

fn discard(root: &Path, folder: &Path) -> Result<(), InstallError> {
    let doomed = doomed(root);
    fs::rename(folder, &doomed).map_err(InstallError::io(folder))?;
    fs::remove_dir_all(&doomed).map_err(InstallError::io(&doomed))
}

impl Stage {
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    pub(crate) fn write(&self, file: &str, bytes: &[u8]) -> Result<(), InstallError> {
        let path = self.place(file)?;
        fs::write(&path, bytes).map_err(InstallError::io(&path))
    }

    /// A copy, which does not change when the original does.
    pub(crate) fn copy(&self, from: &Path, file: &str) -> Result<(), InstallError> {
        let path = self.place(file)?;
        fs::copy(from, &path).map(drop).map_err(InstallError::io(from))
    }

    /// The same file under another name, which takes no room; a copy where that cannot be.
    pub(crate) fn link(&self, from: &Path, file: &str) -> Result<(), InstallError> {
        // A hard link to a symbolic link would be a symbolic link.
        let from = from.canonicalize().map_err(InstallError::io(from))?;
        match fs::hard_link(&from, self.place(file)?) {
            Ok(()) => Ok(()),
            Err(_) => self.copy(&from, file),
        }
    }

    fn place(&self, file: &str) -> Result<PathBuf, InstallError> {
        let path = self.path(file);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(InstallError::io(folder))?;
        Ok(path)
    }

    /// Gives the folder its name, in place of what had it.
    pub(crate) fn finish(self, name: &str) -> Result<PathBuf, InstallError> {
        let to = self.root.join(name);
        if !to.is_dir() {
            fs::rename(&self.folder, &to).map_err(InstallError::io(&to))?;
            return Ok(to);
        }
        // Deleted last, which takes long: until then what was there can come back.
        let old = doomed(&self.root);
        fs::rename(&to, &old).map_err(InstallError::io(&to))?;
        if let Err(e) = fs::rename(&self.folder, &to) {
            let _ = fs::rename(&old, &to);
            return Err(InstallError::io(&to)(e));
        }
        fs::remove_dir_all(&old).map_err(InstallError::io(&old))?;
        Ok(to)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Gone already after `finish`; what cannot be deleted is cleared away by the next session.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_there_whole_or_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("models");
        let session = Session::begin(&root, &mut || {}).unwrap();
        let install = |text: &str| {
            let stage = session.stage("m").unwrap();
            stage.write("deep/file", text.as_bytes()).unwrap();
            stage.finish("m").unwrap()
        };
        let folder = install("old");
        assert_eq!(install("new"), folder);
        assert_eq!(fs::read_to_string(folder.join("deep/file")).unwrap(), "new");
        // One that is given up leaves nothing, not even a folder.
        session.stage("m").unwrap().write("deep/file", b"worse").unwrap();
        assert_eq!(fs::read_to_string(folder.join("deep/file")).unwrap(), "new");
        let names: Vec<_> = fs::read_dir(&root).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(names.len(), 2, "the model and the lock: {names:?}");
    }

    #[test]
    fn what_a_killed_run_left_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join(".stage-m");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("half"), "a model").unwrap();
        Session::begin(dir.path(), &mut || {}).unwrap();
        assert!(!left.exists());
    }

    #[test]
    fn two_sessions_take_turns() {
        let dir = tempfile::tempdir().unwrap();
        let first = Session::begin(dir.path(), &mut || {}).unwrap();
        let (waiting, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| Session::begin(dir.path(), &mut || waiting.send(()).unwrap()).unwrap());
            told.recv().unwrap();
            drop(first);
        });
    }
}
