//! Making, choosing and dropping spaces. Each takes effect in one rename.

use std::fs;
use std::path::Path;

use super::{CURRENT, Collection, Space, lock, space, space_dir, spaces_dir};
use crate::error::{Error, Result};
use crate::files::{remove_matching, sync_dir, write_atomically};
use crate::random::random_u64;
use crate::types::{Identity, OpenOptions};
use crate::writer::{Writer, WriterLock};

/// Where a space is made.
const NEW: &str = ".new";

/// How the names of spaces begin that are being deleted.
const DROPPED: &str = ".dropped-";

impl Collection {
    /// The space for vectors of `identity`, made (empty) if it is not there. The first of a collection
    /// becomes current; later ones change nothing about that.
    ///
    /// # Errors
    /// Errors from [`Writer::create_or_open`]; [`Error::Locked`] where another process changes the spaces for
    /// long.
    pub fn make(&self, identity: &Identity) -> Result<Space> {
        if let Some(space) = self.space_of(identity)? {
            return Ok(space);
        }
        let _alone = lock::alone(&self.dir)?;
        sweep(&self.dir);
        let name = space::space_name(identity);
        let path = space_dir(&self.dir, &name);
        // Before there are two, so that it stays the current one.
        let current = self.spaces()?.is_empty().then(|| name.clone());
        let current = current.map_or_else(|| Ok(self.current()?.name), Ok)?;
        if !path.exists() {
            // Made apart, so that a crash leaves no space without a header.
            let new = space_dir(&self.dir, NEW);
            drop(Writer::create_or_open(&new, identity, &self.opts)?);
            rename(&self.dir, &new, &path, &self.opts)?;
        }
        write_current(&self.dir, &current)?;
        Ok(Space { name, path })
    }

    /// Makes a space the current one. A crash leaves the old one or the new one.
    ///
    /// # Errors
    /// [`Error::UnknownSpace`], [`Error::ReadOnly`], [`Error::DiskFull`], [`Error::Io`].
    pub fn switch(&self, space: &Space) -> Result<()> {
        let _alone = lock::alone(&self.dir)?;
        write_current(&self.dir, &self.find(&space.name)?.name)
    }

    /// Deletes a space that is not the current one.
    ///
    /// # Errors
    /// [`Error::CurrentSpace`], [`Error::Locked`] if it is being written, [`Error::UnknownSpace`],
    /// [`Error::ReadOnly`], [`Error::Io`].
    pub fn drop_space(&self, space: &Space) -> Result<()> {
        let _alone = lock::alone(&self.dir)?;
        let space = self.find(&space.name)?;
        if self.current()? == space {
            return Err(Error::CurrentSpace { dir: self.dir.clone(), name: space.name });
        }
        // Out of sight first: half a space must not look like one.
        let dropped = space_dir(&self.dir, &format!("{DROPPED}{:016x}", random_u64()));
        rename(&self.dir, &space.path, &dropped, &self.opts)?;
        sweep(&self.dir);
        Ok(())
    }
}

/// Renames an index's folder, once nobody writes it. Readers keep what they have open.
pub(super) fn rename(dir: &Path, from: &Path, to: &Path, opts: &OpenOptions) -> Result<()> {
    let alone = WriterLock::take(from, opts)?;
    // The lock's own files are renamed with the folder, so its holder is forgotten first.
    alone.forget_holder();
    fs::rename(from, to).map_err(|e| Error::io(dir, from, e))?;
    sync_dir(&spaces_dir(dir)).map_err(|e| Error::io(dir, to, e))
}

pub(super) fn write_current(dir: &Path, name: &str) -> Result<()> {
    let path = dir.join(CURRENT);
    write_atomically(&path, |out| writeln!(out, "{name}")).map_err(|e| Error::io(dir, &path, e))
}

/// Removes what was dropped, and what a crash left half made.
fn sweep(dir: &Path) {
    remove_matching(&spaces_dir(dir), |name| name == NEW || name.starts_with(DROPPED));
}
