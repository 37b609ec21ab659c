//! The clips of an index by what they sound like, by what they are called, or by both.
//!
//! Ranked by both, a clip's place is the probability that it is right, given its sound and its name: so a
//! clear name and a clear sound both come first, a clip with both comes before either, and among clips with
//! the same words in their names the sound decides. Candidates are the best of each side; each is then judged
//! by both.

use std::cmp::Ordering;
use std::collections::HashMap;

use earmark_encoder::SoundLikelihood;
use earmark_index::{ClipId, Hit, IndexReader, NameMatch, NameQuery, SearchRequest};

use super::likelihood::{SoundQuery, UNCALIBRATED, both_likelihood, name_likelihood};
use crate::EngineError;

/// Candidates of each side at least, so that the order does not depend on how many hits are asked for.
const CANDIDATES: usize = 500;

/// Candidates by sound at most, where phrases or exclusions rule many out.
const MOST_CANDIDATES: usize = 1 << 17;

/// What counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum By {
    /// What a clip sounds like.
    Sound,
    /// Its name, its tags, and what its file says about itself.
    Name,
    /// Both.
    #[default]
    Both,
}

/// What is looked for, and how.
#[derive(Debug, Clone)]
pub struct Ranking<'a> {
    /// What counts.
    pub by: By,
    /// The query's direction, a unit vector `[dim]`.
    pub vector: &'a [f32],
    /// The query's words; with none, a search by both is one by sound.
    pub names: &'a NameQuery,
    /// How cosines with the query's words are read; `None` for a query of sounds alone, or a model that does
    /// not say.
    pub read: Option<(SoundLikelihood, Option<f32>)>,
    /// Filter, mode, number of hits, and smallest cosine.
    pub request: SearchRequest,
    /// Whether the smallest cosine is one for hits that their names bring, too.
    pub is_strict: bool,
}

impl Ranking<'_> {
    /// Keeps the best hits that are not below the smallest cosine; gives how many of the best were.
    fn take_best(&self, hits: &mut Vec<RankedHit>) -> usize {
        let is_kept = |hit: &RankedHit| {
            let spared = hit.named.is_some() && !self.is_strict;
            spared || self.request.min_score.is_none_or(|least| hit.hit.score >= least)
        };
        let below = hits.iter().take(self.request.k).filter(|hit| !is_kept(hit)).count();
        hits.retain(is_kept);
        hits.truncate(self.request.k);
        below
    }
}

/// A hit, and why it is one.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedHit {
    /// The clip's best stretch, or one of its stretches where they are not collapsed, and its cosine.
    pub hit: Hit,
    /// The probability that it is right, by its sound and its name; `None` where a sound is looked for, or
    /// the model's cosines are not calibrated.
    pub probability: Option<f32>,
    /// The words of the query in its name, if any count.
    pub named: Option<NameMatch>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranked {
    /// The best first.
    pub hits: Vec<RankedHit>,
    /// Clips that the filter lets through.
    pub clips_admitted: usize,
    /// Of the best, those left out because of the smallest cosine.
    pub below_min_score: usize,
}

/// Ranks the clips of an index.
///
/// # Errors
/// Errors of the index.
pub fn rank(index: &dyn IndexReader, ranking: &Ranking<'_>) -> Result<Ranked, EngineError> {
    let has_words = !ranking.names.is_empty() || ranking.names.is_strict();
    match ranking.by {
        By::Name => by_name(index, ranking),
        By::Both if has_words => by_both(index, ranking),
        By::Sound | By::Both => by_sound(index, ranking),
    }
}

fn by_sound(index: &dyn IndexReader, ranking: &Ranking<'_>) -> Result<Ranked, EngineError> {
    let response = index.search(ranking.vector, &ranking.request)?;
    let query = match ranking.read {
        Some((read, familiarity)) => {
            Some((SoundQuery { spread: index.spread(ranking.vector)?, familiarity }, read))
        }
        None => None,
    };
    let ranked = |hit: Hit| {
        let probability = query.map(|(query, read)| query.likelihood(hit.score, read));
        RankedHit { hit, probability, named: None }
    };
    Ok(Ranked {
        hits: response.hits.into_iter().map(ranked).collect(),
        clips_admitted: response.clips_admitted,
        below_min_score: response.below_min_score,
    })
}

fn by_name(index: &dyn IndexReader, ranking: &Ranking<'_>) -> Result<Ranked, EngineError> {
    let request = &ranking.request;
    // Clips alike by name are put in order by their sound, so more than are wanted have to be heard.
    let found = index.named(ranking.names, &request.filter, request.k.max(CANDIDATES))?;
    let mut hits = with_sound(index, ranking.vector, found.matches)?;
    hits.iter_mut().for_each(|hit| hit.probability = Some(name_likelihood(coverage(hit))));
    hits.sort_by(|a, b| {
        coverage(b)
            .total_cmp(&coverage(a))
            .then_with(|| b.hit.score.total_cmp(&a.hit.score))
            .then(by_id(a, b))
    });
    let below_min_score = ranking.take_best(&mut hits);
    Ok(Ranked { hits, clips_admitted: found.clips_admitted, below_min_score })
}

fn by_both(index: &dyn IndexReader, ranking: &Ranking<'_>) -> Result<Ranked, EngineError> {
    let (request, names) = (&ranking.request, ranking.names);
    let mut candidates = request.k.max(CANDIDATES);
    let named = index.named(names, &request.filter, candidates)?;
    let response = loop {
        let wanted = SearchRequest { k: candidates, min_score: None, ..request.clone() };
        let response = index.search(ranking.vector, &wanted)?;
        let is_all = response.hits.len() < candidates || candidates >= MOST_CANDIDATES;
        let admitted = response.hits.iter().filter(|hit| named.admits(hit.clip.id)).count();
        // Phrases and exclusions may rule out all that sound best.
        if is_all || !names.is_strict() || admitted >= request.k {
            break response;
        }
        candidates *= 4;
    };
    let mut by_clip: HashMap<ClipId, NameMatch> =
        named.matches.iter().map(|one| (one.clip, one.clone())).collect();
    let mut hits: Vec<RankedHit> = Vec::with_capacity(response.hits.len() + by_clip.len());
    for hit in response.hits.into_iter().filter(|hit| named.admits(hit.clip.id)) {
        let named = match request.collapse {
            true => by_clip.remove(&hit.clip.id),
            false => by_clip.get(&hit.clip.id).cloned(),
        };
        hits.push(RankedHit { hit, probability: None, named });
    }
    if !request.collapse {
        hits.iter().for_each(|hit| drop(by_clip.remove(&hit.hit.clip.id)));
    }
    let unheard = named.matches.iter().filter(|one| by_clip.contains_key(&one.clip)).cloned().collect();
    hits.extend(with_sound(index, ranking.vector, unheard)?);

    let (read, familiarity) = ranking.read.unwrap_or((UNCALIBRATED, None));
    let query = SoundQuery { spread: index.spread(ranking.vector)?, familiarity };
    let has_names = hits.iter().any(|hit| hit.named.is_some());
    let mut placed: Vec<(f32, RankedHit)> = hits
        .into_iter()
        .map(|hit| {
            let by_sound = query.likelihood(hit.hit.score, read);
            let p = if has_names { both_likelihood(by_sound, coverage(&hit)) } else { by_sound };
            (p, RankedHit { probability: ranking.read.is_some().then_some(p), ..hit })
        })
        .collect();
    placed.sort_by(|(p, a), (q, b)| {
        q.total_cmp(p).then_with(|| b.hit.score.total_cmp(&a.hit.score)).then(by_id(a, b))
    });
    let mut hits: Vec<RankedHit> = placed.into_iter().map(|(_, hit)| hit).collect();
    let below_min_score = ranking.take_best(&mut hits);
    Ok(Ranked { hits, clips_admitted: response.clips_admitted, below_min_score })
}

fn coverage(hit: &RankedHit) -> f32 {
    hit.named.as_ref().map_or(0.0, |named| named.coverage)
}

/// The best stretch of each clip that its name brought.
fn with_sound(
    index: &dyn IndexReader,
    vector: &[f32],
    named: Vec<NameMatch>,
) -> Result<Vec<RankedHit>, EngineError> {
    let clips: Vec<ClipId> = named.iter().map(|one| one.clip).collect();
    let mut by_clip: HashMap<ClipId, NameMatch> = named.into_iter().map(|one| (one.clip, one)).collect();
    let hits = index.best_of(vector, &clips)?.into_iter();
    Ok(hits.map(|hit| RankedHit { named: by_clip.remove(&hit.clip.id), hit, probability: None }).collect())
}

fn by_id(a: &RankedHit, b: &RankedHit) -> Ordering {
    let key = |ranked: &RankedHit| (ranked.hit.clip.id, ranked.hit.segment);
    key(a).cmp(&key(b))
}
