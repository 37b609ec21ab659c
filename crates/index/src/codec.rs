//! How records lie in the store: keys with a one-byte prefix, values with a one-byte version.
//!
//! | key                          | value                                                |
//! |------------------------------|------------------------------------------------------|
//! | `m` `header`                 | [`Header`]                                           |
//! | `m` `counters`               | [`Counters`]                                         |
//! | `m` `published`              | [`Stamp`] of the published state before this one     |
//! | `c` clip id                  | [`ClipRecord`]                                       |
//! | `p` path                     | clip id                                              |
//! | `h` content hash, clip id    | nothing                                              |
//! | `s` clip id, chunk number    | segments and their vectors, see [`encode_chunk`]     |
//! | `x` clip id                  | its [`crate::types::ClipText`]s, if it has any       |
//! | `f` path                     | [`crate::types::Failure`]                            |
//! | `t` content hash, number     | tags of a removed clip, `KeptTags` in `kept_tags`    |
//! | `o` number                   | content hash of kept tags; rises with each removal   |
//! | `m` `kept`                   | the next such number, and how many there are         |
//!
//! Numbers in keys are big-endian, so that keys sort by them; numbers in chunks are little-endian.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::types::{ClipId, ClipMeta, Header, Segment};

/// The version byte in front of every value.
const RECORD_VERSION: u8 = 1;

/// Aim for values no larger than this. A sled leaf holds up to 17 pairs, and a page of more than a quarter of
/// sled's 512 KiB log segment goes to a file of its own (sled 0.34 `node.rs`, `pagecache/constants.rs`): 17 *
/// 6 KiB stays below.
const CHUNK_BYTES: usize = 6 * 1024;

/// Longest path that fits a key.
pub(crate) const MAX_PATH_BYTES: usize = 16 * 1024;

pub(crate) const HEADER_KEY: &[u8] = b"mheader";
pub(crate) const COUNTERS_KEY: &[u8] = b"mcounters";
pub(crate) const PUBLISHED_KEY: &[u8] = b"mpublished";
pub(crate) const CLIP_PREFIX: &[u8] = b"c";
pub(crate) const PATH_PREFIX: &[u8] = b"p";
pub(crate) const HASH_PREFIX: &[u8] = b"h";
pub(crate) const CHUNK_PREFIX: &[u8] = b"s";
pub(crate) const TEXTS_PREFIX: &[u8] = b"x";
pub(crate) const FAILURE_PREFIX: &[u8] = b"f";
pub(crate) const KEPT_TAGS_PREFIX: &[u8] = b"t";
pub(crate) const KEPT_ORDER_PREFIX: &[u8] = b"o";
pub(crate) const KEPT_KEY: &[u8] = b"mkept";

/// Numbers handed out so far, and the version of the store's content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    /// The next new clip's id.
    pub(crate) next_clip: ClipId,
    /// The next new segment's sequence number. A number is never given twice, so it names one vector for
    /// ever.
    pub(crate) next_seq: u64,
    /// What the store holds now; changes with each batch.
    pub(crate) stamp: Stamp,
}

/// A version of the store's content. The nonce tells two stores apart that went separate ways from one
/// backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) commit: u64,
    pub(crate) nonce: u64,
}

impl Stamp {
    /// What `to_string` wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (commit, nonce) = text.split_once('-')?;
        Some(Self { commit: commit.parse().ok()?, nonce: u64::from_str_radix(nonce, 16).ok()? })
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.commit, self.nonce)
    }
}

/// A clip as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClipRecord {
    pub(crate) meta: ClipMeta,
    /// Sequence number of its first segment; the others follow.
    pub(crate) first_seq: u64,
    /// How many segments it has.
    pub(crate) segments: u32,
}

fn key(prefix: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut key = prefix.to_vec();
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

pub(crate) fn clip_key(id: ClipId) -> Vec<u8> {
    key(CLIP_PREFIX, &[&id.to_be_bytes()])
}

pub(crate) fn texts_key(id: ClipId) -> Vec<u8> {
    key(TEXTS_PREFIX, &[&id.to_be_bytes()])
}

pub(crate) fn path_key(path: &str) -> Vec<u8> {
    key(PATH_PREFIX, &[path.as_bytes()])
}

pub(crate) fn hash_key(hash: &[u8; 32], id: ClipId) -> Vec<u8> {
    key(HASH_PREFIX, &[hash, &id.to_be_bytes()])
}

pub(crate) fn failure_key(path: &str) -> Vec<u8> {
    key(FAILURE_PREFIX, &[path.as_bytes()])
}

pub(crate) fn kept_tags_key(hash: &[u8; 32], number: u64) -> Vec<u8> {
    key(KEPT_TAGS_PREFIX, &[hash, &number.to_be_bytes()])
}

pub(crate) fn kept_tags_prefix(hash: &[u8; 32]) -> Vec<u8> {
    key(KEPT_TAGS_PREFIX, &[hash])
}

pub(crate) fn kept_order_key(number: u64) -> Vec<u8> {
    key(KEPT_ORDER_PREFIX, &[&number.to_be_bytes()])
}

pub(crate) fn chunk_key(id: ClipId, chunk: u32) -> Vec<u8> {
    key(CHUNK_PREFIX, &[&id.to_be_bytes(), &chunk.to_be_bytes()])
}

pub(crate) fn chunk_prefix(id: ClipId) -> Vec<u8> {
    key(CHUNK_PREFIX, &[&id.to_be_bytes()])
}

/// The big-endian number at `at` in a key.
pub(crate) fn u64_at(key: &[u8], at: usize) -> Option<u64> {
    key.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes)
}

/// The clip id and chunk number in a chunk's key.
pub(crate) fn parse_chunk_key(key: &[u8]) -> Option<(ClipId, u32)> {
    let chunk = key.get(9..13).filter(|_| key.len() == 13)?.try_into().ok()?;
    Some((u64_at(key, 1)?, u32::from_be_bytes(chunk)))
}

/// A versioned record.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    postcard::to_extend(value, vec![RECORD_VERSION])
        .map_err(|e| Error::Limit { what: format!("a record cannot be stored: {e}") })
}

/// The record in `bytes`, or what is wrong with it.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bytes.split_first() {
        Some((&RECORD_VERSION, rest)) => {
            let (value, rest) = postcard::take_from_bytes(rest).map_err(|e| e.to_string())?;
            if rest.is_empty() { Ok(value) } else { Err("a record is too long".into()) }
        }
        Some((version, _)) => Err(format!("a record of unknown version {version}")),
        None => Err("an empty record".into()),
    }
}

/// Why a header cannot be used.
pub(crate) enum HeaderProblem {
    /// It has this format version.
    Version(u32),
    /// It cannot be read.
    Damaged(String),
}

/// The header in `bytes`. The format version comes first, so that it can be told whatever follows.
pub(crate) fn decode_header(bytes: &[u8]) -> Result<Header, HeaderProblem> {
    let version = postcard::take_from_bytes::<u32>(bytes.get(1..).unwrap_or_default())
        .map_err(|e| HeaderProblem::Damaged(format!("header: {e}")))?
        .0;
    if version != crate::FORMAT_VERSION {
        return Err(HeaderProblem::Version(version));
    }
    let header: Header = decode(bytes).map_err(HeaderProblem::Damaged)?;
    if !header.identity.has_valid_dim() {
        return Err(HeaderProblem::Damaged(format!("header: vectors of {} elements", header.identity.dim)));
    }
    Ok(header)
}

/// Segments in one chunk, for vectors of `dim` elements.
pub(crate) fn rows_per_chunk(dim: usize) -> usize {
    (CHUNK_BYTES / row_bytes(dim)).clamp(1, 64)
}

/// Chunks that `segments` segments take.
pub(crate) fn chunk_count(segments: u32, dim: usize) -> u32 {
    segments.div_ceil(rows_per_chunk(dim) as u32)
}

fn row_bytes(dim: usize) -> usize {
    16 + 4 * dim
}

/// `[version, (start f64, end f64, vector f32 * dim) * n]`.
pub(crate) fn encode_chunk(segments: &[Segment]) -> Vec<u8> {
    let dim = segments.first().map_or(0, |s| s.vector.len());
    let mut bytes = Vec::with_capacity(1 + segments.len() * row_bytes(dim));
    bytes.push(RECORD_VERSION);
    for segment in segments {
        bytes.extend_from_slice(&segment.start_s.to_le_bytes());
        bytes.extend_from_slice(&segment.end_s.to_le_bytes());
        for x in &segment.vector {
            bytes.extend_from_slice(&x.to_le_bytes());
        }
    }
    bytes
}

/// Calls `row(start_s, end_s, elements)` for each segment in the chunk; the count of segments, or what is
/// wrong.
pub(crate) fn decode_chunk(
    bytes: &[u8],
    dim: usize,
    mut row: impl FnMut(f64, f64, &[[u8; 4]]),
) -> Result<usize, String> {
    let rows = match bytes.split_first() {
        Some((&RECORD_VERSION, rows)) => rows,
        Some((version, _)) => return Err(format!("segments of unknown version {version}")),
        None => return Err("an empty chunk of segments".into()),
    };
    if rows.is_empty() || !rows.len().is_multiple_of(row_bytes(dim)) {
        let expected = row_bytes(dim);
        return Err(format!("a chunk of {} bytes, expected a multiple of {expected}", rows.len()));
    }
    for bytes in rows.chunks_exact(row_bytes(dim)) {
        let (times, elements) = bytes.split_at(16);
        let times = times.as_chunks::<8>().0;
        row(f64::from_le_bytes(times[0]), f64::from_le_bytes(times[1]), elements.as_chunks().0);
    }
    Ok(rows.len() / row_bytes(dim))
}
