//! The vectors in memory: rows of one matrix, some of them dead.
//!
//! Rows are never moved or changed. The first rows (`base`) are immutable and shared with the graph, which names them by
//! row number; rows added since lie in `tail` until the next refresh. The rows of a clip are neighbours, in the order of
//! its segments.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::types::ClipId;

/// How far a vector's length may be from 1. An f32 vector normalised in f32 is within 1e-5 even at a few thousand
/// elements; one that went through f16 is within 1e-3.
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

/// Rows that no longer change: `[rows, dim]`, row after row.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Block {
    pub(crate) dim: usize,
    pub(crate) elements: Vec<f32>,
}

impl Block {
    pub(crate) fn rows(&self) -> usize {
        self.elements.len().checked_div(self.dim).unwrap_or(0)
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.elements[row * self.dim..(row + 1) * self.dim]
    }
}

/// All rows, live and dead.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    dim: usize,
    base: Arc<Block>,
    tail: Vec<f32>,
    info: Vec<RowInfo>,
    alive: Vec<bool>,
    dead: usize,
    /// First row and number of rows of each live clip that has any.
    clips: HashMap<ClipId, (usize, usize)>,
}

impl Matrix {
    pub(crate) fn new(dim: usize) -> Self {
        Self { dim, base: Arc::new(Block { dim, elements: Vec::new() }), ..Self::default() }
    }

    /// A matrix over `base`; `alive` says which of its rows count.
    pub(crate) fn from_base(base: Arc<Block>, info: Vec<RowInfo>, alive: Vec<bool>) -> Self {
        let mut clips = HashMap::new();
        for (row, info) in info.iter().enumerate().filter(|(row, _)| alive[*row]) {
            clips.entry(info.clip).or_insert((row, 0)).1 += 1;
        }
        let dead = alive.iter().filter(|alive| !**alive).count();
        Self { dim: base.dim, base, tail: Vec::new(), info, alive, dead, clips }
    }

    /// Rows, dead ones included.
    pub(crate) fn rows(&self) -> usize {
        self.info.len()
    }

    pub(crate) fn live(&self) -> usize {
        self.info.len() - self.dead
    }

    pub(crate) fn dead(&self) -> usize {
        self.dead
    }

    pub(crate) fn base(&self) -> &Arc<Block> {
        &self.base
    }

    pub(crate) fn info(&self, row: usize) -> &RowInfo {
        &self.info[row]
    }

    pub(crate) fn is_alive(&self, row: usize) -> bool {
        self.alive[row]
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        match row.checked_sub(self.base.rows()) {
            None => self.base.row(row),
            Some(row) => &self.tail[row * self.dim..(row + 1) * self.dim],
        }
    }

    /// Adds a row to the tail. Rows of one clip must come one after the other.
    pub(crate) fn push(&mut self, info: RowInfo, vector: impl Iterator<Item = f32>) {
        self.clips.entry(info.clip).or_insert((self.info.len(), 0)).1 += 1;
        self.info.push(info);
        self.alive.push(true);
        self.tail.extend(vector);
    }

    /// Marks the clip's rows dead.
    pub(crate) fn kill(&mut self, clip: ClipId) {
        if let Some((first, count)) = self.clips.remove(&clip) {
            self.alive[first..first + count].fill(false);
            self.dead += count;
        }
    }

    /// First row and number of rows of a clip.
    pub(crate) fn clip_rows(&self, clip: ClipId) -> Option<(usize, usize)> {
        self.clips.get(&clip).copied()
    }

    /// Clips that have rows.
    pub(crate) fn clip_count(&self) -> usize {
        self.clips.len()
    }

    /// Moves the tail into the base, so that a graph can be built over all rows. Row numbers stay.
    pub(crate) fn seal(&mut self) {
        if !self.tail.is_empty() {
            let mut elements = match Arc::try_unwrap(std::mem::take(&mut self.base)) {
                Ok(block) => block.elements,
                Err(shared) => shared.elements.clone(),
            };
            elements.append(&mut self.tail);
            self.base = Arc::new(Block { dim: self.dim, elements });
        }
    }

    /// Drops dead rows; row numbers change. Returns how many were dropped.
    pub(crate) fn compact(&mut self) -> usize {
        let dropped = self.dead;
        let mut elements = Vec::with_capacity(self.live() * self.dim);
        let mut info = Vec::with_capacity(self.live());
        for row in (0..self.rows()).filter(|row| self.alive[*row]) {
            elements.extend_from_slice(self.row(row));
            info.push(self.info[row]);
        }
        let alive = vec![true; info.len()];
        *self = Self::from_base(Arc::new(Block { dim: self.dim, elements }), info, alive);
        dropped
    }
}

/// The dot product: the cosine, for unit vectors. Sixteen running sums, so that the compiler can use vector registers; the
/// order of additions is fixed, so that the same two vectors always give the same bits.
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
