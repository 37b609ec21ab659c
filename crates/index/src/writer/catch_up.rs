//! Publishing what the store holds and the published files do not: after a crash between the two, after a
//! full disk, and all of it where there are no usable files.

use std::collections::HashSet;

use super::{State, Writer};
use crate::codec::{self, ClipRecord};
use crate::error::Result;
use crate::published::draft::{Delta, Draft};
use crate::published::layout::ClipView;
use crate::published::list::Totals;
use crate::published::pieces::Pieces;
use crate::types::{ClipId, Failure, Segment};

/// Rows that are held in memory at a time.
const ROWS_AT_ONCE: usize = 1 << 15;

impl Writer {
    /// Publishes what the published files lack.
    pub(super) fn catch_up(&self, state: &mut State) -> Result<()> {
        let (pieces, totals) = state.published();
        self.publish_from(state, pieces, totals)
    }

    /// Publishes everything.
    pub(super) fn publish_all(&self, state: &mut State) -> Result<()> {
        self.publish_from(state, Pieces::default(), Totals::default())
    }

    /// Compares the store with `pieces`, clip by clip, and publishes the difference.
    fn publish_from(&self, state: &mut State, pieces: Pieces, totals: Totals) -> Result<()> {
        let mut draft = Draft::new(&self.dir, &self.header, &self.coder, pieces, totals)?;
        let mut there = HashSet::new();
        let mut changed: Vec<(ClipId, ClipRecord)> = Vec::new();
        let mut tags = Vec::new();
        for item in self.clip_records()? {
            let (id, record) = item?;
            there.insert(id);
            let view = draft.pieces().find(id)?;
            let is_same = view.is_some_and(|view| is_same(&view, &ClipView::of(id, &record, &mut tags)));
            if !is_same {
                changed.push((id, record));
            }
        }
        let mut delta = Delta::default();
        draft.pieces().for_each_clip(|view| {
            if !there.contains(&view.id) {
                delta.clips.insert(view.id, None);
            }
            Ok(true)
        })?;
        let mut forgotten = draft.pieces().failures()?;
        for pair in self.store.scan(codec::FAILURE_PREFIX)? {
            let failure: Failure = codec::decode(&pair?.1).map_err(|what| self.store.corrupt(what))?;
            if forgotten.remove(&failure.path).as_ref() != Some(&failure) {
                delta.failures.insert(failure.path.clone(), Some(failure));
            }
        }
        delta.failures.extend(forgotten.into_keys().map(|path| (path, None)));
        // Rows lie in the order of their sequence numbers, through all segments.
        changed.sort_unstable_by_key(|(_, record)| record.first_seq);
        let mut rows = 0;
        for (id, record) in changed {
            let known = draft.pieces().find(id)?.is_some_and(|view| view.first_seq == record.first_seq);
            if record.segments > 0 && !known {
                rows += record.segments as usize;
                delta.vectors.insert(record.first_seq, (id, self.segments_of(id, &record)?));
            }
            delta.clips.insert(id, Some(record));
            if rows >= ROWS_AT_ONCE {
                draft.add(&std::mem::take(&mut delta))?;
                rows = 0;
            }
        }
        draft.add(&delta)?;
        self.finish(state, draft)
    }

    /// A clip's segments, from the store.
    pub(super) fn segments_of(&self, id: ClipId, record: &ClipRecord) -> Result<Vec<Segment>> {
        let mut segments = Vec::with_capacity(record.segments.min(1 << 16) as usize);
        self.read_segments(id, |start_s, end_s, vector| {
            let vector = vector.iter().map(|b| f32::from_le_bytes(*b)).collect();
            segments.push(Segment { start_s, end_s, vector });
        })?;
        if segments.len() != record.segments as usize {
            let text = format!("clip {id} has {} of its {} segments", segments.len(), record.segments);
            return Err(self.store.corrupt(text));
        }
        Ok(segments)
    }
}

/// Whether a clip is published as the store has it.
pub(super) fn is_same(published: &ClipView<'_>, stored: &ClipView<'_>) -> bool {
    (published.first_seq, published.segments) == (stored.first_seq, stored.segments)
        && published.meta.map(|m| m.to_meta()) == stored.meta.map(|m| m.to_meta())
}
