//! What is derived from the store and kept in memory: loading it, and keeping it current.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use crate::batch::Effect;
use crate::codec::{self, Counters};
use crate::error::Result;
use crate::flat::{self, FlatHeader, Unusable};
use crate::graph::Graph;
use crate::index::{Index, random_u128};
use crate::report::IndexEvent;
use crate::search::ClipTable;
use crate::types::{Clip, ClipId, ClipMeta};
use crate::vectors::{Matrix, RowInfo};

/// What is kept in memory; all but the counters is loaded when first needed.
pub(crate) struct Memory {
    pub(crate) counters: Counters,
    pub(crate) matrix: Option<Matrix>,
    pub(crate) clips: Option<ClipTable>,
    pub(crate) graph: Option<Graph>,
    /// The flat copy on disk, if it is of the matrix's lineage.
    pub(crate) saved: Option<FlatHeader>,
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
    pub(crate) fn replace_matrix(&mut self, matrix: Matrix, saved: Option<FlatHeader>) {
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

    /// Takes the vectors from the flat copy and what that lacks from the store, or all of them from the
    /// store.
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
    pub(crate) fn read_matrix(&self) -> Result<Matrix> {
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
}
