//! HNSW graphs (Malkov & Yashunin 2018): the fast way to search a large index, where it is right.
//!
//! - `build`: a graph over the rows of one published segment, by hnsw_rs
//! - `checkpoint`: what a build that is cut off goes on from
//! - `frozen`: the finished graph, in a file of our own that is read where it lies
//! - `walk`: searching it
//! - `search`: searching an index of which some segments have graphs
//! - `figures`: what was measured of it
//! - `measure`: how much it finds, and how fast, for texts and for sounds
//! - `builder`: which segments get a graph, and when
//!
//! Each published segment can have a graph, `NAME.graph`. It is derived, is never waited for, and is found by
//! its name alone, so that building one needs no right to write the index. A graph over sounds is a bad way
//! to find what is near to a *text*: texts lie outside of the cloud of sounds, and greedy steps through the
//! cloud end in the nearest corner of it. So a search for a text starts from the best of rows that lead
//! everywhere in two steps (one in five or so), and every graph carries measurements for both kinds of
//! query, which decide whether it is used.

mod build;
mod builder;
mod checkpoint;
mod figures;
mod frozen;
mod measure;
mod search;
mod walk;

pub(crate) use builder::begun;
pub use builder::{BuildOptions, BuildReport, GraphBuilder};
pub use figures::{Figures, KindFigures, Measured, Method};
pub(crate) use frozen::file_name;
pub(crate) use measure::measure;
pub use measure::{ENOUGH, MEASURED_HITS, MEASURED_SOUNDS, with_noise};
pub(crate) use search::{GraphSearch, Graphs};

/// Links a point keeps in each upper layer, twice as many in the lowest: `M` in Malkov & Yashunin 2018, who
/// find 5 to 48 useful. hnswlib's default.
pub(crate) const LINKS: usize = 16;

/// Links in the lowest layer.
pub(crate) const BASE_LINKS: usize = 2 * LINKS;

/// How much a graph must find to be used where nobody asks for it. Searches promise a recall@10 of 0.99, but
/// people ask for other things than it was measured with: of 200,000 segments, where the stored phrases found
/// 0.997, a dozen others found 0.983.
pub(crate) const LEAST_RECALL: f32 = 0.998;
