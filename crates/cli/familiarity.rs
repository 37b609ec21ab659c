//! Whether the model knows the words it was given.

use anyhow::Result;
use earmark_engine::Engine;
use serde::Serialize;

use crate::args::Global;
use crate::output::note;

/// Below this the model more likely does not know what a text is about.
const EVEN: f32 = 0.5;

/// A text, and how well the model knows it.
#[derive(Debug, Serialize)]
pub(crate) struct Known {
    pub(crate) text: String,
    /// Probability that it describes a sound in words that the model knows.
    pub(crate) familiarity: f32,
}

/// How well the model knows each text; empty for models that cannot tell.
pub(crate) fn of(engine: &Engine, texts: &[&str]) -> Result<Vec<Known>> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let known = engine.familiarity(texts)?.unwrap_or_default();
    let pairs = texts.iter().zip(known);
    Ok(pairs.map(|(text, familiarity)| Known { text: (*text).to_owned(), familiarity }).collect())
}

/// Warns of texts that the model hardly knows.
pub(crate) fn warn(known: &[Known], global: &Global) {
    let strange: Vec<String> =
        known.iter().filter(|k| k.familiarity < EVEN).map(|k| format!("`{}`", k.text)).collect();
    if !strange.is_empty() && !global.quiet {
        note!(
            "the model hardly knows {}, so the answer may mean little; it knows English descriptions of sounds",
            strange.join(", ")
        );
    }
}
