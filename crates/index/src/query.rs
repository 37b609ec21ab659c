//! What is asked of an index and what it answers.

use std::sync::Arc;

use crate::filter::Filter;
use crate::types::Clip;

/// What a query is made from. Texts and sounds meet in one space, but not in the same part of it, so what is
/// a good way to search for one is not for the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum QueryKind {
    /// Words, alone or together with sounds.
    Text,
    /// Sounds alone.
    #[default]
    Sound,
}

/// How to search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SearchMode {
    /// The fastest way that finds at least 99 % of what [`SearchMode::Exact`] finds: by a graph where that
    /// was measured for this kind of query; else by comparing with every admitted segment by compact codes,
    /// and with those that may be among the best in full precision, which finds the same.
    #[default]
    Auto,
    /// Compare with every admitted segment in full precision.
    Exact,
    /// Use graphs where there are any, whatever they find; the rest as [`SearchMode::Auto`].
    Graph,
}

/// What to search for.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    /// How many hits at most (clips when `collapse`, else segments).
    pub k: usize,
    /// What the query is made from.
    pub kind: QueryKind,
    /// Which clips may be returned.
    pub filter: Filter,
    /// How to search.
    pub mode: SearchMode,
    /// Leave out hits that score less.
    pub min_score: Option<f32>,
    /// Return only the best segment of each clip.
    pub collapse: bool,
    /// Candidates that a search keeps while it walks a graph: more is slower and finds more. None: what was
    /// measured to be enough for ten hits, and in proportion for more.
    pub ef: Option<usize>,
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self {
            k: 10,
            kind: QueryKind::default(),
            filter: Filter::default(),
            mode: SearchMode::Auto,
            min_score: None,
            collapse: true,
            ef: None,
        }
    }
}

/// A segment that matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The clip it belongs to, shared between the hits of one response.
    pub clip: Arc<Clip>,
    /// Which of the clip's segments, from 0.
    pub segment: u32,
    /// Start, seconds from the clip's start.
    pub start_s: f64,
    /// End, seconds from the clip's start.
    pub end_s: f64,
    /// Cosine similarity, -1 to 1; larger is better.
    pub score: f32,
}

/// Which way a search went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchPath {
    /// Every admitted segment was compared by its code, the best of them in full precision.
    Codes,
    /// Every admitted segment was compared in full precision.
    Exact,
    /// A graph was walked.
    Graph,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchResponse {
    /// Best first; equal scores by clip id, then start.
    pub hits: Vec<Hit>,
    /// Which way the search went.
    pub path: SearchPath,
    /// Clips that the filter let through.
    pub clips_admitted: usize,
    /// Segments that the filter let through.
    pub segments_admitted: usize,
    /// Of the `k` nearest, those left out because they score less than `min_score`.
    pub below_min_score: usize,
}

/// How a query scores with all segments, from an even sample of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Segments that were compared.
    pub sampled: usize,
    /// Their mean cosine.
    pub mean: f32,
    /// The standard deviation of their cosines.
    pub deviation: f32,
}

impl Spread {
    /// That of these cosines.
    #[must_use]
    pub fn of(scores: &[f32]) -> Self {
        let (mut sum, mut squares) = (0.0_f64, 0.0_f64);
        for score in scores.iter().map(|score| f64::from(*score)) {
            sum += score;
            squares += score * score;
        }
        let n = scores.len().max(1) as f64;
        let mean = sum / n;
        let variance = (squares / n - mean * mean).max(0.0);
        Self { sampled: scores.len(), mean: mean as f32, deviation: variance.sqrt() as f32 }
    }
}

/// A stored segment, lent to a visitor.
#[derive(Debug, Clone, Copy)]
pub struct SegmentRef<'a> {
    /// The clip it belongs to.
    pub clip: &'a Clip,
    /// Which of the clip's segments, from 0.
    pub segment: u32,
    /// Start, seconds from the clip's start.
    pub start_s: f64,
    /// End, seconds from the clip's start.
    pub end_s: f64,
    /// Unit vector, `[dim]`.
    pub vector: &'a [f32],
}
