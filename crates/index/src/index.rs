//! [`Index`]: change it, look things up in it.

use std::path::PathBuf;
use std::sync::{Mutex, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::batch::Batch;
use crate::codec::{self, ClipRecord, Stamp};
use crate::derived::Memory;
use crate::error::{Error, Result};
use crate::filter::Matcher;
use crate::report::IndexEvent;
use crate::store::{Store, lock};
use crate::types::{Change, Clip, ClipId, Failure, Filter, Header, OpenOptions, Segment};
use crate::witness::Witness;

/// Clips with their embeddings, on disk and searchable.
///
/// One process at a time may hold an index. Within it, all methods take `&self` and may be called from many
/// threads; changes wait for searches and the other way round.
pub struct Index {
    pub(crate) dir: PathBuf,
    pub(crate) store: Store,
    pub(crate) header: Header,
    /// Present if the index may be changed.
    pub(crate) witness: Option<Witness>,
    pub(crate) opts: OpenOptions,
    pub(crate) memory: RwLock<Memory>,
    /// Held while the graph is built or saved.
    pub(crate) refreshing: Mutex<()>,
    pub(crate) events: Mutex<Vec<IndexEvent>>,
    /// The copy that a read-only folder is read from.
    pub(crate) _copy: Option<tempfile::TempDir>,
}

impl Index {
    /// What the index says about itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Elements in each vector.
    pub(crate) fn dim(&self) -> usize {
        self.header.identity.dim
    }

    /// Takes what happened since the last call and is worth telling the user.
    pub fn take_events(&self) -> Vec<IndexEvent> {
        std::mem::take(&mut lock(&self.events))
    }

    pub(crate) fn tell(&self, event: IndexEvent) {
        lock(&self.events).push(event);
    }

    /// Makes all the changes, in order, or none of them; on return they are on disk. Gives the id of the clip
    /// that each change spoke of, in order (those that name a path only give none).
    ///
    /// # Errors
    /// [`Error::UnknownClip`], [`Error::DimMismatch`], [`Error::NotUnit`], [`Error::NonFinite`],
    /// [`Error::BadSegment`], [`Error::Limit`]: nothing was changed. [`Error::ReadOnly`].
    /// [`Error::DiskFull`], [`Error::Io`], [`Error::Corrupt`]: the batch is not acknowledged, and this handle
    /// takes no more changes ([`Error::Failed`]); open the index again.
    pub fn apply(&self, changes: Vec<Change>) -> Result<Vec<ClipId>> {
        self.check_writable()?;
        let mut memory = self.write_memory();
        let mut batch = Batch::new(&self.store, self.dim(), memory.counters, memory.matrix.is_some());
        for change in changes {
            batch.add(change)?;
        }
        if batch.writes.is_empty() {
            return Ok(batch.ids);
        }
        batch.counters.stamp = next_stamp(batch.counters.stamp.commit);
        let Batch { counters, mut writes, effects, ids, .. } = batch;
        writes.insert(codec::COUNTERS_KEY.to_vec(), Some(codec::encode(&counters)?));
        self.store.commit(writes)?;
        if let Some(Err(e)) = self.witness.as_ref().map(|witness| witness.note(counters.stamp.commit)) {
            self.tell(IndexEvent::CacheNotSaved { reason: e.to_string() });
        }
        memory.counters = counters;
        for effect in effects {
            if memory.absorb(effect).is_err() {
                // Too much for memory: the batch stands, and the next search says what is wrong.
                memory.matrix = None;
                break;
            }
        }
        Ok(ids)
    }

    /// Whether the index may be changed.
    pub fn is_writable(&self) -> bool {
        self.witness.is_some()
    }

    /// Refuses to go on if the index may not be changed.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.is_writable() { Ok(()) } else { Err(Error::ReadOnly { dir: self.dir.clone() }) }
    }

    /// The clip with this id.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn clip(&self, id: ClipId) -> Result<Option<Clip>> {
        let record: Option<ClipRecord> = self.store.record(&codec::clip_key(id))?;
        Ok(record.map(|record| Clip { id, meta: record.meta }))
    }

    /// The clip at this path.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn clip_by_path(&self, path: &str) -> Result<Option<Clip>> {
        match self.store.record(&codec::path_key(path))? {
            Some(id) => self.clip(id),
            None => Ok(None),
        }
    }

    /// The clips whose files have this content, by id.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn clips_by_hash(&self, hash: &[u8; 32]) -> Result<Vec<Clip>> {
        let mut clips = Vec::new();
        for pair in self.store.scan(&codec::hash_prefix(hash))? {
            let (key, _) = pair?;
            let id = codec::u64_at(&key, 33).ok_or_else(|| self.store.corrupt("a short hash key"))?;
            clips.extend(self.clip(id)?);
        }
        Ok(clips)
    }

    /// All clips, by id.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`], also from each item.
    pub fn clips(&self) -> Result<impl Iterator<Item = Result<Clip>>> {
        Ok(self.clip_records()?.map(|item| item.map(|(id, record)| Clip { id, meta: record.meta })))
    }

    /// The clips that `filter` lets through, by id.
    ///
    /// # Errors
    /// [`Error::BadFilter`], and those of [`Index::clips`].
    pub fn clips_matching(&self, filter: &Filter) -> Result<Vec<Clip>> {
        let matcher = Matcher::new(filter)?;
        self.clips()?.filter(|clip| clip.as_ref().map_or(true, |clip| matcher.admits(&clip.meta))).collect()
    }

    pub(crate) fn clip_records(&self) -> Result<impl Iterator<Item = Result<(ClipId, ClipRecord)>>> {
        Ok(self.store.scan(codec::CLIP_PREFIX)?.map(|pair| {
            let (key, value) = pair?;
            let id = codec::u64_at(&key, 1).ok_or_else(|| self.store.corrupt("a short clip key"))?;
            let record = codec::decode(&value).map_err(|what| self.store.corrupt(what))?;
            Ok((id, record))
        }))
    }

    /// How many segments a clip has, without reading them.
    ///
    /// # Errors
    /// [`Error::UnknownClip`], [`Error::Corrupt`], [`Error::Io`].
    pub fn segment_count(&self, id: ClipId) -> Result<usize> {
        let record: ClipRecord = self.store.record(&codec::clip_key(id))?.ok_or(Error::UnknownClip { id })?;
        Ok(record.segments as usize)
    }

    /// A clip's segments, in order.
    ///
    /// # Errors
    /// [`Error::UnknownClip`], [`Error::Corrupt`], [`Error::Io`].
    pub fn segments(&self, id: ClipId) -> Result<Vec<Segment>> {
        let record: ClipRecord = self.store.record(&codec::clip_key(id))?.ok_or(Error::UnknownClip { id })?;
        let mut segments = Vec::with_capacity(record.segments as usize);
        self.read_segments(id, |start_s, end_s, vector| {
            let vector = vector.iter().map(|b| f32::from_le_bytes(*b)).collect();
            segments.push(Segment { start_s, end_s, vector });
        })?;
        Ok(segments)
    }

    /// Calls `row` for each segment of a clip, in order.
    pub(crate) fn read_segments(&self, id: ClipId, mut row: impl FnMut(f64, f64, &[[u8; 4]])) -> Result<()> {
        for pair in self.store.scan(&codec::chunk_prefix(id))? {
            codec::decode_chunk(&pair?.1, self.dim(), &mut row).map_err(|what| self.store.corrupt(what))?;
        }
        Ok(())
    }

    /// All remembered bad files, by path.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn failures(&self) -> Result<Vec<Failure>> {
        self.store
            .scan(codec::FAILURE_PREFIX)?
            .map(|pair| codec::decode(&pair?.1).map_err(|what| self.store.corrupt(what)))
            .collect()
    }

    /// The bad file remembered at this path.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn failure(&self, path: &str) -> Result<Option<Failure>> {
        self.store.record(&codec::failure_key(path))
    }
}

/// A stamp that follows commit number `commit`.
pub(crate) fn next_stamp(commit: u64) -> Stamp {
    Stamp { commit: commit + 1, nonce: random_u64() }
}

/// A number that no other process is likely to draw; the standard library seeds its hash maps with such.
pub(crate) fn random_u64() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u128(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos()));
    hasher.finish()
}

pub(crate) fn random_u128() -> u128 {
    u128::from(random_u64()) << 64 | u128::from(random_u64())
}
