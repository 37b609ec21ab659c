//! Clips as rows.

use earmark_index::{Clip, ClipMeta, ClipText, Error, Result};
use serde_json::{Value, json};
use tokio_postgres::Row;

use crate::connections::Connections;
use crate::roots::Roots;

/// The columns that [`clip`] reads, of a table called `c`.
pub(crate) const CLIP: &str = "c.id, c.root, c.path, c.content_hash, c.mtime_ns, c.size, c.duration_s, c.sample_rate, \
                               c.channels, c.format, c.decoder, c.tags, c.indexed_unix_s, c.segments";

/// How many columns [`CLIP`] is.
pub(crate) const CLIP_COLUMNS: usize = 14;

/// A clip from a row that begins with [`CLIP`].
pub(crate) fn clip(row: &Row, roots: &Roots, at: &Connections) -> Result<Clip> {
    let broken = |e: tokio_postgres::Error| at.error(format!("a clip cannot be read: {e}"));
    let hash: Vec<u8> = row.try_get(3).map_err(broken)?;
    let number = |column: usize| -> Result<i64> { row.try_get(column).map_err(broken) };
    Ok(Clip {
        id: number(0)?.cast_unsigned(),
        meta: ClipMeta {
            path: roots.to_local(row.try_get(1).map_err(broken)?, row.try_get(2).map_err(broken)?),
            content_hash: hash
                .try_into()
                .map_err(|_| at.error("a content hash is not 32 bytes".to_owned()))?,
            mtime_ns: number(4)?,
            size: number(5)?.cast_unsigned(),
            duration_s: row.try_get(6).map_err(broken)?,
            sample_rate: u32::try_from(number(7)?).unwrap_or(u32::MAX),
            channels: u16::try_from(row.try_get::<_, i32>(8).map_err(broken)?).unwrap_or(u16::MAX),
            format: row.try_get(9).map_err(broken)?,
            decoder: row.try_get(10).map_err(broken)?,
            tags: row.try_get(11).map_err(broken)?,
            indexed_unix_s: number(12)?,
        },
        segments: u32::try_from(number(13)?).unwrap_or(u32::MAX),
    })
}

/// A whole number as PostgreSQL keeps it: signed.
pub(crate) fn signed(what: &str, number: u64) -> Result<i64> {
    i64::try_from(number)
        .map_err(|_| Error::Limit { what: format!("{what} of {number}, at most 2^63 - 1 fit") })
}

/// What a file says about itself, as JSON.
pub(crate) fn texts_to_json(texts: &[ClipText]) -> Value {
    texts.iter().map(|one| json!([without_zero(&one.name), without_zero(&one.text)])).collect()
}

/// The inverse of [`texts_to_json`].
pub(crate) fn texts_of_json(value: Value) -> Vec<ClipText> {
    serde_json::from_value::<Vec<(String, String)>>(value)
        .unwrap_or_default()
        .into_iter()
        .map(|(name, text)| ClipText { name, text })
        .collect()
}

/// PostgreSQL's texts hold any character but this one.
pub(crate) fn without_zero(text: &str) -> String {
    text.replace('\0', " ")
}

/// A vector as bytes: its elements, little-endian.
pub(crate) fn to_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The inverse of [`to_bytes`].
pub(crate) fn of_bytes(bytes: &[u8], dim: usize, at: &Connections) -> Result<Vec<f32>> {
    let (elements, rest) = bytes.as_chunks::<4>();
    if elements.len() != dim || !rest.is_empty() {
        return Err(at.error(format!("a vector has {} bytes, expected {}", bytes.len(), 4 * dim)));
    }
    Ok(elements.iter().map(|x| f32::from_le_bytes(*x)).collect())
}
