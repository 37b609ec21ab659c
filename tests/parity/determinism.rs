//! The same file gives the same bits, whoever encodes it and beside whatever.

use earmark_encoder::{Head, Runtime};
use earmark_engine::{Engine, EngineOptions, Keep, Source};

use super::tiny::{ALL, Tiny};
use super::windows;

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

#[test]
fn the_batch_that_a_window_is_in_changes_no_bit() {
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
            .collect();
        let width = encoder.width();
        let alone: Vec<Vec<f32>> = features
            .iter()
            .map(|window| {
                let mut row = Vec::new();
                encoder.encode(window, &mut row).unwrap();
                row
            })
            .collect();
        for batch in 2..=features.len().min(4) {
            let mut together = Vec::new();
            encoder.encode(&features[..batch].concat(), &mut together).unwrap();
            let rows: Vec<&[f32]> = together.chunks_exact(width).collect();
            assert_eq!(alone[..batch], rows[..], "{name}: a batch of {batch}");
        }
    }
}
