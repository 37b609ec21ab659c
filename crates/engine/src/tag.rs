//! A tagger's own classes: what a model that was trained on a fixed list hears in a sound.

use earmark_audio::{AudioInfo, Limits};
use earmark_encoder::{Head, Model, Pooling, Runtime, pool_rows};

use crate::encoders::Encoders;
use crate::pipeline::{Encoded, Keep, PipelineOptions, Source, Span};
use crate::{EngineError, EngineOptions};

/// A model of kind `tagger`, made ready. Share it between threads by reference.
pub struct Tagger {
    encoders: Encoders,
    threads: usize,
    limits: Limits,
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
    /// All classes over the whole sound, pooled as the manifest says; the most probable first.
    pub scores: Vec<ClassScore>,
    /// The same for each of the model's windows.
    pub windows: Vec<TaggedWindow>,
}

impl Tagger {
    /// Makes `model` ready.
    ///
    /// # Errors
    /// [`earmark_encoder::EncoderError::NoSuchSide`] for a model that has no classes of its own; those of opening its
    /// graph.
    pub fn new(model: Model, runtime: Runtime, options: EngineOptions) -> Result<Self, EngineError> {
        let encoders = Encoders::new(model, runtime, Head::Classes);
        encoders.give_back(encoders.take()?);
        Ok(Self { encoders, threads: options.threads(), limits: options.limits })
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

    /// Tags sounds on all cores; results are in the order of `sources`.
    ///
    /// # Errors
    /// Those of opening the model; a sound's own failure is its result.
    pub fn tag(&self, sources: Vec<Source>) -> Result<Vec<Result<Tags, EngineError>>, EngineError> {
        let options = PipelineOptions {
            threads: self.threads,
            keep: Keep::Windows,
            hop_samples: None,
            range: None,
            limits: self.limits.clone(),
        };
        let results = self.encoders.encode(sources, &options)?;
        Ok(results.into_iter().map(|result| result.map(|encoded| self.tags(encoded))).collect())
    }

    fn tags(&self, encoded: Encoded) -> Tags {
        let manifest = self.model().manifest();
        let hop_s = manifest.window.hop_samples as f64 / f64::from(manifest.front_end.sample_rate());
        let scores = match manifest.tagger.as_ref().map(|tagger| tagger.pooling) {
            Some(Pooling::Mean) => ranked(&mean(&encoded.spans, hop_s)),
            Some(Pooling::Max) => {
                let rows: Vec<f32> = encoded.spans.iter().flat_map(|s| s.vector.iter().copied()).collect();
                ranked(&pool_rows(Pooling::Max, &rows, self.classes().len()))
            }
            None => Vec::new(),
        };
        let window = |span: Span| TaggedWindow {
            start_s: span.start_s,
            end_s: span.end_s,
            scores: ranked(&span.vector),
        };
        let windows = encoded.spans.into_iter().map(window).collect();
        Tags { info: encoded.info, duration_s: encoded.duration_s, scores, windows }
    }
}

/// The mean of windows' rows, each counting for how far it starts after the one before it (`hop_s` for the first): a last
/// window that was moved back to end with the sound counts for less.
fn mean(windows: &[Span], hop_s: f64) -> Vec<f32> {
    let mut sum = vec![0.0_f64; windows.first().map_or(0, |window| window.vector.len())];
    let mut total_s = 0.0;
    for (i, window) in windows.iter().enumerate() {
        let step_s = if i == 0 { hop_s } else { window.start_s - windows[i - 1].start_s };
        total_s += step_s;
        sum.iter_mut().zip(&window.vector).for_each(|(sum, &p)| *sum += step_s * f64::from(p));
    }
    sum.into_iter().map(|sum| (sum / total_s) as f32).collect()
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
    fn a_window_that_was_moved_back_counts_for_what_is_new_in_it() {
        let window = |start_s: f64, p| Span { start_s, end_s: start_s + 5.0, vector: vec![p] };
        let windows = [window(0.0, 0.1), window(5.0, 0.2), window(7.0, 0.8)];
        assert!((mean(&windows, 5.0)[0] - (0.5 + 1.0 + 1.6) / 12.0).abs() < 1e-6);
        assert_eq!(mean(&windows[..1], 5.0), [0.1]);
    }

    #[test]
    fn classes_come_by_probability_and_equal_ones_in_order() {
        let order: Vec<usize> = ranked(&[0.1, 0.7, 0.1, 0.9]).iter().map(|s| s.class).collect();
        assert_eq!(order, [3, 1, 0, 2]);
    }
}
