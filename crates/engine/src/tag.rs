//! A tagger's own classes: what a model that was trained on a fixed list hears in a sound.

use earmark_audio::{AudioInfo, ReadOptions, Remarks};
use earmark_encoder::{AudioOutput, Model, Runtime, pool_rows};

use crate::encoders::Encoders;
use crate::pipeline::{Encoded, Keep, Source, encode_all};
use crate::{EngineError, EngineOptions};

/// A model of kind `tagger`, made ready. Share it between threads by reference.
pub struct Tagger {
    encoders: Encoders,
    options: EngineOptions,
}

/// How probable a class is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScore {
    /// Which class, by its place in [`Tagger::classes`].
    pub class: usize,
    /// Probability, 0 to 1: by itself where the model is multi-label, among all classes where it is not.
    pub score: f32,
}

/// The classes heard in a stretch of sound.
#[derive(Debug, Clone, PartialEq)]
pub struct TaggedWindow {
    /// Start, seconds.
    pub start_s: f64,
    /// End, seconds.
    pub end_s: f64,
    /// All classes, the most probable first.
    pub scores: Vec<ClassScore>,
}

/// The classes heard in a sound.
#[derive(Debug, Clone)]
pub struct Tags {
    /// What the file is.
    pub info: AudioInfo,
    /// Length of the audio, seconds.
    pub duration_s: f64,
    /// What a user should know about how the sound was read.
    pub remarks: Remarks,
    /// All classes over the whole sound, pooled as the manifest says; the most probable first.
    pub scores: Vec<ClassScore>,
    /// The same for each of the model's windows.
    pub windows: Vec<TaggedWindow>,
}

impl Tagger {
    /// Makes `model` ready.
    ///
    /// # Errors
    /// [`earmark_encoder::EncoderError::NoSuchSide`] for a model that has no classes of its own; those of
    /// opening its graph.
    pub fn new(model: Model, runtime: Runtime, options: EngineOptions) -> Result<Self, EngineError> {
        let encoders = Encoders::new(model, runtime, AudioOutput::Classes, options.notice);
        encoders.get()?;
        Ok(Self { encoders, options })
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        self.encoders.model()
    }

    /// Names of the classes.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        self.model().classes().unwrap_or_default()
    }

    /// Probability from which a class counts as heard.
    #[must_use]
    pub fn threshold(&self) -> f32 {
        self.model().manifest().tagger.as_ref().map_or(0.5, |tagger| tagger.threshold)
    }

    /// How sound files are read.
    pub(crate) fn read_options(&self) -> &ReadOptions {
        &self.options.read
    }

    /// Tags sounds on all cores; results are in the order of `sources`.
    ///
    /// # Errors
    /// Those of opening the model; a sound's own failure is its result.
    pub fn tag(&self, sources: Vec<Source>) -> Result<Vec<Result<Tags, EngineError>>, EngineError> {
        let results = encode_all(&self.encoders, sources, &self.options.pipeline(Keep::Windows))?;
        Ok(results.into_iter().map(|result| result.map(|encoded| self.tags(encoded))).collect())
    }

    /// The probabilities of all classes in each window of one sound: in the detection windows and the
    /// contexts of a model with `[detect]`, else in its windows.
    ///
    /// # Errors
    /// Errors of decoding and encoding it.
    pub(crate) fn listen(&self, source: Source) -> Result<Encoded, EngineError> {
        let mut results = encode_all(&self.encoders, vec![source], &self.options.pipeline(Keep::Detection))?;
        results.pop().unwrap_or_else(|| Err(EngineError::Query("the sound gave no result".to_owned())))
    }

    fn tags(&self, encoded: Encoded) -> Tags {
        let pooling = self.model().manifest().tagger.as_ref().map(|tagger| tagger.pooling);
        let rows: Vec<f32> = encoded.spans.iter().flat_map(|span| span.vector.iter().copied()).collect();
        let width = self.classes().len();
        let scores = pooling.map_or_else(Vec::new, |pooling| ranked(&pool_rows(pooling, &rows, width)));
        let window = |span: crate::Span| TaggedWindow {
            start_s: span.start_s,
            end_s: span.end_s,
            scores: ranked(&span.vector),
        };
        let windows = encoded.spans.into_iter().map(window).collect();
        Tags {
            info: encoded.info,
            duration_s: encoded.duration_s,
            remarks: *encoded.remarks,
            scores,
            windows,
        }
    }
}

/// Classes by falling probability; of equal ones the first comes first.
fn ranked(probabilities: &[f32]) -> Vec<ClassScore> {
    let mut scores: Vec<ClassScore> =
        probabilities.iter().enumerate().map(|(class, &score)| ClassScore { class, score }).collect();
    scores.sort_by(|a, b| b.score.total_cmp(&a.score));
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_come_by_probability_and_equal_ones_in_order() {
        let order: Vec<usize> = ranked(&[0.1, 0.7, 0.1, 0.9]).iter().map(|s| s.class).collect();
        assert_eq!(order, [3, 1, 0, 2]);
    }
}
