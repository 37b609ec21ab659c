//! The tiny models, and the golden files beside them.

use std::path::PathBuf;

use earmark_encoder::{Model, ModelFiles, Runtime};
use serde_json::Value;

use super::windows;
use crate::sandbox::repo;

/// All tiny models.
pub(super) const ALL: [&str; 4] = ["tiny-clap", "tiny-clap-fused", "tiny-ast", "tiny-whisper"];

/// A tiny model and what its reference implementation says.
pub(super) struct Tiny {
    pub(super) model: Model,
    pub(super) golden: Value,
}

/// What the reference says of one clip.
pub(super) struct Clip<'a> {
    pub(super) file: &'a str,
    pub(super) path: PathBuf,
    /// Whether it came to the reference without resampling or lossy coding.
    pub(super) exact: bool,
    pub(super) golden: &'a Value,
}

pub(super) fn folder() -> PathBuf {
    repo().join("tests/fixtures/models")
}

pub(super) fn golden_json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join("golden").join(name)).unwrap()).unwrap()
}

impl Tiny {
    pub(super) fn open(name: &str) -> Self {
        Self::open_as(name, name)
    }

    /// A model that the reference knows under another name.
    pub(super) fn open_as(name: &str, golden: &str) -> Self {
        let model = Model::open(ModelFiles::Folder(folder().join(name))).unwrap();
        Self { model, golden: golden_json(&format!("{golden}.json")) }
    }

    pub(super) fn clips(&self) -> impl Iterator<Item = Clip<'_>> {
        self.golden["clips"].as_array().unwrap().iter().map(|golden| {
            let file = golden["file"].as_str().unwrap();
            let path = folder().join("clips").join(file);
            Clip { file, path, exact: golden["exact"].as_bool().unwrap(), golden }
        })
    }

    /// One row a window of a clip, `[windows][dim]`.
    pub(super) fn rows(&self, runtime: &Runtime, clip: &Clip<'_>) -> Vec<Vec<f32>> {
        let encoder = self.model.audio_encoder(runtime, earmark_encoder::AudioOutput::Embedding).unwrap();
        let windows = windows(&self.model, &clip.path);
        windows
            .iter()
            .map(|window| {
                let mut row = Vec::new();
                encoder.encode(&window.features, &mut row).unwrap();
                row
            })
            .collect()
    }
}

/// Numbers of a JSON array, nested or not, in order.
pub(super) fn numbers(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap() as f32],
    }
}
