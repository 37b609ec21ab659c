//! Turns [`Change`]s into one set of writes. Reads go through the writes collected so far, so that the
//! changes of a batch see each other.

use crate::codec::{self, ClipRecord, Counters};
use crate::error::{Error, Result};
use crate::published::draft::Delta;
use crate::store::{Store, Writes};
use crate::types::{Change, ClipId, ClipMeta, ClipText, Failure, Segment};
use crate::vectors::check_unit;

/// A batch in the making.
pub(crate) struct Batch<'a> {
    pub(super) store: &'a Store,
    dim: usize,
    pub(crate) counters: Counters,
    pub(crate) writes: Writes,
    /// The same, for the published files.
    pub(crate) delta: Delta,
    /// The clip that each change of a clip spoke of, in order.
    pub(crate) ids: Vec<ClipId>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(store: &'a Store, dim: usize, counters: Counters) -> Self {
        Self { store, dim, counters, writes: Writes::new(), delta: Delta::default(), ids: Vec::new() }
    }

    pub(crate) fn add(&mut self, change: Change) -> Result<()> {
        match change {
            Change::Put { meta, segments, texts } => self.put(meta, segments, &texts),
            Change::Move { id, meta } => self.move_clip(id, meta),
            Change::Remove(id) => self.remove(id),
            Change::RemoveAt(path) => match self.id_at(&path)? {
                Some(id) => self.erase(id),
                None => Ok(()),
            },
            Change::SetTags { id, tags } => {
                let record = self.clip(id)?;
                self.ids.push(id);
                self.set_tags(id, record, tags)
            }
            Change::AddTags { path, tags } => match self.id_at(&path)? {
                Some(id) => {
                    let record = self.clip(id)?;
                    let tags = with_tags(&record.meta.tags, tags);
                    self.set_tags(id, record, tags)
                }
                None => Ok(()),
            },
            Change::Fail(failure) => self.fail(&failure),
            Change::ClearFailure(path) => {
                self.forget_failure(&path);
                Ok(())
            }
        }
    }

    fn put(&mut self, mut meta: ClipMeta, segments: Vec<Segment>, texts: &[ClipText]) -> Result<()> {
        check_meta(&meta)?;
        for segment in &segments {
            segment.check(self.dim)?;
        }
        let count = u32::try_from(segments.len())
            .map_err(|_| Error::Limit { what: "a clip holds at most 2^32 segments".into() })?;
        let id = match self.id_at(&meta.path)? {
            Some(id) => {
                let old = self.clip(id)?;
                meta.tags = with_tags(&old.meta.tags, meta.tags);
                self.drop_segments(id, &old);
                self.clear(codec::hash_key(&old.meta.content_hash, id));
                id
            }
            None => {
                let kept = self.take_tags(&meta.content_hash, &meta.path)?;
                meta.tags = with_tags(&kept, meta.tags);
                let id = self.counters.next_clip;
                self.counters.next_clip += 1;
                id
            }
        };
        let record = ClipRecord { meta, first_seq: self.counters.next_seq, segments: count };
        self.counters.next_seq += u64::from(count);
        for (number, chunk) in (0..).zip(segments.chunks(codec::rows_per_chunk(self.dim))) {
            self.set(codec::chunk_key(id, number), codec::encode_chunk(chunk));
        }
        match texts {
            [] => self.clear(codec::texts_key(id)),
            texts => self.set(codec::texts_key(id), codec::encode(&texts)?),
        }
        self.forget_failure(&record.meta.path);
        if count > 0 {
            self.delta.vectors.insert(record.first_seq, (id, segments));
        }
        self.write_clip(id, record)?;
        self.ids.push(id);
        Ok(())
    }

    fn move_clip(&mut self, id: ClipId, mut meta: ClipMeta) -> Result<()> {
        check_meta(&meta)?;
        self.ids.push(id);
        // Somebody removed it meanwhile; whoever found its file elsewhere could not know.
        let Some(old) = self.record::<ClipRecord>(&codec::clip_key(id))? else { return Ok(()) };
        if let Some(other) = self.id_at(&meta.path)?.filter(|other| *other != id) {
            self.erase(other)?;
        }
        meta.tags = with_tags(&old.meta.tags, meta.tags);
        self.clear(codec::path_key(&old.meta.path));
        self.clear(codec::hash_key(&old.meta.content_hash, id));
        self.forget_failure(&meta.path);
        self.write_clip(id, ClipRecord { meta, ..old })
    }

    fn remove(&mut self, id: ClipId) -> Result<()> {
        self.erase(id)?;
        self.ids.push(id);
        Ok(())
    }

    fn set_tags(&mut self, id: ClipId, mut record: ClipRecord, tags: Vec<String>) -> Result<()> {
        record.meta.tags = tags;
        self.write_clip(id, record)
    }

    fn fail(&mut self, failure: &Failure) -> Result<()> {
        check_path(&failure.path)?;
        self.set(codec::failure_key(&failure.path), codec::encode(failure)?);
        self.delta.failures.insert(failure.path.clone(), Some(failure.clone()));
        Ok(())
    }

    fn forget_failure(&mut self, path: &str) {
        self.clear(codec::failure_key(path));
        self.delta.failures.insert(path.to_owned(), None);
    }

    fn erase(&mut self, id: ClipId) -> Result<()> {
        let old = self.clip(id)?;
        self.keep_tags(&old)?;
        self.drop_segments(id, &old);
        self.clear(codec::path_key(&old.meta.path));
        self.clear(codec::hash_key(&old.meta.content_hash, id));
        self.clear(codec::texts_key(id));
        self.clear(codec::clip_key(id));
        self.delta.clips.insert(id, None);
        Ok(())
    }

    fn write_clip(&mut self, id: ClipId, record: ClipRecord) -> Result<()> {
        self.set(codec::clip_key(id), codec::encode(&record)?);
        self.set(codec::path_key(&record.meta.path), codec::encode(&id)?);
        self.set(codec::hash_key(&record.meta.content_hash, id), Vec::new());
        self.delta.clips.insert(id, Some(record));
        Ok(())
    }

    fn drop_segments(&mut self, id: ClipId, record: &ClipRecord) {
        for chunk in 0..codec::chunk_count(record.segments, self.dim) {
            self.clear(codec::chunk_key(id, chunk));
        }
        // Put by the same batch: never published.
        if self.delta.vectors.get(&record.first_seq).is_some_and(|(clip, _)| *clip == id) {
            self.delta.vectors.remove(&record.first_seq);
        }
    }

    pub(super) fn set(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.insert(key, Some(value));
    }

    pub(super) fn clear(&mut self, key: Vec<u8>) {
        self.writes.insert(key, None);
    }

    pub(super) fn record<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>> {
        match self.writes.get(key) {
            Some(Some(bytes)) => codec::decode(bytes).map(Some).map_err(|what| self.store.corrupt(what)),
            Some(None) => Ok(None),
            None => self.store.record(key),
        }
    }

    fn id_at(&self, path: &str) -> Result<Option<ClipId>> {
        self.record(&codec::path_key(path))
    }

    fn clip(&self, id: ClipId) -> Result<ClipRecord> {
        self.record(&codec::clip_key(id))?.ok_or(Error::UnknownClip { id })
    }
}

/// Union of the old and the new tags, the old ones first.
#[must_use]
pub fn with_tags(old: &[String], new: Vec<String>) -> Vec<String> {
    let mut tags = old.to_vec();
    for tag in new {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

fn check_path(path: &str) -> Result<()> {
    if path.len() > codec::MAX_PATH_BYTES {
        return Err(Error::Limit {
            what: format!("a path of {} bytes, at most {} fit", path.len(), codec::MAX_PATH_BYTES),
        });
    }
    Ok(())
}

fn check_meta(meta: &ClipMeta) -> Result<()> {
    meta.check()?;
    check_path(&meta.path)
}

impl ClipMeta {
    /// Refuses a length that is none.
    ///
    /// # Errors
    /// [`Error::BadSegment`].
    pub fn check(&self) -> Result<()> {
        match self.duration_s.is_finite() && self.duration_s >= 0.0 {
            true => Ok(()),
            false => Err(Error::BadSegment { start_s: 0.0, end_s: self.duration_s }),
        }
    }
}

impl Segment {
    /// Refuses times that are not finite, negative or run backwards, and a vector that is not `[dim]`, finite and of
    /// unit length.
    ///
    /// # Errors
    /// [`Error::BadSegment`]; as [`check_unit`].
    pub fn check(&self, dim: usize) -> Result<()> {
        let (start_s, end_s) = (self.start_s, self.end_s);
        if !(start_s.is_finite() && end_s.is_finite() && 0.0 <= start_s && start_s <= end_s) {
            return Err(Error::BadSegment { start_s, end_s });
        }
        check_unit(&self.vector, dim)
    }
}
