//! `cargo xtask`: the chores of this repository, each one a module. Not part of the product.

mod digest;
mod platform;
mod python;
mod setup;
mod shell;
#[cfg(test)]
mod testing;

use std::process::ExitCode;

use anyhow::Result;

use crate::shell::Repo;

/// One chore.
struct Chore {
    name: &'static str,
    /// One line for the list.
    about: &'static str,
    /// What `--help` adds.
    help: &'static str,
    run: fn(&Repo, &[String]) -> Result<()>,
}

const CHORES: &[Chore] = &[Chore {
    name: "setup",
    about: "fetch the pinned ONNX Runtime into .onnxruntime/ (once)",
    help: "\
Downloads the onnxruntime wheel with pip, checks its pinned sha256, and keeps the library and its licence
notices in .onnxruntime/, where the earmark binary looks. Quick when that is done. ORT_DYLIB_PATH, if set, is
used instead; a library that is installed on the system is used if pip cannot get the pinned one.",
    run: |repo, args| {
        no_arguments(args)?;
        setup::ensure(repo).map(drop)
    },
}];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let Some((name, args)) = args.split_first() else {
        println!("{}", usage());
        return Ok(());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        println!("{}", usage());
        return Ok(());
    }
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        anyhow::bail!("there is no chore named {name:?}\n\n{}", usage());
    };
    if args.first().is_some_and(|arg| matches!(arg.as_str(), "--help" | "-h")) {
        println!("cargo xtask {}: {}\n\n{}", chore.name, chore.about, chore.help);
        return Ok(());
    }
    (chore.run)(&Repo::find()?, args)
}

fn usage() -> String {
    let list: Vec<String> =
        CHORES.iter().map(|chore| format!("  {:10}{}", chore.name, chore.about)).collect();
    format!(
        "Usage: cargo xtask CHORE [ARGUMENTS]\n\n{}\n\n`cargo xtask CHORE --help` tells more.",
        list.join("\n")
    )
}

fn no_arguments(args: &[String]) -> Result<()> {
    match args.first() {
        Some(extra) => anyhow::bail!("unexpected argument {extra:?}"),
        None => Ok(()),
    }
}
