//! [`GraphBuilder`]: gives segments their graphs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::build::{Build, Rows8};
use super::checkpoint;
use super::figures::{Figures, Method};
use super::frozen::{self, FrozenGraph};
use super::measure::measure;
use crate::clock::unix_now_s;
use crate::error::{Error, Result};
use crate::interface::IndexReader as _;
use crate::lock_file::LockFile;
use crate::published::list;
use crate::published::pieces::Piece;
use crate::snapshot::Snapshot;
use crate::steps;
use crate::types::Header;
use crate::vectors::check_unit;

/// The folder in which graphs are built, in an index's folder.
const FOLDER: &str = "graph";

/// The file in it that is locked while one is built.
const LOCK: &str = "lock";

/// Rows that are inserted before the caller is asked whether to go on.
const CHUNK: usize = 1 << 11;

/// How often an unfinished graph is written to disk.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

/// The segment of the index in `dir` whose graph is begun and unfinished: its name, and its header's checksum.
pub(crate) fn begun(dir: &Path) -> Option<(u64, u64)> {
    checkpoint::segment(&dir.join(FOLDER))
}

/// How graphs are built.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Threads; 0 for all cores.
    pub threads: usize,
    /// Segments with fewer rows get no graph: comparing so few is as fast.
    pub least_rows: usize,
    /// Build graphs again that are there.
    pub again: bool,
    /// How often an unfinished graph is written to disk.
    pub checkpoint_every: Duration,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self { threads: 0, least_rows: 10_000, again: false, checkpoint_every: CHECKPOINT_EVERY }
    }
}

/// What [`GraphBuilder::build`] did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BuildReport {
    /// Graphs that were built.
    pub graphs: usize,
    /// Rows in them.
    pub rows: usize,
    /// Of these rows, those that an earlier build had inserted before it was cut off.
    pub resumed: usize,
    /// How long it took, seconds.
    pub seconds: f64,
    /// It was stopped before all graphs were built; the next build goes on from there.
    pub is_stopped: bool,
}

/// Builds graphs for an index: the only one at a time, beside any readers and the writer.
#[derive(Debug)]
pub struct GraphBuilder {
    work: PathBuf,
    folder: PathBuf,
    _lock: LockFile,
}

impl GraphBuilder {
    /// For the index in `dir`.
    ///
    /// # Errors
    /// [`Error::GraphLocked`], [`Error::ReadOnly`], [`Error::Io`].
    pub fn open(dir: &Path) -> Result<Self> {
        let work = dir.join(FOLDER);
        let path = work.join(LOCK);
        fs::create_dir_all(&work).map_err(|e| Error::io(dir, &path, e))?;
        let lock = LockFile::open(dir, &path)?;
        if !lock.try_lock() {
            return Err(Error::GraphLocked { dir: dir.to_path_buf() });
        }
        Ok(Self { work, folder: list::folder(dir), _lock: lock })
    }

    /// Gives each large segment of `snapshot` a graph, unless it has one. `texts` (`[dim]` each, unit length)
    /// are what text queries look like: the graph is measured with them. `go_on` is called now and then with
    /// the rows done and the rows there are to do; if it gives false, what is unfinished is kept for the next
    /// time.
    ///
    /// # Errors
    /// [`Error::DimMismatch`], [`Error::NotUnit`], [`Error::NonFinite`] for the texts; [`Error::Published`],
    /// [`Error::DiskFull`], [`Error::Io`]; [`Error::Graph`] where hnsw_rs gives up.
    pub fn build(
        &self,
        snapshot: &Snapshot,
        texts: &[Vec<f32>],
        opts: &BuildOptions,
        go_on: &mut (dyn FnMut(usize, usize) -> bool + Send),
    ) -> Result<BuildReport> {
        let Header { identity, .. } = snapshot.header();
        texts.iter().try_for_each(|text| check_unit(text, identity.dim))?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(opts.threads).build();
        let pool = pool.map_err(|e| self.failed(e.to_string()))?;
        let started = Instant::now();
        let mut report = BuildReport::default();
        let pending: Vec<&Piece> = snapshot.without_graph(opts.least_rows, opts.again).collect();
        let total = pending.iter().map(|piece| piece.segment.rows()).sum();
        for piece in pending {
            let done = report.rows;
            let mut go_on = |rows: usize| go_on(done + rows, total);
            let is_done = pool.install(|| {
                self.build_one(snapshot, piece, &texts.concat(), opts, &mut report, &mut go_on)
            })?;
            if !is_done {
                report.is_stopped = true;
                break;
            }
            report.graphs += 1;
            report.rows += piece.segment.rows();
        }
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// False if it was stopped.
    fn build_one(
        &self,
        snapshot: &Snapshot,
        piece: &Piece,
        texts: &[f32],
        opts: &BuildOptions,
        report: &mut BuildReport,
        go_on: &mut (dyn FnMut(usize) -> bool + Send),
    ) -> Result<bool> {
        let started = Instant::now();
        let dim = snapshot.header().identity.dim;
        let rows = Arc::new(Rows8::of(&piece.segment, dim)?);
        let (mut build, mut next) = match checkpoint::load(&self.work, &piece.listed, &rows) {
            Some((build, next)) => {
                report.resumed += build.points();
                (build, next)
            }
            None => (Build::new(&rows, piece.segment.rows()), 0),
        };
        let mut saved = Instant::now();
        while next < piece.segment.rows() {
            let end = (next + CHUNK).min(piece.segment.rows());
            let alive: Vec<u32> =
                (next..end).filter(|row| !piece.dead.is_dead(*row)).map(|row| row as u32).collect();
            build.insert(&alive).map_err(|what| self.failed(what))?;
            next = end;
            let stop = !go_on(next);
            if next < piece.segment.rows() && (stop || saved.elapsed() >= opts.checkpoint_every) {
                let kept = checkpoint::save(&self.work, &piece.listed, &build, next);
                kept.map_err(|e| Error::io(&self.work, &self.work, e))?;
                steps::reached("checkpoint");
                saved = Instant::now();
                if stop {
                    return Ok(false);
                }
            }
        }
        let (links, points) = (build.links(piece.segment.rows()), build.points());
        // Its memory is as large as the vectors.
        drop((build, rows));
        let write = |figures: &Figures, to: &Path| {
            FrozenGraph::write(&links, points, &piece.listed, figures, &self.work, to)
                .map_err(|e| Error::io(&self.work, to, e))
        };
        // Written twice, since what was measured lies before the links (FORMAT.md), and a graph is measured as
        // it is read: mapped.
        let draft = self.work.join("measured.graph");
        write(&Figures::default(), &draft)?;
        let graph = FrozenGraph::open(&draft, &piece.listed, dim)?;
        let graph = graph.ok_or_else(|| self.failed("the graph that was written is gone".to_owned()))?;
        let (text, sound) = measure(piece, &graph, &snapshot.coder, texts)?;
        drop(graph);
        let _ = fs::remove_file(&draft);
        let built_unix_s = unix_now_s();
        let seconds = started.elapsed().as_secs_f32();
        let figures =
            Figures { method: Method::Hnsw, built_unix_s, seconds, text, sound, texts: texts.to_vec() };
        steps::reached("graph-measured");
        write(&figures, &frozen::path(&self.folder, piece.listed.name))?;
        steps::reached("graph");
        checkpoint::remove(&self.work);
        Ok(true)
    }

    fn failed(&self, what: String) -> Error {
        Error::Graph { dir: self.work.clone(), what }
    }
}
