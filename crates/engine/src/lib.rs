//! The use-cases: what people come to earmark for, without a word about command lines or HTTP. Synchronous.
//!
//! - [`Engine`]: a model made ready; text and audio in, embeddings out
//! - [`ingest`]: folders of sound files into an index, incrementally, on all cores
//! - [`reembed`]: an index into the vectors of another model
//! - [`search`]: an index by words, by example, by both; why a hit matched
//! - [`classify`]: clips against any set of labels, whose cosines are read as [`readout`] says
//! - [`events`]: when something is heard
//! - [`fit`]: a head for labels from a few labelled clips; [`adapt`]: a label set in another place, from unlabelled ones
//! - [`describe`]: a short account of a recording, with one plain sentence
//! - [`duplicates`]: clips that are the same sound
//! - [`clip_vectors`]: vectors of files, from the index or encoded
//! - [`label_sets`]: label sets kept under names, fitted or not
//! - [`random`]: choices that are the same on every machine
//! - [`tag`]: a tagger's own classes
//! - [`copy`]: an index into another, whatever keeps them, compared afterwards
//! - [`transfer`]: an index out to JSON Lines and NumPy, and back
//!
//! Two pieces do the work underneath: `pipeline` keeps every core busy decoding and encoding, and `segment` cuts the
//! stream of windows into the segments that an index stores.

pub mod adapt;
mod batches;
pub mod classify;
pub mod clip_vectors;
pub mod copy;
pub mod describe;
pub mod duplicates;
pub mod events;
pub mod fit;
pub mod graph;
pub mod ingest;
pub mod label_sets;
pub mod labels;
pub mod random;
pub mod readout;
pub mod reembed;
pub mod search;
pub mod tag;
pub mod transfer;

mod encoders;
mod engine;
mod error;
mod known;
mod mean;
mod npy;
mod pipeline;
mod segment;
mod walk;

pub use engine::{Engine, EngineOptions, identity};
pub use error::{EngineError, LabelSetsFault};
pub use known::KnownText;
pub use pipeline::{Encoded, Keep, PipelineOptions, Source, Span};
pub use walk::{WalkOptions, Walked, absolute_path, typed_path, walk};
