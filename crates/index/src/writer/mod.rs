//! [`Writer`]: the right to change an index, and the store behind it.
//!
//! - `lock`: one writer at a time
//! - `open`: opening the store, and what is published of it
//! - `batch`: changes into one atomic write
//! - `kept_tags`: tags of removed clips, for when their sound is found again
//! - `names`: keeping the text side at the state of the store
//! - `catch_up`: publishing what the store holds and the published files do not
//! - `restore`: putting back into the store what it lost and the published files still hold
//! - `audit`: whether the store is sound
//! - `tidy`: giving back the room of what was removed

mod audit;
mod batch;
mod catch_up;
mod kept_tags;
mod lock;
mod names;
mod open;
mod restore;
mod tidy;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

pub use batch::with_tags;
pub use kept_tags::KEPT_TAGS_S;
pub use lock::WriterLock;
pub(crate) use open::is_of_earlier_version;

use crate::codec::{self, ClipRecord, Counters, Stamp};
use crate::error::{Error, Result};
use crate::interface::{IndexReader, IndexWriter};
use crate::names::NamesWriter;
use crate::published::draft::{Delta, Draft};
use crate::published::list::Totals;
use crate::published::pieces::Pieces;
use crate::random::random_u64;
use crate::report::{IndexEvent, RebuildReport};
use crate::scan::codes::Coder;
use crate::snapshot::Snapshot;
use crate::steps;
use crate::store::{Store, lock as locked};
use crate::types::{Change, ClipId, Header, Identity};
use crate::witness::Witness;
use batch::Batch;

/// An index opened for writing: the only one at a time. What is applied is on disk in the store, and
/// published, so that every reader sees it. All methods take `&self` and may be called from many threads;
/// batches wait for each other.
pub struct Writer {
    dir: PathBuf,
    store: Store,
    header: Header,
    witness: Witness,
    coder: Arc<Coder>,
    state: Mutex<State>,
    events: Mutex<Vec<IndexEvent>>,
    /// None where it could not be opened or written.
    names: Mutex<Option<NamesWriter>>,
    // Last, so that the store is closed when the next writer comes.
    _lock: WriterLock,
}

/// Where the store and the published files stand.
struct State {
    counters: Counters,
    /// Batches that are lost, which readers are to be told.
    lost: u64,
    /// What is published; None if nothing usable is.
    published: Option<Arc<Snapshot>>,
    /// Whether that is what the store holds.
    is_current: bool,
}

impl State {
    fn published(&self) -> (Pieces, Totals) {
        self.published.as_ref().map_or_else(Default::default, |p| (p.pieces.clone(), p.list.totals))
    }
}

impl Writer {
    /// What the index says about itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Refuses an `identity` other than that of the vectors in this index.
    ///
    /// # Errors
    /// [`Error::ModelMismatch`].
    pub fn check_identity(&self, identity: &Identity) -> Result<()> {
        crate::open::check_identity(&self.dir, &self.header, identity)
    }

    /// Takes what happened since the last call and is worth telling the user.
    pub fn take_events(&self) -> Vec<IndexEvent> {
        std::mem::take(&mut locked(&self.events))
    }

    fn tell(&self, event: IndexEvent) {
        locked(&self.events).push(event);
    }

    /// False after a failure: nothing more can be written then.
    pub(crate) fn is_usable(&self) -> bool {
        self.store.check_writable().is_ok()
    }

    fn dim(&self) -> usize {
        self.header.identity.dim
    }

    /// The index with everything that was applied.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Io`] where what was applied could not be published.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let mut state = locked(&self.state);
        if !state.is_current {
            self.catch_up(&mut state)?;
        }
        state.published.clone().ok_or_else(|| Error::Unpublished { dir: self.dir.clone() })
    }

    /// Makes the published files anew from the store, and ends what is told of lost batches.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::DiskFull`], [`Error::Io`].
    pub fn rebuild(&self) -> Result<RebuildReport> {
        let start = Instant::now();
        let mut state = locked(&self.state);
        let dropped_dead = state.published.as_ref().map_or(0, |published| published.pieces.dead());
        state.lost = 0;
        self.publish_all(&mut state)?;
        self.write_all_names(state.counters.stamp);
        let rows = state.published.as_ref().map_or(0, |published| published.pieces.rows());
        Ok(RebuildReport { rows, dropped_dead, seconds: start.elapsed().as_secs_f64() })
    }

    /// Merges the published segments into one, so that one graph can cover them. Those that have graphs stay
    /// as they are while they are at least twice as large as all that came after: so a row gets into a new
    /// graph only when the index has grown by half, and there are few graphs.
    ///
    /// # Errors
    /// [`Error::Published`], [`Error::DiskFull`], [`Error::Io`]: what was published before is still there.
    pub fn compact(&self) -> Result<()> {
        let mut state = locked(&self.state);
        let mut draft = self.draft(&mut state)?;
        let from = state.published.as_ref().map_or(0, |published| published.settled());
        let rest = &draft.pieces().0[from..];
        if rest.len() < 2 && rest.iter().all(|piece| piece.dead.dead() == 0) {
            return Ok(());
        }
        draft.merge_from(from)?;
        self.finish(&mut state, draft)
    }

    /// A draft that starts from what is published, once that is all the store holds.
    fn draft(&self, state: &mut State) -> Result<Draft> {
        if !state.is_current {
            self.catch_up(state)?;
        }
        let (pieces, totals) = state.published();
        Draft::new(&self.dir, &self.header, &self.coder, pieces, totals)
    }

    /// Publishes a batch. What cannot be published is told, and tried again with the next one: the store has
    /// it.
    fn publish(&self, state: &mut State, delta: &Delta) {
        let published =
            if state.is_current { self.publish_delta(state, delta) } else { self.catch_up(state) };
        let published = match published {
            // The store has what the files have lost.
            Err(e @ Error::Published { .. }) => {
                self.tell(IndexEvent::PublishedAnew { reason: e.to_string() });
                self.publish_all(state)
            }
            published => published,
        };
        if let Err(e) = published {
            state.is_current = false;
            self.tell(IndexEvent::NotPublished { reason: e.to_string() });
        }
    }

    fn publish_delta(&self, state: &mut State, delta: &Delta) -> Result<()> {
        let (pieces, totals) = state.published();
        let mut draft = Draft::new(&self.dir, &self.header, &self.coder, pieces, totals)?;
        draft.add(delta)?;
        self.finish(state, draft)
    }

    fn finish(&self, state: &mut State, draft: Draft) -> Result<()> {
        let (list, pieces) = draft.commit(&state.counters, state.lost)?;
        let snapshot =
            Snapshot::new(&self.dir, list, pieces, Arc::clone(&self.coder), state.published.as_deref());
        state.published = Some(Arc::new(snapshot));
        state.is_current = true;
        Ok(())
    }

    fn clip_records(&self) -> Result<impl Iterator<Item = Result<(ClipId, ClipRecord)>>> {
        Ok(self.store.scan(codec::CLIP_PREFIX)?.map(|pair| {
            let (key, value) = pair?;
            let id = codec::u64_at(&key, 1).ok_or_else(|| self.store.corrupt("a short clip key"))?;
            let record = codec::decode(&value).map_err(|what| self.store.corrupt(what))?;
            Ok((id, record))
        }))
    }

    /// Calls `row` for each segment of a clip, in order.
    fn read_segments(&self, id: ClipId, mut row: impl FnMut(f64, f64, &[[u8; 4]])) -> Result<()> {
        for pair in self.store.scan(&codec::chunk_prefix(id))? {
            codec::decode_chunk(&pair?.1, self.dim(), &mut row).map_err(|what| self.store.corrupt(what))?;
        }
        Ok(())
    }
}

impl IndexWriter for Writer {
    fn apply(&self, changes: Vec<Change>) -> Result<Vec<ClipId>> {
        let mut state = locked(&self.state);
        self.store.check_writable()?;
        let mut batch = Batch::new(&self.store, self.dim(), state.counters);
        changes
            .into_iter()
            .try_for_each(|change| batch.add(change))
            .and_then(|()| batch.drop_old_tags())
            .inspect_err(|e| self.store.note_failure(e))?;
        if batch.writes.is_empty() {
            return Ok(batch.ids);
        }
        batch.counters.stamp = next_stamp(batch.counters.stamp.commit);
        let Batch { counters, mut writes, delta, ids, .. } = batch;
        writes.insert(codec::COUNTERS_KEY.to_vec(), Some(codec::encode(&counters)?));
        if let Some(published) = &state.published {
            // A list with this stamp is of an earlier state of this very store.
            writes.insert(codec::PUBLISHED_KEY.to_vec(), Some(codec::encode(&published.stamp())?));
        }
        self.store.commit(writes)?;
        steps::reached("store");
        state.counters = counters;
        if let Err(e) = self.witness.note(counters.stamp.commit) {
            self.tell(IndexEvent::NotPublished { reason: e.to_string() });
        }
        steps::reached("witness");
        self.publish(&mut state, &delta);
        self.follow_names(&delta, counters.stamp);
        Ok(ids)
    }

    fn reader(&self) -> Result<Arc<dyn IndexReader>> {
        Ok(self.snapshot()?)
    }
}

/// A stamp that follows commit number `commit`.
fn next_stamp(commit: u64) -> Stamp {
    Stamp { commit: commit + 1, nonce: random_u64() }
}
