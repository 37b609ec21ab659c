//! `earmark models export`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use earmark_hub::{Recipe, Step};

use super::clean;
use crate::args::Global;
use crate::output::note;
use crate::units::bytes;
use crate::{context, output};

/// What makes the environment; everything else is pinned inside it.
const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// What the packages of a recipe take while it runs: torch comes with its libraries for GPUs. Measured with
/// those of clap-htsat-unfused-fp32 on Linux, x86_64.
const ENVIRONMENT_BYTES: u64 = 5_600_000_000;

/// Writes the recipe and prints its steps.
pub(super) fn tell(
    name: &str,
    as_new: Option<&str>,
    out: Option<PathBuf>,
    words: &[String],
) -> Result<ExitCode> {
    print(&recipe(name, as_new, out, words)?, as_new)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the recipe, installs what comes of it, and deletes what it needed, unless `keep`.
pub(super) fn make(
    global: &Global,
    name: &str,
    as_new: Option<&str>,
    out: Option<PathBuf>,
    keep: bool,
    words: &[String],
) -> Result<ExitCode> {
    // What the result is tried with, before an hour of work.
    let runtime = context::runtime(global)?;
    let own_folder = out.is_none();
    let recipe = recipe(name, as_new, out, words)?;
    if !global.quiet {
        let model = recipe.about_bytes.map(|model| format!(", and twice {} for the model", bytes(model)));
        let after = if keep { "" } else { "; the packages go when it is done" };
        note!(
            "needs {} for Python packages in {}{}{after}",
            bytes(ENVIRONMENT_BYTES),
            recipe.folder.display(),
            model.unwrap_or_default()
        );
    }
    let stays = || format!("what there is so far stays in {}, for another try", recipe.folder.display());
    for step in &recipe.steps {
        execute(global, step).with_context(stays)?;
    }
    let installer = context::installer()?;
    let imported =
        installer.import(&recipe.out, None, as_new, None, &runtime, &mut |_| {}).with_context(stays)?;
    imported.installed.iter().for_each(|installed| super::get::tell(global, installed));
    if !keep {
        // A folder that the user named may have other things in it.
        let gone = if own_folder { recipe.folder.clone() } else { recipe.environment.clone() };
        std::fs::remove_dir_all(&gone).with_context(|| format!("cannot remove {}", gone.display()))?;
        if !global.quiet {
            note!("removed {}", gone.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn recipe(name: &str, as_new: Option<&str>, out: Option<PathBuf>, words: &[String]) -> Result<Recipe> {
    // Before an hour of work.
    if let Some(name) = as_new {
        context::installer()?.check_new_name(name)?;
    }
    let folder = match out {
        Some(folder) => folder,
        None => {
            let exports = clean::export_folder().context("no home folder; name one with --out")?;
            exports.join(as_new.unwrap_or(name))
        }
    };
    Ok(context::installer()?.recipe(name, &folder, PYTHON, words)?)
}

fn print(recipe: &Recipe, as_new: Option<&str>) -> Result<()> {
    let mut out = output::stdout();
    writeln!(out, "# {} is made from: {}", recipe.name, recipe.checkpoint)?;
    writeln!(out, "# The recipe is in {}", recipe.folder.display())?;
    for step in &recipe.steps {
        writeln!(out, "# {}", step.what)?;
        writeln!(out, "{}", shown(&step.command))?;
    }
    writeln!(out, "# trying and installing it; `--run` does all of this")?;
    let mut import =
        ["earmark", "models", "import", &recipe.out.display().to_string()].map(str::to_owned).to_vec();
    import.extend(as_new.into_iter().flat_map(|name| ["--as-new".to_owned(), name.to_owned()]));
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
pub(super) fn shown(words: &[String]) -> String {
    let plain = |word: &str| word.chars().all(|c| c.is_alphanumeric() || "-_./:=+,@".contains(c));
    let quoted = words.iter().map(|word| match plain(word) && !word.is_empty() {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    });
    quoted.collect::<Vec<_>>().join(" ")
}
