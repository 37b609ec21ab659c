//! Hits that differ from each other.

use earmark_encoder::dot;
use earmark_index::{ClipId, IndexReader};

use super::rank::RankedHit;
use crate::EngineError;

/// Chooses `n` of the hits, whose rank `ranked` gives, one after the other, each the best by `(1 - diversity) * relevance - diversity *
/// likeness`: how good the hit is, and its largest cosine with those chosen before (maximal marginal
/// relevance: Carbonell and Goldstein, SIGIR 1998). The first is the best hit. Relevance is the probability
/// where there is one, else the cosine.
///
/// # Errors
/// Errors of the index.
pub fn spread_out<T>(
    index: &dyn IndexReader,
    hits: Vec<T>,
    ranked: impl Fn(&T) -> &RankedHit,
    diversity: f32,
    n: usize,
) -> Result<Vec<T>, EngineError> {
    struct Candidate<T> {
        hit: T,
        vector: Vec<f32>,
        /// The largest cosine with those chosen.
        likeness: f32,
    }
    let stretches: Vec<(ClipId, u32)> =
        hits.iter().map(|hit| &ranked(hit).hit).map(|hit| (hit.clip.id, hit.segment)).collect();
    let vectors = index.vectors(&stretches)?;
    let candidates = hits.into_iter().zip(vectors);
    let mut candidates: Vec<Candidate<T>> =
        candidates.map(|(hit, vector)| Candidate { hit, vector, likeness: 0.0 }).collect();
    let mut chosen = Vec::with_capacity(n.min(candidates.len()));
    while chosen.len() < n && !candidates.is_empty() {
        let value = |one: &Candidate<T>| {
            let hit = ranked(&one.hit);
            let relevance = hit.probability.unwrap_or(hit.hit.score);
            (1.0 - diversity) * relevance - diversity * one.likeness
        };
        // Of equals the first, which ranks higher.
        let best = (1..candidates.len())
            .fold(0, |best, i| if value(&candidates[i]) > value(&candidates[best]) { i } else { best });
        let best = candidates.remove(best);
        for one in candidates.iter_mut().filter(|one| one.vector.len() == best.vector.len()) {
            one.likeness = one.likeness.max(dot(&one.vector, &best.vector));
        }
        chosen.push(best.hit);
    }
    Ok(chosen)
}
