//! The same file gives the same bits, whoever encodes it and beside whatever.

use earmark_encoder::{Head, Runtime};
use earmark_engine::{Engine, EngineOptions, Keep, Source};

use super::tiny::{ALL, Tiny};
use super::windows;

/// Largest difference of a row encoded alone and in a batch, as a share of the largest number in it.
const BATCH_TOLERANCE: f32 = 1e-5;

/// Vectors of all clips in the order given, as an index would hold them.
fn encode(tiny: &Tiny, threads: usize, reversed: bool) -> Vec<(String, Vec<Vec<f32>>)> {
    let runtime = Runtime::load(None).unwrap();
    let engine = Engine::new(tiny.model.clone(), runtime, EngineOptions { threads, ..Default::default() });
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
        let alone = encode(&tiny, 1, false);
        assert_eq!(alone, encode(&tiny, 2, false), "{name}: two threads");
        assert_eq!(alone, encode(&tiny, 2, true), "{name}: files in another order");
    }
}

/// The matrix products of ONNX Runtime may sum in another order for another batch: on one machine Whisper's encoder
/// differs in the seventh digit, the others not at all. So earmark never lets a vector depend on what it is batched
/// with (above), and this bounds what it would be, should anyone batch otherwise.
#[test]
fn the_batch_that_a_window_is_in_changes_the_seventh_digit_at_most() {
    let runtime = Runtime::load(None).unwrap();
    for name in ALL {
        let tiny = Tiny::open(name);
        let mut encoder = tiny.model.audio_encoder(&runtime, Head::Embedding).unwrap();
        // Windows of different clips, so that neighbours differ.
        let features: Vec<Vec<f32>> = tiny
            .clips()
            .filter(|clip| clip.exact)
            .flat_map(|clip| windows(&tiny.model, &clip.path))
            .map(|window| window.features)
            .take(4)
            .collect();
        let mut encode = |features: &[f32]| {
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
