//! Segments with their tombstones, read as one: the newest entry of a clip counts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use super::layout::ClipView;
use super::list::Listed;
use super::segment::Segment;
use super::tombstones::Tombstones;
use crate::error::Result;
use crate::types::{ClipId, Failure};

/// A segment as a list has it.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) segment: Arc<Segment>,
    pub(crate) dead: Arc<Tombstones>,
    pub(crate) listed: Listed,
}

/// Rows of one clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowRange {
    /// Which piece they are in.
    pub(crate) piece: usize,
    pub(crate) first: usize,
    pub(crate) count: usize,
}

/// Pieces, oldest first.
#[derive(Clone, Default)]
pub(crate) struct Pieces(pub(crate) Vec<Piece>);

impl Pieces {
    /// The newest entry of a clip; None where nothing is said of it, or that it is gone.
    pub(crate) fn find(&self, id: ClipId) -> Result<Option<ClipView<'_>>> {
        for piece in self.0.iter().rev() {
            if let Some(view) = piece.segment.find(id)? {
                return Ok(view.meta.is_some().then_some(view));
            }
        }
        Ok(None)
    }

    /// The clip at a path.
    pub(crate) fn find_path(&self, path: &str) -> Result<Option<ClipView<'_>>> {
        for piece in self.0.iter().rev() {
            for candidate in piece.segment.find_path(path)? {
                let now = self.find(candidate.id)?;
                if now.and_then(|view| view.meta).is_some_and(|meta| meta.path == path) {
                    return Ok(now);
                }
            }
        }
        Ok(None)
    }

    /// The clips whose files have this content, by id.
    pub(crate) fn find_hash(&self, hash: &[u8; 32]) -> Result<Vec<ClipView<'_>>> {
        let mut found = BTreeMap::new();
        for piece in &self.0 {
            for candidate in piece.segment.find_hash(hash)? {
                let now = self.find(candidate.id)?;
                if let Some(view) =
                    now.filter(|view| view.meta.is_some_and(|meta| meta.content_hash == *hash))
                {
                    found.insert(view.id, view);
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// Lends the newest entry of each clip to `visit`, by id, until it gives false; those of removed clips
    /// too.
    pub(crate) fn for_each_entry<'a>(
        &'a self,
        mut visit: impl FnMut(ClipView<'a>) -> Result<bool>,
    ) -> Result<()> {
        // The next entry of each piece; of the same clip, the newest piece comes first.
        let mut next: BinaryHeap<Reverse<(ClipId, Reverse<usize>, usize)>> = BinaryHeap::new();
        let offer = |next: &mut BinaryHeap<_>, piece: usize, at: usize| {
            let segment = &self.0[piece].segment;
            if at < segment.entries() {
                next.push(Reverse((segment.entry_id(at), Reverse(piece), at)));
            }
        };
        (0..self.0.len()).for_each(|piece| offer(&mut next, piece, 0));
        let mut last = None;
        while let Some(Reverse((id, Reverse(piece), at))) = next.pop() {
            offer(&mut next, piece, at + 1);
            if last.replace(id) != Some(id) && !visit(self.0[piece].segment.entry(at)?)? {
                break;
            }
        }
        Ok(())
    }

    /// As [`Self::for_each_entry`], of the clips that are there.
    pub(crate) fn for_each_clip<'a>(
        &'a self,
        mut visit: impl FnMut(ClipView<'a>) -> Result<bool>,
    ) -> Result<()> {
        self.for_each_entry(|view| if view.meta.is_some() { visit(view) } else { Ok(true) })
    }

    /// Where the rows of a clip are; None if it has none, or they are missing.
    pub(crate) fn place(&self, clip: &ClipView<'_>) -> Option<RowRange> {
        self.0.iter().enumerate().rev().find_map(|(piece, p)| {
            let (first, count) = p.segment.group(clip.first_seq).filter(|_| clip.segments > 0)?;
            Some(RowRange { piece, first, count })
        })
    }

    /// All remembered bad files, by path.
    pub(crate) fn failures(&self) -> Result<BTreeMap<String, Failure>> {
        let mut failures = BTreeMap::new();
        for piece in &self.0 {
            for (path, failure) in piece.segment.failures()? {
                match failure {
                    Some(failure) => failures.insert(path, failure),
                    None => failures.remove(&path),
                };
            }
        }
        Ok(failures)
    }

    /// Rows, dead ones included.
    pub(crate) fn rows(&self) -> usize {
        self.0.iter().map(|piece| piece.segment.rows()).sum()
    }

    /// Dead rows.
    pub(crate) fn dead(&self) -> usize {
        self.0.iter().map(|piece| piece.dead.dead()).sum()
    }
}
