//! [`LiveIndex`]: an index that a long-lived process keeps open while others write.

use std::fs;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant, SystemTime};

use crate::error::Result;
use crate::published::list;
use crate::report::IndexEvent;
use crate::snapshot::Snapshot;
use crate::store::lock;
use crate::types::{Identity, OpenOptions};
use crate::writer::Writer;

/// How old a snapshot may be before the list is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What tells one list from the next without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    modified: Option<SystemTime>,
    bytes: u64,
    /// The file's own number, where the system has one: a replaced list is another file.
    inode: u64,
}

impl Mark {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&meta);
        #[cfg(not(unix))]
        let inode = 0;
        Ok(Self { modified: meta.modified().ok(), bytes: meta.len(), inode })
    }
}

struct Current {
    snapshot: Arc<Snapshot>,
    mark: Option<Mark>,
    looked: Instant,
}

/// An index that is read for long and written now and then, by this process and others. Readers get the newest committed
/// state, at most half a second old; the right to write is held only while a [`Writing`] is.
pub struct LiveIndex {
    dir: PathBuf,
    opts: OpenOptions,
    identity: Identity,
    current: RwLock<Current>,
    writer: Mutex<Weak<Writer>>,
    events: Mutex<Vec<IndexEvent>>,
}

/// The right to write, given back when the last one is dropped.
pub struct Writing<'a> {
    writer: Arc<Writer>,
    live: &'a LiveIndex,
}

impl Writing<'_> {
    /// [`Writer::tidy`], unless another thread writes too. Gives how many bytes the index is smaller.
    ///
    /// # Errors
    /// As [`Writer::tidy`].
    pub fn tidy(self) -> Result<u64> {
        let live = self.live;
        // Nobody else may begin to write in between.
        let mut shared = lock(&live.writer);
        let writer = Arc::clone(&self.writer);
        drop(self);
        let freed = match Arc::try_unwrap(writer) {
            Ok(writer) => writer.tidy(),
            Err(_) => return Ok(0),
        };
        *shared = Weak::new();
        drop(shared);
        live.refresh(true);
        freed
    }
}

impl Deref for Writing<'_> {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        lock(&self.live.events).extend(self.writer.take_events());
        self.live.refresh(true);
    }
}

impl LiveIndex {
    /// Opens the index in `dir`; it must exist.
    ///
    /// # Errors
    /// As [`Snapshot::open`].
    pub fn open(dir: &Path, expect: Option<&Identity>, opts: &OpenOptions) -> Result<Self> {
        let mark = Mark::of(&list::path(dir)).ok();
        let snapshot = Snapshot::open(dir, expect, opts)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            opts: opts.clone(),
            identity: snapshot.list.header.identity.clone(),
            events: Mutex::new(snapshot.take_events()),
            current: RwLock::new(Current { snapshot: Arc::new(snapshot), mark, looked: Instant::now() }),
            writer: Mutex::default(),
        })
    }

    /// The newest committed state. Where it cannot be read, the one before, and an event says why.
    pub fn reader(&self) -> Arc<Snapshot> {
        self.refresh(false);
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).snapshot)
    }

    /// The right to write. Within this process it is shared.
    ///
    /// # Errors
    /// As [`Writer::open`].
    pub fn write(&self) -> Result<Writing<'_>> {
        let mut shared = lock(&self.writer);
        let writer = match shared.upgrade() {
            // One that failed takes no more writes; a new one may be luckier.
            Some(writer) if writer.is_usable() => writer,
            _ => Arc::new(Writer::open(&self.dir, Some(&self.identity), &self.opts)?),
        };
        *shared = Arc::downgrade(&writer);
        Ok(Writing { writer, live: self })
    }

    /// Takes what happened since the last call and is worth telling.
    pub fn take_events(&self) -> Vec<IndexEvent> {
        std::mem::take(&mut lock(&self.events))
    }

    /// Looks whether there is a newer list: `now`, or if the last look is some time ago.
    fn refresh(&self, now: bool) {
        {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            if !now && current.looked.elapsed() < LOOK_AGAIN {
                return;
            }
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if !now && current.looked.elapsed() < LOOK_AGAIN {
            return;
        }
        current.looked = Instant::now();
        // Before the list is read: should it be replaced in between, it is read again the next time.
        let mark = Mark::of(&list::path(&self.dir)).ok();
        if mark.is_some() && mark == current.mark {
            return;
        }
        match Snapshot::load(&self.dir, Some(&current.snapshot)) {
            Ok(Some(snapshot)) if snapshot.list.header.identity == self.identity => {
                lock(&self.events).extend(snapshot.take_events());
                (current.snapshot, current.mark) = (Arc::new(snapshot), mark);
            }
            Ok(_) => {}
            Err(e) => lock(&self.events).push(IndexEvent::NotRefreshed { reason: e.to_string() }),
        }
    }
}
