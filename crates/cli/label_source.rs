//! The labels that a command line names: words, or a saved set.

use anyhow::{Context as _, Result, bail};
use earmark_encoder::Model;
use earmark_engine::Engine;
use earmark_engine::label_sets::{LabelSets, SavedSet, unless_changed};
use earmark_engine::labels::EncodedLabels;

use crate::args::{Global, LabelArgs};
use crate::context;

/// Labels, before a model has read them.
pub(crate) struct LabelSource {
    sets: LabelSets,
    /// Its name; empty for words.
    name: String,
    set: SavedSet,
    /// Those of the command line, which stand in for the set's own.
    templates: Vec<String>,
}

impl LabelSource {
    /// Those that the options describe.
    pub(crate) fn of(global: &Global, args: &LabelArgs, templates: &[String]) -> Result<Self> {
        let Some(name) = &args.label_set else {
            let sets = context::label_sets(global)?;
            let words = context::words(args.labels.as_deref(), args.labels_file.as_deref())?;
            let set = SavedSet::of(&words, templates.to_vec());
            return Ok(Self { sets, name: String::new(), set, templates: templates.to_vec() });
        };
        let mut source = Self::saved(global, name)?;
        if !templates.is_empty() {
            if source.set.is_fitted() {
                bail!("label set `{name}` was fitted to clips, so no --template applies");
            }
            source.set.templates = templates.to_vec();
            source.templates = templates.to_vec();
        }
        Ok(source)
    }

    /// A saved set.
    pub(crate) fn saved(global: &Global, name: &str) -> Result<Self> {
        let sets = context::label_sets(global)?;
        let set = sets.get(name)?;
        Ok(Self { sets, name: name.to_owned(), set, templates: Vec::new() })
    }

    /// Its name; empty for words of the command line.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The labels as they are saved.
    pub(crate) fn set(&self) -> &SavedSet {
        &self.set
    }

    /// The model named, else the one that the set was made with, else the bundled one.
    pub(crate) fn model(&self, global: &Global) -> Result<Model> {
        match (&global.model, &self.set.made) {
            (None, Some(made)) => {
                let id = &made.identity.model_id;
                context::catalogue()
                    .open(id)
                    .with_context(|| format!("label set `{}` was made with model `{id}`", self.name))
            }
            _ => context::model(global),
        }
    }

    /// The labels in the engine's space.
    pub(crate) fn encode(&self, engine: &Engine) -> Result<EncodedLabels> {
        let mut known = Some(self.set.clone());
        // It may have been changed while the model was read.
        let encode = || {
            let mut set = known.take().map_or_else(|| self.sets.get(&self.name), Ok)?;
            if !self.templates.is_empty() {
                set.templates.clone_from(&self.templates);
            }
            self.sets.encode(&self.name, &set, engine)
        };
        Ok(unless_changed(encode)?)
    }
}
