//! `/v1/embeddings`, in the shape that embedding clients speak.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use earmark_encoder::Embedding;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::search::{check_templates, check_text};
use crate::dto::bounded;
use crate::error::{ApiError, ApiResult, Problem};
use crate::state::App;
use crate::texts;
use crate::uploads::WithFiles;

/// Texts of one request.
const INPUTS: usize = 256;

/// Texts to embed; clients send further fields, which are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EmbeddingsRequest)]
pub(crate) struct EmbeddingsBody {
    /// A text, or several; not with files.
    #[serde(default)]
    input: Option<InputDto>,
    /// The server's own model, the only one.
    #[serde(default)]
    model: Option<String>,
    /// Sentences with `{}` where a text goes, whose vectors are averaged; `{}` alone leaves texts as they are. The
    /// model's own where none is given.
    #[serde(default)]
    #[schema(max_items = 16)]
    templates: Vec<String>,
    #[serde(default)]
    encoding_format: Option<FormatDto>,
    /// Numbers a vector; only the model's own length can be had.
    #[serde(default)]
    dimensions: Option<usize>,
}

/// A text, or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a text or a list of texts (tokens cannot be given)")]
#[schema(as = EmbeddingsInput)]
pub(crate) enum InputDto {
    One(String),
    Many(Vec<String>),
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = EncodingFormat)]
pub(crate) enum FormatDto {
    /// Numbers.
    #[default]
    Float,
    /// 32-bit floats, little endian, in Base64.
    Base64,
}

/// Vectors of unit length.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmbeddingsResponse)]
pub(crate) struct EmbeddingsAnswer {
    /// `list`
    object: &'static str,
    data: Vec<EmbeddingDto>,
    model: String,
    usage: UsageDto,
}

/// One vector.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Embedding)]
pub(crate) struct EmbeddingDto {
    /// `embedding`
    object: &'static str,
    index: usize,
    embedding: VectorDto,
}

/// Numbers, or Base64.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Vector)]
pub(crate) enum VectorDto {
    Float(Vec<f32>),
    Base64(String),
}

/// Tokens of the texts, each in the model's prompt; sounds have none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(crate) struct UsageDto {
    prompt_tokens: usize,
    total_tokens: usize,
}

/// Multipart form: sound files instead of texts.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
#[schema(as = EmbeddingsForm)]
pub(crate) struct EmbeddingsForm {
    request: Option<EmbeddingsBody>,
    #[schema(format = Binary, value_type = Option<String>)]
    file: Option<Vec<u8>>,
}

/// Texts or sounds into vectors
#[utoipa::path(post, path = "/v1/embeddings", operation_id = "createEmbeddings", tag = "models",
    request_body(content((EmbeddingsBody = "application/json"), (EmbeddingsForm = "multipart/form-data"))),
    responses((status = 200, body = EmbeddingsAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn embeddings(
    State(app): State<App>,
    WithFiles { request, files }: WithFiles<EmbeddingsBody>,
) -> ApiResult<Json<EmbeddingsAnswer>> {
    let open = app.library()?;
    let own = &open.engine.model().manifest().id;
    if let Some(model) = request.model.filter(|model| model != own) {
        return Err(ApiError::field("model", format!("this server embeds with `{own}`, not with `{model}`")));
    }
    let dim = open.engine.model().manifest().dim;
    if request.dimensions.is_some_and(|dimensions| dimensions != dim) {
        return Err(ApiError::field(
            "dimensions",
            format!("vectors of `{own}` have {dim} numbers, no other length"),
        ));
    }
    let mut vectors: Vec<Embedding> = Vec::new();
    let mut tokens = 0;
    match (request.input, files.is_empty()) {
        (Some(input), true) => {
            let texts = match input {
                InputDto::One(text) => vec![text],
                InputDto::Many(texts) => texts,
            };
            bounded("input", texts.len(), 1, INPUTS)?;
            texts.iter().try_for_each(|text| check_text(&app, "input", text))?;
            check_templates(&app, &request.templates)?;
            // As many at a time as go through the encoder together.
            let embed = |text: String| {
                let (open, templates) = (Arc::clone(&open), request.templates.clone());
                async move { open.texts.describe(&open.engine, &text, &templates).await }
            };
            let mut encoded = stream::iter(texts).map(embed).buffered(texts::BATCH);
            while let Some(text) = encoded.try_next().await? {
                tokens += text.tokens;
                vectors.push(text.vector);
            }
        }
        (None, false) => {
            for file in files {
                let engine = Arc::clone(&open.engine);
                let (source, permit) = file.into_source();
                let work = move || {
                    let (vector, _) = engine.embed_sound(source, None)?;
                    drop(permit);
                    Ok(vector)
                };
                vectors.push(app.inner.encodes.run(work).await?);
            }
        }
        _ => return Err(ApiError::field("input", "expected either `input` or files in a multipart request")),
    }
    let written = |vector: Embedding| match request.encoding_format.unwrap_or_default() {
        FormatDto::Float => VectorDto::Float(vector.into_vec()),
        FormatDto::Base64 => {
            let bytes: Vec<u8> = vector.as_slice().iter().flat_map(|x| x.to_le_bytes()).collect();
            VectorDto::Base64(BASE64_STANDARD.encode(bytes))
        }
    };
    let data = vectors
        .into_iter()
        .enumerate()
        .map(|(index, vector)| EmbeddingDto { object: "embedding", index, embedding: written(vector) })
        .collect();
    let usage = UsageDto { prompt_tokens: tokens, total_tokens: tokens };
    Ok(Json(EmbeddingsAnswer { object: "list", data, model: own.clone(), usage }))
}
