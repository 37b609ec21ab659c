//! `/v1/embeddings` and `/v1/embeddings/files`, in the shape that embedding clients speak.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use earmark_encoder::Embedding;
use earmark_library::BATCH;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult};
use crate::extract::ApiJson;
use crate::state::{App, Open};
use crate::uploads::WithFiles;

/// Texts of one request.
const INPUTS: usize = 256;

/// How vectors are made and written; further fields, which clients send, are ignored.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct EmbeddingsSettings {
    /// The library's own model, the only one.
    model: Option<String>,
    /// How vectors are written.
    encoding_format: Option<EncodingFormat>,
    /// Numbers a vector; only the model's own length can be had.
    dimensions: Option<usize>,
}

/// Texts to embed.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct EmbeddingsRequest {
    /// A text, or several.
    #[schema(required, value_type = EmbeddingsInput)]
    input: Option<EmbeddingsInput>,
    /// Sentences with `{}` where a text goes, whose vectors are averaged; `{}` alone leaves texts as they are.
    /// The model's own if there are none.
    #[serde(default)]
    #[schema(max_items = 16)]
    templates: Vec<String>,
    #[serde(flatten)]
    own: EmbeddingsSettings,
}

/// A text, or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a text or a list of texts (tokens cannot be given)")]
pub(crate) enum EmbeddingsInput {
    /// A text.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EncodingFormat {
    /// Numbers.
    #[default]
    Float,
    /// 32-bit floats, little endian, in Base64.
    Base64,
}

/// Vectors of unit length.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingsAnswer {
    /// `list`
    object: &'static str,
    data: Vec<EmbeddingDto>,
    model: String,
    usage: UsageDto,
}

/// One vector.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmbeddingItem)]
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

/// Texts into vectors
///
/// As search queries, in the shape that embedding clients speak. Vectors are of unit length.
#[utoipa::path(post, path = "/v1/embeddings", operation_id = "embedTexts", tag = "models",
    request_body = EmbeddingsRequest,
    responses((status = 200, body = EmbeddingsAnswer, description = "A vector for each text")))]
pub(crate) async fn embed_texts(
    State(app): State<App>,
    ApiJson(request): ApiJson<EmbeddingsRequest>,
) -> ApiResult<Json<EmbeddingsAnswer>> {
    let open = app.library()?;
    let own = request.own.check(&open)?;
    let texts = match request.input {
        Some(EmbeddingsInput::One(text)) => vec![text],
        Some(EmbeddingsInput::Many(texts)) => texts,
        None => return Err(ApiError::field("input", "expected a text or a list of texts")),
    };
    open.library.check_inputs(&texts, INPUTS)?;
    // As many at a time as go through the encoder together.
    let embed = |text: String| {
        let (open, templates) = (Arc::clone(&open), request.templates.clone());
        let work = move || Ok(open.library.embed_texts(&[text], &templates)?);
        app.inner.texts.run(work)
    };
    let mut encoded = stream::iter(texts).map(embed).buffered(BATCH);
    let (mut vectors, mut tokens) = (Vec::new(), 0);
    while let Some(described) = encoded.try_next().await? {
        for text in described {
            tokens += text.tokens;
            vectors.push(text.vector);
        }
    }
    Ok(answer(own, vectors, tokens, request.own.encoding_format))
}

/// Sound files, and how to write their vectors.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
pub(crate) struct EmbeddingsForm {
    #[schema(required = false)]
    request: EmbeddingsSettings,
    /// Sound files.
    #[schema(value_type = Vec<String>, format = Binary)]
    files: Vec<Vec<u8>>,
}

/// Sound files into vectors
///
/// One for each file, the mean over it, as its clip in the index would have.
#[utoipa::path(post, path = "/v1/embeddings/files", operation_id = "embedFiles", tag = "models",
    request_body(content = EmbeddingsForm, content_type = "multipart/form-data"),
    responses((status = 200, body = EmbeddingsAnswer, description = "A vector for each file")))]
pub(crate) async fn embed_files(
    State(app): State<App>,
    WithFiles { request, files }: WithFiles<EmbeddingsSettings>,
) -> ApiResult<Json<EmbeddingsAnswer>> {
    let open = app.library()?;
    let own = request.check(&open)?;
    let mut vectors = Vec::new();
    for (_, source, permit) in files.into_sources() {
        let open = Arc::clone(&open);
        let work = move || {
            let (vector, _) = open.library.embed_sound(source, None)?;
            drop(permit);
            Ok(vector)
        };
        vectors.push(app.inner.encodes.run(work).await?);
    }
    Ok(answer(own, vectors, 0, request.encoding_format))
}

impl EmbeddingsSettings {
    /// The library's model, if it is what is asked for.
    fn check(&self, open: &Open) -> ApiResult<String> {
        let engine = open.library.engine()?;
        let (own, dim) = (&engine.model().manifest().id, engine.model().manifest().dim);
        if let Some(model) = self.model.as_ref().filter(|model| *model != own) {
            return Err(ApiError::field(
                "model",
                format!("this server embeds with `{own}`, not with `{model}`"),
            ));
        }
        if self.dimensions.is_some_and(|dimensions| dimensions != dim) {
            let detail = format!("vectors of `{own}` have {dim} numbers, no other length");
            return Err(ApiError::field("dimensions", detail));
        }
        Ok(own.clone())
    }
}

fn answer(
    model: String,
    vectors: Vec<Embedding>,
    tokens: usize,
    format: Option<EncodingFormat>,
) -> Json<EmbeddingsAnswer> {
    let written = |vector: Embedding| match format.unwrap_or_default() {
        EncodingFormat::Float => VectorDto::Float(vector.into_vec()),
        EncodingFormat::Base64 => {
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
    Json(EmbeddingsAnswer { object: "list", data, model, usage })
}
