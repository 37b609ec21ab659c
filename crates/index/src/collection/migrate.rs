//! An index from before there were spaces, whose store lies in the collection's folder itself, becomes a
//! space. Every step is a rename, and the next to open the collection goes on from whatever step a crash came
//! at:
//!
//! 1. the note of the last commit moves into `spaces/.incoming`, then the store;
//! 2. `.incoming` gets its name as a space;
//! 3. `current` names it (until then it is current for being the only one).

use std::fs;
use std::path::{Path, PathBuf};

use super::{CURRENT, change, lock, space, space_dir};
use crate::error::{Error, Result};
use crate::files::{remove_matching, sync_dir};
use crate::open::{absent, read_header};
use crate::store::Store;
use crate::types::{Identity, OpenOptions};
use crate::witness;
use crate::writer::{WriterLock, is_of_earlier_version};

/// Where the old index is gathered.
const INCOMING: &str = ".incoming";

/// Makes an index of the old layout in `dir` a space, if there is one.
pub(super) fn migrate(dir: &Path, opts: &OpenOptions) -> Result<()> {
    let incoming = space_dir(dir, INCOMING);
    let pending = || Ok(Store::exists(dir)? || incoming.exists());
    if !pending()? {
        return Ok(());
    }
    let _alone = lock::alone(dir)?;
    if Store::exists(dir)? {
        let Some(identity) = peek(dir, opts)? else {
            return match witness::last(dir) {
                // Its maker was killed before it held anything.
                None => remove(dir, &Store::folder(dir)),
                // sled opens a store whose start is damaged as an empty one; what it held may still be in its
                // file.
                Some(commits) => Err(Error::Corrupt {
                    dir: dir.to_path_buf(),
                    what: format!("the store is empty, which held {commits} batches"),
                }),
            };
        };
        free_name(dir, &identity)?;
        gather(dir, &incoming, opts)?;
    }
    if !pending()? {
        // Another process was faster.
        return Ok(());
    }
    if !Store::exists(&incoming)? {
        // Nothing was moved, or something else took the store away.
        return if witness::last(&incoming).is_none() {
            remove(dir, &incoming)
        } else {
            Err(absent(&incoming))
        };
    }
    let identity = peek(&incoming, opts)?.ok_or_else(|| absent(&incoming))?;
    let name = free_name(dir, &identity)?;
    change::rename(dir, &incoming, &space_dir(dir, &name), opts)?;
    // Beside spaces of other models (it was put there from a backup, say) it changes nothing about which is
    // current.
    if dir.join(CURRENT).exists() { Ok(()) } else { change::write_current(dir, &name) }
}

/// What made the vectors of the store in `dir`; None if it is empty.
fn peek(dir: &Path, opts: &OpenOptions) -> Result<Option<Identity>> {
    let store = Store::open(dir, &Store::folder(dir), opts)?;
    Ok(read_header(dir, &store)?.map(|header| header.identity))
}

fn remove(dir: &Path, folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).map_err(|e| Error::io(dir, folder, e))
}

/// The name of the space it will be.
fn free_name(dir: &Path, identity: &Identity) -> Result<String> {
    let name = space::space_name(identity);
    if space_dir(dir, &name).exists() {
        return Err(Error::TwoStores { dir: dir.to_path_buf(), space: space_dir(dir, &name) });
    }
    Ok(name)
}

/// Moves the index in `dir` into `incoming`, the store last: an earmark that knows no spaces sees a whole
/// index or none.
fn gather(dir: &Path, incoming: &PathBuf, opts: &OpenOptions) -> Result<()> {
    fs::create_dir_all(incoming).map_err(|e| Error::io(dir, incoming, e))?;
    let alone = WriterLock::take(dir, opts)?;
    // What earlier versions derived from the store is of no use any more.
    remove_matching(dir, is_of_earlier_version);
    for from in [dir.join(witness::NAME), Store::folder(dir)] {
        let name = from.file_name().unwrap_or_default();
        match fs::rename(&from, incoming.join(name)) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            moved => moved.map_err(|e| Error::io(dir, &from, e))?,
        }
    }
    alone.remove();
    sync_dir(incoming).and_then(|()| sync_dir(dir)).map_err(|e| Error::io(dir, incoming, e))
}
