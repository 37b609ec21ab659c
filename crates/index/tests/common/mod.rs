//! What the tests share.
#![allow(dead_code, unreachable_pub)]

use earmark_index::{ClipMeta, Identity, Segment};

pub fn identity(dim: usize) -> Identity {
    Identity { model_id: "test".into(), manifest_hash: "0".repeat(64), pipeline_version: 1, dim }
}

pub fn meta(path: &str) -> ClipMeta {
    ClipMeta {
        path: path.into(),
        content_hash: [7; 32],
        mtime_ns: 1,
        size: 2,
        duration_s: 3.0,
        sample_rate: 16_000,
        channels: 1,
        format: "wav".into(),
        tags: Vec::new(),
        indexed_unix_s: 4,
    }
}

/// A segment whose vector points along one axis.
pub fn segment(dim: usize, axis: usize) -> Segment {
    let mut vector = vec![0.0; dim];
    vector[axis % dim] = 1.0;
    Segment { start_s: 0.0, end_s: 1.0, vector }
}
