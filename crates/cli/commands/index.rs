//! `earmark index`

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use earmark_engine::ingest::{IngestEvent, IngestOptions, IngestReport, ingest};
use earmark_engine::{WalkOptions, walk};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::{Global, IndexArgs};
use crate::output::note;
use crate::units::{amount, bytes};
use crate::{EXIT_INTERRUPTED, EXIT_SOME_FAILED, context, output};

/// Failed files that are listed by name; the rest are counted.
const LISTED_FAILURES: usize = 20;

pub(crate) fn run(global: &Global, args: IndexArgs) -> Result<ExitCode> {
    let dir = context::db_dir(global)?;
    let walk_options = WalkOptions {
        any_extension: args.all_files,
        hidden: args.hidden,
        exclude: args.exclude,
        missing_ok: args.prune,
    };
    // First of all, so that a typing error does not leave an empty index.
    let walked = walk(&args.paths, &walk_options)?;
    let (index, model) = context::create_index_and_model(global)?;
    let engine = context::engine(global, model)?;
    let options = IngestOptions {
        prune: args.prune,
        force: args.force,
        retry_failed: args.retry_failed,
        tags: args.tags,
    };
    let stop = stop_on_ctrl_c()?;
    let mut progress = Progress::new(global.quiet);
    let report = ingest(&engine, &index, walked, &options, &stop, |event| progress.tell(event))?;
    progress.finish();
    context::tell_events(&index, global);
    if args.json {
        output::json(&report)?;
    }
    if !global.quiet && !args.json {
        summarise(&report);
        note!("index: {}", dir.display());
    }
    // Failures are errors, which even --quiet shows.
    list_failures(&report);
    Ok(if report.interrupted {
        note!("interrupted; what was finished is in the index, and the same command goes on from here");
        ExitCode::from(EXIT_INTERRUPTED)
    } else if report.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_SOME_FAILED)
    })
}

/// A flag that the first Ctrl-C sets; the second ends the program at once.
fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(EXIT_INTERRUPTED));
        }
        note!("\nfinishing the batch; press Ctrl-C again to stop at once (nothing finished is lost)");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}

fn summarise(report: &IngestReport) {
    let mut parts = Vec::new();
    let counts = [
        (report.added, "added"),
        (report.updated, "updated"),
        (report.moved, "moved"),
        (report.copied, "copied"),
        (report.pruned, "pruned"),
        (report.unchanged, "unchanged"),
        (report.retagged, "given new tags"),
        (report.failed.len(), "failed"),
        (report.known_bad, "known to be bad"),
    ];
    parts.extend(counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    if parts.is_empty() {
        parts.push("no sound files found".to_owned());
    }
    let mut line = parts.join(", ");
    if report.audio_s > 0.0 {
        let rate = report.audio_s / report.seconds.max(1e-9);
        line += &format!(
            "; {} of audio in {} ({rate:.0} x real time)",
            amount(report.audio_s),
            amount(report.seconds)
        );
    }
    if report.other_files > 0 {
        line += &format!("; {} passed over, not named like sound files", report.other_files);
    }
    note!("{line}");
    for path in &report.truncated {
        note!("warning: {}: ends before its header says; indexed what is there", output::short(path));
    }
    if report.known_bad > 0 {
        note!("`earmark list --failed` says what is bad; --retry-failed tries again");
    }
}

fn list_failures(report: &IngestReport) {
    for failed in report.failed.iter().take(LISTED_FAILURES) {
        let path = output::short(&failed.path);
        note!("failed: {path}: {}", output::reason(&failed.path, &failed.reason));
    }
    if report.failed.len() > LISTED_FAILURES {
        let more = report.failed.len() - LISTED_FAILURES;
        note!("failed: and {more} more; `earmark list --failed` or --json lists them");
    }
}

/// A bar on a terminal, a line every few seconds elsewhere, nothing when quiet.
struct Progress {
    shown: Shown,
    started: Instant,
    files: usize,
    bytes: u64,
    done_files: usize,
    done_bytes: u64,
    audio_s: f64,
}

enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines { last: Instant },
}

/// Time between progress lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

impl Progress {
    fn new(quiet: bool) -> Self {
        let shown = if quiet {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            Shown::Bar(ProgressBar::hidden())
        } else {
            Shown::Lines { last: Instant::now() }
        };
        let started = Instant::now();
        Self { shown, started, files: 0, bytes: 0, done_files: 0, done_bytes: 0, audio_s: 0.0 }
    }

    fn tell(&mut self, event: IngestEvent<'_>) {
        match event {
            IngestEvent::Planned { files, bytes } => {
                (self.files, self.bytes) = (files, bytes);
                if matches!(self.shown, Shown::Bar(_)) && files > 0 {
                    let bar = ProgressBar::new(bytes);
                    // The template is constant; if it were wrong the default bar would do.
                    if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent}%  {msg}") {
                        bar.set_style(style);
                    }
                    self.shown = Shown::Bar(bar);
                }
            }
            IngestEvent::Decoded { audio_s } => {
                self.audio_s = audio_s;
                self.show();
            }
            IngestEvent::File { bytes, .. } => {
                self.done_files += 1;
                self.done_bytes += bytes;
                self.show();
            }
        }
    }

    fn message(&self) -> String {
        let elapsed = self.started.elapsed().as_secs_f64().max(1e-9);
        // By size, which is known beforehand; while the first file is not done there is nothing to go by.
        let eta = if self.done_bytes == 0 {
            "unknown yet".to_owned()
        } else {
            let share = self.done_bytes as f64 / self.bytes.max(1) as f64;
            amount(elapsed * (1.0 - share) / share)
        };
        format!(
            "{}/{} files, {} of {}  {} of audio  {:.0} x real time  ETA {eta}",
            self.done_files,
            self.files,
            bytes(self.done_bytes),
            bytes(self.bytes),
            amount(self.audio_s),
            self.audio_s / elapsed
        )
    }

    fn show(&mut self) {
        match &mut self.shown {
            Shown::Nothing => return,
            Shown::Lines { last } if last.elapsed() < LINE_EVERY => return,
            Shown::Lines { last } => *last = Instant::now(),
            Shown::Bar(bar) => bar.set_position(self.done_bytes),
        }
        let message = self.message();
        match &self.shown {
            Shown::Bar(bar) => bar.set_message(message),
            _ => note!("{message}"),
        }
    }

    fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}
