//! Vectors of clips and texts, against the networks of `transformers`.

use earmark_encoder::{AudioOutput, Embedding, Runtime, pool_rows};

use super::tiny::{ALL, Tiny, numbers};
use super::windows;

/// Least cosine, of clips that are resampled too: the reference has the same low-pass, in float64.
const COSINE: f32 = 1.0 - 1e-5;
/// Largest difference of a class's probability.
const SCORE_TOLERANCE: f32 = 1e-4;

#[test]
fn clips_have_the_reference_embeddings() {
    let runtime = Runtime::load(None).unwrap();
    for name in ALL {
        let tiny = Tiny::open(name);
        let (mut worst, mut worst_resampled) = (1.0_f32, 1.0_f32);
        for clip in tiny.clips() {
            let rows = tiny.rows(&runtime, &clip);
            let ours = tiny.model.pool(&rows.concat(), clip.file).unwrap();
            let reference =
                Embedding::from_values(numbers(&clip.golden["embedding"]), name, clip.file).unwrap();
            let cosine = ours.cosine(&reference);
            assert!(cosine >= COSINE, "{name}, {}: cosine {cosine}", clip.file);
            let so_far = if clip.exact { &mut worst } else { &mut worst_resampled };
            *so_far = so_far.min(cosine);
            // Each window by itself, so that wrong ones cannot hide in the mean.
            let reference = numbers(&clip.golden["rows"]);
            let dim = tiny.model.manifest().dim;
            assert_eq!(rows.len() * dim, reference.len(), "{name}, {}: windows", clip.file);
            for (ours, reference) in rows.iter().zip(reference.chunks_exact(dim)) {
                let ours = Embedding::from_values(ours.clone(), name, clip.file).unwrap();
                let reference = Embedding::from_values(reference.to_vec(), name, clip.file).unwrap();
                let cosine = ours.cosine(&reference);
                assert!(cosine >= COSINE, "{name}, {}: a window's cosine {cosine}", clip.file);
            }
        }
        println!("{name}: cosine at least {worst}, resampled {worst_resampled}");
    }
}

#[test]
fn texts_have_the_reference_embeddings() {
    let runtime = Runtime::load(None).unwrap();
    for name in ["tiny-clap", "tiny-clap-fused"] {
        let tiny = Tiny::open(name);
        let encoder = tiny.model.text_encoder(&runtime).unwrap();
        let texts = tiny.golden["texts"].as_array().unwrap();
        assert!(texts.len() >= 12);
        for entry in texts {
            let text = entry["text"].as_str().unwrap();
            let ours = encoder.embed(&[text]).unwrap().remove(0);
            let reference = Embedding::from_values(numbers(&entry["embedding"]), name, text).unwrap();
            let cosine = ours.cosine(&reference);
            assert!(cosine >= COSINE, "{name}, {text}: cosine {cosine}");
        }
    }
}

#[test]
fn a_tagger_gives_the_reference_probabilities() {
    let runtime = Runtime::load(None).unwrap();
    let tiny = Tiny::open("tiny-ast");
    let tagger = tiny.model.manifest().tagger.as_ref().unwrap();
    let encoder = tiny.model.audio_encoder(&runtime, AudioOutput::Classes).unwrap();
    for clip in tiny.clips() {
        let features: Vec<f32> =
            windows(&tiny.model, &clip.path).into_iter().flat_map(|w| w.features).collect();
        let mut rows = Vec::new();
        encoder.encode(&features, &mut rows).unwrap();
        let ours = pool_rows(tagger.pooling, &rows, encoder.width());
        let reference = numbers(&clip.golden["class_scores"]);
        assert_eq!(ours.len(), reference.len());
        let worst = ours.iter().zip(&reference).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= SCORE_TOLERANCE, "{}: class scores differ by {worst}", clip.file);
    }
}

/// If two different clips had nearly the same vector, the comparisons above would prove nothing.
#[test]
fn the_references_are_far_apart() {
    for name in ALL {
        let tiny = Tiny::open(name);
        let vectors: Vec<Embedding> = tiny
            .clips()
            .map(|c| Embedding::from_values(numbers(&c.golden["embedding"]), name, c.file).unwrap())
            .collect();
        for (i, a) in vectors.iter().enumerate() {
            for b in &vectors[..i] {
                assert!(a.cosine(b) < 0.98, "{name}: two clips at cosine {}", a.cosine(b));
            }
        }
    }
}

/// A graph of 16-bit floats gets and gives those, and what is lost is their precision: 11 bits.
#[test]
fn a_graph_of_half_precision_is_run_as_it_is() {
    let runtime = Runtime::load(None).unwrap();
    let (single, half) = (Tiny::open("tiny-ast"), Tiny::open_as("tiny-half", "tiny-ast"));
    for clip in single.clips() {
        for (a, b) in single.rows(&runtime, &clip).iter().zip(half.rows(&runtime, &clip)) {
            let (a, b) = (unit(a), unit(&b));
            let cosine: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            assert!(cosine > 0.999_99 && a != b, "{}: {cosine}", clip.file);
        }
    }
}

fn unit(row: &[f32]) -> Vec<f32> {
    let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
    row.iter().map(|v| v / norm).collect()
}
