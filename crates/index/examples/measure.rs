//! Times the index on random clustered vectors, ten segments of 521 elements a clip:
//! `cargo run --release -p earmark-index --example measure -- DIR CLIPS`.

use std::path::Path;
use std::time::Instant;

use earmark_index::{Change, ClipMeta, Identity, Index, OpenOptions, SearchMode, SearchRequest, Segment};

const DIM: usize = 521;
const SEGMENTS: usize = 10;

/// A small generator (splitmix64), so that runs repeat.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// Sparse positive vectors around one of a hundred centres, like square roots of class probabilities.
fn vector(rng: &mut Rng) -> Vec<f32> {
    let centre = rng.next() % 100;
    let mut base = Rng(centre * 7919);
    let mut v: Vec<f32> = (0..DIM).map(|_| 0.02 * rng.unit()).collect();
    for _ in 0..12 {
        let axis = (base.next() % DIM as u64) as usize;
        v[axis] += base.unit() * (0.3 + rng.unit());
    }
    for _ in 0..6 {
        let axis = (rng.next() % DIM as u64) as usize;
        v[axis] += 0.7 * rng.unit();
    }
    let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt();
    v.iter().map(|x| x / norm).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let dir = Path::new(args.get(1).ok_or("DIR CLIPS")?);
    let clips: usize = args.get(2).ok_or("DIR CLIPS")?.parse()?;
    let identity =
        Identity { model_id: "m".into(), manifest_hash: "h".into(), pipeline_version: 1, dim: DIM };
    let opts = OpenOptions::default();
    let mut rng = Rng(1);
    if clips == 0 {
        // One search, for `perf stat`.
        let index = Index::open_read_only(dir, None, &opts)?;
        index.search(&vector(&mut rng), &SearchRequest::default())?;
        return Ok(());
    }

    if !dir.exists() {
        let start = Instant::now();
        let index = Index::create_or_open(dir, &identity, &opts)?;
        let mut slowest = 0.0f64;
        for batch in 0..clips.div_ceil(50) {
            let changes = (batch * 50..((batch + 1) * 50).min(clips))
                .map(|clip| Change::Put {
                    meta: ClipMeta {
                        path: format!("/sounds/{:03}/{clip:06}.wav", clip % 100),
                        content_hash: [(clip % 251) as u8; 32],
                        mtime_ns: 0,
                        size: 1,
                        duration_s: 10.0,
                        sample_rate: 16_000,
                        channels: 1,
                        format: if clip % 20 == 0 { "mp3" } else { "wav" }.into(),
                        tags: vec![],
                        indexed_unix_s: 0,
                    },
                    segments: (0..SEGMENTS)
                        .map(|i| Segment {
                            start_s: i as f64,
                            end_s: i as f64 + 1.0,
                            vector: vector(&mut rng),
                        })
                        .collect(),
                })
                .collect();
            let start = Instant::now();
            index.apply(changes)?;
            slowest = slowest.max(start.elapsed().as_secs_f64());
        }
        let all = start.elapsed().as_secs_f64();
        println!("put {clips} clips in {all:.2} s, slowest batch of 50 {:.0} ms", slowest * 1e3);
        for line in std::fs::read_to_string("/proc/self/status").unwrap_or_default().lines() {
            if line.starts_with("VmHWM") {
                println!("most memory while indexing: {line}");
            }
        }
        let start = Instant::now();
        index.refresh_graph()?;
        println!("refresh {:.2} s; {:?}", start.elapsed().as_secs_f64(), index.take_events());
        let start = Instant::now();
        drop(index);
        println!("close {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    }

    let query = vector(&mut rng);
    let (flat, aside) = (dir.join("vectors.flat"), dir.join("vectors.aside"));
    for cached in [true, false] {
        if !cached && flat.exists() {
            std::fs::rename(&flat, &aside)?;
        }
        let (mut opening, mut searching) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..8 {
            let start = Instant::now();
            let index = Index::open_read_only(dir, None, &opts)?;
            opening = opening.min(start.elapsed().as_secs_f64() * 1e3);
            let start = Instant::now();
            index.search(&query, &SearchRequest::default())?;
            searching = searching.min(start.elapsed().as_secs_f64() * 1e3);
        }
        println!("open {opening:.1} ms, first search {searching:.1} ms, flat copy: {cached}");
    }
    if aside.exists() {
        std::fs::rename(&aside, &flat)?;
    }
    let index = Index::open(dir, None, &opts)?;
    for mode in [SearchMode::Exact, SearchMode::Graph] {
        let mut request = SearchRequest { mode, collapse: false, ..SearchRequest::default() };
        let start = Instant::now();
        index.search(&query, &request)?;
        println!(
            "{mode:?}: first search {:.1} ms; {:?}",
            start.elapsed().as_secs_f64() * 1e3,
            index.take_events()
        );
        let (mut seconds, mut right) = (Vec::new(), 0);
        for _ in 0..200 {
            let query = vector(&mut rng);
            request.mode = mode;
            let start = Instant::now();
            let hits = index.search(&query, &request)?.hits;
            seconds.push(start.elapsed().as_secs_f64());
            if mode == SearchMode::Graph {
                request.mode = SearchMode::Exact;
                let truth = index.search(&query, &request)?.hits;
                right += truth.iter().filter(|t| hits.contains(t)).count();
            }
        }
        seconds.sort_by(f64::total_cmp);
        let (best, median) = (seconds[0] * 1e3, seconds[100] * 1e3);
        println!("{mode:?}: {best:.2} ms a search at best, {median:.2} at median; {right} of 2000 found");
    }
    for ef in [64, 96, 128, 192, 256, 384] {
        let mut rng = Rng(77);
        let (mut seconds, mut right) = (Vec::new(), 0);
        for _ in 0..200 {
            let query = vector(&mut rng);
            let mut request =
                SearchRequest { mode: SearchMode::Exact, collapse: false, ..SearchRequest::default() };
            let truth = index.search(&query, &request)?.hits;
            (request.mode, request.ef) = (SearchMode::Graph, Some(ef));
            let start = Instant::now();
            let hits = index.search(&query, &request)?.hits;
            seconds.push(start.elapsed().as_secs_f64() * 1e3);
            right += truth.iter().filter(|t| hits.contains(t)).count();
        }
        seconds.sort_by(f64::total_cmp);
        println!("ef {ef}: recall@10 {:.4}, {:.2} ms at median", right as f64 / 2000.0, seconds[100]);
    }
    let mut request = SearchRequest::default();
    request.filter.formats = vec!["mp3".into()];
    for _ in 0..2 {
        let start = Instant::now();
        index.search(&query, &request)?;
        println!("filtered to 5 %: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    }
    println!("{:?}", index.stats()?);
    for line in std::fs::read_to_string("/proc/self/status").unwrap_or_default().lines() {
        if line.starts_with("VmHWM") {
            println!("most memory: {line}");
        }
    }
    Ok(())
}
