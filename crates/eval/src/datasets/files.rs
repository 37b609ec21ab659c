//! Sound files by name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use earmark_engine::{WalkOptions, Walked, absolute_path, walk};

use crate::EvalError;
use crate::report::FileUsed;

/// The sound files under `folder`, and what could not be read on the way.
pub(super) fn sounds(folder: &Path) -> Result<Walked, EvalError> {
    // A folder may be of several classes, by several names.
    let options = WalkOptions { every_name: true, ..WalkOptions::default() };
    Ok(walk(&[folder.to_path_buf()], &options)?)
}

/// A file that decides something, for the protocol.
pub(super) fn used(path: &Path) -> Result<FileUsed, EvalError> {
    let bytes = std::fs::read(path).map_err(|e| EvalError::io(path, &e))?;
    let path = absolute_path(path).map_err(|e| EvalError::io(path, &e))?;
    Ok(FileUsed { path: path.display().to_string(), hash: blake3::hash(&bytes).to_hex().to_string() })
}

/// The folders in `folder`, hidden ones left out, by name.
pub(super) fn folders(folder: &Path) -> Result<Vec<PathBuf>, EvalError> {
    let entries = std::fs::read_dir(folder).map_err(|e| EvalError::io(folder, &e))?;
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| EvalError::io(folder, &e))?.path();
        if path.is_dir() && !file_name(&path).starts_with('.') {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// The files in `folder` whose extension is one of `extensions`, by name.
pub(super) fn files_in(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, EvalError> {
    let entries = std::fs::read_dir(folder).map_err(|e| EvalError::io(folder, &e))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| EvalError::io(folder, &e))?.path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        if extensions.contains(&extension.as_str()) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether there are two folders or more in `root` with sounds in them.
pub(super) fn has_class_folders(root: &Path) -> Result<bool, EvalError> {
    let mut with_sounds = 0;
    for folder in folders(root)? {
        with_sounds += usize::from(!sounds(&folder)?.files.is_empty());
        if with_sounds == 2 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The last component of a path; empty where it is not UTF-8.
pub(super) fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|n| n.to_str()).unwrap_or_default()
}

/// A file's name without its extension; empty where it is not UTF-8.
pub(super) fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|n| n.to_str()).unwrap_or_default()
}

/// Sound files of a folder by name, with or without extension: benchmarks are kept in other formats than they came in.
pub(super) struct Files {
    by_name: HashMap<String, Vec<PathBuf>>,
}

impl Files {
    /// Those under `folder`; none if it is not there.
    pub(super) fn under(folder: &Path) -> Result<Self, EvalError> {
        let mut by_name: HashMap<String, Vec<PathBuf>> = HashMap::new();
        if folder.is_dir() {
            let walked = sounds(folder)?;
            // Links come last, so that a name means the file itself where it can.
            for path in walked.files.into_iter().chain(walked.again) {
                let (name, stem) = (file_name(&path).to_owned(), stem(&path).to_owned());
                by_name.entry(name).or_default().push(path.clone());
                by_name.entry(stem).or_default().push(path);
            }
        }
        Ok(Self { by_name })
    }

    /// The file of this name; if there is none, one that differs only in its extension.
    pub(super) fn get(&self, name: &str) -> Option<&Path> {
        self.all(name).first().map(PathBuf::as_path)
    }

    /// All files of this name, in different folders.
    pub(super) fn all(&self, name: &str) -> &[PathBuf] {
        let without = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
        let exact = self.by_name.get(name);
        exact.or_else(|| self.by_name.get(without)).map_or(&[], Vec::as_slice)
    }
}
