//! Whether the store is sound, and the published files are what it holds.

use std::collections::{HashMap, HashSet};

use super::{Writer, catch_up};
use crate::audit::{Problems, are_times_sound};
use crate::codec::{self, ClipRecord};
use crate::error::Result;
use crate::published::layout::ClipView;
use crate::report::AuditReport;
use crate::snapshot::Snapshot;
use crate::store::lock;
use crate::types::{ClipId, Failure};
use crate::vectors::check_unit;

impl Writer {
    /// Checks that every record of the store agrees with every other, that every vector is sound, and that
    /// the published files hold the same. Searches are checked by [`Snapshot::audit`].
    ///
    /// # Errors
    /// [`crate::Error::Io`]. Damage is in the report.
    pub fn audit(&self) -> Result<AuditReport> {
        let snapshot = self.snapshot()?;
        let mut problems = Problems::default();
        let mut report = AuditReport::default();
        let clips = self.audit_clips(&snapshot, &mut problems, &mut report);
        if let Some(clips) = problems.note(clips)? {
            let lookups = self.audit_lookups(&clips, &mut problems);
            problems.note(lookups)?;
            let kept = self.audit_kept_tags(&mut problems);
            problems.note(kept)?;
            self.audit_names(clips.len(), &mut problems);
            let totals = &snapshot.list.totals;
            if (totals.clips, totals.segments) != (report.clips as u64, report.segments as u64) {
                let (clips, segments) = (report.clips, report.segments);
                problems.add(|| {
                    format!(
                        "{clips} clips, {segments} segments are stored, {}, {} published",
                        totals.clips, totals.segments
                    )
                });
            }
        }
        report.problems = problems.0;
        Ok(report)
    }

    /// Each clip, its segments and its vectors, here and as published.
    fn audit_clips(
        &self,
        snapshot: &Snapshot,
        problems: &mut Problems,
        report: &mut AuditReport,
    ) -> Result<HashMap<ClipId, ClipRecord>> {
        let counters = lock(&self.state).counters;
        let mut clips = HashMap::new();
        let mut ranges = Vec::new();
        let mut tags = Vec::new();
        for item in self.clip_records()? {
            let (id, record) = item?;
            if id >= counters.next_clip {
                problems.add(|| format!("clip {id} was never handed out"));
            }
            let Some(segments) = problems.note(self.segments_of(id, &record))? else { continue };
            for (number, segment) in segments.iter().enumerate() {
                if let Err(e) = check_unit(&segment.vector, self.dim()) {
                    problems.add(|| format!("clip {id}, segment {number}: {e}"));
                }
                if !are_times_sound(segment.start_s, segment.end_s) {
                    problems.add(|| {
                        format!("clip {id}, segment {number}: {} s to {} s", segment.start_s, segment.end_s)
                    });
                }
            }
            let published = problems.note(snapshot.pieces.find(id))?.flatten();
            let is_same = match published {
                Some(view) if catch_up::is_same(&view, &ClipView::of(id, &record, &mut tags)) => {
                    problems.note(snapshot.segments_of(&view))?.is_some_and(|published| published == segments)
                }
                _ => false,
            };
            if !is_same {
                problems.add(|| format!("clip {id} is not published as it is stored"));
            }
            report.clips += 1;
            report.segments += record.segments as usize;
            ranges.push((record.first_seq, record.first_seq + u64::from(record.segments)));
            clips.insert(id, record);
        }
        ranges.retain(|(from, to)| from < to);
        ranges.sort_unstable();
        if ranges.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            problems.add(|| "two clips share a segment's sequence number".to_string());
        }
        if ranges.last().is_some_and(|last| last.1 > counters.next_seq) {
            problems.add(|| "a segment's sequence number was never handed out".to_string());
        }
        Ok(clips)
    }

    /// Every lookup leads to a clip, every clip has its lookups, no segment is without its clip.
    fn audit_lookups(&self, clips: &HashMap<ClipId, ClipRecord>, problems: &mut Problems) -> Result<()> {
        let mut paths = HashSet::new();
        for pair in self.store.scan(codec::PATH_PREFIX)? {
            let (key, value) = pair?;
            let id: ClipId = codec::decode(&value).map_err(|what| self.store.corrupt(what))?;
            if clips.get(&id).is_some_and(|clip| clip.meta.path.as_bytes() == &key[1..]) {
                paths.insert(id);
            } else {
                problems.add(|| format!("path {} leads nowhere", String::from_utf8_lossy(&key[1..])));
            }
        }
        let mut hashes = HashSet::new();
        for pair in self.store.scan(codec::HASH_PREFIX)? {
            let (key, _) = pair?;
            let id = codec::u64_at(&key, 33).unwrap_or(0);
            if clips.get(&id).is_some_and(|clip| clip.meta.content_hash == key[1..33]) {
                hashes.insert(id);
            } else {
                problems.add(|| format!("a content hash leads to clip {id}, which has another"));
            }
        }
        for id in clips.keys() {
            if !paths.contains(id) || !hashes.contains(id) {
                problems.add(|| format!("clip {id} cannot be looked up by path or content"));
            }
        }
        for pair in self.store.scan(codec::CHUNK_PREFIX)? {
            let (key, _) = pair?;
            let owned = codec::parse_chunk_key(&key).is_some_and(|(id, chunk)| {
                clips.get(&id).is_some_and(|clip| chunk < codec::chunk_count(clip.segments, self.dim()))
            });
            if !owned {
                problems.add(|| format!("segments without a clip (key {key:?})"));
            }
        }
        for pair in self.store.scan(codec::FAILURE_PREFIX)? {
            let (key, value) = pair?;
            let failure: Result<Failure, _> = codec::decode(&value);
            if failure.is_ok_and(|failure| failure.path.as_bytes() != &key[1..]) {
                problems.add(|| "a failure is filed under another path".to_string());
            }
        }
        Ok(())
    }
}
