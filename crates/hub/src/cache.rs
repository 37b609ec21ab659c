//! The layout of the hub's cache, as `huggingface_hub` writes and reads it:
//!
//! ```text
//! CACHE/models--ORG--NAME/blobs/ETAG                  a file's content, named by its entity tag
//!                        /blobs/ETAG.incomplete       what has come of it so far (ours)
//!                        /snapshots/COMMIT/PATH       a link to ../../blobs/ETAG
//!                        /refs/BRANCH                 the commit that a branch or tag was
//! CACHE/.locks/models--ORG--NAME/ETAG.lock
//! ```

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::HubError;
use crate::types::RemoteFile;

/// How often to look whether another process has finished.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// One repository's part of the cache.
#[derive(Debug)]
pub(crate) struct RepoCache {
    folder: PathBuf,
    locks: PathBuf,
    no_symlinks: bool,
}

impl RepoCache {
    pub(crate) fn new(cache: &Path, repo: &str, no_symlinks: bool) -> Self {
        let name = format!("models--{}", repo.replace('/', "--"));
        Self { folder: cache.join(&name), locks: cache.join(".locks").join(name), no_symlinks }
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.blobs().join(etag)
    }

    pub(crate) fn incomplete(&self, etag: &str) -> PathBuf {
        self.blobs().join(format!("{etag}.incomplete"))
    }

    fn snapshot(&self, commit: &str, path: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit).join(path)
    }

    /// The commit that a revision is, as far as the cache knows.
    pub(crate) fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.folder.join("refs").join(revision)).ok()?;
        Some(commit.trim().to_owned()).filter(|c| is_commit(c))
    }

    /// The file's place in a snapshot, where it is there.
    pub(crate) fn find(&self, file: &RemoteFile) -> Option<PathBuf> {
        let path = self.snapshot(&self.commit(&file.revision)?, &file.path);
        path.is_file().then_some(path)
    }

    /// Makes the blob known as a file of a commit. Gives the file's place in the snapshot.
    pub(crate) fn link(&self, etag: &str, commit: &str, file: &RemoteFile) -> Result<PathBuf, HubError> {
        let (blob, place) = (self.blob(etag), self.snapshot(commit, &file.path));
        make_parent(&place)?;
        if place.symlink_metadata().is_ok() {
            fs::remove_file(&place).map_err(HubError::io(&place))?;
        }
        // Relative, so that the cache can be moved: up from the file's folder to the repository's.
        let depth = file.path.matches('/').count() + commit.matches('/').count() + 2;
        let target: PathBuf = std::iter::repeat_n("..", depth).collect::<PathBuf>().join("blobs").join(etag);
        if self.no_symlinks || symlink(&target, &place).is_err() {
            // As huggingface_hub does where links cannot be made: the snapshot has the file itself.
            fs::rename(&blob, &place).map_err(HubError::io(&place))?;
        }
        if !is_commit(&file.revision) && is_commit(commit) {
            self.write_ref(&file.revision, commit)?;
        }
        Ok(place)
    }

    fn write_ref(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        let path = self.folder.join("refs").join(revision);
        make_parent(&path)?;
        let mut temporary = path.clone().into_os_string();
        temporary.push(format!(".{}.tmp", std::process::id()));
        fs::write(&temporary, commit).map_err(HubError::io(&path))?;
        fs::rename(&temporary, &path).map_err(HubError::io(&path))
    }

    /// Waits until no other process downloads this content; `waiting` is called once if one does. The lock is the one
    /// that `huggingface_hub` takes. `None` where the file system has no locks.
    pub(crate) fn lock(&self, etag: &str, waiting: &mut dyn FnMut()) -> Result<Option<File>, HubError> {
        let path = self.locks.join(format!("{etag}.lock"));
        make_parent(&path)?;
        let open = File::options().create(true).write(true).truncate(false).open(&path);
        let file = open.map_err(HubError::io(&path))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        waiting();
                        told = true;
                    }
                    std::thread::sleep(LOCK_POLL);
                }
                Err(TryLockError::Error(_)) => return Ok(None),
            }
        }
    }
}

/// A full commit hash, which never comes to mean another commit.
pub(crate) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

pub(crate) fn make_parent(path: &Path) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(HubError::io(folder))
}

#[cfg(unix)]
fn symlink(target: &Path, place: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, place)
}

#[cfg(windows)]
fn symlink(target: &Path, place: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, place)
}
