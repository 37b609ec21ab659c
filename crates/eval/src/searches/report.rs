//! What was found, in figures.

use std::collections::HashSet;
use std::fmt::Write as _;

use earmark_index::ClipId;
use serde::Serialize;

use super::{TOP, WAYS};

/// The names of [`WAYS`], in their order.
const NAMES: [&str; WAYS.len()] = ["sound", "name", "both"];

/// A query as it was asked.
pub(super) struct Asked {
    pub(super) query: String,
    pub(super) familiarity: Option<f32>,
    pub(super) usual: (f32, f32),
}

/// A hit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// The clip.
    #[serde(skip)]
    pub clip: ClipId,
    /// Its path.
    pub path: String,
    /// Its cosine.
    pub score: f32,
    /// The probability that it is right, if the model's cosines are calibrated.
    pub probability: Option<f32>,
    /// How much of the query its name, tags and metadata have; absent if they have nothing of it.
    pub coverage: Option<f32>,
    /// Whether it is right.
    pub is_right: bool,
}

/// One query, ranked one way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WayFigures {
    /// `sound`, `name` or `both`.
    pub by: &'static str,
    /// Share of right hits among the first [`TOP`]; missing hits count as wrong.
    pub precision: f64,
    /// One over the rank of the first right hit; 0 if there is none.
    pub reciprocal_rank: f64,
    /// The first hits, more than are measured: enough to calibrate probabilities with.
    pub hits: Vec<Ranked>,
}

/// One query.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueryFigures {
    /// The query.
    pub query: String,
    /// Clips that are right.
    pub right: usize,
    /// Probability that the model knows the query's words, if it can tell.
    pub familiarity: Option<f32>,
    /// What cosines are usual for the query in this library: mean and standard deviation.
    pub usual: (f32, f32),
    /// The best precision that there can be.
    pub attainable: f64,
    /// By sound, by name, by both.
    pub ways: Vec<WayFigures>,
}

/// Means over all queries that something is right for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Means {
    /// `sound`, `name` or `both`.
    pub by: &'static str,
    /// Mean precision among the first [`TOP`].
    pub precision: f64,
    /// Mean share of the attainable precision.
    pub of_attainable: f64,
    /// Mean reciprocal rank.
    pub mrr: f64,
}

/// Hits with a probability, by its size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// `sound` or `both`.
    pub by: &'static str,
    /// Hits.
    pub hits: usize,
    /// Their mean probability.
    pub said: f64,
    /// The share of them that is right.
    pub was: f64,
}

/// What searches found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SearchesReport {
    /// The model.
    pub model: String,
    /// Clips that were searched.
    pub clips: usize,
    /// Each query.
    pub queries: Vec<QueryFigures>,
    /// The means, by sound, by name, by both.
    pub means: Vec<Means>,
    /// Whether probabilities can be relied on.
    pub reliability: Vec<ReliabilityBin>,
}

/// The figures of hits, the first `kept` of which are kept.
pub(super) fn way(mut hits: Vec<Ranked>, right: &HashSet<ClipId>, kept: usize) -> WayFigures {
    hits.iter_mut().for_each(|hit| hit.is_right = right.contains(&hit.clip));
    let first = hits.iter().position(|hit| hit.is_right);
    let found = hits.iter().take(TOP).filter(|hit| hit.is_right).count();
    hits.truncate(kept);
    WayFigures {
        by: "",
        precision: found as f64 / TOP as f64,
        reciprocal_rank: first.map_or(0.0, |rank| 1.0 / (rank + 1) as f64),
        hits,
    }
}

impl QueryFigures {
    pub(super) fn new(asked: Asked, right: usize, ways: Vec<WayFigures>) -> Self {
        let ways = ways.into_iter().zip(NAMES).map(|(way, by)| WayFigures { by, ..way }).collect();
        let Asked { query, familiarity, usual } = asked;
        let attainable = right.min(TOP) as f64 / TOP as f64;
        Self { query, right, familiarity, usual, attainable, ways }
    }
}

impl SearchesReport {
    pub(super) fn new(model: String, clips: usize, queries: Vec<QueryFigures>) -> Self {
        let asked: Vec<&QueryFigures> = queries.iter().filter(|query| query.right > 0).collect();
        let n = asked.len().max(1) as f64;
        let mean = |number: usize, figure: &dyn Fn(&QueryFigures, &WayFigures) -> f64| {
            asked.iter().map(|query| figure(query, &query.ways[number])).sum::<f64>() / n
        };
        let means = NAMES.iter().enumerate().map(|(number, by)| Means {
            by,
            precision: mean(number, &|_, way| way.precision),
            of_attainable: mean(number, &|query, way| way.precision / query.attainable),
            mrr: mean(number, &|_, way| way.reciprocal_rank),
        });
        let means = means.collect();
        let reliability = ["sound", "both"].into_iter().flat_map(|by| reliability(&queries, by)).collect();
        Self { model, clips, queries, means, reliability }
    }

    /// The figures as a table.
    #[must_use]
    pub fn table(&self) -> String {
        let width = self.queries.iter().map(|query| query.query.chars().count()).max().unwrap_or(0).max(12);
        let mut text = format!("{:width$}  right  {:>17}  {:>17}\n", "", "precision@10", "reciprocal rank");
        let header = NAMES.map(|name| format!("{name:>5}")).join(" ");
        text.push_str(&format!("{:width$}  {:>5}  {header}  {header}\n", "query", "clips"));
        for query in &self.queries {
            let row = |figure: &dyn Fn(&WayFigures) -> f64| {
                query.ways.iter().map(|way| format!("{:5.2}", figure(way))).collect::<Vec<_>>().join(" ")
            };
            let (precision, rank) = (row(&|way| way.precision), row(&|way| way.reciprocal_rank));
            let padding = " ".repeat(width - query.query.chars().count());
            let _ = writeln!(text, "{}{padding}  {:5}  {precision}  {rank}", query.query, query.right);
        }
        let row = |figure: &dyn Fn(&Means) -> f64| {
            self.means.iter().map(|mean| format!("{:5.2}", figure(mean))).collect::<Vec<_>>().join(" ")
        };
        let (precision, mrr) = (row(&|mean| mean.precision), row(&|mean| mean.mrr));
        let _ = writeln!(text, "{:width$}  {:5}  {precision}  {mrr}", "mean", "");
        let _ = writeln!(text, "{:width$}  {:5}  {}", "of attainable", "", row(&|mean| mean.of_attainable));
        if !self.reliability.is_empty() {
            let _ = writeln!(text, "\nprobability  hits  said   was");
        }
        for bin in &self.reliability {
            let _ = writeln!(text, "{:11}  {:4}  {:.2}  {:.2}", bin.by, bin.hits, bin.said, bin.was);
        }
        text
    }
}

/// Fifths of probability, of the first hits of all queries, those without right answers too.
fn reliability(queries: &[QueryFigures], by: &'static str) -> Vec<ReliabilityBin> {
    const BINS: usize = 5;
    let mut bins = [(0_usize, 0.0_f64, 0_usize); BINS];
    let ways = queries.iter().flat_map(|query| query.ways.iter().filter(|way| way.by == by));
    for hit in ways.flat_map(|way| way.hits.iter().take(TOP)) {
        let Some(p) = hit.probability else { continue };
        let bin = &mut bins[((p * BINS as f32) as usize).min(BINS - 1)];
        *bin = (bin.0 + 1, bin.1 + f64::from(p), bin.2 + usize::from(hit.is_right));
    }
    let of_bin = |(hits, said, right): (usize, f64, usize)| {
        let n = hits as f64;
        (hits > 0).then(|| ReliabilityBin { by, hits, said: said / n, was: right as f64 / n })
    };
    bins.into_iter().filter_map(of_bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(clip: ClipId) -> Ranked {
        let (path, probability) = (String::new(), Some(0.5));
        Ranked { clip, path, score: 0.5, probability, coverage: None, is_right: false }
    }

    #[test]
    fn precision_counts_missing_hits_and_the_rank_is_that_of_the_first_right_one() {
        let right = HashSet::from([7, 9]);
        let figures = way([1, 7, 9].map(ranked).to_vec(), &right, 50);
        assert_eq!((figures.precision, figures.reciprocal_rank), (0.2, 0.5));
        let none = way([1, 2].map(ranked).to_vec(), &right, 50);
        assert_eq!((none.precision, none.reciprocal_rank), (0.0, 0.0));
        let late = way((100..111).chain([7]).map(ranked).collect(), &right, 3);
        assert_eq!((late.precision, late.reciprocal_rank, late.hits.len()), (0.0, 1.0 / 12.0, 3));
    }

    #[test]
    fn means_leave_out_queries_that_nothing_is_right_for() {
        let query = |right: usize, precision: f64| {
            let way = WayFigures { by: "", precision, reciprocal_rank: precision, hits: Vec::new() };
            let asked = Asked { query: "q".to_owned(), familiarity: None, usual: (0.0, 0.1) };
            QueryFigures::new(asked, right, vec![way; 3])
        };
        let report =
            SearchesReport::new("m".to_owned(), 9, vec![query(5, 0.4), query(0, 0.0), query(20, 1.0)]);
        assert!((report.means[0].precision - 0.7).abs() < 1e-9);
        assert!((report.means[0].of_attainable - 0.9).abs() < 1e-9);
        assert!(report.table().contains("of attainable"));
    }
}
