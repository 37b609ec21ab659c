//! Finding when something is heard.

use earmark_engine::events::{Event as EngineEvent, EventOptions, find_events, listen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::labels::{Label, Labels};
use crate::library::{Access, Files, Library};
use crate::words::{KnownText, Version, clip_id, to_millisecond};

/// Shortest time between looks, seconds.
const LEAST_HOP_S: f64 = 0.05;

/// Where to listen, and for what. Settings that are absent are the model's own: see `events` of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EventsRequest {
    /// A clip of the index, whose file is decoded. Either this or `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_id: Option<String>,
    /// A sound file: over HTTP the name of a part of the multipart request, the only one if this is left out;
    /// elsewhere a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Either this or `label_set`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<Label>>,
    /// The name of a saved set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_set: Option<String>,
    /// Sentences with `{}` where the label goes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<String>,
    /// Probability at which an event begins. If absent, 0.5, or each label's own in a set that was fitted.
    #[schema(minimum = 0, maximum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// Probability below which it ends; at most `threshold`.
    #[schema(minimum = 0, maximum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<f32>,
    /// Seconds between looks.
    #[schema(minimum = 0.05)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop_s: Option<f64>,
    /// Length of the median filter, seconds.
    #[schema(minimum = 0, maximum = 60)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smooth_s: Option<f64>,
    /// Shorter events are dropped, seconds.
    #[schema(minimum = 0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_duration_s: Option<f64>,
    /// Events of one label closer than this become one, seconds.
    #[schema(minimum = 0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge_gap_s: Option<f64>,
    /// Answer with the probabilities over time too.
    pub tracks: bool,
}

/// What is heard when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = EventsAnswer)]
pub struct EventsAnswer {
    /// The version of this answer's fields.
    pub version: Version,
    /// The clip's id or the file's name.
    pub source: String,
    /// Length of the sound, seconds.
    pub duration_s: f64,
    /// How the sound was read: whether it is cut off, damaged or silent.
    pub remarks: Vec<String>,
    /// The labels that were listened for.
    pub labels: Vec<String>,
    /// Probability at which events begin; `null` if each label has a threshold of its own.
    pub threshold: Option<f32>,
    /// Whether the probabilities were calibrated for this model, or on the clips that the set was fitted to.
    pub calibrated: bool,
    /// How well the model knows each text that stands for a label; empty if it cannot tell, and for fitted
    /// sets.
    pub texts: Vec<KnownText>,
    /// In order of onset.
    pub events: Vec<Event>,
    /// The probabilities over time, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracks: Option<Tracks>,
    /// The model that listened.
    pub model: String,
}

/// A stretch in which a label is heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Seconds.
    pub onset_s: f64,
    /// Seconds.
    pub offset_s: f64,
    /// The label.
    pub label: String,
    /// The highest probability in it.
    pub score: f32,
}

/// Probabilities over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tracks {
    /// Middle of the stretch that each column stands for, seconds.
    pub times: Vec<f64>,
    /// A row a label, in the order of `labels`.
    pub rows: Vec<Vec<f32>>,
    /// How far high scores reach beyond a sound at each end, seconds; `events` have it taken off.
    pub reach_s: f64,
}

impl Library {
    /// Finds when labels are heard in one sound.
    ///
    /// # Errors
    /// [`Error::Field`] that names what is wrong in the request; errors of decoding and encoding the sound.
    pub fn events(&self, request: &EventsRequest, mut files: Files) -> Result<EventsAnswer> {
        let options = EventOptions {
            threshold: request.threshold,
            release: request.release,
            hop_s: request.hop_s,
            smooth_s: request.smooth_s,
            min_duration_s: request.min_duration_s,
            merge_gap_s: request.merge_gap_s,
        };
        // Before a model is opened.
        options.validate()?;
        if options.hop_s.is_some_and(|hop| hop < LEAST_HOP_S) {
            return Err(Error::field_is("hop_s", format!("expected {LEAST_HOP_S} s or more")));
        }
        let engine = self.engine()?;
        let settings = options.settle(engine.model().manifest())?;
        let labels = self.encode_labels(&Labels {
            labels: request.labels.as_deref(),
            label_set: request.label_set.as_deref(),
            templates: &request.templates,
        })?;
        let sent = files.left();
        let (name, source) = match (&request.clip_id, &request.file, sent.as_slice()) {
            (Some(id), None, []) => {
                let clip = self.find_clip(clip_id("clip_id", id)?)?;
                (id.clone(), earmark_engine::Source::Path(self.clip_file(&clip.meta.path)?))
            }
            (None, Some(file), _) => {
                let source = files.take("file", file)?;
                (source.name(), source)
            }
            (None, None, [only]) => {
                let source = files.take("file", only)?;
                (source.name(), source)
            }
            _ => return Err(Error::field_is("clip_id", "expected either `clip_id` or one file")),
        };
        if self.access() == Access::Once {
            // Hours of listening need its memory more.
            engine.close_text();
        }
        let heard = listen(&engine, source, &[&labels], &settings)?;
        let numbers = heard.windows().saturating_mul(labels.names.len());
        let limits = self.limits();
        if numbers > limits.event_scores || request.tracks && numbers > limits.track_numbers {
            let reason = "so many labels over so long a sound are too much; give fewer, or a larger `hop_s`";
            return Err(Error::field_is("labels", reason));
        }
        let track = heard.track(&engine, 0, &labels)?;
        let event = |e: &EngineEvent| Event {
            onset_s: to_millisecond(e.onset_s),
            offset_s: to_millisecond(e.offset_s),
            label: labels.names[e.label].clone(),
            score: e.score,
        };
        let events = find_events(&track, &settings).iter().map(event).collect();
        let own = settings.own_thresholds && labels.readout.has_own_thresholds();
        Ok(EventsAnswer {
            version: Version,
            source: name,
            duration_s: heard.duration_s,
            remarks: heard.remarks.sentences(),
            labels: labels.names.clone(),
            threshold: (!own).then_some(settings.threshold),
            calibrated: labels.readout.calibrated,
            texts: labels.texts.iter().map(KnownText::from).collect(),
            events,
            tracks: request.tracks.then(|| Tracks {
                times: track.cells.iter().map(|(start, end)| f64::midpoint(*start, *end)).collect(),
                rows: track.rows,
                reach_s: track.reach_s,
            }),
            model: engine.model().manifest().id.clone(),
        })
    }
}
