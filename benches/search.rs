//! Recall beside latency: the exact scan and the HNSW graph on the same vectors in the same run.
//!
//! `cargo xtask bench --bench search [-- SEGMENTS…]`. Vectors are clustered, as those of real sounds are; queries are
//! noisy copies of stored ones.

mod common;

use std::time::Instant;

use anyhow::Result;
use earmark_index::{Change, Identity, Index, OpenOptions, SearchMode, SearchRequest, Segment};

const DIM: usize = 521;
const CLUSTERS: usize = 200;
const QUERIES: usize = 100;
const K: usize = 10;
const CLIPS_A_BATCH: usize = 1000;

fn main() -> Result<()> {
    let given: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let sizes = if given.is_empty() { vec![10_000, 50_000] } else { given };
    println!(
        "{:>9} {:>7} {:>10} {:>10} {:>9} {:>9}",
        "segments", "ef", "exact ms", "graph ms", "ratio", "recall@10"
    );
    for size in sizes {
        compare(size)?;
    }
    Ok(())
}

fn compare(size: usize) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let identity = Identity {
        model_id: "bench".to_owned(),
        manifest_hash: "0".repeat(64),
        pipeline_version: 1,
        dim: DIM,
    };
    let index = Index::create_or_open(&dir.path().join("db"), &identity, &OpenOptions::default())?;
    let mut random = Random(1);
    let centres: Vec<Vec<f32>> = (0..CLUSTERS).map(|_| random.unit()).collect();
    let mut queries = Vec::new();
    for first in (0..size).step_by(CLIPS_A_BATCH) {
        let changes = (first..(first + CLIPS_A_BATCH).min(size))
            .map(|i| {
                let vector = random.near(&centres[i % CLUSTERS]);
                if queries.len() < QUERIES && i % (size / QUERIES).max(1) == 0 {
                    queries.push(random.near(&vector));
                }
                Change::Put {
                    meta: common::meta(i as u64),
                    segments: vec![Segment { start_s: 0.0, end_s: 5.0, vector }],
                }
            })
            .collect();
        index.apply(changes)?;
    }
    let search = |mode: SearchMode, ef: Option<usize>| -> Result<(f64, Vec<Vec<u64>>)> {
        let request = SearchRequest { k: K, mode, ef, ..Default::default() };
        // The first search loads or builds what it needs.
        index.search(&queries[0], &request)?;
        let started = Instant::now();
        let mut found = Vec::new();
        for query in &queries {
            found.push(index.search(query, &request)?.hits.iter().map(|h| h.clip.id).collect());
        }
        Ok((started.elapsed().as_secs_f64() * 1e3 / queries.len() as f64, found))
    };
    let (exact_ms, truth) = search(SearchMode::Exact, None)?;
    for ef in [None, Some(64), Some(256)] {
        let (graph_ms, found) = search(SearchMode::Graph, ef)?;
        let hits: usize =
            truth.iter().zip(&found).map(|(t, f)| f.iter().filter(|id| t.contains(id)).count()).sum();
        let recall = hits as f64 / truth.iter().map(Vec::len).sum::<usize>().max(1) as f64;
        let ef = ef.map_or("auto".to_owned(), |ef| ef.to_string());
        println!(
            "{size:>9} {ef:>7} {exact_ms:>10.3} {graph_ms:>10.3} {:>9.1} {recall:>9.4}",
            exact_ms / graph_ms
        );
    }
    Ok(())
}

/// xorshift64*: the same vectors on every run and machine (Vigna, "An experimental exploration of Marsaglia's
/// xorshift generators", 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40;
        bits as f32 / (1 << 23) as f32 - 1.0
    }

    fn unit(&mut self) -> Vec<f32> {
        scaled((0..DIM).map(|_| self.next()).collect())
    }

    /// A unit vector at a cosine of about 0.8 to `centre`.
    fn near(&mut self, centre: &[f32]) -> Vec<f32> {
        let noise = self.unit();
        scaled(centre.iter().zip(noise).map(|(c, n)| c + 0.75 * n).collect())
    }
}

fn scaled(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|v| *v /= norm);
    vector
}
