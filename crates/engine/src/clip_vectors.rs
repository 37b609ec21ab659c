//! One vector a sound file, for learning: from the index where it knows the file as it is, else encoded the same way.

use std::path::PathBuf;

use earmark_encoder::Embedding;
use earmark_index::Index;

use crate::ingest::is_unchanged;
use crate::search::{clip_vector, mean_of_segments};
use crate::{Engine, EngineError, Keep, Source, absolute_path};

/// Files encoded between two looks at how far it is.
const FILES_AT_ONCE: usize = 64;

/// A file's vector, or why there is none.
pub type FileVector = Result<Embedding, EngineError>;

/// Vectors of files.
#[derive(Debug)]
pub struct FileVectors {
    /// In the order of the files.
    pub vectors: Vec<FileVector>,
    /// How many came from the index.
    pub from_index: usize,
}

/// The vectors of `files`: the mean of their segments by length, as [`clip_vector`] has it. `index` must be of this
/// engine's identity. `observe` is told now and then how many are done.
///
/// # Errors
/// Those of the index and of opening the model; a file's own failure is its result.
pub fn of_files(
    engine: &Engine,
    index: Option<&Index>,
    files: &[PathBuf],
    mut observe: impl FnMut(usize),
) -> Result<FileVectors, EngineError> {
    let mut vectors: Vec<Option<FileVector>> = Vec::with_capacity(files.len());
    for file in files {
        vectors.push(match index {
            Some(index) => stored(engine, index, file)?.map(Ok),
            None => None,
        });
    }
    let from_index = vectors.iter().filter(|v| v.is_some()).count();
    observe(from_index);
    let missing: Vec<usize> = (0..files.len()).filter(|&i| vectors[i].is_none()).collect();
    let options = engine.pipeline_options(Keep::Segments);
    for (chunk, places) in missing.chunks(FILES_AT_ONCE).enumerate() {
        let sources = places.iter().map(|&i| Source::Path(files[i].clone())).collect();
        for (&i, encoded) in places.iter().zip(engine.encode(sources, &options)?) {
            let name = files[i].display().to_string();
            vectors[i] = Some(encoded.and_then(|encoded| {
                let segments = encoded.spans.iter().map(|s| (s.end_s - s.start_s, s.vector.as_slice()));
                let none =
                    || EngineError::Path { path: files[i].clone(), reason: "no sound in it".to_owned() };
                mean_of_segments(engine, segments, &name)?.ok_or_else(none)
            }));
        }
        observe(from_index + (chunk * FILES_AT_ONCE + places.len()));
    }
    Ok(FileVectors { vectors: vectors.into_iter().flatten().collect(), from_index })
}

fn stored(engine: &Engine, index: &Index, file: &std::path::Path) -> Result<Option<Embedding>, EngineError> {
    let path = absolute_path(file).map_err(|e| EngineError::io(file, &e))?;
    let Some(path) = path.to_str() else { return Ok(None) };
    match index.clip_by_path(path)?.filter(|clip| is_unchanged(&clip.meta)) {
        Some(clip) => clip_vector(engine, index, clip.id, None),
        None => Ok(None),
    }
}
