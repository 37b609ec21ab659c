//! The published files: what readers see. Derived from the store, and made anew from it when need be.
//!
//! ```text
//! DIR/published/list                  which segments there are; replaced in one rename
//! DIR/published/NAME.segment          clips, failures, rows, codes, vectors; never changed
//! DIR/published/NAME-VERSION.dead     which rows of a segment are dead; never changed
//! ```
//!
//! - `layout`, `list`, `segment`, `tombstones`: the bytes, which `FORMAT.md` describes, and reading them
//! - `builder`: writing a segment
//! - `pieces`: several segments read as one
//! - `draft`: the next published state: adding, merging, committing
//! - `map`: files mapped into memory

pub(crate) mod builder;
pub(crate) mod draft;
pub(crate) mod layout;
pub(crate) mod list;
pub(crate) mod map;
pub(crate) mod pieces;
pub(crate) mod segment;
pub(crate) mod tombstones;
