//! `/v1/search` and `/v1/clips/{id}/similar`.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use earmark_encoder::Embedding;
use earmark_engine::search::{clip_vector, combine, explain};
use earmark_index::{Hit, IndexReader as _, QueryKind, SearchMode, SearchRequest};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::dto::{
    ClipDto, FilterDto, FilterQuery, HitDto, KnownTextDto, RemarksDto, ShareDto, bounded, cursor, number,
    offset,
};
use crate::error::{ApiError, ApiResult, Problem};
use crate::extract::{ApiId, ApiQuery};
use crate::state::{App, Open};
use crate::uploads::{Upload, WithFiles};

/// Sound classes named for a hit.
const SHARES: usize = 6;

/// Hits that can be paged through.
const DEEPEST: usize = 10_000;

/// Parts of one query.
const PARTS: usize = 32;

/// Templates of a request.
const TEMPLATES: usize = 16;

/// What to look for: the weighted sum of parts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SearchRequest)]
pub(crate) struct SearchBody {
    /// At least one part with a positive weight.
    #[schema(min_items = 1, max_items = 32)]
    query: Vec<PartDto>,
    /// Sentences with `{}` where a text goes, whose vectors are averaged; `{}` alone leaves texts as they are. The
    /// model's own where none is given.
    #[serde(default)]
    #[schema(max_items = 16)]
    templates: Vec<String>,
    #[serde(default)]
    filter: FilterDto,
    /// Hits a page.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 500, default = 10)]
    k: usize,
    /// Leave out hits that score less. Absent: the model's own threshold; `null`: none.
    #[serde(default, deserialize_with = "some")]
    #[schema(value_type = Option<f32>)]
    min_score: Option<Option<f32>>,
    /// Only the best stretch of each clip.
    #[serde(default = "yes")]
    #[schema(default = true)]
    collapse: bool,
    /// Name the sound classes that each hit shares with the query.
    #[serde(default)]
    explain: bool,
    #[serde(default)]
    mode: ModeDto,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

/// One of `text`, `clip_id` (perhaps with a stretch) and `upload`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueryPart)]
pub(crate) struct PartDto {
    /// A description.
    #[serde(default)]
    text: Option<String>,
    /// A clip of the index.
    #[serde(default)]
    clip_id: Option<String>,
    /// The part's name of a file in a multipart request.
    #[serde(default)]
    upload: Option<String>,
    /// Seconds; of `clip_id` and `upload`.
    #[serde(default)]
    start_s: Option<f64>,
    /// Seconds; of `clip_id` and `upload`.
    #[serde(default)]
    end_s: Option<f64>,
    /// How much it counts; negative to keep away from it.
    #[serde(default = "one")]
    #[schema(default = 1.0)]
    weight: f32,
}

/// How to search.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SearchMode)]
pub(crate) enum ModeDto {
    /// The fastest way that finds at least 99 % of what `exact` finds.
    #[default]
    Auto,
    /// Compare everything.
    Exact,
    /// Use the HNSW graph where there is one.
    Graph,
}

fn ten() -> usize {
    10
}

fn yes() -> bool {
    true
}

fn one() -> f32 {
    1.0
}

/// Tells `null` from a field that is not there.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<f32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchResponse)]
pub(crate) struct SearchAnswer {
    /// The best first.
    hits: Vec<HitDto>,
    next_cursor: Option<String>,
    /// Hits of this page that scored less than the threshold and were left out.
    below_min_score: usize,
    /// Clips that the filter lets through.
    clips_admitted: usize,
    /// The threshold that was used.
    min_score: Option<f32>,
    /// How well the model knows each text of the query; empty for models that cannot tell.
    texts: Vec<KnownTextDto>,
    /// What to know about how the sound files of the query were read.
    remarks: Vec<RemarksDto>,
    model: String,
    took_ms: f64,
}

/// Multipart form: the request as JSON, and files by the names that the query's parts call them.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
#[schema(as = SearchForm)]
pub(crate) struct SearchForm {
    request: SearchBody,
    /// A sound file; any number, under any names.
    #[schema(format = Binary, value_type = Option<String>)]
    file: Option<Vec<u8>>,
}

/// Search by words, by example, by both
#[utoipa::path(post, path = "/v1/search", operation_id = "searchSounds", tag = "search",
    request_body(content((SearchBody = "application/json"), (SearchForm = "multipart/form-data"))),
    responses((status = 200, body = SearchAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn search(
    State(app): State<App>,
    WithFiles { request, files }: WithFiles<SearchBody>,
) -> ApiResult<Json<SearchAnswer>> {
    let begun = Instant::now();
    let open = app.library()?;
    let bounds = &app.inner.config.limits;
    bounded("query", request.query.len(), 1, PARTS)?;
    check_templates(&app, &request.templates)?;
    let k = bounded("k", request.k, 1, bounds.results)?;
    let offset = offset(request.cursor.as_deref())?;
    let min_score = request.min_score.unwrap_or(Some(open.engine.model().manifest().scores.min_similarity));
    let has_text = request.query.iter().any(|part| part.text.is_some());
    let Parts { vectors: parts, texts, remarks } =
        vectors(&app, &open, request.query, &request.templates, files).await?;
    let plan = Plan {
        k,
        offset,
        filter: request.filter,
        min_score,
        collapse: request.collapse,
        explain: request.explain,
        mode: request.mode,
        without: None,
        has_text,
        texts,
        remarks,
        begun,
    };
    run(&app, open, parts, plan).await.map(Json)
}

/// Everything but the vector.
struct Plan {
    k: usize,
    offset: usize,
    filter: FilterDto,
    min_score: Option<f32>,
    collapse: bool,
    explain: bool,
    mode: ModeDto,
    /// A clip that is not to be among the hits.
    without: Option<u64>,
    /// Whether the query has words.
    has_text: bool,
    texts: Vec<KnownTextDto>,
    remarks: Vec<RemarksDto>,
    begun: Instant,
}

async fn run(
    app: &App,
    open: Arc<Open>,
    parts: Vec<(Embedding, f32)>,
    plan: Plan,
) -> ApiResult<SearchAnswer> {
    let Plan { k, offset, min_score, begun, .. } = plan;
    if offset.saturating_add(k) > DEEPEST {
        return Err(ApiError::field("cursor", format!("only the first {DEEPEST} hits can be paged through")));
    }
    let filter = plan.filter.into_filter()?;
    app.inner
        .searches
        .run(move || {
            let query = combine(&open.engine, &parts)?;
            // One more than the page, to know whether there is another.
            let wanted = SearchRequest {
                k: offset + k + 1 + usize::from(plan.without.is_some()),
                filter,
                mode: match plan.mode {
                    ModeDto::Auto => SearchMode::Auto,
                    ModeDto::Exact => SearchMode::Exact,
                    ModeDto::Graph => SearchMode::Graph,
                },
                kind: if plan.has_text { QueryKind::Text } else { QueryKind::Sound },
                min_score,
                collapse: plan.collapse,
                ef: None,
            };
            let index = open.index();
            let response = index.search(query.as_slice(), &wanted)?;
            let mut hits: Vec<Hit> =
                response.hits.into_iter().filter(|hit| Some(hit.clip.id) != plan.without).collect();
            // The page may end with hits that score too little; then no other page follows.
            let found = hits.len() + response.below_min_score;
            let more = hits.len() > offset + k;
            hits.truncate(offset + k);
            hits.drain(..offset.min(hits.len()));
            let below_min_score = found.saturating_sub(offset).min(k) - hits.len();
            let hits = hits
                .iter()
                .map(|hit| {
                    let shares = if plan.explain {
                        let shared = explain(&open.engine, &*index, &query, hit, SHARES)?;
                        let share = |s: earmark_engine::search::Shared| ShareDto {
                            class: s.axis,
                            share: s.contribution,
                        };
                        shared.map(|shared| shared.into_iter().map(share).collect())
                    } else {
                        None
                    };
                    let clip = ClipDto::new(&hit.clip);
                    Ok(HitDto { clip, score: hit.score, start_s: hit.start_s, end_s: hit.end_s, shares })
                })
                .collect::<ApiResult<Vec<_>>>()?;
            Ok(SearchAnswer {
                hits,
                next_cursor: more.then(|| cursor(offset + k)),
                below_min_score,
                clips_admitted: response.clips_admitted,
                min_score,
                texts: plan.texts,
                remarks: plan.remarks,
                model: open.engine.model().manifest().id.clone(),
                took_ms: begun.elapsed().as_secs_f64() * 1000.0,
            })
        })
        .await
}

/// What a query is made of.
struct Parts {
    vectors: Vec<(Embedding, f32)>,
    texts: Vec<KnownTextDto>,
    remarks: Vec<RemarksDto>,
}

/// The vector of every part, with its weight, and how well the model knows those that are texts.
async fn vectors(
    app: &App,
    open: &Arc<Open>,
    parts: Vec<PartDto>,
    templates: &[String],
    mut files: Vec<Upload>,
) -> ApiResult<Parts> {
    let mut vectors = Vec::with_capacity(parts.len());
    let (mut texts, mut remarks) = (Vec::new(), Vec::new());
    for (i, part) in parts.into_iter().enumerate() {
        let field = format!("query[{i}]");
        let range = range(&field, part.start_s, part.end_s)?;
        let vector = match (part.text, part.clip_id, part.upload) {
            (Some(text), None, None) => {
                if range.is_some() {
                    return Err(ApiError::field(field, "a text has no `start_s` and `end_s`"));
                }
                check_text(app, &format!("{field}.text"), &text)?;
                let described = open.texts.describe(&open.engine, &text, templates).await?;
                texts.extend(described.known.as_ref().map(KnownTextDto::from));
                described.vector
            }
            (None, Some(id), None) => {
                let id = clip_id(&format!("{field}.clip_id"), &id)?;
                clip_or_stretch(app, open, id, range).await?
            }
            (None, None, Some(name)) => {
                let at = files.iter().position(|file| file.part == name).ok_or_else(|| {
                    let detail = format!("there is no file `{name}` in the request; each may be used once");
                    ApiError::field(format!("{field}.upload"), detail)
                })?;
                let (source, permit) = files.swap_remove(at).into_source();
                let engine = Arc::clone(&open.engine);
                let work = move || {
                    let embedded = engine.embed_sound(source, range)?;
                    drop(permit);
                    Ok(embedded)
                };
                let (vector, remark) = app.inner.encodes.run(work).await?;
                if !remark.is_empty() {
                    remarks.push(RemarksDto::new(&name, &remark));
                }
                vector
            }
            _ => {
                return Err(ApiError::field(field, "expected exactly one of `text`, `clip_id` and `upload`"));
            }
        };
        if !part.weight.is_finite() || part.weight.abs() > 1000.0 {
            return Err(ApiError::field(
                format!("query[{i}].weight"),
                "expected a number within -1000 and 1000",
            ));
        }
        vectors.push((vector, part.weight));
    }
    Ok(Parts { vectors, texts, remarks })
}

/// Refuses too many templates, and those that are too long.
pub(crate) fn check_templates(app: &App, templates: &[String]) -> ApiResult<()> {
    bounded("templates", templates.len(), 0, TEMPLATES)?;
    templates.iter().try_for_each(|template| check_text(app, "templates", template))
}

/// Refuses texts that are empty or too long.
pub(crate) fn check_text(app: &App, field: &str, text: &str) -> ApiResult<()> {
    let most = app.inner.config.limits.text_chars;
    if text.trim().is_empty() {
        return Err(ApiError::field(field, "the text is empty; describe the sound in a word or more"));
    }
    if text.chars().count() > most {
        return Err(ApiError::field(field, format!("expected at most {most} characters")));
    }
    Ok(())
}

/// The id of a clip in a body. One that cannot be an id names nothing.
pub(crate) fn clip_id(field: &str, id: &str) -> ApiResult<u64> {
    id.parse().map_err(|_| ApiError::field(field, format!("`{id}` is not the id of a clip")))
}

/// A stretch in seconds, from a start or an end that may be left out.
pub(crate) fn range(field: &str, start_s: Option<f64>, end_s: Option<f64>) -> ApiResult<Option<(f64, f64)>> {
    if start_s.is_none() && end_s.is_none() {
        return Ok(None);
    }
    let (start, end) = (start_s.unwrap_or(0.0), end_s.unwrap_or(f64::INFINITY));
    if !(start >= 0.0 && start.is_finite() && end > start) {
        let detail = "expected a start of 0 s or more, and an end after it";
        return Err(ApiError::field(format!("{field}.start_s"), detail));
    }
    Ok(Some((start, end)))
}

/// A clip from its stored vectors; a stretch of it is listened to again if the file can be read, else approximated by the
/// segments that reach into it.
async fn clip_or_stretch(
    app: &App,
    open: &Arc<Open>,
    id: u64,
    range: Option<(f64, f64)>,
) -> ApiResult<Embedding> {
    let clip = open.index().clip(id)?.ok_or_else(|| ApiError::not_found("clip", id))?;
    let is_short = clip.meta.duration_s <= app.inner.config.limits.decode_s;
    if let (Some(range), true, Ok(file)) = (range, is_short, app.inner.roots.clip_file(&clip.meta.path)) {
        let engine = Arc::clone(&open.engine);
        return app.inner.encodes.run(move || Ok(engine.embed_file(&file, Some(range))?.0)).await;
    }
    let open = Arc::clone(open);
    let work = move || {
        let vector = clip_vector(&open.engine, &*open.index(), id, range)?;
        vector.ok_or_else(|| ApiError::field("start_s", "the clip has no sound there"))
    };
    app.inner.searches.run(work).await
}

/// Which stretch, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct SimilarQuery {
    /// Hits.
    #[param(minimum = 1, maximum = 500, default = 10)]
    k: usize,
    /// Seconds.
    #[serde(deserialize_with = "number")]
    start_s: Option<f64>,
    /// Seconds.
    #[serde(deserialize_with = "number")]
    end_s: Option<f64>,
    /// Name the sound classes that each hit shares with the clip.
    explain: bool,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Default for SimilarQuery {
    fn default() -> Self {
        Self { k: 10, start_s: None, end_s: None, explain: false, cursor: None }
    }
}

/// Clips like this one, without itself
#[utoipa::path(get, path = "/v1/clips/{id}/similar", operation_id = "findSimilar", tag = "search",
    params(("id" = String, Path,), SimilarQuery, FilterQuery),
    responses((status = 200, body = SearchAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn similar(
    State(app): State<App>,
    ApiId(id): ApiId,
    ApiQuery(query): ApiQuery<SimilarQuery>,
    ApiQuery(filter): ApiQuery<FilterQuery>,
) -> ApiResult<Json<SearchAnswer>> {
    let begun = Instant::now();
    let open = app.library()?;
    let k = bounded("k", query.k, 1, app.inner.config.limits.results)?;
    let offset = offset(query.cursor.as_deref())?;
    let vector = clip_or_stretch(&app, &open, id, range("query", query.start_s, query.end_s)?).await?;
    let plan = Plan {
        k,
        offset,
        filter: filter.into(),
        min_score: None,
        collapse: true,
        explain: query.explain,
        mode: ModeDto::Auto,
        without: Some(id),
        has_text: false,
        texts: Vec::new(),
        remarks: Vec::new(),
        begun,
    };
    run(&app, open, vec![(vector, 1.0)], plan).await.map(Json)
}
