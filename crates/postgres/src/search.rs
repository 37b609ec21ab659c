//! Search.
//!
//! The halves find candidates, the full vectors put them in order. A score of halves is off by [`SLACK`] at most, so
//! a clip whose half-precision score is further below the k-th best full-precision one cannot be among the best k:
//! candidates are fetched until the next one is. So the hits are those of a scan in full precision, near ties
//! included. One statement finds the candidates and reads what they are scored by, since each takes a round trip.

use std::collections::HashMap;
use std::sync::Arc;

use earmark_index::{ClipId, Hit, Result, SearchPath, SearchRequest, SearchResponse, cosine};
use tokio_postgres::Row;

use crate::filter::Ready;
use crate::index::PgIndex;
use crate::rows::{self, CLIP, CLIP_COLUMNS};
use crate::values::{Half, Values};

/// How far a score of half-precision vectors may be from that of full ones. Rounding to 11 significant bits changes an
/// element by at most 2^-11 of itself, both vectors are rounded, and the absolute values of the products add up to 1 at
/// most (Cauchy-Schwarz): 2^-10. The other half is for elements too small for that, and for sums in single precision.
const SLACK: f64 = 1.0 / 512.0;

/// Candidates beyond those that are wanted, at first.
const MORE: usize = 50;

/// Candidates for `k` hits, at first.
pub(crate) fn wanted_for(k: usize) -> usize {
    k.saturating_add(k / 2).saturating_add(MORE)
}

/// Candidates with all that is known of them, as [`PgIndex::read_candidates`] makes them.
pub(crate) struct Candidates {
    rows: Vec<Row>,
    /// The best segment of each clip, or each segment, by full-precision scores, the best first.
    found: Vec<Scored>,
    /// The smallest half-precision score.
    last: f64,
}

/// A segment by its full-precision score.
struct Scored {
    clip: ClipId,
    segment: u32,
    score: f32,
    /// Its row.
    row: usize,
}

impl PgIndex {
    pub(crate) fn exact(
        &self,
        query: &[f32],
        request: &SearchRequest,
        admitted: &Ready<'_>,
    ) -> Result<Vec<Hit>> {
        let mut wanted = wanted_for(request.k);
        loop {
            let mut values = Values::default();
            let of = values.add(Half::of(query));
            let from = self.admitted_segments(admitted, &mut values);
            let limit = values.add(i64::try_from(wanted).unwrap_or(i64::MAX));
            // `<#>` is the negative inner product.
            let best = match request.collapse {
                true => format!(
                    "SELECT s.clip, min(s.half <#> {of}) AS distance FROM {from}
                     GROUP BY s.clip ORDER BY distance, s.clip LIMIT {limit}"
                ),
                false => format!(
                    // Added to, so that a graph, which may miss some, is of no use for the order.
                    "SELECT s.clip, s.number, (s.half <#> {of}) + 0 AS distance FROM {from}
                     ORDER BY distance, s.clip, s.number LIMIT {limit}"
                ),
            };
            let statement =
                self.select_candidates(&format!("best AS MATERIALIZED ({best})"), &of, request.collapse);
            let rows = self.query(&statement, &values.all())?;
            let candidates = self.read_candidates(query, rows, request.collapse)?;
            let kth = request.k.checked_sub(1).and_then(|last| candidates.found.get(last));
            let is_sure = candidates.found.len() < wanted
                || request.k == 0
                || kth.is_some_and(|kth| candidates.last + SLACK < f64::from(kth.score));
            if is_sure {
                return self.hits(candidates, request.k);
            }
            wanted = wanted.saturating_mul(4);
        }
    }

    /// Where the segments `s` come from that are let through.
    pub(crate) fn admitted_segments(&self, admitted: &Ready<'_>, values: &mut Values) -> String {
        let table = self.segments_table();
        if admitted.is_open() {
            return format!("{table} s");
        }
        let condition = admitted.condition(values);
        format!("{table} s JOIN earmark.clip c ON c.id = s.clip WHERE {condition}")
    }

    /// The statement that reads the candidates `best` (clips or segments, with their distances from `of`), which `with`
    /// defines. Of a clip, only segments that may be its best are read: a recording of a day has thousands.
    pub(crate) fn select_candidates(&self, with: &str, of: &str, collapse: bool) -> String {
        let table = self.segments_table();
        let (which, whether) = match collapse {
            true => ("", format!("WHERE (s.half <#> {of}) <= best.distance + {}", 2.0 * SLACK)),
            false => ("AND s.number = best.number", String::new()),
        };
        format!(
            "WITH {with} SELECT {CLIP}, s.number, s.start_s, s.end_s, s.vector, best.distance
             FROM best JOIN {table} s ON s.clip = best.clip {which} JOIN earmark.clip c ON c.id = best.clip {whether}"
        )
    }

    /// What [`Self::select_candidates`] has found.
    pub(crate) fn read_candidates(
        &self,
        query: &[f32],
        rows: Vec<Row>,
        collapse: bool,
    ) -> Result<Candidates> {
        let mut found: Vec<Scored> = Vec::with_capacity(rows.len());
        let mut places: HashMap<ClipId, usize> = HashMap::new();
        let mut last = f64::INFINITY;
        for (number, row) in rows.iter().enumerate() {
            let vector = rows::of_bytes(row.get(CLIP_COLUMNS + 3), query.len(), self.connections())?;
            last = last.min(-row.get::<_, f64>(CLIP_COLUMNS + 4));
            let scored = Scored {
                clip: row.get::<_, i64>(0).cast_unsigned(),
                segment: u32::try_from(row.get::<_, i64>(CLIP_COLUMNS)).unwrap_or(u32::MAX),
                score: cosine(query, &vector),
                row: number,
            };
            match places.get(&scored.clip).filter(|_| collapse) {
                Some(place) => {
                    let before = &mut found[*place];
                    let is_better = scored.score > before.score
                        || scored.score == before.score && scored.segment < before.segment;
                    if is_better {
                        *before = scored;
                    }
                }
                None => {
                    places.insert(scored.clip, found.len());
                    found.push(scored);
                }
            }
        }
        found.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then(a.clip.cmp(&b.clip)).then(a.segment.cmp(&b.segment))
        });
        Ok(Candidates { rows, found, last })
    }

    /// The best `k` of the candidates.
    pub(crate) fn hits(&self, candidates: Candidates, k: usize) -> Result<Vec<Hit>> {
        let mut clips: HashMap<ClipId, Arc<earmark_index::Clip>> = HashMap::new();
        let hit = |one: &Scored| {
            let row = &candidates.rows[one.row];
            let clip = match clips.get(&one.clip) {
                Some(clip) => Arc::clone(clip),
                None => {
                    let clip = Arc::new(rows::clip(row, self.roots(), self.connections())?);
                    clips.insert(one.clip, Arc::clone(&clip));
                    clip
                }
            };
            let (start_s, end_s) = (row.get(CLIP_COLUMNS + 1), row.get(CLIP_COLUMNS + 2));
            Ok(Hit { clip, segment: one.segment, start_s, end_s, score: one.score })
        };
        candidates.found.iter().take(k).map(hit).collect()
    }

    pub(crate) fn find(&self, query: &[f32], request: &SearchRequest) -> Result<SearchResponse> {
        let admitted = Ready::new(&request.filter, self.roots(), self.space(), self.connections())?;
        let (clips_admitted, segments_admitted) = self.count(&admitted)?;
        let approximate = match self.way(request, admitted.is_open(), segments_admitted)? {
            // Where so few are let through, comparing them all is no more work.
            Some(way) if segments_admitted > way.rows(request.k, request.collapse) => {
                let wanted = request.k.min(if request.collapse { clips_admitted } else { segments_admitted });
                Some(self.approximate(query, request, &admitted, way)?).filter(|hits| hits.len() >= wanted)
            }
            _ => None,
        };
        let (mut hits, path) = match approximate {
            Some(hits) => (hits, SearchPath::Graph),
            None => (self.exact(query, request, &admitted)?, SearchPath::Exact),
        };
        let all = hits.len();
        if let Some(least) = request.min_score {
            hits.retain(|hit| hit.score >= least);
        }
        Ok(SearchResponse {
            below_min_score: all - hits.len(),
            hits,
            path,
            clips_admitted,
            segments_admitted,
        })
    }

    /// The best segment of each of these clips, in their order.
    pub(crate) fn best_segments(&self, query: &[f32], clips: &[ClipId]) -> Result<Vec<Hit>> {
        let mut values = Values::default();
        let of = values.add(Half::of(query));
        let ids = values.add(clips.iter().map(|id| id.cast_signed()).collect::<Vec<i64>>());
        let best = format!(
            "best AS MATERIALIZED (SELECT s.clip, min(s.half <#> {of}) AS distance FROM {} s
             WHERE s.clip = ANY({ids}) GROUP BY s.clip)",
            self.segments_table()
        );
        let rows = self.query(&self.select_candidates(&best, &of, true), &values.all())?;
        let hits = self.hits(self.read_candidates(query, rows, true)?, usize::MAX)?;
        let mut by_clip: HashMap<ClipId, Hit> = hits.into_iter().map(|hit| (hit.clip.id, hit)).collect();
        Ok(clips.iter().filter_map(|id| by_clip.remove(id)).collect())
    }
}
