//! The same file gives the same bits, whoever encodes it and beside whatever.

use earmark_encoder::{AudioOutput, Catalogue, GraphCache, Runtime};
use earmark_engine::{Engine, EngineOptions, Keep, Source};

use super::tiny::{ALL, Tiny};
use super::windows;

/// Largest difference of a row encoded alone and in a batch, as a share of the largest number in it.
const BATCH_TOLERANCE: f32 = 1e-5;

/// Vectors of all clips in the order given, as an index would hold them.
fn encode(tiny: &Tiny, threads: usize, batch: usize, reversed: bool) -> Vec<(String, Vec<Vec<f32>>)> {
    let runtime = Runtime::load(None).unwrap();
    let engine =
        Engine::new(tiny.model.clone(), runtime, EngineOptions { threads, batch, ..Default::default() });
    let mut paths: Vec<_> = tiny.clips().map(|clip| clip.path).collect();
    if reversed {
        paths.reverse();
    }
    let sources = paths.iter().cloned().map(Source::Path).collect();
    let encoded = engine.encode(sources, &engine.pipeline_options(Keep::Segments)).unwrap();
    let mut vectors: Vec<_> = paths
        .iter()
        .zip(encoded)
        .map(|(path, e)| {
            let vectors = e.unwrap().spans.into_iter().map(|span| span.vector).collect();
            (path.display().to_string(), vectors)
        })
        .collect();
    vectors.sort_by(|a, b| a.0.cmp(&b.0));
    vectors
}

#[test]
fn threads_and_the_order_of_files_change_no_bit() {
    for name in ALL {
        let tiny = Tiny::open(name);
        let alone = encode(&tiny, 1, 0, false);
        assert_eq!(alone, encode(&tiny, 2, 0, false), "{name}: two threads");
        assert_eq!(alone, encode(&tiny, 2, 0, true), "{name}: files in another order");
    }
}

/// The matrix products of ONNX Runtime may sum in another order for another batch: on one machine Whisper's
/// encoder differs in the seventh digit, the others not at all. So earmark never lets a vector depend on what
/// it is batched with (above), and this bounds what it would be, should anyone batch otherwise.
#[test]
fn the_batch_that_a_window_is_in_changes_the_seventh_digit_at_most() {
    let runtime = Runtime::load(None).unwrap();
    for name in ALL {
        let tiny = Tiny::open(name);
        let encoder = tiny.model.audio_encoder(&runtime, AudioOutput::Embedding).unwrap();
        // Windows of different clips, so that neighbours differ.
        let features: Vec<Vec<f32>> = tiny
            .clips()
            .filter(|clip| clip.exact)
            .flat_map(|clip| windows(&tiny.model, &clip.path))
            .map(|window| window.features)
            .take(4)
            .collect();
        let encode = |features: &[f32]| {
            let mut rows = Vec::new();
            encoder.encode(features, &mut rows).unwrap();
            rows
        };
        let alone: Vec<f32> = features.iter().flat_map(|window| encode(window)).collect();
        assert_eq!(
            alone,
            features.iter().flat_map(|window| encode(window)).collect::<Vec<f32>>(),
            "{name}: again"
        );
        let together = encode(&features.concat());
        let largest = alone.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
        let worst = alone.iter().zip(&together).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= BATCH_TOLERANCE * largest, "{name}: {worst} of {largest}");
        println!("{name}: in a batch rows differ by {worst:e} of {largest}");
    }
}

#[test]
fn a_larger_batch_gives_the_same_vectors_but_for_the_seventh_digit() {
    for name in ALL {
        let tiny = Tiny::open(name);
        let (alone, together) = (encode(&tiny, 1, 1, false), encode(&tiny, 2, 4, false));
        for ((file, alone), (_, together)) in alone.iter().zip(&together) {
            assert_eq!(alone.len(), together.len(), "{name}: {file}");
            let pairs = alone.iter().flatten().zip(together.iter().flatten());
            let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= BATCH_TOLERANCE, "{name}: {file}: {worst}");
        }
    }
}

/// What the proof in `session.rs` rests on: one session, run by many threads at once, gives each the bits
/// that it gives one alone.
#[test]
fn one_graph_is_run_by_many_threads_at_once() {
    const THREADS: usize = 8;
    let runtime = Runtime::load(None).unwrap();
    for name in ALL {
        let tiny = Tiny::open(name);
        let encoder = tiny.model.audio_encoder(&runtime, AudioOutput::Embedding).unwrap();
        let windows: Vec<_> =
            tiny.clips().flat_map(|clip| windows(&tiny.model, &clip.path)).take(6).collect();
        let rows = |features: &[f32]| {
            let mut rows = Vec::new();
            encoder.encode(features, &mut rows).map(|()| rows)
        };
        let alone: Vec<_> = windows.iter().map(|window| rows(&window.features).unwrap()).collect();
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (windows, alone, rows) = (&windows, &alone, &rows);
                scope.spawn(move || {
                    for i in 0..3 * windows.len() {
                        let i = (i + thread) % windows.len();
                        assert_eq!(rows(&windows[i].features).unwrap(), alone[i], "{name}, thread {thread}");
                        // A run that fails beside the others spoils none of them.
                        assert!(rows(&windows[i].features[1..]).is_err());
                    }
                });
            }
        });
    }
    let text = Catalogue::default().open("mini").unwrap().text_encoder(&runtime).unwrap();
    let texts = ["a dog barking", "rain", "a church bell, far away"];
    let alone = text.embed(&texts).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..5).for_each(|_| assert_eq!(text.embed(&texts).unwrap(), alone)));
        }
    });
}

/// A graph that was kept optimised gives the bits of the model's own, and one that is damaged is made anew.
#[test]
fn kept_graphs_change_no_bit() {
    let dir = tempfile::tempdir().unwrap();
    let plain = Runtime::load(None).unwrap();
    let cache = GraphCache::at(dir.path().join("graphs"));
    let caching = plain.clone().with_graphs(Some(cache.clone()));
    let model = Catalogue::default().open("mini").unwrap();
    let texts = ["a dog barking", "rain on a tin roof"];
    let text = |runtime: &Runtime| model.text_encoder(runtime).unwrap().embed(&texts).unwrap();
    let window: Vec<f32> = {
        let mut stream = model.window_stream(None).unwrap();
        let (mut features, samples) = (Vec::new(), (0..80_000).map(|n| (n as f32 * 0.05).sin()));
        stream.push(&samples.collect::<Vec<f32>>(), &mut |window| features.extend(window.features));
        stream.finish(&mut |window| features.extend(window.features));
        features
    };
    let audio = |runtime: &Runtime| {
        let mut rows = Vec::new();
        model.audio_encoder(runtime, AudioOutput::Embedding).unwrap().encode(&window, &mut rows).unwrap();
        rows
    };
    let expected = (text(&plain), audio(&plain));
    assert_eq!((text(&caching), audio(&caching)), expected, "while they are made");
    let kept = model.cached_graphs(&caching);
    assert!(kept.len() == 2 && kept.iter().all(|graph| graph.sound && graph.bytes > 1 << 20), "{kept:?}");
    assert_eq!((text(&caching), audio(&caching)), expected, "from the cache");

    // A bit of the weights, a file that is gone, and a cache that cannot be written.
    let entries = || std::fs::read_dir(cache.folder()).unwrap().map(|entry| entry.unwrap().path());
    for folder in entries() {
        let weights = folder.join("graph.data");
        let mut bytes = std::fs::read(&weights).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        std::fs::write(&weights, bytes).unwrap();
    }
    assert!(model.cached_graphs(&caching).iter().all(|graph| !graph.sound));
    assert_eq!((text(&caching), audio(&caching)), expected, "after damage");
    for folder in entries() {
        std::fs::remove_file(folder.join("graph.data")).unwrap();
    }
    assert_eq!((text(&caching), audio(&caching)), expected, "after a loss");
    assert!(model.cached_graphs(&caching).iter().all(|graph| graph.sound));
    let file = dir.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    let nowhere = plain.with_graphs(Some(GraphCache::at(file.join("graphs"))));
    assert_eq!((text(&nowhere), audio(&nowhere)), expected, "where nothing can be kept");
}
