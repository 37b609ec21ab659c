//! The sounds that a command line names.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use earmark_engine::Source;
use earmark_index::stored_path;

/// Most bytes taken from standard input: it is held in memory whole.
const STDIN_LIMIT: u64 = 2 << 30;

/// Files as requests name them.
pub(crate) fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| stored_path(file)).collect()
}

/// The sound file on standard input, if one of the names is `-`.
pub(crate) fn stdin_of(files: &[PathBuf]) -> Result<Option<Source>> {
    if !files.iter().any(|file| file == Path::new("-")) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(STDIN_LIMIT + 1).read_to_end(&mut bytes).context("standard input")?;
    if bytes.len() as u64 > STDIN_LIMIT {
        bail!("standard input: expected at most {} GiB; name the file instead", STDIN_LIMIT >> 30);
    }
    Ok(Some(Source::Bytes { name: "standard input".to_owned(), bytes }))
}
