//! What is derived from the store and kept in memory: loading it, keeping it current, saving it, making it anew.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use crate::batch::Effect;
use crate::codec::{self, Counters};
use crate::error::Result;
use crate::flat::{self, FlatHeader, Unusable};
use crate::graph::Graph;
use crate::graph_files;
use crate::index::{Index, random_u64};
use crate::search::ClipTable;
use crate::store::{Writes, lock};
use crate::types::{Clip, ClipId, ClipMeta, IndexEvent, RebuildReport};
use crate::vectors::{Matrix, RowInfo};

/// Rows from which the flat copy is worth writing. Measured (examples/measure.rs, 521 elements): sled gives up 170 rows a
/// millisecond, so that fewer than these are read in some 10 ms.
const FLAT_MIN_ROWS: usize = 2048;

/// The flat copy and the graph are left as they are until one row in this many is new.
const MIN_GROWTH: usize = 20;

/// All is made anew when one row in this many is dead.
const MAX_DEAD: usize = 5;

/// What is kept in memory; all but the counters is loaded when first needed.
pub(crate) struct Memory {
    pub(crate) counters: Counters,
    pub(crate) matrix: Option<Matrix>,
    pub(crate) clips: Option<ClipTable>,
    pub(crate) graph: Option<Graph>,
    /// The flat copy on disk, if it is of the matrix's lineage.
    saved: Option<FlatHeader>,
}

impl Memory {
    pub(crate) fn new(counters: Counters) -> Self {
        Self { counters, matrix: None, clips: None, graph: None, saved: None }
    }

    /// Follows a committed change.
    pub(crate) fn absorb(&mut self, effect: Effect) -> Result<()> {
        match effect {
            Effect::Segments { id, record, segments } => {
                if let Some(matrix) = &mut self.matrix {
                    matrix.kill(id);
                    for (segment, s) in (0..).zip(segments) {
                        let (start_s, end_s) = (s.start_s, s.end_s);
                        let seq = record.first_seq + u64::from(segment);
                        matrix.push(RowInfo { seq, clip: id, segment, start_s, end_s }, s.vector)?;
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
        Ok(())
    }

    fn set_meta(&mut self, id: ClipId, meta: ClipMeta) {
        if let Some(clips) = &mut self.clips {
            clips.insert(id, Arc::new(Clip { id, meta }));
        }
    }

    /// Puts another matrix in place, whose rows are numbered anew.
    fn replace_matrix(&mut self, matrix: Matrix, saved: Option<FlatHeader>) {
        self.matrix = Some(matrix);
        self.saved = saved;
        self.graph = None;
    }
}

impl Index {
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
                self.load_matrix(&mut memory)?;
                self.save_flat(&mut memory);
            }
            if memory.clips.is_none() && with_clips {
                let clips = self.clips()?.map(|clip| clip.map(|clip| (clip.id, Arc::new(clip))));
                memory.clips = Some(clips.collect::<Result<_>>()?);
            }
        }
    }

    /// Takes the vectors from the flat copy and what that lacks from the store, or all of them from the store.
    fn load_matrix(&self, memory: &mut Memory) -> Result<()> {
        let anchor: Option<u128> = self.store.record(codec::ANCHOR_KEY)?;
        let counters = memory.counters;
        let loaded = flat::load(&self.dir, self.dim(), |header| {
            let ours = Some(header.id) == anchor && header.stamp.commit <= counters.stamp.commit;
            if ours { Ok(()) } else { Err("stale".into()) }
        });
        let reason = match loaded {
            Ok((header, mut matrix)) => {
                if header.stamp == counters.stamp || self.catch_up(&header, &mut matrix)? {
                    memory.replace_matrix(matrix, Some(header));
                    return Ok(());
                }
                "it does not match the store".to_string()
            }
            Err(Unusable::Missing) => "missing".to_string(),
            Err(Unusable::Bad(reason)) => reason,
        };
        if anchor.is_some() {
            self.tell(IndexEvent::VectorsReread { reason });
        }
        memory.replace_matrix(self.read_matrix()?, None);
        Ok(())
    }

    /// All vectors from the store, numbered anew.
    fn read_matrix(&self) -> Result<Matrix> {
        let mut matrix = Matrix::new(self.dim(), random_u128());
        for item in self.clip_records()? {
            let (clip, record) = item?;
            self.read_rows(clip, &record, &mut matrix)?;
        }
        Ok(matrix)
    }

    fn read_rows(&self, clip: ClipId, record: &codec::ClipRecord, matrix: &mut Matrix) -> Result<()> {
        let mut segment = 0;
        let mut pushed = Ok(());
        self.read_segments(clip, |start_s, end_s, vector| {
            let seq = record.first_seq + u64::from(segment);
            let info = RowInfo { seq, clip, segment, start_s, end_s };
            if pushed.is_ok() {
                pushed = matrix.push(info, vector.iter().map(|b| f32::from_le_bytes(*b)));
            }
            segment += 1;
        })?;
        if segment != record.segments {
            let text = format!("clip {clip} has {segment} of its {} segments", record.segments);
            return Err(self.store.corrupt(text));
        }
        pushed
    }

    /// Brings a flat copy from an earlier commit up to date; false if it cannot be a copy of this store.
    fn catch_up(&self, header: &FlatHeader, matrix: &mut Matrix) -> Result<bool> {
        let mut gone: HashSet<ClipId> = matrix.clips().collect();
        let mut new = Vec::new();
        for item in self.clip_records()? {
            let (clip, record) = item?;
            if record.segments == 0 {
                continue;
            }
            if record.first_seq >= header.next_seq {
                new.push((clip, record));
                continue;
            }
            let same = matrix.clip_rows(clip).is_some_and(|(first, count)| {
                matrix.info(first).seq == record.first_seq && count == record.segments as usize
            });
            if !same {
                return Ok(false);
            }
            gone.remove(&clip);
        }
        for clip in gone {
            matrix.kill(clip);
        }
        for (clip, record) in new {
            self.read_rows(clip, &record, matrix)?;
        }
        Ok(true)
    }

    /// Writes the flat copy if it is worth it; a failure is told, since only speed is lost.
    fn save_flat(&self, memory: &mut Memory) {
        let Some(matrix) = memory.matrix.as_ref().filter(|_| self.is_writable()) else { return };
        let saved = memory.saved.as_ref().map_or(0, |saved| saved.rows as usize);
        let graph = memory.graph.as_ref().map_or(0, |graph| graph.rows);
        let fresh = matrix.rows().saturating_sub(saved);
        let wanted = fresh >= FLAT_MIN_ROWS.max(saved / MIN_GROWTH) || graph > saved;
        if !wanted {
            return;
        }
        let id = random_u128();
        let Counters { stamp, next_seq, .. } = memory.counters;
        let anchored = flat::save(&self.dir, matrix, id, stamp, next_seq).map_err(|e| e.to_string());
        let anchored = anchored.and_then(|header| {
            let value = codec::encode(&id).map_err(|e| e.to_string())?;
            let writes = Writes::from([(codec::ANCHOR_KEY.to_vec(), Some(value))]);
            self.store.commit(writes).map_err(|e| e.to_string())?;
            Ok(header)
        });
        match anchored {
            Ok(header) => memory.saved = Some(header),
            Err(reason) => self.tell(IndexEvent::CacheNotSaved { reason }),
        }
    }

    /// Makes searches fast: brings the flat copy on disk up to date, and in an index of at least
    /// [`crate::OpenOptions::graph_min_rows`] segments loads, builds or extends the graph (minutes, for the first time in a
    /// large index; searches go on meanwhile, by exact scan). For the end of an indexing job, and the start of a server.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`], [`crate::Error::Io`]. That derived files could not be written is an event, not an error.
    pub fn refresh_graph(&self) -> Result<()> {
        self.refresh(self.opts.graph_min_rows)
    }

    pub(crate) fn refresh(&self, graph_min_rows: usize) -> Result<()> {
        let _one_at_a_time = lock(&self.refreshing);
        drop(self.loaded(false)?);
        let mut memory = self.write_memory();
        if memory.matrix.as_ref().is_some_and(|matrix| matrix.dead() * MAX_DEAD > matrix.rows()) {
            let anew = self.read_matrix()?;
            memory.replace_matrix(anew, None);
        }
        let rows = memory.matrix.as_ref().map_or(0, Matrix::rows);
        if rows < graph_min_rows.max(1) {
            self.save_flat(&mut memory);
            return Ok(());
        }
        let ready = memory.graph.take();
        drop(memory);
        let grown = self.grown_graph(ready)?;
        let mut memory = self.write_memory();
        let lineage = memory.matrix.as_ref().map(|matrix| matrix.lineage);
        let changed = grown.as_ref().is_some_and(|(_, changed)| *changed);
        memory.graph = grown.map(|(graph, _)| graph).filter(|graph| Some(graph.lineage) == lineage);
        self.save_flat(&mut memory);
        drop(memory);
        let memory = self.read_memory();
        if let Some(graph) = memory.graph.as_ref().filter(|_| self.is_writable() && changed)
            && let Err(e) = graph_files::save(&self.dir, graph)
        {
            self.tell(IndexEvent::CacheNotSaved { reason: e.to_string() });
        }
        Ok(())
    }

    /// The graph over all full blocks of the matrix (give or take what is not worth inserting), from `ready`, from disk or
    /// from nothing; and whether it differs from the one on disk. None if it cannot be built.
    fn grown_graph(&self, ready: Option<Graph>) -> Result<Option<(Graph, bool)>> {
        let memory = self.loaded(false)?;
        let Some(matrix) = &memory.matrix else { return Ok(None) };
        let mut graph = match ready {
            Some(graph) => graph,
            None => match graph_files::load(&self.dir, matrix) {
                Ok(graph) => graph,
                Err(unusable) => {
                    if let Unusable::Bad(reason) = unusable {
                        self.tell(IndexEvent::GraphUnusable { reason });
                    }
                    Graph::new(matrix, matrix.rows())
                }
            },
        };
        let end = matrix.full_rows();
        let fresh: Vec<u32> =
            (graph.rows..end).filter(|row| matrix.is_alive(*row)).map(|row| row as u32).collect();
        // Inserting takes long, and needs the blocks only, which do not change.
        drop(memory);
        if fresh.is_empty() || (graph.rows > 0 && fresh.len() < graph.rows / MIN_GROWTH) {
            return Ok(Some((graph, false)));
        }
        let start = Instant::now();
        if let Err(reason) = graph.insert(&fresh, end) {
            self.tell(IndexEvent::GraphUnusable { reason });
            return Ok(None);
        }
        let seconds = start.elapsed().as_secs_f64();
        self.tell(IndexEvent::GraphBuilt { rows: graph.points(), inserted: fresh.len(), seconds });
        Ok(Some((graph, true)))
    }

    /// Makes all that is derived from the store anew: the vectors in memory, the flat copy, and the graph if the index is
    /// large enough for one.
    ///
    /// # Errors
    /// [`crate::Error::ReadOnly`], [`crate::Error::Corrupt`], [`crate::Error::Io`].
    pub fn rebuild(&self) -> Result<RebuildReport> {
        self.check_writable()?;
        let start = Instant::now();
        let dropped_dead = {
            let _one_at_a_time = lock(&self.refreshing);
            let mut memory = self.write_memory();
            let dead = memory.matrix.as_ref().map_or(0, Matrix::dead);
            graph_files::remove(&self.dir);
            let anew = self.read_matrix()?;
            memory.replace_matrix(anew, None);
            dead
        };
        self.refresh_graph()?;
        let memory = self.read_memory();
        Ok(RebuildReport {
            rows: memory.matrix.as_ref().map_or(0, Matrix::rows),
            dropped_dead,
            graph: memory.graph.is_some(),
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}

pub(crate) fn random_u128() -> u128 {
    u128::from(random_u64()) << 64 | u128::from(random_u64())
}
