//! Finds the sound files under the paths that a user names.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};
use ignore::WalkBuilder;

use crate::EngineError;

/// Extensions of files that are taken up when found in a folder. Formats that cannot be decoded are among them, so
/// that a library full of those is reported instead of passed over in silence.
const SOUND_EXTENSIONS: &[&str] = &[
    "3gp", "aac", "ac3", "aif", "aifc", "aiff", "alac", "amr", "ape", "au", "bwf", "caf", "dsf", "dts",
    "flac", "m4a", "m4b", "m4r", "mka", "mkv", "mov", "mp1", "mp2", "mp3", "mp4", "oga", "ogg", "ogv",
    "opus", "ra", "rf64", "snd", "spx", "tta", "w64", "wav", "wave", "weba", "webm", "wma", "wv",
];

/// Names of files with ignore rules in the syntax of `.gitignore`, honoured in every folder. `.gitignore` itself is
/// not: large sounds are often kept out of git and yet wanted here.
const IGNORE_FILES: &[&str] = &[".earmarkignore", ".ignore"];

/// What to leave out and take in.
#[derive(Debug, Clone, Default)]
pub struct WalkOptions {
    /// Take up files of any name, not only those with a sound file's extension.
    pub any_extension: bool,
    /// Take up hidden files and folders.
    pub hidden: bool,
    /// Globs of paths to leave out.
    pub exclude: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Walked {
    /// Sound files by absolute path, in a fixed order, each file once however many links lead to it.
    pub files: Vec<PathBuf>,
    /// Files passed over for their extension.
    pub other_files: usize,
    /// Folders and files that could not be read, with the reason.
    pub errors: Vec<(PathBuf, String)>,
}

/// Walks `paths`. A file named outright is taken up whatever its name; folders are walked through, links followed,
/// loops detected.
///
/// # Errors
/// A path that does not exist, a glob that does not parse.
pub fn walk(paths: &[PathBuf], options: &WalkOptions) -> Result<Walked, EngineError> {
    let exclude = exclude_set(&options.exclude)?;
    let mut walked = Walked::default();
    let mut seen = HashSet::new();
    for path in paths {
        let path = std::path::absolute(path).map_err(|e| EngineError::io(path, &e))?;
        let kind = std::fs::metadata(&path).map_err(|e| EngineError::io(&path, &e))?;
        if kind.is_dir() {
            walk_folder(&path, options, &exclude, &mut walked, &mut seen);
        } else if seen.insert(real_path(&path)) {
            walked.files.push(path);
        }
    }
    Ok(walked)
}

fn exclude_set(patterns: &[String]) -> Result<GlobSet, EngineError> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = Glob::new(pattern).map_err(|e| EngineError::Setting {
            setting: "--exclude",
            expected: "a glob such as `*/drafts/*`".to_owned(),
            received: e.to_string(),
        })?;
        set.add(glob);
    }
    set.build().map_err(|e| EngineError::Setting {
        setting: "--exclude",
        expected: "fewer or simpler globs".to_owned(),
        received: e.to_string(),
    })
}

fn walk_folder(
    folder: &Path,
    options: &WalkOptions,
    exclude: &GlobSet,
    walked: &mut Walked,
    seen: &mut HashSet<PathBuf>,
) {
    let mut builder = WalkBuilder::new(folder);
    builder
        .standard_filters(false)
        .hidden(!options.hidden)
        .parents(true)
        .follow_links(true)
        .sort_by_file_path(Path::cmp);
    for name in IGNORE_FILES {
        builder.add_custom_ignore_filename(name);
    }
    for entry in builder.build() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                let path = error_path(&e).unwrap_or_else(|| folder.to_path_buf());
                walked.errors.push((path, e.to_string()));
                continue;
            }
        };
        let path = entry.path();
        if !entry.file_type().is_some_and(|t| t.is_file()) || exclude.is_match(path) {
            continue;
        }
        if !options.any_extension && !has_sound_extension(path) {
            walked.other_files += 1;
        } else if seen.insert(real_path(path)) {
            walked.files.push(entry.into_path());
        }
    }
}

fn error_path(error: &ignore::Error) -> Option<PathBuf> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path.clone()),
        ignore::Error::Loop { child, .. } => Some(child.clone()),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => error_path(err),
        _ => None,
    }
}

fn has_sound_extension(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| SOUND_EXTENSIONS.binary_search(&e.to_ascii_lowercase().as_str()).is_ok())
}

/// Where a path leads when every link is followed; the path itself where that cannot be told.
fn real_path(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(walked: &Walked) -> Vec<&str> {
        walked.files.iter().filter_map(|p| p.file_name()?.to_str()).collect()
    }

    #[test]
    fn extensions_are_sorted_for_the_binary_search() {
        assert!(SOUND_EXTENSIONS.is_sorted());
    }

    #[test]
    fn hidden_ignored_and_other_files_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.wav", "b.FLAC", ".hidden.wav", "notes.txt", "skip.ogg", "drafts/c.mp3"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        std::fs::write(dir.path().join(".earmarkignore"), "skip.ogg\n").unwrap();
        let options = WalkOptions { exclude: vec!["**/drafts/**".to_owned()], ..Default::default() };
        let walked = walk(&[dir.path().to_path_buf()], &options).unwrap();
        assert_eq!(names(&walked), ["a.wav", "b.FLAC"]);
        assert_eq!(walked.other_files, 1);
        let named = walk(&[dir.path().join("notes.txt")], &options).unwrap();
        assert_eq!(names(&named), ["notes.txt"], "a file named outright is taken up");
    }

    #[cfg(unix)]
    #[test]
    fn link_loops_end_and_a_file_reached_twice_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("sub/a.wav"), "x").unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("sub/loop")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("sub/a.wav"), dir.path().join("z.wav")).unwrap();
        let walked = walk(&[dir.path().to_path_buf()], &WalkOptions::default()).unwrap();
        assert_eq!(names(&walked), ["a.wav"]);
        assert!(walked.errors.iter().any(|(p, _)| p.ends_with("loop")), "{:?}", walked.errors);
    }

    #[test]
    fn a_missing_path_is_named() {
        let e = walk(&[PathBuf::from("/no/such/folder")], &WalkOptions::default()).unwrap_err().to_string();
        assert!(e.contains("/no/such/folder"), "{e}");
    }
}
