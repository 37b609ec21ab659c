//! `earmark rebuild --graph`, and what other commands say of graphs.

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use earmark_engine::graph::{build_graphs, graph_queries};
use earmark_index::{BuildOptions, GraphBuilder, Snapshot};
use earmark_library::{Access, Graph, Library, Reader};
use earmark_postgres::PgIndex;
use indicatif::{ProgressBar, ProgressStyle};

use super::info::graph_lines;
use super::verify::RebuildArgs;
use crate::args::Global;
use crate::output::note;
use crate::progress::stop_on_ctrl_c;
use crate::{EXIT_INTERRUPTED, context};

/// Fewer segments are compared in less than a millisecond.
const LEAST_ROWS: usize = 10_000;

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

pub(crate) fn rebuild_graph(global: &Global, args: &RebuildArgs) -> Result<ExitCode> {
    let library = context::library(global, context::place(global)?, Access::Once)?;
    let index = library.index()?;
    let snapshot = match &index {
        Reader::Local(snapshot) => snapshot,
        Reader::Database(index) => return on_server(global, &library, index),
    };
    let dir = snapshot.dir().to_path_buf();
    let builder = GraphBuilder::open(&dir)?;
    let is_large = snapshot.stats_of_graphs().0 >= LEAST_ROWS;
    drop(index);
    if !is_large {
        note!(
            "an index of fewer than {LEAST_ROWS} segments needs no graph: comparing with all of them is as fast"
        );
        return Ok(ExitCode::SUCCESS);
    }
    {
        let writer = context::open_index_to_change(global, &args.wait)?;
        writer.local("`rebuild --graph`")?.compact()?;
        context::tell_events(writer.take_events(), global);
    }
    let snapshot = Snapshot::load_published(&dir)?;
    let engine = library.engine()?;
    let stop = stop_on_ctrl_c()?;
    let mut progress = Progress::new(global.quiet);
    let opts = BuildOptions { least_rows: LEAST_ROWS, ..BuildOptions::default() };
    let report = build_graphs(&engine, &builder, &snapshot, &opts, &mut |done, all| {
        progress.show(done, all);
        !stop.load(Ordering::Relaxed)
    })?;
    drop(progress);
    if report.is_stopped {
        note!("interrupted; what was built is kept, and the same command goes on from here");
        return Ok(ExitCode::from(EXIT_INTERRUPTED));
    }
    if !global.quiet {
        if report.graphs == 0 {
            note!("the graph is up to date");
        }
        for (segments, figures) in Snapshot::load_published(&dir)?.stats_of_graphs().1 {
            graph_lines(&Graph::new(segments, &figures)).iter().for_each(|line| note!("{line}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Has the database build a graph.
fn on_server(global: &Global, library: &Library, index: &PgIndex) -> Result<ExitCode> {
    let engine = library.engine()?;
    if !global.quiet {
        note!("the server builds a graph, and lists; others read and write meanwhile");
    }
    let built = index.build_graph(&graph_queries(&engine)?)?;
    if !global.quiet {
        for (segments, figures) in &built {
            graph_lines(&Graph::new(*segments, figures)).iter().for_each(|line| note!("{line}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How far a build is.
struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    last: Instant,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        use std::io::IsTerminal as _;
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} segments, {eta} left");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, quiet, last: Instant::now() }
    }

    fn show(&mut self, done: usize, all: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        } else if !self.quiet && self.last.elapsed() >= LINE_EVERY {
            note!("{done} of {all} segments");
            self.last = Instant::now();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
