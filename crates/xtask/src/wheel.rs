//! `cargo xtask python`: the wheel of the Python package, built, installed and tested in an environment of its
//! own.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::python;
use crate::setup;
use crate::shell::{self, Repo, run};

/// What is needed to build the wheel and to test it.
const REQUIREMENTS: &str = "python/requirements-test.txt";

/// Arguments go to pytest.
pub(crate) fn python(repo: &Repo, args: &[String]) -> Result<()> {
    // The command line, with whose answers the package's are compared.
    let binary = repo.build_for_tests()?;
    setup::ensure(repo)?;
    let python = python::environment(repo, Path::new("python-venv"), REQUIREMENTS)?;
    let wheel = wheel(repo, &python)?;
    let mut install = repo.command(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    run(install.args(["--force-reinstall", "--no-deps"]).arg(&wheel))?;

    let package = repo.root.join("python");
    let mut mypy = repo.command(python.with_file_name("mypy"));
    run(mypy.current_dir(&package).args(["--package", "earmark", "--package", "tests"]))?;
    // Not `python -m pytest`, which would import the package's sources from here and not the wheel.
    let mut pytest = clean(repo.command(python.with_file_name("pytest")));
    run(pytest.env("EARMARK_BINARY", &binary).current_dir(&package).args(args))?;
    let mut faces = clean(repo.command(&python));
    run(faces.arg("tests/faces/faces.py").arg(binary).arg("index-data/sounds"))
}

/// The command without this machine's own settings of earmark.
fn clean(mut command: Command) -> Command {
    for (variable, _) in env::vars_os() {
        if variable.to_string_lossy().starts_with("EARMARK_") {
            command.env_remove(variable);
        }
    }
    command.env_remove("ORT_DYLIB_PATH");
    command
}

/// Packages and the features that they are built with.
fn features(repo: &Repo, which: &[&str]) -> Result<BTreeSet<String>> {
    let mut tree = repo.cargo();
    tree.args(["tree", "--locked", "--prefix", "none", "--edges", "normal,build", "--format", "{p} {f}"]);
    let listed = shell::output(tree.args(which))?;
    // What has been listed before is marked.
    Ok(listed.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect())
}

/// Builds the wheel with maturin, in the profile and with the features of the workspace's tests.
fn wheel(repo: &Repo, python: &Path) -> Result<PathBuf> {
    let out = repo.target.join("python-wheels");
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("cannot remove {}", out.display()))?;
    }
    let own = features(repo, &["--package", "earmark-python", "--features", "as-in-workspace"])?;
    let all = features(repo, &["--workspace"])?;
    let again: Vec<&String> =
        own.difference(&all).filter(|one| !one.starts_with("earmark-python ")).collect();
    ensure!(
        again.is_empty(),
        "python/Cargo.toml: with `as-in-workspace`, these have not the features that they have in the workspace, and \
         would be compiled again: {again:#?}"
    );
    let mut maturin = repo.command(python.with_file_name("maturin"));
    maturin.args(["build", "--locked", "--profile", "dev", "--manifest-path", "python/Cargo.toml"]);
    maturin.args(["--features", "as-in-workspace", "--interpreter"]).arg(python);
    run(maturin.arg("--target-dir").arg(&repo.target).arg("--out").arg(&out))?;
    let wheels = fs::read_dir(&out).with_context(|| format!("maturin left no {}", out.display()))?;
    let wheels: Vec<PathBuf> = wheels.map(|wheel| Ok(wheel?.path())).collect::<Result<_>>()?;
    match wheels.as_slice() {
        [wheel] => Ok(wheel.clone()),
        wheels => bail!("expected one wheel in {}, found {}", out.display(), wheels.len()),
    }
}
