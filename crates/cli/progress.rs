//! Long jobs over many files: how far they are, Ctrl-C, and what failed.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use earmark_engine::ingest::{FailedFile, IngestEvent};
use earmark_library::{DuplicatesProgress, DuplicatesStage};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::note;
use crate::units::{amount, bytes};
use crate::{EXIT_INTERRUPTED, output};

/// Failed files that are listed by name; the rest are counted.
const LISTED_FAILURES: usize = 20;

/// A flag that the first Ctrl-C sets; the second ends the program at once.
pub(crate) fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
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

/// Names the files that failed, on standard error.
pub(crate) fn list_failures(failures: &[FailedFile]) {
    for failed in failures.iter().take(LISTED_FAILURES) {
        let path = output::short(&failed.path);
        note!("failed: {path}: {}", output::reason(&failed.path, &failed.reason));
    }
    if failures.len() > LISTED_FAILURES {
        let more = failures.len() - LISTED_FAILURES;
        note!("failed: and {more} more; `earmark list --failed` or --json lists them");
    }
}

/// A bar on a terminal, a line every few seconds elsewhere, nothing when quiet.
pub(crate) struct Progress {
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

impl Shown {
    fn new(quiet: bool) -> Self {
        if quiet {
            Self::Nothing
        } else if std::io::stderr().is_terminal() {
            Self::Bar(ProgressBar::hidden())
        } else {
            Self::Lines { last: Instant::now() }
        }
    }
}

fn new_bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    // The template is constant; if it were wrong the default bar would do.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent}%  {msg}") {
        bar.set_style(style);
    }
    bar
}

/// Time between progress lines where there is no terminal.
pub(crate) const LINE_EVERY: Duration = Duration::from_secs(5);

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let (shown, started) = (Shown::new(quiet), Instant::now());
        Self { shown, started, files: 0, bytes: 0, done_files: 0, done_bytes: 0, audio_s: 0.0 }
    }

    pub(crate) fn tell(&mut self, event: IngestEvent<'_>) {
        match event {
            IngestEvent::Planned { files, bytes } => {
                // A job may have several rounds.
                self.files += files;
                self.bytes += bytes;
                if matches!(self.shown, Shown::Bar(_)) && files > 0 {
                    self.shown = Shown::Bar(new_bar(self.bytes));
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

    pub(crate) fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// How far a job of several stages is: a bar on a terminal, a line every few seconds elsewhere, nothing when
/// quiet.
pub(crate) struct Stages {
    shown: Shown,
    stage: Option<DuplicatesStage>,
}

impl Stages {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { shown: Shown::new(quiet), stage: None }
    }

    pub(crate) fn tell(&mut self, DuplicatesProgress { stage, done, total }: DuplicatesProgress) {
        let (doing, things) = match stage {
            DuplicatesStage::Searching => ("searching the index", "clips"),
            DuplicatesStage::Decoding => ("decoding", "candidates"),
            DuplicatesStage::Comparing => ("comparing", "pairs"),
        };
        let message = || format!("{doing}: {done} of {total} {things}");
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Lines { last } if last.elapsed() < LINE_EVERY => {}
            Shown::Lines { last } => {
                *last = Instant::now();
                note!("{}", message());
            }
            Shown::Bar(bar) => {
                if self.stage.replace(stage) != Some(stage) {
                    bar.finish_and_clear();
                    *bar = new_bar(total as u64);
                }
                bar.set_position(done as u64);
                bar.set_message(message());
            }
        }
    }

    pub(crate) fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}
