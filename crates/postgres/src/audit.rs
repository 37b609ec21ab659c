//! Whether a space is sound.

use std::collections::HashMap;

use earmark_index::{
    AuditReport, Filter, IndexReader as _, MAX_AUDIT_PROBLEMS, Result, SearchMode, SearchRequest, check_unit,
};

use crate::index::PgIndex;

/// Segments that are searched for at most: each search compares all of them.
const SEARCHES: usize = 200;

/// What one search may find at most before the segment itself counts as not found: others that sound the same.
const SAME: usize = 50;

/// Cosine from which two vectors are the same.
const SAME_COSINE: f32 = 0.999_99;

impl PgIndex {
    /// Reads every vector, counts each clip's segments, and searches for some segments by their own vectors.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`]. Damage is in the report.
    pub fn audit(&self) -> Result<AuditReport> {
        let mut report = AuditReport::default();
        let mut problems = Vec::new();
        let mut add = |problem: String| {
            if problems.len() < MAX_AUDIT_PROBLEMS {
                problems.push(problem);
            }
        };
        let mut counted: HashMap<u64, u32> = HashMap::new();
        let mut sample = Vec::new();
        let step = self.stats()?.segments.div_ceil(SEARCHES).max(1);
        self.for_each_segment(&Filter::default(), &mut |one| {
            let id = one.clip.id;
            if let Err(e) = check_unit(one.vector, self.dim()) {
                add(format!("clip {id}, segment {}: {e}", one.segment));
            }
            let (start_s, end_s) = (one.start_s, one.end_s);
            if !(start_s.is_finite() && end_s.is_finite() && 0.0 <= start_s && start_s <= end_s) {
                add(format!("clip {id}, segment {}: {start_s} s to {end_s} s", one.segment));
            }
            let seen = counted.entry(id).or_default();
            if one.segment != *seen {
                add(format!("clip {id}: expected segment {seen}, got {}", one.segment));
            }
            *seen += 1;
            if report.segments % step == 0 {
                sample.push((id, one.segment, one.vector.to_vec()));
            }
            report.segments += 1;
            true
        })?;
        for clip in self.clips(&Filter::default())? {
            report.clips += 1;
            let found = counted.remove(&clip.id).unwrap_or_default();
            if found != clip.segments {
                add(format!("clip {} has {} segments, {found} are there", clip.id, clip.segments));
            }
        }
        for (id, segment, vector) in sample {
            let request =
                SearchRequest { k: SAME, mode: SearchMode::Exact, collapse: false, ..Default::default() };
            let hits = self.search(&vector, &request)?.hits;
            report.searched += 1;
            let is_it = |hit: &earmark_index::Hit| hit.clip.id == id && hit.segment == segment;
            let is_found = hits.iter().any(is_it)
                || hits.len() == SAME && hits.iter().all(|hit| hit.score >= SAME_COSINE);
            report.found += usize::from(is_found);
        }
        report.graphs = self.measure_built()?;
        report.problems = problems;
        Ok(report)
    }
}
