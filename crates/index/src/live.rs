//! [`LiveIndex`]: an index that a long-lived process keeps open while others write.

use std::fs;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, Result};
use crate::files::{FileMark, TEMP_PREFIX, write_synced};
use crate::published::list;
use crate::random::random_u64;
use crate::report::IndexEvent;
use crate::snapshot::Snapshot;
use crate::store::lock;
use crate::types::{Identity, OpenOptions};
use crate::writer::Writer;

/// How old a snapshot may be before the list is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Bytes that must fit on a disk that was full before it counts as one with room.
const PROBE_BYTES: usize = 1 << 20;

/// What tells one list from the next without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    list: FileMark,
    /// When a file in its folder came or went last: a graph may have come.
    folder: Option<SystemTime>,
}

impl Mark {
    fn of(path: &Path) -> io::Result<Self> {
        let folder = path.parent().and_then(|folder| fs::metadata(folder).ok()?.modified().ok());
        Ok(Self { list: FileMark::of(path)?, folder })
    }
}

struct Current {
    snapshot: Arc<Snapshot>,
    mark: Option<Mark>,
    looked: Instant,
}

/// An index that is read for long and written now and then, by this process and others. Readers get the
/// newest committed state, at most half a second old; the right to write is held only while a [`Writing`] is.
pub struct LiveIndex {
    dir: PathBuf,
    opts: OpenOptions,
    identity: Identity,
    current: RwLock<Current>,
    writer: Mutex<Weak<Writer>>,
    events: Mutex<Vec<IndexEvent>>,
    /// The last write failed, or could not be published.
    is_troubled: AtomicBool,
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
        let events = self.writer.take_events();
        let is_published = !events.iter().any(|event| matches!(event, IndexEvent::NotPublished { .. }));
        self.live.is_troubled.store(!(is_published && self.writer.is_usable()), Ordering::Relaxed);
        lock(&self.live.events).extend(events);
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
        // It is searched again and again.
        let opts = OpenOptions { once: false, ..opts.clone() };
        let snapshot = Snapshot::open(dir, expect, &opts)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            opts,
            identity: snapshot.list.header.identity.clone(),
            events: Mutex::new(snapshot.take_events()),
            current: RwLock::new(Current { snapshot: Arc::new(snapshot), mark, looked: Instant::now() }),
            writer: Mutex::default(),
            is_troubled: AtomicBool::new(false),
        })
    }

    /// The folder that it is in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
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
            _ => {
                let opened = Writer::open(&self.dir, Some(&self.identity), &self.opts);
                if matches!(opened, Err(Error::DiskFull { .. } | Error::Io { .. })) {
                    self.is_troubled.store(true, Ordering::Relaxed);
                }
                Arc::new(opened?)
            }
        };
        *shared = Arc::downgrade(&writer);
        Ok(Writing { writer, live: self })
    }

    /// Whether writes can be expected to succeed: false from a write that failed (as a rule, of a full disk)
    /// until there is room again, which this looks for. What was safe but not published is published then.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Io`], [`Error::Failed`]: why not.
    pub fn check_writable(&self) -> Result<()> {
        if !self.is_troubled.load(Ordering::Relaxed) {
            return Ok(());
        }
        let path = self.dir.join(format!("{TEMP_PREFIX}probe-{:016x}", random_u64()));
        write_synced(&path, &[1; PROBE_BYTES]).map_err(|e| Error::io(&self.dir, &path, e))?;
        let _ = fs::remove_file(&path);
        match self.write() {
            // Another process writes, so it can be done.
            Err(Error::Locked { .. }) => Ok(()),
            opened => opened.map(drop),
        }?;
        if self.is_troubled.load(Ordering::Relaxed) {
            return Err(Error::DiskFull { dir: self.dir.clone() });
        }
        Ok(())
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
