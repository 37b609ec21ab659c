//! The vectors in memory: rows of one matrix, some of them dead.
//!
//! Rows are added at the end and never moved or changed, so that a row number is a lasting name: the graph
//! knows its points by it. The rows of a clip are neighbours, in the order of its segments.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::types::ClipId;

/// How far a vector's length may be from 1. An f32 vector normalised in f32 is within 1e-5 even at a few
/// thousand elements; one that went through f16 is within 1e-3.
pub const UNIT_TOLERANCE: f32 = 1e-3;

/// Where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RowInfo {
    /// The segment's sequence number in the store.
    pub(crate) seq: u64,
    pub(crate) clip: ClipId,
    /// Which of the clip's segments.
    pub(crate) segment: u32,
    pub(crate) start_s: f64,
    pub(crate) end_s: f64,
}

/// Rows in a block.
pub(crate) const BLOCK_ROWS: usize = 256;

/// Blocks in a matrix at most: 16.7 million rows, 35 GB of them at 521 elements.
const MAX_BLOCKS: usize = 1 << 16;

/// Full blocks of rows, `[BLOCK_ROWS, dim]` each. A block never changes once it is there, so that the graph
/// can hold on to the same blocks while the matrix grows.
pub(crate) struct Blocks {
    dim: usize,
    slots: Box<[OnceLock<Box<[f32]>>]>,
}

impl Blocks {
    fn new(dim: usize) -> Self {
        Self { dim, slots: (0..MAX_BLOCKS).map(|_| OnceLock::new()).collect() }
    }

    /// The row, which must lie in a full block; empty if it does not.
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        let block = self.slots.get(row / BLOCK_ROWS).and_then(OnceLock::get);
        let at = row % BLOCK_ROWS * self.dim;
        block.map_or(&[], |block| &block[at..at + self.dim])
    }
}

/// All rows, live and dead.
pub(crate) struct Matrix {
    dim: usize,
    /// Names the numbering of the rows: two matrices of the same lineage agree on all rows that both have.
    pub(crate) lineage: u128,
    blocks: Arc<Blocks>,
    /// Rows after the last full block, `[< BLOCK_ROWS, dim]`.
    tail: Vec<f32>,
    info: Vec<RowInfo>,
    alive: Vec<bool>,
    dead: usize,
    /// First row and number of rows of each live clip that has any.
    clips: HashMap<ClipId, (usize, usize)>,
}

impl Matrix {
    pub(crate) fn new(dim: usize, lineage: u128) -> Self {
        Self {
            dim,
            lineage,
            blocks: Arc::new(Blocks::new(dim)),
            tail: Vec::new(),
            info: Vec::new(),
            alive: Vec::new(),
            dead: 0,
            clips: HashMap::new(),
        }
    }

    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// Rows, dead ones included.
    pub(crate) fn rows(&self) -> usize {
        self.info.len()
    }

    /// Rows in full blocks.
    pub(crate) fn full_rows(&self) -> usize {
        self.info.len() / BLOCK_ROWS * BLOCK_ROWS
    }

    pub(crate) fn live(&self) -> usize {
        self.info.len() - self.dead
    }

    pub(crate) fn dead(&self) -> usize {
        self.dead
    }

    pub(crate) fn blocks(&self) -> &Arc<Blocks> {
        &self.blocks
    }

    pub(crate) fn info(&self, row: usize) -> &RowInfo {
        &self.info[row]
    }

    pub(crate) fn is_alive(&self, row: usize) -> bool {
        self.alive[row]
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        match row.checked_sub(self.full_rows()) {
            None => self.blocks.row(row),
            Some(row) => &self.tail[row * self.dim..(row + 1) * self.dim],
        }
    }

    /// All rows: the full blocks in order, then the rest.
    pub(crate) fn blocks_and_tail(&self) -> impl Iterator<Item = &[f32]> {
        let full = self.blocks.slots.iter().map_while(|slot| slot.get().map(AsRef::as_ref));
        full.chain((!self.tail.is_empty()).then_some(self.tail.as_slice()))
    }

    /// Adds a row. Rows of one clip must come one after the other.
    pub(crate) fn push(&mut self, info: RowInfo, vector: impl IntoIterator<Item = f32>) -> Result<()> {
        self.note(info, true);
        if self.tail.capacity() == 0 {
            self.tail.reserve_exact(BLOCK_ROWS * self.dim);
        }
        self.tail.extend(vector);
        self.close_block()
    }

    /// Adds the rows of a block: a full one, or the last. The matrix must end at a full block.
    pub(crate) fn push_block(
        &mut self,
        infos: impl Iterator<Item = (RowInfo, bool)>,
        block: Vec<f32>,
    ) -> Result<()> {
        for (info, alive) in infos {
            self.note(info, alive);
        }
        self.tail = block;
        self.close_block()
    }

    fn note(&mut self, info: RowInfo, alive: bool) {
        if alive {
            self.clips.entry(info.clip).or_insert((self.info.len(), 0)).1 += 1;
        } else {
            self.dead += 1;
        }
        self.info.push(info);
        self.alive.push(alive);
    }

    fn close_block(&mut self) -> Result<()> {
        if !self.info.len().is_multiple_of(BLOCK_ROWS) {
            return Ok(());
        }
        let block = std::mem::take(&mut self.tail).into_boxed_slice();
        let slot = self.blocks.slots.get((self.info.len() / BLOCK_ROWS).wrapping_sub(1));
        if slot.is_some_and(|slot| slot.set(block).is_ok()) {
            return Ok(());
        }
        let most = MAX_BLOCKS * BLOCK_ROWS;
        Err(Error::Limit { what: format!("at most {most} segments fit in memory") })
    }

    /// Marks the clip's rows dead.
    pub(crate) fn kill(&mut self, clip: ClipId) {
        if let Some((first, count)) = self.clips.remove(&clip) {
            self.alive[first..first + count].fill(false);
            self.dead += count;
        }
    }

    /// First row and number of rows of a live clip.
    pub(crate) fn clip_rows(&self, clip: ClipId) -> Option<(usize, usize)> {
        self.clips.get(&clip).copied()
    }

    /// The live clips that have rows.
    pub(crate) fn clips(&self) -> impl ExactSizeIterator<Item = ClipId> {
        self.clips.keys().copied()
    }
}

/// The dot product: the cosine, for unit vectors. Sixteen running sums, so that the compiler can use vector
/// registers; the order of additions is fixed, so that the same two vectors always give the same bits.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// The cosine of two unit vectors, kept within its bounds.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b).clamp(-1.0, 1.0)
}

/// Refuses a vector that is not `[dim]`, finite and of unit length.
pub(crate) fn check_unit(vector: &[f32], dim: usize) -> Result<()> {
    if vector.len() != dim {
        return Err(Error::DimMismatch { expected: dim, received: vector.len() });
    }
    if vector.iter().any(|x| !x.is_finite()) {
        return Err(Error::NonFinite);
    }
    let norm = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt() as f32;
    if (norm - 1.0).abs() > UNIT_TOLERANCE {
        return Err(Error::NotUnit { norm });
    }
    Ok(())
}
