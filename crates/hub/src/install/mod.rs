//! Models in the data folder: brought there from the hub or from disk, tried before they are trusted, and
//! taken away.
//!
//! An installed model is a folder `NAME` with a manifest in which every checksum is filled in, and all files.
//! It is put together in a folder beside it and renamed, so it is there whole or not at all.
//!
//! - `known`: models that can be installed, and the files that travel with their manifests
//! - `pull`, `import`, `recognise`, `archive`: the ways in
//! - `source`: what an import is made of
//! - `checksums`: those that a manifest lacks
//! - `stage`: the folder in which a model is put together
//! - `export`: the recipe that makes a model from its original checkpoint

mod archive;
mod checksums;
mod error;
mod export;
mod import;
mod known;
mod pull;
mod recognise;
mod source;
mod stage;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use earmark_encoder::{Catalogue, EncoderError, Manifest, Model, ModelFiles, Runtime, SelfTestReport};

pub use checksums::fill_in_checksums;
pub use error::InstallError;
pub use export::{Recipe, Step};
pub use pull::Pulled;

use crate::Event;
use checksums::filled_in;
use known::Known;
use stage::{Session, Stage};

/// Puts models into a folder and takes them away.
#[derive(Debug)]
pub struct Installer {
    root: PathBuf,
    own: Option<PathBuf>,
}

/// A model that was installed.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub folder: PathBuf,
    /// Bytes of its files.
    pub bytes: u64,
    /// Files whose checksums were not known before.
    pub filled: Vec<String>,
    /// What the self-test found.
    pub report: SelfTestReport,
}

/// Some files of a model, kept until the others come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// The model.
    pub name: String,
    /// Files that are there.
    pub have: Vec<String>,
    /// Files that are missing.
    pub missing: Vec<String>,
}

/// What an import brought.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// Models that are complete.
    pub installed: Vec<Installed>,
    /// Models of which files are missing.
    pub partial: Vec<Partial>,
}

/// A model that was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// Bytes that its files had.
    pub bytes: u64,
    /// Of these, bytes that stay on disk, since the hub's cache has the same files.
    pub shared: u64,
}

/// How an installation goes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A download.
    Download {
        /// The file, as the manifest names it.
        path: &'a str,
        /// What happens to it.
        event: Event<'a>,
    },
    /// Another process is installing something.
    Waiting,
    /// Files are being read and compared.
    Reading {
        /// The file or folder.
        path: &'a Path,
    },
    /// The model is being tried.
    Testing {
        /// Its name.
        name: &'a str,
    },
}

impl Installer {
    /// Installs into `root`, which need not exist. `own` has the user's own manifests, if any.
    #[must_use]
    pub fn new(root: PathBuf, own: Option<PathBuf>) -> Self {
        Self { root, own }
    }

    /// Takes an installed model away, or what an import brought of one.
    ///
    /// # Errors
    /// [`InstallError::Bundled`], [`InstallError::NotInstalled`], [`InstallError::Io`].
    pub fn remove(&self, name: &str) -> Result<Removed, InstallError> {
        // A name, not a path that leads elsewhere.
        let plain = !name.starts_with('.') && Path::new(name).file_name().is_some_and(|last| last == name);
        let places = [self.folder(name), self.partial_folder(name)];
        let there: Vec<&PathBuf> = places.iter().filter(|folder| plain && folder.is_dir()).collect();
        if there.is_empty() {
            let known = Known::find(name, self.own.as_deref())?;
            return Err(known.not_installed());
        }
        let session = Session::begin(&self.root, &mut || {})?;
        let mut total = Removed { bytes: 0, shared: 0 };
        for folder in there {
            let removed = measure(folder).map_err(InstallError::io(folder))?;
            session.discard(folder)?;
            total.bytes += removed.bytes;
            total.shared += removed.shared;
        }
        Ok(total)
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Files of a model that an import brought and that wait for the rest.
    fn partial_folder(&self, name: &str) -> PathBuf {
        self.root.join(".partial").join(name)
    }

    /// Ends an installation: checks and fills in checksums, tries the model, and gives it its name. `text` is
    /// the manifest as it was written, kept where nothing is filled in.
    fn complete(
        &self,
        stage: Stage,
        manifest: &Manifest,
        text: &str,
        runtime: &Runtime,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Installed, InstallError> {
        let name = manifest.id.clone();
        let filled: Vec<String> = manifest.unpinned().map(|file| file.path.clone()).collect();
        let text =
            if filled.is_empty() { text.to_owned() } else { filled_in(text, manifest, stage.folder())? };
        stage.write("manifest.toml", text.as_bytes())?;
        tell(Progress::Testing { name: &name });
        let (bytes, report) = try_model(stage.folder(), runtime)?;
        let folder = stage.finish(&name)?;
        let partial = self.partial_folder(&name);
        if partial.is_dir() {
            fs::remove_dir_all(&partial).map_err(InstallError::io(&partial))?;
        }
        Ok(Installed { name, folder, bytes, filled, report })
    }
}

impl Installer {
    /// Whether `folder` is one of the user's own models.
    fn is_own(&self, folder: &Path) -> bool {
        self.own.as_ref().is_some_and(|own| name_among(own, folder).is_some())
    }

    /// As [`Installer::complete`], for a folder that stays where it is.
    fn complete_in_place(
        &self,
        folder: &Path,
        manifest: &Manifest,
        text: &str,
        runtime: &Runtime,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Installed, InstallError> {
        let name = manifest.id.clone();
        let missing: Vec<String> = manifest
            .files
            .iter()
            .filter(|file| !folder.join(&file.path).is_file())
            .map(|file| file.path.clone())
            .collect();
        if !missing.is_empty() {
            return Err(InstallError::Missing { model: name, files: missing, place: folder.to_path_buf() });
        }
        let filled = fill_in_checksums(folder, manifest, text)?;
        tell(Progress::Testing { name: &name });
        match try_model(folder, runtime) {
            Ok((bytes, report)) => {
                Ok(Installed { name, folder: folder.to_path_buf(), bytes, filled, report })
            }
            Err(failed) => {
                // As it was, so that what is mended has its own sums next time.
                checksums::replace_manifest(folder, text)?;
                Err(failed)
            }
        }
    }

    /// Whether a model can get this name: it must be one, and nobody's yet.
    ///
    /// # Errors
    /// [`EncoderError::ManifestFields`] for what is no name, [`InstallError::NameTaken`].
    pub fn check_new_name(&self, name: &str) -> Result<(), InstallError> {
        let taken = match Known::find(name, self.own.as_deref()) {
            Ok(_) => true,
            Err(_) => !name.is_empty() && self.folder(name).is_dir(),
        };
        if taken {
            return Err(InstallError::NameTaken { model: name.to_owned() });
        }
        let any = Known::find(Catalogue::default_name(), None)?.manifest;
        let problems = Manifest { id: name.to_owned(), ..any }.problems();
        if problems.is_empty() {
            return Ok(());
        }
        let manifest = format!("the new name `{name}`");
        Err(EncoderError::ManifestFields { manifest, problems }.into())
    }
}

/// Tries the model in `folder`; gives the bytes of its files, and what the self-test found.
fn try_model(folder: &Path, runtime: &Runtime) -> Result<(u64, SelfTestReport), InstallError> {
    let model = Model::open(ModelFiles::Folder(folder.to_path_buf()))?;
    let (manifest, report) = (model.manifest(), model.self_test(runtime));
    if !report.passed() {
        return Err(InstallError::SelfTest { model: manifest.id.clone(), report });
    }
    Ok((manifest.files.iter().filter_map(|file| file.bytes).sum(), report))
}

/// The name by which `folder` is found in the folder `models`; `None` if it is elsewhere. A link in `models`
/// counts wherever it leads, since models are found by the link's name.
#[must_use]
pub fn name_among(models: &Path, folder: &Path) -> Option<OsString> {
    let folder = std::path::absolute(folder).ok()?;
    let parent = folder.parent()?.canonicalize().ok()?;
    let is_among = models.canonicalize().is_ok_and(|models| models == parent);
    folder.file_name().filter(|_| is_among).map(OsString::from)
}

/// Bytes of a folder's files, and of those that have another name elsewhere.
fn measure(folder: &Path) -> std::io::Result<Removed> {
    let mut total = Removed { bytes: 0, shared: 0 };
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let metadata = path.symlink_metadata()?;
        if metadata.is_dir() {
            let inner = measure(&path)?;
            total.bytes += inner.bytes;
            total.shared += inner.shared;
            continue;
        }
        total.bytes += metadata.len();
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::nlink(&metadata) > 1 {
            total.shared += metadata.len();
        }
    }
    Ok(total)
}

/// Bytes that a model's folder takes on disk; 0 where there is none.
#[must_use]
pub fn disk_use(folder: &Path) -> u64 {
    measure(folder).map_or(0, |removed| removed.bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_among_others_by_its_own_name_even_if_it_is_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (models, elsewhere) = (dir.path().join("models"), dir.path().join("elsewhere"));
        [models.join("plain"), elsewhere.join("real")]
            .iter()
            .for_each(|dir| fs::create_dir_all(dir).unwrap());
        std::os::unix::fs::symlink(elsewhere.join("real"), models.join("linked")).unwrap();
        std::os::unix::fs::symlink(&models, dir.path().join("way")).unwrap();
        let name = |folder: PathBuf| name_among(&models, &folder).map(|name| name.into_string().unwrap());
        assert_eq!(name(models.join("plain")).as_deref(), Some("plain"));
        assert_eq!(name(models.join("linked")).as_deref(), Some("linked"));
        assert_eq!(name(dir.path().join("way/plain")).as_deref(), Some("plain"));
        assert_eq!(name(elsewhere.join("real")), None);
        assert_eq!(name(models.clone()), None);
    }
}
