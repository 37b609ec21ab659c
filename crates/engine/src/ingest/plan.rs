//! What needs a look, and the look itself: size and modification time first, then the content's hash.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use earmark_audio::{embedded_texts, ucs_category};
use earmark_index::{Clip, ClipMeta, ClipText, Failure, Filter, IndexReader, file_path, stored_path};

use super::{FailedFile, IngestOptions, IngestReport};
use crate::EngineError;
use crate::error::NO_DECODER;
use crate::pipeline::{Prepared, Source};
use crate::walk::{FolderId, Walked};

/// Smaller files are read once, into memory, and hashed and decoded from there.
const READ_WHOLE_BELOW: u64 = 32 << 20;

/// Bytes hashed between two looks at whether to stop.
const HASH_BLOCK: usize = 1 << 20;

/// What the index knows already. Paths are in their stored form.
#[derive(Default)]
pub(super) struct Known {
    pub(super) clips: HashMap<String, KnownClip>,
    failures: HashMap<String, Failure>,
    /// Contents of the clips.
    pub(super) hashes: HashSet<[u8; 32]>,
}

/// Whether a content is that of a clip.
pub(super) enum KnownContents {
    /// It is if it is one of these.
    These(HashSet<[u8; 32]>),
    /// The index is asked.
    Ask(Arc<dyn IndexReader>),
}

impl KnownContents {
    fn has(&self, hash: &[u8; 32]) -> Result<bool, EngineError> {
        match self {
            Self::These(hashes) => Ok(hashes.contains(hash)),
            Self::Ask(index) => Ok(!index.clips_by_hash(hash)?.is_empty()),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct KnownClip {
    pub(super) size: u64,
    mtime_ns: i64,
    pub(super) hash: [u8; 32],
    tags: Vec<String>,
}

impl Known {
    /// `has_ffmpeg`: files that could not be decoded without it are not known to be bad.
    pub(super) fn read(
        index: &dyn IndexReader,
        options: &IngestOptions,
        has_ffmpeg: bool,
    ) -> Result<Self, EngineError> {
        let failures = if options.retry_failed { Vec::new() } else { index.failures()? };
        Ok(Self::of(index.clips(&Filter::default())?, failures, has_ffmpeg))
    }

    /// As [`Self::read`], of these files alone: neither other names of them nor other clips with their content are
    /// known.
    pub(super) fn read_at(
        index: &dyn IndexReader,
        walked: &Walked,
        options: &IngestOptions,
        has_ffmpeg: bool,
    ) -> Result<Self, EngineError> {
        let paths: Vec<String> = walked.files.iter().map(|path| stored_path(path)).collect();
        let failures = if options.retry_failed { Vec::new() } else { index.failures_at(&paths)? };
        Ok(Self::of(index.clips_at(&paths)?, failures, has_ffmpeg))
    }

    fn of(found: Vec<Clip>, mut failures: Vec<Failure>, has_ffmpeg: bool) -> Self {
        let mut clips = HashMap::new();
        for clip in found {
            let meta = clip.meta;
            let known = KnownClip {
                size: meta.size,
                mtime_ns: meta.mtime_ns,
                hash: meta.content_hash,
                tags: meta.tags,
            };
            clips.insert(meta.path, known);
        }
        failures.retain(|failure| !(has_ffmpeg && failure.kind == NO_DECODER));
        let hashes = clips.values().map(|c| c.hash).collect();
        Self { clips, failures: failures.into_iter().map(|f| (f.path.clone(), f)).collect(), hashes }
    }

    fn has(&self, path: &str) -> bool {
        self.clips.contains_key(path) || self.failures.contains_key(path)
    }
}

/// Where the files of known clips are, whatever they are called: folder and name, to the path that is known.
struct Places(HashMap<(FolderId, OsString), String>);

impl Places {
    fn of(known: &Known) -> Self {
        let mut folders: HashMap<PathBuf, Option<FolderId>> = HashMap::new();
        let mut places = HashMap::new();
        for stored in known.clips.keys().chain(known.failures.keys()) {
            let path = file_path(stored);
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { continue };
            let id = folders.entry(folder.to_path_buf()).or_insert_with(|| FolderId::of(folder));
            if let Some(id) = id {
                places.insert((id.clone(), name.to_owned()), stored.clone());
            }
        }
        Self(places)
    }

    /// The path under which the file at `path` is known, if that is another one: its folder has several
    /// names, through links or mounts, or it is a link itself.
    fn other_name(&self, path: &Path) -> Option<&String> {
        let real = fs::symlink_metadata(path)
            .is_ok_and(|file| file.is_symlink())
            .then(|| fs::canonicalize(path).ok())
            .flatten();
        let path = real.as_deref().unwrap_or(path);
        self.0.get(&(FolderId::of(path.parent()?)?, path.file_name()?.to_owned()))
    }
}

/// Whether a clip's file still has the size and modification time that it had when it was indexed.
#[must_use]
pub fn is_unchanged(clip: &ClipMeta) -> bool {
    fs::metadata(file_path(&clip.path))
        .is_ok_and(|file| (file.len(), mtime_ns(&file)) == (clip.size, clip.mtime_ns))
}

/// A file that needs a look.
#[derive(Debug, Clone)]
pub(super) struct PendingFile {
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    /// The clip at this path.
    pub(super) known: Option<KnownClip>,
    /// The content's hash, once it is made.
    pub(super) hash: [u8; 32],
    /// What the file says about itself, once it is read.
    pub(super) texts: Vec<ClipText>,
}

/// What the hash settled.
pub(super) enum Settled {
    /// The clip at this path has the same content: only the modification time changed.
    Touched,
    /// Some clip has the same content.
    SameContent,
    /// It cannot be read.
    Unreadable(EngineError),
    /// The job is being stopped.
    Stopped,
}

pub(super) struct Plan {
    pub(super) jobs: Vec<PendingFile>,
    /// Paths of unchanged clips that lack a tag.
    pub(super) retag: Vec<String>,
    /// Every path, of clips that are known or to be, whose file was met.
    pub(super) met: HashSet<String>,
}

/// Decides what needs a look; the rest goes straight into the report. A file that is known under another name
/// keeps that name.
pub(super) fn plan(
    walked: &Walked,
    known: &Known,
    options: &IngestOptions,
    report: &mut IngestReport,
) -> Plan {
    let mut plan = Plan { jobs: Vec::new(), retag: Vec::new(), met: HashSet::new() };
    let mut fail = |path: &Path, reason: String| {
        report.failed.push(FailedFile { path: stored_path(path), kind: "io".to_owned(), reason });
    };
    for (path, reason) in &walked.errors {
        fail(path, reason.clone());
    }
    plan.met.extend(walked.again.iter().map(|path| stored_path(path)));
    // Only a file whose path is not known makes this worth its while.
    let mut places = None;
    for path in &walked.files {
        let mut text = stored_path(path);
        if !known.has(&text)
            && let Some(other) = places.get_or_insert_with(|| Places::of(known)).other_name(path)
        {
            plan.met.insert(text);
            text = other.clone();
        }
        if !plan.met.insert(text.clone()) {
            continue;
        }
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(e) => {
                fail(path, e.to_string());
                continue;
            }
        };
        let (size, mtime_ns) = (metadata.len(), mtime_ns(&metadata));
        let clip = known.clips.get(&text);
        if let Some(clip) = clip
            && !options.force
            && (clip.size, clip.mtime_ns) == (size, mtime_ns)
        {
            report.unchanged += 1;
            if options.tags.iter().any(|t| !clip.tags.contains(t)) {
                plan.retag.push(text);
            }
            continue;
        }
        if known.failures.get(&text).is_some_and(|f| (f.size, f.mtime_ns) == (size, mtime_ns))
            && !options.force
        {
            report.known_bad += 1;
            continue;
        }
        plan.jobs.push(PendingFile {
            path: text,
            size,
            mtime_ns,
            known: clip.cloned(),
            hash: [0; 32],
            texts: Vec::new(),
        });
    }
    plan
}

/// Hashes a file and says whether that settles it. Runs on the workers.
pub(super) fn prepare(
    mut job: PendingFile,
    contents: &KnownContents,
    force: bool,
    max_bytes: u64,
    stop: &AtomicBool,
) -> (PendingFile, Prepared<Settled>) {
    let path = file_path(&job.path);
    if job.size > max_bytes {
        // The reader refuses it with the limit's name; reading it to hash it first would be for nothing.
        return (job, Prepared::Encode(Source::Path(path)));
    }
    let (hash, source) = match read_or_hash(&path, &job, stop) {
        Ok(Some(read)) => read,
        Ok(None) => return (job, Prepared::Done(Settled::Stopped)),
        Err(e) => return (job, Prepared::Done(Settled::Unreadable(EngineError::io(&path, &e)))),
    };
    job.hash = *hash.as_bytes();
    let same_clip = job.known.as_ref().is_some_and(|known| known.hash == job.hash);
    if same_clip && !force {
        return (job, Prepared::Done(Settled::Touched));
    }
    job.texts = texts(&job.path, &source);
    let prepared = match force || !contents.has(&job.hash).unwrap_or(false) {
        // An index that cannot be asked will not take what becomes of it either, and says so then.
        true => Prepared::Encode(source),
        false => Prepared::Done(Settled::SameContent),
    };
    (job, prepared)
}

/// What a file says about itself, and what its name says by the Universal Category System.
fn texts(path: &str, source: &Source) -> Vec<ClipText> {
    let embedded = match source {
        Source::Bytes { bytes, .. } => embedded_texts(Cursor::new(bytes)),
        Source::Path(path) => File::open(path).map(BufReader::new).map(embedded_texts).unwrap_or_default(),
    };
    let name = path.rsplit(['/', std::path::MAIN_SEPARATOR]).next().unwrap_or(path);
    let category = ucs_category(name).map(|text| ("category", text.to_owned()));
    let embedded = embedded.into_iter().map(|one| (one.name, one.text));
    embedded.chain(category).map(|(name, text)| ClipText { name: name.to_owned(), text }).collect()
}

/// The content's hash, and where the decoder shall read from: memory, for a small file. `None` when stopped.
pub(super) fn read_or_hash(
    path: &Path,
    job: &PendingFile,
    stop: &AtomicBool,
) -> std::io::Result<Option<(blake3::Hash, Source)>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    if job.size < READ_WHOLE_BELOW {
        // A file may have grown since it was looked at.
        (&mut file).take(READ_WHOLE_BELOW).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < READ_WHOLE_BELOW {
            return Ok(Some((blake3::hash(&bytes), Source::Bytes { name: job.path.clone(), bytes })));
        }
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes);
    let mut block = vec![0; HASH_BLOCK];
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match file.read(&mut block)? {
            0 => return Ok(Some((hasher.finalize(), Source::Path(path.to_path_buf())))),
            n => hasher.update(&block[..n]),
        };
    }
}

/// Modification time, nanoseconds since 1970; 0 where the file system keeps none.
fn mtime_ns(metadata: &fs::Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    since.and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or(0)
}
