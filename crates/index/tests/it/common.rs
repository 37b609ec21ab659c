//! What the tests share.

use earmark_index::{
    Change, ClipMeta, Hit, Identity, IndexReader, IndexWriter, OpenOptions, SearchMode, SearchRequest,
    Segment, Snapshot, Writer,
};

pub(crate) fn identity(dim: usize) -> Identity {
    Identity { model_id: "test".into(), manifest_hash: "0".repeat(64), pipeline_version: 1, dim }
}

pub(crate) fn meta(path: &str) -> ClipMeta {
    ClipMeta {
        path: path.into(),
        content_hash: [7; 32],
        mtime_ns: 1,
        size: 2,
        duration_s: 3.0,
        sample_rate: 16_000,
        channels: 1,
        format: "wav".into(),
        decoder: None,
        tags: Vec::new(),
        indexed_unix_s: 4,
    }
}

/// A segment whose vector points along one axis.
pub(crate) fn segment(dim: usize, axis: usize) -> Segment {
    let mut vector = vec![0.0; dim];
    vector[axis % dim] = 1.0;
    Segment { start_s: 0.0, end_s: 1.0, vector }
}

pub(crate) fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= norm);
    vector
}

/// A small generator (splitmix64), so that tests repeat.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform over 0 to 1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Near one of `clusters` centres, the same in all tests.
    pub(crate) fn clustered(&mut self, dim: usize, clusters: u64) -> Vec<f32> {
        let mut centre = Rng(self.next() % clusters * 7919);
        unit((0..dim).map(|_| centre.unit() - 0.5 + 0.6 * (self.unit() - 0.5)).collect())
    }
}

/// A clip with `segments` clustered segments.
pub(crate) fn put(path: &str, rng: &mut Rng, dim: usize, segments: usize) -> Change {
    let segments = (0..segments)
        .map(|i| Segment { start_s: i as f64, end_s: i as f64 + 1.0, vector: rng.clustered(dim, 20) })
        .collect();
    Change::Put { meta: meta(path), segments, texts: Vec::new() }
}

/// An index of `clips` clips with `segments` segments each.
pub(crate) fn filled(dir: &std::path::Path, dim: usize, clips: usize, segments: usize) -> Writer {
    let index = Writer::create_or_open(dir, &identity(dim), &OpenOptions::default()).unwrap();
    let mut rng = Rng(3);
    let changes = (0..clips).map(|i| put(&format!("/{i}.wav"), &mut rng, dim, segments));
    index.apply(changes.collect()).unwrap();
    index
}

/// Opens the index as any other process would, and searches it.
pub(crate) fn search_at(dir: &std::path::Path, query: &[f32], mode: SearchMode) -> Vec<Hit> {
    let request = SearchRequest { mode, collapse: false, ..SearchRequest::default() };
    Snapshot::open(dir, None, &OpenOptions::default()).unwrap().search(query, &request).unwrap().hits
}

/// Expects that the store and what is published of it are sound and the same.
pub(crate) fn expect_clean(index: &Writer) {
    let stored = index.audit().unwrap();
    assert!(stored.is_clean(), "{stored:?}");
    let published = index.snapshot().unwrap().audit().unwrap();
    assert!(published.is_clean(), "{published:?}");
    assert_eq!((stored.clips, stored.segments), (published.clips, published.segments));
}

pub(crate) fn search(index: &Writer, query: &[f32], mode: SearchMode) -> Vec<Hit> {
    let request = SearchRequest { mode, collapse: false, ..SearchRequest::default() };
    index.snapshot().unwrap().search(query, &request).unwrap().hits
}
