//! What is done with the hits of a search besides listing them: playing, copying and cutting them.

mod copy;
mod cut;
mod folder;
mod play;
mod player;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use earmark_index::file_path;
use earmark_library::{Clip, Hit, parse_seconds};

use crate::args::Global;
use crate::ask::{Answerer, ClipFile};
use crate::output::{self, note};
use crate::{EXIT_INTERRUPTED, EXIT_SOME_FAILED, context};

/// What to do with the hits.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Listen and export")]
pub(crate) struct TakeoutArgs {
    /// Play the matching stretches one after the other, with ffplay, mpv or another installed player; the
    /// command line in EARMARK_PLAYER names one, such as 'mpv --start={start} --length={duration} {file}'
    #[arg(long)]
    play: bool,
    /// Copy the files into this folder, each once
    #[arg(long, value_name = "DIR")]
    copy_to: Option<PathBuf>,
    /// Write the matching stretches into this folder as WAV files, uncompressed samples bit for bit
    #[arg(long, value_name = "DIR")]
    cut_to: Option<PathBuf>,
    /// Time to add on both sides of each stretch that is cut, such as 0.5 or 250ms
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = parse_seconds,
        requires = "cut_to")]
    margin: f64,
}

impl TakeoutArgs {
    /// Copies, cuts, then plays. What is done is said on standard output if `on_stdout`, else on standard
    /// error.
    pub(crate) fn run(
        &self,
        global: &Global,
        answerer: &Answerer,
        hits: &[Hit],
        on_stdout: bool,
    ) -> Result<ExitCode> {
        let mut takeout = Takeout { answerer, files: HashMap::new(), on_stdout, failed: 0 };
        // Only what is cut or played is decoded.
        let read = || context::settings(global).read_options();
        if let Some(dir) = &self.copy_to {
            copy::run(&mut takeout, hits, dir)?;
        }
        if let Some(dir) = &self.cut_to {
            cut::run(&mut takeout, hits, dir, self.margin, &read()?)?;
        }
        if self.play && play::run(&mut takeout, hits, &read()?)? == play::Ended::Interrupted {
            return Ok(ExitCode::from(EXIT_INTERRUPTED));
        }
        Ok(if takeout.failed > 0 { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS })
    }
}

/// The files of the hits, and what is said about them.
struct Takeout<'a> {
    answerer: &'a Answerer,
    /// By clip; `None` for a file that cannot be had.
    files: HashMap<String, Option<ClipFile>>,
    on_stdout: bool,
    failed: usize,
}

impl Takeout<'_> {
    /// Where the file of a clip is. `None` if it cannot be had, which is reported once.
    fn file(&mut self, clip: &Clip) -> Option<PathBuf> {
        if !self.files.contains_key(&clip.id) {
            let file = self.answerer.clip_file(clip).and_then(there);
            let file = file.map_err(|e| self.failed(&clip.path, &output::chain(&e))).ok();
            self.files.insert(clip.id.clone(), file);
        }
        let file = self.files.get(&clip.id)?.as_ref()?;
        Some(file.path().to_owned())
    }

    fn failed(&mut self, path: &str, reason: &str) {
        self.failed += 1;
        note!("failed: {}: {}", output::short(path), output::reason(path, reason));
    }

    /// Says what was done.
    fn say(&self, line: &str) -> Result<()> {
        if !self.on_stdout {
            note!("{line}");
            return Ok(());
        }
        let mut out = output::stdout();
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    }
}

/// A file that is still where the index says.
fn there(file: ClipFile) -> Result<ClipFile> {
    if !file.path().is_file() {
        bail!(
            "the file is not there; connect the drive that it is on, or update the index with `earmark index`"
        );
    }
    Ok(file)
}

/// The name of a clip's file, without folders.
fn name(clip: &Clip) -> OsString {
    let path = file_path(&clip.path);
    path.file_name().map_or_else(|| format!("clip-{}", clip.id).into(), ToOwned::to_owned)
}

/// A path as it is printed.
fn shown(path: &Path) -> String {
    output::printable(&path.display().to_string())
}
