//! What an ingest would do.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use earmark_index::{IndexReader, file_path};
use serde::Serialize;

use super::plan::{Known, PendingFile, Plan, plan, read_or_hash};
use super::writer::is_gone;
use super::{FailedFile, IngestOptions, IngestReport, PruneRefused, leave, paths};
use crate::EngineError;
use crate::walk::Walked;

/// What an ingest would do. Paths are in their stored form and in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Preview {
    /// Files that would become new clips, if they can be decoded.
    pub added: Vec<String>,
    /// Clips whose files have changed.
    pub updated: Vec<String>,
    /// Clips whose files have another path now.
    pub moved: Vec<Moved>,
    /// New clips with the content of one that is known.
    pub copied: Vec<String>,
    /// Clips that would be given tags.
    pub retagged: Vec<String>,
    /// Clips that would be removed because their files are gone.
    pub pruned: Vec<String>,
    /// Clips that would be removed because their files are excluded.
    pub excluded: Vec<String>,
    /// Why nothing would be removed, for each root that speaks against it.
    pub prune_refused: Vec<PruneRefused>,
    /// Files that cannot be read.
    pub failed: Vec<FailedFile>,
    /// Clips whose files have not changed.
    pub unchanged: usize,
    /// Files that failed before and have not changed since.
    pub known_bad: usize,
    /// Whether it was cut short.
    pub interrupted: bool,
}

/// A clip whose file has another path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Moved {
    /// Where it was.
    pub from: String,
    /// Where it is.
    pub to: String,
}

/// Says what [`super::ingest`] would do with an index, or without one. Nothing is decoded, and only files
/// that may be those of known clips are read. `has_ffmpeg`: files that could not be decoded without it would be
/// tried again.
///
/// # Errors
/// [`EngineError::Index`], [`EngineError::Path`]. A file that cannot be read is in the preview, not an error.
pub fn preview(
    index: Option<&dyn IndexReader>,
    walked: &Walked,
    options: &IngestOptions,
    has_ffmpeg: bool,
    stop: &AtomicBool,
) -> Result<Preview, EngineError> {
    let known = index.map(|index| Known::read(index, options, has_ffmpeg)).transpose()?.unwrap_or_default();
    let mut report = IngestReport::default();
    let Plan { jobs, retag, met } = plan(walked, &known, options, &mut report);
    let mut preview = Preview {
        retagged: retag,
        failed: report.failed,
        unchanged: report.unchanged,
        known_bad: report.known_bad,
        ..Preview::default()
    };
    let mut contents = Contents::of(&known);
    for job in jobs {
        contents.settle(job, options, stop, &mut preview);
    }
    preview.interrupted = stop.load(Ordering::Relaxed);
    if let (Some(index), false) = (index, preview.interrupted) {
        let (mut clips, failures) = paths(index)?;
        let moved: HashSet<&str> = preview.moved.iter().map(|moved| moved.from.as_str()).collect();
        clips.retain(|clip| !moved.contains(clip.as_str()));
        let new = preview.added.iter().chain(&preview.copied).chain(preview.moved.iter().map(|m| &m.to));
        clips.extend(new.cloned());
        let leaving = leave::leaving(&clips, &failures, walked, &met, options.prune)?;
        preview.pruned = leaving.gone;
        preview.excluded = leaving.excluded;
        preview.prune_refused = leaving.refused;
    }
    preview.sort();
    Ok(preview)
}

impl Preview {
    fn sort(&mut self) {
        for paths in [
            &mut self.added,
            &mut self.updated,
            &mut self.copied,
            &mut self.retagged,
            &mut self.pruned,
            &mut self.excluded,
        ] {
            paths.sort_unstable();
        }
        self.moved.sort_unstable();
    }
}

/// The clips that are known, by what is in their files.
struct Contents<'a> {
    sizes: HashSet<u64>,
    /// The paths with each content.
    paths: HashMap<[u8; 32], Vec<&'a str>>,
    /// Those whose file was found elsewhere.
    moved: HashSet<&'a str>,
}

impl<'a> Contents<'a> {
    fn of(known: &'a Known) -> Self {
        let mut paths: HashMap<[u8; 32], Vec<&str>> = HashMap::new();
        for (path, clip) in &known.clips {
            paths.entry(clip.hash).or_default().push(path);
        }
        paths.values_mut().for_each(|paths| paths.sort_unstable());
        let sizes = known.clips.values().map(|clip| clip.size).collect();
        Self { sizes, paths, moved: HashSet::new() }
    }

    /// Finds out what would become of a file.
    fn settle(
        &mut self,
        job: PendingFile,
        options: &IngestOptions,
        stop: &AtomicBool,
        preview: &mut Preview,
    ) {
        let may_be_known = match &job.known {
            Some(known) => known.size == job.size,
            None => self.sizes.contains(&job.size),
        };
        if options.force || !may_be_known {
            match job.known {
                Some(_) => preview.updated.push(job.path),
                None => preview.added.push(job.path),
            }
            return;
        }
        let hash = match read_or_hash(&file_path(&job.path), &job, stop) {
            Ok(Some((hash, _))) => *hash.as_bytes(),
            Ok(None) => return,
            Err(e) => {
                let (kind, reason) = ("io".to_owned(), e.to_string());
                preview.failed.push(FailedFile { path: job.path, kind, reason });
                return;
            }
        };
        match job.known {
            Some(known) if known.hash == hash => preview.unchanged += 1,
            Some(_) => preview.updated.push(job.path),
            None => match self.paths.get(&hash) {
                None => preview.added.push(job.path),
                Some(paths) => {
                    match paths.iter().find(|path| !self.moved.contains(**path) && is_gone(path)) {
                        Some(from) => {
                            self.moved.insert(from);
                            preview.moved.push(Moved { from: (*from).to_owned(), to: job.path });
                        }
                        None => preview.copied.push(job.path),
                    }
                }
            },
        }
    }
}
