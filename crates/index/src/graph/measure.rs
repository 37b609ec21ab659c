//! How much a graph finds, and how fast: recall@10 against comparing with every row, for both kinds of query.

use std::time::Instant;

use super::LEAST_RECALL;
use super::frozen::Graph;
use super::walk::Walk;
use crate::error::Result;
use crate::published::pieces::{Piece, Pieces};
use crate::query::QueryKind;
use crate::scan::codes::Coder;
use crate::scan::{Admitted, Task};

/// Candidates that are tried (`ef`).
const LADDER: [u32; 9] = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/// Hits that are compared: recall@10.
pub(super) const MEASURED_HITS: usize = 10;

/// Stored vectors that are asked for, at most.
const SOUNDS: usize = 100;

/// Length of the noise that is added to them; theirs is 1. So a query is as far from what is stored (a cosine
/// of 0.7) as another recording of the same thing. Nearer ones are easier: of 1,000,000 segments, `ef` 64
/// found 96 % with noise of
/// 0.3, and 94 % of what sounds asked for that were not among them.
const NOISE: f32 = 1.0;

/// More recall than this is not worth more time.
const ENOUGH: f32 = 0.999;

/// What one number of candidates finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Candidates that the search kept (`ef`).
    pub ef: u32,
    /// Share of the ten best rows that it found, 0 to 1.
    pub recall: f32,
    /// Mean time of a search on one thread, milliseconds.
    pub ms: f32,
}

/// What was measured with one kind of query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KindFigures {
    /// How many queries were asked.
    pub queries: u32,
    /// Mean time of comparing with every row, on all cores, milliseconds.
    pub scan_ms: f32,
    /// By growing `ef`.
    pub measured: Vec<Measured>,
}

impl KindFigures {
    /// The fewest candidates that find enough.
    #[must_use]
    pub fn sufficient(&self) -> Option<Measured> {
        self.measured.iter().copied().find(|m| m.recall >= LEAST_RECALL)
    }

    /// The fewest candidates that find enough, or else those that find most.
    #[must_use]
    pub fn best(&self) -> Option<Measured> {
        let most = || self.measured.iter().copied().max_by(|a, b| a.recall.total_cmp(&b.recall));
        self.sufficient().or_else(most)
    }
}

/// What was measured of a graph when it was built.
#[derive(Clone, Default, PartialEq)]
pub struct Figures {
    /// When that was, seconds since 1970.
    pub built_unix_s: i64,
    /// How long building took, seconds.
    pub seconds: f32,
    /// With texts; no queries where no texts were given.
    pub text: KindFigures,
    /// With stored vectors that noise was added to.
    pub sound: KindFigures,
    /// The texts that were asked for, `[queries, dim]`, so that they can be asked for again.
    pub(crate) texts: Vec<f32>,
}

// Without the texts' vectors, which are tens of thousands of numbers.
impl std::fmt::Debug for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { built_unix_s, seconds, text, sound, texts: _ } = self;
        f.debug_struct("Figures")
            .field("built_unix_s", built_unix_s)
            .field("seconds", seconds)
            .field("text", text)
            .field("sound", sound)
            .finish_non_exhaustive()
    }
}

impl Figures {
    /// Of one kind of query.
    #[must_use]
    pub fn of(&self, kind: QueryKind) -> &KindFigures {
        match kind {
            QueryKind::Text => &self.text,
            QueryKind::Sound => &self.sound,
        }
    }

    /// The bytes that `FORMAT.md` describes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.built_unix_s.to_le_bytes().to_vec();
        out.extend_from_slice(&self.seconds.to_le_bytes());
        for kind in [&self.text, &self.sound] {
            out.extend_from_slice(&kind.queries.to_le_bytes());
            out.extend_from_slice(&kind.scan_ms.to_le_bytes());
            out.extend_from_slice(&(kind.measured.len() as u32).to_le_bytes());
            for m in &kind.measured {
                out.extend_from_slice(&m.ef.to_le_bytes());
                out.extend_from_slice(&m.recall.to_le_bytes());
                out.extend_from_slice(&m.ms.to_le_bytes());
            }
        }
        self.texts.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes()));
        out
    }

    /// None if that is not what [`Self::encode`] wrote for vectors of `dim` elements.
    pub(super) fn decode(bytes: &[u8], dim: usize) -> Option<Self> {
        let (start, mut rest) = bytes.split_at_checked(12)?;
        let built_unix_s = i64::from_le_bytes(start[..8].try_into().ok()?);
        let seconds = f32::from_le_bytes(start[8..].try_into().ok()?);
        let mut word = || {
            let (word, after) = rest.split_first_chunk::<4>()?;
            rest = after;
            Some(*word)
        };
        let mut kind = || {
            let queries = u32::from_le_bytes(word()?);
            let scan_ms = f32::from_le_bytes(word()?);
            let count = u32::from_le_bytes(word()?);
            let measured = (0..count).map(|_| {
                let ef = u32::from_le_bytes(word()?);
                Some(Measured { ef, recall: f32::from_le_bytes(word()?), ms: f32::from_le_bytes(word()?) })
            });
            Some(KindFigures { queries, scan_ms, measured: measured.collect::<Option<_>>()? })
        };
        let (text, sound) = (kind()?, kind()?);
        let (texts, none) = rest.as_chunks::<4>();
        let texts: Vec<f32> = texts.iter().map(|x| f32::from_le_bytes(*x)).collect();
        let is_whole = none.is_empty() && texts.len() == text.queries as usize * dim;
        is_whole.then_some(Self { built_unix_s, seconds, text, sound, texts })
    }
}

/// Measures a graph with `texts` (`[queries, dim]`, unit length) and with sounds of its own.
pub(crate) fn measure(
    piece: &Piece,
    graph: &Graph,
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
    graph: &'a Graph,
    coder: &'a Coder,
}

impl Ruler<'_> {
    fn piece(&self) -> &Piece {
        &self.alone.0[0]
    }

    /// Stored vectors with noise, evenly spread.
    fn sounds(&self) -> Result<Vec<Vec<f32>>> {
        let rows = self.piece().segment.rows();
        let alive = (0..rows).step_by((rows / SOUNDS).max(1)).filter(|row| !self.piece().dead.is_dead(*row));
        alive.take(SOUNDS).map(|row| Ok(with_noise(self.piece().segment.row(row)?.1, row as u64))).collect()
    }

    fn task<'t>(&'t self, query: &'t [f32]) -> Task<'t> {
        Task {
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

/// `vector` with noise in a random direction, of unit length.
fn with_noise(vector: &[f32], seed: u64) -> Vec<f32> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_back_as_they_were_or_not_at_all() {
        let measured = vec![
            Measured { ef: 16, recall: 0.9, ms: 0.1 },
            Measured { ef: 64, recall: 0.991, ms: 0.2 },
            Measured { ef: 128, recall: 0.9985, ms: 0.4 },
        ];
        let text = KindFigures { queries: 2, scan_ms: 5.0, measured: measured[..1].to_vec() };
        let sound = KindFigures { queries: 100, scan_ms: 4.0, measured };
        let figures = Figures { built_unix_s: -5, seconds: 2.5, text, sound, texts: vec![0.5; 6] };
        let bytes = figures.encode();
        assert_eq!(Figures::decode(&bytes, 3), Some(figures.clone()));
        assert_eq!(Figures::decode(&bytes, 4), None);
        assert!((0..bytes.len()).all(|to| Figures::decode(&bytes[..to], 3).is_none()));
        assert_eq!(figures.sound.sufficient().map(|m| m.ef), Some(128));
        assert_eq!(figures.text.sufficient(), None);
        assert_eq!(figures.text.best().map(|m| m.ef), Some(16));
    }
}
