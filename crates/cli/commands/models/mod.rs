//! `earmark models`

mod check;
mod export;
mod get;
mod list;
mod progress;
mod show;

use std::process::ExitCode;

use anyhow::Result;
use earmark_encoder::{Check, Manifest};

use crate::args::{Global, ModelsArgs, ModelsCommand};

pub(crate) fn run(global: &Global, args: ModelsArgs) -> Result<ExitCode> {
    match args.command {
        ModelsCommand::List { json } => list::run(json),
        ModelsCommand::Show { name, json } => show::run(&name, json),
        ModelsCommand::Pull { names } => get::pull(global, &names),
        ModelsCommand::Import { path, name } => get::import(global, &path, name.as_deref()),
        ModelsCommand::Verify { names } => check::verify(global, &names),
        ModelsCommand::Remove { names } => get::remove(global, &names),
        ModelsCommand::Export { name, run, out, words } => export::run(global, &name, run, out, &words),
        ModelsCommand::Check { models } => check::check(global, &models),
    }
}

/// Bytes of a model's files, where all are known.
fn size(manifest: &Manifest) -> Option<u64> {
    manifest.files.iter().map(|file| file.bytes).sum()
}

/// One finding of a self-test, as a line.
fn line(check: &Check) -> String {
    let verdict = if check.passed { "ok" } else { "wrong" };
    format!("  {verdict:<5}  {}: {}", check.name, check.found)
}
