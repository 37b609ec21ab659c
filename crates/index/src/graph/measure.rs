//! How much a graph finds, and how fast: recall@10 against comparing with every row, for both kinds of query.

use std::time::Instant;

use super::figures::{KindFigures, Measured};
use super::frozen::FrozenGraph;
use super::walk::Walk;
use crate::error::Result;
use crate::published::pieces::{Piece, Pieces};
use crate::query::QueryKind;
use crate::scan::codes::Coder;
use crate::scan::{Admitted, Scan};

/// Candidates that are tried (`ef`).
const LADDER: [u32; 9] = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/// Hits that are compared: recall@10.
pub const MEASURED_HITS: usize = 10;

/// Stored vectors that are asked for, at most.
pub const MEASURED_SOUNDS: usize = 100;

/// Length of the noise that is added to them; theirs is 1. So a query is as far from what is stored (a cosine
/// of 0.7) as another recording of the same thing. Nearer ones are easier: of 1,000,000 segments, `ef` 64
/// found 96 % with noise of
/// 0.3, and 94 % of what sounds asked for that were not among them.
const NOISE: f32 = 1.0;

/// More recall than this is not worth more time.
pub const ENOUGH: f32 = 0.999;

/// Measures a graph with `texts` (`[queries, dim]`, unit length) and with sounds of its own.
pub(crate) fn measure(
    piece: &Piece,
    graph: &FrozenGraph,
    coder: &Coder,
    texts: &[f32],
) -> Result<(KindFigures, KindFigures)> {
    let ruler = Ruler { alone: Pieces(vec![piece.clone()]), graph, coder };
    let dim = coder.dim().max(1);
    let texts: Vec<Vec<f32>> = texts.chunks_exact(dim).map(<[f32]>::to_vec).collect();
    Ok((ruler.measure(QueryKind::Text, &texts)?, ruler.measure(QueryKind::Sound, &ruler.sounds()?)?))
}

struct Ruler<'a> {
    alone: Pieces,
    graph: &'a FrozenGraph,
    coder: &'a Coder,
}

impl Ruler<'_> {
    fn piece(&self) -> &Piece {
        &self.alone.0[0]
    }

    /// Stored vectors with noise, evenly spread.
    fn sounds(&self) -> Result<Vec<Vec<f32>>> {
        let rows = self.piece().segment.rows();
        let alive =
            (0..rows).step_by((rows / MEASURED_SOUNDS).max(1)).filter(|row| !self.piece().dead.is_dead(*row));
        alive
            .take(MEASURED_SOUNDS)
            .map(|row| Ok(with_noise(self.piece().segment.row(row)?.1, row as u64)))
            .collect()
    }

    fn task<'t>(&'t self, query: &'t [f32]) -> Scan<'t> {
        Scan {
            pieces: &self.alone,
            admitted: &Admitted::All,
            query,
            k: MEASURED_HITS,
            collapse: true,
            once: false,
        }
    }

    fn measure(&self, kind: QueryKind, queries: &[Vec<f32>]) -> Result<KindFigures> {
        let mut figures = KindFigures { queries: queries.len() as u32, ..KindFigures::default() };
        let Some(first) = queries.first() else { return Ok(figures) };
        // The first search checks what it reads.
        self.task(first).by_codes(self.coder)?;
        self.graph.check()?;
        let started = Instant::now();
        let truth =
            queries.iter().map(|query| self.task(query).by_codes(self.coder)).collect::<Result<Vec<_>>>()?;
        figures.scan_ms = mean_ms(started, queries.len());
        for ef in LADDER {
            let started = Instant::now();
            let (mut right, mut all) = (0, 0);
            for (query, truth) in queries.iter().zip(&truth) {
                let found = self.walk(query, kind, ef as usize)?;
                all += truth.len();
                right += truth.iter().filter(|hit| found.contains(hit)).count();
            }
            let recall = right as f32 / all.max(1) as f32;
            figures.measured.push(Measured { ef, recall, ms: mean_ms(started, queries.len()) });
            if recall >= ENOUGH {
                break;
            }
        }
        Ok(figures)
    }

    fn walk(&self, query: &[f32], kind: QueryKind, ef: usize) -> Result<Vec<crate::scan::Scored>> {
        let coded = self.coder.query(query);
        let piece = self.piece();
        let walk = Walk { segment: &piece.segment, graph: self.graph, coder: self.coder, query: &coded };
        let rows = walk.nearest(kind, ef, |row| !piece.dead.is_dead(row))?;
        let task = self.task(query);
        task.compare(task.candidates_of(self.coder, &coded, 0, &rows)?)
    }
}

fn mean_ms(started: Instant, count: usize) -> f32 {
    (started.elapsed().as_secs_f64() * 1e3 / count.max(1) as f64) as f32
}

/// `vector` with noise in a random direction, of unit length: a query for a sound like it.
#[must_use]
pub fn with_noise(vector: &[f32], seed: u64) -> Vec<f32> {
    let scaled = |mut v: Vec<f32>| {
        let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        v.iter_mut().for_each(|x| *x /= norm);
        v
    };
    let random =
        |i: usize| (crate::scan::codes::mix(seed << 32 | i as u64) >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
    let noise = scaled((0..vector.len()).map(random).collect());
    scaled(vector.iter().zip(noise).map(|(x, n)| x + NOISE * n).collect())
}
