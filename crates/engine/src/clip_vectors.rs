//! Vectors of sound files, for learning: from the index where it knows the file as it is, else encoded the same way.

use std::path::{Path, PathBuf};

use earmark_encoder::Embedding;
use earmark_index::{Clip, IndexReader, stored_path};

use crate::ingest::is_unchanged;
use crate::mean::mean_of_spans;
use crate::{Engine, EngineError, Keep, Source, Span, absolute_path};

/// Files encoded before the next ones are begun.
const FILES_AT_ONCE: usize = 64;

/// What became of files.
#[derive(Debug)]
pub struct OfFiles<T> {
    /// In the order of the files; a file's own failure is its result.
    pub results: Vec<Result<T, EngineError>>,
    /// How many came from the index.
    pub from_index: usize,
}

/// One vector a file: the mean of its segments by the seconds that they add, as
/// [`crate::search::clip_vector`] has it. `index` must be of this engine's identity.
///
/// # Errors
/// Those of the index and of opening the model.
pub fn clip_vectors(
    engine: &Engine,
    index: Option<&dyn IndexReader>,
    files: &[PathBuf],
) -> Result<OfFiles<Embedding>, EngineError> {
    let OfFiles { results, from_index } = segments(engine, index, files)?;
    let pooled = results.into_iter().zip(files).map(|(spans, file)| {
        let spans = spans?;
        mean_of_spans(engine.model(), &spans, &stored_path(file))
    });
    Ok(OfFiles { results: pooled.collect(), from_index })
}

/// The segments of each file, about five seconds long, as the index has them.
///
/// # Errors
/// As [`clip_vectors`].
pub fn segments(
    engine: &Engine,
    index: Option<&dyn IndexReader>,
    files: &[PathBuf],
) -> Result<OfFiles<Vec<Span>>, EngineError> {
    let mut results: Vec<Option<Result<Vec<Span>, EngineError>>> = Vec::with_capacity(files.len());
    for file in files {
        results.push(match index {
            Some(index) => stored(index, file)?.map(Ok),
            None => None,
        });
    }
    let from_index = results.iter().filter(|r| r.is_some()).count();
    let missing: Vec<usize> = (0..files.len()).filter(|&i| results[i].is_none()).collect();
    let options = engine.pipeline_options(Keep::Segments);
    for places in missing.chunks(FILES_AT_ONCE) {
        let sources = places.iter().map(|&i| Source::Path(files[i].clone())).collect();
        for (&i, encoded) in places.iter().zip(engine.encode(sources, &options)?) {
            results[i] = Some(encoded.map(|encoded| encoded.spans));
        }
    }
    Ok(OfFiles { results: results.into_iter().flatten().collect(), from_index })
}

/// The clip of the file at `path`, if its file is as it was when it was indexed.
///
/// # Errors
/// Errors from the index.
pub fn unchanged_clip(index: &dyn IndexReader, path: &Path) -> Result<Option<Clip>, EngineError> {
    Ok(index.clip_by_path(&stored_path(path))?.filter(|clip| is_unchanged(&clip.meta)))
}

fn stored(index: &dyn IndexReader, file: &Path) -> Result<Option<Vec<Span>>, EngineError> {
    let path = absolute_path(file).map_err(|e| EngineError::io(file, &e))?;
    let Some(clip) = unchanged_clip(index, &path)? else { return Ok(None) };
    Ok(Some(index.segments(clip.id)?.into_iter().map(Span::from).collect()))
}
