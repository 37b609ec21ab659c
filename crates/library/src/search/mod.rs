//! Searching by words, by example, by both.
//!
//! - `request`, `answer`: what is looked for, and what was found
//! - `reasons`: why a clip is a hit
//! - here: from the one to the other

mod answer;
mod reasons;
mod request;

use std::collections::HashMap;
use std::sync::Arc;

use earmark_encoder::Embedding;
use earmark_engine::Engine;
use earmark_engine::duplicates::same_sound;
use earmark_engine::search::diversity::spread_out;
use earmark_engine::search::likelihood::EVEN;
use earmark_engine::search::rank::{Ranked, RankedHit, Ranking, rank};
use earmark_engine::search::{clip_vector, combine};
use earmark_index::{
    Clip, ClipText, IndexReader, NameQuery, QueryKind, SearchRequest as IndexRequest, file_path,
};

pub use answer::{Hit, Reason, SearchAnswer, Share};
pub use request::{By, HitOrder, Mode, QueryPart, SearchRequest};

use crate::error::{Error, Result};
use crate::library::{Files, Library};
use crate::words::{
    FileRemarks, KnownText, Stretch, Version, bounded, clip_id, cursor, name_and_folder, offset,
};

/// Clips that a request may leave out.
const EXCLUDED: usize = 100;

/// Largest weight of a part.
const MAX_WEIGHT: f32 = 1000.0;

/// Hits at most that are looked through for those that are no copies of others.
const MOST_MERGED: usize = 10_000;

/// Hits that a diverse page is chosen from.
const DIVERSE_POOL: usize = 500;

/// A request's query in the model's space.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The weighted sum of its parts, of unit length.
    pub vector: Embedding,
    /// Whether it has words.
    has_text: bool,
    /// Its words, where they are looked for in names too; none for words to keep away from.
    names: NameQuery,
    /// Whether it is a single text, so that it is known how to read its cosines.
    is_one_text: bool,
    /// Contents of its examples, which it does not find.
    examples: Vec<[u8; 32]>,
    texts: Vec<KnownText>,
    remarks: Vec<FileRemarks>,
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
        let (mut texts, mut remarks, mut examples) = (Vec::new(), Vec::new(), Vec::new());
        let mut looked_for: Vec<String> = Vec::new();
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
                    // What is to be left out is a matter of names.
                    let read = NameQuery::parse(text);
                    let spoken = if request.by == By::Sound { text } else { read.text() };
                    if spoken.is_empty() && !text.trim().is_empty() {
                        let reason = "there are only words to leave out; say what to look for, too";
                        return Err(Error::field_is(format!("{field}.text"), reason));
                    }
                    self.check_text(&format!("{field}.text"), spoken)?;
                    let described = self.texts().describe(&engine, spoken, &request.templates)?;
                    texts.extend(described.known.as_ref().map(KnownText::from));
                    if part.weight > 0.0 {
                        // A quote that is not closed must not pair with one of another part.
                        let is_closed = text.matches('"').count() % 2 == 0;
                        looked_for.push(if is_closed { text.clone() } else { text.replace('"', " ") });
                    }
                    described.vector
                }
                (None, Some(id), None) => {
                    let id = clip_id(&format!("{field}.clip_id"), id)?;
                    if part.weight > 0.0 {
                        examples.push(self.find_clip(id)?.meta.content_hash);
                    }
                    self.clip_or_stretch(&engine, id, stretch)?
                }
                (None, None, Some(name)) => {
                    let source = files.take(&format!("{field}.file"), name)?;
                    if part.weight > 0.0 {
                        examples.extend(source.content_hash());
                    }
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
        let is_one_text = matches!(&*request.query, [QueryPart { text: Some(_), .. }]);
        let has_text = request.query.iter().any(|part| part.text.is_some());
        let names = NameQuery::parse(&looked_for.join(" "));
        let vector = combine(&engine, &vectors)?;
        Ok(Query { vector, has_text, names, is_one_text, examples, texts, remarks })
    }

    /// What the index has for a query: the second half of [`Self::search`].
    ///
    /// # Errors
    /// As [`Self::search`].
    pub fn find(&self, request: &SearchRequest, query: &Query) -> Result<SearchAnswer> {
        let (start, k) = self.page(request)?;
        if !(0.0..=1.0).contains(&request.diversity) {
            let reason = format!("expected 0 to 1, got {}", request.diversity);
            return Err(Error::field_is("diversity", reason));
        }
        let engine = self.engine()?;
        let manifest = engine.model().manifest();
        let min_score = request.min_score.unwrap_or(Some(manifest.scores.min_similarity));
        let index = self.index()?;
        let rejected = rejected(&*index, request)?;
        let left_out = left_out(&*index, &rejected, query)?;
        // One more than the page, to know whether there is another.
        let end = start.saturating_add(k);
        let merges_copies = request.collapse && !request.copies;
        let shown = end.saturating_add(1).saturating_mul(if merges_copies { 2 } else { 1 });
        let wanted = shown.saturating_add(left_out.len());
        let is_diverse = request.diversity > 0.0;
        let filter = request.filter.check().map_err(|e| e.within("filter"))?;
        let familiarity = query.texts.first().and_then(|known| known.familiarity);
        let mut ranking = Ranking {
            by: request.by.into(),
            vector: query.vector.as_slice(),
            names: &query.names,
            read: manifest.scores.likelihood.filter(|_| query.is_one_text).map(|read| (read, familiarity)),
            request: IndexRequest {
                k: if is_diverse { wanted.max(DIVERSE_POOL) } else { wanted },
                kind: if query.has_text { QueryKind::Text } else { QueryKind::Sound },
                filter,
                mode: request.mode.into(),
                min_score,
                collapse: request.collapse,
                ef: None,
            },
            is_strict: request.min_score.is_some(),
        };
        let (mut hits, clips_admitted, below_min_score) = loop {
            let Ranked { mut hits, clips_admitted, below_min_score } = rank(&*index, &ranking)?;
            let is_all = hits.len() + below_min_score < ranking.request.k;
            hits.retain(|hit| left_out.binary_search(&hit.hit.clip.id).is_err());
            let hits = match merges_copies {
                true => merged(&*index, &rejected, hits)?,
                false => hits.into_iter().map(|hit| (hit, 0)).collect(),
            };
            // So many copies that they fill the page: the others come after them.
            if hits.len() > end || is_all || !merges_copies || ranking.request.k >= MOST_MERGED {
                break (hits, clips_admitted, below_min_score);
            }
            ranking.request.k *= 4;
        };
        if is_diverse {
            hits = spread_out(&*index, hits, |(hit, _)| hit, request.diversity, end.saturating_add(1))?;
        }
        let found = hits.len() + below_min_score;
        let more = hits.len() > end;
        hits.truncate(end);
        hits.drain(..start.min(hits.len()));
        let below_min_score = found.saturating_sub(start).min(k).saturating_sub(hits.len());
        put_in_order(&mut hits, request.sort);
        Ok(SearchAnswer {
            version: Version,
            hits: shown_hits(&engine, &*index, request, query, hits)?,
            next_cursor: more.then(|| cursor(end)),
            below_min_score,
            clips_admitted,
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

/// Hits and how many copies they stand for, as they are shown.
fn shown_hits(
    engine: &Engine,
    index: &dyn IndexReader,
    request: &SearchRequest,
    query: &Query,
    hits: Vec<(RankedHit, usize)>,
) -> Result<Vec<Hit>> {
    // Without named axes there are no shares to compute.
    let vectors = if engine.model().axes().is_some() {
        let segments: Vec<(u64, u32)> =
            hits.iter().map(|(ranked, _)| (ranked.hit.clip.id, ranked.hit.segment)).collect();
        index.vectors(&segments)?
    } else {
        vec![Vec::new(); hits.len()]
    };
    let with_texts = hits.iter().filter(|(ranked, _)| reasons::is_in_texts(ranked));
    let with_texts: Vec<u64> = with_texts.map(|(ranked, _)| ranked.hit.clip.id).collect();
    // Without them, the reasons do not say where in a file's metadata the words are.
    let texts = index.texts(&with_texts).unwrap_or_default();
    let texts: HashMap<u64, Vec<ClipText>> = with_texts.into_iter().zip(texts).collect();
    let shown = |((ranked, copies), vector): ((RankedHit, usize), Vec<f32>)| {
        let shares = reasons::shares(engine, query, &ranked, &vector);
        let texts = texts.get(&ranked.hit.clip.id).map_or(&[][..], Vec::as_slice);
        let reasons = reasons::reasons(engine, request.by, query, &ranked, texts, shares.as_deref());
        let RankedHit { hit, probability, .. } = ranked;
        Hit {
            clip: (&*hit.clip).into(),
            score: hit.score,
            probability,
            weak: probability.is_some_and(|p| p < EVEN),
            reasons,
            copies,
            // A file that cannot be looked at is not gone.
            missing: matches!(file_path(&hit.clip.meta.path).try_exists(), Ok(false)),
            start_s: hit.start_s,
            end_s: hit.end_s,
            shares: shares.filter(|_| request.explain),
        }
    };
    Ok(hits.into_iter().zip(vectors).map(shown).collect())
}

/// The clips that a request leaves out by name. One that has left the index is left out anyhow.
fn rejected(index: &dyn IndexReader, request: &SearchRequest) -> Result<Vec<Clip>> {
    bounded("exclude", request.exclude.len(), 0, EXCLUDED)?;
    let mut rejected = Vec::new();
    for name in &request.exclude {
        if name.bytes().all(|b| b.is_ascii_digit()) {
            rejected.extend(index.clip(clip_id("exclude", name)?)?);
            continue;
        }
        let unknown = || format!("expected the id or the path of a clip, got `{name}`");
        let there = index.clip_by_path(name)?;
        rejected.push(there.ok_or_else(|| Error::field_is("exclude", unknown()))?);
    }
    Ok(rejected)
}

/// The clips that a request leaves out: those that it names, its examples, and all with the same content.
fn left_out(index: &dyn IndexReader, rejected: &[Clip], query: &Query) -> Result<Vec<u64>> {
    let contents = rejected.iter().map(|clip| &clip.meta.content_hash).chain(&query.examples);
    let mut left_out: Vec<u64> = rejected.iter().map(|clip| clip.id).collect();
    for content in contents {
        left_out.extend(index.clips_by_hash(content)?.iter().map(|clip| clip.id));
    }
    left_out.sort_unstable();
    left_out.dedup();
    Ok(left_out)
}

/// The hits that stand for themselves and their copies, with how many copies each has. Copies of clips that
/// the request leaves out by name are left out, too.
fn merged(
    index: &dyn IndexReader,
    rejected: &[Clip],
    hits: Vec<RankedHit>,
) -> Result<Vec<(RankedHit, usize)>> {
    let clips: Vec<&Clip> = rejected.iter().chain(hits.iter().map(|hit| &*hit.hit.clip)).collect();
    // For each hit that stands for a group, how many others are in it.
    let mut copies: HashMap<usize, usize> = HashMap::new();
    for group in same_sound(index, &clips)? {
        if group[0] >= rejected.len() {
            copies.insert(group[0] - rejected.len(), group.len() - 1);
        }
    }
    let hits = hits.into_iter().enumerate();
    Ok(hits.filter_map(|(place, hit)| copies.get(&place).map(|n| (hit, *n))).collect())
}

fn put_in_order(hits: &mut [(RankedHit, usize)], order: HitOrder) {
    let path = |(hit, _): &(RankedHit, usize)| hit.hit.clip.meta.path.clone();
    let name = |hit: &(RankedHit, usize)| name_and_folder(&path(hit)).0.to_lowercase();
    match order {
        HitOrder::Score => {}
        HitOrder::Name => hits.sort_by_cached_key(|hit| (name(hit), path(hit))),
        HitOrder::Duration => {
            let seconds = |(hit, _): &(RankedHit, usize)| hit.hit.clip.meta.duration_s;
            hits.sort_by(|a, b| seconds(a).total_cmp(&seconds(b)));
        }
        HitOrder::Date => hits.sort_by_key(|(hit, _)| std::cmp::Reverse(hit.hit.clip.meta.mtime_ns)),
    }
}
