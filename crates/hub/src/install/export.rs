//! The recipe that makes a model from its original checkpoint: written out, and told step by step.

use std::fs;
use std::path::{Path, PathBuf};

use earmark_encoder::Catalogue;

use super::{InstallError, Installer, Known};

/// One command of a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is for.
    pub what: &'static str,
    /// Program and arguments.
    pub command: Vec<String>,
}

/// How to make a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The model.
    pub name: String,
    /// Where the recipe was written to.
    pub folder: PathBuf,
    /// Where it puts the model.
    pub out: PathBuf,
    /// Its Python environment.
    pub environment: PathBuf,
    /// About how large the model becomes, bytes.
    pub about_bytes: Option<u64>,
    /// Where the checkpoint comes from, for people.
    pub checkpoint: String,
    /// What to run, in order; importing `out` comes after.
    pub steps: Vec<Step>,
}

impl Installer {
    /// Writes the recipe of a model into `folder`, with the manifest and all that it needs beside it.
    /// `python` is the program that makes the environment; `words` are arguments for the recipe.
    ///
    /// # Errors
    /// [`InstallError::NoRecipe`]; [`InstallError::Io`].
    pub fn recipe(
        &self,
        name: &str,
        folder: &Path,
        python: &str,
        words: &[String],
    ) -> Result<Recipe, InstallError> {
        let known = Known::find(name, self.own.as_deref())?;
        let Some(export) = &known.manifest.export else {
            let family = |other: &Known| {
                other.manifest.family() == known.manifest.family() && other.manifest.export.is_some()
            };
            let other = Known::all(self.own.as_deref()).into_iter().find(family);
            return Err(InstallError::NoRecipe {
                model: name.to_owned(),
                source_of: known.manifest.source.clone(),
                other: other.map(|other| other.name),
                is_downloadable: known.manifest.hub.is_some(),
            });
        };
        let folder = std::path::absolute(folder).map_err(InstallError::io(folder))?;
        fs::create_dir_all(&folder).map_err(InstallError::io(&folder))?;
        let write = |path: &str, bytes: &[u8]| {
            let to = folder.join(path);
            let parent = to.parent().unwrap_or(&folder);
            fs::create_dir_all(parent).map_err(InstallError::io(parent))?;
            fs::write(&to, bytes).map_err(InstallError::io(&to))
        };
        // The recipe finds what it imports beside itself, and ends by completing the manifest there.
        for (path, bytes) in Catalogue::export_modules() {
            write(path, bytes)?;
        }
        let beside = known.manifest.files.iter().map(|file| file.path.as_str());
        for path in std::iter::once("manifest.toml").chain(export.files()).chain(beside) {
            if let Some(bytes) = known.companion(path) {
                write(path, &bytes)?;
            }
        }
        let text = |path: PathBuf| path.display().to_string();
        let (venv, out) = (folder.join(".earmark-venv"), folder.join("model"));
        let own_python =
            if cfg!(windows) { venv.join("Scripts/python.exe") } else { venv.join("bin/python") };
        let own_python = text(own_python);
        let requirements = text(folder.join(&export.requirements));
        let recipe = text(folder.join(&export.recipe));
        let step = |what, command: &[&str]| Step {
            what,
            command: command.iter().map(|word| (*word).to_owned()).collect(),
        };
        let mut steps = vec![
            step("a Python environment of its own", &[python, "-m", "venv", &text(venv.clone())]),
            step(
                "the packages, pinned",
                &[&own_python, "-m", "pip", "install", "--no-cache-dir", "-r", &requirements],
            ),
            step("the export", &[&own_python, &recipe, "--out", &text(out.clone())]),
        ];
        if let Some(export) = steps.last_mut() {
            export.command.extend_from_slice(words);
        }
        let (checkpoint, about_bytes) = (export.checkpoint.clone(), export.about_bytes);
        let name = name.to_owned();
        Ok(Recipe { name, folder, out, environment: venv, about_bytes, checkpoint, steps })
    }
}
