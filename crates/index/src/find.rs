//! Searching: which way to go, and what comes back.

use std::sync::Arc;

use crate::derived::Memory;
use crate::error::Result;
use crate::filter::Matcher;
use crate::graph::{EF_SEARCH_MIN, Graph};
use crate::index::Index;
use crate::search::{self, Admitted, ClipTable, Keep, Scored};
use crate::types::{Clip, Filter, Hit, SearchMode, SearchPath, SearchRequest, SearchResponse};
use crate::vectors::{Matrix, check_unit, cosine};

/// The graph is walked only if the filter lets at least one row in this many through: to find k admitted rows
/// it must look at k times as many, and scanning just the admitted ones exactly is then cheaper.
const MIN_ADMITTED: usize = 10;

/// The graph is asked for one row in this many at most; an exact scan is cheaper than such a walk.
const MAX_ASKED: usize = 8;

/// How much the number of rows asked for grows when too few of them were admitted.
const ASK_AGAIN: usize = 4;

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

impl Index {
    /// The segments nearest to `query` (`[dim]`, unit length) that the filter lets through: `k` of them, or
    /// fewer only when fewer match.
    ///
    /// # Errors
    /// [`crate::Error::DimMismatch`], [`crate::Error::NotUnit`], [`crate::Error::NonFinite`],
    /// [`crate::Error::BadFilter`], [`crate::Error::Corrupt`], [`crate::Error::Io`].
    pub fn search(&self, query: &[f32], req: &SearchRequest) -> Result<SearchResponse> {
        check_unit(query, self.dim())?;
        let matcher = Matcher::new(&req.filter)?;
        if req.mode == SearchMode::Graph && self.loaded(false)?.graph.is_none() {
            self.refresh(0)?;
        }
        let memory = self.loaded(!matcher.is_open())?;
        let (Some(matrix), clips) = (&memory.matrix, &memory.clips) else {
            return Err(self.store.corrupt("the vectors are not in memory"));
        };
        let admitted = admitted(&matcher, clips.as_ref());
        let (spans, segments_admitted, clips_admitted) = search::admitted_spans(matrix, &admitted);
        let task = Task {
            matrix,
            query,
            admitted: &admitted,
            spans: &spans,
            segments_admitted,
            keep: Keep { k: req.k, min_score: req.min_score, collapse: req.collapse },
            ef: req.ef,
        };
        let graph = memory.graph.as_ref().filter(|_| match req.mode {
            SearchMode::Exact => false,
            SearchMode::Graph => true,
            SearchMode::Auto => segments_admitted >= self.opts.graph_min_rows,
        });
        let (found, path) = match graph.and_then(|graph| task.walk(graph)) {
            Some(found) => (found, SearchPath::Graph),
            None => (task.scan(), SearchPath::Exact),
        };
        let hits = self.hits(&memory, matrix, &found)?;
        Ok(SearchResponse { hits, path, clips_admitted, segments_admitted })
    }

    fn hits(&self, memory: &Memory, matrix: &Matrix, found: &[Scored]) -> Result<Vec<Hit>> {
        let mut fetched = ClipTable::new();
        let mut hits = Vec::with_capacity(found.len());
        for scored in found {
            let known = memory.clips.as_ref().unwrap_or(&fetched).get(&scored.clip).cloned();
            let clip = match known {
                Some(clip) => clip,
                None => {
                    let clip = self
                        .clip(scored.clip)?
                        .ok_or_else(|| self.store.corrupt(format!("clip {} is missing", scored.clip)))?;
                    let clip = Arc::new(clip);
                    fetched.insert(clip.id, Arc::clone(&clip));
                    clip
                }
            };
            let info = matrix.info(scored.row);
            hits.push(Hit {
                clip,
                segment: info.segment,
                start_s: info.start_s,
                end_s: info.end_s,
                score: scored.score,
            });
        }
        Ok(hits)
    }

    /// Lends each segment that the filter lets through to `visit`, clip by clip and a clip's segments in
    /// order, until it gives `false`. The order of clips is not defined.
    ///
    /// # Errors
    /// [`crate::Error::BadFilter`], [`crate::Error::Corrupt`], [`crate::Error::Io`].
    pub fn for_each_segment(
        &self,
        filter: &Filter,
        mut visit: impl FnMut(SegmentRef<'_>) -> bool,
    ) -> Result<()> {
        let matcher = Matcher::new(filter)?;
        let memory = self.loaded(true)?;
        let (Some(matrix), Some(clips)) = (&memory.matrix, &memory.clips) else {
            return Err(self.store.corrupt("the vectors are not in memory"));
        };
        let (spans, ..) = search::admitted_spans(matrix, &admitted(&matcher, Some(clips)));
        for row in spans.iter().flat_map(|&(from, to)| from..to).filter(|row| matrix.is_alive(*row)) {
            let info = matrix.info(row);
            let clip = clips
                .get(&info.clip)
                .ok_or_else(|| self.store.corrupt(format!("clip {} is missing", info.clip)))?;
            let go_on = visit(SegmentRef {
                clip,
                segment: info.segment,
                start_s: info.start_s,
                end_s: info.end_s,
                vector: matrix.row(row),
            });
            if !go_on {
                break;
            }
        }
        Ok(())
    }
}

/// One search, ready to run either way.
struct Task<'a> {
    matrix: &'a Matrix,
    query: &'a [f32],
    admitted: &'a Admitted,
    /// The admitted rows.
    spans: &'a [(usize, usize)],
    segments_admitted: usize,
    keep: Keep,
    ef: Option<usize>,
}

impl Task<'_> {
    fn scan(&self) -> Vec<Scored> {
        search::scan(self.matrix, self.spans, self.query, self.keep)
    }

    /// Walks the graph and scans the rows that are not in it. None: an exact scan is the better way, or the
    /// graph came back with too few.
    fn walk(&self, graph: &Graph) -> Option<Vec<Scored>> {
        let k = self.keep.k;
        if k == 0 || self.segments_admitted == 0 || self.segments_admitted * MIN_ADMITTED < self.matrix.rows()
        {
            return None;
        }
        let newer = self.newer_than(graph);
        let mut ask = k.saturating_mul(self.matrix.rows().div_ceil(self.segments_admitted));
        if self.keep.collapse {
            // As if a clip's segments were as close to each other as can be, up to a point.
            let per_clip = self.segments_admitted.div_ceil(self.matrix.clips().len().max(1));
            ask = ask.saturating_mul(per_clip.clamp(1, ASK_AGAIN));
        }
        while ask.saturating_mul(MAX_ASKED) <= graph.rows {
            let ef = self.ef.unwrap_or(EF_SEARCH_MIN).max(ask + ask / 2);
            let mut found = newer.clone();
            // Nothing that the graph left out scores more than this.
            let mut floor = f32::INFINITY;
            for row in graph.nearest(self.query, ask, ef) {
                let score = cosine(self.query, self.matrix.row(row));
                floor = floor.min(score);
                let wanted = self.matrix.is_alive(row)
                    && self.keep.min_score.is_none_or(|min| score >= min)
                    && self.admitted.contains(self.matrix.info(row).clip);
                if wanted {
                    found.push(Scored::new(self.matrix, row, score));
                }
            }
            let found = search::best(found, self.keep);
            if found.len() == k || self.keep.min_score.is_some_and(|min| floor < min) {
                return Some(found);
            }
            ask *= ASK_AGAIN;
        }
        None
    }

    /// The best of the admitted rows that came after the graph.
    fn newer_than(&self, graph: &Graph) -> Vec<Scored> {
        let spans: Vec<_> = self
            .spans
            .iter()
            .map(|&(from, to)| (from.max(graph.rows), to))
            .filter(|(from, to)| from < to)
            .collect();
        search::scan(self.matrix, &spans, self.query, self.keep)
    }
}

fn admitted(matcher: &Matcher<'_>, clips: Option<&ClipTable>) -> Admitted {
    match clips {
        Some(clips) if !matcher.is_open() => Admitted::Only(
            clips.values().filter(|clip| matcher.admits(&clip.meta)).map(|clip| clip.id).collect(),
        ),
        _ => Admitted::All,
    }
}
