//! The models that can be used here, and those that can be had.

use std::path::{Path, PathBuf};

use crate::error::Way;
use crate::{EncoderError, Kind, Manifest, Model, ModelFiles, bundled, recognise};

/// Known models, installed ones, and the user's own.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    own: Option<PathBuf>,
    installed: Option<PathBuf>,
}

/// Whether a model can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is part of the program.
    Bundled,
    /// Its files were downloaded or imported.
    Installed,
    /// It is a folder of the user's own.
    Own,
    /// Its files can be downloaded.
    Downloadable,
    /// Its files can be made from the original checkpoint.
    Exportable,
}

/// A model by name; opening it may fail.
#[derive(Debug)]
pub struct CatalogueEntry {
    /// The name that commands use.
    pub name: String,
    /// Where its files are, or its manifest at least.
    pub files: ModelFiles,
    /// The model, or what is wrong with its manifest.
    pub model: Result<Model, EncoderError>,
    /// Whether it can be used.
    pub state: State,
}

impl Catalogue {
    /// The known models, and every sub-folder of `own` and `installed` that has a `manifest.toml`. A folder
    /// that does not exist holds no models.
    #[must_use]
    pub fn new(own: Option<PathBuf>, installed: Option<PathBuf>) -> Self {
        Self { own, installed }
    }

    /// Name of the model that is used when none is named.
    #[must_use]
    pub fn default_name() -> &'static str {
        bundled::names().next().unwrap_or_default()
    }

    /// Name of the tagger that is used when none is named: the first that is bundled.
    #[must_use]
    pub fn default_tagger() -> Option<&'static str> {
        bundled::names().find(|name| {
            let model = Model::open(ModelFiles::Bundled(name));
            model.is_ok_and(|m| m.manifest().kind == Kind::Tagger && is_whole(name, m.manifest()))
        })
    }

    /// What is compiled in of a known model, its manifest first: names and bytes of files.
    #[must_use]
    pub fn compiled_in(name: &str) -> &'static [(&'static str, &'static [u8])] {
        bundled::files(name)
    }

    /// Names and bytes of the Python modules that all export recipes import from beside themselves.
    #[must_use]
    pub fn export_modules() -> &'static [(&'static str, &'static [u8])] {
        bundled::export_modules()
    }

    /// The folder for models that are downloaded or imported.
    #[must_use]
    pub fn installed_folder(&self) -> Option<&Path> {
        self.installed.as_deref()
    }

    /// All models: bundled ones first, then installed ones and the user's own by name, then those that can be
    /// had.
    #[must_use]
    pub fn entries(&self) -> Vec<CatalogueEntry> {
        let open = |place: ModelEntry| CatalogueEntry {
            model: Model::open(place.files.clone()),
            name: place.name,
            files: place.files,
            state: place.state,
        };
        self.places().into_iter().map(open).collect()
    }

    /// Opens a model by name, by the id in its manifest, or by the path of its folder.
    ///
    /// # Errors
    /// [`EncoderError::UnknownModel`] with the names there are, [`EncoderError::NotInstalled`] with how to
    /// get it, [`EncoderError::Unpinned`] for a manifest that is not finished, [`EncoderError::Foreign`] for
    /// a model of another program; those of [`Model::open`].
    pub fn open(&self, name: &str) -> Result<Model, EncoderError> {
        let places = self.places();
        let usable = |place: &&ModelEntry| !matches!(place.state, State::Downloadable | State::Exportable);
        if let Some(place) = places.iter().filter(usable).find(|place| place.name == name) {
            return place.open();
        }
        // An index remembers the id in the manifest, which need not be the folder's name.
        let by_id = |place: &ModelEntry| {
            let model = Model::open(place.files.clone()).ok()?;
            (model.manifest().id == name).then(|| place.open())
        };
        if let Some(model) = places.iter().filter(usable).find_map(by_id) {
            return model;
        }
        // Only then those that are not here, to say how to get them.
        if let Some(place) = places.iter().find(|place| place.name == name) {
            return place.open();
        }
        let folder = Path::new(name);
        if folder.join("manifest.toml").is_file() {
            let files = ModelFiles::Folder(folder.to_path_buf());
            return ModelEntry { name: name.to_owned(), files, state: State::Own }.open();
        }
        if let Some(foreign) = recognise(folder) {
            return Err(foreign);
        }
        let known = places.into_iter().map(|place| place.name).collect();
        Err(EncoderError::UnknownModel { name: name.to_owned(), known })
    }

    /// In the order of preference: of two with one name only the first is there.
    fn places(&self) -> Vec<ModelEntry> {
        let (mut places, known): (Vec<ModelEntry>, Vec<ModelEntry>) =
            bundled::names().map(ModelEntry::known).partition(|place| place.state == State::Bundled);
        for (folder, state) in [(&self.installed, State::Installed), (&self.own, State::Own)] {
            places.extend(folder.iter().flat_map(|folder| ModelEntry::folders(folder, state)));
        }
        places.extend(known);
        let mut names = std::collections::HashSet::new();
        places.retain(|place| names.insert(place.name.clone()));
        places
    }
}

/// Where a model is, not opened yet.
struct ModelEntry {
    name: String,
    files: ModelFiles,
    state: State,
}

impl ModelEntry {
    /// A model whose manifest is compiled in.
    fn known(name: &'static str) -> Self {
        let files = ModelFiles::Bundled(name);
        let state = match Model::open(files.clone()) {
            Ok(model) if is_whole(name, model.manifest()) => State::Bundled,
            Ok(model) if is_downloadable(name, model.manifest()) => State::Downloadable,
            _ => State::Exportable,
        };
        Self { name: name.to_owned(), files, state }
    }

    /// The models in a folder, by name. What is being put there has a name that begins with a dot.
    fn folders(folder: &Path, state: State) -> Vec<Self> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut places: Vec<Self> = entries
            .map(|entry| entry.path())
            .filter(|dir| dir.join("manifest.toml").is_file())
            .filter_map(|dir| {
                let name = dir.file_name()?.to_str()?.to_owned();
                Some(Self { name, files: ModelFiles::Folder(dir), state })
            })
            .filter(|place| !place.name.starts_with('.'))
            .collect();
        places.sort_by(|a, b| a.name.cmp(&b.name));
        places
    }

    fn open(&self) -> Result<Model, EncoderError> {
        let way = match self.state {
            State::Downloadable => Way::Download,
            State::Exportable => Way::Export,
            State::Bundled | State::Installed | State::Own => {
                let model = Model::open(self.files.clone())?;
                if let Some(file) = model.manifest().unpinned().next() {
                    let path = file.path.clone();
                    return Err(EncoderError::Unpinned { model: self.name.clone(), path });
                }
                return Ok(model);
            }
        };
        Err(EncoderError::NotInstalled { model: self.name.clone(), way })
    }
}

/// Whether all files of a known model are compiled in.
fn is_whole(name: &str, manifest: &Manifest) -> bool {
    manifest.files.iter().all(|file| bundled::read(name, &file.path).is_some())
}

/// Whether all files of a known model are compiled in or on the hub, which knows the checksums that we do
/// not.
fn is_downloadable(name: &str, manifest: &Manifest) -> bool {
    let on_hub = |file: &crate::FileEntry| manifest.hub.is_some() && file.hub_path.is_some();
    manifest.files.iter().all(|file| on_hub(file) || bundled::read(name, &file.path).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `mini` as a model of the user's own in `models/mine`, with its manifest edited.
    fn copy_of_mini(models: &Path, edit: impl FnOnce(String) -> String) -> PathBuf {
        let folder = models.join("mine");
        std::fs::create_dir(&folder).unwrap();
        for (name, bytes) in bundled::files("mini") {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        let manifest = std::fs::read_to_string(folder.join("manifest.toml")).unwrap();
        std::fs::write(folder.join("manifest.toml"), edit(manifest)).unwrap();
        folder
    }

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
        let entries = Catalogue::new(Some(dir.path().to_path_buf()), None).entries();
        let own = entries.iter().find(|e| e.name == "own").unwrap();
        assert_eq!(own.state, State::Own);
        assert!(own.model.as_ref().unwrap_err().to_string().contains("manifest.toml"));
    }

    #[test]
    fn a_model_in_a_folder_of_another_name_is_found_by_the_id_of_one_that_is_not_here() {
        let dir = tempfile::tempdir().unwrap();
        let folder = copy_of_mini(dir.path(), |manifest| {
            manifest.replace("id = \"mini\"", "id = \"clap-htsat-fused\"")
        });
        let catalogue = Catalogue::new(Some(dir.path().to_path_buf()), None);
        let model = catalogue.open("clap-htsat-fused").unwrap();
        assert_eq!(model.files(), &ModelFiles::Folder(folder));
        let absent = Catalogue::default().open("clap-htsat-fused");
        assert!(matches!(absent, Err(EncoderError::NotInstalled { .. })));
    }

    #[test]
    fn a_manifest_without_checksums_is_listed_but_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        copy_of_mini(dir.path(), |manifest| {
            let renamed = manifest.replace("id = \"mini\"", "id = \"mine\"");
            renamed.lines().filter(|l| !l.starts_with("sha256")).collect::<Vec<_>>().join("\n")
        });
        let catalogue = Catalogue::new(Some(dir.path().to_path_buf()), None);
        assert!(catalogue.entries().iter().any(|e| e.name == "mine" && e.model.is_ok()));
        let e = catalogue.open("mine").unwrap_err().to_string();
        assert!(e.contains("audio.onnx") && e.contains("import"), "{e}");
    }
}
