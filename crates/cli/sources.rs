//! The sounds that a command line names.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use earmark_engine::{Source, WalkOptions, walk};
use earmark_index::stored_path;

use crate::output;
use crate::output::note;

/// Files encoded before their answers are printed: enough to keep all cores busy, few enough to bound memory, since
/// their windows are held until then.
pub(crate) const FILES_AT_ONCE: usize = 16;
/// Most bytes taken from standard input: it is held in memory whole.
const STDIN_LIMIT: u64 = 2 << 30;

/// What the arguments name: files, the sound files in folders, standard input; and how many of them are not there, each
/// told on standard error.
pub(crate) fn sources(files: &[PathBuf]) -> Result<(Vec<Source>, usize)> {
    let mut sources = Vec::new();
    let mut missing = 0;
    for path in files {
        if path == Path::new("-") {
            sources.push(read_stdin()?);
            continue;
        }
        let reason = match walk(std::slice::from_ref(path), &WalkOptions::default()) {
            Err(e) => Some(e.to_string()),
            Ok(walked) if walked.files.is_empty() && walked.errors.is_empty() => {
                Some(format!("{}: no sound files in this folder", stored_path(path)))
            }
            Ok(walked) => {
                for (unreadable, reason) in &walked.errors {
                    note!("failed: {}: {reason}", output::short(&stored_path(unreadable)));
                    missing += 1;
                }
                // As typed, where it names one file.
                match walked.files.as_slice() {
                    [_] if path.is_file() => sources.push(Source::Path(path.clone())),
                    files => sources.extend(files.iter().cloned().map(Source::Path)),
                }
                None
            }
        };
        if let Some(reason) = reason {
            note!("failed: {reason}");
            missing += 1;
        }
    }
    Ok((sources, missing))
}

/// A sound file on standard input.
pub(crate) fn read_stdin() -> Result<Source> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(STDIN_LIMIT + 1).read_to_end(&mut bytes).context("standard input")?;
    if bytes.len() as u64 > STDIN_LIMIT {
        bail!("standard input: expected at most {} GiB; name the file instead", STDIN_LIMIT >> 30);
    }
    Ok(Source::Bytes { name: "standard input".to_owned(), bytes })
}
