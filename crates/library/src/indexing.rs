//! Adding sound files to the index.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use earmark_engine::ingest::{
    FailedFile, IngestEvent, IngestOptions, IngestReport, Prune, PruneRefused as Refused, Suspicion, ingest,
};
use earmark_engine::{EngineError, WalkOptions, typed_path, walk};
use earmark_index::{OpenOptions, stored_path};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clips::Failure;
use crate::error::{Error, Result};
use crate::filter::check_tags;
use crate::library::Library;
use crate::location::Writing;
use crate::words::{FileRemarks, Version, bounded};
use crate::workers::index_shared;

/// What to index, and how.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IndexRequest {
    /// Sound files and folders.
    #[schema(min_items = 1)]
    pub paths: Vec<String>,
    /// What becomes of clips under `paths` whose files no longer exist: `never` keeps them; `careful` removes
    /// them unless files may only be temporarily unavailable; `all` removes them.
    #[schema(value_type = String, example = "never")]
    pub prune: Prune,
    /// Index every file again, changed or not.
    pub force: bool,
    /// Try again files that failed before.
    pub retry_failed: bool,
    /// Tags for the clips.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Globs of paths to skip. Clips that match are removed from the index.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Include hidden files and folders.
    pub hidden: bool,
    /// Try every file in a folder, whatever its extension.
    pub all_files: bool,
}

/// How far indexing is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IndexProgress {
    /// Files that need a look.
    pub files: usize,
    /// Of these, done.
    pub done: usize,
    /// Of these, failed.
    pub failed: usize,
    /// Size of the files that need a look, bytes.
    pub bytes: u64,
    /// Size of those that are done, bytes.
    pub bytes_done: u64,
    /// Audio decoded so far, that of unfinished files included, seconds.
    pub audio_s: f64,
    /// The file that was finished just now, if one was: its absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why that file failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What indexing did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IndexReport {
    /// The version of this answer's fields.
    pub version: Version,
    /// Sound files found.
    pub files: usize,
    /// New clips.
    pub added: usize,
    /// Clips whose file had changed.
    pub updated: usize,
    /// Clips whose file had not changed.
    pub unchanged: usize,
    /// Clips whose file has another path now.
    pub moved: usize,
    /// Unchanged clips that were given tags.
    pub retagged: usize,
    /// New clips with the content of one that was known: not encoded again.
    pub copied: usize,
    /// Clips removed because their files are gone.
    pub pruned: usize,
    /// Clips removed because their files are excluded now, by a glob or by an ignore file.
    pub excluded: usize,
    /// Files that other workers of the same database indexed meanwhile.
    pub elsewhere: usize,
    /// Why nothing was removed, for each path that speaks against it.
    pub prune_refused: Vec<PruneRefused>,
    /// Files that failed before and have not changed since: not tried again.
    pub known_bad: usize,
    /// Files passed over for their extension.
    pub other_files: usize,
    /// Files that could not be indexed, this time.
    pub failed: Vec<Failure>,
    /// Files that were not read as they are: cut off, damaged, with gaps.
    pub remarks: Vec<FileRemarks>,
    /// Audio encoded, seconds.
    pub audio_s: f64,
    /// Segments written.
    pub segments: usize,
    /// How long it took, seconds.
    pub seconds: f64,
    /// Whether it was cut short; the same request goes on from there.
    pub interrupted: bool,
}

/// Why a careful prune removed nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PruneRefused {
    /// The path that was given, absolute.
    pub root: String,
    /// `missing`, `empty`, `dangling` or `many`.
    pub kind: String,
    /// Why, for people.
    pub reason: String,
    /// Clips under `root` whose files are gone.
    pub gone: usize,
    /// All clips under `root`.
    pub clips: usize,
}

impl From<Refused> for PruneRefused {
    fn from(refused: Refused) -> Self {
        let kind = match &refused.reason {
            Suspicion::Missing => "missing",
            Suspicion::Empty(_) => "empty",
            Suspicion::Dangling(_) => "dangling",
            Suspicion::Many => "many",
        };
        let reason = refused.to_string();
        Self { root: refused.root, kind: kind.to_owned(), reason, gone: refused.gone, clips: refused.clips }
    }
}

impl From<IngestReport> for IndexReport {
    fn from(report: IngestReport) -> Self {
        let failure = |FailedFile { path, kind, reason }| Failure { path, kind, reason, seen_at: None };
        Self {
            version: Version,
            files: report.files,
            added: report.added,
            updated: report.updated,
            unchanged: report.unchanged,
            moved: report.moved,
            retagged: report.retagged,
            copied: report.copied,
            pruned: report.pruned,
            excluded: report.excluded,
            elsewhere: report.elsewhere,
            prune_refused: report.prune_refused.into_iter().map(PruneRefused::from).collect(),
            known_bad: report.known_bad,
            other_files: report.other_files,
            failed: report.failed.into_iter().map(failure).collect(),
            remarks: report.remarks.iter().map(|(path, remarks)| FileRemarks::new(path, remarks)).collect(),
            audio_s: report.audio_s,
            segments: report.segments,
            seconds: report.seconds,
            interrupted: report.interrupted,
        }
    }
}

impl IndexProgress {
    /// Takes in what happened.
    fn add(&mut self, event: IngestEvent<'_>) {
        (self.path, self.reason) = (None, None);
        match event {
            IngestEvent::Planned { files, bytes } => (self.files, self.bytes) = (files, bytes),
            IngestEvent::Decoded { audio_s } => self.audio_s = audio_s,
            IngestEvent::File { path, bytes, failed } => {
                self.done += 1;
                self.bytes_done += bytes;
                self.failed += usize::from(failed.is_some());
                self.path = Some(path.to_owned());
                self.reason = failed.map(str::to_owned);
            }
        }
    }
}

impl Library {
    /// Adds sound files to the index, which is made if there is none. Holds the right to write only while it
    /// works. `progress` hears of every file, and several times a second while a long one is decoded. When
    /// `stop` is set, finishes what is begun, keeps it and returns. Needs [`crate::Access::Live`].
    ///
    /// # Errors
    /// [`Error::Field`] named `paths`, `exclude` or `tags`; [`earmark_index::Error::Locked`] if another
    /// process writes the index; as [`crate::Place::choose_or_make`]. A file that cannot be indexed is in the
    /// report.
    pub fn index_files(
        &self,
        request: &IndexRequest,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&IndexProgress),
    ) -> Result<IndexReport> {
        bounded("paths", request.paths.len(), 1, usize::MAX)?;
        let tags = check_tags(&request.tags)?;
        let paths: Vec<PathBuf> = request.paths.iter().map(|path| typed_path(path.as_ref())).collect();
        let options = WalkOptions {
            any_extension: request.all_files,
            hidden: request.hidden,
            exclude: request.exclude.clone(),
            missing_ok: request.prune != Prune::Never,
            ..WalkOptions::default()
        };
        // First of all, so that a typing error does not leave an empty index.
        let walked = walk(&paths, &options).map_err(|e| match e {
            EngineError::Path { path, reason } => {
                Error::field_is("paths", format!("{}: {reason}", stored_path(&path)))
            }
            e => e.into(),
        })?;
        if stop.load(Ordering::Relaxed) {
            return Ok(IndexReport { files: walked.files.len(), interrupted: true, ..Default::default() });
        }
        if self.live().is_err_and(|e| e.is_no_index()) {
            drop(self.place().choose_or_make(&OpenOptions::default())?);
        }
        let (live, engine) = (self.live()?, self.engine()?);
        let writing = live.write()?;
        let options = IngestOptions {
            prune: request.prune,
            force: request.force,
            retry_failed: request.retry_failed,
            tags,
            ..IngestOptions::default()
        };
        let mut so_far = IndexProgress::default();
        let mut observe = |event: IngestEvent<'_>| {
            so_far.add(event);
            progress(&so_far);
        };
        let report = match &writing {
            Writing::Local(local) => ingest(&engine, &**local, walked, &options, stop, observe)?,
            Writing::Database(shared) => {
                index_shared(&engine, shared, &walked, &options, stop, &mut observe, &mut |_| {})?
            }
        };
        // That room cannot be given back now is no failure; the next writer tries again.
        let _ = writing.tidy();
        Ok(report.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::{Access, LibraryOptions};
    use crate::place::Place;

    fn live(folder: &std::path::Path) -> Library {
        let options = LibraryOptions { access: Access::Live, ..LibraryOptions::default() };
        Library::open(Place::at(folder.join("index")), options).unwrap()
    }

    fn refused(library: &Library, request: &IndexRequest) -> Error {
        library.index_files(request, &AtomicBool::new(false), &mut |_| {}).unwrap_err()
    }

    #[test]
    fn a_bad_request_is_refused_by_field_and_makes_no_index() {
        let dir = tempfile::tempdir().unwrap();
        let library = live(dir.path());
        let here = vec![stored_path(dir.path())];
        let bad = [
            (IndexRequest::default(), "paths"),
            (IndexRequest { paths: vec!["/nowhere/at/all".to_owned()], ..Default::default() }, "paths"),
            (
                IndexRequest { paths: here.clone(), tags: vec!["a,b".to_owned()], ..Default::default() },
                "tags",
            ),
            (IndexRequest { paths: here, exclude: vec!["[".to_owned()], ..Default::default() }, "exclude"),
        ];
        for (request, field) in bad {
            assert_eq!(refused(&library, &request).field(), Some(field));
        }
        assert!(!dir.path().join("index").exists());
        assert!(library.info().unwrap_err().is_no_index());
    }

    #[test]
    fn what_was_stopped_before_it_began_makes_no_index() {
        let dir = tempfile::tempdir().unwrap();
        let library = live(dir.path());
        let request = IndexRequest { paths: vec![stored_path(dir.path())], ..Default::default() };
        let report = library.index_files(&request, &AtomicBool::new(true), &mut |_| {}).unwrap();
        assert!(report.interrupted && !dir.path().join("index").exists());
    }

    #[test]
    fn progress_counts_files_bytes_and_failures() {
        let mut progress = IndexProgress::default();
        progress.add(IngestEvent::Planned { files: 2, bytes: 30 });
        progress.add(IngestEvent::File { path: "/a", bytes: 10, failed: None });
        assert_eq!((progress.done, progress.path.as_deref()), (1, Some("/a")));
        progress.add(IngestEvent::File { path: "/b", bytes: 20, failed: Some("empty") });
        assert_eq!(
            (progress.done, progress.failed, progress.bytes_done, progress.reason.as_deref()),
            (2, 1, 30, Some("empty"))
        );
        progress.add(IngestEvent::Decoded { audio_s: 5.0 });
        assert_eq!((progress.path, progress.audio_s), (None, 5.0));
    }
}
