//! `earmark man`: for packages, which ship what it writes.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::CommandFactory;

use crate::args::{Args, ManArgs};

pub(crate) fn run(args: &ManArgs) -> Result<ExitCode> {
    let folder = || format!("cannot write man pages into {}", args.dir.display());
    std::fs::create_dir_all(&args.dir).with_context(folder)?;
    clap_mangen::generate_to(Args::command(), &args.dir).with_context(folder)?;
    Ok(ExitCode::SUCCESS)
}
