//! A file while it is decoded and encoded: its spans, collected until none is missing.

use std::sync::{Mutex, PoisonError};

use earmark_encoder::EncoderError;

use super::decode::{Decoded, Scale};
use super::types::{Encoded, Span};
use crate::EngineError;

/// A file some of whose runs are not encoded yet. `T` is the key by which the caller knows it.
pub(super) struct FileInProgress<T> {
    pub(super) name: String,
    progress: Mutex<Progress<T>>,
}

/// How far a file is.
struct Progress<T> {
    key: Option<T>,
    decoded: Option<Result<Decoded, EngineError>>,
    /// Spans of each run by position.
    runs: Vec<(Scale, Option<Vec<Span>>)>,
    failed: Option<EngineError>,
    missing: usize,
}

/// A file's key and how it came out.
pub(super) type Complete<T> = (T, Result<Encoded, EngineError>);

impl<T> FileInProgress<T> {
    pub(super) fn new(name: String, key: T) -> Self {
        let progress = Progress { key: Some(key), decoded: None, runs: Vec::new(), failed: None, missing: 0 };
        Self { name, progress: Mutex::new(progress) }
    }

    /// Announces a run; gives its position.
    pub(super) fn add_run(&self, scale: Scale) -> usize {
        self.with(|progress| {
            progress.runs.push((scale, None));
            progress.missing += 1;
            progress.runs.len() - 1
        })
    }

    /// Takes the spans of the run at `position`, or why there are none. The file's last step completes it.
    pub(super) fn finish_run(
        &self,
        position: usize,
        spans: Result<Vec<Span>, EngineError>,
    ) -> Option<Complete<T>> {
        self.with(|progress| {
            progress.missing -= 1;
            match spans {
                Ok(spans) => progress.runs[position].1 = Some(spans),
                Err(e) => progress.failed = Some(e),
            }
            progress.take_if_complete()
        })
    }

    /// Notes that no further run comes, and how decoding ended. The file's last step completes it.
    pub(super) fn finish_decoding(&self, decoded: Result<Decoded, EngineError>) -> Option<Complete<T>> {
        self.with(|progress| {
            progress.decoded = Some(decoded);
            progress.take_if_complete()
        })
    }

    fn with<R>(&self, step: impl FnOnce(&mut Progress<T>) -> R) -> R {
        step(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Progress<T> {
    /// The key with its result, once decoding is over and no run is missing.
    fn take_if_complete(&mut self) -> Option<Complete<T>> {
        if self.missing > 0 {
            return None;
        }
        let decoded = self.decoded.take()?;
        let key = self.key.take()?;
        let result = match (decoded, self.failed.take()) {
            // What is wrong is not the model.
            (Ok(d), Some(EngineError::Encoder(EncoderError::Degenerate { model, .. })))
                if d.remarks.silent =>
            {
                Err(EngineError::Silent { file: d.name, model })
            }
            (Err(e), _) | (_, Some(e)) => Err(e),
            (Ok(d), None) => Ok(Encoded {
                info: d.info,
                duration_s: d.duration_s,
                remarks: d.remarks,
                spans: self.take_spans(Scale::Main),
                contexts: self.take_spans(Scale::Context),
            }),
        };
        Some((key, result))
    }

    /// The spans of a scale, in order of time.
    fn take_spans(&mut self, scale: Scale) -> Vec<Span> {
        let of_scale = self.runs.iter_mut().filter(|(s, _)| *s == scale);
        of_scale.filter_map(|(_, spans)| spans.take()).flatten().collect()
    }
}
