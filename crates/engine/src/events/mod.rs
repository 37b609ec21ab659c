//! When something is heard: windows slide over the recording, and each label's probability over time is
//! thresholded.
//!
//! A window's score says what is heard somewhere within it, so it is credited to the window's centre, and
//! each centre stands for the stretch half a hop to either side.
//!
//! # Two scales
//!
//! A model that states `[detect]` hears each moment twice, in one pass over the file: in a short *detection
//! window*, which tells when, and in the longer *context windows* of search, which know better what. For each
//! label
//!
//! - `x = max(c1, 0)^near_share max(c5, 0)^(1 - near_share)`, with `c1` the cosine of the detection window and
//!   `c5` that of the context: of the context windows that cover the middle of the detection window, the best
//!   one's. Both are cut to `detect.axes`.
//! - `y = x - clamp(median of x over floor_window_s around, 0, floor_max) - rivalry r`: what a label scores all
//!   the time is no event, and `r` is by how much another label that was asked for scores more, times the
//!   cosine of the two labels: of "dog" and "wolf", the one that fits better is heard.
//! - `probability = sigmoid(scale y + bias)`.
//!
//! Labels that were fitted to clips have a calibration of their own: the geometric mean of the two
//! probabilities, without a floor. A sound shorter than a window is the context as that window is padded:
//! repeated, where `[window]` says so.
//!
//! # One scale
//!
//! Other models hear each moment in one window, and the probability is the model's calibrated one for that.
//!
//! # Edges
//!
//! A window of length `L` that reaches a little way into a clear sound hears it already: from the moment that
//! a share `f` of it lies within. Its centre is then `(0.5 - f) L` outside the sound. Centres fall on a grid
//! of one hop, so the first that hears lies half a hop later on average, but its stretch begins half a hop
//! before it: the two cancel, and the stretch of high scores begins `(0.5 - f) L` before the sound and ends
//! as much after it, give or take half a hop. That is taken back (`detect.reach`, or [`EDGE_REACH`]); a sound
//! much shorter than `f L` is heard over about `2 (0.5 - f) L` and keeps half.

mod find;
mod floor;
mod options;
mod track;

use std::ops::Range;
use std::sync::Arc;

use earmark_audio::Remarks;

use crate::labels::EncodedLabels;
use crate::pipeline;
use crate::{Encoded, Engine, EngineError, Keep, PipelineOptions, Source, Span};

pub use find::{Event, find_events};
pub use options::{EventDefaults, EventOptions, EventSettings};
pub use track::{EDGE_REACH, ScoreTrack};
pub(crate) use track::{best, cells, covering};

#[cfg(test)]
fn detect_for_tests() -> earmark_encoder::Detect {
    earmark_encoder::Detect {
        length_samples: 8000,
        hop_samples: 4000,
        pad: earmark_audio::ShortPad::Repeat,
        tail: earmark_audio::Tail::Shift,
        context_hop_samples: 7680,
        axes: None,
        near_share: 0.5,
        rivalry: 0.0,
        scale: 10.0,
        bias: -2.0,
        floor_window_s: 120.0,
        floor_max: 0.3,
        release: 0.9,
        merge_gap_s: 2.0,
        min_duration_s: 0.4,
        reach: 0.2,
    }
}

/// The events of a sound.
#[derive(Debug, Clone)]
pub struct Detected {
    /// In order of onset.
    pub events: Vec<Event>,
    /// Length of the sound, seconds.
    pub duration_s: f64,
    /// What a user should know about how the sound was read.
    pub remarks: Remarks,
}

/// Finds events in one sound.
///
/// # Errors
/// [`EngineError`] if the sound cannot be decoded or encoded.
pub fn detect(
    engine: &Engine,
    source: Source,
    labels: &EncodedLabels,
    settings: &EventSettings,
) -> Result<Detected, EngineError> {
    let heard = listen(engine, source, &[labels], settings)?;
    let events = find_events(&heard.track(engine, 0, labels)?, settings);
    Ok(Detected { events, duration_s: heard.duration_s, remarks: heard.remarks })
}

/// How like some sets of labels a sound's windows are.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Length of the sound, seconds.
    pub duration_s: f64,
    /// What a user should know about how the sound was read.
    pub remarks: Remarks,
    /// What the sound is called in messages.
    name: String,
    /// The windows that tell when, and the contexts of a model with `[detect]`: each with its cosines with
    /// `labels`, or with its row where that is shorter.
    windows: Vec<Span>,
    contexts: Vec<Span>,
    are_cosines: bool,
    /// All sets' labels as they are compared, and where each set's are.
    labels: Arc<Vec<Vec<f32>>>,
    sets: Vec<Range<usize>>,
}

impl Heard {
    /// How many windows tell when.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Probabilities over time of the set `labels`, which was the one numbered `set` of those listened for.
    ///
    /// # Errors
    /// Windows without direction.
    pub fn track(
        &self,
        engine: &Engine,
        set: usize,
        labels: &EncodedLabels,
    ) -> Result<ScoreTrack, EngineError> {
        let (near, far) =
            (self.cosines(engine, set, &self.windows)?, self.cosines(engine, set, &self.contexts)?);
        let compared = &self.labels[self.sets[set].clone()];
        Ok(track::score_track(engine.model().manifest(), self, near, far, labels, compared))
    }

    /// Cosine of each label of a set with each of `spans`, `[labels][spans]`.
    fn cosines(&self, engine: &Engine, set: usize, spans: &[Span]) -> Result<Vec<Vec<f32>>, EngineError> {
        let places = self.sets[set].clone();
        let mut rows = vec![Vec::with_capacity(spans.len()); places.len()];
        for span in spans {
            let found = if self.are_cosines {
                span.vector[places.clone()].to_vec()
            } else {
                let window = engine.model().pool(&span.vector, &self.name)?;
                pipeline::cosines(window.as_slice(), &self.labels[places.clone()])
            };
            rows.iter_mut().zip(found).for_each(|(row, cosine)| row.push(cosine));
        }
        Ok(rows)
    }
}

/// Listens to a sound at the settings' hop, for several sets of labels at once; [`Heard::track`] gives their
/// probabilities. Memory grows by a number a window and label, but by no more than the model's `dim` a
/// window.
///
/// # Errors
/// [`EngineError`] if the sound cannot be decoded or encoded.
pub fn listen(
    engine: &Engine,
    source: Source,
    sets: &[&EncodedLabels],
    settings: &EventSettings,
) -> Result<Heard, EngineError> {
    let manifest = engine.model().manifest();
    let axes = manifest.detect.as_ref().and_then(|detect| detect.axes);
    let (mut vectors, mut places) = (Vec::new(), Vec::new());
    for labels in sets {
        let start = vectors.len();
        // Fitted lines were found on whole vectors.
        let axes = axes.filter(|_| !track::are_fitted(&manifest.scores, labels));
        vectors.extend(labels.vectors.iter().map(|label| track::cut(label.as_slice(), axes)));
        places.push(start..vectors.len());
    }
    let (labels, are_cosines) = (Arc::new(vectors), places.last().is_some_and(|p| p.end <= manifest.dim));
    let options = PipelineOptions {
        hop_samples: Some(settings.hop_samples),
        compare: are_cosines.then(|| Arc::clone(&labels)),
        ..engine.pipeline_options(Keep::Detection)
    };
    let name = source.name();
    let Encoded { duration_s, remarks, spans, contexts, .. } = engine.encode_one(source, &options)?;
    Ok(Heard {
        duration_s,
        remarks: *remarks,
        name,
        windows: spans,
        contexts,
        are_cosines,
        labels,
        sets: places,
    })
}
