//! What is looked for, and how.

use earmark_engine::search::rank;
use earmark_index::SearchMode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::filter::Filter;
use crate::words::yes;

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
    /// What counts.
    #[serde(default)]
    pub by: By,
    /// Which clips may be found.
    #[serde(default, skip_serializing_if = "Filter::is_open")]
    pub filter: Filter,
    /// Clips that may not be found, by id or path, nor may their copies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub exclude: Vec<String>,
    /// Hits of a page.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 500, default = 10)]
    pub k: usize,
    /// Leave out hits that score less. Absent: the model's own limit; `null`: none.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f32>)]
    pub min_score: Option<Option<f32>>,
    /// List copies of a sound too: clips with the same content, or as long with nearly the same vectors. Else
    /// the best of them stands for all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copies: bool,
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
    /// The order in which the hits of a page are listed.
    #[serde(default)]
    pub sort: HitOrder,
    /// How much hits should differ from each other, 0 to 1: 0 takes the best, 1 takes those that are least
    /// alike among them.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schema(minimum = 0.0, maximum = 1.0, default = 0.0)]
    pub diversity: f32,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self {
            query: Vec::new(),
            templates: Vec::new(),
            by: By::default(),
            filter: Filter::default(),
            exclude: Vec::new(),
            k: ten(),
            min_score: None,
            collapse: yes(),
            explain: false,
            copies: false,
            mode: Mode::default(),
            sort: HitOrder::default(),
            diversity: 0.0,
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

/// What counts in a search by words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
#[schema(as = SearchBy)]
pub enum By {
    /// What clips sound like
    Sound,
    /// File and folder names, tags, and what files say about themselves
    Name,
    /// Both: a clear name and a clear sound both come first
    #[default]
    Both,
}

impl From<By> for rank::By {
    fn from(by: By) -> Self {
        match by {
            By::Sound => Self::Sound,
            By::Name => Self::Name,
            By::Both => Self::Both,
        }
    }
}

/// The order of hits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum HitOrder {
    /// The best first
    #[default]
    Score,
    /// By file name
    Name,
    /// The shortest first
    Duration,
    /// The files changed last first
    Date,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(x: &f32) -> bool {
    *x == 0.0
}

fn ten() -> usize {
    10
}

fn one() -> f32 {
    1.0
}

/// Tells `null` from a field that is not there.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<f32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl SearchRequest {
    /// Whether its query needs sound to be decoded.
    #[must_use]
    pub fn decodes(&self) -> bool {
        self.query.iter().any(|part| part.file.is_some() || part.start_s.is_some() || part.end_s.is_some())
    }
}
