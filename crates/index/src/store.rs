//! sled, and nothing but sled: the one place that knows its errors, its panics and what it takes to be
//! durable.
//!
//! All records lie in one tree under key prefixes, because sled's `Batch` is atomic within a tree and
//! recovers as a whole or not at all; a transaction over several trees would be slower, and retries its
//! closure.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use sled::IVec;
use xxhash_rust::xxh3::Xxh3;

use crate::clock::now;
use crate::codec;
use crate::contain;
use crate::error::{Error, Result};
use crate::files::{remove_matching, sync_dir};
use crate::types::OpenOptions;

/// sled's folder inside the index folder. A rewritten one ([`Store::copy`]) has a number after it,
/// and of several the highest counts.
const STORE_DIR: &str = "store";

/// Pairs that a copy writes at a time.
const COPIED_AT_ONCE: usize = 256;

/// Pairs after which a copy waits for the disk: 24 MB of vectors.
const FLUSHED_AT_ONCE: usize = 4096;

/// How often to ask for a lock that another process holds.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// Key to new value, or to nothing for a removal. Sorted, so that the same batch is the same bytes.
pub(crate) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// An open store.
pub(crate) struct Store {
    /// The index folder, for messages.
    dir: PathBuf,
    /// None only while dropping.
    db: Option<sled::Db>,
    /// sled's data file, to sync it: sled's own flush leaves the file's length to the kernel
    /// (`sync_file_range`).
    data: File,
    /// Why no more writes are taken.
    failed: Mutex<Option<String>>,
}

impl Store {
    /// Where sled keeps its files for the index at `dir`.
    pub(crate) fn folder(dir: &Path) -> PathBuf {
        folders(dir).pop().map_or_else(|| dir.join(STORE_DIR), |(_, folder)| folder)
    }

    /// Where a copy of the store at `dir` goes to take its place.
    pub(crate) fn next_folder(dir: &Path) -> PathBuf {
        let number = folders(dir).pop().map_or(0, |(number, _)| number);
        dir.join(format!("{STORE_DIR}-{}", number + 1))
    }

    /// Removes stores that another has taken the place of.
    pub(crate) fn remove_replaced(dir: &Path) {
        let mut folders = folders(dir);
        folders.pop();
        for (_, folder) in folders {
            let _ = fs::remove_dir_all(folder);
        }
    }

    /// Writes all pairs into a new store at `folder`, which then takes up no more than it needs: sled keeps
    /// the room of what was removed. On return the copy is on disk, and was read back.
    pub(crate) fn copy(&self, folder: &Path, opts: &OpenOptions) -> Result<()> {
        let copy = Self::open(&self.dir, folder, opts)?;
        let mut written = Xxh3::new();
        let mut batch = sled::Batch::default();
        let target = copy.tree()?;
        for (number, pair) in (1..).zip(self.scan(b"")?) {
            let (key, value) = pair?;
            add_pair(&mut written, &key, &value);
            batch.insert(key, value);
            if number % COPIED_AT_ONCE == 0 {
                let batch = std::mem::take(&mut batch);
                contain(&self.dir, || target.apply_batch(batch))?;
            }
            // sled would hold in memory what the disk has not taken yet.
            if number % FLUSHED_AT_ONCE == 0 {
                contain(&self.dir, || target.flush().map(drop))?;
            }
        }
        contain(&self.dir, || target.apply_batch(batch))?;
        contain(&self.dir, || target.flush().map(drop))?;
        // Opened anew, it is read from the disk.
        drop(copy);
        let copy = Self::open(&self.dir, folder, opts)?;
        let mut read = Xxh3::new();
        for pair in copy.scan(b"")? {
            let (key, value) = pair?;
            add_pair(&mut read, &key, &value);
        }
        if read.digest() != written.digest() {
            let source = io::Error::other("the copy of the store does not read as it was written");
            return Err(Error::Io { path: folder.to_path_buf(), source });
        }
        drop(copy);
        sync_all(folder).map_err(|e| Error::io(&self.dir, folder, e))
    }

    /// Whether there is a store in `dir`. That it may not be looked at is an error, not its absence.
    pub(crate) fn exists(dir: &Path) -> Result<bool> {
        let path = Self::folder(dir).join("db");
        match fs::metadata(&path) {
            Ok(meta) => Ok(meta.is_file()),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    /// Opens the store of `dir`, creating it if need be. Where sled cannot open it, and can without a file
    /// that it makes anew by itself (a snapshot of its page table, or its settings), that file is kept aside,
    /// and its new name given.
    pub(crate) fn open_or_mend(dir: &Path, opts: &OpenOptions) -> Result<(Self, Option<String>)> {
        let folder = Self::folder(dir);
        let damage = match Self::open(dir, &folder, opts) {
            Err(e @ Error::Corrupt { .. }) => e,
            opened => return opened.map(|store| (store, None)),
        };
        let names = |wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            entries.filter_map(|e| e.file_name().into_string().ok()).filter(|name| wanted(name)).collect()
        };
        let sets = [names(&|name| name.starts_with("snap.")), names(&|name| name == "conf")];
        for set in sets.into_iter().filter(|set| !set.is_empty()) {
            let aside = |name: &String| folder.join(format!("damaged-{name}"));
            let moved: Vec<&String> =
                set.iter().filter(|name| fs::rename(folder.join(name), aside(name)).is_ok()).collect();
            match Self::open(dir, &folder, opts) {
                Ok(store) if store.get(codec::HEADER_KEY)?.is_some() => {
                    let kept = moved.iter().map(|name| aside(name).display().to_string()).collect::<Vec<_>>();
                    return Ok((store, Some(kept.join(", "))));
                }
                // It was not that; what sled may have made in its place goes.
                _ => moved.iter().for_each(|name| {
                    let _ = fs::rename(aside(name), folder.join(name));
                }),
            }
        }
        Err(damage)
    }

    /// Opens the store at `folder` (as a rule [`Self::folder`] of `dir`), creating it if need be.
    pub(crate) fn open(dir: &Path, folder: &Path, opts: &OpenOptions) -> Result<Self> {
        // sled panics over it.
        if now() < UNIX_EPOCH {
            return Err(Error::Clock);
        }
        fs::create_dir_all(folder).map_err(|e| Error::io(dir, folder, e))?;
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(opts.cache_bytes)
            // Batches are flushed one by one; a timer has nothing to add but work behind the caller's back.
            .flush_every_ms(None);
        let db = patiently(opts, || {
            sweep_snapshots(dir, folder)?;
            contain(dir, || config.open())
        })?;
        let path = folder.join("db");
        let data = File::open(&path).map_err(|e| Error::io(dir, &path, e))?;
        Ok(Self { dir: dir.to_path_buf(), db: Some(db), data, failed: Mutex::new(None) })
    }

    fn tree(&self) -> Result<&sled::Tree> {
        self.db.as_deref().ok_or_else(|| self.corrupt("the store is closed"))
    }

    /// The error for damaged content.
    pub(crate) fn corrupt(&self, what: impl Into<String>) -> Error {
        Error::Corrupt { dir: self.dir.clone(), what: what.into() }
    }

    /// The bytes under `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<IVec>> {
        let tree = self.tree()?;
        contain(&self.dir, || tree.get(key))
    }

    /// The record under `key`.
    pub(crate) fn record<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>> {
        self.get(key)?.map(|bytes| codec::decode(&bytes)).transpose().map_err(|what| self.corrupt(what))
    }

    /// All pairs whose key starts with `prefix`, in the keys' order.
    pub(crate) fn scan(&self, prefix: &[u8]) -> Result<impl Iterator<Item = Result<(IVec, IVec)>>> {
        let mut pairs = self.tree()?.scan_prefix(prefix);
        Ok(std::iter::from_fn(move || contain(&self.dir, || pairs.next().transpose()).transpose()))
    }

    /// Applies all of `writes` or none, and returns once they are on disk. After a failure no more writes are
    /// taken, since sled's pages in memory may then be ahead of its log.
    pub(crate) fn commit(&self, writes: Writes) -> Result<()> {
        self.check_writable()?;
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        let tree = self.tree()?;
        let done = contain(&self.dir, || {
            tree.apply_batch(batch)?;
            tree.flush()?;
            Ok(())
        })
        .and_then(|()| self.data.sync_data().map_err(|e| Error::io(&self.dir, &Store::folder(&self.dir), e)));
        if let Err(e) = &done {
            *lock(&self.failed) = Some(e.to_string());
        }
        done
    }

    /// Takes no more writes if `error` is one of the disk's. A thread of sled's may meet a full disk after a
    /// commit has returned; the next call hears of it, even one that only reads.
    pub(crate) fn note_failure(&self, error: &Error) {
        if matches!(error, Error::DiskFull { .. } | Error::Io { .. }) {
            *lock(&self.failed) = Some(error.to_string());
        }
    }

    /// Fails if an earlier commit did.
    pub(crate) fn check_writable(&self) -> Result<()> {
        match &*lock(&self.failed) {
            Some(reason) => Err(Error::Failed { dir: self.dir.clone(), reason: reason.clone() }),
            None => Ok(()),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // sled flushes when it is dropped, and may panic over a full disk.
        let db = self.db.take();
        let _ = contain::contain(move || drop(db));
    }
}

/// The stores in an index folder with their numbers, the one that counts last.
fn folders(dir: &Path) -> Vec<(u64, PathBuf)> {
    let number = |name: &str| match name.strip_prefix(STORE_DIR)? {
        "" => Some(0),
        rest => rest.strip_prefix('-')?.parse().ok(),
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some((number(entry.file_name().to_str()?)?, entry.path())))
        // A thread of sled's may make the folder of a store anew that was closed and removed.
        .filter(|(number, folder)| *number == 0 || !is_absent(&folder.join("db")))
        .collect();
    found.sort_unstable();
    found
}

fn is_absent(path: &Path) -> bool {
    matches!(fs::metadata(path), Err(e) if e.kind() == io::ErrorKind::NotFound)
}

fn add_pair(hash: &mut Xxh3, key: &[u8], value: &[u8]) {
    hash.update(&(key.len() as u64).to_le_bytes());
    hash.update(key);
    hash.update(&(value.len() as u64).to_le_bytes());
    hash.update(value);
}

/// Syncs all files under `folder`, and the folders.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { sync_all(&path)? } else { File::open(&path)?.sync_all()? }
    }
    sync_dir(folder)
}

/// A mutex's content, whether or not another thread panicked with it: all of ours guard plain values.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Removes snapshots that sled did not finish writing, because it was killed or the disk was full: it would
/// take such a file for its newest snapshot (`snap.X.generating` sorts after `snap.X`) and refuse to open.
fn sweep_snapshots(dir: &Path, folder: &Path) -> Result<()> {
    let Ok(data) = File::open(folder.join("db")) else { return Ok(()) };
    match data.try_lock() {
        Ok(()) => remove_matching(folder, is_unfinished),
        Err(TryLockError::WouldBlock) => return Err(Error::Locked { dir: dir.to_path_buf(), holder: None }),
        // sled will say what is wrong.
        Err(TryLockError::Error(_)) => {}
    }
    Ok(())
}

/// Whether this is the name of a snapshot that sled is, or was, writing.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.ends_with(".generating")
}

/// Tries again while another process has the lock, for as long as the options say.
pub(crate) fn patiently<T>(opts: &OpenOptions, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(Error::Locked { .. }) if start.elapsed() < opts.lock_wait => thread::sleep(LOCK_POLL),
            done => return done,
        }
    }
}

/// Runs a call into sled, turning its errors and panics into ours.
fn contain<T>(dir: &Path, call: impl FnOnce() -> sled::Result<T>) -> Result<T> {
    match contain::contain(call) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(translate(dir, e)),
        Err(panic) => Err(from_text(dir, &panic)),
    }
}

fn translate(dir: &Path, error: sled::Error) -> Error {
    match error {
        sled::Error::Io(e) if e.kind() == io::ErrorKind::Other => from_text(dir, &e.to_string()),
        sled::Error::Io(e) => Error::io(dir, &Store::folder(dir), e),
        other => from_text(dir, &other.to_string()),
    }
}

/// sled passes some I/O errors on as text only, in a panic or inside another error (`Error::clone`,
/// `try_lock`).
fn from_text(dir: &Path, text: &str) -> Error {
    let dir = dir.to_path_buf();
    if text.contains("could not acquire lock") {
        Error::Locked { dir, holder: None }
    } else if text.contains("StorageFull") || text.contains("No space left") || text.contains("QuotaExceeded")
    {
        Error::DiskFull { dir }
    } else {
        Error::Corrupt { dir, what: text.to_string() }
    }
}
