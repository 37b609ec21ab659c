//! Searching a frozen graph.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::frozen::FrozenGraph;
use crate::error::Result;
use crate::published::segment::{Plane, Segment};
use crate::query::QueryKind;
use crate::scan::codes::{CodedQuery, Coder};
use crate::scan::kernel::prefetch;
use crate::scan::{bounds, ordered};

/// Rows that a search for a text starts from, at most.
const TEXT_ENTRIES: usize = 64;

/// One search of one segment's graph.
pub(crate) struct Walk<'a> {
    pub(crate) segment: &'a Segment,
    pub(crate) graph: &'a FrozenGraph,
    pub(crate) coder: &'a Coder,
    pub(crate) query: &'a CodedQuery,
}

/// A row and its score, the better the larger.
fn key(score: f32, row: u32) -> u64 {
    u64::from(ordered(score)) << 32 | u64::from(row)
}

fn row_of(key: u64) -> u32 {
    key as u32
}

impl Walk<'_> {
    /// About `ef` of the rows that score best and that `admits`.
    pub(crate) fn nearest(
        &self,
        kind: QueryKind,
        ef: usize,
        admits: impl Fn(usize) -> bool,
    ) -> Result<Vec<u32>> {
        let mut seen = Seen::new(self.segment.rows());
        let mut next = BinaryHeap::new();
        // The worst on top.
        let mut best: BinaryHeap<Reverse<u64>> = BinaryHeap::with_capacity(ef + 1);
        for entry in self.entries(kind, ef)? {
            if seen.insert(row_of(entry)) {
                next.push(entry);
                if admits(row_of(entry) as usize) {
                    keep(&mut best, entry, ef);
                }
            }
        }
        let mut fresh = Vec::with_capacity(super::BASE_LINKS);
        while let Some(key) = next.pop() {
            if best.len() >= ef && best.peek().is_some_and(|worst| key < worst.0) {
                break;
            }
            fresh.clear();
            fresh.extend(self.graph.links(row_of(key))?.filter(|row| seen.insert(*row)));
            for row in &fresh {
                self.bring_near(*row);
            }
            for row in &fresh {
                let key = self.score(*row)?;
                if best.len() < ef || best.peek().is_none_or(|worst| key > worst.0) {
                    next.push(key);
                    if admits(*row as usize) {
                        keep(&mut best, key, ef);
                    }
                }
            }
        }
        Ok(best.into_iter().map(|Reverse(key)| row_of(key)).collect())
    }

    fn bring_near(&self, row: u32) {
        for plane in [Plane::Coarse, Plane::Fine] {
            prefetch(self.segment.peek_codes(row as usize, plane));
        }
    }

    fn score(&self, row: u32) -> Result<u64> {
        let (least, most) = bounds(self.segment, self.coder, self.query, row as usize)?;
        Ok(key(f32::midpoint(least, most), row))
    }

    /// Where to start.
    fn entries(&self, kind: QueryKind, ef: usize) -> Result<Vec<u64>> {
        match kind {
            QueryKind::Sound => self.descend(),
            QueryKind::Text => self.best_of_cover(ef.min(TEXT_ENTRIES)),
        }
    }

    /// Down through the upper layers, in each to the point that is nearer than all it is linked to.
    fn descend(&self) -> Result<Vec<u64>> {
        let Some(mut at) = self.graph.entry() else { return Ok(Vec::new()) };
        let mut best = self.score(at)?;
        for layer in (1..=self.graph.layers()).rev() {
            loop {
                let before = best;
                for row in self.graph.upper_links(layer, at) {
                    best = best.max(self.score(row)?);
                }
                if best == before {
                    break;
                }
                at = row_of(best);
            }
        }
        Ok(vec![best])
    }

    fn best_of_cover(&self, count: usize) -> Result<Vec<u64>> {
        /// Rows ahead of the one that is compared.
        const AHEAD: usize = 8;
        let rows = self.graph.cover();
        let mut best: BinaryHeap<Reverse<u64>> = BinaryHeap::with_capacity(count + 1);
        for (at, row) in rows.iter().enumerate() {
            if let Some(row) = rows.get(at + AHEAD) {
                self.bring_near(u32::from_le_bytes(*row));
            }
            keep(&mut best, self.score(u32::from_le_bytes(*row))?, count);
        }
        Ok(best.into_iter().map(|Reverse(key)| key).collect())
    }
}

/// Keeps the best `count`.
fn keep(best: &mut BinaryHeap<Reverse<u64>>, key: u64, count: usize) {
    if best.len() < count {
        best.push(Reverse(key));
    } else if let Some(mut worst) = best.peek_mut()
        && key > worst.0
    {
        *worst = Reverse(key);
    }
}

/// Rows that were seen, a bit each.
struct Seen {
    bits: Vec<u64>,
    rows: usize,
}

impl Seen {
    fn new(rows: usize) -> Self {
        Self { bits: vec![0; rows.div_ceil(64)], rows }
    }

    /// False if it was seen before, or there is no such row.
    fn insert(&mut self, row: u32) -> bool {
        let is_there = (row as usize) < self.rows;
        let Some(word) = self.bits.get_mut(row as usize / 64).filter(|_| is_there) else { return false };
        let bit = 1 << (row % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}
