//! The index in numbers.

use std::fs;
use std::path::Path;

use crate::codec;
use crate::error::Result;
use crate::index::Index;
use crate::report::{GraphState, Stats};

impl Index {
    /// Counts what the index holds. Reads every clip's record.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`], [`crate::Error::Io`].
    pub fn stats(&self) -> Result<Stats> {
        let memory = self.read_memory();
        let mut stats = Stats {
            clips: 0,
            segments: 0,
            dead: memory.matrix.as_ref().map_or(0, |matrix| matrix.dead()),
            disk_bytes: disk_bytes(&self.dir),
            duration_s: 0.0,
            failures: 0,
            graph: memory.graph.as_ref().map_or(GraphState::NotLoaded, |graph| GraphState::Ready {
                rows: graph.points(),
                dead: memory.matrix.as_ref().map_or(0, |matrix| graph.dead(matrix)),
            }),
            commits: memory.counters.stamp.commit,
        };
        for item in self.clip_records()? {
            let (_, record) = item?;
            stats.clips += 1;
            stats.segments += record.segments as usize;
            stats.duration_s += record.meta.duration_s;
        }
        for pair in self.store.scan(codec::FAILURE_PREFIX)? {
            pair?;
            stats.failures += 1;
        }
        Ok(stats)
    }
}

/// Bytes in the files under `dir`; what cannot be read does not count.
pub(crate) fn disk_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => disk_bytes(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}
