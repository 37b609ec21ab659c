//! The encoder: a model manifest interpreted by ONNX Runtime and a tokenizer.
//!
//! Log-mel windows or text go in, embeddings in one shared space come out. A model is data, not code:
//! everything that tells one model from another is in its [`Manifest`]. This is the only crate that knows
//! ONNX Runtime.
//!
//! - [`Manifest`]: what a model is (front end, graphs, pooling, score calibration), parsed and checked
//! - [`Model`]: a manifest with its files, verified; opens [`AudioEncoder`]s and [`TextEncoder`]s; tests
//!   itself
//! - [`Catalogue`]: the models that can be used here (bundled, installed, the user's own), and those that can
//!   be had
//! - [`Runtime`]: the ONNX Runtime shared library, found and loaded once; the [`Device`] that audio graphs
//!   run on, and the
//!   [`GraphCache`]
//! - [`Embedding`]: a unit vector in a model's space

mod audio;
mod bundled;
mod catalogue;
mod device;
mod digest;
mod embedding;
mod error;
mod files;
mod foreign;
mod graph_cache;
mod manifest;
mod model;
mod runtime;
mod self_test;
mod session;
mod text;

pub use audio::{AudioEncoder, AudioOutput, pool_rows};
pub use catalogue::{Catalogue, CatalogueEntry, State};
pub use device::{Device, DeviceChoice};
pub use digest::digest_of;
pub use embedding::{Embedding, add_scaled, dot, normalise};
pub use error::{EncoderError, FieldProblem, Recipe, Way};
pub use files::ModelFiles;
pub use foreign::recognise;
pub use graph_cache::{CachedGraph, GraphCache};
pub use manifest::{
    AudioGraph, AxisNames, Detect, ExportRecipe, Familiarity, FileEntry, HubSource, InputAxis, Kind,
    Manifest, Op, Pooling, Precision, Scores, SegmentPolicy, SelfTestSpec, SoundLikelihood, Tagger,
    TextAnchors, TextGraph,
};
pub use model::{Model, PIPELINE_VERSION};
pub use runtime::Runtime;
pub use self_test::{Check, SelfTestReport, Verdict};
pub use text::{EncodedText, TextEncoder, in_template};
