//! What a tagger hears: the classes that a model was trained on.

use earmark_engine::tag::{ClassScore, Tagger, Tags};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::library::{Files, Library};
use crate::sounds::{FILES_AT_ONCE, Named};
use crate::words::{SoundError, Version, bounded};

/// What to tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TagRequest {
    /// Clips of the index, whose files are decoded.
    #[schema(max_items = 32)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clip_ids: Vec<String>,
    /// Sound files: over HTTP names of parts of the multipart request, all of them if this is left out;
    /// elsewhere paths of files and folders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Classes a sound.
    #[schema(minimum = 1, maximum = 1000)]
    pub top: usize,
    /// Probability from which a class counts as heard; the model's own if absent.
    #[schema(minimum = 0, maximum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// Tag each of the model's windows too.
    pub windows: bool,
}

impl Default for TagRequest {
    fn default() -> Self {
        Self { clip_ids: Vec::new(), files: Vec::new(), top: 5, threshold: None, windows: false }
    }
}

/// What a tagger hears in each sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TagAnswer)]
pub struct TagAnswer {
    /// The version of this answer's fields.
    pub version: Version,
    /// Clips first, then files, in the order given.
    pub results: Vec<Tagged>,
    /// The tagger.
    pub model: String,
}

/// What is heard in one sound, or why it could not be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tagged {
    /// The clip's id or the file's name.
    pub source: String,
    /// The path of a clip of the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Length of the sound, seconds.
    pub duration_s: f64,
    /// The most probable classes first, heard or not.
    pub tags: Vec<TagScore>,
    /// The same for each of the model's windows, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<TaggedWindow>>,
    /// How the file was read: whether it is cut off, damaged or silent.
    pub remarks: Vec<String>,
    /// Why the sound could not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<SoundError>,
}

/// What is heard in a window of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaggedWindow {
    /// Seconds.
    pub start_s: f64,
    /// Seconds.
    pub end_s: f64,
    /// The most probable classes first, heard or not.
    pub tags: Vec<TagScore>,
}

/// A class of the tagger's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TagScore {
    /// The class.
    pub class: String,
    /// Its probability.
    pub score: f32,
    /// Whether the score reaches the threshold.
    pub heard: bool,
}

impl Library {
    /// Tags sounds with the tagger's own classes.
    ///
    /// # Errors
    /// [`Error::Field`] that names what is wrong in the request, [`Error::NoTagger`]. A sound that cannot be
    /// used has its error in its place.
    pub fn tag(&self, request: &TagRequest, files: Files) -> Result<TagAnswer> {
        let mut results = Vec::new();
        self.tag_with(request, files, &mut |tagged| {
            results.push(tagged);
            true
        })?;
        self.tag_answer(results)
    }

    /// The answer for all sounds.
    ///
    /// # Errors
    /// [`Error::NoTagger`].
    pub fn tag_answer(&self, results: Vec<Tagged>) -> Result<TagAnswer> {
        Ok(TagAnswer { version: Version, results, model: self.tagger()?.model().manifest().id.clone() })
    }

    /// Tags the sounds of a request and hands each result to `each`, in order, until it returns false.
    ///
    /// # Errors
    /// As [`Self::tag`].
    pub fn tag_with(
        &self,
        request: &TagRequest,
        files: Files,
        each: &mut dyn FnMut(Tagged) -> bool,
    ) -> Result<()> {
        bounded("top", request.top, 1, 1000)?;
        if let Some(threshold) = request.threshold.filter(|threshold| !(0.0..=1.0).contains(threshold)) {
            return Err(Error::field_is("threshold", format!("expected 0 to 1, got {threshold}")));
        }
        let sounds = self.sounds_of(&request.clip_ids, &request.files, files)?;
        let tagger = self.tagger()?;
        let mut sounds = sounds.into_iter().peekable();
        while sounds.peek().is_some() {
            let some: Vec<Named> = sounds.by_ref().take(FILES_AT_ONCE).collect();
            let usable = some.iter().filter_map(|named| named.sound.as_ref().ok().cloned()).collect();
            let mut tagged = tagger.tag(usable)?.into_iter();
            for Named { source, path, sound } in some {
                let result = sound.and_then(|_| {
                    let none = || Error::field_is("files", "the sound gave no result");
                    Ok(tagged.next().ok_or_else(none)??)
                });
                let answer = match result {
                    Ok(tags) => request.tagged(&tagger, source, path, &tags),
                    Err(e) => Tagged::refused(source, path, &e),
                };
                if !each(answer) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl TagRequest {
    fn tagged(&self, tagger: &Tagger, source: String, path: Option<String>, tags: &Tags) -> Tagged {
        let threshold = self.threshold.unwrap_or_else(|| tagger.threshold());
        let score = |s: &ClassScore| TagScore {
            class: tagger.classes()[s.class].clone(),
            score: s.score,
            heard: s.score >= threshold,
        };
        let scores = |scores: &[ClassScore]| scores.iter().take(self.top).map(score).collect::<Vec<_>>();
        let window = |w: &earmark_engine::tag::TaggedWindow| TaggedWindow {
            start_s: w.start_s,
            end_s: w.end_s,
            tags: scores(&w.scores),
        };
        Tagged {
            source,
            path,
            duration_s: tags.duration_s,
            tags: scores(&tags.scores),
            windows: self.windows.then(|| tags.windows.iter().map(window).collect()),
            remarks: tags.remarks.sentences(),
            error: None,
        }
    }
}

impl Tagged {
    fn refused(source: String, path: Option<String>, error: &Error) -> Self {
        Self {
            source,
            path,
            duration_s: 0.0,
            tags: Vec::new(),
            windows: None,
            remarks: Vec::new(),
            error: Some(error.into()),
        }
    }
}
