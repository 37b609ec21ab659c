//! The index: clips and their embeddings, kept in sled, published for any number of readers, found by cosine
//! similarity.
//!
//! sled is the truth. An acknowledged batch ([`IndexWriter::apply`]) is on disk, whole. Each batch is also
//! published in immutable files ([`Snapshot`]), which readers map into memory without a lock and beside any
//! writer; they may be deleted at any time, and are rebuilt from the store.
//!
//! This crate knows no audio and no model: to it a vector is `[dim]` numbers of unit length, and [`Identity`]
//! says what made them.
//!
//! ```
//! use earmark_index::{
//!     Change, ClipMeta, Identity, IndexReader, IndexWriter, OpenOptions, SearchRequest, Segment, Snapshot, Writer,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! let identity = Identity { model_id: "m".into(), manifest_hash: "h".into(), pipeline_version: 1, dim: 2 };
//! let writer = Writer::create_or_open(dir, &identity, &OpenOptions::default())?;
//! # let meta = |path: &str| ClipMeta {
//! #     path: path.into(), content_hash: [0; 32], mtime_ns: 0, size: 1, duration_s: 5.0, sample_rate: 48_000,
//! #     channels: 1, format: "wav".into(), decoder: None, tags: vec![], indexed_unix_s: 0,
//! # };
//! let segments = vec![Segment { start_s: 0.0, end_s: 5.0, vector: vec![0.6, 0.8] }];
//! writer.apply(vec![Change::Put { meta: meta("/sounds/rain.wav"), segments, texts: Vec::new() }])?;
//!
//! // In any process, while the writer goes on:
//! let snapshot = Snapshot::open(dir, Some(&identity), &OpenOptions::default())?;
//! let response = snapshot.search(&[0.0, 1.0], &SearchRequest::default())?;
//! assert_eq!(response.hits[0].clip.meta.path, "/sounds/rain.wav");
//! # Ok(())
//! # }
//! ```
//!
//! - [`IndexReader`], [`IndexWriter`] (`interface`): what the engine asks of an index
//! - [`Snapshot`] (`snapshot`, `audit`): an index opened for reading; [`LiveIndex`] (`live`) keeps up with writers
//! - [`Writer`] (`writer`): an index opened for writing; who may, changes, mending
//! - [`Collection`] (`collection`): the indexes of several models side by side, one of them current
//! - `types`, `query`, `report`: what goes in, what is asked, and what the index tells of itself
//! - `error`: what can go wrong, with remedies
//! - `scan`, `filter`: comparing a query with every admitted row; which clips may be returned
//! - [`GraphBuilder`] (`graph`): HNSW graphs over published segments, built by hnsw_rs
//! - `names`: names, tags and metadata of clips, searched with tantivy
//! - `published`: the files that readers see; `FORMAT.md` describes their bytes
//! - [`stored_path`], [`file_path`]: paths as text, from which the exact bytes come back
//! - `store`, `codec`: sled, and how records lie in it
//! - `witness`: notices when sled drops acknowledged batches from a damaged log
//! - `steps`: where a test can have the process die
//! - `lock_file`, `holder`, `clock`: who is at work, and since when
//! - `contain`: panics of other crates, turned into errors

mod audit;
mod clock;
mod codec;
mod collection;
mod contain;
mod error;
mod files;
mod filter;
mod graph;
mod holder;
mod interface;
mod live;
mod lock_file;
mod names;
mod open;
mod published;
mod query;
mod random;
mod report;
mod scan;
mod snapshot;
mod stats;
mod steps;
mod store;
mod stored_path;
#[cfg(test)]
mod testing;
mod types;
mod vectors;
mod witness;
mod writer;

pub use clock::unix_now_s;
pub use collection::{Collection, Hold, Space, space_name};
pub use error::{Error, Result};
pub use filter::{Filter, PathGlob};
pub use graph::{
    BuildOptions, BuildReport, ENOUGH, Figures, GraphBuilder, KindFigures, MEASURED_HITS, MEASURED_SOUNDS,
    Measured, Method, with_noise,
};
pub use holder::Holder;
pub use interface::{IndexReader, IndexWriter};
pub use live::{LiveIndex, Writing};
pub use names::{
    FoundClips, Lookup, MatchedWord, NameField, NameMatch, NameMatches, NameQuery, NameTokens, WordIndex,
    find_names,
};
pub use query::*;
pub use report::*;
pub use snapshot::Snapshot;
pub use stored_path::{file_path, stored_path};
pub use types::*;
pub use vectors::{UNIT_TOLERANCE, check_unit, cosine};
pub use writer::{KEPT_TAGS_S, Writer, WriterLock, with_tags};

/// Layout of the store. A change that older code cannot read raises it.
pub const FORMAT_VERSION: u32 = 1;

/// Problems that an audit lists before it stops listing.
pub const MAX_AUDIT_PROBLEMS: usize = 100;
