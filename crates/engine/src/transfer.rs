//! An index out to files that other programs read, and back: `header.json`, one clip a line in `clips.jsonl`, and all
//! vectors in `vectors.npy` (`[segments, dim]`, float32, unit rows).

use std::fs::{self, File, TryLockError};
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use earmark_index::{
    Change, Clip, ClipId, ClipMeta, ClipText, Filter, Header, Identity, IndexReader, IndexWriter, Segment,
    file_path,
};
use serde::{Deserialize, Serialize};

use crate::batches::{batches, segments_of};
use crate::{EngineError, npy};

/// Clips in a batch while importing.
const BATCH_CLIPS: usize = 256;

/// A line of `clips.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
struct ClipLine {
    /// First row of the clip in `vectors.npy`.
    row: usize,
    path: String,
    content_hash: String,
    mtime_ns: i64,
    size: u64,
    duration_s: f64,
    sample_rate: u32,
    channels: u16,
    format: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decoder: Option<String>,
    tags: Vec<String>,
    indexed_unix_s: i64,
    /// What the file says about itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    texts: Vec<ClipText>,
    /// Start and end of each segment, seconds; one row each.
    segments: Vec<(f64, f64)>,
}

/// What was moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TransferReport {
    /// Clips.
    pub clips: usize,
    /// Segments.
    pub segments: usize,
}

fn paths(dir: &Path) -> (PathBuf, PathBuf, PathBuf) {
    (dir.join("header.json"), dir.join("clips.jsonl"), dir.join("vectors.npy"))
}

/// The folder in which an export is written until it is whole.
const UNFINISHED: &str = ".earmark-export";

/// An export that is being written. Dropped before it is whole, it leaves the folder as it was.
struct Unfinished<'a> {
    dir: &'a Path,
    /// Whether the folder was made for it.
    is_new: bool,
    is_whole: bool,
    /// Locked for as long as it is written.
    _lock: File,
}

impl<'a> Unfinished<'a> {
    /// Begins an export into `dir`, which must be new or empty; what a killed one left is no hindrance.
    fn begin(dir: &'a Path) -> Result<Self, EngineError> {
        let is_new = !dir.exists();
        fs::create_dir_all(dir).map_err(at(dir))?;
        let refused = |reason: &str| EngineError::Path { path: dir.to_path_buf(), reason: reason.to_owned() };
        let part = dir.join(UNFINISHED);
        if !part.exists() && fs::read_dir(dir).map_err(at(dir))?.next().is_some() {
            return Err(refused("expected a new or empty folder; files are in it already"));
        }
        let lock_path = part.join("lock");
        let made = fs::create_dir_all(&part).and_then(|()| File::create(&lock_path));
        let lock = made.map_err(|e| {
            let _ = fs::remove_dir(&part);
            if is_new {
                let _ = fs::remove_dir(dir);
            }
            at(&part)(e)
        })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(refused("another export is being written there")),
            Err(TryLockError::Error(e)) => return Err(at(&lock_path)(e)),
        }
        let this = Self { dir, is_new, is_whole: false, _lock: lock };
        let (header, clips, vectors) = paths(dir);
        // The header comes last, so that without it the others are of an export that was cut short.
        for path in if header.exists() { Vec::new() } else { vec![clips, vectors] } {
            match fs::remove_file(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(at(&path)(e)),
                _ => {}
            }
        }
        for entry in fs::read_dir(dir).map_err(at(dir))? {
            if entry.map_err(at(dir))?.file_name() != UNFINISHED {
                return Err(refused("expected a new or empty folder; files are in it already"));
            }
        }
        Ok(this)
    }

    /// Where its files are written.
    fn folder(&self) -> PathBuf {
        self.dir.join(UNFINISHED)
    }

    /// Gives its files their names. They are on disk.
    fn finish(mut self) -> Result<(), EngineError> {
        let (from, to) = (paths(&self.folder()), paths(self.dir));
        for (from, to) in [(&from.2, &to.2), (&from.1, &to.1), (&from.0, &to.0)] {
            fs::rename(from, to).map_err(at(to))?;
        }
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        // What cannot be removed now is no hindrance to the next try.
        if !self.is_whole {
            let (header, clips, vectors) = paths(self.dir);
            // A header that is there without a whole export was there before.
            if !header.exists() {
                let _ = fs::remove_file(clips);
                let _ = fs::remove_file(vectors);
            }
        }
        let _ = fs::remove_dir_all(self.folder());
        if self.is_new && !self.is_whole {
            let _ = fs::remove_dir(self.dir);
        }
    }
}

/// Wraps an I/O error met at `path`.
fn at(path: &Path) -> impl Fn(std::io::Error) -> EngineError {
    let path = path.to_path_buf();
    move |e| EngineError::io(&path, &e)
}

/// Writes the clips that `filter` admits into the folder `dir`, which must be new or empty. A failure leaves
/// it as it was.
///
/// # Errors
/// [`EngineError::Path`] for a folder that is not empty or cannot be written, [`EngineError::Index`].
pub fn export(index: &dyn IndexReader, filter: &Filter, dir: &Path) -> Result<TransferReport, EngineError> {
    let unfinished = Unfinished::begin(dir)?;
    let report = write_files(index, filter, &unfinished.folder())?;
    unfinished.finish()?;
    Ok(report)
}

/// Writes the three files into `folder`.
fn write_files(
    index: &dyn IndexReader,
    filter: &Filter,
    folder: &Path,
) -> Result<TransferReport, EngineError> {
    let (header_path, clips_path, vectors_path) = paths(folder);
    let clips = index.clips(filter)?;
    let rows = clips.iter().map(|clip| clip.segments as usize).sum();
    let dim = index.header().identity.dim;
    let mut vectors = BufWriter::new(File::create(&vectors_path).map_err(at(&vectors_path))?);
    npy::write_header(&mut vectors, rows, dim).map_err(at(&vectors_path))?;
    let mut lines = BufWriter::new(File::create(&clips_path).map_err(at(&clips_path))?);
    let mut row = 0;
    let all: Vec<&Clip> = clips.iter().collect();
    for some in batches(&all, dim) {
        let ids: Vec<ClipId> = some.iter().map(|clip| clip.id).collect();
        let contents = segments_of(index, some)?.into_iter().zip(index.texts(&ids)?);
        for (clip, (segments, texts)) in some.iter().zip(contents) {
            let meta = &clip.meta;
            let Some(segments) = segments else {
                let reason =
                    "the clip was removed or re-indexed during the export; run the export again".to_owned();
                return Err(EngineError::Path { path: file_path(&meta.path), reason });
            };
            let line = ClipLine {
                row,
                path: meta.path.clone(),
                content_hash: blake3::Hash::from_bytes(meta.content_hash).to_hex().to_string(),
                mtime_ns: meta.mtime_ns,
                size: meta.size,
                duration_s: meta.duration_s,
                sample_rate: meta.sample_rate,
                channels: meta.channels,
                format: meta.format.clone(),
                decoder: meta.decoder.clone(),
                tags: meta.tags.clone(),
                indexed_unix_s: meta.indexed_unix_s,
                texts,
                segments: segments.iter().map(|s| (s.start_s, s.end_s)).collect(),
            };
            serde_json::to_writer(&mut lines, &line).map_err(|e| at(&clips_path)(e.into()))?;
            lines.write_all(b"\n").map_err(at(&clips_path))?;
            for segment in &segments {
                npy::write_values(&mut vectors, &segment.vector).map_err(at(&vectors_path))?;
            }
            row += segments.len();
        }
    }
    let header = serde_json::to_vec_pretty(index.header()).map_err(|e| at(&header_path)(e.into()))?;
    let mut header_file = BufWriter::new(File::create(&header_path).map_err(at(&header_path))?);
    header_file.write_all(&header).map_err(at(&header_path))?;
    // Some file systems find out only now that they are full.
    for (file, path) in [(lines, &clips_path), (vectors, &vectors_path), (header_file, &header_path)] {
        let file = file.into_inner().map_err(|e| at(path)(e.into_error()))?;
        file.sync_all().map_err(at(path))?;
    }
    Ok(TransferReport { clips: clips.len(), segments: rows })
}

/// The identity of the index that was exported to `dir`.
///
/// # Errors
/// No export there, or a damaged one.
fn exported_identity(dir: &Path) -> Result<Identity, EngineError> {
    let (header_path, ..) = paths(dir);
    let bytes = std::fs::read(&header_path).map_err(|e| EngineError::Transfer {
        path: header_path.clone(),
        reason: format!("expected a folder with an exported index: {e}"),
    })?;
    let header: Header = serde_json::from_slice(&bytes).map_err(|e| EngineError::Transfer {
        path: header_path.clone(),
        reason: format!("expected the header of an export: {e}"),
    })?;
    if header.format_version != earmark_index::FORMAT_VERSION {
        let (expected, received) = (earmark_index::FORMAT_VERSION, header.format_version);
        let reason = format!(
            "expected format version {expected}, got {received}; import it with the earmark it is from"
        );
        return Err(EngineError::Transfer { path: paths(dir).0, reason });
    }
    Ok(header.identity)
}

/// Adds the clips exported to `dir` to the index that `open` gives for vectors of their identity; it is not asked before
/// the export is known to be one, and must refuse another. A clip at the same path is replaced.
///
/// # Errors
/// A damaged export, an index made by another model, I/O, those of `open`.
pub fn import<W: IndexWriter>(
    dir: &Path,
    open: impl FnOnce(&Identity) -> Result<W, EngineError>,
) -> Result<TransferReport, EngineError> {
    let identity = exported_identity(dir)?;
    let (_, clips_path, vectors_path) = paths(dir);
    let bad = |path: &Path, reason: String| EngineError::Transfer { path: path.to_path_buf(), reason };
    let file = File::open(&vectors_path).map_err(|e| bad(&vectors_path, e.to_string()))?;
    let mut vectors = BufReader::new(file);
    let (rows, dim) = npy::read_header(&mut vectors).map_err(|e| bad(&vectors_path, e))?;
    if dim != identity.dim {
        return Err(bad(&vectors_path, format!("expected {} columns, got {dim}", identity.dim)));
    }
    let lines = BufReader::new(File::open(&clips_path).map_err(|e| bad(&clips_path, e.to_string()))?);
    let index = open(&identity)?;
    let mut report = TransferReport::default();
    let mut batch = Vec::new();
    for (number, line) in lines.lines().enumerate() {
        let bad_line = |reason: String| bad(&clips_path, format!("line {}: {reason}", number + 1));
        let line = line.map_err(|e| bad_line(e.to_string()))?;
        let line: ClipLine = serde_json::from_str(&line).map_err(|e| bad_line(e.to_string()))?;
        if line.row != report.segments {
            return Err(bad_line(format!("expected row {}, got {}", report.segments, line.row)));
        }
        let hash =
            blake3::Hash::from_hex(&line.content_hash).map_err(|e| bad_line(format!("content_hash: {e}")))?;
        let mut segments = Vec::with_capacity(line.segments.len());
        for (start_s, end_s) in line.segments {
            let vector = npy::read_values(&mut vectors, dim).map_err(|e| {
                bad(&vectors_path, format!("row {} of {rows} is not there: {e}", report.segments))
            })?;
            segments.push(Segment { start_s, end_s, vector });
            report.segments += 1;
        }
        report.clips += 1;
        let meta = ClipMeta {
            path: line.path,
            content_hash: *hash.as_bytes(),
            mtime_ns: line.mtime_ns,
            size: line.size,
            duration_s: line.duration_s,
            sample_rate: line.sample_rate,
            channels: line.channels,
            format: line.format,
            decoder: line.decoder,
            tags: line.tags,
            indexed_unix_s: line.indexed_unix_s,
        };
        batch.push(Change::Put { meta, segments, texts: line.texts });
        if batch.len() >= BATCH_CLIPS {
            index.apply(std::mem::take(&mut batch)).map_err(|e| not_applied(&clips_path, number + 1, e))?;
        }
    }
    if report.segments != rows {
        return Err(bad(
            &clips_path,
            format!("expected {rows} segments, got {}; it may be cut short", report.segments),
        ));
    }
    if !batch.is_empty() {
        index.apply(batch).map_err(|e| not_applied(&clips_path, report.clips, e))?;
    }
    Ok(report)
}

/// An export's content that the index refuses is told with the lines it is in; trouble with the index itself as it is.
fn not_applied(clips: &Path, last_line: usize, error: earmark_index::Error) -> EngineError {
    use earmark_index::Error;
    match error {
        Error::NonFinite | Error::NotUnit { .. } | Error::BadSegment { .. } | Error::Limit { .. } => {
            let first_line = last_line.saturating_sub(BATCH_CLIPS) + 1;
            let reason = format!("lines {first_line} to {last_line}, or their rows in vectors.npy: {error}");
            EngineError::Transfer { path: clips.to_path_buf(), reason }
        }
        other => other.into(),
    }
}
