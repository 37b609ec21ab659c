//! Giving back the room of what was removed.
//!
//! sled never shrinks: the room of removed values is used again, not returned. So when much of the store is
//! dead, its pairs are copied into a new one, which takes the place of the old one in one rename. A crash
//! leaves the old store, or both, of which the newer counts; the next writer removes what is not needed.

use std::fs;
use std::io;

use super::Writer;
use crate::error::{Error, Result};
use crate::files::{TEMP_PREFIX, sync_dir};
use crate::random::random_u64;
use crate::stats::disk_bytes;
use crate::steps;
use crate::store::{Store, lock};
use crate::types::OpenOptions;

/// The store is written anew when it is larger than so many times what is in it. A new one is 1.5 times as
/// large.
const MAX_STORE: u64 = 2;

/// As much is never worth it.
const SMALL_STORE: u64 = 64 << 20;

/// sled's cache for a copy, which is written and read once, in order.
const COPY_CACHE: u64 = 16 << 20;

/// Bytes that a clip takes in the store, without its vectors.
const CLIP_BYTES: u64 = 1024;

/// Bytes that the tags of a removed clip take.
const KEPT_BYTES: u64 = 512;

impl Writer {
    /// Ends writing, and gives back the room of what was removed: segments are written without their dead
    /// rows, segments that are too large for a commit are merged, and a store that is mostly dead is written
    /// anew. Takes seconds for each gigabyte that is left. Gives how many bytes the index is smaller.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Io`], [`Error::Corrupt`]: the index stays as it is, and nothing is lost.
    pub fn tidy(self) -> Result<u64> {
        let before = disk_bytes(&self.dir);
        self.tidy_published()?;
        let live = {
            let state = lock(&self.state);
            state.published.as_ref().map_or(0, |published| {
                let totals = &published.list.totals;
                totals.segments * (16 + 4 * self.dim() as u64) + totals.clips * CLIP_BYTES
            })
        };
        let live = live + self.kept_tags()?.count * KEPT_BYTES;
        let dir = self.dir.clone();
        if disk_bytes(&Store::folder(&dir)) > MAX_STORE * live + small_store() {
            self.tidy_store()?;
        }
        Ok(before.saturating_sub(disk_bytes(&dir)))
    }

    fn tidy_published(&self) -> Result<()> {
        let mut state = lock(&self.state);
        let mut draft = self.draft(&mut state)?;
        if draft.tidy()? { self.finish(&mut state, draft) } else { Ok(()) }
    }

    fn tidy_store(self) -> Result<()> {
        self.store.check_writable()?;
        let temp = self.dir.join(format!("{TEMP_PREFIX}store-{:016x}", random_u64()));
        let options = OpenOptions { cache_bytes: COPY_CACHE, ..OpenOptions::default() };
        let copied = self.store.copy(&temp, &options);
        if let Err(e) = copied {
            let _ = fs::remove_dir_all(temp);
            return Err(e);
        }
        steps::reached("copied");
        let Self { dir, store, names, _lock: alone, .. } = self;
        drop(names);
        drop(store);
        let io = |e: io::Error| Error::io(&dir, &temp, e);
        fs::rename(&temp, Store::next_folder(&dir)).map_err(io)?;
        steps::reached("replaced");
        sync_dir(&dir).map_err(io)?;
        Store::remove_replaced(&dir);
        steps::reached("removed");
        drop(alone);
        Ok(())
    }
}

/// [`SMALL_STORE`]; tests want smaller ones.
fn small_store() -> u64 {
    #[cfg(debug_assertions)]
    if let Some(bytes) = std::env::var("EARMARK_SMALL_STORE").ok().and_then(|bytes| bytes.parse().ok()) {
        return bytes;
    }
    SMALL_STORE
}
