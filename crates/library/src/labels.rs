//! The labels of a request: given there, or saved under a name.

use std::sync::Arc;

use earmark_engine::EngineError;
use earmark_engine::label_sets::{AdaptSummary, FitSummary, SavedLabel, SavedSet, unless_changed};
use earmark_engine::labels::{EncodedLabels, LabelSet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::library::Library;

/// A label: a word that is also its prompt, or a name with prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Label {
    /// The label is what is encoded.
    Word(String),
    /// What is shown, and what is encoded for it.
    Prompts(LabelWithPrompts),
}

/// A label with texts that stand for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelWithPrompts {
    /// What is shown.
    pub name: String,
    /// At least one.
    #[schema(min_items = 1)]
    pub prompts: Vec<String>,
}

impl From<Label> for SavedLabel {
    fn from(label: Label) -> Self {
        match label {
            Label::Word(word) => Self::Word(word),
            Label::Prompts(LabelWithPrompts { name, prompts }) => Self::Prompts { name, prompts },
        }
    }
}

impl From<SavedLabel> for Label {
    fn from(label: SavedLabel) -> Self {
        match label {
            SavedLabel::Word(word) => Self::Word(word),
            SavedLabel::Prompts { name, prompts } => Self::Prompts(LabelWithPrompts { name, prompts }),
        }
    }
}

/// Labels and the sentences they are put into.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelSetContent {
    /// At least one, all different.
    #[schema(min_items = 1)]
    pub labels: Vec<Label>,
    /// Sentences with `{}` where the label goes; the model's own if there are none.
    #[serde(default)]
    pub templates: Vec<String>,
}

impl From<LabelSetContent> for SavedSet {
    fn from(set: LabelSetContent) -> Self {
        Self {
            labels: set.labels.into_iter().map(SavedLabel::from).collect(),
            templates: set.templates,
            made: None,
        }
    }
}

/// A saved label set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LabelSet)]
pub struct NamedLabelSet {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<Label>,
    /// Sentences with `{}` where the label goes; the model's own if there are none.
    pub templates: Vec<String>,
    /// The model that it can be used with, if it was fitted or adapted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How it was fitted to labelled clips, if it was. Its words are not asked then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<Fitted>,
    /// What it was adapted to, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapted: Option<Adapted>,
}

/// How a label set was fitted. All figures are of clips that were held out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Fitted {
    /// `prototypes` or `linear`.
    pub method: String,
    /// How much the text counts, 0 to 1.
    pub text_weight: f32,
    /// Clips that it was learned from.
    pub clips: usize,
    /// How many of these clips could be held out.
    pub held_out: usize,
    /// Share of held-out clips whose best label was right, if any could be held out.
    pub accuracy: Option<f64>,
    /// Share of held-out clips whose best label was right and was the answer, not "none of these".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<f64>,
    /// Share of held-out clips that were answered "none of these" when their own label was left out, as is
    /// right then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_refused: Option<f64>,
    /// As `accuracy`, for the words alone, if the model has a text side.
    pub zero_shot_accuracy: Option<f64>,
    /// As `answered`, for the words alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero_shot_answered: Option<f64>,
    /// Expected calibration error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ece: Option<f64>,
}

impl From<FitSummary> for Fitted {
    fn from(fit: FitSummary) -> Self {
        Self {
            method: fit.method,
            text_weight: fit.text_weight,
            clips: fit.clips,
            held_out: fit.held_out,
            accuracy: fit.accuracy,
            answered: fit.answered,
            unknown_refused: fit.unknown_refused,
            zero_shot_accuracy: fit.zero_shot_accuracy,
            zero_shot_answered: fit.zero_shot_answered,
            ece: fit.ece,
        }
    }
}

/// What a label set was adapted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Adapted {
    /// The recordings, in words.
    pub from: String,
    /// Pieces of sound that were heard, about five seconds each.
    pub pieces: usize,
}

impl From<AdaptSummary> for Adapted {
    fn from(adapt: AdaptSummary) -> Self {
        Self { from: adapt.from, pieces: adapt.pieces }
    }
}

impl NamedLabelSet {
    /// A saved set under its name.
    #[must_use]
    pub fn new(name: String, set: SavedSet) -> Self {
        let (model, fit, adapt) = match set.made {
            Some(made) => (Some(made.identity.model_id), made.fit, made.adapt),
            None => (None, None, None),
        };
        Self {
            name,
            labels: set.labels.into_iter().map(Label::from).collect(),
            templates: set.templates,
            model,
            fitted: fit.map(Fitted::from),
            adapted: adapt.map(Adapted::from),
        }
    }
}

/// The labels of a request: either `labels` or `label_set`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Labels<'a> {
    /// Given with the request.
    pub labels: Option<&'a [Label]>,
    /// The name of a saved set.
    pub label_set: Option<&'a str>,
    /// Sentences with `{}` where the label goes, instead of the set's own.
    pub templates: &'a [String],
}

impl Library {
    /// All saved label sets, by name.
    ///
    /// # Errors
    /// [`EngineError::LabelSets`].
    pub fn all_label_sets(&self) -> Result<Vec<NamedLabelSet>> {
        let all = self.label_sets().all()?;
        Ok(all.into_iter().map(|(name, set)| NamedLabelSet::new(name, set)).collect())
    }

    /// Saves words as a label set under a name; true if there was none of that name. What was fitted or
    /// adapted for an older set of the name is gone.
    ///
    /// # Errors
    /// [`Error::Field`] named `name`, `labels` or `templates`.
    pub fn put_label_set(&self, name: &str, content: LabelSetContent) -> Result<(bool, NamedLabelSet)> {
        earmark_engine::label_sets::check_name(name).map_err(|e| {
            let reason = match e {
                EngineError::Labels(reason) => reason,
                e => e.to_string(),
            };
            Error::field_is("name", reason)
        })?;
        let set = SavedSet::from(content);
        self.check_labels(&set)?;
        let is_new = self.label_sets().put(name, set.clone())?;
        Ok((is_new, NamedLabelSet::new(name.to_owned(), set)))
    }

    /// The vectors of a request's labels, and how cosines with them are read. Those asked for before are
    /// kept.
    ///
    /// # Errors
    /// [`Error::Field`] named `labels` or `templates`; [`EngineError::NoSuchLabelSet`],
    /// [`EngineError::LabelSetOfOtherModel`]; errors of the text encoder.
    pub fn encode_labels(&self, labels: &Labels<'_>) -> Result<Arc<EncodedLabels>> {
        let engine = self.engine()?;
        let name = match (labels.labels, labels.label_set) {
            (Some(words), None) => {
                let words = words.iter().cloned().map(SavedLabel::from).collect();
                let set = SavedSet { labels: words, templates: labels.templates.to_vec(), made: None };
                self.check_labels(&set)?;
                return self.encode_set("", &set, &engine).map_err(Error::from);
            }
            (None, Some(name)) => name,
            _ => return Err(Error::field_is("labels", "expected either `labels` or `label_set`")),
        };
        let sets = self.label_sets();
        let read = || -> Result<SavedSet, EngineError> {
            let mut set = sets.get(name)?;
            if !labels.templates.is_empty() && !set.is_fitted() {
                set.templates = labels.templates.to_vec();
            }
            Ok(set)
        };
        let set = read()?;
        if set.is_fitted() && !labels.templates.is_empty() {
            let reason = format!("`{name}` was fitted to clips, so no template applies");
            return Err(Error::field_is("templates", reason));
        }
        self.check_labels(&set)?;
        let mut first = Some(set);
        // It may be changed by others between reading the set and what was fitted for it.
        Ok(unless_changed(|| {
            let set = first.take().map_or_else(read, Ok)?;
            self.encode_set(name, &set, &engine)
        })?)
    }

    fn encode_set(
        &self,
        name: &str,
        set: &SavedSet,
        engine: &earmark_engine::Engine,
    ) -> Result<Arc<EncodedLabels>, EngineError> {
        // With the name of the file of what was fitted, which is its hash.
        let key = serde_json::to_string(set).unwrap_or_default();
        if let Some(known) = self.kept_labels().get(&key) {
            return Ok(known);
        }
        let encoded = Arc::new(self.label_sets().encode(name, set, engine)?);
        self.kept_labels().insert(key, Arc::clone(&encoded));
        Ok(encoded)
    }

    /// Refuses sets that are too large, empty, or make no sense.
    fn check_labels(&self, set: &SavedSet) -> Result<LabelSet> {
        let limits = self.limits();
        let checked = set.label_set()?;
        // What was fitted needs no text encoded.
        if set.is_fitted() {
            return Ok(checked);
        }
        let prompts: usize = checked.labels().iter().map(|label| label.prompts.len()).sum();
        let texts = prompts.saturating_mul(set.templates.len().max(1));
        if texts > limits.label_texts {
            let most = limits.label_texts;
            let reason = format!("{texts} texts with all prompts and templates, at most {most} are taken");
            return Err(Error::field_is("labels", reason));
        }
        let texts = checked.labels().iter().flat_map(|label| label.prompts.iter().chain([&label.name]));
        for text in texts.chain(&set.templates) {
            if text.chars().count() > limits.text_chars {
                let reason = format!("a text is longer than {} characters", limits.text_chars);
                return Err(Error::field_is("labels", reason));
            }
        }
        if let Some(bad) = set.templates.iter().find(|template| !template.contains("{}")) {
            return Err(Error::field_is("templates", format!("`{bad}` has no `{{}}` where the label goes")));
        }
        Ok(checked)
    }
}
