//! One vector a clip.
//!
//! A clip's vector is that of `classify --indexed`: its segments' mean, each weighed by its length. So it is the same whether
//! the segments come from the user's index or are made now, by the same ingest, in the index that evaluations keep for
//! themselves. That index is also what makes a run resumable: what was finished before a Ctrl-C or a kill is in it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use earmark_encoder::Embedding;
use earmark_engine::clip_vectors::unchanged_clip;
use earmark_engine::ingest::{IngestEvent, IngestOptions, ingest};
use earmark_engine::search::clip_vector;
use earmark_engine::{Engine, Walked};
use earmark_index::{IndexReader, stored_path};

use crate::EvalError;
use crate::datasets::Item;

use super::Stores;

/// The clips' vectors.
pub(super) struct ClipVectors {
    /// One a clip; why there is none where it failed.
    pub(super) vectors: Vec<Result<Embedding, String>>,
    /// How many came from the user's index.
    pub(super) from_index: usize,
}

/// The vectors of `clips`. Once `stop` is set, those that are not finished fail.
pub(super) fn of_clips(
    engine: &Engine,
    stores: &Stores<'_>,
    clips: &[&Item],
    stop: &AtomicBool,
    observe: &mut dyn FnMut(IngestEvent<'_>),
) -> Result<ClipVectors, EvalError> {
    let mut vectors: Vec<Option<Result<Embedding, String>>> = clips.iter().map(|_| None).collect();
    let mut from_index = 0;
    if let Some(index) = stores.index {
        for (clip, vector) in clips.iter().zip(&mut vectors) {
            *vector = stored(engine, index, clip)?.map(Ok);
            from_index += usize::from(vector.is_some());
        }
    }
    let files: Vec<PathBuf> = clips
        .iter()
        .zip(&vectors)
        .filter(|(_, vector)| vector.is_none())
        .map(|(clip, _)| clip.path.clone())
        .collect();
    let walked = Walked { files, ..Walked::default() };
    let report = ingest(engine, stores.kept, walked, &IngestOptions::default(), stop, observe)?;
    let failed: HashMap<&str, &str> =
        report.failed.iter().map(|failed| (failed.path.as_str(), failed.reason.as_str())).collect();
    let kept = stores.kept.reader()?;
    let paths: Vec<String> = clips.iter().map(|clip| stored_path(&clip.path)).collect();
    let known_bad = kept.failures_at(&paths)?;
    let known_bad: HashMap<&str, &str> =
        known_bad.iter().map(|failure| (failure.path.as_str(), failure.reason.as_str())).collect();
    for (clip, vector) in clips.iter().zip(&mut vectors) {
        if vector.is_some() {
            continue;
        }
        let path = stored_path(&clip.path);
        let reason = failed.get(path.as_str()).or(known_bad.get(path.as_str())).copied();
        *vector = Some(match reason {
            Some(reason) => Err(reason.strip_prefix(&format!("{path}: ")).unwrap_or(reason).to_owned()),
            None => {
                stored(engine, &*kept, clip)?.ok_or_else(|| "the file changed while it was read".to_owned())
            }
        });
    }
    Ok(ClipVectors { vectors: vectors.into_iter().flatten().collect(), from_index })
}

/// What an index has for a clip whose file is as it was when it was indexed.
fn stored(engine: &Engine, index: &dyn IndexReader, clip: &Item) -> Result<Option<Embedding>, EvalError> {
    match unchanged_clip(index, &clip.path)? {
        Some(clip) => Ok(clip_vector(engine, index, clip.id, None)?),
        None => Ok(None),
    }
}
