//! Which clips may be the same sound: neighbours in the index.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use earmark_index::{Clip, ClipId, Filter, IndexReader, QueryKind, SearchRequest};

use super::parallel::in_parallel;
use crate::EngineError;
use crate::ingest::is_unchanged;

/// Least cosine of the middle of a clip with a segment of the other.
const LEAST_COSINE: f32 = 0.9;

/// Neighbours of a clip that are looked at.
const NEIGHBOURS: usize = 16;

/// A sound is not padded by more, seconds, so that lengths which differ more are those of two sounds, unless
/// the shorter one is a large part of the longer.
const MOST_PADDING_S: f64 = 60.0;

/// The part of a clip that another one must have at least; a little less than what counts in the end.
const LEAST_PART: f64 = 0.4;

/// A clip, and whether its file is there as it was indexed.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) clip: Clip,
    /// Where the file is; `None` if it may not be read, is gone, or has changed.
    pub(super) file: Option<PathBuf>,
}

/// Clips of one content, which are decoded once.
#[derive(Debug)]
pub(super) struct Unique {
    /// The one that stands for all.
    pub(super) first: Member,
    /// The others.
    pub(super) copies: Vec<Member>,
}

/// The clips of each content. A clip whose file is there stands for them, with the shortest path.
pub(super) fn uniques(clips: Vec<Clip>, files: &dyn Fn(&str) -> Option<PathBuf>) -> Vec<Unique> {
    let member = |clip: Clip| {
        let file = files(&clip.meta.path).filter(|_| is_unchanged(&clip.meta));
        Member { clip, file }
    };
    let mut members: Vec<Member> = clips.into_iter().map(member).collect();
    members.sort_by(|a, b| {
        let key = |member: &Member| (member.file.is_none(), member.clip.meta.path.len());
        key(a).cmp(&key(b)).then_with(|| a.clip.meta.path.cmp(&b.clip.meta.path))
    });
    let mut places: HashMap<[u8; 32], usize> = HashMap::new();
    let mut uniques: Vec<Unique> = Vec::new();
    for member in members {
        match places.get(&member.clip.meta.content_hash) {
            Some(&place) => uniques[place].copies.push(member),
            None => {
                places.insert(member.clip.meta.content_hash, uniques.len());
                uniques.push(Unique { first: member, copies: Vec::new() });
            }
        }
    }
    uniques
}

/// Pairs of clips that are neighbours in the index and may be the same sound, each with the lower place
/// first.
pub(super) fn neighbours(
    index: &dyn IndexReader,
    filter: &Filter,
    uniques: &[Unique],
    threads: usize,
    stop: &AtomicBool,
    tell: impl FnMut(usize),
) -> Result<BTreeSet<(usize, usize)>, EngineError> {
    let mut places: HashMap<ClipId, usize> = HashMap::new();
    for (place, unique) in uniques.iter().enumerate() {
        places.insert(unique.first.clip.id, place);
        places.extend(unique.copies.iter().map(|copy| (copy.clip.id, place)));
    }
    let near = |place: usize| near(index, filter, &uniques[place], &places);
    let mut pairs = BTreeSet::new();
    let found = in_parallel(uniques.len(), threads, stop, near, tell);
    for (place, neighbours) in found.into_iter().enumerate() {
        for other in neighbours.transpose()?.unwrap_or_default() {
            let may_be = may_be_one(&uniques[place].first.clip, &uniques[other].first.clip);
            if other != place && may_be {
                pairs.insert((place.min(other), place.max(other)));
            }
        }
    }
    Ok(pairs)
}

/// Whether the lengths of two clips allow that they are one sound.
pub(super) fn may_be_one(a: &Clip, b: &Clip) -> bool {
    let (a, b) = (a.meta.duration_s, b.meta.duration_s);
    (a - b).abs() <= MOST_PADDING_S || a.min(b) >= LEAST_PART * a.max(b)
}

/// The places of the clips that are near to one.
fn near(
    index: &dyn IndexReader,
    filter: &Filter,
    unique: &Unique,
    places: &HashMap<ClipId, usize>,
) -> Result<BTreeSet<usize>, EngineError> {
    let segments = index.segments(unique.first.clip.id)?;
    let request = SearchRequest {
        k: NEIGHBOURS + 1 + unique.copies.len(),
        kind: QueryKind::Sound,
        filter: filter.clone(),
        min_score: Some(LEAST_COSINE),
        ..SearchRequest::default()
    };
    // In the middle, a sound that was cut or padded is as it was.
    let Some(middle) = segments.get(segments.len() / 2) else { return Ok(BTreeSet::new()) };
    let hits = index.search(&middle.vector, &request)?.hits;
    Ok(hits.iter().filter_map(|hit| places.get(&hit.clip.id).copied()).collect())
}
