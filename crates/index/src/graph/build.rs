//! Building a graph with hnsw_rs.
//!
//! A point of hnsw_rs's graph holds a row number and no vector. Distances look the rows up in eight-bit
//! codes, a quarter of the vectors' size: what links a point gets hardly depends on the last digits, and a
//! build waits for memory most of the time. The codes exist only while a graph is built.
//!
//! hnsw_rs draws levels from a fixed seed but inserts on many threads, so two builds differ in their links:
//! which of the near neighbours are found is not guaranteed, only measured.

use std::path::Path;
use std::sync::Arc;

use hnsw_rs::prelude::{AnnT, Distance, Hnsw, HnswIo};
use rayon::prelude::*;

use super::frozen::Links;
use super::{BASE_LINKS, LINKS};
use crate::contain::contain;
use crate::error::Result;
use crate::published::segment::Segment;
use crate::scan::kernel::dot_i8;

/// Candidates while inserting (`efConstruction`). hnswlib's and faiss's defaults are 200 and 40.
const EF_CONSTRUCTION: usize = 100;

/// hnsw_rs dumps a graph only if it was made with this many layers (`NB_LAYER_MAX`).
const MAX_LAYERS: usize = 16;

/// Points that are inserted one by one, before the others: started in parallel, they would find nothing to
/// link to.
const FIRST: usize = 64;

/// A segment's vectors in eight bits an element.
pub(super) struct Rows8 {
    /// `[rows, dim]`.
    codes: Vec<i8>,
    /// `[rows]`: what a unit of a row's codes is worth.
    scales: Vec<f32>,
    dim: usize,
}

impl Rows8 {
    /// The rows of `segment`, whose vectors have `dim` elements.
    pub(super) fn of(segment: &Segment, dim: usize) -> Result<Self> {
        let mut rows = Self { codes: vec![0; segment.rows() * dim], scales: vec![0.0; segment.rows()], dim };
        let Self { codes, scales, .. } = &mut rows;
        codes.par_chunks_mut(dim.max(1)).zip(scales).enumerate().try_for_each(|(row, (codes, scale))| {
            let (_, vector) = segment.row(row)?;
            let largest = vector.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
            *scale = largest / 127.0;
            codes.iter_mut().zip(vector).for_each(|(code, x)| *code = (x / *scale).round() as i8);
            Ok(())
        })?;
        Ok(rows)
    }

    fn cosine(&self, a: usize, b: usize) -> f32 {
        let codes = |row: usize| &self.codes[row * self.dim..(row + 1) * self.dim];
        dot_i8(codes(a), codes(b)) as f32 * self.scales[a] * self.scales[b]
    }
}

/// 1 - cosine, never below 0, which hnsw_rs asserts.
struct RowDistance(Arc<Rows8>);

impl Distance<u32> for RowDistance {
    fn eval(&self, a: &[u32], b: &[u32]) -> f32 {
        match (a, b) {
            ([a], [b]) => (1.0 - self.0.cosine(*a as usize, *b as usize)).max(0.0),
            _ => 0.0,
        }
    }
}

/// A graph in the making.
pub(super) struct Build {
    hnsw: Hnsw<'static, u32, RowDistance>,
}

impl Build {
    /// Without points, for about `count` of them.
    pub(super) fn new(rows: &Arc<Rows8>, count: usize) -> Self {
        let distance = RowDistance(Arc::clone(rows));
        Self { hnsw: Hnsw::new(LINKS, count, MAX_LAYERS, EF_CONSTRUCTION, distance) }
    }

    /// Inserts rows on all threads of rayon's current pool. After an error the build must not be used.
    pub(super) fn insert(&mut self, rows: &[u32]) -> Result<(), String> {
        let is_empty = self.points() == 0;
        contain(|| {
            let (first, rest) = rows.split_at(if is_empty { rows.len().min(FIRST) } else { 0 });
            let point = |row: &u32| *row as usize;
            first.iter().for_each(|row| self.hnsw.insert_slice((std::slice::from_ref(row), point(row))));
            let points = rest.iter().map(|row| (std::slice::from_ref(row), point(row))).collect();
            self.hnsw.parallel_insert_slice(&points);
        })
    }

    /// Points so far.
    pub(super) fn points(&self) -> usize {
        self.hnsw.get_nb_point()
    }

    /// The links of a graph over a segment of so many rows.
    pub(super) fn links(&self, rows: usize) -> Links {
        let index = self.hnsw.get_point_indexation();
        let mut base = vec![u32::MAX; rows * BASE_LINKS];
        let mut upper: Vec<Vec<(u32, Vec<u32>)>> = Vec::new();
        for level in 0..=usize::from(index.get_max_level_observed()) {
            for point in index.get_layer_iterator(level) {
                let row = point.get_origin_id() as u32;
                let neighbours = point.get_neighborhood_id();
                for (layer, found) in neighbours.iter().enumerate().take(level + 1) {
                    // hnsw_rs may link a point to one that is not in the layer.
                    let found =
                        found.iter().filter(|n| usize::from(n.p_id.0) >= layer && n.d_id != row as usize);
                    let found = found.map(|n| n.d_id as u32);
                    if layer == 0 {
                        let own = &mut base[row as usize * BASE_LINKS..][..BASE_LINKS];
                        own.iter_mut().zip(found).for_each(|(link, row)| *link = row);
                    } else {
                        upper.resize_with(upper.len().max(layer), Vec::new);
                        upper[layer - 1].push((row, found.take(LINKS).collect()));
                    }
                }
            }
        }
        let rows8 = &self.hnsw.get_distance().0;
        Links::new(base, upper, &|a, b| rows8.cosine(a as usize, b as usize))
    }

    /// Writes `NAME.hnsw.graph` and `NAME.hnsw.data` in `dir`.
    pub(super) fn dump(&self, dir: &Path, name: &str) -> Result<(), String> {
        contain(|| self.hnsw.file_dump(dir, name).map(drop).map_err(|e| e.to_string()))?
    }

    /// Reads what [`Self::dump`] wrote. hnsw_rs panics, or ends the process, over a damaged file: the caller
    /// must have verified the checksums.
    pub(super) fn load(rows: &Arc<Rows8>, dir: &Path, name: &str) -> Result<Self, String> {
        let distance = RowDistance(Arc::clone(rows));
        contain(move || {
            // The graph borrows its reader for life (it might map the file into memory, which we do not ask
            // for). The reader is two short strings: leaking it is the price of owning the graph.
            let reader: &'static HnswIo = Box::leak(Box::new(HnswIo::new(dir, name)));
            let mut hnsw: Hnsw<'static, u32, RowDistance> =
                reader.load_hnsw_with_dist(distance).map_err(|e| e.to_string())?;
            // Loading turns this on, building leaves it off: it makes insertion slower.
            hnsw.set_extend_candidates(false);
            Ok(Self { hnsw })
        })?
    }
}
