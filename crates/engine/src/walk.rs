//! Finds the sound files under the paths that a user names.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use earmark_audio::Format;
use earmark_index::file_path;
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
    /// Walk a folder again under every name that leads to it, for [`Walked::again`].
    pub every_name: bool,
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

/// The path that a user typed. The stored form of a path, as JSON shows it, is read where nothing has that
/// name as it is typed.
#[must_use]
pub fn typed_path(path: &Path) -> PathBuf {
    let unescaped = path.to_str().map(file_path).filter(|unescaped| unescaped != path);
    match unescaped {
        Some(unescaped) if std::fs::symlink_metadata(path).is_err() => unescaped,
        _ => path.to_path_buf(),
    }
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Walked {
    /// The paths that were walked, absolute.
    pub roots: Vec<PathBuf>,
    /// Sound files by absolute path, in a fixed order, each file once however many links lead to it.
    pub files: Vec<PathBuf>,
    /// Further paths that lead to one of `files`; absolute, in a fixed order. Files in a folder that was
    /// reached again are among them with [`WalkOptions::every_name`] only.
    pub again: Vec<PathBuf>,
    /// Files passed over for their extension.
    pub other_files: usize,
    /// Folders and files that could not be read, with the reason.
    pub errors: Vec<(PathBuf, String)>,
    /// How they were walked.
    pub options: WalkOptions,
}

impl Walked {
    /// The files that the same walk finds when nothing is excluded, by a glob or by an ignore file.
    ///
    /// # Errors
    /// [`EngineError::Path`] if a root is no longer there.
    pub(crate) fn without_exclusions(&self) -> Result<HashSet<PathBuf>, EngineError> {
        let options = WalkOptions { exclude: Vec::new(), ..self.options.clone() };
        let all = Walker::new(&options, Rules::Off)?.walk(&self.roots)?;
        Ok(all.files.into_iter().chain(all.again).collect())
    }
}

/// Walks `paths`. A file named outright is taken up whatever its name; folders are walked through, links followed,
/// loops detected. A folder that several names lead to, through links or mounts, is walked once: by its name
/// without links where it has one under `paths`.
///
/// # Errors
/// [`EngineError::Path`] for a path that does not exist, [`EngineError::Setting`] for a glob that does not
/// parse.
pub fn walk(paths: &[PathBuf], options: &WalkOptions) -> Result<Walked, EngineError> {
    Walker::new(options, Rules::Honoured)?.walk(paths)
}

fn exclude_set(patterns: &[String]) -> Result<GlobSet, EngineError> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = Glob::new(pattern).map_err(|e| EngineError::Setting {
            field: "exclude",
            expected: "a glob such as `*/drafts/*`".to_owned(),
            received: e.to_string(),
        })?;
        set.add(glob);
    }
    set.build().map_err(|e| EngineError::Setting {
        field: "exclude",
        expected: "fewer or simpler globs".to_owned(),
        received: e.to_string(),
    })
}

/// Whether ignore files count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rules {
    Honoured,
    Off,
}

/// What is one folder, whatever it is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FolderId(
    /// Device, inode and the time of the last change: file systems that make up their inodes may use one
    /// twice.
    #[cfg(unix)]
    (u64, u64, i64, i64),
    #[cfg(not(unix))] PathBuf,
);

impl FolderId {
    /// That of the folder at `path`, links followed; `None` if it cannot be found out.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;

            let folder = std::fs::metadata(path).ok()?;
            Some(Self((folder.dev(), folder.ino(), folder.ctime(), folder.ctime_nsec())))
        }
        #[cfg(not(unix))]
        std::fs::canonicalize(path).ok().map(Self)
    }
}

/// The name under which each folder is walked.
#[derive(Debug, Default)]
struct FolderNames(HashMap<FolderId, PathBuf>);

impl FolderNames {
    /// Whether the folder at `path` has this name, or had none until now.
    fn claim(&mut self, path: &Path) -> bool {
        let Some(id) = FolderId::of(path) else { return true };
        self.0.entry(id).or_insert_with(|| path.to_path_buf()) == path
    }
}

/// Which links to folders a pass follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Links {
    /// None. Whether there are any is noted.
    Note,
    /// Those to folders that are not walked under another name.
    Follow,
    /// All.
    FollowAll,
}

/// What the filter of a walk finds out on the way.
#[derive(Debug, Default)]
struct OnTheWay {
    names: FolderNames,
    /// Whether a link to a folder was met.
    met_link: bool,
    /// Links that lead out of the allowed roots.
    leads_out: Vec<PathBuf>,
}

struct Walker<'a> {
    options: &'a WalkOptions,
    exclude: GlobSet,
    rules: Rules,
    on_the_way: Arc<Mutex<OnTheWay>>,
    walked: Walked,
    /// Where `walked.files` really are.
    seen: HashSet<PathBuf>,
    /// Links to files: their turn comes when all others have had theirs.
    linked: Vec<PathBuf>,
}

impl<'a> Walker<'a> {
    fn new(options: &'a WalkOptions, rules: Rules) -> Result<Self, EngineError> {
        Ok(Self {
            options,
            exclude: exclude_set(&options.exclude)?,
            rules,
            on_the_way: Arc::default(),
            walked: Walked::default(),
            seen: HashSet::new(),
            linked: Vec::new(),
        })
    }

    fn walk(mut self, paths: &[PathBuf]) -> Result<Walked, EngineError> {
        let roots = paths
            .iter()
            .map(|path| absolute_path(path).map_err(|e| EngineError::io(path, &e)))
            .collect::<Result<Vec<_>, _>>()?;
        if self.options.every_name {
            self.pass(&roots, Links::FollowAll)?;
        } else {
            self.pass(&roots, Links::Note)?;
            // All folders that have names without links have them now; the others get theirs.
            if lock(&self.on_the_way).met_link {
                self.walked = Walked::default();
                self.seen.clear();
                self.linked.clear();
                lock(&self.on_the_way).leads_out.clear();
                self.pass(&roots, Links::Follow)?;
            }
        }
        for link in std::mem::take(&mut self.linked) {
            self.take(link);
        }
        let leads_out = std::mem::take(&mut lock(&self.on_the_way).leads_out);
        self.walked.errors.extend(leads_out.into_iter().map(|link| (link, LEADS_OUT.to_owned())));
        Ok(Walked { roots, options: self.options.clone(), ..self.walked })
    }

    fn pass(&mut self, roots: &[PathBuf], links: Links) -> Result<(), EngineError> {
        for root in roots {
            match std::fs::metadata(root) {
                Ok(kind) if kind.is_dir() => {
                    if links == Links::FollowAll || lock(&self.on_the_way).names.claim(root) {
                        self.folder(root, links);
                    }
                }
                Ok(kind) if kind.is_file() => {
                    if self.seen.insert(real_path(root)) {
                        self.walked.files.push(root.clone());
                    }
                }
                Ok(_) => {
                    let reason = "expected a file or a folder, got a device, pipe or socket".to_owned();
                    return Err(EngineError::Path { path: root.clone(), reason });
                }
                Err(e) if e.kind() == ErrorKind::NotFound && self.options.missing_ok => {}
                Err(e) => return Err(EngineError::io(root, &e)),
            }
        }
        Ok(())
    }

    fn folder(&mut self, folder: &Path, links: Links) {
        let mut builder = WalkBuilder::new(folder);
        builder
            .standard_filters(false)
            .hidden(!self.options.hidden)
            .parents(self.rules == Rules::Honoured)
            .follow_links(true)
            .sort_by_file_path(Path::cmp);
        if self.rules == Rules::Honoured {
            for name in IGNORE_FILES {
                builder.add_custom_ignore_filename(name);
            }
        }
        let (within, on_the_way) = (self.options.within.clone(), Arc::clone(&self.on_the_way));
        builder.filter_entry(move |entry| {
            let is_link = entry.path_is_symlink();
            let is_folder = entry.file_type().is_some_and(|t| t.is_dir());
            if is_link && is_folder && links == Links::Note {
                lock(&on_the_way).met_link = true;
                return false;
            }
            // Only a link can lead out, and what lies behind one is looked at only if it may be.
            let leads_out = is_link
                && within.as_ref().is_some_and(|within| {
                    std::fs::canonicalize(entry.path())
                        .is_ok_and(|real| !within.iter().any(|root| real.starts_with(root)))
                });
            if leads_out {
                lock(&on_the_way).leads_out.push(entry.path().to_path_buf());
                return false;
            }
            !is_folder || links == Links::FollowAll || lock(&on_the_way).names.claim(entry.path())
        });
        for entry in builder.build() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => {
                    self.walked.errors.extend(walk_error(&e, folder));
                    continue;
                }
            };
            let path = entry.path();
            if !entry.file_type().is_some_and(|t| t.is_file()) || self.exclude.is_match(path) {
                continue;
            }
            if !self.options.any_extension && !has_sound_extension(path) {
                self.walked.other_files += 1;
            } else if entry.path_is_symlink() && links != Links::FollowAll {
                self.linked.push(entry.into_path());
            } else {
                self.take(entry.into_path());
            }
        }
    }

    fn take(&mut self, path: PathBuf) {
        let is_new = self.seen.insert(real_path(&path));
        if is_new { self.walked.files.push(path) } else { self.walked.again.push(path) }
    }
}

fn lock(on_the_way: &Mutex<OnTheWay>) -> MutexGuard<'_, OnTheWay> {
    on_the_way.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Decides whether a walk error is reported. A link that leads back up is not, since all it leads to is
/// walked anyway, nor is a dangling one that is not named like a sound.
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
    path.extension().and_then(OsStr::to_str).is_some_and(|e| Format::of_extension(e).is_some())
}

/// Where a path leads when every link is followed; the path itself where that cannot be told.
pub(crate) fn real_path(path: &Path) -> PathBuf {
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

    #[cfg(unix)]
    #[test]
    fn a_folder_that_several_names_lead_to_is_walked_once_by_its_name_without_links() {
        use std::os::unix::fs::symlink;

        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        // The links come first in order, one lies deeper, and one leads to a folder above another.
        for folder in ["lib/deep", "lib/z/in", "out/more"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["lib/z/a.wav", "lib/z/in/b.wav", "out/c.wav", "out/more/d.wav"] {
            std::fs::write(at(file), "x").unwrap();
        }
        symlink(at("lib/z"), at("lib/a-link")).unwrap();
        symlink(at("lib/z/in"), at("lib/deep/link")).unwrap();
        symlink(at("out/more"), at("lib/more")).unwrap();
        symlink(at("out"), at("lib/out")).unwrap();
        symlink(at("lib/a-link/a.wav"), at("lib/0.wav")).unwrap();
        symlink(at("lib"), at("out/back")).unwrap();
        let found = |roots: &[&str]| {
            let roots: Vec<PathBuf> = roots.iter().map(|root| at(root)).collect();
            let walked = walk(&roots, &WalkOptions::default()).unwrap();
            assert!(walked.errors.is_empty(), "{:?}", walked.errors);
            let mut names: Vec<String> = walked
                .files
                .iter()
                .map(|p| p.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned())
                .collect();
            names.sort();
            names
        };
        let once = ["lib/more/d.wav", "lib/out/c.wav", "lib/z/a.wav", "lib/z/in/b.wav"];
        assert_eq!(found(&["lib"]), once);
        // The same folder given twice, from within, and by a link.
        assert_eq!(found(&["lib", "lib", "lib/z/in"]), once);
        assert_eq!(found(&["lib/z", "lib/a-link"]), ["lib/z/a.wav", "lib/z/in/b.wav"]);
        assert_eq!(found(&["lib/a-link"]), ["lib/a-link/a.wav", "lib/a-link/in/b.wav"]);
        // Who wants every name gets it, and files by it.
        let every = WalkOptions { every_name: true, ..WalkOptions::default() };
        let walked = walk(&[at("lib")], &every).unwrap();
        assert_eq!(walked.files.len(), 4);
        assert!(walked.again.iter().any(|path| path.ends_with("z/in/b.wav")), "{:?}", walked.again);
    }

    /// Links from each of many folders to all the others have as many paths as the folders have orders.
    #[cfg(unix)]
    #[test]
    fn folders_that_all_link_to_each_other_do_not_take_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let folder = |n: usize| dir.path().join(n.to_string());
        for n in 0..12 {
            std::fs::create_dir(folder(n)).unwrap();
            std::fs::write(folder(n).join("a.wav"), "x").unwrap();
            for to in 0..12 {
                std::os::unix::fs::symlink(folder(to), folder(n).join(format!("to-{to}"))).unwrap();
            }
        }
        let walked = walk(&[folder(0)], &WalkOptions::default()).unwrap();
        assert_eq!(walked.files.len(), 12);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_may_be_typed_as_json_shows_it() {
        use std::os::unix::ffi::OsStrExt;

        let dir = tempfile::tempdir().unwrap();
        let latin1 = dir.path().join(OsStr::from_bytes(b"caf\xe9.wav"));
        let typed = dir.path().join(r"caf\xe9.wav");
        assert_eq!(typed_path(&typed), latin1, "as it was stored, whether or not it is there");
        std::fs::write(&typed, "x").unwrap();
        assert_eq!(typed_path(&typed), typed, "a file that is there is meant");
        assert_eq!(typed_path(&dir.path().join(r"caf\x5cxe9.wav")), typed);
        assert_eq!(typed_path(&latin1), latin1);
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
