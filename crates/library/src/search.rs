//! Searching by words, by example, by both.

use std::sync::Arc;

use earmark_encoder::Embedding;
use earmark_engine::Engine;
use earmark_engine::search::{clip_vector, combine, explain};
use earmark_index::{
    Hit as IndexHit, IndexReader as _, QueryKind, SearchMode, SearchRequest as IndexRequest,
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::clips::Clip;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::library::{Files, Library};
use crate::words::{FileRemarks, KnownText, Stretch, Version, bounded, clip_id, cursor, offset};

/// Sound classes named for a hit.
const SHARES: usize = 6;

/// Clips that a request may leave out.
const EXCLUDED: usize = 100;

/// Largest weight of a part.
const MAX_WEIGHT: f32 = 1000.0;

/// What to look for: the weighted sum of parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// At least one part with a positive weight.
    #[schema(min_items = 1, max_items = 32)]
    pub query: Vec<QueryPart>,
    /// Sentences with `{}` where a text goes, whose vectors are averaged; `{}` alone leaves texts as they
    /// are. The model's own if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub templates: Vec<String>,
    /// Which clips may be found.
    #[serde(default, skip_serializing_if = "Filter::is_open")]
    pub filter: Filter,
    /// Clips that may not be found, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub exclude: Vec<String>,
    /// Hits a page.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 500, default = 10)]
    pub k: usize,
    /// Leave out hits that score less. Absent: the model's own limit; `null`: none.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f32>)]
    pub min_score: Option<Option<f32>>,
    /// Only the best stretch of each clip.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub collapse: bool,
    /// Name the sound classes that each hit shares with the query.
    #[serde(default)]
    pub explain: bool,
    /// How to search.
    #[serde(default)]
    pub mode: Mode,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self {
            query: Vec::new(),
            templates: Vec::new(),
            filter: Filter::default(),
            exclude: Vec::new(),
            k: ten(),
            min_score: None,
            collapse: yes(),
            explain: false,
            mode: Mode::default(),
            cursor: None,
        }
    }
}

/// One of `text`, `clip_id` and `file`; the last two perhaps with a stretch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryPart {
    /// A description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A clip of the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_id: Option<String>,
    /// A sound file: over HTTP the name of a part of the multipart request, elsewhere a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where the sound begins, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_s: Option<f64>,
    /// Where the sound ends, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_s: Option<f64>,
    /// How much it counts; negative to keep away from it.
    #[serde(default = "one")]
    #[schema(default = 1.0)]
    pub weight: f32,
}

impl Default for QueryPart {
    fn default() -> Self {
        Self { text: None, clip_id: None, file: None, start_s: None, end_s: None, weight: 1.0 }
    }
}

impl QueryPart {
    /// A description.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// A clip of the index.
    #[must_use]
    pub fn clip(id: impl Into<String>) -> Self {
        Self { clip_id: Some(id.into()), ..Self::default() }
    }

    /// A sound file.
    #[must_use]
    pub fn file(name: impl Into<String>) -> Self {
        Self { file: Some(name.into()), ..Self::default() }
    }
}

/// How to search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
#[schema(as = SearchMode)]
pub enum Mode {
    /// The fastest way that finds at least 99 % of what exact finds
    #[default]
    Auto,
    /// Compare with everything
    Exact,
    /// Use the HNSW graph if there is one
    Graph,
}

impl From<Mode> for SearchMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Auto => Self::Auto,
            Mode::Exact => Self::Exact,
            Mode::Graph => Self::Graph,
        }
    }
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

/// A stretch of a clip that matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hit {
    /// The clip.
    pub clip: Clip,
    /// Cosine, -1 to 1; larger is closer.
    pub score: f32,
    /// Seconds from the start of the clip.
    pub start_s: f64,
    /// Seconds from the start of the clip.
    pub end_s: f64,
    /// The sound classes that the query and the stretch share, if the model's axes have names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<Vec<Share>>,
}

/// What a sound class adds to a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// The class.
    pub class: String,
    /// Its part of the score.
    pub share: f32,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = SearchAnswer)]
pub struct SearchAnswer {
    /// The version of this answer's fields.
    pub version: Version,
    /// The best first.
    pub hits: Vec<Hit>,
    /// Where the next page begins; `null` on the last.
    pub next_cursor: Option<String>,
    /// Hits of this page that scored less than `min_score` and were left out.
    pub below_min_score: usize,
    /// Clips that the filter lets through.
    pub clips_admitted: usize,
    /// The limit that was used; `null` for none.
    pub min_score: Option<f32>,
    /// How well the model knows each text of the query; empty if it cannot tell.
    pub texts: Vec<KnownText>,
    /// How the sound files of the query were read.
    pub remarks: Vec<FileRemarks>,
    /// The model that compared.
    pub model: String,
}

/// A request's query in the model's space.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The weighted sum of its parts, of unit length.
    pub vector: Embedding,
    /// Whether it has words.
    has_text: bool,
    texts: Vec<KnownText>,
    remarks: Vec<FileRemarks>,
}

impl SearchRequest {
    /// Whether its query needs sound to be decoded.
    #[must_use]
    pub fn decodes(&self) -> bool {
        self.query.iter().any(|part| part.file.is_some() || part.start_s.is_some() || part.end_s.is_some())
    }
}

impl Library {
    /// Searches the index.
    ///
    /// # Errors
    /// [`Error::Field`] that names what is wrong in the request; errors of decoding and encoding its parts.
    pub fn search(&self, request: &SearchRequest, files: Files) -> Result<SearchAnswer> {
        let query = self.query(request, files)?;
        self.find(request, &query)
    }

    /// The query of a request in the model's space: the first half of [`Self::search`].
    ///
    /// # Errors
    /// As [`Self::search`].
    pub fn query(&self, request: &SearchRequest, mut files: Files) -> Result<Query> {
        self.page(request)?;
        let engine = self.engine()?;
        bounded("query", request.query.len(), 1, self.limits().parts)?;
        self.check_templates(&request.templates)?;
        let mut vectors = Vec::with_capacity(request.query.len());
        let (mut texts, mut remarks) = (Vec::new(), Vec::new());
        for (i, part) in request.query.iter().enumerate() {
            let field = format!("query[{i}]");
            if !(part.weight.is_finite() && part.weight.abs() <= MAX_WEIGHT) {
                let reason = format!("expected a number within -{MAX_WEIGHT} and {MAX_WEIGHT}");
                return Err(Error::field_is(format!("{field}.weight"), reason));
            }
            let stretch = Stretch::of(part.start_s, part.end_s).map_err(|e| e.within(&field))?;
            let vector = match (&part.text, &part.clip_id, &part.file) {
                (Some(text), None, None) => {
                    if stretch.is_some() {
                        return Err(Error::field_is(field, "a text has no `start_s` and `end_s`"));
                    }
                    self.check_text(&format!("{field}.text"), text)?;
                    let described = self.texts().describe(&engine, text, &request.templates)?;
                    texts.extend(described.known.as_ref().map(KnownText::from));
                    described.vector
                }
                (None, Some(id), None) => {
                    self.clip_or_stretch(&engine, clip_id(&format!("{field}.clip_id"), id)?, stretch)?
                }
                (None, None, Some(name)) => {
                    let source = files.take(&format!("{field}.file"), name)?;
                    let (vector, remark) = engine.embed_sound(source, stretch.map(Stretch::bounds))?;
                    if !remark.is_empty() {
                        remarks.push(FileRemarks::new(name, &remark));
                    }
                    vector
                }
                _ => {
                    return Err(Error::field_is(
                        field,
                        "expected exactly one of `text`, `clip_id` and `file`",
                    ));
                }
            };
            vectors.push((vector, part.weight));
        }
        let has_text = request.query.iter().any(|part| part.text.is_some());
        Ok(Query { vector: combine(&engine, &vectors)?, has_text, texts, remarks })
    }

    /// What the index has for a query: the second half of [`Self::search`].
    ///
    /// # Errors
    /// As [`Self::search`].
    pub fn find(&self, request: &SearchRequest, query: &Query) -> Result<SearchAnswer> {
        let (start, k) = self.page(request)?;
        let engine = self.engine()?;
        bounded("exclude", request.exclude.len(), 0, EXCLUDED)?;
        let exclude =
            request.exclude.iter().map(|id| clip_id("exclude", id)).collect::<Result<Vec<u64>>>()?;
        let manifest = engine.model().manifest();
        let min_score = request.min_score.unwrap_or(Some(manifest.scores.min_similarity));
        let index = self.index()?;
        // One more than the page, to know whether there is another. A page may end with hits that score too
        // little; then none follows.
        let end = start.saturating_add(k);
        let wanted = IndexRequest {
            k: end.saturating_add(1).saturating_add(exclude.len()),
            kind: if query.has_text { QueryKind::Text } else { QueryKind::Sound },
            filter: request.filter.check().map_err(|e| e.within("filter"))?,
            mode: request.mode.into(),
            min_score,
            collapse: request.collapse,
            ef: None,
        };
        let response = index.search(query.vector.as_slice(), &wanted)?;
        let mut hits: Vec<IndexHit> =
            response.hits.into_iter().filter(|hit| !exclude.contains(&hit.clip.id)).collect();
        let found = hits.len() + response.below_min_score;
        let more = hits.len() > end;
        hits.truncate(end);
        hits.drain(..start.min(hits.len()));
        let below_min_score = found.saturating_sub(start).min(k) - hits.len();
        let hit = |hit: &IndexHit| -> Result<Hit> {
            let shares = match request.explain {
                true => explain(&engine, &*index, &query.vector, hit, SHARES)?,
                false => None,
            };
            let share = |s: earmark_engine::search::Share| Share { class: s.axis, share: s.contribution };
            Ok(Hit {
                clip: (&*hit.clip).into(),
                score: hit.score,
                start_s: hit.start_s,
                end_s: hit.end_s,
                shares: shares.map(|shares| shares.into_iter().map(share).collect()),
            })
        };
        Ok(SearchAnswer {
            version: Version,
            hits: hits.iter().map(hit).collect::<Result<_>>()?,
            next_cursor: more.then(|| cursor(end)),
            below_min_score,
            clips_admitted: response.clips_admitted,
            min_score,
            texts: query.texts.clone(),
            remarks: query.remarks.clone(),
            model: manifest.id.clone(),
        })
    }

    /// Where the page of a request begins, and how many hits it has.
    fn page(&self, request: &SearchRequest) -> Result<(usize, usize)> {
        let k = bounded("k", request.k, 1, self.limits().results)?;
        let start = offset(request.cursor.as_deref())?;
        let deepest = self.limits().deepest;
        if start.saturating_add(k) > deepest {
            let reason = format!("only the first {deepest} hits can be paged through");
            return Err(Error::field_is("cursor", reason));
        }
        Ok((start, k))
    }

    /// A clip from its stored vectors. A stretch of it is listened to again if the file can be read, else
    /// approximated by the segments that reach into it.
    fn clip_or_stretch(&self, engine: &Arc<Engine>, id: u64, stretch: Option<Stretch>) -> Result<Embedding> {
        let clip = self.find_clip(id)?;
        let range = stretch.map(Stretch::bounds);
        let is_short = clip.meta.duration_s <= self.limits().decode_s;
        if range.is_some()
            && is_short
            && let Ok(file) = self.clip_file(&clip.meta.path)
        {
            // A file that has gone or changed beyond use leaves the stored vectors.
            match engine.embed_file(&file, range) {
                Ok((vector, _)) => return Ok(vector),
                Err(e) if e.kind() == "io" => {}
                Err(e) => return Err(e.into()),
            }
        }
        let vector = clip_vector(engine, &*self.index()?, id, range)?;
        vector.ok_or_else(|| Error::field_is("start_s", "the clip has no sound there"))
    }
}
