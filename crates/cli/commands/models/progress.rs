//! How a download goes, as a bar on a terminal and as lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use earmark_hub::{Event, Progress};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{self, note};
use crate::units::bytes;

/// Time between progress lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows what an installer tells.
pub(super) struct Display {
    quiet: bool,
    bar: Option<ProgressBar>,
    last_line: Instant,
    total: Option<u64>,
}

impl Display {
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet, bar: None, last_line: Instant::now(), total: None }
    }

    pub(super) fn tell(&mut self, progress: Progress<'_>) {
        if self.quiet {
            return;
        }
        match progress {
            Progress::Download { path, event } => self.download(path, event),
            Progress::Reading { path } => self.say(&format!("reading {}", path.display())),
            Progress::Waiting => self.say("another process is installing models; waiting"),
            Progress::Testing { name } => {
                self.end();
                self.say(&format!("trying {name}"));
            }
            _ => {}
        }
    }

    fn download(&mut self, path: &str, event: Event<'_>) {
        match event {
            Event::Waiting => self.say(&format!("{path}: another process is downloading it; waiting")),
            Event::Started { have, total } => {
                self.end();
                self.total = total;
                let size = total.map_or("unknown size".to_owned(), bytes);
                let from = if have > 0 { format!(", from {} on", bytes(have)) } else { String::new() };
                if std::io::stderr().is_terminal() {
                    self.bar = Some(bar(path, have, total));
                } else {
                    self.say(&format!("{path}: {size}{from}"));
                }
            }
            Event::Received { have } => match &self.bar {
                Some(bar) => bar.set_position(have),
                None if self.last_line.elapsed() >= LINE_EVERY => {
                    self.last_line = Instant::now();
                    let share = self.total.map(|total| format!(" of {}", bytes(total)));
                    self.say(&format!("{path}: {}{}", bytes(have), share.unwrap_or_default()));
                }
                None => {}
            },
            Event::Retrying { wait, error } => {
                self.say(&format!("{path}: {error}; another try in {:.0} s", wait.as_secs_f64()));
            }
            _ => {}
        }
    }

    fn say(&self, text: &str) {
        let text = output::printable(text);
        match &self.bar {
            Some(bar) => bar.println(text),
            None => note!("{text}"),
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(path: &str, have: u64, total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new).with_position(have);
    let template = "{bar:30} {percent}%  {bytes}/{total_bytes}  {bytes_per_sec}  ETA {eta}  {msg}";
    // The template is constant; if it were wrong the default bar would do.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(path.to_owned());
    bar
}
