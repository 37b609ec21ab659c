//! Audio encoders that are open already: opening one takes some hundredths of a second, and memory.

use std::sync::{Mutex, PoisonError};

use earmark_encoder::{AudioEncoder, Model, Runtime};

use crate::EngineError;

/// Opens encoders of one model when they are needed, and keeps them.
pub(crate) struct Encoders {
    model: Model,
    runtime: Runtime,
    idle: Mutex<Vec<AudioEncoder>>,
}

impl Encoders {
    pub(crate) fn new(model: Model, runtime: Runtime) -> Self {
        Self { model, runtime, idle: Mutex::new(Vec::new()) }
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// An idle encoder, or a new one.
    pub(crate) fn take(&self) -> Result<AudioEncoder, EngineError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(encoder) => Ok(encoder),
            None => Ok(self.model.audio_encoder(&self.runtime)?),
        }
    }

    /// Keeps an encoder for the next who needs one.
    pub(crate) fn give_back(&self, encoder: AudioEncoder) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(encoder);
    }
}
