//! `cargo xtask model NAME`: rebuilds a model's files from its recipe, in a Python environment made for it.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::python;
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
    let requirements = format!("models/{name}/requirements.txt");
    let python = python::environment(repo, &Path::new("model-venv").join(name), &requirements)?;
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
