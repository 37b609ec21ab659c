//! Finds the sound files under the paths that a user names.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use earmark_audio::Format;
use globset::{Glob, GlobSet, GlobSetBuilder};
use ignore::WalkBuilder;

use crate::EngineError;

/// Names of files with ignore rules in the syntax of `.gitignore`, honoured in every folder. `.gitignore` itself is
/// not: large sounds are often kept out of git and yet wanted here.
const IGNORE_FILES: &[&str] = &[".earmarkignore", ".ignore"];

/// Said of a link that is not followed.
const LEADS_OUT: &str = "a link that leads out of the allowed roots";

/// What to leave out and take in.
#[derive(Debug, Clone, Default)]
pub struct WalkOptions {
    /// Take up files of any name, not only those with a sound file's extension.
    pub any_extension: bool,
    /// Take up hidden files and folders.
    pub hidden: bool,
    /// Globs of paths to leave out.
    pub exclude: Vec<String>,
    /// Pass over paths that do not exist, as pruning does, instead of failing.
    pub missing_ok: bool,
    /// Links that lead out of these folders (real paths) are not followed but reported; `None` follows all.
    pub within: Option<Vec<PathBuf>>,
}

/// `path` as indexes keep it: absolute, without `.` and `..`, so that a file has one name wherever it is named from.
/// Links stay as they are typed, except before a `..`, which means what the file system says it means.
///
/// # Errors
/// An empty path, or no current folder.
pub fn absolute_path(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let components: Vec<Component<'_>> = path.components().collect();
    let Some(last) = components.iter().rposition(|c| *c == Component::ParentDir) else { return Ok(path) };
    let (up, rest) = components.split_at(last + 1);
    let up: PathBuf = up.iter().collect();
    let up = std::fs::canonicalize(&up).unwrap_or_else(|_| without_parents(&up));
    Ok(rest.iter().fold(up, |path, component| path.join(component)))
}

/// `a/b/../c` as `a/c`, for folders that are not there to be asked.
fn without_parents(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, component| {
        if component == Component::ParentDir {
            path.pop();
        } else {
            path.push(component);
        }
        path
    })
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Walked {
    /// The paths that were walked, absolute.
    pub roots: Vec<PathBuf>,
    /// Sound files by absolute path, in a fixed order, each file once however many links lead to it.
    pub files: Vec<PathBuf>,
    /// Further paths in folders that lead to one of `files`, through a link; absolute, in a fixed order.
    pub again: Vec<PathBuf>,
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
        let path = absolute_path(path).map_err(|e| EngineError::io(path, &e))?;
        walked.roots.push(path.clone());
        match std::fs::metadata(&path) {
            Ok(kind) if kind.is_dir() => walk_folder(&path, options, &exclude, &mut walked, &mut seen),
            Ok(kind) if kind.is_file() => {
                if seen.insert(real_path(&path)) {
                    walked.files.push(path);
                }
            }
            Ok(_) => {
                let reason = "expected a file or a folder, got a device, pipe or socket".to_owned();
                return Err(EngineError::Path { path, reason });
            }
            Err(e) if e.kind() == ErrorKind::NotFound && options.missing_ok => {}
            Err(e) => return Err(EngineError::io(&path, &e)),
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
    let outside = Arc::new(Mutex::new(Vec::new()));
    if let Some(within) = options.within.clone() {
        let outside = Arc::clone(&outside);
        builder.filter_entry(move |entry| {
            // Only a link can lead out, and what lies behind one is looked at only if it may be.
            let leads_out = entry.path_is_symlink()
                && std::fs::canonicalize(entry.path())
                    .is_ok_and(|real| !within.iter().any(|root| real.starts_with(root)));
            if leads_out {
                outside.lock().unwrap_or_else(PoisonError::into_inner).push(entry.path().to_path_buf());
            }
            !leads_out
        });
    }
    for entry in builder.build() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                walked.errors.extend(walk_error(&e, folder));
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
        } else {
            walked.again.push(entry.into_path());
        }
    }
    let outside = std::mem::take(&mut *outside.lock().unwrap_or_else(PoisonError::into_inner));
    walked.errors.extend(outside.into_iter().map(|link| (link, LEADS_OUT.to_owned())));
}

/// What is to be told of an error on the way. Nothing of a link that leads back up, since all it leads to is walked
/// anyway, nor of a dangling one that is not named like a sound.
fn walk_error(error: &ignore::Error, folder: &Path) -> Option<(PathBuf, String)> {
    if matches!(innermost(error), ignore::Error::Loop { .. }) {
        return None;
    }
    let path = error_path(error).unwrap_or_else(|| folder.to_path_buf());
    let dangling = error.io_error().is_some_and(|e| e.kind() == ErrorKind::NotFound);
    // The system's own words; `ignore` says the path in its, too.
    let reason = std::fs::metadata(&path).err().map_or_else(|| error.to_string(), |e| e.to_string());
    (!dangling || has_sound_extension(&path)).then_some((path, reason))
}

fn innermost(error: &ignore::Error) -> &ignore::Error {
    match error {
        ignore::Error::WithPath { err, .. }
        | ignore::Error::WithDepth { err, .. }
        | ignore::Error::WithLineNumber { err, .. } => innermost(err),
        other => other,
    }
}

fn error_path(error: &ignore::Error) -> Option<PathBuf> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path.clone()),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => error_path(err),
        _ => None,
    }
}

/// Whether the name is that of a sound file. Formats that cannot be decoded are among them, so that a library full
/// of those is reported instead of passed over in silence.
fn has_sound_extension(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| Format::of_extension(e).is_some())
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
        std::os::unix::fs::symlink("nowhere", dir.path().join("latest")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("gone.wav")).unwrap();
        let walked = walk(&[dir.path().to_path_buf()], &WalkOptions::default()).unwrap();
        assert_eq!(names(&walked), ["a.wav"]);
        assert!(matches!(&walked.again[..], [link] if link.ends_with("z.wav")), "{:?}", walked.again);
        let [(path, reason)] = &walked.errors[..] else { panic!("{:?}", walked.errors) };
        assert!(path.ends_with("gone.wav") && reason.starts_with("No such file"), "{path:?}: {reason}");
    }

    #[test]
    fn a_path_has_one_name_wherever_it_is_named_from() {
        let dir = tempfile::tempdir().unwrap();
        let real = std::fs::canonicalize(dir.path()).unwrap();
        std::fs::create_dir(real.join("sub")).unwrap();
        assert_eq!(absolute_path(&real.join("sub/../a.wav")).unwrap(), real.join("a.wav"));
        assert_eq!(absolute_path(&real.join("gone/../a.wav")).unwrap(), real.join("a.wav"));
        assert_eq!(absolute_path(&real.join("./sub/./b.wav")).unwrap(), real.join("sub/b.wav"));
    }

    #[test]
    fn a_missing_path_is_named() {
        let e = walk(&[PathBuf::from("/no/such/folder")], &WalkOptions::default()).unwrap_err().to_string();
        assert!(e.contains("/no/such/folder"), "{e}");
    }
}
