//! From the hub to an installed model.

use earmark_encoder::{FileEntry, Model, ModelFiles, Precision, Runtime, State};

use super::{InstallError, Installed, Installer, Known, Progress, Session};
use crate::{Hub, RemoteFile, sha256_of_file};

/// What a pull did.
#[derive(Debug)]
pub enum Pulled {
    /// The model is there.
    Installed(Installed),
    /// It was there before, and its files are as they should be.
    Already {
        /// Its name.
        name: String,
    },
}

impl Installer {
    /// Downloads a model's files in a precision, where it comes in several, or takes them from the hub's
    /// cache, tries the model, and installs it. Downloads that are cut short go on where they ended when it
    /// is called again.
    ///
    /// # Errors
    /// Any [`InstallError`]; then the model is not installed, or the one installed before is still there.
    pub fn pull(
        &self,
        hub: &Hub,
        name: &str,
        precision: Option<Precision>,
        runtime: &Runtime,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Pulled, InstallError> {
        let own = self.own.as_deref();
        let known = match precision {
            Some(precision) => Known::in_precision(name, precision, own)?,
            None => Known::find(name, own)?,
        };
        let name = known.name.as_str();
        if known.state == State::Bundled {
            return Err(InstallError::Bundled { model: name.to_owned() });
        }
        if self.is_installed(&known) {
            return Ok(Pulled::Already { name: name.to_owned() });
        }
        self.check_obtainable(&known)?;
        let manifest = &known.manifest;
        let mut sources = Vec::new();
        for file in &manifest.files {
            if known.companion(&file.path).is_some() {
                continue;
            }
            if let Some(path) = self.kept(name, file) {
                sources.push((file, path));
                continue;
            }
            let (Some(source), Some(path)) = (&manifest.hub, &file.hub_path) else { continue };
            let remote = RemoteFile {
                repo: source.repo.clone(),
                revision: source.revision.clone(),
                path: path.clone(),
                bytes: file.bytes,
                sha256: file.sha256.clone(),
            };
            let mut tell = |event: crate::Event| tell(Progress::Download { path: &file.path, event });
            sources.push((file, hub.fetch(&remote, &mut tell)?.path));
        }
        let session = Session::begin(&self.root, &mut || tell(Progress::Waiting))?;
        let stage = session.stage(name)?;
        for (file, path) in &sources {
            stage.link(path, &file.path)?;
        }
        for file in &manifest.files {
            if let Some(bytes) = known.companion(&file.path) {
                stage.write(&file.path, &bytes)?;
            }
        }
        self.complete(stage, manifest, &known.text(), runtime, tell).map(Pulled::Installed)
    }

    /// Whether it is there, whole, and the one that the manifest describes today.
    fn is_installed(&self, known: &Known) -> bool {
        let Ok(model) = Model::open(ModelFiles::Folder(self.folder(&known.name))) else { return false };
        let pinned = known.manifest.unpinned().next().is_none();
        let current = !pinned || model.vector_hash() == known.manifest.vector_hash();
        current && model.verify_files().is_ok()
    }

    fn check_obtainable(&self, known: &Known) -> Result<(), InstallError> {
        let missing = known.manifest.files.iter().filter(|file| {
            !known.on_hub(file)
                && known.companion(&file.path).is_none()
                && self.kept(&known.name, file).is_none()
        });
        let files: Vec<String> = missing.map(|file| file.path.clone()).collect();
        if files.is_empty() {
            return Ok(());
        }
        Err(InstallError::NotDownloadable {
            model: known.name.clone(),
            files,
            has_recipe: known.manifest.export.is_some(),
            source_of: known.manifest.source.clone(),
        })
    }

    /// A file that an import brought before, where it is the right one.
    pub(super) fn kept(&self, name: &str, file: &FileEntry) -> Option<std::path::PathBuf> {
        let path = self.partial_folder(name).join(&file.path);
        let wanted = file.sha256.as_ref().filter(|_| path.is_file())?;
        sha256_of_file(&path).is_ok_and(|sha256| sha256.eq_ignore_ascii_case(wanted)).then_some(path)
    }
}
