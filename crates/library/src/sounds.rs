//! The sounds of a request: clips of the index, files, whole folders.

use std::path::Path;

use earmark_audio::AudioError;
use earmark_engine::{EngineError, Source, WalkOptions, walk};
use earmark_index::{Clip as IndexClip, stored_path};

use crate::error::{Error, Kind, Result};
use crate::library::{Files, Library};
use crate::words::{SoundError, bounded, clip_id};

/// Files encoded before their answers are given: enough to keep all cores busy, few enough to bound memory,
/// since their windows are held until then.
pub(crate) const FILES_AT_ONCE: usize = 16;

/// A sound that a request names.
pub(crate) struct Named {
    /// What the answer calls it: the clip's id, the file's name.
    pub(crate) source: String,
    /// Its path, for clips of the index.
    pub(crate) path: Option<String>,
    /// Where its bytes are, or why it cannot be used.
    pub(crate) sound: Result<Source>,
}

/// The files of a request, folders replaced by the sound files in them. A name that cannot be used is in the
/// list with its error.
pub(crate) fn files_of(names: &[String], mut files: Files) -> Vec<Named> {
    let sent = files.left();
    // Files that came with a request need not be named in it.
    let names: Vec<&String> = if names.is_empty() { sent.iter().collect() } else { names.iter().collect() };
    let mut sounds = Vec::new();
    for name in names {
        match files.take("files", name) {
            Ok(Source::Path(path)) => sounds.extend(walked(name, &path)),
            sound => {
                let source = sound.as_ref().map_or_else(|_| name.clone(), Source::name);
                sounds.push(Named { source, path: None, sound });
            }
        }
    }
    sounds
}

/// A file, or the sound files in a folder.
fn walked(name: &str, path: &Path) -> Vec<Named> {
    let failed = |source: String, e: Error| Named { source, path: None, sound: Err(e) };
    let named = |path: &Path| Named {
        source: stored_path(path),
        path: None,
        sound: Ok(Source::Path(path.to_path_buf())),
    };
    // As where one file is asked for, so that a missing one is of the same kind everywhere.
    if let Err(source) = std::fs::metadata(path) {
        return vec![failed(name.to_owned(), AudioError::Io { file: stored_path(path), source }.into())];
    }
    match walk(&[path.to_path_buf()], &WalkOptions::default()) {
        Err(e) => vec![failed(name.to_owned(), e.into())],
        Ok(walked) => {
            let unreadable = walked.errors.iter().map(|(path, reason)| {
                let error = EngineError::Path { path: path.clone(), reason: reason.clone() };
                failed(stored_path(path), error.into())
            });
            // As typed, if it names one file.
            let found: Vec<Named> = match walked.files.as_slice() {
                [_] if path.is_file() => vec![named(path)],
                files => files.iter().map(|file| named(file)).collect(),
            };
            let mut sounds: Vec<Named> = unreadable.chain(found).collect();
            if sounds.is_empty() {
                let reason = "no sound files in this folder".to_owned();
                let error = EngineError::Path { path: path.to_path_buf(), reason };
                sounds.push(failed(name.to_owned(), error.into()));
            }
            sounds
        }
    }
}

impl Library {
    /// The sounds of a request whose clips are decoded: clips first, then files, as many as may be tagged.
    pub(crate) fn sounds_of(
        &self,
        clip_ids: &[String],
        names: &[String],
        files: Files,
    ) -> Result<Vec<Named>> {
        let clips = self.clips_of(clip_ids)?.into_iter().map(|clip| Named {
            source: clip.id.to_string(),
            sound: self.clip_file(&clip.meta.path).map(Source::Path),
            path: Some(clip.meta.path),
        });
        let sounds: Vec<Named> = clips.chain(files_of(names, files)).collect();
        bounded("clip_ids", sounds.len(), 1, self.limits().tagged)?;
        Ok(sounds)
    }

    /// Clips of a request by their ids.
    pub(crate) fn clips_of(&self, ids: &[String]) -> Result<Vec<IndexClip>> {
        ids.iter().map(|id| self.find_clip(clip_id("clip_ids", id)?)).collect()
    }
}

impl From<&Error> for SoundError {
    fn from(e: &Error) -> Self {
        Self { kind: e.kind().name().to_owned(), detail: e.to_string() }
    }
}

impl Kind {
    /// Its name in answers and in the `type` of problem documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::NotFound => "not-found",
            Self::Forbidden => "forbidden",
            Self::Conflict => "conflict",
            Self::TooLarge => "too-large",
            Self::Undecodable => "undecodable",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}
