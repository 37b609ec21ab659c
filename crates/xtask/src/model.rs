//! `cargo xtask model NAME`: rebuilds a model's files from its recipe, in a Python environment made for it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::digest;
use crate::python::Python;
use crate::shell::{Repo, run};

pub(crate) fn model(repo: &Repo, args: &[String]) -> Result<()> {
    let known = with_recipe(&repo.root.join("models"));
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let Some((name, args)) = args.split_first() else {
        bail!("which model? Those with a recipe: {known}");
    };
    let recipe = format!("models/{name}/recipe.py");
    if name.contains(['/', '\\']) || !repo.root.join(&recipe).is_file() {
        bail!("there is no recipe for a model {name:?}. Those with one: {known}");
    }
    let python = environment(repo, name)?;
    let mut command = repo.command(python);
    command.arg(recipe).args(["--out", &format!("models/{name}")]);
    command.args(["--fixtures", &format!("tests/fixtures/{name}")]).args(args);
    run(&mut command)
}

/// Names of the models that have a recipe.
fn with_recipe(models: &Path) -> Vec<String> {
    let folders = fs::read_dir(models).into_iter().flatten().flatten();
    let mut names: Vec<String> = folders
        .filter(|folder| folder.path().join("recipe.py").is_file())
        .filter_map(|folder| folder.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The interpreter of a virtual environment with the model's requirements; made anew when they change.
fn environment(repo: &Repo, name: &str) -> Result<PathBuf> {
    let venv = repo.target.join("model-venv").join(name);
    let python = venv.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let python = python.join(format!("python{}", env::consts::EXE_SUFFIX));
    let requirements = format!("models/{name}/requirements.txt");
    let wanted = digest::sha256(&repo.root.join(&requirements))
        .with_context(|| format!("cannot read {requirements}"))?;
    let stamp = venv.join("requirements.sha256");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    let mut make = Python::default().interpreter()?;
    run(make.args(["-m", "venv", "--clear"]).arg(&venv))
        .context("cannot make a virtual environment (Debian and Ubuntu: apt install python3-venv)")?;
    let mut install = repo.command(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &requirements]);
    run(&mut install)?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_model_is_refused_with_those_there_are() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let root = dir.path().to_path_buf();
        for name in ["mini", "large", "no-recipe"] {
            fs::create_dir_all(root.join("models").join(name))?;
        }
        fs::write(root.join("models/mini/recipe.py"), "")?;
        fs::write(root.join("models/large/recipe.py"), "")?;
        let repo = Repo { target: root.join("target"), root };
        for name in ["huge", "no-recipe", "../models/mini"] {
            let message = format!("{:#}", model(&repo, &[name.to_owned()]).unwrap_err());
            assert!(message.contains("Those with one: large, mini"), "{message}");
        }
        assert!(model(&repo, &[]).is_err());
        Ok(())
    }
}
