//! Models that can be installed: those whose manifests are compiled in, and the user's own.

use std::borrow::Cow;
use std::path::Path;

use earmark_encoder::{Catalogue, EncoderError, FileEntry, Manifest, ModelFiles, Precision, State};

use super::InstallError;

/// A manifest, and the files that travel with it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) manifest: Manifest,
    pub(crate) state: State,
    files: ModelFiles,
}

impl Known {
    /// All whose manifests are sound.
    pub(crate) fn all(own: Option<&Path>) -> Vec<Self> {
        let entries = Catalogue::new(own.map(Path::to_path_buf), None).entries();
        entries.into_iter().filter_map(|entry| Self::of(entry).ok()).collect()
    }

    pub(crate) fn find(name: &str, own: Option<&Path>) -> Result<Self, InstallError> {
        let entries = Catalogue::new(own.map(Path::to_path_buf), None).entries();
        let known = entries.iter().map(|entry| entry.name.clone()).collect();
        match entries.into_iter().find(|entry| entry.name == name) {
            Some(entry) => Self::of(entry),
            None => Err(EncoderError::UnknownModel { name: name.to_owned(), known }.into()),
        }
    }

    /// The model of that name in a precision: `NAME`, or one of its family.
    pub(crate) fn in_precision(
        name: &str,
        precision: Precision,
        own: Option<&Path>,
    ) -> Result<Self, InstallError> {
        let named = Self::find(name, own)?;
        if named.manifest.precision == Some(precision) {
            return Ok(named);
        }
        let family = |known: &Self| known.manifest.family() == named.manifest.family();
        let mut family: Vec<Self> = Self::all(own).into_iter().filter(family).collect();
        if let Some(at) = family.iter().position(|known| known.manifest.precision == Some(precision)) {
            return Ok(family.swap_remove(at));
        }
        let there = family
            .iter()
            .filter_map(|known| Some(format!("{} ({})", known.manifest.precision?.as_str(), known.name)));
        let (model, there) = (name.to_owned(), there.collect());
        Err(InstallError::NoSuchPrecision { model, precision: precision.as_str(), there })
    }

    fn of(entry: earmark_encoder::CatalogueEntry) -> Result<Self, InstallError> {
        let manifest = entry.model?.manifest().clone();
        Ok(Self { name: entry.name, manifest, state: entry.state, files: entry.files })
    }

    /// The manifest as it is written.
    pub(crate) fn text(&self) -> String {
        let bytes = self.companion("manifest.toml").unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A file that travels with the manifest, where it does.
    pub(crate) fn companion(&self, path: &str) -> Option<Cow<'static, [u8]>> {
        match &self.files {
            ModelFiles::Bundled(name) => {
                let file = Catalogue::compiled_in(name).iter().find(|(known, _)| *known == path);
                file.map(|(_, bytes)| Cow::Borrowed(*bytes))
            }
            ModelFiles::Folder(folder) => std::fs::read(folder.join(path)).ok().map(Cow::Owned),
        }
    }

    /// Whether the file can be downloaded.
    pub(crate) fn on_hub(&self, file: &FileEntry) -> bool {
        self.manifest.hub.is_some() && file.hub_path.is_some()
    }

    /// Why there is nothing to remove.
    pub(crate) fn not_installed(&self) -> InstallError {
        let model = self.name.clone();
        match (&self.state, &self.files) {
            (State::Bundled, _) => InstallError::Bundled { model },
            (_, ModelFiles::Folder(folder)) => InstallError::Own { model, folder: folder.clone() },
            _ => InstallError::NotInstalled { model },
        }
    }
}
