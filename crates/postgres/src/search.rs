//! Search.
//!
//! The halves find candidates, the full vectors put them in order. A score of halves is off by [`SLACK`] at most, so
//! a clip whose half-precision score is further below the k-th best full-precision one cannot be among the best k:
//! candidates are fetched until the next one is. So the hits are those of a scan in full precision, near ties
//! included.

use std::collections::HashMap;
use std::sync::Arc;

use earmark_index::{ClipId, Hit, Result, SearchPath, SearchRequest, SearchResponse, cosine};
use pgvector::HalfVector;

use crate::filter::{Ready, Values};
use crate::index::PgIndex;
use crate::rows;

/// How far a score of half-precision vectors may be from that of full ones. Rounding to 11 significant bits changes an
/// element by at most 2^-11 of itself, both vectors are rounded, and the absolute values of the products add up to 1 at
/// most (Cauchy-Schwarz): 2^-10. The other half is for elements too small for that, and for sums in single precision.
const SLACK: f64 = 1.0 / 512.0;

/// Candidates beyond those that are wanted, at first.
const MORE: usize = 50;

/// A segment by its half-precision score.
pub(crate) struct Candidate {
    pub(crate) clip: i64,
    /// Which of its segments, where clips are not collapsed.
    pub(crate) segment: Option<i64>,
    pub(crate) score: f64,
}

/// A segment by its full-precision score.
pub(crate) struct Scored {
    clip: ClipId,
    segment: u32,
    start_s: f64,
    end_s: f64,
    score: f32,
}

impl PgIndex {
    pub(crate) fn exact(
        &self,
        query: &[f32],
        request: &SearchRequest,
        admitted: &Ready<'_>,
    ) -> Result<Vec<Hit>> {
        let half = HalfVector::from_f32_slice(query);
        let mut wanted = request.k.saturating_add(request.k / 2).saturating_add(MORE);
        loop {
            let candidates = self.candidates(&half, request, admitted, wanted)?;
            let mut found = self.in_order(query, &half, &candidates, request.collapse)?;
            let kth =
                request.k.checked_sub(1).and_then(|last| found.get(last)).map(|one| f64::from(one.score));
            let next = candidates.last().map(|candidate| candidate.score);
            let is_sure = candidates.len() < wanted
                || request.k == 0
                || matches!((kth, next), (Some(kth), Some(next)) if next + SLACK < kth);
            if is_sure {
                found.truncate(request.k);
                return self.hits(found);
            }
            wanted = wanted.saturating_mul(4);
        }
    }

    /// The best by half-precision scores, best first.
    fn candidates(
        &self,
        half: &HalfVector,
        request: &SearchRequest,
        admitted: &Ready<'_>,
        wanted: usize,
    ) -> Result<Vec<Candidate>> {
        let mut values = Values::default();
        let query = values.add(half.clone());
        let from = self.admitted_segments(admitted, &mut values);
        let limit = values.add(i64::try_from(wanted).unwrap_or(i64::MAX));
        // `<#>` is the negative inner product.
        let statement = match request.collapse {
            true => format!(
                "SELECT s.clip, NULL::bigint, min(s.half <#> {query}) AS distance FROM {from}
                 GROUP BY s.clip ORDER BY distance, s.clip LIMIT {limit}"
            ),
            false => format!(
                // Added to, so that a graph, which may miss some, is of no use for the order.
                "SELECT s.clip, s.number, (s.half <#> {query}) + 0 AS distance FROM {from}
                 ORDER BY distance, s.clip, s.number LIMIT {limit}"
            ),
        };
        let rows = self.query(&statement, &values.as_params())?;
        Ok(rows
            .iter()
            .map(|row| Candidate { clip: row.get(0), segment: row.get(1), score: -row.get::<_, f64>(2) })
            .collect())
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

    /// Candidates by their full-precision scores, best first.
    pub(crate) fn in_order(
        &self,
        query: &[f32],
        half: &HalfVector,
        candidates: &[Candidate],
        collapse: bool,
    ) -> Result<Vec<Scored>> {
        let mut found = self.rescored(query, half, candidates, collapse)?;
        found.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then(a.clip.cmp(&b.clip)).then(a.segment.cmp(&b.segment))
        });
        Ok(found)
    }

    /// Full-precision scores of candidates: the best segment of each, or each.
    fn rescored(
        &self,
        query: &[f32],
        half: &HalfVector,
        candidates: &[Candidate],
        collapse: bool,
    ) -> Result<Vec<Scored>> {
        let table = self.segments_table();
        let clips: Vec<i64> = candidates.iter().map(|one| one.clip).collect();
        let rows = if collapse {
            // Of a clip, only segments that may be its best: a recording of a day has thousands.
            let least: Vec<f64> = candidates.iter().map(|one| one.score - 2.0 * SLACK).collect();
            let statement = format!(
                "SELECT s.clip, s.number, s.start_s, s.end_s, s.vector
                 FROM unnest($1::bigint[], $2::float8[]) AS best(clip, least) JOIN {table} s ON s.clip = best.clip
                 WHERE -(s.half <#> $3) >= best.least"
            );
            self.query(&statement, &[&clips, &least, half])?
        } else {
            let segments: Vec<i64> = candidates.iter().filter_map(|one| one.segment).collect();
            let statement = format!(
                "SELECT s.clip, s.number, s.start_s, s.end_s, s.vector
                 FROM unnest($1::bigint[], $2::bigint[]) AS one(clip, number)
                 JOIN {table} s ON s.clip = one.clip AND s.number = one.number"
            );
            self.query(&statement, &[&clips, &segments])?
        };
        let mut found: Vec<Scored> = Vec::with_capacity(rows.len());
        let mut best: HashMap<ClipId, usize> = HashMap::new();
        for row in rows {
            let vector = rows::of_bytes(row.get(4), query.len(), self.connections())?;
            let scored = Scored {
                clip: row.get::<_, i64>(0).cast_unsigned(),
                segment: u32::try_from(row.get::<_, i64>(1)).unwrap_or(u32::MAX),
                start_s: row.get(2),
                end_s: row.get(3),
                score: cosine(query, &vector),
            };
            match best.get(&scored.clip).filter(|_| collapse) {
                Some(at) => {
                    let before = &mut found[*at];
                    let is_better = scored.score > before.score
                        || scored.score == before.score && scored.segment < before.segment;
                    if is_better {
                        *before = scored;
                    }
                }
                None => {
                    best.insert(scored.clip, found.len());
                    found.push(scored);
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn hits(&self, found: Vec<Scored>) -> Result<Vec<Hit>> {
        let mut ids: Vec<ClipId> = found.iter().map(|one| one.clip).collect();
        ids.sort_unstable();
        ids.dedup();
        let clips: HashMap<ClipId, _> =
            self.clips_by_id(&ids)?.into_iter().map(|clip| (clip.id, Arc::new(clip))).collect();
        let hit = |one: Scored| {
            // Gone since the scan.
            let clip = Arc::clone(clips.get(&one.clip)?);
            Some(Hit { clip, segment: one.segment, start_s: one.start_s, end_s: one.end_s, score: one.score })
        };
        Ok(found.into_iter().filter_map(hit).collect())
    }

    pub(crate) fn find(&self, query: &[f32], request: &SearchRequest) -> Result<SearchResponse> {
        let admitted = Ready::new(&request.filter, self.roots(), self.space(), self.connections())?;
        let (clips_admitted, segments_admitted) = self.count(&admitted)?;
        let in_graph = match self.candidates_in_graph(request, admitted.is_open(), segments_admitted)? {
            Some(ef) => {
                let wanted = request.k.min(if request.collapse { clips_admitted } else { segments_admitted });
                Some(self.by_graph(query, request, &admitted, ef)?).filter(|hits| hits.len() >= wanted)
            }
            None => None,
        };
        let (mut hits, path) = match in_graph {
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
        let ids: Vec<i64> = clips.iter().map(|id| id.cast_signed()).collect();
        let half = HalfVector::from_f32_slice(query);
        let statement = format!(
            "SELECT s.clip, min(s.half <#> $1) FROM {} s WHERE s.clip = ANY($2) GROUP BY s.clip",
            self.segments_table()
        );
        let rows = self.query(&statement, &[&half, &ids])?;
        let candidates: Vec<Candidate> = rows
            .iter()
            .map(|row| Candidate { clip: row.get(0), segment: None, score: -row.get::<_, f64>(1) })
            .collect();
        let found = self.rescored(query, &half, &candidates, true)?;
        let hits = self.hits(found)?;
        let mut by_clip: HashMap<ClipId, Hit> = hits.into_iter().map(|hit| (hit.clip.id, hit)).collect();
        Ok(clips.iter().filter_map(|id| by_clip.remove(id)).collect())
    }
}
