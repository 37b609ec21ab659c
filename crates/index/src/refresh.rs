//! Saving what is derived from the store, letting it grow, and making it anew.

use std::time::Instant;

use crate::codec::{self, Counters};
use crate::derived::Memory;
use crate::error::Result;
use crate::flat::{self, Unusable};
use crate::graph::Graph;
use crate::graph_files;
use crate::index::{Index, random_u128};
use crate::report::{IndexEvent, RebuildReport};
use crate::store::{Writes, lock};
use crate::vectors::Matrix;

/// Rows from which the flat copy is worth writing. Measured (examples/measure.rs, 521 elements): sled gives
/// up 170 rows a millisecond, so that fewer than these are read in some 10 ms.
const FLAT_MIN_ROWS: usize = 2048;

/// The flat copy and the graph are left as they are until one row in this many is new.
const MIN_GROWTH: usize = 20;

/// All is made anew when one row in this many is dead.
const MAX_DEAD: usize = 5;

impl Index {
    /// Writes the flat copy if it is worth it; a failure is told, since only speed is lost.
    pub(crate) fn save_flat(&self, memory: &mut Memory) {
        let Some(matrix) = memory.matrix.as_ref().filter(|_| self.is_writable()) else { return };
        let saved = memory.saved.as_ref().map_or(0, |saved| saved.rows as usize);
        let graph = memory.graph.as_ref().map_or(0, |graph| graph.rows);
        let fresh = matrix.rows().saturating_sub(saved);
        let wanted = fresh >= FLAT_MIN_ROWS.max(saved / MIN_GROWTH) || graph > saved;
        if !wanted {
            return;
        }
        let id = random_u128();
        let Counters { stamp, next_seq, .. } = memory.counters;
        let anchored = flat::save(&self.dir, matrix, id, stamp, next_seq).map_err(|e| e.to_string());
        let anchored = anchored.and_then(|header| {
            let value = codec::encode(&id).map_err(|e| e.to_string())?;
            let writes = Writes::from([(codec::ANCHOR_KEY.to_vec(), Some(value))]);
            self.store.commit(writes).map_err(|e| e.to_string())?;
            Ok(header)
        });
        match anchored {
            Ok(header) => memory.saved = Some(header),
            Err(reason) => self.tell(IndexEvent::CacheNotSaved { reason }),
        }
    }

    /// Makes searches fast: brings the flat copy on disk up to date, and in an index of at least
    /// [`crate::OpenOptions::graph_min_rows`] segments loads, builds or extends the graph (minutes, for the
    /// first time in a large index; searches go on meanwhile, by exact scan). For the end of an indexing job,
    /// and the start of a server.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`], [`crate::Error::Io`]. That derived files could not be written is an event,
    /// not an error.
    pub fn refresh_graph(&self) -> Result<()> {
        self.refresh(self.opts.graph_min_rows)
    }

    pub(crate) fn refresh(&self, graph_min_rows: usize) -> Result<()> {
        let _one_at_a_time = lock(&self.refreshing);
        drop(self.loaded(false)?);
        let mut memory = self.write_memory();
        if memory.matrix.as_ref().is_some_and(|matrix| matrix.dead() * MAX_DEAD > matrix.rows()) {
            let anew = self.read_matrix()?;
            memory.replace_matrix(anew, None);
        }
        let rows = memory.matrix.as_ref().map_or(0, Matrix::rows);
        if rows < graph_min_rows.max(1) {
            self.save_flat(&mut memory);
            return Ok(());
        }
        let ready = memory.graph.take();
        drop(memory);
        let grown = self.grown_graph(ready)?;
        let mut memory = self.write_memory();
        let lineage = memory.matrix.as_ref().map(|matrix| matrix.lineage);
        let changed = grown.as_ref().is_some_and(|(_, changed)| *changed);
        memory.graph = grown.map(|(graph, _)| graph).filter(|graph| Some(graph.lineage) == lineage);
        self.save_flat(&mut memory);
        drop(memory);
        let memory = self.read_memory();
        // Only the flat copy keeps the rows in this order: a graph of rows that it lacks would be of other
        // rows next time.
        let kept = memory.saved.as_ref().map_or(0, |saved| saved.rows as usize);
        if let Some(graph) = memory.graph.as_ref().filter(|graph| changed && graph.rows <= kept)
            && self.is_writable()
            && let Err(e) = graph_files::save(&self.dir, graph)
        {
            self.tell(IndexEvent::CacheNotSaved { reason: e.to_string() });
        }
        Ok(())
    }

    /// The graph over all full blocks of the matrix (give or take what is not worth inserting), from `ready`,
    /// from disk or from nothing; and whether it differs from the one on disk. None if it cannot be built.
    fn grown_graph(&self, ready: Option<Graph>) -> Result<Option<(Graph, bool)>> {
        let memory = self.loaded(false)?;
        let Some(matrix) = &memory.matrix else { return Ok(None) };
        let kept = memory.saved.as_ref().map_or(0, |saved| saved.rows as usize);
        let mut graph = match ready {
            Some(graph) => graph,
            None => match graph_files::load(&self.dir, matrix, kept) {
                Ok(graph) => graph,
                Err(unusable) => {
                    if let Unusable::Bad(reason) = unusable {
                        self.tell(IndexEvent::GraphUnusable { reason });
                    }
                    Graph::new(matrix, matrix.rows())
                }
            },
        };
        let end = matrix.full_rows();
        let fresh: Vec<u32> =
            (graph.rows..end).filter(|row| matrix.is_alive(*row)).map(|row| row as u32).collect();
        // Inserting takes long, and needs the blocks only, which do not change.
        drop(memory);
        if fresh.is_empty() || (graph.rows > 0 && fresh.len() < graph.rows / MIN_GROWTH) {
            return Ok(Some((graph, false)));
        }
        let start = Instant::now();
        if let Err(reason) = graph.insert(&fresh, end) {
            self.tell(IndexEvent::GraphUnusable { reason });
            return Ok(None);
        }
        let seconds = start.elapsed().as_secs_f64();
        self.tell(IndexEvent::GraphBuilt { rows: graph.points(), inserted: fresh.len(), seconds });
        Ok(Some((graph, true)))
    }

    /// Makes all that is derived from the store anew: the vectors in memory, the flat copy, and the graph if
    /// the index is large enough for one.
    ///
    /// # Errors
    /// [`crate::Error::ReadOnly`], [`crate::Error::Corrupt`], [`crate::Error::Io`].
    pub fn rebuild(&self) -> Result<RebuildReport> {
        self.check_writable()?;
        let start = Instant::now();
        let dropped_dead = {
            let _one_at_a_time = lock(&self.refreshing);
            let mut memory = self.write_memory();
            let dead = memory.matrix.as_ref().map_or(0, Matrix::dead);
            graph_files::remove(&self.dir);
            let anew = self.read_matrix()?;
            memory.replace_matrix(anew, None);
            dead
        };
        self.refresh_graph()?;
        let memory = self.read_memory();
        Ok(RebuildReport {
            rows: memory.matrix.as_ref().map_or(0, Matrix::rows),
            dropped_dead,
            graph: memory.graph.is_some(),
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}
