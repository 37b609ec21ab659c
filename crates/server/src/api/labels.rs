//! Labels as requests give them, encoded and kept.

use std::sync::Arc;

use earmark_engine::EngineError;
use earmark_engine::label_sets::{SavedSet, TRIES};
use earmark_engine::labels::{EncodedLabels, LabelSet};

use crate::error::{ApiError, ApiResult};
use crate::label_sets::{LabelDto, LabelSetContent};
use crate::state::{App, Open};

/// The labels of a request.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    /// Its name; empty where the labels came with the request.
    name: String,
    set: SavedSet,
    /// Those of the request, which stand in for a saved set's own.
    templates: Vec<String>,
}

/// The labels of a request: given there, or saved under a name.
pub(crate) fn choose(
    open: &Open,
    labels: Option<Vec<LabelDto>>,
    label_set: Option<&str>,
    templates: Vec<String>,
) -> ApiResult<Chosen> {
    match (labels, label_set) {
        (Some(labels), None) => {
            let set = LabelSetContent { labels, templates: templates.clone() }.into();
            Ok(Chosen { name: String::new(), set, templates })
        }
        (None, Some(name)) => {
            let mut set = open.label_sets.get(name)?;
            if !templates.is_empty() {
                if set.is_fitted() {
                    let detail = format!("`{name}` was fitted to clips, so no template applies");
                    return Err(ApiError::field("templates", detail));
                }
                set.templates.clone_from(&templates);
            }
            Ok(Chosen { name: name.to_owned(), set, templates })
        }
        _ => Err(ApiError::field("labels", "expected either `labels` or `label_set`")),
    }
}

/// Refuses sets that are too large, empty, or make no sense.
pub(crate) fn check(app: &App, set: &SavedSet) -> ApiResult<LabelSet> {
    let bounds = &app.inner.config.limits;
    let checked = set.label_set()?;
    // What was fitted needs no text encoded.
    if set.is_fitted() {
        return Ok(checked);
    }
    let labels = checked.labels();
    let prompts: usize = labels.iter().map(|label| label.prompts.len()).sum();
    let texts = prompts.saturating_mul(set.templates.len().max(1));
    if texts > bounds.label_texts {
        let detail =
            format!("{texts} texts with all prompts and templates, at most {} are taken", bounds.label_texts);
        return Err(ApiError::field("labels", detail));
    }
    let texts = labels.iter().flat_map(|label| label.prompts.iter().chain([&label.name]));
    for text in texts.chain(&set.templates) {
        if text.chars().count() > bounds.text_chars {
            let detail = format!("a text is longer than {} characters", bounds.text_chars);
            return Err(ApiError::field("labels", detail));
        }
    }
    if let Some(bad) = set.templates.iter().find(|template| !template.contains("{}")) {
        return Err(ApiError::field("templates", format!("`{bad}` has no `{{}}` where the label goes")));
    }
    Ok(checked)
}

/// The vectors of labels and how they are read, from the cache if they were asked for before. A saved set that was changed
/// since it was chosen is chosen again.
pub(crate) async fn encode(app: &App, open: &Arc<Open>, chosen: &Chosen) -> ApiResult<Arc<EncodedLabels>> {
    let mut chosen = chosen.clone();
    for _ in 0..TRIES {
        if let Some(encoded) = encode_unchanged(app, open, &chosen).await? {
            return Ok(encoded);
        }
        chosen = choose(open, None, Some(&chosen.name), chosen.templates)?;
    }
    Err(EngineError::LabelSetChanged { name: chosen.name }.into())
}

/// `None` if the set is no longer what is saved.
async fn encode_unchanged(
    app: &App,
    open: &Arc<Open>,
    chosen: &Chosen,
) -> ApiResult<Option<Arc<EncodedLabels>>> {
    let checked = check(app, &chosen.set)?;
    // With the name of the file of what was fitted, which is its hash.
    let key = serde_json::to_string(&chosen.set).map_err(ApiError::internal)?;
    if let Some(known) = open.labels.get(&key) {
        return Ok(Some(known));
    }
    let (open, Chosen { name, set, .. }) = (Arc::clone(open), chosen.clone());
    let encode = move || -> Result<Arc<EncodedLabels>, EngineError> {
        let encoded = match open.label_sets.head(&name, &set, &open.engine)? {
            Some(fitted) => fitted,
            None => {
                let mut words = encode_words(&open, &checked, &set.templates)?;
                open.label_sets.adapt_words(&name, &set, &open.engine, &mut words)?;
                words
            }
        };
        let encoded = Arc::new(encoded);
        open.labels.insert(key, Arc::clone(&encoded));
        Ok(encoded)
    };
    let work = move || match encode() {
        Err(EngineError::LabelSetChanged { .. }) => Ok(None),
        done => Ok(Some(done?)),
    };
    app.inner.encodes.run(work).await
}

/// One by one, so that searches get their turn at the text encoder in between.
fn encode_words(open: &Open, labels: &LabelSet, templates: &[String]) -> Result<EncodedLabels, EngineError> {
    let mut encoded: Option<EncodedLabels> = None;
    for label in labels.labels() {
        let one = LabelSet::new(vec![label.clone()])?.encode(&open.engine, templates)?;
        match &mut encoded {
            None => encoded = Some(one),
            Some(all) => {
                all.names.extend(one.names);
                all.vectors.extend(one.vectors);
                all.readout.lines.extend(one.readout.lines);
                all.texts.extend(one.texts);
            }
        }
    }
    encoded.ok_or_else(|| EngineError::Labels("there are none".to_owned()))
}
