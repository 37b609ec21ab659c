//! Helpers for this crate's unit tests.

use crate::types::ClipMeta;

/// Metadata with nothing but a path.
pub(crate) fn meta(path: &str) -> ClipMeta {
    ClipMeta {
        path: path.to_string(),
        content_hash: [0; 32],
        mtime_ns: 0,
        size: 1,
        duration_s: 1.0,
        sample_rate: 16_000,
        channels: 1,
        format: "wav".to_string(),
        decoder: None,
        tags: Vec::new(),
        indexed_unix_s: 0,
    }
}
