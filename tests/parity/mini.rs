//! The Rust pipeline against the golden files that models/mini/recipe.py wrote with NumPy and ONNX Runtime.

use std::path::{Path, PathBuf};

use earmark_encoder::{AudioOutput, Catalogue, Embedding, Model, Pooling, Runtime, pool_rows};
use serde_json::Value;

use super::{read_npy, windows, windows_of};
use crate::sandbox::repo;

/// Axes of mini, and the classes among them, which are all that ced-tiny has.
const DIM: usize = 623;
const CLASSES: usize = 527;
const YAMNET_CLASSES: usize = 521;
/// Largest absolute difference of a log-mel value, dB, where the level is above [`FAINT_DB`].
const MEL_TOLERANCE: f32 = 2e-3;
/// Below this, what float32 leaves of louder bands in the same spectrum counts: 100 dB down is its precision.
const FAINT_DB: f32 = -70.0;
/// Least cosine of embeddings from the same samples.
const SAME_RATE_COSINE: f32 = 0.9999;
/// Least cosine where each side resampled in its own way.
const RESAMPLED_COSINE: f32 = 0.999;
/// Largest absolute difference of a class's score from the same samples.
const SCORE_TOLERANCE: f32 = 1e-4;
/// Least cosine of text embeddings: the graph is the same, and quantised on the fly alike.
const TEXT_COSINE: f32 = 0.9999;

fn fixtures() -> PathBuf {
    repo().join("tests/fixtures/mini")
}

fn golden() -> Value {
    serde_json::from_slice(&std::fs::read(fixtures().join("golden.json")).unwrap()).unwrap()
}

fn mini() -> (Model, Runtime) {
    (Catalogue::default().open("mini").unwrap(), Runtime::load(None).unwrap())
}

#[test]
fn bundled_files_are_those_of_the_manifest() {
    let (model, _) = mini();
    let folder = earmark_encoder::ModelFiles::Folder(repo().join("models/mini"));
    Model::open(folder).unwrap().verify_files().unwrap();
    model.verify_files().unwrap();
    assert_eq!(model.axes().unwrap().len(), model.manifest().dim);
}

#[test]
fn log_mel_patches_match_the_reference() {
    let (model, _) = mini();
    let mut compared = 0;
    for clip in golden()["clips"].as_array().unwrap() {
        let file = clip["file"].as_str().unwrap();
        let windows = windows(&model, &fixtures().join(file));
        assert_eq!(windows.len() as u64, clip["windows"].as_u64().unwrap(), "{file}: number of windows");
        let Some(mel) = clip["mel"].as_str() else { continue };
        let reference = read_npy(&fixtures().join(mel));
        let ours: Vec<f32> = windows.into_iter().flat_map(|w| w.features).collect();
        assert_eq!(ours.len(), reference.len(), "{file}: number of values");
        let pairs = ours.iter().zip(&reference).filter(|(_, b)| **b > FAINT_DB);
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= MEL_TOLERANCE, "{file}: log-mel differs by {worst} dB");
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} clips had golden patches");
}

#[test]
fn audio_embeddings_match_the_reference() {
    let (model, runtime) = mini();
    let encoder = model.audio_encoder(&runtime, AudioOutput::Embedding).unwrap();
    let golden = golden();
    let reference = read_npy(&fixtures().join(golden["clip_embeddings"].as_str().unwrap()));
    let rates: Vec<u64> =
        golden["clips"].as_array().unwrap().iter().map(|c| c["sample_rate"].as_u64().unwrap()).collect();
    assert!([22_050, 44_100, 48_000].iter().all(|r| rates.contains(r)), "{rates:?}");
    for (clip, reference) in golden["clips"].as_array().unwrap().iter().zip(reference.chunks_exact(DIM)) {
        let file = clip["file"].as_str().unwrap();
        let features: Vec<f32> =
            windows(&model, &fixtures().join(file)).into_iter().flat_map(|w| w.features).collect();
        let mut rows = Vec::new();
        encoder.encode(&features, &mut rows).unwrap();
        let ours = model.pool(&rows, file).unwrap();
        let reference = Embedding::from_values(reference.to_vec(), "mini", file).unwrap();
        let cosine = ours.cosine(&reference);
        let least = if clip["sample_rate"] == 16_000 { SAME_RATE_COSINE } else { RESAMPLED_COSINE };
        assert!(cosine >= least, "{file}: cosine {cosine}");
    }
}

#[test]
fn scores_of_ced_tiny_match_the_reference() {
    let golden = golden();
    let reference = read_npy(&fixtures().join(golden["clip_scores"].as_str().unwrap()));
    assert_scores_match("ced-tiny", &reference, CLASSES);
}

#[test]
fn scores_of_yamnet_match_the_reference() {
    let reference = read_npy(&repo().join("tests/fixtures/yamnet/scores.npy"));
    assert_scores_match("yamnet", &reference, YAMNET_CLASSES);
}

/// Holds a tagger's mean scores of the golden clips against `[clips, classes]` of its reference.
fn assert_scores_match(model: &str, reference: &[f32], classes: usize) {
    let (_, runtime) = mini();
    let model = Catalogue::default().open(model).unwrap();
    let encoder = model.audio_encoder(&runtime, AudioOutput::Classes).unwrap();
    let golden = golden();
    for (clip, reference) in golden["clips"].as_array().unwrap().iter().zip(reference.chunks_exact(classes)) {
        if clip["sample_rate"] != 16_000 {
            continue;
        }
        let file = clip["file"].as_str().unwrap();
        let features: Vec<f32> =
            windows(&model, &fixtures().join(file)).into_iter().flat_map(|w| w.features).collect();
        let mut rows = Vec::new();
        encoder.encode(&features, &mut rows).unwrap();
        let ours = pool_rows(Pooling::Mean, &rows, classes);
        let worst = ours.iter().zip(reference).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= SCORE_TOLERANCE, "{file}: a score differs by {worst}");
    }
}

#[test]
fn token_ids_and_text_embeddings_match_the_reference() {
    assert_texts_match("mini", &fixtures().join("texts.npy"));
}

#[test]
fn texts_meet_the_names_of_classes_as_in_the_reference() {
    assert_texts_match("ced-tiny", &fixtures().join("texts-ced-tiny.npy"));
    assert_texts_match("yamnet", &repo().join("tests/fixtures/yamnet/texts.npy"));
}

#[test]
fn familiarity_is_what_the_reference_says_of_the_nearest_concept() {
    let (model, runtime) = mini();
    let read = model.manifest().scores.familiarity.unwrap();
    let encoder = model.text_encoder(&runtime).unwrap();
    let golden = golden();
    for text in golden["texts"].as_array().unwrap() {
        let words = text["text"].as_str().unwrap();
        // The reference reads a text whole, earmark the least known of its clauses.
        if words.contains("just the wind") || words.len() > 200 {
            continue;
        }
        let expected = read.probability(text["familiarity"].as_f64().unwrap() as f32);
        let ours = encoder.encode(&[words]).unwrap()[0].familiarity.unwrap();
        assert!((ours - expected).abs() < 1e-3, "{words}: {ours} and not {expected}");
    }
    let texts = ["a dog barking", "qwertyuiop", "Hund bellt", "speech without qwertyuiop"];
    let known: Vec<f32> =
        encoder.encode(&texts).unwrap().iter().map(|text| text.familiarity.unwrap()).collect();
    assert!(known[0] > 0.99 && known[1..].iter().all(|&known| known < 0.5), "{known:?}");
}

#[test]
fn a_second_for_detection_has_the_reference_vector() {
    let (model, runtime) = mini();
    let golden = golden();
    let reference = read_npy(&fixtures().join(golden["clip_detected"].as_str().unwrap()));
    let encoder = model.audio_encoder(&runtime, AudioOutput::Embedding).unwrap();
    for (clip, reference) in golden["clips"].as_array().unwrap().iter().zip(reference.chunks_exact(DIM)) {
        if clip["sample_rate"] != 16_000 {
            continue;
        }
        let file = clip["file"].as_str().unwrap();
        let stream = model.detection_stream(None).unwrap().unwrap();
        let shape = stream.shape();
        let first = windows_of(&model, stream, &fixtures().join(file)).remove(0);
        let mut row = Vec::new();
        encoder.encode_shaped(shape, &first.features, &mut row).unwrap();
        let ours = Embedding::from_values(row, "mini", file).unwrap();
        let reference = Embedding::from_values(reference.to_vec(), "mini", file).unwrap();
        let cosine = ours.cosine(&reference);
        assert!(cosine >= SAME_RATE_COSINE, "{file}: cosine {cosine}");
    }
}

/// What sounds are searched for with lies elsewhere than what labels them.
#[test]
fn queries_match_the_reference() {
    let (model, runtime) = mini();
    let encoder = model.text_encoder(&runtime).unwrap();
    let (golden, reference) = (golden(), read_npy(&fixtures().join("queries.npy")));
    for (text, reference) in golden["texts"].as_array().unwrap().iter().zip(reference.chunks_exact(DIM)) {
        let text = text["text"].as_str().unwrap();
        let ours = encoder.encode(&[text]).unwrap().remove(0);
        let reference = Embedding::from_values(reference.to_vec(), "mini", text).unwrap();
        let cosine = ours.query.cosine(&reference);
        assert!(cosine >= TEXT_COSINE, "{text}: cosine {cosine}");
        assert!(ours.query.cosine(&ours.vector) < 0.99, "{text}: searched for as it labels");
    }
}

fn assert_texts_match(model: &str, reference: &Path) {
    let (_, runtime) = mini();
    let opened = Catalogue::default().open(model).unwrap();
    let (encoder, dim) = (opened.text_encoder(&runtime).unwrap(), opened.manifest().dim);
    let golden = golden();
    let reference = read_npy(reference);
    for (text, reference) in golden["texts"].as_array().unwrap().iter().zip(reference.chunks_exact(dim)) {
        let (text, ids) = (text["text"].as_str().unwrap(), &text["ids"]);
        let expected: Vec<i64> = ids.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
        assert_eq!(encoder.tokens(text).unwrap(), expected, "{text}");
        let ours = encoder.embed(&[text]).unwrap().remove(0);
        let reference = Embedding::from_values(reference.to_vec(), model, text).unwrap();
        let cosine = ours.cosine(&reference);
        assert!(cosine >= TEXT_COSINE, "{text}: cosine {cosine}");
    }
}

#[test]
fn vectors_do_not_depend_on_the_company_they_are_encoded_in() {
    let (model, runtime) = mini();
    let audio = model.audio_encoder(&runtime, AudioOutput::Embedding).unwrap();
    let features: Vec<Vec<f32>> =
        windows(&model, &fixtures().join("bursts-3s3.wav")).into_iter().map(|w| w.features).collect();
    let mut together = Vec::new();
    audio.encode(&features.concat(), &mut together).unwrap();
    for (window, row) in features.iter().zip(together.chunks_exact(DIM)) {
        let mut alone = Vec::new();
        audio.encode(window, &mut alone).unwrap();
        assert_eq!(alone, row, "a window's row changed with its batch");
    }
    let text = model.text_encoder(&runtime).unwrap();
    let texts = ["rain", "a dog barking far away at night", "car"];
    let together = text.embed(&texts).unwrap();
    for (t, embedding) in texts.iter().zip(&together) {
        assert_eq!(&text.embed(&[t]).unwrap()[0], embedding, "the vector of `{t}` changed with its batch");
    }
}

#[test]
fn several_sounds_in_one_text_are_all_asked_for_and_what_is_not_there_is_kept_away() {
    let (model, runtime) = mini();
    let encoder = model.text_encoder(&runtime).unwrap();
    let [both, speech, bark, car, music, talk] = [
        "a dog barking while a car passes",
        "speech without music",
        "a dog barking",
        "a car passes",
        "music",
        "speech",
    ]
    .map(|text| encoder.embed(&[text]).unwrap().remove(0));
    assert!(
        both.cosine(&bark) > 0.6 && both.cosine(&car) > 0.6,
        "{} {}",
        both.cosine(&bark),
        both.cosine(&car)
    );
    assert!(speech.cosine(&talk) > 0.7 && speech.cosine(&music) < -0.3, "{}", speech.cosine(&music));
    // In any company the same.
    let together =
        encoder.embed(&["music", "a dog barking while a car passes", "speech without music"]).unwrap();
    assert!(
        (together[1].cosine(&both) - 1.0).abs() < 1e-6 && (together[2].cosine(&speech) - 1.0).abs() < 1e-6
    );
}
