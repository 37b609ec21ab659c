//! Audio encoders that are open already: opening one takes some hundredths of a second, and memory.

use std::convert::Infallible;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use earmark_encoder::{AudioEncoder, Head, Model, Runtime};

use crate::EngineError;
use crate::pipeline::{self, Encoded, Outcome, PipelineOptions, Prepared, Source, Step};

/// Opens encoders of one model when they are needed, and keeps them.
pub(crate) struct Encoders {
    model: Model,
    runtime: Runtime,
    head: Head,
    idle: Mutex<Vec<AudioEncoder>>,
}

impl Encoders {
    pub(crate) fn new(model: Model, runtime: Runtime, head: Head) -> Self {
        Self { model, runtime, head, idle: Mutex::new(Vec::new()) }
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
            None => Ok(self.model.audio_encoder(&self.runtime, self.head)?),
        }
    }

    /// Keeps an encoder for the next who needs one.
    pub(crate) fn give_back(&self, encoder: AudioEncoder) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(encoder);
    }

    /// Encodes sounds on all cores; results are in the order of `sources`.
    ///
    /// # Errors
    /// Those of opening the model; a sound's own failure is its result.
    pub(crate) fn encode(
        &self,
        sources: Vec<Source>,
        options: &PipelineOptions,
    ) -> Result<Vec<Result<Encoded, EngineError>>, EngineError> {
        let mut results: Vec<Option<Result<Encoded, EngineError>>> = sources.iter().map(|_| None).collect();
        let prepare = |(index, source)| (index, Prepared::<Infallible>::Encode(source));
        let items = sources.into_iter().enumerate();
        let never = AtomicBool::new(false);
        pipeline::run(self, options, items, prepare, &never, |step: Step<usize, Infallible>| {
            if let Step::Finished(index, Outcome::Encoded(result)) = step {
                results[index] = Some(result);
            }
        })?;
        Ok(results.into_iter().flatten().collect())
    }
}
