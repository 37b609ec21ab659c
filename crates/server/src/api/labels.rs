//! Labels as requests give them, encoded and kept.

use std::sync::Arc;

use earmark_engine::labels::{EncodedLabels, Label, LabelSet};

use crate::error::{ApiError, ApiResult};
use crate::label_sets::{LabelDto, LabelSetContent};
use crate::state::{App, Open};

/// The labels of a request: given there, or saved under a name.
pub(crate) fn choose(
    open: &Open,
    labels: Option<Vec<LabelDto>>,
    label_set: Option<&str>,
    templates: Vec<String>,
) -> ApiResult<LabelSetContent> {
    match (labels, label_set) {
        (Some(labels), None) => Ok(LabelSetContent { labels, templates }),
        (None, Some(name)) => {
            let mut set = open.label_sets.get(name)?;
            if !templates.is_empty() {
                set.templates = templates;
            }
            Ok(set)
        }
        _ => Err(ApiError::field("labels", "expected either `labels` or `label_set`")),
    }
}

/// Refuses sets that are too large, empty, or make no sense.
pub(crate) fn check(app: &App, set: &LabelSetContent) -> ApiResult<LabelSet> {
    let bounds = &app.inner.config.limits;
    let label = |label: &LabelDto| match label {
        LabelDto::Word(name) => Label { name: name.trim().to_owned(), prompts: vec![name.trim().to_owned()] },
        LabelDto::Prompts(label) => {
            Label { name: label.name.trim().to_owned(), prompts: label.prompts.clone() }
        }
    };
    let labels: Vec<Label> = set.labels.iter().map(label).collect();
    if let Some(bare) = labels.iter().find(|label| label.prompts.is_empty()) {
        return Err(ApiError::field("labels", format!("`{}` has no prompts", bare.name)));
    }
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
    Ok(LabelSet::new(labels)?)
}

/// The vectors of labels, from the cache if they were asked for before.
pub(crate) async fn encode(
    app: &App,
    open: &Arc<Open>,
    set: &LabelSetContent,
) -> ApiResult<Arc<EncodedLabels>> {
    let checked = check(app, set)?;
    let key = serde_json::to_string(set).map_err(ApiError::internal)?;
    if let Some(known) = open.labels.get(&key) {
        return Ok(known);
    }
    let (open, templates) = (Arc::clone(open), set.templates.clone());
    let work = move || {
        let mut encoded = EncodedLabels { names: Vec::new(), vectors: Vec::new() };
        // One by one, so that searches get their turn at the text encoder in between.
        for label in checked.labels() {
            let one = LabelSet::new(vec![label.clone()])?.encode(&open.engine, &templates)?;
            encoded.names.extend(one.names);
            encoded.vectors.extend(one.vectors);
        }
        let encoded = Arc::new(encoded);
        open.labels.insert(key, Arc::clone(&encoded));
        Ok(encoded)
    };
    app.inner.encodes.run(work).await
}
