//! `/v1/tag`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use earmark_engine::Source;
use earmark_index::IndexReader as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::search::clip_id;
use crate::dto::bounded;
use crate::error::{ApiError, ApiResult, Kind, Problem};
use crate::state::App;
use crate::uploads::WithFiles;

/// Sounds of one request: each is decoded.
const SOUNDS: usize = 32;

/// What to tag.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TagRequest)]
pub(crate) struct TagBody {
    /// Clips of the index; besides the files of a multipart request.
    #[serde(default)]
    #[schema(max_items = 32)]
    clip_ids: Vec<String>,
    /// Classes a sound.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 1000, default = 10)]
    top: usize,
}

fn ten() -> usize {
    10
}

/// What a tagger hears.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TagResponse)]
pub(crate) struct TagAnswer {
    results: Vec<TaggedDto>,
}

/// What is heard in one sound, or why it could not be used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tagged)]
pub(crate) struct TaggedDto {
    /// The clip's id or the file's name.
    source: String,
    model: String,
    /// The most probable classes first, heard or not.
    tags: Vec<TagDto>,
    /// What to know about how the file was read: where it is cut off, damaged or silent.
    remarks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

/// A class of the tagger's own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TagScore)]
pub(crate) struct TagDto {
    class: String,
    score: f32,
    /// Whether the score reaches the model's threshold.
    heard: bool,
}

/// Multipart form: the request as JSON (may be left out), and sound files.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
#[schema(as = TagForm)]
pub(crate) struct TagForm {
    request: Option<TagBody>,
    #[schema(format = Binary, value_type = Option<String>)]
    file: Option<Vec<u8>>,
}

/// What a tagger, trained on fixed classes, hears
#[utoipa::path(post, path = "/v1/tag", operation_id = "tagSounds", tag = "label",
    request_body(content((TagBody = "application/json"), (TagForm = "multipart/form-data"))),
    responses((status = 200, body = TagAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn tag(
    State(app): State<App>,
    WithFiles { request, files }: WithFiles<TagBody>,
) -> ApiResult<Json<TagAnswer>> {
    let open = app.library()?;
    if open.tagger.is_none() {
        return Err(ApiError::new(Kind::Conflict, "this server has no tagger"));
    }
    let top = bounded("top", request.top, 1, 1000)?;
    bounded("clip_ids", request.clip_ids.len() + files.len(), 1, SOUNDS)?;
    let mut sounds = Vec::new();
    for id in &request.clip_ids {
        let number = clip_id("clip_ids", id)?;
        let clip = open.index().clip(number)?.ok_or_else(|| ApiError::not_found("clip", number))?;
        let path = app.inner.roots.clip_file(&clip.meta.path)?;
        sounds.push((id.clone(), Source::Path(path), None));
    }
    for file in files {
        let name = file.name.clone();
        let (source, permit) = file.into_source();
        sounds.push((name, source, permit));
    }
    let only = sounds.len() == 1;
    let mut results = Vec::with_capacity(sounds.len());
    for (name, source, permit) in sounds {
        let open = Arc::clone(&open);
        let work = move || {
            let Some(tagger) = &open.tagger else { return Err(ApiError::internal("no tagger")) };
            let tagged = tagger.tag(vec![source])?.pop();
            drop(permit);
            let tagged = tagged.ok_or_else(|| ApiError::internal("the tagger gave no answer"))?;
            let model = tagger.model().manifest().id.clone();
            let tags = match tagged {
                Ok(tags) => tags,
                Err(e) => {
                    let error = ApiError::from(e);
                    if only || error.problem().status != 422 {
                        return Err(error);
                    }
                    let error = Some(error.problem());
                    return Ok(TaggedDto {
                        source: name,
                        model,
                        tags: Vec::new(),
                        remarks: Vec::new(),
                        error,
                    });
                }
            };
            let tag = |s: &earmark_engine::tag::ClassScore| TagDto {
                class: tagger.classes()[s.class].clone(),
                score: s.score,
                heard: s.score >= tagger.threshold(),
            };
            let remarks = tags.remarks.sentences();
            let tags = tags.scores.iter().take(top).map(tag).collect();
            Ok(TaggedDto { source: name, model, tags, remarks, error: None })
        };
        results.push(app.inner.encodes.run(work).await?);
    }
    Ok(Json(TagAnswer { results }))
}
