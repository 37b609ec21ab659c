//! The text side of an index: the names of clips, their tags, and what their files say about themselves.
//!
//! - `words`: from names to words
//! - `query`: what a user types
//! - `schema`: what of a clip is indexed where
//! - `directory`: reading without a lock
//! - `reader`: which clips have which words of a query
//! - `current`: the newest state for those who read
//! - `writer`: following the store
//!
//! tantivy keeps it in `names/` in the index folder, with word positions, so that phrases can be found; it is
//! derived from the store as the published files are, and made again where it is missing or damaged. Its
//! last commit names the state of the store that it shows ([`crate::codec::Stamp`]). It is committed with the
//! first batch that comes two seconds or more after the last commit, and when the writer is dropped, rather than
//! with each batch: a commit of tantivy's costs some 20 ms. Ranking is not BM25,
//! which rewards short names and rare words without end, but the share of a query's words that a clip has
//! ([`NameMatch::coverage`]), which can be turned into a probability and weighed against what a clip sounds
//! like.

mod current;
mod directory;
mod query;
mod reader;
mod schema;
mod words;
mod writer;

use std::path::{Path, PathBuf};

pub(crate) use current::{CurrentNames, unusable};
pub use query::NameQuery;
pub(crate) use reader::Names;
pub use reader::{FoundClips, Lookup, MatchedWord, NameField, NameMatch, NameMatches, WordIndex, find_names};
pub use schema::NameTokens;
pub(crate) use writer::NamesWriter;

/// The folder of the text side in an index's folder.
pub(crate) fn folder(dir: &Path) -> PathBuf {
    dir.join("names")
}
