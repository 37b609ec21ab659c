//! What the benches share.

use earmark_index::ClipMeta;

/// A clip that stands for any other, at a path of its own.
pub(crate) fn meta(number: u64) -> ClipMeta {
    ClipMeta {
        path: format!("/bench/{number}.wav"),
        content_hash: *blake3::hash(&number.to_le_bytes()).as_bytes(),
        mtime_ns: 0,
        size: 1,
        duration_s: 5.0,
        sample_rate: 44_100,
        channels: 2,
        format: "wav".to_owned(),
        decoder: None,
        tags: Vec::new(),
        indexed_unix_s: 0,
    }
}
