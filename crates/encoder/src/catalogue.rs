//! The models that can be used here.

use std::path::{Path, PathBuf};

use crate::{EncoderError, Model, ModelFiles, bundled};

/// Bundled models, and those in folders of the user's own.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    folders: Vec<PathBuf>,
}

/// A model by name; opening it may fail.
#[derive(Debug)]
pub struct CatalogueEntry {
    /// The name that commands use.
    pub name: String,
    /// Where its files are.
    pub files: ModelFiles,
    /// The model, or what is wrong with its manifest.
    pub model: Result<Model, EncoderError>,
}

impl Catalogue {
    /// The bundled models, and every sub-folder of `folders` that has a `manifest.toml`. A folder that does not exist
    /// holds no models.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// Name of the model that is used when none is named.
    #[must_use]
    pub fn default_name() -> &'static str {
        bundled::names().next().unwrap_or_default()
    }

    /// All models: bundled ones first, then the user's by name.
    #[must_use]
    pub fn entries(&self) -> Vec<CatalogueEntry> {
        self.places()
            .into_iter()
            .map(|(name, files)| CatalogueEntry { name, model: Model::open(files.clone()), files })
            .collect()
    }

    /// Opens a model by name, by the id in its manifest, or by the path of its folder.
    ///
    /// # Errors
    /// [`EncoderError::UnknownModel`] with the names there are; those of [`Model::open`].
    pub fn open(&self, name: &str) -> Result<Model, EncoderError> {
        let places = self.places();
        if let Some((_, files)) = places.iter().find(|(known, _)| known == name) {
            return Model::open(files.clone());
        }
        // An index remembers the id in the manifest, which need not be the folder's name.
        let by_id = |files: &ModelFiles| Model::open(files.clone()).ok().filter(|m| m.manifest().id == name);
        if let Some(model) = places.iter().find_map(|(_, files)| by_id(files)) {
            return Ok(model);
        }
        let folder = Path::new(name);
        if folder.join("manifest.toml").is_file() {
            return Model::open(ModelFiles::Folder(folder.to_path_buf()));
        }
        let known = places.into_iter().map(|(known, _)| known).collect();
        Err(EncoderError::UnknownModel { name: name.to_owned(), known })
    }

    fn places(&self) -> Vec<(String, ModelFiles)> {
        let mut places: Vec<(String, ModelFiles)> =
            bundled::names().map(|name| (name.to_owned(), ModelFiles::Bundled(name))).collect();
        for folder in &self.folders {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            let mut own: Vec<(String, ModelFiles)> = entries
                .flatten()
                .map(|entry| entry.path())
                .filter(|dir| dir.join("manifest.toml").is_file())
                .filter_map(|dir| Some((dir.file_name()?.to_str()?.to_owned(), ModelFiles::Folder(dir))))
                .collect();
            own.sort_by(|a, b| a.0.cmp(&b.0));
            places.extend(own);
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_model_is_refused_with_the_names_there_are() {
        let e = Catalogue::default().open("huge").unwrap_err().to_string();
        assert!(e.contains("`huge`") && e.contains(Catalogue::default_name()), "{e}");
    }

    #[test]
    fn a_users_own_model_is_found_and_a_broken_manifest_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own");
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join("manifest.toml"), "schema = 1\n").unwrap();
        let entries = Catalogue::new(vec![dir.path().to_path_buf()]).entries();
        let own = entries.iter().find(|e| e.name == "own").unwrap();
        assert!(own.model.as_ref().unwrap_err().to_string().contains("manifest.toml"));
    }
}
