//! What each stage of indexing costs on one core, by format, and whether `index` leaves a core waiting.
//!
//! `cargo xtask bench --bench ingest [-- FOLDER]`: on the sample sounds, or on a folder of your own. Three tables:
//!
//! 1. milliseconds of one core for each second of audio, stage by stage and format by format
//! 2. the front (read, decode, resample, features) beside the encoder
//! 3. the stages' sum beside the wall time of `index` on all cores, and the audio rate beside the encoder's own ceiling

mod common;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use earmark_audio::{AudioReader, ReadOptions, Waveform};
use earmark_encoder::{AudioOutput, Catalogue, Model, Runtime};
use earmark_engine::ingest::{IngestOptions, ingest};
use earmark_engine::{Engine, EngineOptions, WalkOptions, walk};
use earmark_index::{Change, IndexWriter as _, OpenOptions, Segment, Writer};

/// Each stage is repeated until it has run this long.
const LEAST: Duration = Duration::from_millis(1500);
/// Audio that the end-to-end run gets, seconds at least.
const END_TO_END_S: f64 = 7200.0;

/// Seconds of one core for each second of audio.
#[derive(Default, Clone, Copy)]
struct Cost {
    read: f64,
    decode: f64,
    resample: f64,
    features: f64,
    encode: f64,
    store: f64,
}

impl Cost {
    fn front(&self) -> f64 {
        self.read + self.decode + self.resample + self.features
    }

    fn sum(&self) -> f64 {
        self.front() + self.encode + self.store
    }
}

/// What indexing took, in seconds.
struct EndToEnd {
    wall_s: f64,
    cpu_s: Option<f64>,
    audio_s: f64,
}

struct Bench {
    model: Model,
    runtime: Runtime,
}

fn main() -> Result<()> {
    // Cargo adds `--bench`; what else is given is a folder.
    let folder = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("index-data/sounds");
    let folder = folder.map_or(default, PathBuf::from);
    let bench = Bench { model: Catalogue::default().open("mini")?, runtime: Runtime::load(None)? };
    let by_format = bench.files_by_format(&folder)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);

    println!("{}: ms of one core for each second of audio", folder.display());
    println!(
        "{:8} {:>5} {:>8} {:>7} {:>8} {:>9} {:>9} {:>8} {:>7} {:>7}",
        "format", "files", "audio", "read", "decode", "resample", "features", "encode", "store", "sum"
    );
    let mut expected_s = 0.0;
    let mut audio_s = 0.0;
    let mut ceiling = Vec::new();
    let mut verdicts = Vec::new();
    for (format, files) in &by_format {
        let (cost, seconds) = bench.cost(files)?;
        let ms = |s: f64| format!("{:.3}", s * 1e3);
        println!(
            "{format:8} {:>5} {:>7.1}s {:>7} {:>8} {:>9} {:>9} {:>8} {:>7} {:>7}",
            files.len(),
            seconds,
            ms(cost.read),
            ms(cost.decode),
            ms(cost.resample),
            ms(cost.features),
            ms(cost.encode),
            ms(cost.store),
            ms(cost.sum())
        );
        verdicts.push(format!("{format:8} front / encoder = {:.2}", cost.front() / cost.encode));
        expected_s += cost.sum() * seconds;
        audio_s += seconds;
        ceiling.push(cost.encode * seconds);
    }
    println!("\n{}", verdicts.join("\n"));

    let copies = (END_TO_END_S / audio_s).ceil().max(1.0);
    let files: Vec<PathBuf> = by_format.into_values().flatten().collect();
    let EndToEnd { wall_s, cpu_s, audio_s: indexed_s } = bench.end_to_end(&files, copies as usize)?;
    let encode_s: f64 = ceiling.iter().sum();
    println!(
        "\nindex: {indexed_s:.0} s of audio in {wall_s:.2} s on {cores} cores: {:.0} x real time",
        indexed_s / wall_s
    );
    println!("raw encoder on {cores} cores: {:.0} x real time at most", audio_s / encode_s * cores as f64);
    println!(
        "sum of the stages / (wall time x cores) = {:.3}",
        expected_s * copies / (wall_s * cores as f64)
    );
    if let Some(cpu_s) = cpu_s {
        println!("processor time / (wall time x cores) = {:.3}", cpu_s / (wall_s * cores as f64));
    }
    Ok(())
}

impl Bench {
    fn files_by_format(&self, folder: &Path) -> Result<BTreeMap<String, Vec<PathBuf>>> {
        let walked = walk(&[folder.to_path_buf()], &WalkOptions::default())?;
        let mut by_format: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for path in walked.files {
            if let Ok(reader) = AudioReader::open(&path, &ReadOptions::default()) {
                by_format.entry(reader.info().codec.clone()).or_default().push(path);
            }
        }
        ensure!(!by_format.is_empty(), "{}: no sound files", folder.display());
        Ok(by_format)
    }

    /// Measures every stage on one core over `files`; also their length in seconds.
    fn cost(&self, files: &[PathBuf]) -> Result<(Cost, f64)> {
        let rate = self.model.manifest().front_end.sample_rate();
        let options = ReadOptions::default();
        let bytes: Vec<Vec<u8>> = files.iter().map(std::fs::read).collect::<Result<_, _>>()?;
        let open = |bytes: &[u8]| AudioReader::from_bytes("bench", bytes.to_vec(), &options);
        let mut block = Vec::new();

        let read = time(|| {
            for path in files {
                let bytes = std::fs::read(path)?;
                black_box(blake3::hash(&bytes));
            }
            Ok(())
        })?;
        let decode = time(|| {
            for b in &bytes {
                let mut reader = open(b)?;
                while reader.read_block(&mut block)? {}
            }
            Ok(())
        })?;
        let decode_and_resample = time(|| {
            for b in &bytes {
                let mut reader = open(b)?.resampled(rate)?;
                while reader.read_block(&mut block)? {}
            }
            Ok(())
        })?;
        let waveforms: Vec<Waveform> = bytes
            .iter()
            .map(|b| Ok(Waveform::read(open(b)?.resampled(rate)?, None)?))
            .collect::<Result<_>>()?;
        let seconds: f64 = waveforms.iter().map(|w| w.samples.len() as f64 / f64::from(rate)).sum();

        let prototype = self.model.window_stream(None)?;
        let features_of = |w: &Waveform| {
            let mut stream = prototype.clone();
            let mut features = Vec::new();
            stream.push(&w.samples, &mut |window| features.extend(window.features));
            stream.finish(&mut |window| features.extend(window.features));
            features
        };
        let features = time(|| {
            waveforms.iter().for_each(|w| drop(black_box(features_of(w))));
            Ok(())
        })?;

        let encoder = self.model.audio_encoder(&self.runtime, AudioOutput::Embedding)?;
        let run = encoder.features_per_window() * self.model.manifest().segment.windows;
        let all: Vec<Vec<f32>> = waveforms.iter().map(features_of).collect();
        let mut rows = Vec::new();
        let encode = time(|| {
            for clip in &all {
                for segment in clip.chunks(run) {
                    rows.clear();
                    encoder.encode(segment, &mut rows)?;
                    black_box(self.model.pool(&rows, "bench")?);
                }
            }
            Ok(())
        })?;
        let segments: Vec<usize> = all.iter().map(|clip| clip.len().div_ceil(run)).collect();
        let vector = self.model.pool(&rows, "bench")?.into_vec();
        let store = self.store(&segments, &vector)?;
        let cost = Cost {
            read: read / seconds,
            decode: decode / seconds,
            resample: (decode_and_resample - decode).max(0.0) / seconds,
            features: features / seconds,
            encode: encode / seconds,
            store: store / seconds,
        };
        Ok((cost, seconds))
    }

    /// Seconds to put clips of so many segments into an index, flushed.
    fn store(&self, segments: &[usize], vector: &[f32]) -> Result<f64> {
        let dir = tempfile::tempdir()?;
        let index = Writer::create_or_open(
            &dir.path().join("db"),
            &earmark_engine::identity(&self.model),
            &OpenOptions::default(),
        )?;
        let mut number = 0;
        time(|| {
            let changes = segments
                .iter()
                .map(|&n| {
                    number += 1;
                    Change::Put {
                        meta: common::meta(number),
                        segments: vec![segment(vector); n],
                        texts: Vec::new(),
                    }
                })
                .collect();
            index.apply(changes)?;
            Ok(())
        })
    }

    /// Indexes `copies` of `files` on all cores.
    fn end_to_end(&self, files: &[PathBuf], copies: usize) -> Result<EndToEnd> {
        let dir = tempfile::tempdir()?;
        let sounds = dir.path().join("sounds");
        for copy in 0..copies {
            let folder = sounds.join(copy.to_string());
            std::fs::create_dir_all(&folder)?;
            for (i, file) in files.iter().enumerate() {
                let name = file.file_name().context("a file without a name")?.to_string_lossy();
                std::fs::copy(file, folder.join(format!("{i}-{name}")))?;
            }
        }
        let engine = Engine::new(self.model.clone(), self.runtime.clone(), EngineOptions::default());
        let index =
            Writer::create_or_open(&dir.path().join("db"), &engine.identity(), &OpenOptions::default())?;
        // Copies are encoded again rather than recognised.
        let options = IngestOptions { force: true, ..Default::default() };
        let (started, cpu_before) = (Instant::now(), cpu_s());
        let walked = walk(&[sounds], &WalkOptions::default())?;
        let report = ingest(&engine, &index, walked, &options, &AtomicBool::new(false), |_| {})?;
        let wall_s = started.elapsed().as_secs_f64();
        let used = cpu_before.zip(cpu_s()).map(|(before, after)| after - before);
        Ok(EndToEnd { wall_s, cpu_s: used, audio_s: report.audio_s })
    }
}

/// Seconds that `work` takes: the mean of several runs, after one to warm up. The mean, since the end-to-end time that
/// the sum is held against is one, too.
fn time(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let begun = Instant::now();
    let mut runs = 0;
    while begun.elapsed() < LEAST {
        work()?;
        runs += 1;
    }
    Ok(begun.elapsed().as_secs_f64() / f64::from(runs))
}

/// Processor time that this process has used so far, seconds; `None` where the system does not tell (proc(5):
/// `utime` and `stime`, in ticks of 10 ms).
fn cpu_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks: Vec<f64> =
        stat.rsplit(')').next()?.split_whitespace().filter_map(|f| f.parse().ok()).collect();
    // After the name come a letter, which is not a number, and then fields 4 and on.
    Some((ticks.get(10)? + ticks.get(11)?) / 100.0)
}

fn segment(vector: &[f32]) -> Segment {
    Segment { start_s: 0.0, end_s: 5.0, vector: vector.to_vec() }
}
