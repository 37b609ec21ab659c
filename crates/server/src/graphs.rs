//! Graphs built in the background, one at a time on one thread, for segments that are large and stay.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use earmark_engine::graph::build_graphs;
use earmark_engine::{Engine, EngineError};
use earmark_index::{BuildOptions, Error, GraphBuilder, LiveIndex, Snapshot};
use earmark_library::Live;

use crate::config::Bounds;

/// The thread that builds them.
pub(crate) struct Graphs {
    stop: Arc<Stop>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Stop {
    is_set: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Stop {
    fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }

    /// Waits so long; true once it is set.
    fn wait(&self, time: Duration) -> bool {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.changed.wait_timeout_while(guard, time, |()| !self.is_set());
        self.is_set()
    }
}

impl Graphs {
    /// Builds a graph when `graph_segments` rows have none and the index has not changed for `graph_quiet_s`;
    /// never if `graph_segments` is 0.
    pub(crate) fn start(engine: Arc<Engine>, index: Live, bounds: &Bounds) -> std::io::Result<Self> {
        let (least_rows, quiet) = (bounds.graph_segments, Duration::from_secs_f64(bounds.graph_quiet_s));
        let stop = Arc::<Stop>::default();
        let stopped = Arc::clone(&stop);
        let Live::Local(index) = index else {
            // A database has graphs of its own kind.
            return Ok(Self { stop, worker: Mutex::new(None) });
        };
        let work = move || {
            let mut before: Option<Arc<Snapshot>> = None;
            while !stopped.wait(quiet) {
                let snapshot = index.reader();
                let is_quiet = before.as_ref().is_some_and(|before| before.is_same_state(&snapshot));
                if is_quiet && snapshot.rows_without_graph() >= least_rows {
                    build(&engine, &index, least_rows, &stopped);
                }
                before = Some(snapshot);
            }
        };
        let worker = if least_rows == 0 {
            None
        } else {
            Some(std::thread::Builder::new().name("graphs".to_owned()).spawn(work)?)
        };
        Ok(Self { stop, worker: Mutex::new(worker) })
    }

    /// Stops it; an unfinished graph is kept for the next time.
    pub(crate) fn shut_down(&self) {
        {
            let _guard = self.stop.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.stop.is_set.store(true, Ordering::Relaxed);
        }
        self.stop.changed.notify_all();
        if let Some(worker) = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = worker.join();
        }
    }
}

impl Drop for Graphs {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn build(engine: &Engine, index: &LiveIndex, rows: usize, stop: &Stop) {
    let built = || {
        let builder = GraphBuilder::open(index.dir())?;
        // The right to write is needed for the merge alone.
        index.write()?.compact()?;
        let usual = BuildOptions::default();
        let opts = BuildOptions { threads: 1, least_rows: usual.least_rows.min(rows), ..usual };
        build_graphs(engine, &builder, &index.reader(), &opts, &mut |_, _| !stop.is_set())
    };
    match built() {
        Ok(report) if report.is_stopped => tracing::info!("the graph is unfinished; it goes on next time"),
        Ok(report) => tracing::info!(rows = report.rows, seconds = report.seconds, "graph built"),
        // Another process is at it, or writes: there will be another time.
        Err(EngineError::Index(Error::GraphLocked { .. } | Error::Locked { .. })) => {}
        Err(e) => tracing::warn!(error = %e, "no graph"),
    }
}
