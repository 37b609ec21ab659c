//! Whether the published files are sound, and whether searches find what is in them.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::published::layout::CODE_BLOCK;
use crate::published::segment::Plane;
use crate::report::AuditReport;
use crate::scan::{Admitted, Scan};
use crate::snapshot::Snapshot;
use crate::vectors::{check_unit, cosine};

/// Searches at most, and rows to compare in all of them: a larger index is searched for a sample of its
/// segments, spread evenly, and the report says how many. Comparing so many rows takes a few seconds on two
/// cores.
const MAX_SEARCHES: usize = 1000;
const MAX_COMPARED: usize = 200_000_000;

/// How much a score may fall short of a vector's cosine with itself.
const SCORE_TOLERANCE: f32 = 1e-6;

/// Problems found so far, of which only the first are listed.
#[derive(Default)]
pub(crate) struct Problems(pub(crate) Vec<String>);

impl Problems {
    pub(crate) fn add(&mut self, problem: impl FnOnce() -> String) {
        if self.0.len() < crate::MAX_AUDIT_PROBLEMS {
            self.0.push(problem());
        }
    }

    /// What a check gave; damage is a problem, and anything else that goes wrong an error.
    pub(crate) fn note<T>(&mut self, checked: Result<T>) -> Result<Option<T>> {
        match checked {
            Ok(value) => Ok(Some(value)),
            Err(e @ (Error::Published { .. } | Error::Corrupt { .. })) => {
                self.add(|| e.to_string());
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}

/// Whether a segment's times make sense.
pub(crate) fn are_times_sound(start_s: f64, end_s: f64) -> bool {
    start_s.is_finite() && end_s.is_finite() && 0.0 <= start_s && start_s <= end_s
}

impl Snapshot {
    /// Reads every byte of the published files and checks that all agree with each other, and that searches
    /// find segments by their own vectors: all of them in a small index, an evenly spread sample in a large
    /// one.
    ///
    /// # Errors
    /// [`Error::Io`]. Damage is in the report.
    pub fn audit(&self) -> Result<AuditReport> {
        let mut problems = Problems::default();
        let mut report = AuditReport::default();
        if self.list.lost > 0 {
            problems.add(|| format!("{} acknowledged batches are lost", self.list.lost));
        }
        self.audit_rows(&mut problems)?;
        let checked = self.audit_clips(&mut problems, &mut report);
        problems.note(checked)?;
        let totals = &self.list.totals;
        if (totals.clips, totals.segments) != (report.clips as u64, report.segments as u64)
            && problems.0.is_empty()
        {
            problems.add(|| {
                let (clips, segments) = (report.clips, report.segments);
                format!(
                    "{clips} clips, {segments} segments, but the list says {}, {}",
                    totals.clips, totals.segments
                )
            });
        }
        if problems.0.is_empty() {
            self.audit_search(&mut report)?;
            report.graphs = problems.note(self.measure_graphs())?.unwrap_or_default();
        }
        report.problems = problems.0;
        Ok(report)
    }

    fn audit_rows(&self, problems: &mut Problems) -> Result<()> {
        let dim = self.list.header.identity.dim;
        for piece in &self.pieces.0 {
            let segment = &piece.segment;
            for block in 0..segment.rows().div_ceil(CODE_BLOCK) {
                for plane in [Plane::Coarse, Plane::Fine] {
                    problems.note(segment.codes(block, plane).map(drop))?;
                }
            }
            for row in 0..segment.rows() {
                let Some((record, vector)) = problems.note(segment.row(row))? else { continue };
                if let Err(e) = check_unit(vector, dim) {
                    problems.add(|| format!("clip {}, segment {}: {e}", record.clip, record.segment));
                }
                if !are_times_sound(record.start_s, record.end_s) {
                    let (start_s, end_s) = (record.start_s, record.end_s);
                    problems.add(|| {
                        format!("clip {}, segment {}: {start_s} s to {end_s} s", record.clip, record.segment)
                    });
                }
            }
            for at in 0..segment.entries() {
                problems.note(segment.entry(at).map(drop))?;
            }
        }
        Ok(())
    }

    /// Each clip has its rows, alive and in order; each live row has its clip; each clip is found by its
    /// path.
    fn audit_clips(&self, problems: &mut Problems, report: &mut AuditReport) -> Result<()> {
        let mut paths = HashMap::new();
        let mut live = 0;
        self.pieces.for_each_clip(|view| {
            report.clips += 1;
            report.segments += view.segments as usize;
            if let Some(meta) = &view.meta
                && let Some(other) = paths.insert(meta.path, view.id)
            {
                problems.add(|| format!("clips {other} and {} are both at {}", view.id, meta.path));
            }
            if view.segments == 0 {
                return Ok(true);
            }
            let Some(place) = self.pieces.place(&view).filter(|place| place.count == view.segments as usize)
            else {
                problems.add(|| format!("the segments of clip {} are missing", view.id));
                return Ok(true);
            };
            let piece = &self.pieces.0[place.piece];
            for (segment, row) in (0u32..).zip(place.first..place.first + place.count) {
                let (record, _) = piece.segment.row(row)?;
                live += 1;
                if (record.clip, record.segment) != (view.id, segment) || piece.dead.is_dead(row) {
                    problems.add(|| {
                        format!("clip {}, segment {segment}: its row is another's, or dead", view.id)
                    });
                }
            }
            Ok(true)
        })?;
        let rows = self.pieces.rows() - self.pieces.dead();
        if live != rows {
            problems.add(|| format!("{rows} live rows, {live} of them of clips that are there"));
        }
        for (path, id) in &paths {
            if self.pieces.find_path(path)?.map(|view| view.id) != Some(*id) {
                problems.add(|| format!("clip {id} is not found by its path"));
            }
        }
        Ok(())
    }

    /// Searches for segments by their own vectors: found is the segment itself, or one that sounds the same.
    fn audit_search(&self, report: &mut AuditReport) -> Result<()> {
        let live: Vec<(usize, usize)> = self
            .pieces
            .0
            .iter()
            .enumerate()
            .flat_map(|(at, piece)| {
                (0..piece.segment.rows()).filter(|row| !piece.dead.is_dead(*row)).map(move |row| (at, row))
            })
            .collect();
        let searches = (MAX_COMPARED / live.len().max(1)).clamp(1, MAX_SEARCHES);
        for (piece, row) in live.iter().step_by(live.len().div_ceil(searches).max(1)) {
            let (_, vector) = self.pieces.0[*piece].segment.row(*row)?;
            // Not by a graph, which may miss some.
            let (pieces, admitted) = (&self.pieces, &Admitted::All);
            let task = Scan { pieces, admitted, query: vector, k: 1, collapse: false, once: false };
            let best = task.by_codes(&self.coder)?.first().map_or(-1.0, |found| found.score);
            report.searched += 1;
            report.found += usize::from(best >= cosine(vector, vector) - SCORE_TOLERANCE);
        }
        Ok(())
    }
}
