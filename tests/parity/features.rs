//! Features of windows, against the feature extractors of `transformers`.

use super::tiny::{ALL, Tiny, folder};
use super::{read_npy, windows};

/// Largest difference, in decibels of the mel spectrogram.
const TOLERANCE_DB: f32 = 1e-3;

/// Decibels in a unit of the model's features: CLAP's are decibels; AST's are natural logarithms of power, divided by
/// 9.138 (twice its deviation); Whisper's are decades of power, divided by 4.
fn decibels(model: &str) -> f32 {
    match model {
        "tiny-ast" => 9.137_995 * 10.0 / std::f32::consts::LN_10,
        "tiny-whisper" => 4.0 * 10.0,
        _ => 1.0,
    }
}

#[test]
fn every_window_has_the_reference_features_to_a_thousandth_of_a_decibel() {
    for name in ALL {
        let tiny = Tiny::open(name);
        let stride = tiny.golden["stride"].as_u64().unwrap() as usize;
        let shape = tiny.model.window_stream(None).unwrap().shape();
        let mut compared = 0;
        let mut worst_of_all = 0.0_f32;
        for clip in tiny.clips() {
            let windows = windows(&tiny.model, &clip.path);
            assert_eq!(Some(windows.len() as u64), clip.golden["windows"].as_u64(), "{name}, {}", clip.file);
            let Some(file) = clip.golden["features"].as_str() else { continue };
            let reference = read_npy(&folder().join("golden").join(file));
            // Every tenth frame of each channel.
            let ours: Vec<f32> = windows
                .iter()
                .flat_map(|w| w.features.chunks_exact(shape.frames * shape.bands))
                .flat_map(|channel| channel.chunks_exact(shape.bands).step_by(stride))
                .flatten()
                .copied()
                .collect();
            assert_eq!(ours.len(), reference.len(), "{name}, {}: number of values", clip.file);
            let worst = ours.iter().zip(&reference).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let worst_db = worst * decibels(name);
            assert!(worst_db <= TOLERANCE_DB, "{name}, {}: features differ by {worst_db} dB", clip.file);
            worst_of_all = worst_of_all.max(worst_db);
            compared += 1;
        }
        assert!(compared >= 3, "{name}: only {compared} clips had golden features");
        println!("{name}: {compared} clips, features within {worst_of_all:e} dB");
    }
}
