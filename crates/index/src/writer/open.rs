//! Opening an index for writing.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::{State, Writer, WriterLock, next_stamp};
use crate::clock::unix_now_s;
use crate::codec::{self, Counters, Stamp};
use crate::error::{Error, Result};
use crate::files::{TEMP_PREFIX, remove_matching};
use crate::open::{absent, check_identity, read_header};
use crate::published::list;
use crate::random::random_u64;
use crate::report::IndexEvent;
use crate::scan::codes::Coder;
use crate::snapshot::Snapshot;
use crate::store::{Store, Writes};
use crate::types::{Header, Identity, MAX_DIM, OpenOptions};
use crate::witness::{self, Witness};

/// How the published files of a state compare with the store.
enum Published {
    /// They are what it holds.
    Current(Snapshot),
    /// They are what it held some commits ago.
    Earlier(Snapshot),
    /// They are of a later state: the store has lost something.
    Later(Snapshot),
    /// There are none, or they cannot be used, for this reason.
    Unusable(Option<String>),
}

impl Writer {
    /// Opens the index in `dir` for writing, creating it (and the folder) if there is none.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::ModelMismatch`] if it was made by another model, [`Error::FormatVersion`],
    /// [`Error::Corrupt`], [`Error::DiskFull`], [`Error::ReadOnly`], [`Error::Io`].
    pub fn create_or_open(dir: &Path, identity: &Identity, opts: &OpenOptions) -> Result<Self> {
        if !identity.has_valid_dim() {
            return Err(Error::Limit {
                what: format!("vectors have 1 to {MAX_DIM} elements, not {}", identity.dim),
            });
        }
        fs::create_dir_all(dir).map_err(|e| Error::io(dir, dir, e))?;
        let lock = WriterLock::take(dir, opts)?;
        let (store, mended) = Store::open_or_mend(dir, opts)?;
        if read_header(dir, &store)?.is_none() {
            if let Some(commits) = witness::last(dir).filter(|commits| *commits > 0) {
                return Err(store.corrupt(format!("it is empty, and held {commits} batches")));
            }
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
        Self::from_store(dir, store, Some(identity), lock, mended)
    }

    /// Opens the index in `dir` for writing; it must exist. `expect`: refuse vectors that anything else made.
    ///
    /// # Errors
    /// As [`Self::create_or_open`], and [`Error::NotFound`].
    pub fn open(dir: &Path, expect: Option<&Identity>, opts: &OpenOptions) -> Result<Self> {
        if !Store::exists(dir)? {
            return Err(absent(dir));
        }
        let lock = WriterLock::take(dir, opts)?;
        let (store, mended) = Store::open_or_mend(dir, opts)?;
        Self::from_store(dir, store, expect, lock, mended)
    }

    fn from_store(
        dir: &Path,
        store: Store,
        expect: Option<&Identity>,
        lock: WriterLock,
        mended: Option<String>,
    ) -> Result<Self> {
        let header = read_header(dir, &store)?.ok_or_else(|| absent(dir))?;
        if let Some(identity) = expect {
            check_identity(dir, &header, identity)?;
        }
        let counters: Counters =
            store.record(codec::COUNTERS_KEY)?.ok_or_else(|| store.corrupt("it has no counters"))?;
        let witnessed = witness::last(dir).unwrap_or(0).saturating_sub(counters.stamp.commit);
        let anchor: Option<Stamp> = store.record(codec::PUBLISHED_KEY)?;
        remove_matching(dir, is_left_over);
        Store::remove_replaced(dir);
        let state = State { counters, lost: witnessed, published: None, is_current: false };
        let writer = Self {
            dir: dir.to_path_buf(),
            witness: Witness::open(dir).map_err(|e| Error::io(dir, dir, e))?,
            coder: Arc::new(Coder::new(header.identity.dim)),
            events: Mutex::new(mended.into_iter().map(|file| IndexEvent::StoreMended { file }).collect()),
            state: Mutex::new(state),
            names: Mutex::default(),
            store,
            header,
            _lock: lock,
        };
        writer.adopt(anchor)?;
        writer.open_names();
        Ok(writer)
    }

    /// Brings the published files and the store together.
    fn adopt(&self, anchor: Option<Stamp>) -> Result<()> {
        let mut state = crate::store::lock(&self.state);
        let witnessed = state.lost;
        match self.compare(&state.counters, anchor) {
            Published::Current(snapshot) => {
                state.lost += snapshot.list.lost;
                state.is_current = state.lost == snapshot.list.lost;
                state.published = Some(Arc::new(snapshot));
            }
            Published::Earlier(snapshot) => {
                state.lost += snapshot.list.lost;
                state.published = Some(Arc::new(snapshot));
            }
            Published::Later(snapshot) => self.restore(&mut state, snapshot)?,
            Published::Unusable(reason) => {
                if witnessed > 0 {
                    // They may be the only ones left that hold what the store has lost.
                    let kept = self.dir.join(format!("published.damaged-{:016x}", random_u64()));
                    let _ = fs::rename(list::folder(&self.dir), kept);
                }
                if let Some(reason) = reason {
                    self.tell(IndexEvent::PublishedAnew { reason });
                }
            }
        }
        if !state.is_current {
            let caught_up = match self.catch_up(&mut state) {
                Err(Error::Published { path, what }) => {
                    let reason = Error::Published { path, what }.to_string();
                    self.tell(IndexEvent::PublishedAnew { reason });
                    self.publish_all(&mut state)
                }
                done => done,
            };
            match caught_up {
                // The store can be written, or is about to say why not.
                Err(e @ (Error::DiskFull { .. } | Error::Io { .. })) => {
                    self.tell(IndexEvent::NotPublished { reason: e.to_string() });
                }
                done => done?,
            }
        }
        if state.lost > 0 {
            self.tell(IndexEvent::BatchesLost { lost: state.lost });
        }
        if witnessed > 0 && state.is_current {
            // From here on the list tells it.
            let _ = self.witness.note(state.counters.stamp.commit);
        }
        Ok(())
    }

    fn compare(&self, counters: &Counters, anchor: Option<Stamp>) -> Published {
        let snapshot = match Snapshot::load(&self.dir, None) {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => return Published::Unusable(None),
            Err(e) => return Published::Unusable(Some(e.to_string())),
        };
        let stamp = snapshot.stamp();
        if snapshot.list.header != self.header {
            Published::Unusable(Some("the published files are of another index".to_owned()))
        } else if stamp == counters.stamp {
            Published::Current(snapshot)
        } else if Some(stamp) == anchor {
            Published::Earlier(snapshot)
        } else if stamp.commit > counters.stamp.commit {
            Published::Later(snapshot)
        } else {
            Published::Unusable(Some(
                "the published files are not of an earlier state of the store".to_owned(),
            ))
        }
    }
}

/// Whether this is the name of a file in the index folder that nobody needs any more: unfinished ones, and
/// what earlier versions derived from the store.
pub(crate) fn is_left_over(name: &str) -> bool {
    name.starts_with(TEMP_PREFIX) || is_of_earlier_version(name)
}

/// Whether this is the name of a file that earlier versions derived from the store.
pub(crate) fn is_of_earlier_version(name: &str) -> bool {
    name == "vectors.flat" || name == "graph.manifest" || name.starts_with("graph-")
}
