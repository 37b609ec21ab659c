//! The index in PostgreSQL with pgvector: one library for many machines.
//!
//! It answers as the local index does ([`earmark_index::IndexReader`], [`earmark_index::IndexWriter`]), with the
//! same ids for the same spaces and the same hits for the same vectors. What differs: any number of processes write
//! at once, each call sees what is committed when it is made, and there are no derived files that could be behind.
//!
//! - [`DatabaseUrl`] (`url`, `pass_file`): where a database is, and its password, which is never shown
//! - `connections`: the pool, TLS, timeouts, and trying again
//! - [`Database`] (`database`, `migrations/`): tables and their versions, spaces, files of label sets
//! - [`Roots`] (`roots`): paths that machines mount at different places
//! - [`PgIndex`] (`index`): one space, read and written
//!   - `search`: exact search by half-precision vectors, rescored in full precision
//!   - `approximate`: HNSW graphs and inverted lists, measured before they are used
//!   - `filter`, `rows`, `values`: conditions on clips, clips, and values, in SQL
//!   - `names`: words in names, as tsvectors
//!   - `write`: changes, in one transaction a batch
//!   - `audit`: whether it is sound
//! - [`Queue`] (`queue`): files to be indexed, shared by workers
//! - [`JobBoard`] (`job_board`): the jobs of all servers

mod approximate;
mod audit;
mod connections;
mod database;
mod filter;
mod index;
mod job_board;
mod names;
mod pass_file;
mod queue;
mod roots;
mod rows;
mod search;
mod url;
mod values;
mod write;

pub use database::{Database, DatabaseLock, SpaceInfo};
pub use index::PgIndex;
pub use job_board::{JobBoard, PostedJob};
pub use queue::{Lease, Progress, Queue, QueuedFile, WorkerInfo};
pub use roots::Roots;
pub use url::{BadUrl, DatabaseUrl};
