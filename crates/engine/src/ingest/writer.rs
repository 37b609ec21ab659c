//! Outcomes into batches of changes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use earmark_index::{Change, Clip, ClipMeta, Failure, IndexWriter, Segment, file_path};

use super::plan::{PendingFile, Settled};
use super::{FailedFile, IngestEvent, IngestOptions, IngestReport, now_unix_s};
use crate::EngineError;
use crate::pipeline::{Encoded, Outcome};
use crate::walk::real_path;

/// A batch is written when it has this many changes, or this many segments, or is this old: often enough that a kill
/// costs little work, seldom enough that flushing to disk costs little time.
const BATCH_CHANGES: usize = 64;
const BATCH_SEGMENTS: usize = 4096;
const BATCH_AGE: Duration = Duration::from_secs(2);

/// Whether nothing has this path. A file that cannot be looked at, on a share that is not mounted say, is not
/// gone.
pub(super) fn is_gone(stored: &str) -> bool {
    matches!(file_path(stored).try_exists(), Ok(false))
}

pub(super) struct Writer<'a> {
    index: &'a dyn IndexWriter,
    tags: &'a [String],
    /// Where a file that is not there is gone; everywhere without them.
    roots: Option<&'a [PathBuf]>,
    report: &'a mut IngestReport,
    observe: &'a mut dyn FnMut(IngestEvent<'_>),
    batch: Vec<Change>,
    batch_segments: usize,
    batch_begun: Instant,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        index: &'a dyn IndexWriter,
        options: &'a IngestOptions,
        roots: &'a [PathBuf],
        report: &'a mut IngestReport,
        observe: &'a mut dyn FnMut(IngestEvent<'_>),
    ) -> Self {
        let batch_begun = Instant::now();
        let (tags, roots) = (options.tags.as_slice(), options.is_shared.then_some(roots));
        Self { index, tags, roots, report, observe, batch: Vec::new(), batch_segments: 0, batch_begun }
    }

    /// Whether a clip's file is gone, as far as this machine can tell.
    fn is_gone(&self, stored: &str) -> bool {
        let path = file_path(stored);
        is_gone(stored) && self.roots.is_none_or(|roots| roots.iter().any(|root| path.starts_with(root)))
    }

    /// Gives the clips at these paths the new tags.
    pub(super) fn retag(&mut self, paths: Vec<String>) -> Result<(), EngineError> {
        let tags = self.tags.to_vec();
        paths.into_iter().try_for_each(|path| self.push(Change::AddTags { path, tags: tags.clone() }))
    }

    /// Takes the outcome of a job; a job that must be run again goes to `again`.
    pub(super) fn take(
        &mut self,
        job: PendingFile,
        outcome: Outcome<Settled>,
        again: &mut Vec<PendingFile>,
    ) -> Result<(), EngineError> {
        match outcome {
            Outcome::Encoded(Ok(encoded)) => self.encoded(&job, encoded),
            Outcome::Encoded(Err(e)) | Outcome::Done(Settled::Unreadable(e)) => self.failed(&job, &e),
            Outcome::Done(Settled::Stopped) => Ok(()),
            Outcome::Done(Settled::Touched) => self.touched(&job),
            Outcome::Done(Settled::SameContent) => self.same_content(job, again),
        }
    }

    /// Writes what is waiting. On return it is on disk.
    pub(super) fn flush(&mut self) -> Result<(), EngineError> {
        if !self.batch.is_empty() {
            self.index.apply(std::mem::take(&mut self.batch))?;
            self.batch_segments = 0;
        }
        Ok(())
    }

    fn push(&mut self, change: Change) -> Result<(), EngineError> {
        if self.batch.is_empty() {
            self.batch_begun = Instant::now();
        }
        if let Change::Put { segments, .. } = &change {
            self.batch_segments += segments.len();
        }
        self.batch.push(change);
        let full = self.batch.len() >= BATCH_CHANGES || self.batch_segments >= BATCH_SEGMENTS;
        if full || self.batch_begun.elapsed() >= BATCH_AGE { self.flush() } else { Ok(()) }
    }

    fn encoded(&mut self, job: &PendingFile, encoded: Encoded) -> Result<(), EngineError> {
        let meta = ClipMeta {
            path: job.path.clone(),
            content_hash: job.hash,
            mtime_ns: job.mtime_ns,
            size: job.size,
            duration_s: encoded.duration_s,
            sample_rate: encoded.info.sample_rate,
            channels: encoded.info.channels,
            format: encoded.info.format,
            decoder: encoded.info.decoder,
            tags: self.tags.to_vec(),
            indexed_unix_s: now_unix_s(),
        };
        let segments: Vec<Segment> = encoded.spans.into_iter().map(Segment::from).collect();
        if !encoded.remarks.is_empty() {
            self.report.remarks.push((job.path.clone(), *encoded.remarks));
        }
        match job.known {
            Some(_) => self.report.updated += 1,
            None => self.report.added += 1,
        }
        self.report.audio_s += encoded.duration_s;
        self.report.segments += segments.len();
        self.done(job, None);
        self.push(Change::Put { meta, segments, texts: job.texts.clone() })
    }

    fn failed(&mut self, job: &PendingFile, error: &EngineError) -> Result<(), EngineError> {
        // Whoever opened the file may have named it as well as it could.
        let shown = file_path(&job.path).display().to_string();
        let (kind, reason) = (error.kind().to_owned(), error.to_string().replacen(&shown, &job.path, 1));
        self.done(job, Some(&reason));
        self.report.failed.push(FailedFile {
            path: job.path.clone(),
            kind: kind.clone(),
            reason: reason.clone(),
        });
        if !error.is_about_content() {
            return Ok(());
        }
        // What is in the index is not what is in the file any more.
        if job.known.is_some() {
            self.push(Change::RemoveAt(job.path.clone()))?;
        }
        self.push(Change::Fail(Failure {
            path: job.path.clone(),
            size: job.size,
            mtime_ns: job.mtime_ns,
            reason,
            kind,
            seen_unix_s: now_unix_s(),
        }))
    }

    fn touched(&mut self, job: &PendingFile) -> Result<(), EngineError> {
        self.report.unchanged += 1;
        self.done(job, None);
        let Some(clip) = self.index.reader()?.clip_by_path(&job.path)? else { return Ok(()) };
        let meta = self.meta_of(job, &clip);
        self.push(Change::Move { id: clip.id, meta })
    }

    /// The content is that of a clip we have: moved if that clip's file is gone, a copy if it is still there.
    fn same_content(&mut self, job: PendingFile, again: &mut Vec<PendingFile>) -> Result<(), EngineError> {
        // What is waiting may move or replace the very clip.
        self.flush()?;
        let stored = self.index.reader()?;
        let clips = stored.clips_by_hash(&job.hash)?;
        let gone = clips.iter().find(|c| c.meta.path != job.path && self.is_gone(&c.meta.path));
        if let (Some(clip), None) = (gone, &job.known) {
            self.report.moved += 1;
            self.done(&job, None);
            let meta = self.meta_of(&job, clip);
            return self.push(Change::Move { id: clip.id, meta });
        }
        let real = real_path(&file_path(&job.path));
        let other_name =
            clips.iter().find(|c| c.meta.path != job.path && real_path(&file_path(&c.meta.path)) == real);
        if let (Some(clip), None) = (other_name, &job.known) {
            // Another name of the same file, not a copy of it.
            self.report.unchanged += 1;
            self.done(&job, None);
            return self.push(Change::AddTags { path: clip.meta.path.clone(), tags: self.tags.to_vec() });
        }
        let Some(clip) = clips.first() else {
            again.push(job);
            return Ok(());
        };
        match job.known {
            Some(_) => self.report.updated += 1,
            None => self.report.copied += 1,
        }
        self.done(&job, None);
        let segments = stored.segments(clip.id)?;
        let meta = ClipMeta { indexed_unix_s: now_unix_s(), ..self.meta_of(&job, clip) };
        self.push(Change::Put { meta, segments, texts: job.texts })
    }

    /// What is known of `clip`, for the file of `job`, with the tags that are to be added.
    fn meta_of(&self, job: &PendingFile, clip: &Clip) -> ClipMeta {
        ClipMeta {
            path: job.path.clone(),
            mtime_ns: job.mtime_ns,
            size: job.size,
            tags: self.tags.to_vec(),
            ..clip.meta.clone()
        }
    }

    /// Passes an event on to whoever watches.
    pub(super) fn tell(&mut self, event: IngestEvent<'_>) {
        (self.observe)(event);
    }

    fn done(&mut self, job: &PendingFile, failed: Option<&str>) {
        self.tell(IngestEvent::File { path: &job.path, bytes: job.size, failed });
    }
}
