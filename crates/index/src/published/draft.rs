//! The next published state, from the one before and what changed.
//!
//! Everything is written under names that no list mentions; [`Draft::commit`] then replaces the list. Small
//! segments are merged in tiers: a tier holds segments of about the same size, and as soon as it has
//! [`FANOUT`] of them they become one of the next. So a row is written again once a tier, and there are at
//! most [`FANOUT`] segments in each. A commit merges at most [`MERGED_BY_COMMIT`] bytes, so that a small one
//! never waits for a large merge; larger ones are left to [`Draft::tidy`].

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::builder::{self, Content};
use super::layout::{ClipView, RowRecord};
use super::list::{self, List, Totals};
use super::pieces::{Piece, Pieces};
use super::segment::{Plane, Segment};
use super::tombstones::Tombstones;
use crate::codec::{ClipRecord, Counters};
use crate::error::{Error, Result};
use crate::files::{remove_matching, sync_dir};
use crate::graph;
use crate::random::random_u64;
use crate::scan::codes::Coder;
use crate::steps;
use crate::types::{ClipId, Failure, Header, Segment as Stretch};

/// Segments in a tier.
const FANOUT: usize = 8;

/// Bytes that a commit writes again at most.
const MERGED_BY_COMMIT: u64 = 128 << 20;

/// Segments in a tier whose merging takes more than that.
const LARGE_FANOUT: usize = 32;

/// Bytes of a segment in the lowest tier, at most; each tier's are [`FANOUT`] times as large.
const LOWEST_TIER: u64 = 256 << 10;

/// A segment is written again without its dead rows when one row in this many is dead.
const MAX_DEAD: usize = 4;

/// What one or several commits changed.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    /// The clips as they are now; None for one that is gone.
    pub(crate) clips: BTreeMap<ClipId, Option<ClipRecord>>,
    /// The segments of clips whose vectors are new, by the sequence number of the first.
    pub(crate) vectors: BTreeMap<u64, (ClipId, Vec<Stretch>)>,
    /// The bad files as they are now; None for one that is forgotten.
    pub(crate) failures: BTreeMap<String, Option<Failure>>,
}

/// A published state in the making.
pub(crate) struct Draft {
    dir: PathBuf,
    folder: PathBuf,
    coder: Arc<Coder>,
    header: Header,
    totals: Totals,
    pieces: Pieces,
}

impl Draft {
    /// Goes on from `pieces`, of the index in `dir`, whose totals are given.
    pub(crate) fn new(
        dir: &Path,
        header: &Header,
        coder: &Arc<Coder>,
        pieces: Pieces,
        totals: Totals,
    ) -> Result<Self> {
        let folder = list::folder(dir);
        fs::create_dir_all(&folder).map_err(|e| Error::io(dir, &folder, e))?;
        let (dir, coder) = (dir.to_path_buf(), Arc::clone(coder));
        Ok(Self { dir, folder, coder, header: header.clone(), totals, pieces })
    }

    /// The pieces so far.
    pub(crate) fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// Takes in what changed.
    pub(crate) fn add(&mut self, delta: &Delta) -> Result<()> {
        let mut content = Content::default();
        let mut tags = Vec::new();
        for (id, record) in &delta.clips {
            let old = self.pieces.find(*id)?;
            if old.is_none() && record.is_none() {
                continue;
            }
            if let Some(old) = &old {
                self.totals.count(old, false);
                let is_kept = record.as_ref().is_some_and(|record| record.first_seq == old.first_seq);
                if let Some(place) = self.pieces.place(old).filter(|_| !is_kept) {
                    let piece = &mut self.pieces.0[place.piece];
                    Arc::make_mut(&mut piece.dead).mark(place.first, place.count);
                    piece.listed.tombstones = 0;
                }
            }
            let view = match record {
                Some(record) => ClipView::of(*id, record, &mut tags),
                None => ClipView { id: *id, first_seq: 0, segments: 0, meta: None },
            };
            self.totals.count(&view, true);
            content.add_clip(&view);
        }
        if !delta.failures.is_empty() {
            let known = self.pieces.failures()?;
            for (path, failure) in &delta.failures {
                match (known.contains_key(path), failure.is_some()) {
                    (false, false) => continue,
                    (false, true) => self.totals.failures += 1,
                    (true, false) => self.totals.failures = self.totals.failures.saturating_sub(1),
                    (true, true) => {}
                }
                content.add_failure(path, failure.as_ref());
            }
        }
        for (first_seq, (_, segments)) in &delta.vectors {
            content.add_group(*first_seq, segments.len());
        }
        if content.is_empty() {
            return Ok(());
        }
        let piece = self.write(&content, |rows| {
            for (clip, segments) in delta.vectors.values() {
                for (segment, s) in (0..).zip(segments) {
                    let record = RowRecord { clip: *clip, segment, start_s: s.start_s, end_s: s.end_s };
                    rows.push(record, &s.vector)?;
                }
            }
            Ok(())
        })?;
        self.pieces.0.push(piece);
        self.merge_tiers(MERGED_BY_COMMIT)
    }

    /// Merges what is too large for a commit, and drops all dead rows that are worth it. False if there was
    /// nothing to do.
    pub(crate) fn tidy(&mut self) -> Result<bool> {
        let names = |pieces: &Pieces| pieces.0.iter().map(|piece| piece.listed.name).collect::<Vec<_>>();
        let before = names(&self.pieces);
        self.drop_dead(u64::MAX)?;
        self.merge_tiers(u64::MAX)?;
        Ok(names(&self.pieces) != before)
    }

    /// Writes segments with many dead rows again, those of at most `budget` bytes.
    fn drop_dead(&mut self, mut budget: u64) -> Result<()> {
        for at in 0..self.pieces.0.len() {
            let piece = &self.pieces.0[at];
            let bytes = piece.listed.bytes;
            if piece.dead.dead() * MAX_DEAD > piece.segment.rows() && bytes <= budget {
                self.pieces.0[at] = self.merged(at, at + 1)?;
                budget -= bytes;
            }
        }
        Ok(())
    }

    /// Merges the segments from number `from` on into one.
    pub(crate) fn merge_from(&mut self, from: usize) -> Result<()> {
        let merged = self.merged(from, self.pieces.0.len())?;
        self.pieces.0.truncate(from);
        self.pieces.0.push(merged);
        Ok(())
    }

    /// Replaces the list: from here on, readers see this state. Returns the list and the pieces it names.
    pub(crate) fn commit(mut self, counters: &Counters, lost: u64) -> Result<(List, Pieces)> {
        self.drop_dead(MERGED_BY_COMMIT)?;
        for piece in &mut self.pieces.0 {
            if piece.dead.dead() > 0 && piece.listed.tombstones == 0 {
                let version = random_u64();
                let path = Tombstones::path(&self.folder, piece.listed.name, version);
                piece.dead.write(&path, piece.segment.rows()).map_err(|e| Error::io(&self.dir, &path, e))?;
                steps::reached("tombstones");
                (piece.listed.dead, piece.listed.tombstones) = (piece.dead.dead() as u64, version);
            }
        }
        let list = List {
            header: self.header,
            stamp: counters.stamp,
            next_clip: counters.next_clip,
            next_seq: counters.next_seq,
            lost,
            totals: self.totals,
            segments: self.pieces.0.iter().map(|piece| piece.listed).collect(),
        };
        let io = |e| Error::io(&self.dir, &self.folder, e);
        // First the files, then the list that names them.
        sync_dir(&self.folder).map_err(io)?;
        steps::reached("files");
        list.write(&self.dir).map_err(io)?;
        steps::reached("list");
        sweep(&self.folder, &list);
        steps::reached("sweep");
        Ok((list, self.pieces))
    }

    fn write(
        &self,
        content: &Content,
        rows: impl FnOnce(&mut builder::Rows<'_>) -> Result<()>,
    ) -> Result<Piece> {
        let dim = self.header.identity.dim;
        let listed = builder::write(&self.folder, dim, &self.coder, content, rows).map_err(|e| match e {
            Error::Io { path, source } => Error::io(&self.dir, &path, source),
            other => other,
        })?;
        steps::reached("segment");
        let segment = Segment::open(&self.folder, &listed, dim, self.coder.plane_bytes())?;
        let dead = Tombstones::new(segment.rows());
        Ok(Piece { segment: Arc::new(segment), dead: Arc::new(dead), listed })
    }

    /// Merges the newest segments while a tier is full, into segments of at most `limit` bytes.
    fn merge_tiers(&mut self, limit: u64) -> Result<()> {
        let mut tier = 0;
        loop {
            let tiers: Vec<u32> = self.pieces.0.iter().map(|piece| tier_of(piece.listed.bytes)).collect();
            // The newest segments that are in this tier or a lower one.
            let from = tiers.iter().rposition(|t| *t > tier).map_or(0, |at| at + 1);
            let bytes: u64 = self.pieces.0[from..].iter().map(|piece| piece.listed.bytes).sum();
            let fanout = if bytes > MERGED_BY_COMMIT { LARGE_FANOUT } else { FANOUT };
            if tiers[from..].iter().filter(|t| **t == tier).count() >= fanout {
                if bytes > limit {
                    return Ok(());
                }
                let merged = self.merged(from, tiers.len())?;
                steps::reached("merge");
                self.pieces.0.truncate(from);
                self.pieces.0.push(merged);
            } else if from == 0 {
                return Ok(());
            }
            tier += 1;
        }
    }

    /// One piece in place of pieces `from..to`, without their dead rows and superseded entries.
    fn merged(&self, from: usize, to: usize) -> Result<Piece> {
        let pieces = Pieces(self.pieces.0[from..to].to_vec());
        let mut content = Content::default();
        pieces.for_each_entry(|view| {
            // What says that a clip is gone is needed as long as an older segment may know it.
            if view.meta.is_some() || from > 0 {
                content.add_clip(&view);
            }
            Ok(true)
        })?;
        let mut failures = BTreeMap::new();
        for piece in &pieces.0 {
            failures.extend(piece.segment.failures()?);
        }
        for (path, failure) in failures.iter().filter(|(_, failure)| failure.is_some() || from > 0) {
            content.add_failure(path, failure.as_ref());
        }
        for piece in &pieces.0 {
            for (first_seq, _, count) in piece.live_groups() {
                content.add_group(first_seq, count);
            }
        }
        self.write(&content, |rows| {
            for piece in &pieces.0 {
                for (_, first, count) in piece.live_groups() {
                    for row in first..first + count {
                        let (record, vector) = piece.segment.row_bytes(row)?;
                        let [coarse, fine] =
                            [Plane::Coarse, Plane::Fine].map(|plane| piece.segment.row_codes(row, plane));
                        rows.push_bytes(record, coarse?, fine?, vector)?;
                    }
                }
                piece.segment.let_go();
            }
            Ok(())
        })
    }
}

impl Piece {
    /// The groups whose rows are alive; a clip's rows die together.
    fn live_groups(&self) -> impl Iterator<Item = (u64, usize, usize)> {
        self.segment
            .groups()
            .filter(|(_, first, count)| first + count <= self.segment.rows() && !self.dead.is_dead(*first))
    }
}

impl Totals {
    /// Adds a clip, or takes it away.
    fn count(&mut self, clip: &ClipView<'_>, add: bool) {
        let Some(meta) = &clip.meta else { return };
        let change = |total: &mut u64, by: u64| {
            *total = if add { total.saturating_add(by) } else { total.saturating_sub(by) };
        };
        change(&mut self.clips, 1);
        change(&mut self.segments, u64::from(clip.segments));
        change(&mut self.bytes, meta.size);
        self.duration_s += if add { meta.duration_s } else { -meta.duration_s };
        if self.clips == 0 {
            // No rest of what rounding left.
            self.duration_s = 0.0;
        }
    }
}

/// The tier of a segment of so many bytes.
fn tier_of(bytes: u64) -> u32 {
    (bytes / LOWEST_TIER).max(1).ilog(FANOUT as u64)
}

/// Removes files that no list names any more. Readers that have them mapped keep them.
fn sweep(folder: &Path, list: &List) {
    let mut kept: Vec<String> = Vec::new();
    for s in &list.segments {
        kept.extend(
            super::segment::path(folder, s.name).file_name().and_then(|n| n.to_str()).map(str::to_owned),
        );
        let dead = Tombstones::path(folder, s.name, s.tombstones);
        kept.push(graph::file_name(s.name));
        kept.extend(dead.file_name().and_then(|n| n.to_str()).map(str::to_owned));
    }
    kept.extend(list::path(Path::new("")).file_name().and_then(|n| n.to_str()).map(str::to_owned));
    kept.sort();
    remove_matching(folder, |name| kept.binary_search_by(|k| k.as_str().cmp(name)).is_err());
}
