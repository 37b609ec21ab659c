//! What a saved set is.

use earmark_index::Identity;
use serde::{Deserialize, Serialize};

use crate::EngineError;
use crate::adapt::Surroundings;
use crate::fit::Head;
use crate::labels::{Label, LabelSet};

/// A label: a word that is also its prompt, or a name with prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SavedLabel {
    /// The label is what is encoded.
    Word(String),
    /// What is shown, and what is encoded for it.
    Prompts {
        /// What is shown.
        name: String,
        /// Texts that stand for it, at least one.
        prompts: Vec<String>,
    },
}

impl SavedLabel {
    /// What is shown.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Word(name) | Self::Prompts { name, .. } => name.trim(),
        }
    }
}

impl From<&Label> for SavedLabel {
    fn from(label: &Label) -> Self {
        if label.prompts == [label.name.as_str()] {
            return Self::Word(label.name.clone());
        }
        Self::Prompts { name: label.name.clone(), prompts: label.prompts.clone() }
    }
}

/// A set as it is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSet {
    /// Its labels, at least one.
    pub labels: Vec<SavedLabel>,
    /// Sentences with `{}` where the label goes; the model's own where there is none.
    #[serde(default)]
    pub templates: Vec<String>,
    /// What was made for it in a model's space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
}

impl SavedSet {
    /// A set of words.
    #[must_use]
    pub fn of(labels: &LabelSet, templates: Vec<String>) -> Self {
        Self { labels: labels.labels().iter().map(SavedLabel::from).collect(), templates, made: None }
    }

    /// The labels, checked.
    ///
    /// # Errors
    /// As [`LabelSet::new`]; a label with an empty list of prompts.
    pub fn label_set(&self) -> Result<LabelSet, EngineError> {
        let label = |label: &SavedLabel| match label {
            SavedLabel::Word(_) => {
                Ok(Label { name: label.name().to_owned(), prompts: vec![label.name().to_owned()] })
            }
            SavedLabel::Prompts { prompts, .. } if prompts.is_empty() => {
                Err(EngineError::Labels(format!("`{}` has no prompts", label.name())))
            }
            SavedLabel::Prompts { prompts, .. } => {
                Ok(Label { name: label.name().to_owned(), prompts: prompts.clone() })
            }
        };
        LabelSet::new(self.labels.iter().map(label).collect::<Result<_, _>>()?)
    }

    /// Whether a head was fitted for it, so that its words are not asked.
    #[must_use]
    pub fn is_fitted(&self) -> bool {
        self.made.as_ref().is_some_and(|made| made.fit.is_some())
    }
}

/// What was made for a set in a model's space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The space.
    pub identity: Identity,
    /// Name of the file, which is the hash of its content.
    pub(crate) file: String,
    /// How the head came about, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<FitSummary>,
    /// How the place came about, if it was adapted to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapt: Option<AdaptSummary>,
}

impl Made {
    /// Whether it can be used in a space.
    ///
    /// # Errors
    /// [`EngineError::LabelSetOfOtherModel`].
    pub(crate) fn check(&self, name: &str, here: &Identity) -> Result<(), EngineError> {
        if self.identity == *here {
            return Ok(());
        }
        Err(EngineError::LabelSetOfOtherModel {
            name: name.to_owned(),
            made_with: Box::new(self.identity.clone()),
            here: Box::new(here.clone()),
        })
    }
}

/// How a head came about. Figures are of clips that were held out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitSummary {
    /// `prototypes` or `linear`.
    pub method: String,
    /// How much the text counts, 0 to 1.
    pub text_weight: f32,
    /// Clips that it was learned from.
    pub clips: usize,
    /// How many of these clips could be held out.
    pub held_out: usize,
    /// Share of them for which the best label was right, where there are any.
    pub accuracy: Option<f64>,
    /// Share of them for which the best label was right and was the answer, not "none of these". `None` too
    /// in sets that were fitted before version 3 of the file, which know no limit and always answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<f64>,
    /// Share of them that were answered "none of these" when their own label was left out, as is right then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_refused: Option<f64>,
    /// As `accuracy`, for the words alone, where the model has a text side.
    pub zero_shot_accuracy: Option<f64>,
    /// As `answered`, for the words alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero_shot_answered: Option<f64>,
    /// Expected calibration error.
    pub ece: Option<f64>,
}

/// How a place came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptSummary {
    /// Where they came from, in words.
    pub from: String,
    /// How many pieces of sound were heard, about five seconds each.
    pub pieces: usize,
}

/// The numbers of what was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) head: Option<Head>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<Surroundings>,
}

impl Content {
    /// What is wrong with it, in a space of `dim` dimensions.
    pub(super) fn problem(&self, dim: usize) -> Option<String> {
        let head = self.head.as_ref().and_then(|head| head.problem(dim));
        head.or_else(|| self.place.as_ref().and_then(|place| place.problem(dim)))
    }
}
