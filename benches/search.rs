//! Recall beside latency, for text and for sound queries apart, each way of searching against the exact one.
//!
//! `cargo xtask bench --bench search [-- INDEX… | SEGMENTS…]`. Of an index (a folder that `earmark` made with a model that
//! has a text side), the text queries are a dozen phrases, and the sound queries stored vectors with noise. Of a number of
//! segments, vectors are made up: clustered, as those of real sounds are, and queried from inside and from outside of the
//! clusters, where texts lie. Of an index, the phrases are also looked for by name, and by sound and name together.

mod common;

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use earmark_encoder::{Catalogue, Runtime};
use earmark_engine::search::rank::{By, Ranking, rank};
use earmark_engine::{Engine, EngineOptions};
use earmark_index::{
    Change, Collection, Filter, Identity, IndexReader, IndexWriter as _, NameQuery, OpenOptions, QueryKind,
    SearchMode, SearchRequest, Segment, Snapshot, Writer,
};

const DIM: usize = 617;
const CLUSTERS: usize = 200;
const SOUNDS: usize = 100;
const K: usize = 10;
const CLIPS_A_BATCH: usize = 1000;
const ROUNDS: usize = 5;

/// Those of issue 11.
const PHRASES: [&str; 12] = [
    "dog barking",
    "rain",
    "rooster",
    "piano",
    "kick drum",
    "a man speaking in Spanish",
    "thunder",
    "engine",
    "church bell",
    "waves at the beach",
    "crowd cheering",
    "glass breaking",
];

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let given = if given.is_empty() { vec!["10000".to_owned(), "100000".to_owned()] } else { given };
    println!(
        "{:>9} {:>7} {:>7} {:>9} {:>9} {:>9}",
        "segments", "queries", "mode", "p50 ms", "p95 ms", "recall@10"
    );
    for what in given {
        match what.parse() {
            Ok(size) => made_up(size)?,
            Err(_) => stored(Path::new(&what))?,
        }
    }
    Ok(())
}

/// An index of somebody's.
fn stored(db: &Path) -> Result<()> {
    let collection = Collection::open(db, &OpenOptions::default())?;
    let index = Snapshot::open(&collection.current()?.path, None, &OpenOptions::default())?;
    let model = Catalogue::default().open(&index.header().identity.model_id)?;
    let engine = Engine::new(model, Runtime::load(None)?, EngineOptions::default());
    let mut texts = Vec::new();
    for phrase in PHRASES {
        let prompts = engine.prompts(phrase, &[])?;
        let encoded = engine.encode_texts(&prompts.iter().map(String::as_str).collect::<Vec<_>>())?;
        texts.extend(encoded.into_iter().map(|text| text.query.into_vec()));
    }
    compare(&index, texts.clone())?;
    let segments = index.stats()?.segments;
    let read = engine.model().manifest().scores.likelihood.map(|read| (read, Some(0.99)));
    for (way, by) in [("name", By::Name), ("both", By::Both)] {
        let mut times = Vec::new();
        // The first round opens the text side.
        for round in 0..=ROUNDS {
            for (phrase, vector) in PHRASES.iter().zip(&texts) {
                let names = NameQuery::parse(phrase);
                let request = SearchRequest { kind: QueryKind::Text, k: K, ..SearchRequest::default() };
                let ranking = Ranking { by, vector, names: &names, read, request, is_strict: false };
                let started = Instant::now();
                rank(&index, &ranking)?;
                if round > 0 {
                    times.push(started.elapsed().as_secs_f64() * 1e3);
                }
            }
        }
        times.sort_by(f64::total_cmp);
        print(segments, "text", way, &times, f64::NAN);
    }
    Ok(())
}

/// An index of vectors that are made up.
fn made_up(size: usize) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let identity = Identity {
        model_id: "bench".to_owned(),
        manifest_hash: "0".repeat(64),
        pipeline_version: 1,
        dim: DIM,
    };
    let index = Writer::create_or_open(&dir.path().join("db"), &identity, &OpenOptions::default())?;
    let mut random = Random(1);
    let centres: Vec<Vec<f32>> = (0..CLUSTERS).map(|_| random.unit()).collect();
    for first in (0..size).step_by(CLIPS_A_BATCH) {
        let changes = (first..(first + CLIPS_A_BATCH).min(size))
            .map(|i| {
                let vector = random.near(&centres[i % CLUSTERS], 0.75);
                let segments = vec![Segment { start_s: 0.0, end_s: 5.0, vector }];
                Change::Put { meta: common::meta(i as u64), segments, texts: Vec::new() }
            })
            .collect();
        index.apply(changes)?;
    }
    // Between a few centres, far from each.
    let texts = (0..PHRASES.len()).map(|i| {
        let sum = (0..DIM).map(|d| centres[i][d] + centres[i + 20][d] + centres[i + 40][d]).collect();
        random.near(&scaled(sum), 1.5)
    });
    let texts = texts.collect();
    compare(&*index.snapshot()?, texts)
}

fn compare(index: &dyn IndexReader, texts: Vec<Vec<f32>>) -> Result<()> {
    let segments = index.stats()?.segments;
    let (mut sounds, mut at, mut random) = (Vec::new(), 0, Random(7));
    index.for_each_segment(&Filter::default(), &mut |segment| {
        if at % (segments / SOUNDS).max(1) == 0 {
            sounds.push(random.near(segment.vector, 0.3));
        }
        at += 1;
        true
    })?;
    for (kind, queries) in [(QueryKind::Text, texts), (QueryKind::Sound, sounds)] {
        let name = if kind == QueryKind::Text { "text" } else { "sound" };
        // For benches/compare: the same queries for other programs, f32 by f32.
        if let Some(folder) = std::env::var_os("EARMARK_BENCH_QUERIES") {
            let bytes: Vec<u8> = queries.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
            std::fs::write(Path::new(&folder).join(format!("{name}.f32")), bytes)?;
        }
        let (truth, exact) = search(index, &queries, kind, SearchMode::Exact)?;
        print(segments, name, "exact", &exact, 1.0);
        for (way, mode) in [("auto", SearchMode::Auto), ("graph", SearchMode::Graph)] {
            let (found, times) = search(index, &queries, kind, mode)?;
            let hits =
                |(truth, found): (&Hits, &Hits)| found.iter().filter(|hit| truth.contains(hit)).count();
            let right: usize = truth.iter().zip(&found).map(hits).sum();
            let recall = right as f64 / truth.iter().map(Vec::len).sum::<usize>().max(1) as f64;
            print(segments, name, way, &times, recall);
        }
    }
    Ok(())
}

/// Clip and segment of each hit.
type Hits = Vec<(u64, u32)>;

/// What each query finds, and how long each search took, milliseconds, sorted.
type Found = (Vec<Hits>, Vec<f64>);

fn search(index: &dyn IndexReader, queries: &[Vec<f32>], kind: QueryKind, mode: SearchMode) -> Result<Found> {
    let request = SearchRequest { k: K, kind, mode, collapse: false, ..Default::default() };
    // The first search checks what it reads.
    index.search(&queries[0], &request)?;
    let (mut found, mut times) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for query in queries {
            let started = Instant::now();
            let response = index.search(query, &request)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
            if round == 0 {
                found.push(response.hits.iter().map(|h| (h.clip.id, h.segment)).collect());
            }
        }
    }
    times.sort_by(f64::total_cmp);
    Ok((found, times))
}

fn print(segments: usize, kind: &str, mode: &str, times: &[f64], recall: f64) {
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{segments:>9} {kind:>7} {mode:>7} {:>9.3} {:>9.3} {recall:>9.4}", at(0.5), at(0.95));
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

    /// `centre` (unit length) with noise of this length.
    fn near(&mut self, centre: &[f32], noise: f32) -> Vec<f32> {
        let random = scaled(centre.iter().map(|_| self.next()).collect());
        scaled(centre.iter().zip(random).map(|(c, n)| c + noise * n).collect())
    }
}

fn scaled(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|v| *v /= norm);
    vector
}
