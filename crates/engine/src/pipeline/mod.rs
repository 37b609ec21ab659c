//! Keeps every core busy: decoding and features beside the encoder, through a bounded queue.
//!
//! Every worker thread can do both halves of the work. It encodes a queued run of windows if there is one,
//! else it starts on the next file; a worker that decodes faster than the others encode meets a full queue
//! and encodes a run itself. So one long file keeps all cores busy, thousands of short ones do too, and
//! memory stays bounded: a file is never held as samples, only as the runs of features in the queue and the
//! vectors already made.
//!
//! Results do not depend on the number of threads: a run is always encoded by itself, in one call, unless a
//! larger batch is asked for.
//!
//! - `types`: what goes in and what comes out
//! - `decode`: a file into runs of windows
//! - `encode`: runs of windows into spans
//! - `file`: the spans of one file, collected until none is missing
//! - `schedule`: which worker does what, and when

mod decode;
mod encode;
mod file;
mod schedule;
mod types;

use std::convert::Infallible;
use std::sync::atomic::AtomicBool;

use crate::EngineError;
use crate::encoders::Encoders;

pub(crate) use encode::cosines;
pub(crate) use schedule::{Outcome, Prepared, Step, run};
pub(crate) use types::check_range;
pub use types::{Encoded, Keep, PipelineOptions, Source, Span};

/// Encodes sounds on all cores; results are in the order of `sources`.
///
/// # Errors
/// Errors from opening the model; a sound's own failure is its result.
pub(crate) fn encode_all(
    encoders: &Encoders,
    sources: Vec<Source>,
    options: &PipelineOptions,
) -> Result<Vec<Result<Encoded, EngineError>>, EngineError> {
    let mut results: Vec<Option<Result<Encoded, EngineError>>> = sources.iter().map(|_| None).collect();
    let prepare = |(index, source)| (index, Prepared::<Infallible>::Encode(source));
    let items = sources.into_iter().enumerate();
    let never = AtomicBool::new(false);
    run(encoders, options, items, prepare, &never, |step: Step<usize, Infallible>| {
        if let Step::Finished(index, Outcome::Encoded(result)) = step {
            results[index] = Some(result);
        }
    })?;
    Ok(results.into_iter().flatten().collect())
}
