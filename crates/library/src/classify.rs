//! Labelling sounds with any words.

use std::sync::Arc;

use earmark_engine::classify::{
    Classification, ClipPooling, Decision, cosines_of_spans, cosines_of_windows, read,
};
use earmark_engine::labels::EncodedLabels;
use earmark_engine::{Encoded, Engine, Keep, Source, Span};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::labels::{Label, Labels};
use crate::library::{Files, Library};
use crate::sounds::{FILES_AT_ONCE, Named, files_of};
use crate::words::{KnownText, SoundError, Version, bounded, clip_id};

/// What to label, and with what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifyRequest {
    /// Clips of the index, from their stored vectors.
    #[schema(max_items = 500)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clip_ids: Vec<String>,
    /// All clips of the index that this lets through, from their stored vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Sound files: over HTTP names of parts of the multipart request, all of them if this is left out;
    /// elsewhere paths of files and folders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Either this or `label_set`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<Label>>,
    /// The name of a saved set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_set: Option<String>,
    /// Sentences with `{}` where the label goes; the model's own if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<String>,
    /// Any number of labels may fit, each by itself.
    pub multi: bool,
    /// Probability that the best label must reach, else none fits; with `multi`, from which each label fits.
    /// If absent, none fits if "none of these" is more probable, or the best label is below the limit of a
    /// fitted set; with `multi`, 0.5, or each label's own in a fitted set.
    #[schema(minimum = 0, maximum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// How the windows of a sound become one score.
    pub pooling: Pooling,
    /// Only the likeliest so many scores, and those of accepted labels.
    #[schema(minimum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
}

/// How the windows of a sound become one score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// What it is about as a whole
    #[default]
    Mean,
    /// Whether the label is heard at all
    Max,
    /// Between the two
    Attention,
}

impl From<Pooling> for ClipPooling {
    fn from(pooling: Pooling) -> Self {
        match pooling {
            Pooling::Mean => Self::Mean,
            Pooling::Max => Self::Max,
            Pooling::Attention => Self::Attention,
        }
    }
}

/// What was heard in each sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ClassifyAnswer)]
pub struct ClassifyAnswer {
    /// The version of this answer's fields.
    pub version: Version,
    /// Clips first, then files, in the order given.
    pub results: Vec<Classified>,
    /// How well the model knows each text that stands for a label; empty if it cannot tell, and for fitted
    /// sets.
    pub texts: Vec<KnownText>,
    /// Whether the probabilities were calibrated for this model, or on the clips that the set was fitted to.
    pub calibrated: bool,
    /// The model that listened.
    pub model: String,
}

/// What was heard in one sound, or why it could not be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Classified {
    /// The clip's id or the file's name.
    pub source: String,
    /// The path of a clip of the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The label that fits best; `null` if none does.
    pub label: Option<String>,
    /// All labels that fit.
    pub accepted: Vec<String>,
    /// Probability that it is none of the labels, if the model can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none_probability: Option<f32>,
    /// The likeliest first.
    pub scores: Vec<LabelScore>,
    /// How the file was read: whether it is cut off, damaged or silent. Empty for clips.
    pub remarks: Vec<String>,
    /// Why the sound could not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<SoundError>,
}

/// How a label fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LabelScore {
    /// The label.
    pub label: String,
    /// Among all labels, or by itself with `multi`.
    pub probability: f32,
    /// Cosine of the sound and the label.
    pub cosine: f32,
}

/// A request's labels, encoded, and how it decides: what [`Library::classify`] does for each sound.
#[derive(Clone)]
pub struct Classifier {
    engine: Arc<Engine>,
    labels: Arc<EncodedLabels>,
    pooling: ClipPooling,
    decision: Decision,
    top: usize,
}

impl Library {
    /// Labels sounds.
    ///
    /// # Errors
    /// [`Error::Field`] that names what is wrong in the request. A sound that cannot be used has its error in
    /// its place.
    pub fn classify(&self, request: &ClassifyRequest, files: Files) -> Result<ClassifyAnswer> {
        let classifier = self.classifier(request)?;
        let mut results = Vec::new();
        self.classify_with(&classifier, request, files, &mut |classified| {
            results.push(classified);
            true
        })?;
        Ok(classifier.answer(results))
    }

    /// Encodes a request's labels.
    ///
    /// # Errors
    /// [`Error::Field`] that names what is wrong in the request.
    pub fn classifier(&self, request: &ClassifyRequest) -> Result<Classifier> {
        if let Some(threshold) = request.threshold.filter(|threshold| !(0.0..=1.0).contains(threshold)) {
            return Err(Error::field_is("threshold", format!("expected 0 to 1, got {threshold}")));
        }
        bounded("clip_ids", request.clip_ids.len(), 0, self.limits().clips)?;
        let top = request.top.map_or(Ok(usize::MAX), |top| bounded("top", top, 1, usize::MAX))?;
        let threshold = request.threshold;
        Ok(Classifier {
            labels: self.encode_labels(&Labels {
                labels: request.labels.as_deref(),
                label_set: request.label_set.as_deref(),
                templates: &request.templates,
            })?,
            engine: self.engine()?,
            pooling: request.pooling.into(),
            decision: match request.multi {
                true => Decision::Multi { threshold },
                false => Decision::Single { threshold },
            },
            top,
        })
    }

    /// Labels the sounds of a request and hands each result to `each`, in order, until it returns false.
    ///
    /// # Errors
    /// As [`Self::classify`].
    pub fn classify_with(
        &self,
        classifier: &Classifier,
        request: &ClassifyRequest,
        files: Files,
        each: &mut dyn FnMut(Classified) -> bool,
    ) -> Result<()> {
        for id in &request.clip_ids {
            if !each(self.classify_clip(classifier, id)?) {
                return Ok(());
            }
        }
        if let Some(filter) = &request.filter {
            let index = self.index()?;
            let clips = index.clips(&filter.check().map_err(|e| e.within("filter"))?)?;
            bounded("filter", clips.len(), 0, self.limits().clips)?;
            for clip in clips {
                let result = classifier.spans(&clip.id.to_string(), index.segments(clip.id)?);
                if !each(Classified { path: Some(clip.meta.path), ..result? }) {
                    return Ok(());
                }
            }
        }
        let mut sounds = files_of(&request.files, files).into_iter().peekable();
        while sounds.peek().is_some() {
            let some: Vec<Named> = sounds.by_ref().take(FILES_AT_ONCE).collect();
            for classified in classifier.files(some)? {
                if !each(classified) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Labels a clip of the index from its stored vectors.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Field`] named `clip_ids`.
    pub fn classify_clip(&self, classifier: &Classifier, id: &str) -> Result<Classified> {
        let clip = self.find_clip(clip_id("clip_ids", id)?)?;
        let classified = classifier.spans(id, self.index()?.segments(clip.id)?)?;
        Ok(Classified { path: Some(clip.meta.path), ..classified })
    }
}

impl Classifier {
    /// Labels one sound.
    ///
    /// # Errors
    /// Errors of decoding and encoding it.
    pub fn sound(&self, source: Source) -> Result<Classified> {
        let name = source.name();
        let encoded = self.engine.encode_one(source, &self.engine.pipeline_options(Keep::Windows))?;
        self.encoded(name, &encoded)
    }

    /// The answer for all sounds.
    #[must_use]
    pub fn answer(&self, results: Vec<Classified>) -> ClassifyAnswer {
        ClassifyAnswer {
            version: Version,
            results,
            texts: self.texts(),
            calibrated: self.is_calibrated(),
            model: self.engine.model().manifest().id.clone(),
        }
    }

    /// How well the model knows each text that stands for a label.
    #[must_use]
    pub fn texts(&self) -> Vec<KnownText> {
        self.labels.texts.iter().map(KnownText::from).collect()
    }

    /// Whether the probabilities were calibrated.
    #[must_use]
    pub fn is_calibrated(&self) -> bool {
        self.labels.readout.calibrated
    }

    /// A sound that could not be used.
    #[must_use]
    pub fn refused(source: String, error: &Error) -> Classified {
        Classified {
            source,
            path: None,
            label: None,
            accepted: Vec::new(),
            none_probability: None,
            scores: Vec::new(),
            remarks: Vec::new(),
            error: Some(error.into()),
        }
    }

    fn files(&self, sounds: Vec<Named>) -> Result<Vec<Classified>> {
        let usable = sounds.iter().filter_map(|named| named.sound.as_ref().ok().cloned()).collect();
        let encoded = self.engine.encode(usable, &self.engine.pipeline_options(Keep::Windows))?;
        let mut encoded = encoded.into_iter();
        let classified = sounds.into_iter().map(|Named { source, sound, .. }| {
            let result = sound.and_then(|_| {
                let none = || Error::field_is("files", "the sound gave no result");
                let encoded = encoded.next().ok_or_else(none)??;
                self.encoded(source.clone(), &encoded)
            });
            result.unwrap_or_else(|e| Self::refused(source, &e))
        });
        Ok(classified.collect())
    }

    fn encoded(&self, name: String, encoded: &Encoded) -> Result<Classified> {
        let cosines = cosines_of_windows(&self.engine, encoded, &self.labels, self.pooling, &name)?;
        Ok(Classified { remarks: encoded.remarks.sentences(), ..self.decide(name, &cosines) })
    }

    fn spans(&self, id: &str, segments: Vec<earmark_index::Segment>) -> Result<Classified> {
        if segments.is_empty() {
            let error = Error::NoSound(id.parse().unwrap_or_default());
            return Ok(Self::refused(id.to_owned(), &error));
        }
        let span = |s: earmark_index::Segment| Span { start_s: s.start_s, end_s: s.end_s, vector: s.vector };
        let spans: Vec<Span> = segments.into_iter().map(span).collect();
        let cosines = cosines_of_spans(&self.engine, &spans, &self.labels, self.pooling, id)?;
        Ok(self.decide(id.to_owned(), &cosines))
    }

    fn decide(&self, source: String, cosines: &[f32]) -> Classified {
        let Classification { scores: ranked, accepted, none_probability } =
            read(&self.labels.readout, cosines, self.decision);
        let name = |i: usize| self.labels.names[i].clone();
        let accepted: Vec<String> = ranked.iter().take(accepted).map(|s| name(s.label)).collect();
        let score = |s: &earmark_engine::classify::LabelScore| LabelScore {
            label: name(s.label),
            probability: s.probability,
            cosine: s.cosine,
        };
        Classified {
            source,
            path: None,
            label: accepted.first().cloned(),
            scores: ranked.iter().take(self.top.max(accepted.len())).map(score).collect(),
            accepted,
            none_probability,
            remarks: Vec::new(),
            error: None,
        }
    }
}
