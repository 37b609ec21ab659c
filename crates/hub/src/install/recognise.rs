//! Files recognised by their checksums, whatever their names.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use earmark_encoder::State;

use super::source::{Import, ModelFolder, files_in};
use super::{Imported, InstallError, Known, Partial, Progress};
use crate::sha256_of_file;

impl Import<'_> {
    /// Installs the known models of which all files are at `source` or were brought before, and keeps files
    /// of others until the rest comes.
    pub(super) fn by_checksum(
        &self,
        source: &ModelFolder,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Imported, InstallError> {
        let mut known = Known::all(self.installer.own.as_deref());
        known.retain(|known| known.state != State::Bundled);
        let files = files_in(source.path)?;
        let by_sha256 = checksums(&files, &known, tell)?;
        let mut outcome = Imported::default();
        let mut used: Vec<&PathBuf> = Vec::new();
        let mut incomplete = Vec::new();
        for model in &known {
            let found = |sha256: &Option<String>| by_sha256.get(&sha256.as_ref()?.to_ascii_lowercase());
            let (mut here, mut kept, mut missing) = (Vec::new(), Vec::new(), Vec::new());
            for file in &model.manifest.files {
                if let Some(path) = found(&file.sha256) {
                    here.push((file, path));
                } else if let Some(path) = self.installer.kept(&model.name, file) {
                    kept.push((file, path));
                } else if model.companion(&file.path).is_none() {
                    missing.push(file.path.clone());
                }
            }
            if here.is_empty() {
                continue;
            }
            if !missing.is_empty() {
                incomplete.push((model, here, kept, missing));
                continue;
            }
            let stage = self.session.stage(&model.name)?;
            for file in &model.manifest.files {
                if let Some(bytes) = model.companion(&file.path) {
                    stage.write(&file.path, &bytes)?;
                }
            }
            for (file, path) in &here {
                source.put(&stage, path, &file.path)?;
                used.push(path);
            }
            for (file, path) in &kept {
                stage.link(path, &file.path)?;
            }
            let text = model.text();
            let installed = self.installer.complete(stage, &model.manifest, &text, self.runtime, tell)?;
            outcome.installed.push(installed);
        }
        for (model, here, kept, missing) in incomplete {
            // Models share files, such as tokenizers. One that belongs to a model just installed was not
            // meant for this.
            if here.iter().all(|(_, path)| used.contains(path)) {
                continue;
            }
            let folder = self.installer.partial_folder(&model.name);
            for (file, path) in &here {
                let to = folder.join(&file.path);
                let parent = to.parent().unwrap_or(&folder);
                fs::create_dir_all(parent).map_err(InstallError::io(parent))?;
                fs::copy(path, &to).map_err(InstallError::io(&to))?;
            }
            let have = here.iter().map(|(file, _)| *file).chain(kept.iter().map(|(file, _)| *file));
            let have = have.map(|file| file.path.clone()).collect();
            outcome.partial.push(Partial { name: model.name.clone(), have, missing });
        }
        if outcome.installed.is_empty() && outcome.partial.is_empty() {
            if let Some(foreign) = earmark_encoder::recognise(source.path) {
                return Err(foreign.into());
            }
            let place = self.from.to_path_buf();
            return Err(InstallError::NothingRecognised { place, looked_at: files.len() });
        }
        Ok(outcome)
    }
}

/// The files by SHA-256. Only those are read whose length is one that a known model's file has.
fn checksums(
    files: &[PathBuf],
    known: &[Known],
    tell: &mut dyn FnMut(Progress),
) -> Result<HashMap<String, PathBuf>, InstallError> {
    let lengths: Vec<u64> =
        known.iter().flat_map(|model| &model.manifest.files).filter_map(|file| file.bytes).collect();
    let mut sums = HashMap::new();
    for path in files {
        let length = path.metadata().map_err(InstallError::io(path))?.len();
        if lengths.contains(&length) {
            tell(Progress::Reading { path });
            sums.insert(sha256_of_file(path).map_err(InstallError::io(path))?, path.clone());
        }
    }
    Ok(sums)
}
