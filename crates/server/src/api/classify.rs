//! `/v1/classify`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use earmark_engine::classify::{
    Classification, ClipPooling, Decision, cosines_of_spans, cosines_of_windows, read,
};
use earmark_engine::labels::EncodedLabels;
use earmark_engine::{Keep, Span};
use earmark_index::IndexReader as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::labels;
use crate::api::search::clip_id;
use crate::dto::{KnownTextDto, bounded};
use crate::error::{ApiError, ApiResult, Problem};
use crate::label_sets::LabelDto;
use crate::state::{App, Open};
use crate::uploads::WithFiles;

/// Clips of one request.
const CLIPS: usize = 500;

/// What to label, and with what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClassifyRequest)]
pub(crate) struct ClassifyBody {
    /// Clips of the index, by their stored vectors; besides the files of a multipart request.
    #[serde(default)]
    #[schema(max_items = 500)]
    clip_ids: Vec<String>,
    /// Either this or `label_set`.
    #[serde(default)]
    labels: Option<Vec<LabelDto>>,
    /// The name of a saved set.
    #[serde(default)]
    label_set: Option<String>,
    /// Sentences with `{}` where the label goes; the model's own where none is given.
    #[serde(default)]
    templates: Vec<String>,
    /// Any number of labels may fit, each by itself.
    #[serde(default)]
    multi: bool,
    /// Probability that the best label must reach, else none fits; with `multi`, from which each label fits.
    /// If absent, none fits where "none of these" is more probable, or the best label is below the limit
    /// of a fitted set; with `multi`, 0.5, or each label's own in a fitted set.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    threshold: Option<f32>,
    #[serde(default)]
    pooling: PoolingDto,
    /// Only the likeliest so many scores.
    #[serde(default)]
    #[schema(minimum = 1)]
    top: Option<usize>,
}

/// How the windows of a clip become one score.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Pooling)]
pub(crate) enum PoolingDto {
    /// What the clip is about as a whole.
    #[default]
    Mean,
    /// Whether the label is heard at all.
    Max,
    /// Between the two.
    Attention,
}

/// What was heard in each sound.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClassifyResponse)]
pub(crate) struct ClassifyAnswer {
    /// Clips first, then files, in the order given.
    results: Vec<ClassifiedDto>,
    /// How well the model knows each text that stands for a label; empty for models that cannot tell, and for
    /// fitted sets.
    texts: Vec<KnownTextDto>,
    model: String,
}

/// What was heard in one sound, or why it could not be used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Classified)]
pub(crate) struct ClassifiedDto {
    /// The clip's id or the file's name.
    source: String,
    /// The label that fits best; none where none does.
    label: Option<String>,
    /// All labels that fit.
    accepted: Vec<String>,
    /// Probability that it is none of the labels, where the model can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    none_probability: Option<f32>,
    /// Whether the probabilities were calibrated for this model, or on the clips that the set was fitted to.
    calibrated: bool,
    /// The likeliest first.
    scores: Vec<LabelScoreDto>,
    /// What to know about how the file was read: where it is cut off, damaged or silent. Empty for clips.
    remarks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

/// How a label fits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LabelScore)]
pub(crate) struct LabelScoreDto {
    label: String,
    /// Among all labels, or by itself with `multi`.
    probability: f32,
    cosine: f32,
}

/// Multipart form: the request as JSON, and sound files.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
#[schema(as = ClassifyForm)]
pub(crate) struct ClassifyForm {
    request: ClassifyBody,
    /// A sound file; any number, under any names.
    #[schema(format = Binary, value_type = Option<String>)]
    file: Option<Vec<u8>>,
}

/// Label sounds with any words
#[utoipa::path(post, path = "/v1/classify", operation_id = "classifySounds", tag = "label",
    request_body(content((ClassifyBody = "application/json"), (ClassifyForm = "multipart/form-data"))),
    responses((status = 200, body = ClassifyAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn classify(
    State(app): State<App>,
    WithFiles { request, files }: WithFiles<ClassifyBody>,
) -> ApiResult<Json<ClassifyAnswer>> {
    let open = app.library()?;
    bounded("clip_ids", request.clip_ids.len(), 0, CLIPS)?;
    if request.clip_ids.is_empty() && files.is_empty() {
        return Err(ApiError::field(
            "clip_ids",
            "nothing to label; give ids of clips, or files in a multipart request",
        ));
    }
    if let Some(threshold) = request.threshold.filter(|threshold| !(0.0..=1.0).contains(threshold)) {
        return Err(ApiError::field("threshold", format!("expected 0 to 1, got {threshold}")));
    }
    let ids = request.clip_ids.iter().map(|id| clip_id("clip_ids", id)).collect::<ApiResult<Vec<u64>>>()?;
    let set = labels::choose(&open, request.labels, request.label_set.as_deref(), request.templates)?;
    let labels = labels::encode(&app, &open, &set).await?;
    let judge = Arc::new(Judge {
        labels,
        pooling: match request.pooling {
            PoolingDto::Mean => ClipPooling::Mean,
            PoolingDto::Max => ClipPooling::Max,
            PoolingDto::Attention => ClipPooling::Attention,
        },
        decision: match request.multi {
            true => Decision::Multi { threshold: request.threshold },
            false => Decision::Single { threshold: request.threshold },
        },
        top: request.top.map(|top| bounded("top", top, 1, usize::MAX)).transpose()?,
        open: Arc::clone(&open),
    });
    let mut results = Vec::with_capacity(ids.len() + files.len());
    if !ids.is_empty() {
        let judge = Arc::clone(&judge);
        let work = move || ids.into_iter().map(|id| judge.clip(id)).collect::<ApiResult<Vec<_>>>();
        results.extend(app.inner.searches.run(work).await?);
    }
    let only = files.len() == 1 && results.is_empty();
    for file in files {
        let (name, judge_too) = (file.name.clone(), Arc::clone(&judge));
        let (source, permit) = file.into_source();
        let work = move || {
            let answer = judge_too.sound(source);
            drop(permit);
            answer
        };
        match app.inner.encodes.run(work).await {
            Ok(result) => results.push(result),
            // Of several sounds a bad one is told in its place; a busy or broken server is not a sound's fault.
            Err(e) if !only && e.problem().status == 422 => results.push(judge.refused(name, e)),
            Err(e) => return Err(e),
        }
    }
    let texts = judge.labels.texts.iter().map(KnownTextDto::from).collect();
    Ok(Json(ClassifyAnswer { results, texts, model: open.engine.model().manifest().id.clone() }))
}

/// Knows the labels, and how to decide.
struct Judge {
    open: Arc<Open>,
    labels: Arc<EncodedLabels>,
    pooling: ClipPooling,
    decision: Decision,
    top: Option<usize>,
}

impl Judge {
    fn clip(&self, id: u64) -> ApiResult<ClassifiedDto> {
        let segments = self.open.index().segments(id)?;
        let name = id.to_string();
        if segments.is_empty() {
            let error = ApiError::new(crate::error::Kind::Undecodable, "the clip has no sound in the index");
            return Ok(self.refused(name, error));
        }
        let spans: Vec<Span> = segments.into_iter().map(Span::from).collect();
        let cosines = cosines_of_spans(&self.open.engine, &spans, &self.labels, self.pooling, &name)?;
        Ok(self.answer(name, &cosines, Vec::new()))
    }

    fn sound(&self, source: earmark_engine::Source) -> ApiResult<ClassifiedDto> {
        let engine = &self.open.engine;
        let name = source.name();
        let encoded = engine.encode_one(source, &engine.pipeline_options(Keep::Windows))?;
        let cosines = cosines_of_windows(engine, &encoded, &self.labels, self.pooling, &name)?;
        Ok(self.answer(name, &cosines, encoded.remarks.sentences()))
    }

    fn answer(&self, source: String, cosines: &[f32], remarks: Vec<String>) -> ClassifiedDto {
        let Classification { scores: ranked, accepted, none_probability } =
            read(&self.labels.readout, cosines, self.decision);
        let name = |i: usize| self.labels.names[i].clone();
        let accepted: Vec<String> = ranked.iter().take(accepted).map(|s| name(s.label)).collect();
        let score = |s: &earmark_engine::classify::LabelScore| LabelScoreDto {
            label: name(s.label),
            probability: s.probability,
            cosine: s.cosine,
        };
        ClassifiedDto {
            source,
            label: accepted.first().cloned(),
            accepted,
            none_probability,
            calibrated: self.labels.readout.calibrated,
            scores: ranked.iter().take(self.top.unwrap_or(usize::MAX)).map(score).collect(),
            remarks,
            error: None,
        }
    }

    fn refused(&self, source: String, error: ApiError) -> ClassifiedDto {
        ClassifiedDto {
            source,
            label: None,
            accepted: Vec::new(),
            none_probability: None,
            calibrated: self.labels.readout.calibrated,
            scores: Vec::new(),
            remarks: Vec::new(),
            error: Some(error.problem()),
        }
    }
}
