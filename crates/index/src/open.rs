//! Opening an index: for writing, for reading, and from a folder that cannot be written.

use std::path::Path;
use std::sync::{Mutex, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::codec::{self, Counters, HeaderProblem};
use crate::derived::Memory;
use crate::error::{Error, Result};
use crate::graph_files;
use crate::index::{Index, next_stamp};
use crate::report::IndexEvent;
use crate::store::{self, Store, Writes};
use crate::types::{Header, Identity, OpenOptions};
use crate::witness::{self, Witness};

/// Elements of a vector at most.
const MAX_DIM: usize = 1 << 16;

impl Index {
    /// Opens the index in `dir` for writing, creating it (and the folder) if there is none.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::ModelMismatch`] if it was made by another model, [`Error::FormatVersion`],
    /// [`Error::Corrupt`], [`Error::DiskFull`], [`Error::ReadOnly`], [`Error::Io`].
    pub fn create_or_open(dir: &Path, identity: &Identity, opts: &OpenOptions) -> Result<Self> {
        if !(1..=MAX_DIM).contains(&identity.dim) {
            return Err(Error::Limit {
                what: format!("vectors have 1 to {MAX_DIM} elements, not {}", identity.dim),
            });
        }
        let store = Store::open(dir, &Store::folder(dir), opts)?;
        if read_header(dir, &store)?.is_none() {
            let header = Header {
                format_version: crate::FORMAT_VERSION,
                identity: identity.clone(),
                created_unix_s: unix_now_s(),
            };
            let counters = Counters { next_clip: 1, next_seq: 0, stamp: next_stamp(0) };
            store.commit(Writes::from([
                (codec::HEADER_KEY.to_vec(), Some(codec::encode(&header)?)),
                (codec::COUNTERS_KEY.to_vec(), Some(codec::encode(&counters)?)),
            ]))?;
        }
        Self::from_store(dir, store, Some(identity), opts, true, None)
    }

    /// Opens the index in `dir` for writing; it must exist. `expect`: refuse vectors that anything else made.
    ///
    /// # Errors
    /// As [`Self::create_or_open`], and [`Error::NotFound`].
    pub fn open(dir: &Path, expect: Option<&Identity>, opts: &OpenOptions) -> Result<Self> {
        if !Store::exists(dir) {
            return Err(absent(dir));
        }
        let store = Store::open(dir, &Store::folder(dir), opts)?;
        Self::from_store(dir, store, expect, opts, true, None)
    }

    /// Opens the index in `dir` for reading; it must exist. sled opens nothing that it cannot write, so an
    /// index on a read-only or full disk is copied to a temporary folder first ([`IndexEvent::OpenedCopy`]),
    /// deleted when the index is dropped. Changes are refused with [`Error::ReadOnly`].
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_read_only(dir: &Path, expect: Option<&Identity>, opts: &OpenOptions) -> Result<Self> {
        if !Store::exists(dir) {
            return Err(absent(dir));
        }
        match Store::open(dir, &Store::folder(dir), opts) {
            Ok(store) => Self::from_store(dir, store, expect, opts, false, None),
            Err(e) if e.is_not_writable() || matches!(e, Error::DiskFull { .. }) => {
                Self::open_copy(dir, expect, opts)
            }
            Err(e) => Err(e),
        }
    }

    /// Refuses an `identity` other than that of the vectors in this index: what `expect` does on opening, for callers
    /// that learn only from the index which model they need.
    ///
    /// # Errors
    /// [`Error::ModelMismatch`].
    pub fn check_identity(&self, identity: &Identity) -> Result<()> {
        check_identity(&self.dir, &self.header, identity)
    }

    fn open_copy(dir: &Path, expect: Option<&Identity>, opts: &OpenOptions) -> Result<Self> {
        let copy = tempfile::Builder::new().prefix("earmark-").tempdir();
        let copy = copy.map_err(|e| Error::io(dir, &std::env::temp_dir(), e))?;
        let folder = Store::folder(copy.path());
        let _no_writer = Store::lock_shared(dir, opts)?;
        let bytes = copy_dir(&Store::folder(dir), &folder).map_err(|e| Error::io(dir, copy.path(), e))?;
        let store = Store::open(dir, &folder, opts)?;
        let to = copy.path().to_path_buf();
        let index = Self::from_store(dir, store, expect, opts, false, Some(copy))?;
        index.tell(IndexEvent::OpenedCopy { from: dir.to_path_buf(), to, bytes });
        Ok(index)
    }

    fn from_store(
        dir: &Path,
        store: Store,
        expect: Option<&Identity>,
        opts: &OpenOptions,
        writable: bool,
        copy: Option<tempfile::TempDir>,
    ) -> Result<Self> {
        let header = read_header(dir, &store)?.ok_or_else(|| absent(dir))?;
        if let Some(identity) = expect {
            check_identity(dir, &header, identity)?;
        }
        let counters: Counters =
            store.record(codec::COUNTERS_KEY)?.ok_or_else(|| store.corrupt("it has no counters"))?;
        let witness = if writable {
            graph_files::sweep(dir);
            Some(Witness::open(dir).map_err(|e| Error::io(dir, dir, e))?)
        } else {
            None
        };
        let lost = witness::last(dir).unwrap_or(0).saturating_sub(counters.stamp.commit);
        let index = Self {
            dir: dir.to_path_buf(),
            store,
            header,
            witness,
            opts: opts.clone(),
            memory: RwLock::new(Memory::new(counters)),
            refreshing: Mutex::new(()),
            events: Mutex::new(Vec::new()),
            _copy: copy,
        };
        if lost > 0 {
            index.tell(IndexEvent::BatchesLost { lost });
        }
        Ok(index)
    }
}

/// What a store says of itself; None where it is empty, since its maker was killed.
pub(crate) fn read_header(dir: &Path, store: &Store) -> Result<Option<Header>> {
    let Some(bytes) = store.get(codec::HEADER_KEY)? else {
        return match store.scan(b"")?.next() {
            Some(_) => Err(store.corrupt("it has records but no header")),
            None => Ok(None),
        };
    };
    let header = codec::decode_header(&bytes).map_err(|problem| match problem {
        HeaderProblem::Version(received) => {
            Error::FormatVersion { dir: dir.to_path_buf(), expected: crate::FORMAT_VERSION, received }
        }
        HeaderProblem::Damaged(what) => store.corrupt(what),
    })?;
    Ok(Some(header))
}

fn check_identity(dir: &Path, header: &Header, identity: &Identity) -> Result<()> {
    if *identity == header.identity {
        return Ok(());
    }
    Err(Error::ModelMismatch {
        dir: dir.to_path_buf(),
        expected: Box::new(header.identity.clone()),
        received: Box::new(identity.clone()),
    })
}

/// The error for a folder without a store, which may have had one.
pub(crate) fn absent(dir: &Path) -> Error {
    match witness::last(dir) {
        Some(commits) => Error::Corrupt {
            dir: dir.to_path_buf(),
            what: format!("the store is gone, which held {commits} batches"),
        },
        None => Error::NotFound { dir: dir.to_path_buf() },
    }
}

/// Copies a folder's files, and those of the folders in it, but no unfinished ones; gives their bytes.
fn copy_dir(from: &Path, to: &Path) -> std::io::Result<u64> {
    std::fs::create_dir_all(to)?;
    let mut bytes = 0;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(store::is_unfinished) {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            bytes += copy_dir(&entry.path(), &target)?;
        } else {
            let mut source = std::fs::File::open(entry.path())?;
            // Not fs::copy, which would copy the write protection too.
            bytes += std::io::copy(&mut source, &mut std::fs::File::create(target)?)?;
        }
    }
    Ok(bytes)
}

fn unix_now_s() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}
