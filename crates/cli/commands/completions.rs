//! `earmark completions`

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, CommandFactory};

use crate::args;

/// Print a completion script for your shell
///
/// For example: `earmark completions bash > /etc/bash_completion.d/earmark`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to complete for
    pub(crate) shell: clap_complete::Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::Args::command(), "earmark", &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script)?;
    Ok(ExitCode::SUCCESS)
}
