//! Searching an index of which some segments have graphs: those by walking, the others by their codes.

use std::path::Path;
use std::sync::Arc;

use super::frozen::{self, FrozenGraph};
use super::measure::MEASURED_HITS;
use super::walk::Walk;
use crate::error::Result;
use crate::published::list::Listed;
use crate::query::{QueryKind, SearchMode, SearchRequest};
use crate::scan::codes::Coder;
use crate::scan::{Admitted, Scan, Scored};

/// With more candidates than this, comparing with every row is as fast.
const MAX_EF: usize = 8192;

/// The graphs of a list's segments, in its order.
#[derive(Default)]
pub(crate) struct Graphs(Vec<Option<Arc<FrozenGraph>>>);

impl Graphs {
    /// Opens those that there are in `folder`; one that is open in `before` and the same still is not opened
    /// again. `tell` gets what is wrong with those that cannot be used.
    pub(crate) fn open(
        folder: &Path,
        segments: &[Listed],
        dim: usize,
        before: Option<&Self>,
        mut tell: impl FnMut(String),
    ) -> Self {
        let open = |listed: &Listed| {
            let path = frozen::path(folder, listed.name);
            let known = before.and_then(|before| before.0.iter().flatten().find(|graph| graph.is_at(&path)));
            if let Some(known) = known {
                return Some(Arc::clone(known));
            }
            FrozenGraph::open(&path, listed, dim)
                .unwrap_or_else(|e| {
                    tell(e.to_string());
                    None
                })
                .map(Arc::new)
        };
        Self(segments.iter().map(open).collect())
    }

    /// The graph of a piece.
    pub(crate) fn get(&self, piece: usize) -> Option<&Arc<FrozenGraph>> {
        self.0.get(piece)?.as_ref()
    }

    /// All there are.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<FrozenGraph>> {
        self.0.iter().flatten()
    }

    /// How many candidates to keep in each piece's graph; None where its rows are compared by their codes.
    pub(crate) fn plan(&self, request: &SearchRequest, admitted: &Admitted) -> Efs {
        let more = request.k.div_ceil(MEASURED_HITS).max(1);
        let ef = |graph: &Arc<FrozenGraph>| {
            let figures = graph.figures().of(request.kind);
            let measured = match (request.mode, admitted) {
                (SearchMode::Exact, _) => None,
                (SearchMode::Graph, _) => {
                    return Some(match (request.ef, figures.best()) {
                        (Some(ef), _) => ef.max(request.k),
                        (None, Some(best)) => best.ef as usize * more,
                        (None, None) => MAX_EF,
                    });
                }
                // What a graph finds was measured without a filter, and the fewer rows pass it, the faster
                // codes are.
                (SearchMode::Auto, Admitted::Only(_)) => None,
                // Walks take the longer the more hits are asked for, scans hardly.
                (SearchMode::Auto, Admitted::All) => {
                    figures.sufficient().filter(|m| m.ms * (more as f32) < figures.scan_ms)
                }
            };
            measured.map(|m| m.ef as usize * more).filter(|ef| *ef <= MAX_EF)
        };
        Efs(self.0.iter().map(|graph| graph.as_ref().and_then(ef)).collect())
    }
}

/// How to search each piece.
pub(crate) struct Efs(Vec<Option<usize>>);

impl Efs {
    /// Whether any graph is walked.
    pub(crate) fn has_walks(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }
}

/// One search.
pub(crate) struct GraphSearch<'a> {
    pub(crate) task: &'a Scan<'a>,
    pub(crate) graphs: &'a Graphs,
    pub(crate) coder: &'a Coder,
    pub(crate) kind: QueryKind,
}

impl GraphSearch<'_> {
    /// The best rows that were found, best first, `task.k` at most.
    pub(crate) fn run(&self, plan: &Efs) -> Result<Vec<Scored>> {
        let query = self.coder.query(self.task.query);
        let ef = |piece: usize| plan.0.get(piece).copied().flatten();
        let mut all = self.task.scan(self.coder, &query, &|piece| ef(piece).is_none())?;
        for (piece, p) in self.task.pieces.0.iter().enumerate() {
            let (Some(ef), Some(graph)) = (ef(piece), self.graphs.get(piece)) else { continue };
            let walk = Walk { segment: &p.segment, graph, coder: self.coder, query: &query };
            let rows = walk.nearest(self.kind, ef, |row| self.task.admits(piece, row))?;
            all.extend(self.task.candidates_of(self.coder, &query, piece, &rows)?);
        }
        self.task.prune(&mut all);
        self.task.compare(all)
    }
}
