//! The Rust pipeline against what reference implementations say.
//!
//! - `mini`: the bundled model, against its recipe (models/mini/recipe.py)
//! - the others: CLAP, AST and Whisper, against `transformers`, on tiny models (tests/fixtures/models/make.py)

mod determinism;
mod embeddings;
mod features;
mod mini;
mod tiny;
mod tokens;
mod zero_shot;

use std::path::Path;

use earmark_audio::{AudioReader, FeatureWindow, ReadOptions, Waveform, WindowStream};
use earmark_encoder::Model;

/// The values of a little-endian float32 `.npy` file, whatever its shape.
fn read_npy(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let header_length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..10 + header_length]).into_owned();
    assert!(header.contains("'<f4'") && header.contains("False"), "{header}");
    bytes[10 + header_length..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// The windows that `model` cuts a file into.
fn windows(model: &Model, path: &Path) -> Vec<FeatureWindow> {
    windows_of(model, model.window_stream(None).unwrap(), path)
}

/// The windows that `stream` cuts a file into, at the model's rate.
fn windows_of(model: &Model, mut stream: WindowStream, path: &Path) -> Vec<FeatureWindow> {
    let reader = AudioReader::open(path, &ReadOptions::default()).unwrap();
    let resampled = reader.resampled(model.manifest().front_end.sample_rate()).unwrap();
    let waveform = Waveform::read(resampled, None).unwrap();
    let mut windows = Vec::new();
    stream.push(&waveform.samples, &mut |w| windows.push(w));
    stream.finish(&mut |w| windows.push(w));
    windows
}
