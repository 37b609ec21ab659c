//! Putting back into the store what it lost and the published files still hold.
//!
//! sled drops what follows a damaged record, and opens as if it had never been. Every batch is published too,
//! so the published files then are of a later state than the store. The clips that the store lacks, or has in
//! an older form, are written into it again under the ids that they had. Clips that the store has and the
//! published state has not (they were removed in a lost batch) stay: nobody needs to have lost anything
//! twice.

use std::sync::Arc;

use super::{State, Writer, catch_up, next_stamp};
use crate::codec::{self, ClipRecord};
use crate::error::Result;
use crate::published::layout::ClipView;
use crate::report::IndexEvent;
use crate::snapshot::Snapshot;
use crate::steps;
use crate::store::Writes;
use crate::types::ClipId;

/// Clips that are written at a time.
const CLIPS_AT_ONCE: usize = 256;

impl Writer {
    /// Takes over from `published`, which is of a later state.
    pub(super) fn restore(&self, state: &mut State, published: Snapshot) -> Result<()> {
        let lost = published.stamp().commit - state.counters.stamp.commit;
        let mut missing: Vec<ClipId> = Vec::new();
        let mut tags = Vec::new();
        published.pieces.for_each_clip(|view| {
            let stored: Option<ClipRecord> = self.store.record(&codec::clip_key(view.id))?;
            let is_there =
                stored.is_some_and(|s| catch_up::is_same(&view, &ClipView::of(view.id, &s, &mut tags)));
            if !is_there {
                missing.push(view.id);
            }
            Ok(true)
        })?;
        for ids in missing.chunks(CLIPS_AT_ONCE) {
            let mut writes = Writes::new();
            for id in ids {
                self.put_back(*id, &published, &mut writes)?;
            }
            self.store.commit(writes)?;
            steps::reached("restore");
        }
        // Only now does the store say that it is of a later state: until here, a crash begins again.
        let mut counters = state.counters;
        counters.next_clip = counters.next_clip.max(published.list.next_clip);
        counters.next_seq = counters.next_seq.max(published.list.next_seq);
        counters.stamp = next_stamp(published.stamp().commit);
        self.store.commit(Writes::from([
            (codec::COUNTERS_KEY.to_vec(), Some(codec::encode(&counters)?)),
            (codec::PUBLISHED_KEY.to_vec(), Some(codec::encode(&published.stamp())?)),
        ]))?;
        let _ = self.witness.note(counters.stamp.commit);
        state.counters = counters;
        state.lost = published.list.lost;
        state.published = Some(Arc::new(published));
        self.tell(IndexEvent::BatchesRestored { batches: lost, clips: missing.len() });
        Ok(())
    }

    /// Writes for one clip as it is published.
    fn put_back(&self, id: ClipId, published: &Snapshot, writes: &mut Writes) -> Result<()> {
        let Some(view) = published.pieces.find(id)? else { return Ok(()) };
        let Some(meta) = view.meta.map(|meta| meta.to_meta()) else { return Ok(()) };
        let segments = published.segments_of(&view)?;
        self.erase(id, writes)?;
        let at_its_path: Option<ClipId> = self.store.record(&codec::path_key(&meta.path))?;
        if let Some(other) = at_its_path.filter(|other| *other != id) {
            self.erase(other, writes)?;
        }
        for (number, chunk) in (0..).zip(segments.chunks(codec::rows_per_chunk(self.dim()))) {
            writes.insert(codec::chunk_key(id, number), Some(codec::encode_chunk(chunk)));
        }
        writes.insert(codec::path_key(&meta.path), Some(codec::encode(&id)?));
        writes.insert(codec::hash_key(&meta.content_hash, id), Some(Vec::new()));
        let record = ClipRecord { meta, first_seq: view.first_seq, segments: view.segments };
        writes.insert(codec::clip_key(id), Some(codec::encode(&record)?));
        Ok(())
    }

    /// Writes that take a clip out of the store, if it is there and no earlier write puts it back.
    fn erase(&self, id: ClipId, writes: &mut Writes) -> Result<()> {
        let key = codec::clip_key(id);
        if writes.get(&key).is_some_and(Option::is_some) {
            return Ok(());
        }
        let Some(old) = self.store.record::<ClipRecord>(&key)? else { return Ok(()) };
        for chunk in 0..codec::chunk_count(old.segments, self.dim()) {
            writes.insert(codec::chunk_key(id, chunk), None);
        }
        let path = codec::path_key(&old.meta.path);
        if !writes.get(&path).is_some_and(Option::is_some) {
            writes.insert(path, None);
        }
        writes.insert(codec::hash_key(&old.meta.content_hash, id), None);
        writes.insert(codec::texts_key(id), None);
        writes.insert(key, None);
        Ok(())
    }
}
