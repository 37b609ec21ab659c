//! Comparing a query with every admitted row: by compact codes, or in full precision.
//!
//! - `codes`, `kernel`: what compact codes are, and how they are compared quickly
//!
//! A search by codes is exact in effect. Codes give each row the least and the most that its cosine can be:
//! the coarse plane of all rows first, the fine plane of those that may be among the best by it; the rows
//! that still may are then compared in full precision. How many these are depends on the data, not on a
//! setting: a hundred or so where scores are spread out, all rows where they are all the same.

pub(crate) mod codes;
pub(crate) mod kernel;

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::atomic::{self, AtomicU32, AtomicUsize};
use std::thread;

use codes::{Bounds, CodedQuery, Coder};

use crate::error::Result;
use crate::published::layout::CODE_BLOCK;
use crate::published::pieces::Pieces;
use crate::published::segment::{Plane, Segment};
use crate::types::ClipId;
use crate::vectors::cosine;

/// Rows that one thread should at least compare: starting a thread takes as long as some thousand rows.
const ROWS_PER_THREAD: usize = 1 << 14;

/// More threads than this find memory, not arithmetic, in their way.
const MAX_THREADS: usize = 16;

/// Blocks of rows that a thread takes at a time.
const BLOCKS_AT_ONCE: usize = 8;

/// Candidates compared in full precision at first; then twice as many, and so on.
const FIRST_COMPARED: usize = 128;

/// Candidates from which several threads compare them.
const COMPARE_TOGETHER: usize = 1024;

/// Words of 64 rows in a block.
const BLOCK_WORDS: usize = CODE_BLOCK / 64;

/// The rows that may be returned.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// All that are alive.
    All,
    /// A bit a row, for each piece.
    Only(Vec<Vec<u64>>),
}

/// A row and its score, ordered so that the better one is `Less`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored {
    pub(crate) score: f32,
    pub(crate) clip: ClipId,
    pub(crate) start_s: f64,
    pub(crate) end_s: f64,
    pub(crate) segment: u32,
}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then(self.clip.cmp(&other.clip))
            .then(self.start_s.total_cmp(&other.start_s))
            .then(self.segment.cmp(&other.segment))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scored {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scored {}

/// A row that may be among the best.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// The least that its cosine can be.
    pub(crate) least: f32,
    /// The most.
    pub(crate) most: f32,
    pub(crate) clip: ClipId,
    pub(crate) piece: u32,
    pub(crate) row: u32,
}

/// One search.
pub(crate) struct Scan<'a> {
    pub(crate) pieces: &'a Pieces,
    pub(crate) admitted: &'a Admitted,
    /// `[dim]`, unit length.
    pub(crate) query: &'a [f32],
    /// How many to find.
    pub(crate) k: usize,
    /// Keep only the best row of each clip.
    pub(crate) collapse: bool,
    /// What was read is not needed again: it shall not count as memory of this process.
    pub(crate) once: bool,
}

impl Scan<'_> {
    /// The `k` best rows, best first, by way of their codes.
    pub(crate) fn by_codes(&self, coder: &Coder) -> Result<Vec<Scored>> {
        let mut all = self.scan(coder, &coder.query(self.query), &|_| true)?;
        self.prune(&mut all);
        self.compare(all)
    }

    /// The rows of the wanted pieces that may be among the best.
    pub(crate) fn scan(
        &self,
        coder: &Coder,
        query: &CodedQuery,
        wanted: &dyn Fn(usize) -> bool,
    ) -> Result<Vec<Candidate>> {
        let shared = Floor::default();
        let parts = self.in_parallel(wanted, |next| self.candidates(coder, query, &shared, next))?;
        Ok(parts.into_iter().flatten().collect())
    }

    /// Rows of one piece as candidates.
    pub(crate) fn candidates_of(
        &self,
        coder: &Coder,
        query: &CodedQuery,
        piece: usize,
        rows: &[u32],
    ) -> Result<Vec<Candidate>> {
        let segment = &self.pieces.0[piece].segment;
        let candidate = |row: &u32| {
            let (least, most) = bounds(segment, coder, query, *row as usize)?;
            let clip = segment.row_clip(*row as usize);
            Ok(Candidate { least, most, clip, piece: piece as u32, row: *row })
        };
        rows.iter().map(candidate).collect()
    }

    /// Whether a row may be returned.
    pub(crate) fn admits(&self, piece: usize, row: usize) -> bool {
        self.word(piece, row / 64) >> (row % 64) & 1 == 1
    }

    /// The `k` best rows, best first, all compared in full precision.
    pub(crate) fn exact(&self) -> Result<Vec<Scored>> {
        let parts = self.in_parallel(&|_| true, |next| {
            let mut found = Vec::new();
            let limit = self.k.saturating_mul(2).saturating_add(1024);
            let mut floor = f32::NEG_INFINITY;
            while let Some((piece, block)) = next() {
                for row in self.rows(piece, block) {
                    let scored = self.score(piece, row)?;
                    if scored.score >= floor {
                        found.push(scored);
                    }
                }
                if found.len() >= limit {
                    found = self.best(found);
                    floor = self.worst_of(&found);
                }
            }
            Ok(self.best(found))
        })?;
        Ok(self.best(parts.into_iter().flatten().collect()))
    }

    /// Runs `work` on all cores; each gets a way to fetch the next block of a wanted piece. Gives what each
    /// found.
    fn in_parallel<T: Send>(
        &self,
        wanted: &dyn Fn(usize) -> bool,
        work: impl Fn(&mut dyn FnMut() -> Option<(usize, usize)>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        // Where each piece's blocks begin, counted through all of them.
        let rows: Vec<usize> = (self.pieces.0.iter().enumerate())
            .map(|(number, piece)| if wanted(number) { piece.segment.rows() } else { 0 })
            .collect();
        let blocks = |rows: &usize| rows.div_ceil(CODE_BLOCK);
        let starts: Vec<usize> =
            rows.iter().scan(0, |at, rows| Some(std::mem::replace(at, *at + blocks(rows)))).collect();
        let all: usize = rows.iter().map(blocks).sum();
        if self.k == 0 || all == 0 {
            return Ok(Vec::new());
        }
        let cursor = AtomicUsize::new(0);
        let work_here = || {
            let mut taken = 0..0;
            let mut next = || {
                if taken.is_empty() {
                    let from = cursor.fetch_add(BLOCKS_AT_ONCE, atomic::Ordering::Relaxed);
                    taken = from.min(all)..(from + BLOCKS_AT_ONCE).min(all);
                }
                let block = taken.next()?;
                let piece = starts.partition_point(|start| *start <= block).checked_sub(1)?;
                Some((piece, block - starts[piece]))
            };
            work(&mut next)
        };
        let threads = threads(rows.iter().sum());
        if threads == 1 {
            return Ok(vec![work_here()?]);
        }
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work_here)).collect();
            let here = work_here();
            std::iter::once(here).chain(others.into_iter().map(joined)).collect()
        })
    }

    /// The admitted live rows among 64 of a piece, as bits.
    fn word(&self, piece: usize, word: usize) -> u64 {
        let rows = self.pieces.0[piece].segment.rows();
        let there = match rows.saturating_sub(64 * word) {
            0 => 0,
            left if left < 64 => (1 << left) - 1,
            _ => u64::MAX,
        };
        let admitted = match self.admitted {
            Admitted::All => u64::MAX,
            Admitted::Only(bits) => bits.get(piece).and_then(|bits| bits.get(word)).copied().unwrap_or(0),
        };
        there & admitted & !self.pieces.0[piece].dead.word(word)
    }

    /// The admitted live rows of a block.
    fn rows(&self, piece: usize, block: usize) -> impl Iterator<Item = usize> {
        (block * BLOCK_WORDS..(block + 1) * BLOCK_WORDS).flat_map(move |word| {
            let mut bits = self.word(piece, word);
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                Some(64 * word + bit)
            })
        })
    }

    /// The rows that may be among the best, of the blocks that `next` gives.
    fn candidates(
        &self,
        coder: &Coder,
        query: &CodedQuery,
        shared: &Floor,
        next: &mut dyn FnMut() -> Option<(usize, usize)>,
    ) -> Result<Vec<Candidate>> {
        let mut found: Vec<Candidate> = Vec::new();
        let mut limit = self.k.saturating_mul(2).saturating_add(512);
        while let Some((piece, block)) = next() {
            let segment = &self.pieces.0[piece].segment;
            let mut floor = shared.get();
            let mut rows = self.rows(piece, block).peekable();
            // A block without admitted rows is not even read.
            let coarse = if rows.peek().is_some() { segment.codes(block, Plane::Coarse)? } else { &[] };
            let bytes = segment.plane_bytes();
            let mut fine: &[u8] = &[];
            for row in rows {
                let at = row % CODE_BLOCK * bytes;
                let ((_, most), sum) = coder.coarse(&coarse[at..at + bytes], query);
                if most < floor {
                    continue;
                }
                if fine.is_empty() {
                    fine = segment.codes(block, Plane::Fine)?;
                }
                let (least, most) = coder.fine(&fine[at..at + bytes], query, sum);
                if most < floor {
                    continue;
                }
                let clip = segment.row_clip(row);
                found.push(Candidate { least, most, clip, piece: piece as u32, row: row as u32 });
                if found.len() >= limit {
                    shared.raise(self.prune(&mut found));
                    floor = shared.get();
                    // Where many are about the same, pruning again and again finds nothing to prune.
                    limit = limit.max(found.len().saturating_mul(2));
                }
            }
            if self.once && block % BLOCKS_AT_ONCE == BLOCKS_AT_ONCE - 1 {
                segment.let_go_codes(block + 1 - BLOCKS_AT_ONCE..block + 1);
            }
        }
        shared.raise(self.prune(&mut found));
        Ok(found)
    }

    /// Leaves out the candidates that `k` others are certainly better than; gives what a row must be able to
    /// reach.
    pub(crate) fn prune(&self, found: &mut Vec<Candidate>) -> f32 {
        let better = |a: &Candidate, b: &Candidate| b.least.total_cmp(&a.least);
        if self.k == 0 || found.len() < self.k {
            return f32::NEG_INFINITY;
        }
        let floor = if self.collapse {
            found.sort_unstable_by(better);
            let mut clips = HashSet::with_capacity(self.k);
            let last = found.iter().find(|c| clips.insert(c.clip) && clips.len() == self.k);
            last.map_or(f32::NEG_INFINITY, |c| c.least)
        } else {
            found.select_nth_unstable_by(self.k - 1, better).1.least
        };
        found.retain(|c| c.most >= floor);
        floor
    }

    /// The best of the candidates by their cosines.
    pub(crate) fn compare(&self, mut all: Vec<Candidate>) -> Result<Vec<Scored>> {
        all.sort_unstable_by(|a, b| b.most.total_cmp(&a.most));
        let mut found = Vec::new();
        let (mut from, mut count) = (0, FIRST_COMPARED.max(self.k));
        loop {
            // They are sorted: those from here on cannot be among the best.
            let worst = self.worst_of(&found);
            all.truncate(all.partition_point(|c| c.most >= worst));
            if from >= all.len() {
                return Ok(found);
            }
            let to = from.saturating_add(count).min(all.len());
            found.extend(self.scores(&all[from..to])?);
            found = self.best(found);
            (from, count) = (to, count.saturating_mul(2));
        }
    }

    fn scores(&self, candidates: &[Candidate]) -> Result<Vec<Scored>> {
        let score_all = |part: &[Candidate]| {
            part.iter().map(|c| self.score(c.piece as usize, c.row as usize)).collect::<Result<Vec<_>>>()
        };
        if candidates.len() < COMPARE_TOGETHER {
            return score_all(candidates);
        }
        let share = candidates.len().div_ceil(threads(usize::MAX));
        thread::scope(|scope| {
            let workers: Vec<_> =
                candidates.chunks(share).map(|part| scope.spawn(move || score_all(part))).collect();
            let parts: Result<Vec<_>> = workers.into_iter().map(joined).collect();
            Ok(parts?.into_iter().flatten().collect())
        })
    }

    fn score(&self, piece: usize, row: usize) -> Result<Scored> {
        let (record, vector) = self.pieces.0[piece].segment.row(row)?;
        // -0.0 and 0.0 are the same score, but not the same to total_cmp.
        let score = cosine(self.query, vector) + 0.0;
        let (clip, segment) = (record.clip, record.segment);
        Ok(Scored { score, clip, start_s: record.start_s, end_s: record.end_s, segment })
    }

    /// Sorts what was found, keeps one row a clip if asked to, and at most `k`.
    fn best(&self, mut found: Vec<Scored>) -> Vec<Scored> {
        found.sort_unstable();
        if self.collapse {
            let mut seen = HashSet::new();
            found.retain(|scored| seen.insert(scored.clip));
        }
        found.truncate(self.k);
        found
    }

    /// The score that a row must have to be among the best of `found`, which is sorted.
    fn worst_of(&self, found: &[Scored]) -> f32 {
        found.get(self.k.wrapping_sub(1)).map_or(f32::NEG_INFINITY, |scored| scored.score)
    }
}

/// What the cosine of the query and a row may be.
pub(crate) fn bounds(segment: &Segment, coder: &Coder, query: &CodedQuery, row: usize) -> Result<Bounds> {
    let (_, sum) = coder.coarse(segment.row_codes(row, Plane::Coarse)?, query);
    Ok(coder.fine(segment.row_codes(row, Plane::Fine)?, query, sum))
}

/// Threads for so many rows.
fn threads(rows: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (rows / ROWS_PER_THREAD).clamp(1, cores.min(MAX_THREADS))
}

/// What a thread gave; its panic goes on here.
fn joined<T>(worker: thread::ScopedJoinHandle<'_, T>) -> T {
    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What a row must be able to reach, as all threads know it: it only rises.
struct Floor(AtomicU32);

impl Default for Floor {
    fn default() -> Self {
        Self(AtomicU32::new(ordered(f32::NEG_INFINITY)))
    }
}

impl Floor {
    fn raise(&self, to: f32) {
        self.0.fetch_max(ordered(to), atomic::Ordering::Relaxed);
    }

    fn get(&self) -> f32 {
        let bits = self.0.load(atomic::Ordering::Relaxed);
        f32::from_bits(if bits >> 31 == 1 { bits & !(1 << 31) } else { !bits })
    }
}

/// A number that is the larger the larger `x` is.
pub(crate) fn ordered(x: f32) -> u32 {
    let bits = x.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_only_rises() {
        let floor = Floor::default();
        assert_eq!(floor.get(), f32::NEG_INFINITY);
        for (to, is) in [(-0.5, -0.5), (-0.75, -0.5), (-0.0, -0.0), (0.25, 0.25), (0.125, 0.25)] {
            floor.raise(to);
            assert_eq!(floor.get(), is);
        }
    }
}
