//! [`Index`]: open, change, look up.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::batch::{Batch, Effect};
use crate::codec::{self, ClipRecord, Counters, HeaderProblem, Stamp};
use crate::error::{Error, Result};
use crate::filter::Matcher;
use crate::search::{self, Admitted, ClipTable, Keep, Scored};
use crate::store::{Store, Writes, lock};
use crate::types::*;
use crate::vectors::{Matrix, RowInfo, check_unit};

/// Clips with their embeddings, on disk and searchable.
///
/// One process at a time may hold an index. Within it, all methods take `&self` and may be called from many threads;
/// changes wait for searches and the other way round.
pub struct Index {
    pub(crate) dir: PathBuf,
    pub(crate) store: Store,
    pub(crate) header: Header,
    pub(crate) writable: bool,
    pub(crate) opts: OpenOptions,
    pub(crate) memory: RwLock<Memory>,
    pub(crate) events: Mutex<Vec<IndexEvent>>,
    /// The copy that a read-only folder is read from.
    _copy: Option<tempfile::TempDir>,
}

/// What is kept in memory; all but the counters is loaded when first needed.
pub(crate) struct Memory {
    pub(crate) counters: Counters,
    pub(crate) matrix: Option<Matrix>,
    pub(crate) clips: Option<ClipTable>,
}

/// A stored segment, lent to a visitor.
#[derive(Debug, Clone, Copy)]
pub struct SegmentRef<'a> {
    /// The clip it belongs to.
    pub clip: &'a Clip,
    /// Which of the clip's segments, from 0.
    pub segment: u32,
    /// Start, seconds from the clip's start.
    pub start_s: f64,
    /// End, seconds from the clip's start.
    pub end_s: f64,
    /// Unit vector, `[dim]`.
    pub vector: &'a [f32],
}

impl Index {
    /// Opens the index in `dir` for writing, creating it (and the folder) if there is none.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::ModelMismatch`] if it was made by another model, [`Error::FormatVersion`],
    /// [`Error::Corrupt`], [`Error::DiskFull`], [`Error::ReadOnly`], [`Error::Io`].
    pub fn create_or_open(dir: &Path, identity: &Identity, opts: &OpenOptions) -> Result<Self> {
        let store = Store::open(dir, &Store::folder(dir), opts)?;
        if store.record::<Header>(codec::HEADER_KEY)?.is_none() {
            if store.scan(b"")?.next().is_some() {
                return Err(store.corrupt("it has records but no header"));
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
        Self::from_store(dir, store, Some(identity), opts, true, None)
    }

    /// Opens the index in `dir` for writing; it must exist. `expect`: refuse vectors that anything else made.
    ///
    /// # Errors
    /// As [`Self::create_or_open`], and [`Error::NotFound`].
    pub fn open(dir: &Path, expect: Option<&Identity>, opts: &OpenOptions) -> Result<Self> {
        if !Store::exists(dir) {
            return Err(Error::NotFound { dir: dir.to_path_buf() });
        }
        let store = Store::open(dir, &Store::folder(dir), opts)?;
        Self::from_store(dir, store, expect, opts, true, None)
    }

    /// Opens the index in `dir` for reading; it must exist.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_read_only(dir: &Path, expect: Option<&Identity>, opts: &OpenOptions) -> Result<Self> {
        if !Store::exists(dir) {
            return Err(Error::NotFound { dir: dir.to_path_buf() });
        }
        let store = Store::open(dir, &Store::folder(dir), opts)?;
        Self::from_store(dir, store, expect, opts, false, None)
    }

    fn from_store(
        dir: &Path,
        store: Store,
        expect: Option<&Identity>,
        opts: &OpenOptions,
        writable: bool,
        copy: Option<tempfile::TempDir>,
    ) -> Result<Self> {
        let bytes =
            store.get(codec::HEADER_KEY)?.ok_or_else(|| Error::NotFound { dir: dir.to_path_buf() })?;
        let header = codec::decode_header(&bytes).map_err(|problem| match problem {
            HeaderProblem::Version(received) => {
                Error::FormatVersion { dir: dir.to_path_buf(), expected: crate::FORMAT_VERSION, received }
            }
            HeaderProblem::Damaged(what) => store.corrupt(what),
        })?;
        if let Some(received) = expect.filter(|identity| **identity != header.identity) {
            return Err(Error::ModelMismatch {
                dir: dir.to_path_buf(),
                expected: Box::new(header.identity),
                received: Box::new(received.clone()),
            });
        }
        let counters =
            store.record(codec::COUNTERS_KEY)?.ok_or_else(|| store.corrupt("it has no counters"))?;
        Ok(Self {
            dir: dir.to_path_buf(),
            store,
            header,
            writable,
            opts: opts.clone(),
            memory: RwLock::new(Memory { counters, matrix: None, clips: None }),
            events: Mutex::new(Vec::new()),
            _copy: copy,
        })
    }

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

    /// Makes all the changes, in order, or none of them; on return they are on disk. Gives the id of the clip that each
    /// change spoke of, in order ([`Change::Fail`] and [`Change::ClearFailure`] give none).
    ///
    /// # Errors
    /// [`Error::UnknownClip`], [`Error::DimMismatch`], [`Error::NotUnit`], [`Error::NonFinite`], [`Error::BadSegment`],
    /// [`Error::Limit`]: nothing was changed. [`Error::ReadOnly`]. [`Error::DiskFull`], [`Error::Io`], [`Error::Corrupt`]:
    /// the batch is not acknowledged, and this handle takes no more changes ([`Error::Failed`]); open the index again.
    pub fn apply(&self, changes: Vec<Change>) -> Result<Vec<ClipId>> {
        self.check_writable()?;
        let mut memory = self.write_memory();
        let mut batch = Batch::new(&self.store, self.dim(), memory.counters);
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
        memory.counters = counters;
        for effect in effects {
            memory.absorb(effect);
        }
        Ok(ids)
    }

    fn check_writable(&self) -> Result<()> {
        if self.writable { Ok(()) } else { Err(Error::ReadOnly { dir: self.dir.clone() }) }
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

    pub(crate) fn clip_records(&self) -> Result<impl Iterator<Item = Result<(ClipId, ClipRecord)>>> {
        Ok(self.store.scan(codec::CLIP_PREFIX)?.map(|pair| {
            let (key, value) = pair?;
            let id = codec::u64_at(&key, 1).ok_or_else(|| self.store.corrupt("a short clip key"))?;
            let record = codec::decode(&value).map_err(|what| self.store.corrupt(what))?;
            Ok((id, record))
        }))
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

    /// The segments nearest to `query` (`[dim]`, unit length) that the filter lets through: `k` of them, or fewer only when
    /// fewer match.
    ///
    /// # Errors
    /// [`Error::DimMismatch`], [`Error::NotUnit`], [`Error::NonFinite`], [`Error::BadFilter`], [`Error::Corrupt`],
    /// [`Error::Io`].
    pub fn search(&self, query: &[f32], req: &SearchRequest) -> Result<SearchResponse> {
        check_unit(query, self.dim())?;
        let matcher = Matcher::new(&req.filter)?;
        let memory = self.loaded(!matcher.is_open())?;
        let (Some(matrix), clips) = (&memory.matrix, &memory.clips) else {
            return Err(self.store.corrupt("the vectors are not in memory"));
        };
        let admitted = admitted(&matcher, clips.as_ref());
        let keep = Keep { k: req.k, min_score: req.min_score, collapse: req.collapse };
        let (spans, segments_admitted, clips_admitted) = search::admitted_spans(matrix, &admitted);
        let found = search::scan(matrix, &spans, query, keep);
        let hits = self.hits(&memory, matrix, &found)?;
        Ok(SearchResponse { hits, path: SearchPath::Exact, clips_admitted, segments_admitted })
    }

    fn hits(&self, memory: &Memory, matrix: &Matrix, found: &[Scored]) -> Result<Vec<Hit>> {
        let mut fetched = ClipTable::new();
        let mut hits = Vec::with_capacity(found.len());
        for scored in found {
            let known = memory.clips.as_ref().unwrap_or(&fetched).get(&scored.clip).cloned();
            let clip = match known {
                Some(clip) => clip,
                None => {
                    let clip = self
                        .clip(scored.clip)?
                        .ok_or_else(|| self.store.corrupt(format!("clip {} is missing", scored.clip)))?;
                    let clip = Arc::new(clip);
                    fetched.insert(clip.id, Arc::clone(&clip));
                    clip
                }
            };
            let info = matrix.info(scored.row);
            hits.push(Hit {
                clip,
                segment: info.segment,
                start_s: info.start_s,
                end_s: info.end_s,
                score: scored.score,
            });
        }
        Ok(hits)
    }

    /// Lends each segment that the filter lets through to `visit`, clip by clip and a clip's segments in order, until it
    /// gives `false`. The order of clips is not defined.
    ///
    /// # Errors
    /// [`Error::BadFilter`], [`Error::Corrupt`], [`Error::Io`].
    pub fn for_each_segment(
        &self,
        filter: &Filter,
        mut visit: impl FnMut(SegmentRef<'_>) -> bool,
    ) -> Result<()> {
        let matcher = Matcher::new(filter)?;
        let memory = self.loaded(true)?;
        let (Some(matrix), Some(clips)) = (&memory.matrix, &memory.clips) else {
            return Err(self.store.corrupt("the vectors are not in memory"));
        };
        let (spans, ..) = search::admitted_spans(matrix, &admitted(&matcher, Some(clips)));
        for row in spans.iter().flat_map(|&(from, to)| from..to).filter(|row| matrix.is_alive(*row)) {
            let info = matrix.info(row);
            let clip = clips
                .get(&info.clip)
                .ok_or_else(|| self.store.corrupt(format!("clip {} is missing", info.clip)))?;
            let go_on = visit(SegmentRef {
                clip,
                segment: info.segment,
                start_s: info.start_s,
                end_s: info.end_s,
                vector: matrix.row(row),
            });
            if !go_on {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn read_memory(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write_memory(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory with the vectors in it, and the clips' metadata too if asked for.
    pub(crate) fn loaded(&self, with_clips: bool) -> Result<RwLockReadGuard<'_, Memory>> {
        loop {
            let memory = self.read_memory();
            if memory.matrix.is_some() && (memory.clips.is_some() || !with_clips) {
                return Ok(memory);
            }
            drop(memory);
            let mut memory = self.write_memory();
            if memory.matrix.is_none() {
                memory.matrix = Some(self.read_matrix()?);
            }
            if memory.clips.is_none() && with_clips {
                let clips = self.clips()?.map(|clip| clip.map(|clip| (clip.id, Arc::new(clip))));
                memory.clips = Some(clips.collect::<Result<_>>()?);
            }
        }
    }

    /// Makes the graph ready for searches, loading or building it; does nothing while the index is small. Call it at the
    /// end of indexing.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn refresh_graph(&self) -> Result<()> {
        self.loaded(false).map(drop)
    }

    /// Makes all that is derived from the store anew.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn rebuild(&self) -> Result<RebuildReport> {
        let start = std::time::Instant::now();
        let mut memory = self.write_memory();
        let dropped_dead = memory.matrix.as_ref().map_or(0, Matrix::dead);
        let matrix = self.read_matrix()?;
        let rows = matrix.rows();
        memory.matrix = Some(matrix);
        let seconds = start.elapsed().as_secs_f64();
        Ok(RebuildReport { rows, dropped_dead, graph: false, seconds })
    }

    fn read_matrix(&self) -> Result<Matrix> {
        let mut matrix = Matrix::new(self.dim());
        for item in self.clip_records()? {
            let (clip, record) = item?;
            let mut segment = 0;
            self.read_segments(clip, |start_s, end_s, vector| {
                let seq = record.first_seq + u64::from(segment);
                let info = RowInfo { seq, clip, segment, start_s, end_s };
                matrix.push(info, vector.iter().map(|b| f32::from_le_bytes(*b)));
                segment += 1;
            })?;
            if segment != record.segments {
                let text = format!("clip {clip} has {segment} of its {} segments", record.segments);
                return Err(self.store.corrupt(text));
            }
        }
        matrix.seal();
        Ok(matrix)
    }
}

impl Memory {
    /// Follows a committed change.
    fn absorb(&mut self, effect: Effect) {
        match effect {
            Effect::Segments { id, record, segments } => {
                if let Some(matrix) = &mut self.matrix {
                    matrix.kill(id);
                    for (segment, s) in (0..).zip(segments) {
                        let (start_s, end_s) = (s.start_s, s.end_s);
                        let seq = record.first_seq + u64::from(segment);
                        let info = RowInfo { seq, clip: id, segment, start_s, end_s };
                        matrix.push(info, s.vector.into_iter());
                    }
                }
                self.set_meta(id, record.meta);
            }
            Effect::Meta { id, meta } => self.set_meta(id, meta),
            Effect::Gone { id } => {
                if let Some(matrix) = &mut self.matrix {
                    matrix.kill(id);
                }
                if let Some(clips) = &mut self.clips {
                    clips.remove(&id);
                }
            }
        }
    }

    fn set_meta(&mut self, id: ClipId, meta: ClipMeta) {
        if let Some(clips) = &mut self.clips {
            clips.insert(id, Arc::new(Clip { id, meta }));
        }
    }
}

fn admitted(matcher: &Matcher<'_>, clips: Option<&ClipTable>) -> Admitted {
    match clips {
        Some(clips) if !matcher.is_open() => Admitted::Only(
            clips.values().filter(|clip| matcher.admits(&clip.meta)).map(|clip| clip.id).collect(),
        ),
        _ => Admitted::All,
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

fn unix_now_s() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}
