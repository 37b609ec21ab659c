//! An audio encoder that is opened when first needed, and kept: opening takes up to a second, and memory.

use std::convert::Infallible;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use earmark_encoder::{AudioEncoder, Head, Model, Runtime};

use crate::EngineError;
use crate::pipeline::{self, Encoded, Outcome, PipelineOptions, Prepared, Source, Step};

/// The audio encoder of one model, for all threads.
pub(crate) struct Encoders {
    model: Model,
    runtime: Runtime,
    head: Head,
    notice: Option<fn(&str)>,
    open: Mutex<Option<AudioEncoder>>,
}

impl Encoders {
    pub(crate) fn new(model: Model, runtime: Runtime, head: Head, notice: Option<fn(&str)>) -> Self {
        Self { model, runtime, head, notice, open: Mutex::new(None) }
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
        let encoder = self.model.audio_encoder(&self.runtime, self.head)?;
        if let (Some(tell), false) = (self.notice, encoder.passed_over().is_empty()) {
            tell(&format!("audio runs on `{}`: {}", encoder.device(), encoder.passed_over().join("; ")));
        }
        Ok(open.insert(encoder).clone())
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
