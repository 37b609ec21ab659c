//! When something is heard: windows slide over the recording, and each label's probability over time is thresholded.
//!
//! A window's score says what is heard somewhere within it, so it is credited to the window's centre, and each centre
//! stands for the stretch half a hop to either side.
//!
//! # Two scales
//!
//! A model that states `[detect]` hears each moment twice, in one pass over the file: in a short *detection window*, which
//! tells when, and in the longer *context windows* of search, which know better what. For each label
//!
//! - `x = sqrt(max(c1, 0) max(c5, 0))`, with `c1` the cosine of the detection window and `c5` that of the context: of the
//!   context windows that cover the middle of the detection window, the best one's. Both are cut to `detect.axes`.
//! - `y = x - clamp(median of x over floor_window_s around, 0, floor_max)`: what a label scores all the time is no event.
//! - `probability = sigmoid(scale y + bias)`.
//!
//! Labels that were fitted to clips have a calibration of their own: the geometric mean of the two probabilities, without a
//! floor. A sound shorter than a window is the context as that window is padded: repeated, where `[window]` says so.
//!
//! # One scale
//!
//! Other models hear each moment in one window, and the probability is the model's calibrated one for that.
//!
//! # Edges
//!
//! A window of length `L` that reaches a little way into a clear sound hears it already: from the moment that a share `f` of
//! it lies within. Its centre is then `(0.5 - f) L` outside the sound. Centres fall on a grid of one hop, so the first that
//! hears lies half a hop later on average, but its stretch begins half a hop before it: the two cancel, and the stretch of
//! high scores begins `(0.5 - f) L` before the sound and ends as much after it, give or take half a hop. That is taken back
//! (`detect.reach`, or [`EDGE_REACH`]); a sound much shorter than `f L` is heard over about `2 (0.5 - f) L` and keeps half.

mod find;
mod floor;
mod options;
mod track;

use crate::labels::EncodedLabels;
use crate::{Encoded, Engine, EngineError, Keep, PipelineOptions, Source};

pub use find::{Event, find_events};
pub use options::{EventDefaults, EventOptions, EventSettings};
pub use track::{EDGE_REACH, ScoreTrack, score_track};

#[cfg(test)]
fn detect_for_tests() -> earmark_encoder::Detect {
    earmark_encoder::Detect {
        length_samples: 8000,
        hop_samples: 4000,
        pad: earmark_audio::ShortPad::Repeat,
        tail: earmark_audio::Tail::Shift,
        context_hop_samples: 7680,
        axes: None,
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

/// Finds events in one sound.
///
/// # Errors
/// Those of decoding and encoding the sound.
pub fn detect(
    engine: &Engine,
    source: Source,
    name: &str,
    labels: &EncodedLabels,
    settings: &EventSettings,
) -> Result<(Vec<Event>, Encoded), EngineError> {
    let encoded = windows(engine, source, settings)?;
    let track = score_track(engine, &encoded, labels, name)?;
    Ok((find_events(&track, settings), encoded))
}

/// A sound's windows at the settings' hop, for [`score_track`].
///
/// # Errors
/// Those of decoding and encoding the sound.
pub fn windows(engine: &Engine, source: Source, settings: &EventSettings) -> Result<Encoded, EngineError> {
    let pipeline = PipelineOptions {
        hop_samples: Some(settings.hop_samples),
        ..engine.pipeline_options(Keep::Detection)
    };
    engine.encode_one(source, &pipeline)
}
