//! What leaves the index: clips whose files are gone, and those that are excluded now.
//!
//! A file that is not there may be on a drive that is not mounted. So a careful prune refuses where that is
//! likely, and then nothing leaves at all.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use earmark_index::{Change, IndexWriter, file_path, stored_path};
use serde::{Deserialize, Serialize};

use crate::EngineError;
use crate::walk::Walked;

/// Clips in a batch: sled holds every page that a batch touches in memory, several times over.
const BATCH_CLIPS: usize = 250;

/// A careful prune refuses to remove more than one in so many clips of a root.
const MOST: usize = 4;

/// What becomes of clips whose files are gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prune {
    /// They stay.
    #[default]
    Never,
    /// They leave, unless it looks as if a drive were not mounted; see [`PruneRefused`].
    Careful,
    /// They leave, however many they are.
    All,
}

/// Why a careful prune removed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PruneRefused {
    /// The path that was given, absolute, in its stored form.
    pub root: String,
    /// What is suspicious.
    pub reason: Suspicion,
    /// Clips under `root` whose files are gone.
    pub gone: usize,
    /// All clips under `root`.
    pub clips: usize,
}

/// What makes it likely that files are out of reach and not gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspicion {
    /// The root is not there.
    Missing,
    /// This folder, in which there were clips, is empty.
    Empty(String),
    /// This link, behind which there were clips, leads nowhere.
    Dangling(String),
    /// More than a quarter of the root's clips are gone.
    Many,
}

impl std::error::Error for PruneRefused {}

impl fmt::Display for PruneRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { root, reason, gone, clips } = self;
        write!(f, "{root}: ")?;
        match reason {
            Suspicion::Missing => write!(f, "it is not there (is a drive not mounted?)")?,
            Suspicion::Empty(folder) if folder == root => write!(f, "it is empty (is a drive not mounted?)")?,
            Suspicion::Empty(folder) => write!(f, "{folder} is empty (is a drive not mounted?)")?,
            Suspicion::Dangling(link) => write!(f, "{link} leads nowhere (is a drive not mounted?)")?,
            Suspicion::Many => write!(f, "more than a quarter of its clips have no file")?,
        }
        write!(f, "; nothing was removed, since {gone} of its {clips} clips would go")
    }
}

/// Paths of clips and remembered failures that are to leave, in their stored form.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// Clips whose files are gone.
    pub(super) gone: Vec<String>,
    /// Clips whose files are excluded now.
    pub(super) excluded: Vec<String>,
    /// Failures whose files are gone or excluded.
    failures: Vec<String>,
    /// Why nothing may leave.
    pub(super) refused: Vec<PruneRefused>,
}

/// Decides which of `clips` and `failures` leave. `met` are those whose files the walk came upon.
///
/// # Errors
/// [`EngineError::Path`] if a root goes away meanwhile.
pub(super) fn leaving(
    clips: &[String],
    failures: &[String],
    walked: &Walked,
    met: &HashSet<String>,
    prune: Prune,
) -> Result<Leaving, EngineError> {
    let mut roots: Vec<Root> = walked.roots.iter().map(|root| Root::new(root)).collect();
    let mut leaving = Leaving::default();
    // There, and yet not met: excluded, perhaps.
    let (mut clips_left, mut failures_left) = (Vec::new(), Vec::new());
    for clip in clips {
        let mut above: Vec<&mut Root> = roots.iter_mut().filter(|root| root.holds(clip)).collect();
        above.iter_mut().for_each(|root| root.clips += 1);
        if above.is_empty() || met.contains(clip) {
            continue;
        }
        match look(clip) {
            Look::There => clips_left.push(clip),
            Look::Gone if prune != Prune::Never => {
                above.iter_mut().for_each(|root| root.miss(clip));
                leaving.gone.push(clip.clone());
            }
            Look::Gone | Look::Unknown => {}
        }
    }
    for failure in failures {
        if met.contains(failure) || !roots.iter().any(|root| root.holds(failure)) {
            continue;
        }
        match look(failure) {
            Look::There => failures_left.push(failure),
            Look::Gone if prune != Prune::Never => leaving.failures.push(failure.clone()),
            Look::Gone | Look::Unknown => {}
        }
    }
    if !(clips_left.is_empty() && failures_left.is_empty()) {
        let all = walked.without_exclusions()?;
        let is_excluded = |path: &&&String| all.contains(&file_path(path));
        leaving.excluded.extend(clips_left.iter().filter(is_excluded).map(|path| (*path).clone()));
        leaving.failures.extend(failures_left.iter().filter(is_excluded).map(|path| (*path).clone()));
    }
    if prune == Prune::Careful {
        leaving.refused = roots.into_iter().filter_map(Root::refusal).collect();
    }
    Ok(leaving)
}

impl Leaving {
    /// Takes them out of the index, unless that is refused.
    pub(super) fn apply(self, index: &dyn IndexWriter) -> Result<(), EngineError> {
        if !self.refused.is_empty() {
            return Ok(());
        }
        let clips = self.gone.into_iter().chain(self.excluded).map(Change::RemoveAt);
        let failures = self.failures.into_iter().map(Change::ClearFailure);
        let changes: Vec<Change> = clips.chain(failures).collect();
        for some in changes.chunks(BATCH_CLIPS) {
            index.apply(some.to_vec())?;
        }
        Ok(())
    }
}

/// What became of a file.
enum Look {
    There,
    Gone,
    /// It cannot be looked at, which must not empty the index.
    Unknown,
}

fn look(stored: &str) -> Look {
    match fs::symlink_metadata(file_path(stored)) {
        Ok(_) => Look::There,
        Err(e) if e.kind() == ErrorKind::NotFound => Look::Gone,
        Err(_) => Look::Unknown,
    }
}

/// A path that was given, and its clips.
struct Root {
    path: PathBuf,
    stored: String,
    clips: usize,
    gone: usize,
    /// Folders of clips that are gone, and what is suspicious about them.
    folders: HashMap<PathBuf, Option<Suspicion>>,
}

impl Root {
    fn new(path: &Path) -> Self {
        let stored = stored_path(path);
        Self { path: path.to_path_buf(), stored, clips: 0, gone: 0, folders: HashMap::new() }
    }

    fn holds(&self, stored: &str) -> bool {
        Path::new(stored).starts_with(&self.stored)
    }

    /// Counts a clip whose file is gone.
    fn miss(&mut self, stored: &str) {
        self.gone += 1;
        if let Some(folder) = file_path(stored).parent().filter(|folder| folder.starts_with(&self.path)) {
            self.folders.entry(folder.to_path_buf()).or_insert_with_key(|folder| suspicion(folder));
        }
    }

    /// Why its clips may not be removed, if there is a reason.
    fn refusal(self) -> Option<PruneRefused> {
        if self.gone == 0 {
            return None;
        }
        let is_missing = matches!(fs::metadata(&self.path), Err(e) if e.kind() == ErrorKind::NotFound);
        let mut found: Vec<(PathBuf, Suspicion)> =
            self.folders.into_iter().filter_map(|(folder, why)| Some((folder, why?))).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let reason = if is_missing {
            Suspicion::Missing
        } else if let Some((_, why)) = found.into_iter().next() {
            why
        } else if self.gone * MOST > self.clips {
            Suspicion::Many
        } else {
            return None;
        };
        Some(PruneRefused { root: self.stored, reason, gone: self.gone, clips: self.clips })
    }
}

/// What is suspicious about the first thing on the way up from `folder` that is there. A drive that is not
/// mounted leaves an empty folder, or a link to nothing.
fn suspicion(folder: &Path) -> Option<Suspicion> {
    let there = folder.ancestors().find(|path| fs::symlink_metadata(path).is_ok())?;
    match fs::metadata(there) {
        Err(e) if e.kind() == ErrorKind::NotFound => Some(Suspicion::Dangling(stored_path(there))),
        Ok(_) => {
            let is_empty = fs::read_dir(there).is_ok_and(|mut entries| entries.next().is_none());
            is_empty.then(|| Suspicion::Empty(stored_path(there)))
        }
        Err(_) => None,
    }
}
