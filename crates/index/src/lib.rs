//! The index: clips and their embeddings, kept in sled, found by cosine similarity.
//!
//! sled is the truth. An acknowledged batch ([`Index::apply`]) is on disk, whole. What makes searches fast is
//! derived from it and may be deleted at any time: a flat copy of the vectors, and an HNSW graph over them.
//!
//! This crate knows no audio and no model: to it a vector is `[dim]` numbers of unit length, and [`Identity`]
//! says what made them.
//!
//! - [`Index`] (`open`, `index`): open it, change it, look things up
//! - [`Collection`] (`collection`): the indexes of several models side by side, one of them current
//! - `types`, `report`: what goes in and comes out, and what the index tells of itself
//! - `error`: what can go wrong, with remedies
//! - `store`, `codec`, `batch`: sled, how records lie in it, how changes become one atomic write
//! - `audit`, `stats`: whether it is sound, and how large
//! - `contain`: panics of other crates, turned into errors
//! - `witness`: notices when sled drops acknowledged batches from a damaged log
//! - `find`, `search`, `filter`: which way a search goes, the exact scan, which clips may be returned
//! - `vectors`, `derived`, `flat`, `refresh`: the matrix in memory, keeping it current, its copy on disk
//! - `graph`, `graph_files`, `files`: hnsw_rs, and files that are believed only with their checksum

mod audit;
mod batch;
mod codec;
mod collection;
mod contain;
mod derived;
mod error;
mod files;
mod filter;
mod find;
mod flat;
mod graph;
mod graph_files;
mod index;
mod open;
mod refresh;
mod report;
mod search;
mod stats;
mod store;
#[cfg(test)]
mod testing;
mod types;
mod vectors;
mod witness;

pub use collection::{Collection, Hold, Space};
pub use error::{Error, Result};
pub use find::SegmentRef;
pub use index::Index;
pub use report::*;
pub use types::*;
pub use vectors::UNIT_TOLERANCE;

/// Layout of the store. A change that older code cannot read raises it.
pub const FORMAT_VERSION: u32 = 1;

/// Segments from which a graph is worth its while. Measured (examples/measure.rs, 521 elements, two cores
/// shared with other work): an exact search of 100 000 segments takes 5 ms at best and 12 at median, a walk
/// of the graph 0.6 and 0.8, and building it takes 0.6 ms of processor time a segment. Below 50 000 an exact
/// search takes a few milliseconds, which nobody waits for; a one-shot search never loads the graph, since
/// that takes longer than an exact search.
pub const GRAPH_MIN_ROWS: usize = 50_000;

/// Problems that [`Index::audit`] lists before it stops listing.
pub const MAX_AUDIT_PROBLEMS: usize = 100;
