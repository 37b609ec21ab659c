//! Labels and label sets, as requests and answers have them; they are kept by [`earmark_engine::label_sets`].

use earmark_engine::label_sets::{AdaptSummary, FitSummary, SavedLabel, SavedSet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A label: a word that is also its prompt, or a name with prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Label)]
pub(crate) enum LabelDto {
    /// The label is what is encoded.
    Word(String),
    /// What is shown, and what is encoded for it.
    Prompts(PromptsDto),
}

/// A label with texts that stand for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LabelWithPrompts)]
pub(crate) struct PromptsDto {
    pub(crate) name: String,
    /// At least one.
    #[schema(min_items = 1)]
    pub(crate) prompts: Vec<String>,
}

/// Labels and the sentences they are put into.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LabelSetContent)]
pub(crate) struct LabelSetContent {
    #[schema(min_items = 1)]
    pub(crate) labels: Vec<LabelDto>,
    /// Sentences with `{}` where the label goes; the model's own where none is given.
    #[serde(default)]
    pub(crate) templates: Vec<String>,
}

impl From<LabelSetContent> for SavedSet {
    fn from(set: LabelSetContent) -> Self {
        let label = |label| match label {
            LabelDto::Word(word) => SavedLabel::Word(word),
            LabelDto::Prompts(PromptsDto { name, prompts }) => SavedLabel::Prompts { name, prompts },
        };
        Self { labels: set.labels.into_iter().map(label).collect(), templates: set.templates, made: None }
    }
}

/// A saved label set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LabelSet)]
pub(crate) struct LabelSetDto {
    name: String,
    labels: Vec<LabelDto>,
    templates: Vec<String>,
    /// The model that it can be used with, where it was fitted or adapted.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// How it was fitted to labelled clips (`earmark fit`), where it was: then its words are not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    fitted: Option<FittedDto>,
    /// What it was adapted to (`earmark adapt`), where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    adapted: Option<AdaptedDto>,
}

/// How a label set was fitted. Figures are of clips that were held out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fitted)]
pub(crate) struct FittedDto {
    /// `prototypes` or `linear`.
    method: String,
    /// How much the text counts, 0 to 1.
    text_weight: f32,
    /// Clips that it was learned from.
    clips: usize,
    /// Share of held-out clips for which the best label was right, where any could be held out.
    accuracy: Option<f64>,
    /// Share of held-out clips for which the best label was right and was the answer, not "none of these".
    #[serde(skip_serializing_if = "Option::is_none")]
    answered: Option<f64>,
    /// Share of held-out clips that were answered "none of these" when their own label was left out, as is
    /// right then.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_refused: Option<f64>,
    /// As `accuracy`, for the words alone, where the model has a text side.
    zero_shot_accuracy: Option<f64>,
    /// As `answered`, for the words alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    zero_shot_answered: Option<f64>,
}

/// What a label set was adapted to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Adapted)]
pub(crate) struct AdaptedDto {
    /// Pieces of sound that were heard, about five seconds each.
    pieces: usize,
}

impl LabelSetDto {
    pub(crate) fn new(name: String, set: SavedSet) -> Self {
        let label = |label| match label {
            SavedLabel::Word(word) => LabelDto::Word(word),
            SavedLabel::Prompts { name, prompts } => LabelDto::Prompts(PromptsDto { name, prompts }),
        };
        let fitted = |fit: FitSummary| FittedDto {
            method: fit.method,
            text_weight: fit.text_weight,
            clips: fit.clips,
            accuracy: fit.accuracy,
            answered: fit.answered,
            unknown_refused: fit.unknown_refused,
            zero_shot_accuracy: fit.zero_shot_accuracy,
            zero_shot_answered: fit.zero_shot_answered,
        };
        let (model, fit, adapt) = match set.made {
            Some(made) => (Some(made.identity.model_id), made.fit, made.adapt),
            None => (None, None, None),
        };
        Self {
            name,
            labels: set.labels.into_iter().map(label).collect(),
            templates: set.templates,
            model,
            fitted: fit.map(fitted),
            adapted: adapt.map(|AdaptSummary { pieces, .. }| AdaptedDto { pieces }),
        }
    }
}
