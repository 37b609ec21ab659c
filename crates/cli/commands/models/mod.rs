//! `earmark models`

mod check;
mod clean;
mod export;
mod get;
mod list;
mod progress;
mod show;

use std::process::ExitCode;

use anyhow::Result;
use earmark_encoder::{Check, Manifest, Verdict};

use crate::args::{Global, ModelsArgs, ModelsCommand};

pub(crate) fn run(global: &Global, args: ModelsArgs) -> Result<ExitCode> {
    match args.command {
        ModelsCommand::List { json } => list::run(global, json),
        ModelsCommand::Show { name, json } => show::run(&name, json),
        ModelsCommand::Pull { names, precision } => get::pull(global, &names, precision),
        ModelsCommand::Import { path, name, as_new, precision } => {
            get::import(global, &path, name.as_deref(), as_new.as_deref(), precision)
        }
        ModelsCommand::Clean => clean::run(global),
        ModelsCommand::Verify { names } => check::verify(global, &names),
        ModelsCommand::Remove { names } => get::remove(global, &names),
        ModelsCommand::Export { name, run: true, keep, as_new, out, words } => {
            export::make(global, &name, as_new.as_deref(), out, keep, &words)
        }
        ModelsCommand::Export { name, as_new, out, words, .. } => {
            export::tell(&name, as_new.as_deref(), out, &words)
        }
        ModelsCommand::Check { models, write } => check::check(global, &models, write),
    }
}

/// Bytes of a model's files, where all are known.
fn size(manifest: &Manifest) -> Option<u64> {
    manifest.files.iter().map(|file| file.bytes).sum()
}

/// One finding of a self-test, as a line.
fn line(check: &Check) -> String {
    let verdict = match check.verdict {
        Verdict::Passed => "ok",
        Verdict::Unknown => "note",
        Verdict::Failed => "wrong",
    };
    format!("  {verdict:<5}  {}: {}", check.name, check.found)
}
