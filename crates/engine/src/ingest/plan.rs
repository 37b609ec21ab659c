//! What needs a look, and the look itself: size and modification time first, then the content's hash.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use earmark_index::{ClipId, Failure, Index};

use super::{FailedFile, IngestOptions, IngestReport};
use crate::pipeline::{Prepared, Source};
use crate::walk::Walked;
use crate::{EngineError, error};

/// Smaller files are read once, into memory, and hashed and decoded from there.
const READ_WHOLE_BELOW: u64 = 32 << 20;

/// What the index knows already.
pub(super) struct Known {
    clips: HashMap<String, KnownClip>,
    failures: HashMap<String, Failure>,
    /// Contents of all clips.
    pub(super) hashes: HashSet<[u8; 32]>,
}

struct KnownClip {
    id: ClipId,
    size: u64,
    mtime_ns: i64,
    hash: [u8; 32],
    tags: Vec<String>,
}

impl Known {
    pub(super) fn read(index: &Index, options: &IngestOptions) -> Result<Self, EngineError> {
        let mut clips = HashMap::new();
        for clip in index.clips()? {
            let clip = clip?;
            let meta = clip.meta;
            let known = KnownClip {
                id: clip.id,
                size: meta.size,
                mtime_ns: meta.mtime_ns,
                hash: meta.content_hash,
                tags: meta.tags,
            };
            clips.insert(meta.path, known);
        }
        let failures = if options.retry_failed { Vec::new() } else { index.failures()? };
        let hashes = clips.values().map(|c| c.hash).collect();
        Ok(Self { clips, failures: failures.into_iter().map(|f| (f.path.clone(), f)).collect(), hashes })
    }
}

/// A file that needs a look.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    /// The clip at this path, and its content's hash.
    pub(super) known: Option<(ClipId, [u8; 32])>,
    /// The content's hash, once it is made.
    pub(super) hash: [u8; 32],
}

/// What the hash settled.
pub(super) enum Settled {
    /// The clip at this path has the same content: only the modification time changed.
    Touched,
    /// Some clip has the same content.
    SameContent,
    /// It cannot be read.
    Unreadable(EngineError),
}

pub(super) struct Plan {
    pub(super) jobs: Vec<Job>,
    /// Unchanged clips that lack a tag, with the tags they should have.
    pub(super) retag: Vec<(ClipId, Vec<String>)>,
}

/// Decides what needs a look; the rest goes straight into the report.
pub(super) fn plan(
    walked: Walked,
    known: &Known,
    options: &IngestOptions,
    report: &mut IngestReport,
) -> Plan {
    let mut plan = Plan { jobs: Vec::new(), retag: Vec::new() };
    let mut fail = |path: PathBuf, reason: String| {
        report.failed.push(FailedFile { path: path.display().to_string(), kind: "io".to_owned(), reason });
    };
    for (path, reason) in walked.errors {
        fail(path, reason);
    }
    for path in walked.files {
        let Some(text) = path.to_str() else {
            fail(path, "the name is not valid UTF-8; rename the file".to_owned());
            continue;
        };
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(e) => {
                fail(path, e.to_string());
                continue;
            }
        };
        let (size, mtime_ns) = (metadata.len(), mtime_ns(&metadata));
        let clip = known.clips.get(text);
        if let Some(clip) = clip
            && !options.force
            && (clip.size, clip.mtime_ns) == (size, mtime_ns)
        {
            report.unchanged += 1;
            if options.tags.iter().any(|t| !clip.tags.contains(t)) {
                let mut tags = clip.tags.clone();
                tags.extend(options.tags.iter().filter(|t| !clip.tags.contains(t)).cloned());
                plan.retag.push((clip.id, tags));
            }
            continue;
        }
        if known.failures.get(text).is_some_and(|f| (f.size, f.mtime_ns) == (size, mtime_ns))
            && !options.force
        {
            report.known_bad += 1;
            continue;
        }
        plan.jobs.push(Job {
            path: text.to_owned(),
            size,
            mtime_ns,
            known: clip.map(|c| (c.id, c.hash)),
            hash: [0; 32],
        });
    }
    plan
}

/// Hashes a file and says whether that settles it. Runs on the workers.
pub(super) fn prepare(mut job: Job, hashes: &HashSet<[u8; 32]>, force: bool) -> (Job, Prepared<Settled>) {
    let path = PathBuf::from(&job.path);
    let source = if job.size < READ_WHOLE_BELOW {
        fs::read(&path).map(|bytes| {
            let hash = blake3::hash(&bytes);
            (hash, Source::Bytes { name: job.path.clone(), bytes })
        })
    } else {
        hash_stream(&path).map(|hash| (hash, Source::Path(path.clone())))
    };
    let (hash, source) = match source {
        Ok(source) => source,
        Err(e) => return (job, Prepared::Done(Settled::Unreadable(error::EngineError::io(&path, &e)))),
    };
    job.hash = *hash.as_bytes();
    let same_clip = job.known.is_some_and(|(_, known)| known == job.hash);
    let prepared = if force {
        Prepared::Encode(source)
    } else if same_clip {
        Prepared::Done(Settled::Touched)
    } else if hashes.contains(&job.hash) {
        Prepared::Done(Settled::SameContent)
    } else {
        Prepared::Encode(source)
    };
    (job, prepared)
}

fn hash_stream(path: &PathBuf) -> std::io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize())
}

/// Modification time, nanoseconds since 1970; 0 where the file system keeps none.
fn mtime_ns(metadata: &fs::Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    since.and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or(0)
}
