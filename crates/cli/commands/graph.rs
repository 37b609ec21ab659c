//! `earmark rebuild --graph`, and what other commands say of graphs.

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use earmark_engine::graph::build_graphs;
use earmark_index::{BuildOptions, Figures, GraphBuilder, KindFigures, Snapshot};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::args::{Global, RebuildArgs};
use crate::output::note;
use crate::progress::stop_on_ctrl_c;
use crate::{EXIT_INTERRUPTED, context, open};

/// Fewer segments are compared in less than a millisecond.
const LEAST_ROWS: usize = 10_000;

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A graph, in numbers.
#[derive(Serialize)]
pub(crate) struct GraphInfo {
    segments: usize,
    built_unix_s: i64,
    build_s: f32,
    text: Option<KindInfo>,
    sound: Option<KindInfo>,
}

/// What a graph finds for one kind of query.
#[derive(Serialize)]
struct KindInfo {
    /// Share of the ten best that it finds.
    recall_at_10: f32,
    /// Candidates that it keeps for that.
    ef: u32,
    /// On one thread.
    ms: f32,
    /// Comparing with every segment, on all cores.
    scan_ms: f32,
    /// Whether searches use it where nobody asks for it.
    used: bool,
}

impl KindInfo {
    fn of(figures: &KindFigures) -> Option<Self> {
        let best = figures.best()?;
        let used = figures.sufficient().is_some_and(|m| m.ms < figures.scan_ms);
        Some(Self { recall_at_10: best.recall, ef: best.ef, ms: best.ms, scan_ms: figures.scan_ms, used })
    }

    fn in_words(&self, kind: &str) -> String {
        let Self { recall_at_10, ms, scan_ms, used, .. } = self;
        let choice = if *used { "used" } else { "not used" };
        format!(
            "{kind}: recall@10 {recall_at_10:.3} in {ms:.2} ms, {choice} (comparing all: 1.000 in {scan_ms:.2} ms)"
        )
    }
}

impl GraphInfo {
    pub(crate) fn of(segments: usize, figures: &Figures) -> Self {
        Self {
            segments,
            built_unix_s: figures.built_unix_s,
            build_s: figures.seconds,
            text: KindInfo::of(&figures.text),
            sound: KindInfo::of(&figures.sound),
        }
    }

    /// A line for each kind of query.
    pub(crate) fn lines(&self) -> Vec<String> {
        let head = format!("{} segments, built in {:.0} s", self.segments, self.build_s);
        let kinds = [("texts", &self.text), ("sounds", &self.sound)];
        let kinds = kinds.into_iter().filter_map(|(name, kind)| Some(kind.as_ref()?.in_words(name)));
        std::iter::once(head).chain(kinds).collect()
    }
}

pub(crate) fn rebuild_graph(global: &Global, args: &RebuildArgs) -> Result<ExitCode> {
    let (snapshot, model) = context::open_index_and_model(global)?;
    let dir = snapshot.dir().to_path_buf();
    let builder = GraphBuilder::open(&dir)?;
    let is_large = snapshot.stats_of_graphs().0 >= LEAST_ROWS;
    drop(snapshot);
    if !is_large {
        note!(
            "an index of fewer than {LEAST_ROWS} segments needs no graph: comparing with all of them is as fast"
        );
        return Ok(ExitCode::SUCCESS);
    }
    {
        let writer = open::open_index_to_change(global, &args.wait)?;
        writer.compact()?;
        context::tell_events(writer.take_events(), global);
    }
    let snapshot = Snapshot::load_published(&dir)?;
    let engine = context::engine(global, model)?;
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
            GraphInfo::of(segments, &figures).lines().iter().for_each(|line| note!("{line}"));
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
