//! `earmark models export`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use earmark_encoder::Runtime;
use earmark_hub::{Recipe, Step};
use etcetera::BaseStrategy as _;

use super::get::tell;
use crate::args::Global;
use crate::output::note;
use crate::{context, output};

/// What makes the environment; everything else is pinned inside it.
const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

pub(super) fn run(
    global: &Global,
    name: &str,
    run: bool,
    out: Option<PathBuf>,
    words: &[String],
) -> Result<ExitCode> {
    let folder = match out {
        Some(folder) => folder,
        None => {
            let base = etcetera::choose_base_strategy().context("no home folder; name one with --out")?;
            base.cache_dir().join("earmark").join("export").join(name)
        }
    };
    let installer = context::installer()?;
    let recipe = installer.recipe(name, &folder, PYTHON, words)?;
    if !run {
        print(&recipe)?;
        return Ok(ExitCode::SUCCESS);
    }
    // What the result is tried with, before an hour of work.
    let runtime = Runtime::load(global.onnxruntime.as_deref())?;
    for step in &recipe.steps {
        execute(global, step)?;
    }
    let imported = installer.import(&recipe.out, None, &runtime, &mut |_| {})?;
    imported.installed.iter().for_each(|installed| tell(global, installed));
    Ok(ExitCode::SUCCESS)
}

fn print(recipe: &Recipe) -> Result<()> {
    let mut out = output::stdout();
    writeln!(out, "# {} is made from: {}", recipe.name, recipe.checkpoint)?;
    writeln!(out, "# The recipe is in {}", recipe.folder.display())?;
    for step in &recipe.steps {
        writeln!(out, "# {}", step.what)?;
        writeln!(out, "{}", shown(&step.command))?;
    }
    writeln!(out, "# trying and installing it; `--run` does all of this")?;
    let import = ["earmark", "models", "import", &recipe.out.display().to_string()].map(str::to_owned);
    writeln!(out, "{}", shown(&import))?;
    Ok(out.flush()?)
}

fn execute(global: &Global, step: &Step) -> Result<()> {
    if !global.quiet {
        note!("{}: {}", step.what, shown(&step.command));
    }
    let [program, arguments @ ..] = step.command.as_slice() else { return Ok(()) };
    let started = Command::new(program).args(arguments).status();
    let status =
        started.with_context(|| format!("cannot start {program}; the recipe needs Python 3 with venv"))?;
    if !status.success() {
        bail!("{} failed ({status}); what it printed says why", shown(&step.command));
    }
    Ok(())
}

/// A command line that a shell reads as these words.
fn shown(words: &[String]) -> String {
    let plain = |word: &str| word.chars().all(|c| c.is_alphanumeric() || "-_./:=+,@".contains(c));
    let quoted = words.iter().map(|word| match plain(word) && !word.is_empty() {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    });
    quoted.collect::<Vec<_>>().join(" ")
}
