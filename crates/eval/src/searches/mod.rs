//! How well searches of an index find what they should: queries whose right answers are known, ranked by
//! sound, by name, and by both.
//!
//! - here: reading the queries, and asking them
//! - `report`: the figures, as a table and as JSON

mod report;

use std::collections::HashSet;
use std::path::Path;

use earmark_encoder::Embedding;
use earmark_engine::search::combine;
use earmark_engine::search::likelihood::SoundQuery;
use earmark_engine::search::rank::{By, Ranking, rank};
use earmark_engine::{Engine, KnownText, absolute_path};
use earmark_index::{
    ClipId, Filter, IndexReader, NameQuery, QueryKind, SearchRequest, Spread, file_path, stored_path,
};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::EvalError;
use crate::datasets::table::{Table, cell};
use report::Asked;
pub use report::{QueryFigures, Ranked, SearchesReport, WayFigures};

/// Hits whose precision is measured.
pub const TOP: usize = 10;

/// How deep the first right hit is looked for.
const DEPTH: usize = 500;

/// Hits that a report lists.
const KEPT: usize = 100;

/// The ways to rank.
pub const WAYS: [By; 3] = [By::Sound, By::Name, By::Both];

/// A query, and the files that are right.
#[derive(Debug)]
pub struct Search {
    /// The query.
    pub query: String,
    patterns: GlobSet,
}

/// Reads a table with the columns `query` and `file`: a query, and a glob over the paths within the folder of
/// sounds of what it should find (`*` stays within a folder, `**` does not; case does not matter). Rows of
/// one query add up.
///
/// # Errors
/// [`EvalError::Dataset`] for a table that cannot be read, or a bad pattern.
pub fn read(table: &Path) -> Result<Vec<Search>, EvalError> {
    let table = Table::read(table)?;
    let bad = |reason: String| EvalError::dataset(table.path(), reason);
    let (query, file) = (table.column(&["query"])?, table.column(&["file"])?);
    let mut queries: Vec<(String, GlobSetBuilder)> = Vec::new();
    for (line, row) in &table.rows {
        let (text, pattern) = (cell(row, query), cell(row, file));
        if text.is_empty() || pattern.is_empty() {
            return Err(bad(format!("line {line}: expected a query and a file")));
        }
        let glob = GlobBuilder::new(pattern).literal_separator(true).case_insensitive(true).build();
        let glob = glob.map_err(|e| bad(format!("line {line}: {e}")))?;
        match queries.iter_mut().find(|(known, _)| known == text) {
            Some((_, patterns)) => drop(patterns.add(glob)),
            None => {
                let mut patterns = GlobSetBuilder::new();
                patterns.add(glob);
                queries.push((text.to_owned(), patterns));
            }
        }
    }
    queries
        .into_iter()
        .map(|(query, patterns)| {
            let patterns = patterns.build().map_err(|e| bad(e.to_string()))?;
            Ok(Search { query, patterns })
        })
        .collect()
}

/// Asks the searches of the clips of `index` that lie in the folder `root`, in each of [`WAYS`].
///
/// # Errors
/// [`EvalError::Nothing`] if no clip of the index lies there; errors of the model and of the index.
pub fn run(
    engine: &Engine,
    index: &dyn IndexReader,
    root: &Path,
    searches: &[Search],
) -> Result<SearchesReport, EvalError> {
    let root = absolute_path(root).map_err(|e| EvalError::io(root, &e))?;
    let filter = Filter { path_within: Some(stored_path(&root)), ..Filter::default() };
    let clips = index.clips(&filter)?;
    if clips.is_empty() {
        let reason = "no clip of the index lies in it; index the folder first".to_owned();
        return Err(EvalError::Nothing { path: root, reason });
    }
    let mut queries = Vec::new();
    for search in searches {
        let right: HashSet<ClipId> = clips
            .iter()
            .filter(|clip| {
                let path = file_path(&clip.meta.path);
                path.strip_prefix(&root).is_ok_and(|inside| search.patterns.is_match(inside))
            })
            .map(|clip| clip.id)
            .collect();
        let text = Asking::new(engine, index, &search.query)?;
        let ways = WAYS.map(|by| text.ranked(engine, index, &filter, by));
        let ways = ways.into_iter().collect::<Result<Vec<_>, EvalError>>()?;
        let ways = ways.into_iter().map(|hits| report::way(hits, &right, KEPT)).collect();
        queries.push(QueryFigures::new(text.asked(), right.len(), ways));
    }
    Ok(SearchesReport::new(engine.model().manifest().id.clone(), clips.len(), queries))
}

/// A query, encoded.
struct Asking<'a> {
    query: &'a str,
    names: NameQuery,
    vector: Embedding,
    familiarity: Option<f32>,
    spread: Spread,
}

impl<'a> Asking<'a> {
    fn new(engine: &Engine, index: &dyn IndexReader, query: &'a str) -> Result<Self, EvalError> {
        let names = NameQuery::parse(query);
        let prompts = engine.prompts(names.text(), &[])?;
        let encoded = engine.encode_texts(&prompts.iter().map(String::as_str).collect::<Vec<_>>())?;
        let familiarity = KnownText::of(query, &encoded).and_then(|known| known.familiarity);
        let parts: Vec<_> = encoded.into_iter().map(|one| (one.query, 1.0)).collect();
        let vector = combine(engine, &parts)?;
        let spread = index.spread(vector.as_slice())?;
        Ok(Self { query, names, vector, familiarity, spread })
    }

    fn asked(&self) -> Asked {
        let usual = SoundQuery { spread: self.spread, familiarity: self.familiarity }.usual();
        Asked { query: self.query.to_owned(), familiarity: self.familiarity, usual }
    }

    fn ranked(
        &self,
        engine: &Engine,
        index: &dyn IndexReader,
        filter: &Filter,
        by: By,
    ) -> Result<Vec<Ranked>, EvalError> {
        let ranking = Ranking {
            by,
            vector: self.vector.as_slice(),
            names: &self.names,
            read: engine.model().manifest().scores.likelihood.map(|read| (read, self.familiarity)),
            request: SearchRequest {
                k: DEPTH,
                kind: QueryKind::Text,
                filter: filter.clone(),
                ..SearchRequest::default()
            },
            is_strict: false,
        };
        let ranked = rank(index, &ranking)?.hits.into_iter();
        Ok(ranked
            .map(|hit| Ranked {
                clip: hit.hit.clip.id,
                path: hit.hit.clip.meta.path.clone(),
                score: hit.hit.score,
                probability: hit.probability,
                coverage: hit.named.map(|named| named.coverage),
                is_right: false,
            })
            .collect())
    }
}
