//! Whether the store is sound, and whether searches find what is stored.

use std::collections::{HashMap, HashSet};
use std::thread;

use crate::codec::{self, ClipRecord, Counters};
use crate::derived::Memory;
use crate::error::Result;
use crate::graph::{EF_SEARCH_MIN, Graph};
use crate::index::Index;
use crate::report::AuditReport;
use crate::search::{self, Keep};
use crate::types::{ClipId, Failure};
use crate::vectors::{Matrix, check_unit, cosine};

/// Elements to compare at most in exact searches: every segment of an index of 40 000 at 521 elements, which takes
/// about a minute on two cores. A larger one is searched for a sample of its segments, spread evenly, and the report
/// says how many. That every other segment is in the matrix is still checked.
const MAX_EXACT_ELEMENTS: usize = 1_000_000_000_000;

/// Segments to search for in the graph at most, at about a millisecond each.
const MAX_GRAPH_SEARCHES: usize = 1_000_000;

/// How much a score may fall short of a vector's cosine with itself.
const SCORE_TOLERANCE: f32 = 1e-6;

/// Problems found so far, of which only the first are listed.
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, problem: impl FnOnce() -> String) {
        if self.0.len() < crate::MAX_AUDIT_PROBLEMS {
            self.0.push(problem());
        }
    }
}

impl Index {
    /// Checks that every record agrees with every other, that every vector is sound, that the vectors in
    /// memory are those in the store, and that searches find segments by their own vectors: all of them in a
    /// small index, an evenly spread sample in a large one.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] if the store cannot even be read, [`crate::Error::Io`].
    pub fn audit(&self) -> Result<AuditReport> {
        let memory = self.loaded(false)?;
        let mut problems = Problems(Vec::new());
        let mut report = AuditReport::default();
        let clips = self.audit_clips(&memory, &mut problems, &mut report)?;
        self.audit_lookups(&clips, &mut problems)?;
        if let Some(matrix) = &memory.matrix {
            if matrix.live() != report.segments {
                problems
                    .add(|| format!("{} vectors in memory, {} in the store", matrix.live(), report.segments));
            }
            audit_exact(matrix, &mut report);
            if let Some(graph) = &memory.graph {
                audit_graph(matrix, graph, &mut report);
            }
        }
        report.problems = problems.0;
        Ok(report)
    }

    /// Each clip, its segments and its vectors.
    fn audit_clips(
        &self,
        memory: &Memory,
        problems: &mut Problems,
        report: &mut AuditReport,
    ) -> Result<HashMap<ClipId, ClipRecord>> {
        let counters: Counters = memory.counters;
        let mut clips = HashMap::new();
        let mut ranges = Vec::new();
        for item in self.clip_records()? {
            let (id, record) = item?;
            if id >= counters.next_clip {
                problems.add(|| format!("clip {id} was never handed out"));
            }
            self.audit_segments(id, &record, memory.matrix.as_ref(), problems)?;
            report.clips += 1;
            report.segments += record.segments as usize;
            ranges.push((record.first_seq, record.first_seq + u64::from(record.segments)));
            clips.insert(id, record);
        }
        ranges.retain(|(from, to)| from < to);
        ranges.sort_unstable();
        if ranges.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            problems.add(|| "two clips share a segment's sequence number".to_string());
        }
        if ranges.last().is_some_and(|last| last.1 > counters.next_seq) {
            problems.add(|| "a segment's sequence number was never handed out".to_string());
        }
        Ok(clips)
    }

    fn audit_segments(
        &self,
        id: ClipId,
        record: &ClipRecord,
        matrix: Option<&Matrix>,
        problems: &mut Problems,
    ) -> Result<()> {
        let rows = matrix.and_then(|matrix| Some((matrix, matrix.clip_rows(id)?)));
        let mut segment = 0;
        let mut vector = Vec::with_capacity(self.dim());
        self.read_segments(id, |start_s, end_s, elements| {
            vector.clear();
            vector.extend(elements.iter().map(|b| f32::from_le_bytes(*b)));
            if let Err(e) = check_unit(&vector, self.dim()) {
                problems.add(|| format!("clip {id}, segment {segment}: {e}"));
            }
            if !(start_s.is_finite() && end_s.is_finite() && 0.0 <= start_s && start_s <= end_s) {
                problems.add(|| format!("clip {id}, segment {segment}: {start_s} s to {end_s} s"));
            }
            let in_memory = rows.is_some_and(|(matrix, (first, count))| {
                let row = first + segment;
                segment < count
                    && matrix.is_alive(row)
                    && matrix.row(row) == vector
                    && matrix.info(row).seq == record.first_seq + segment as u64
                    && (matrix.info(row).start_s, matrix.info(row).end_s) == (start_s, end_s)
            });
            if !in_memory {
                problems.add(|| format!("clip {id}, segment {segment}: not the same in memory"));
            }
            segment += 1;
        })?;
        if segment != record.segments as usize {
            problems.add(|| format!("clip {id} has {segment} of {} segments", record.segments));
        }
        Ok(())
    }

    /// Every lookup leads to a clip, every clip has its lookups, no segment is without its clip.
    fn audit_lookups(&self, clips: &HashMap<ClipId, ClipRecord>, problems: &mut Problems) -> Result<()> {
        let mut paths = HashSet::new();
        for pair in self.store.scan(codec::PATH_PREFIX)? {
            let (key, value) = pair?;
            let id: ClipId = codec::decode(&value).map_err(|what| self.store.corrupt(what))?;
            if clips.get(&id).is_some_and(|clip| clip.meta.path.as_bytes() == &key[1..]) {
                paths.insert(id);
            } else {
                problems.add(|| format!("path {} leads nowhere", String::from_utf8_lossy(&key[1..])));
            }
        }
        let mut hashes = HashSet::new();
        for pair in self.store.scan(codec::HASH_PREFIX)? {
            let (key, _) = pair?;
            let id = codec::u64_at(&key, 33).unwrap_or(0);
            if clips.get(&id).is_some_and(|clip| clip.meta.content_hash == key[1..33]) {
                hashes.insert(id);
            } else {
                problems.add(|| format!("a content hash leads to clip {id}, which has another"));
            }
        }
        for id in clips.keys() {
            if !paths.contains(id) || !hashes.contains(id) {
                problems.add(|| format!("clip {id} cannot be looked up by path or content"));
            }
        }
        for pair in self.store.scan(codec::CHUNK_PREFIX)? {
            let (key, _) = pair?;
            let owned = codec::parse_chunk_key(&key).is_some_and(|(id, chunk)| {
                clips.get(&id).is_some_and(|clip| chunk < codec::chunk_count(clip.segments, self.dim()))
            });
            if !owned {
                problems.add(|| format!("segments without a clip (key {key:?})"));
            }
        }
        for pair in self.store.scan(codec::FAILURE_PREFIX)? {
            let (key, value) = pair?;
            let failure: Result<Failure, _> = codec::decode(&value);
            if failure.is_ok_and(|failure| failure.path.as_bytes() != &key[1..]) {
                problems.add(|| "a failure is filed under another path".to_string());
            }
        }
        Ok(())
    }
}

/// `count` of the live rows at most, spread evenly.
fn sample(matrix: &Matrix, count: usize) -> Vec<usize> {
    let live: Vec<usize> = (0..matrix.rows()).filter(|row| matrix.is_alive(*row)).collect();
    let step = live.len().div_ceil(count.max(1)).max(1);
    live.into_iter().step_by(step).collect()
}

/// Searches for each of `rows` by its own vector, on all cores, and counts how often `best_score` (of a
/// search for a vector) is as good as the vector's cosine with itself: the segment itself was found, or one
/// that sounds the same.
fn self_recall(matrix: &Matrix, rows: &[usize], best_score: impl Fn(&[f32]) -> Option<f32> + Sync) -> usize {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let found = |row: usize| {
        let vector = matrix.row(row);
        best_score(vector).is_some_and(|best| best >= cosine(vector, vector) - SCORE_TOLERANCE)
    };
    let found = &found;
    thread::scope(|scope| {
        let workers: Vec<_> = rows
            .chunks(rows.len().div_ceil(cores).max(1))
            .map(|part| scope.spawn(move || part.iter().filter(|row| found(**row)).count()))
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(0)).sum()
    })
}

fn audit_exact(matrix: &Matrix, report: &mut AuditReport) {
    let searches = MAX_EXACT_ELEMENTS / (matrix.rows() * matrix.dim()).max(1);
    let rows = sample(matrix, searches);
    let keep = Keep { k: 1, min_score: None, collapse: false };
    let all = [(0, matrix.rows())];
    report.exact_searched = rows.len();
    report.exact_found = self_recall(matrix, &rows, |vector| {
        search::scan_here(matrix, &all, vector, keep).first().map(|best| best.score)
    });
}

fn audit_graph(matrix: &Matrix, graph: &Graph, report: &mut AuditReport) {
    let mut rows = sample(matrix, MAX_GRAPH_SEARCHES);
    rows.retain(|row| *row < graph.rows);
    report.graph_searched = rows.len();
    report.graph_found = self_recall(matrix, &rows, |vector| {
        let nearest = graph.nearest(vector, 1, EF_SEARCH_MIN);
        nearest.first().map(|row| cosine(vector, matrix.row(*row)))
    });
}
