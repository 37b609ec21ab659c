//! An import under way, and where its files are.

use std::fs;
use std::path::{Path, PathBuf};

use earmark_encoder::{Precision, Runtime};

use super::{InstallError, Installer, Session, Stage};

/// Folders in folders are looked into this far.
const MAX_DEPTH: usize = 8;

/// One import under way.
pub(super) struct Import<'a> {
    pub(super) installer: &'a Installer,
    pub(super) session: &'a Session,
    /// What people called it.
    pub(super) from: &'a Path,
    /// Another name for the model.
    pub(super) as_new: Option<&'a str>,
    /// Which of a family's files are meant.
    pub(super) precision: Option<Precision>,
    pub(super) runtime: &'a Runtime,
}

/// Where the files are.
pub(super) struct ModelFolder<'a> {
    pub(super) path: &'a Path,
    /// Whether it is a folder of ours, whose files nobody else will change.
    pub(super) ours: bool,
}

impl ModelFolder<'_> {
    pub(super) fn put(&self, stage: &Stage, from: &Path, file: &str) -> Result<(), InstallError> {
        if self.ours { stage.link(from, file) } else { stage.copy(from, file) }
    }
}

/// The file, or all files in the folder and the folders in it, by name. Links to folders are not followed.
pub(super) fn files_in(path: &Path) -> Result<Vec<PathBuf>, InstallError> {
    let mut files = Vec::new();
    collect(path, 0, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), InstallError> {
    if path.is_file() {
        files.push(path.to_path_buf());
    } else if depth < MAX_DEPTH && (depth == 0 || !path.is_symlink()) && path.is_dir() {
        for entry in fs::read_dir(path).map_err(InstallError::io(path))?.flatten() {
            collect(&entry.path(), depth + 1, files)?;
        }
    }
    Ok(())
}
