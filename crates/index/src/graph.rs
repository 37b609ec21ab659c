//! The HNSW graph over the matrix's rows: hnsw_rs, with its habits kept in here.
//!
//! A point of the graph holds a row number and no vector; distances look the vectors up in the matrix. So the
//! vectors are neither in memory nor on disk twice, and a graph can be loaded over a matrix that has grown
//! since.
//!
//! hnsw_rs draws levels from a fixed seed but inserts on many threads, so two builds differ in their links:
//! which of the near neighbours are found is not guaranteed, only measured (`tests/it/recall.rs`). Scores and
//! their order are those of the exact scan, since found rows are scored again.

use std::path::Path;
use std::sync::Arc;

use hnsw_rs::prelude::{AnnT, Distance, Hnsw, HnswIo};

use crate::contain::contain;
use crate::vectors::{Blocks, Matrix, dot};

/// Links a point keeps in each layer, twice as many in the lowest (`M` in Malkov & Yashunin 2018, who find 5
/// to 48 useful).
const MAX_CONNECTIONS: usize = 16;

/// Candidates while inserting (`efConstruction`). Half of what M = 24 and 200 candidates cost to build, for
/// recall@10 of 0.97 on 100 000 clustered vectors (examples/measure.rs).
const EF_CONSTRUCTION: usize = 100;

/// hnsw_rs writes a graph only if it was made with this many layers (`NB_LAYER_MAX`).
const MAX_LAYERS: usize = 16;

/// Candidates while searching, at least. Recall@10 on 100 000 clustered vectors of 521 elements, and time at
/// median: 64 finds 0.963 in 0.7 ms, 128 finds 0.973 in 1.0 ms, 384 finds 0.983 in 1.5 ms
/// (examples/measure.rs).
pub(crate) const EF_SEARCH_MIN: usize = 128;

/// Marks a point's data as a query: the bits of a vector follow. A row is a single number.
const QUERY: u32 = u32::MAX;

/// 1 - cosine, never below 0 (hnsw_rs asserts that; its own `DistDot` asserts that the dot product stays
/// below 1, which rounding breaks).
struct RowDistance {
    blocks: Arc<Blocks>,
}

impl Distance<u32> for RowDistance {
    fn eval(&self, a: &[u32], b: &[u32]) -> f32 {
        let cosine = match (a, b) {
            ([a], [b]) => dot(self.blocks.row(*a as usize), self.blocks.row(*b as usize)),
            ([row], [_, query @ ..]) | ([_, query @ ..], [row]) => {
                dot(self.blocks.row(*row as usize), bytemuck::cast_slice(query))
            }
            _ => 0.0,
        };
        (1.0 - cosine).max(0.0)
    }
}

/// A graph over the first rows of a matrix.
pub(crate) struct Graph {
    hnsw: Hnsw<'static, u32, RowDistance>,
    /// See [`Matrix::lineage`].
    pub(crate) lineage: u128,
    /// Rows before this one are in the graph, unless they were dead when it was built.
    pub(crate) rows: usize,
}

impl Graph {
    /// A graph without points, for about `rows` of them.
    pub(crate) fn new(matrix: &Matrix, rows: usize) -> Self {
        let distance = RowDistance { blocks: Arc::clone(matrix.blocks()) };
        let hnsw = Hnsw::new(MAX_CONNECTIONS, rows, MAX_LAYERS, EF_CONSTRUCTION, distance);
        Self { hnsw, lineage: matrix.lineage, rows: 0 }
    }

    /// Inserts `rows` on all cores; with them, the graph covers the rows before `end`.
    pub(crate) fn insert(&mut self, rows: &[u32], end: usize) -> Result<(), String> {
        contain(|| self.insert_all(rows))?;
        self.rows = end;
        Ok(())
    }

    fn insert_all(&mut self, rows: &[u32]) {
        self.hnsw.set_searching_mode(false);
        // Started in parallel, points would find nothing to link to.
        let (first, rest) = rows.split_at(if self.rows == 0 { rows.len().min(64) } else { 0 });
        for row in first {
            self.hnsw.insert_slice((std::slice::from_ref(row), *row as usize));
        }
        let points = rest.iter().map(|row| (std::slice::from_ref(row), *row as usize)).collect();
        self.hnsw.parallel_insert_slice(&points);
        self.hnsw.set_searching_mode(true);
    }

    /// Points in the graph, dead ones included.
    pub(crate) fn points(&self) -> usize {
        self.hnsw.get_nb_point()
    }

    /// Of the rows covered, those that are dead now.
    pub(crate) fn dead(&self, matrix: &Matrix) -> usize {
        (0..self.rows).filter(|row| !matrix.is_alive(*row)).count()
    }

    /// About `count` rows nearest to `query`, dead ones included.
    pub(crate) fn nearest(&self, query: &[f32], count: usize, ef: usize) -> Vec<usize> {
        let mut data = Vec::with_capacity(1 + query.len());
        data.push(QUERY);
        data.extend(query.iter().map(|x| x.to_bits()));
        self.hnsw.search(&data, count, ef).into_iter().map(|found| found.d_id).collect()
    }

    /// Writes `NAME.hnsw.graph` and `NAME.hnsw.data` in `dir`.
    pub(crate) fn dump(&self, dir: &Path, name: &str) -> Result<(), String> {
        contain(|| self.hnsw.file_dump(dir, name).map(drop).map_err(|e| e.to_string()))?
    }

    /// Reads what [`Self::dump`] wrote. hnsw_rs panics, or ends the process, over a damaged file: the caller
    /// must have verified the checksums.
    pub(crate) fn load(matrix: &Matrix, rows: usize, dir: &Path, name: &str) -> Result<Self, String> {
        let blocks = Arc::clone(matrix.blocks());
        let lineage = matrix.lineage;
        contain(move || {
            // The graph borrows its reader for life (it might map the file into memory, which we do not ask
            // for). The reader is two short strings: leaking it is the price of owning the graph.
            let reader: &'static HnswIo = Box::leak(Box::new(HnswIo::new(dir, name)));
            let hnsw: Hnsw<'static, u32, RowDistance> =
                reader.load_hnsw_with_dist(RowDistance { blocks }).map_err(|e| e.to_string())?;
            let mut graph = Self { hnsw, lineage, rows };
            // Loading turns this on, building leaves it off: it makes insertion slower.
            graph.hnsw.set_extend_candidates(false);
            graph.hnsw.set_searching_mode(true);
            if graph.points() > rows {
                return Err("more points than rows".to_string());
            }
            Ok(graph)
        })?
    }
}
