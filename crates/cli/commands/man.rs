//! `earmark man`: for packages, which ship what it writes.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory};

use crate::args;

/// Write a man page for each command into a folder
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Folder for the pages, created if needed
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn run(args: &ManArgs) -> Result<ExitCode> {
    let folder = || format!("cannot write man pages into {}", args.dir.display());
    std::fs::create_dir_all(&args.dir).with_context(folder)?;
    clap_mangen::generate_to(args::Args::command(), &args.dir).with_context(folder)?;
    Ok(ExitCode::SUCCESS)
}
