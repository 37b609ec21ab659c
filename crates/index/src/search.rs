//! The exact scan: compare the query with every admitted row and keep the best.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::thread;

use crate::types::ClipId;
use crate::vectors::{Matrix, cosine};

/// Elements that one thread should at least compare. Starting a thread takes some 20 us, in which a core
/// compares about 100 000 elements; a million makes that small change.
const ELEMENTS_PER_THREAD: usize = 1 << 20;

/// More threads than this find memory, not arithmetic, in their way.
const MAX_THREADS: usize = 8;

/// The clips a filter lets through; `All` when there is no filter.
pub(crate) enum Admitted {
    All,
    Only(HashSet<ClipId>),
}

impl Admitted {
    pub(crate) fn contains(&self, clip: ClipId) -> bool {
        match self {
            Admitted::All => true,
            Admitted::Only(clips) => clips.contains(&clip),
        }
    }
}

/// A row and its score, ordered so that the better one is `Less`: sorting puts the best first, and a max-heap
/// has the worst on top.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored {
    pub(crate) score: f32,
    pub(crate) clip: ClipId,
    pub(crate) start_s: f64,
    pub(crate) segment: u32,
    pub(crate) row: usize,
}

impl Scored {
    pub(crate) fn new(matrix: &Matrix, row: usize, score: f32) -> Self {
        let info = matrix.info(row);
        // -0.0 and 0.0 are the same score, but not the same to total_cmp.
        let score = score + 0.0;
        Self { score, clip: info.clip, start_s: info.start_s, segment: info.segment, row }
    }
}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then(self.clip.cmp(&other.clip))
            .then(self.start_s.total_cmp(&other.start_s))
            .then(self.segment.cmp(&other.segment))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scored {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scored {}

/// What to keep while scanning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keep {
    pub(crate) k: usize,
    pub(crate) min_score: Option<f32>,
    pub(crate) collapse: bool,
}

/// The best rows of the spans, which are ranges of rows; best first.
pub(crate) fn scan(matrix: &Matrix, spans: &[(usize, usize)], query: &[f32], keep: Keep) -> Vec<Scored> {
    let rows: usize = spans.iter().map(|(from, to)| to - from).sum();
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = (rows * query.len() / ELEMENTS_PER_THREAD).clamp(1, cores.min(MAX_THREADS));
    if keep.k == 0 || rows == 0 {
        return Vec::new();
    }
    let found = if threads == 1 {
        scan_spans(matrix, spans, query, keep)
    } else {
        let parts = split(spans, rows.div_ceil(threads));
        thread::scope(|scope| {
            let workers: Vec<_> =
                parts.iter().map(|part| scope.spawn(move || scan_spans(matrix, part, query, keep))).collect();
            workers
                .into_iter()
                .flat_map(|worker| match worker.join() {
                    Ok(found) => found,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
                .collect()
        })
    };
    best(found, keep)
}

/// Sorts what was found, keeps one row a clip if asked to, and at most `k`.
pub(crate) fn best(mut found: Vec<Scored>, keep: Keep) -> Vec<Scored> {
    found.sort_unstable();
    if keep.collapse {
        let mut seen = HashSet::new();
        found.retain(|scored| seen.insert(scored.clip));
    }
    found.truncate(keep.k);
    found
}

/// Cuts the spans into lists of about `rows` rows each.
fn split(spans: &[(usize, usize)], rows: usize) -> Vec<Vec<(usize, usize)>> {
    let mut parts = vec![Vec::new()];
    let mut room = rows;
    for &(mut from, to) in spans {
        while from < to {
            if room == 0 {
                parts.push(Vec::new());
                room = rows;
            }
            let take = room.min(to - from);
            if let Some(part) = parts.last_mut() {
                part.push((from, from + take));
            }
            from += take;
            room -= take;
        }
    }
    parts
}

/// [`scan`] on this thread alone.
pub(crate) fn scan_here(matrix: &Matrix, spans: &[(usize, usize)], query: &[f32], keep: Keep) -> Vec<Scored> {
    best(scan_spans(matrix, spans, query, keep), keep)
}

fn scan_spans(matrix: &Matrix, spans: &[(usize, usize)], query: &[f32], keep: Keep) -> Vec<Scored> {
    let mut heap: BinaryHeap<Scored> = BinaryHeap::new();
    if keep.k == 0 {
        return Vec::new();
    }
    // The best row of the clip being scanned: a clip's rows are neighbours, so one is enough.
    let mut pending: Option<Scored> = None;
    let mut offer = |scored: Scored| {
        if heap.len() < keep.k {
            heap.push(scored);
        } else if heap.peek().is_some_and(|worst| scored < *worst) {
            heap.pop();
            heap.push(scored);
        }
    };
    for row in spans.iter().flat_map(|&(from, to)| from..to).filter(|row| matrix.is_alive(*row)) {
        let score = cosine(query, matrix.row(row));
        if keep.min_score.is_some_and(|min| score < min) {
            continue;
        }
        let scored = Scored::new(matrix, row, score);
        if !keep.collapse {
            offer(scored);
        } else {
            match &mut pending {
                Some(best) if best.clip == scored.clip => *best = scored.min(*best),
                _ => {
                    if let Some(done) = pending.replace(scored) {
                        offer(done);
                    }
                }
            }
        }
    }
    if let Some(done) = pending {
        offer(done);
    }
    heap.into_vec()
}

/// The spans of rows to scan for the admitted clips, and how many live rows and clips they hold.
pub(crate) fn admitted_spans(matrix: &Matrix, admitted: &Admitted) -> (Vec<(usize, usize)>, usize, usize) {
    match admitted {
        Admitted::All => (vec![(0, matrix.rows())], matrix.live(), matrix.clips().len()),
        Admitted::Only(clips) => {
            let mut spans: Vec<_> = clips
                .iter()
                .filter_map(|clip| matrix.clip_rows(*clip))
                .map(|(first, count)| (first, first + count))
                .collect();
            spans.sort_unstable();
            let rows = spans.iter().map(|(from, to)| to - from).sum();
            let clips = spans.len();
            (spans, rows, clips)
        }
    }
}

/// Clips in memory, for filters.
pub(crate) type ClipTable = HashMap<ClipId, std::sync::Arc<crate::types::Clip>>;
