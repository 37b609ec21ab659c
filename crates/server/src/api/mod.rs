//! One file an endpoint group. Handlers are thin: check, ask the library on a thread that may block, answer.

pub(crate) mod classify;
pub(crate) mod clips;
pub(crate) mod describe;
pub(crate) mod duplicates;
pub(crate) mod embeddings;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod info;
pub(crate) mod jobs;
pub(crate) mod label_sets;
pub(crate) mod map;
pub(crate) mod media;
pub(crate) mod models;
pub(crate) mod peaks;
pub(crate) mod search;
pub(crate) mod spectrogram;
pub(crate) mod tag;
