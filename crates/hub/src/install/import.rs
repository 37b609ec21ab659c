//! From files on disk to an installed model, for machines without a network.

use std::path::{Path, PathBuf};

use earmark_encoder::{Manifest, Precision, Runtime, State};

use super::archive::{is_archive, unpack};
use super::source::{Import, ModelFolder, files_in};
use super::{Imported, InstallError, Installed, Installer, Known, Progress, Session};

impl Installer {
    /// Installs what is at `from`: a folder that has a `manifest.toml`, as it is; a folder, a file or a tar
    /// archive with files of known models, recognised by their checksums, whatever their names; with `name`,
    /// files of that known model by their names, whose checksums are filled in where the manifest does not
    /// know them. With `as_new` the model gets that name, and its files are taken as they are, whatever the
    /// manifest says of their checksums.
    ///
    /// A folder with a manifest among the user's own models stays where it is: its checksums are filled in.
    ///
    /// # Errors
    /// Any [`InstallError`]; then the model is not installed, or the one installed before is still there.
    pub fn import(
        &self,
        from: &Path,
        name: Option<&str>,
        as_new: Option<&str>,
        precision: Option<Precision>,
        runtime: &Runtime,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Imported, InstallError> {
        let metadata = from.metadata().map_err(InstallError::io(from))?;
        tell(Progress::Reading { path: from });
        let session = Session::begin(&self.root, &mut || tell(Progress::Waiting))?;
        let import = Import { installer: self, session: &session, from, as_new, precision, runtime };
        if metadata.is_file() && is_archive(from).map_err(InstallError::io(from))? {
            let scratch = session.stage(".unpacked")?;
            unpack(from, scratch.folder())?;
            return import.folder(&ModelFolder { path: scratch.folder(), ours: true }, name, tell);
        }
        import.folder(&ModelFolder { path: from, ours: false }, name, tell)
    }
}

impl Import<'_> {
    fn folder(
        &self,
        source: &ModelFolder,
        name: Option<&str>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Imported, InstallError> {
        let installed = match (name, folder_of_manifest(source.path)) {
            (Some(name), _) => self.by_name(source, name, tell)?,
            (None, Some(path)) => {
                self.with_manifest(&ModelFolder { path: &path, ours: source.ours }, tell)?
            }
            (None, None) if self.as_new.is_some() => {
                if let Some(foreign) = earmark_encoder::recognise(source.path) {
                    return Err(foreign.into());
                }
                return Err(InstallError::NoManifest { place: self.from.to_path_buf() });
            }
            (None, None) if self.precision.is_some() => {
                return Err(InstallError::PrecisionOfWhat { place: self.from.to_path_buf() });
            }
            (None, None) => return self.by_checksum(source, tell),
        };
        Ok(Imported { installed: vec![installed], partial: Vec::new() })
    }

    /// A model that brings its manifest.
    fn with_manifest(
        &self,
        source: &ModelFolder,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Installed, InstallError> {
        let path = source.path.join("manifest.toml");
        let text = std::fs::read_to_string(&path).map_err(InstallError::io(&path))?;
        let (manifest, text) = self.renamed(Manifest::parse(&text, &path.display().to_string())?, text)?;
        self.check_free(&manifest.id)?;
        if self.as_new.is_none() && !source.ours && self.installer.is_own(source.path) {
            return self.installer.complete_in_place(source.path, &manifest, &text, self.runtime, tell);
        }
        let stage = self.session.stage(&manifest.id)?;
        let mut missing = Vec::new();
        for file in &manifest.files {
            let from = source.path.join(&file.path);
            if from.is_file() {
                source.put(&stage, &from, &file.path)?;
            } else {
                missing.push(file.path.clone());
            }
        }
        self.check_complete(&manifest.id, missing)?;
        self.installer.complete(stage, &manifest, &text, self.runtime, tell)
    }

    /// A known model whose files have the names that its manifest or the hub gives them.
    fn by_name(
        &self,
        source: &ModelFolder,
        name: &str,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Installed, InstallError> {
        let own = self.installer.own.as_deref();
        let known = match self.precision {
            Some(precision) => Known::in_precision(name, precision, own)?,
            None => Known::find(name, own)?,
        };
        let name = known.name.as_str();
        let (manifest, text) = self.renamed(known.manifest.clone(), known.text())?;
        self.check_free(&manifest.id)?;
        let files = files_in(source.path)?;
        let find = |wanted: &str| {
            // The whole path if it is there, else the bare name.
            let whole = source.path.join(wanted);
            let last = Path::new(wanted).file_name();
            let bare = || files.iter().find(|f| f.file_name() == last).cloned();
            if whole.is_file() { Some(whole) } else { bare() }
        };
        let stage = self.session.stage(&manifest.id)?;
        let mut missing = Vec::new();
        for file in &manifest.files {
            // A folder as the hub has it holds all precisions, told apart by the hub's names.
            let found: Option<PathBuf> = file.hub_path.as_deref().and_then(find).or_else(|| find(&file.path));
            if let Some(from) = found {
                source.put(&stage, &from, &file.path)?;
            } else if let Some(bytes) = known.companion(&file.path) {
                stage.write(&file.path, &bytes)?;
            } else {
                missing.push(file.path.clone());
            }
        }
        self.check_complete(name, missing)?;
        self.installer.complete(stage, &manifest, &text, self.runtime, tell)
    }

    /// The manifest under the name that is wanted, without the checksums of another model's files.
    fn renamed(&self, manifest: Manifest, text: String) -> Result<(Manifest, String), InstallError> {
        let Some(name) = self.as_new else { return Ok((manifest, text)) };
        self.installer.check_new_name(name)?;
        let mut files = manifest.files.clone();
        files.iter_mut().for_each(|file| (file.bytes, file.sha256, file.hub_path) = (None, None, None));
        // Where the files of the original come from does not hold for these.
        let manifest = Manifest { id: name.to_owned(), files, hub: None, ..manifest };
        let text = super::checksums::write_manifest(&manifest)?;
        Ok((manifest, text))
    }

    /// A bundled model's name is taken: the catalogue would never look at another.
    fn check_free(&self, name: &str) -> Result<(), InstallError> {
        match Known::find(name, self.installer.own.as_deref()) {
            Ok(known) if known.state == State::Bundled => {
                Err(InstallError::Bundled { model: name.to_owned() })
            }
            _ => Ok(()),
        }
    }

    fn check_complete(&self, name: &str, missing: Vec<String>) -> Result<(), InstallError> {
        if missing.is_empty() {
            return Ok(());
        }
        Err(InstallError::Missing { model: name.to_owned(), files: missing, place: self.from.to_path_buf() })
    }
}

/// The folder itself or, as archives often have it, the one folder in it.
fn folder_of_manifest(path: &Path) -> Option<PathBuf> {
    let has_manifest = |folder: &Path| folder.join("manifest.toml").is_file();
    if has_manifest(path) {
        return Some(path.to_path_buf());
    }
    let mut inside = std::fs::read_dir(path).ok()?.flatten().map(|entry| entry.path());
    match (inside.next(), inside.next()) {
        (Some(only), None) if has_manifest(&only) => Some(only),
        _ => None,
    }
}
