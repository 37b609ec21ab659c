//! An audio encoder that is opened when first needed, and kept: opening takes up to a second, and memory.

use std::sync::{Mutex, PoisonError};

use earmark_encoder::{AudioEncoder, AudioOutput, Model, Runtime};

use crate::EngineError;

/// The audio encoder of one model, for all threads.
pub(crate) struct Encoders {
    model: Model,
    runtime: Runtime,
    output: AudioOutput,
    notice: Option<fn(&str)>,
    open: Mutex<Option<AudioEncoder>>,
}

impl Encoders {
    pub(crate) fn new(model: Model, runtime: Runtime, output: AudioOutput, notice: Option<fn(&str)>) -> Self {
        Self { model, runtime, output, notice, open: Mutex::new(None) }
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The encoder, opened if need be.
    pub(crate) fn get(&self) -> Result<AudioEncoder, EngineError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encoder) = &*open {
            return Ok(encoder.clone());
        }
        let encoder = self.model.audio_encoder(&self.runtime, self.output)?;
        if let (Some(tell), false) = (self.notice, encoder.passed_over().is_empty()) {
            tell(&format!("audio runs on `{}`: {}", encoder.device(), encoder.passed_over().join("; ")));
        }
        Ok(open.insert(encoder).clone())
    }
}
