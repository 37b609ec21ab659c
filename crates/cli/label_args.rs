//! The labels that a command line names: words, or a saved set.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use earmark_encoder::Model;
use earmark_engine::Engine;
use earmark_engine::label_sets::{LabelSets, SavedLabel, SavedSet, unless_changed};
use earmark_engine::labels::{EncodedLabels, LabelSet};
use earmark_library::Label;

use crate::args::Global;
use crate::context;

/// Where labels come from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "label_source")]
pub(crate) struct LabelArgs {
    /// Comma-separated labels
    #[arg(long, value_name = "LIST")]
    pub(crate) labels: Option<String>,
    /// File of labels: text (`dog: barking; howling`), CSV (label,prompt) or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) labels_file: Option<PathBuf>,
    /// Saved label set (`earmark labels` lists them, `earmark fit` learns one from labelled clips)
    #[arg(long, value_name = "NAME")]
    pub(crate) label_set: Option<String>,
}

/// Labels to save.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct LabelWordsArgs {
    /// Comma-separated labels
    #[arg(long, value_name = "LIST")]
    pub(crate) labels: Option<String>,
    /// File of labels: text (`dog: barking; howling`), CSV (label,prompt) or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) labels_file: Option<PathBuf>,
}

impl LabelArgs {
    /// The labels given as words; `None` for a saved set.
    pub(crate) fn words(&self) -> Result<Option<Vec<Label>>> {
        if self.label_set.is_some() {
            return Ok(None);
        }
        let words = words(self.labels.as_deref(), self.labels_file.as_ref())?;
        Ok(Some(words.labels().iter().map(|label| SavedLabel::from(label).into()).collect()))
    }
}

impl LabelWordsArgs {
    /// The labels, checked.
    pub(crate) fn words(&self) -> Result<LabelSet> {
        words(self.labels.as_deref(), self.labels_file.as_ref())
    }
}

fn words(list: Option<&str>, file: Option<&PathBuf>) -> Result<LabelSet> {
    Ok(match file {
        Some(file) => LabelSet::from_file(file)?,
        None => LabelSet::from_list(list.unwrap_or_default())?,
    })
}

/// A saved label set that a command works on.
pub(crate) struct SavedLabels {
    sets: LabelSets,
    name: String,
    set: SavedSet,
}

impl SavedLabels {
    pub(crate) fn of(global: &Global, name: &str) -> Result<Self> {
        let sets = context::label_sets(global)?;
        let set = sets.get(name)?;
        Ok(Self { sets, name: name.to_owned(), set })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The set as it is saved.
    pub(crate) fn set(&self) -> &SavedSet {
        &self.set
    }

    /// The model named, else the one that the set was made with, else the bundled one.
    pub(crate) fn model(&self, global: &Global) -> Result<Model> {
        let place = context::place(global)?.for_label_set(Some(&self.name))?;
        place.model().with_context(|| format!("label set `{}`", self.name))
    }

    /// The labels in the engine's space.
    pub(crate) fn encode(&self, engine: &Engine) -> Result<EncodedLabels> {
        let mut known = Some(self.set.clone());
        // It may have been changed while the model was read.
        let encode = || {
            let set = known.take().map_or_else(|| self.sets.get(&self.name), Ok)?;
            self.sets.encode(&self.name, &set, engine)
        };
        Ok(unless_changed(encode)?)
    }
}
