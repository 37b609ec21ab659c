//! Published files of an index: written over, cut and made longer, then opened, searched and verified.
//!
//! The input is edits. Its first byte says which search and, if odd, that checksums are made right again
//! afterwards, as only somebody who means harm would. An edit is a file (u8), a place (u16), how many bytes (u8,
//! at most 31) and these bytes; with 32 added to the number, the file ends at the place; with 64, the bytes are
//! put in. Places count from the end of the file if 128 is added.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Once};

use earmark_index::{
    BuildOptions, Change, ClipMeta, Failure, Filter, GraphBuilder, Identity, IndexReader as _, IndexWriter as _,
    OpenOptions, QueryKind, SearchMode, SearchRequest, Segment, Snapshot, Writer,
};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

use crate::panics;

const DIM: usize = 8;

/// More hits than rows there are would be a wrong answer.
const MAX_HITS: usize = 10_000;

/// The files of a small index, and a folder in memory to write them to.
struct Index {
    files: Vec<(String, Vec<u8>)>,
    folder: TempDir,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| Index::new().expect("a small index"));

/// Opens the index after the edits.
///
/// # Panics
/// Where a search gives more than there can be.
pub fn open(data: &[u8]) {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| {
        LazyLock::force(&INDEX);
        panics::watch();
    });
    let Some((how, mut edits)) = data.split_first() else { return };
    let mut files = INDEX.files.clone();
    while let Some(rest) = edit(&mut files, edits) {
        edits = rest;
    }
    if how & 1 == 1 {
        mend(&mut files);
    }
    let folder = INDEX.folder.path();
    for (name, bytes) in &files {
        fs::write(folder.join("published").join(name), bytes).expect("room in memory");
    }
    let _ = look(folder, *how);
}

fn look(folder: &Path, how: u8) -> earmark_index::Result<()> {
    let index = Snapshot::load_published(folder)?;
    let mode = [SearchMode::Exact, SearchMode::Auto, SearchMode::Graph][usize::from(how >> 1) % 3];
    let kind = if how & 16 == 0 { QueryKind::Sound } else { QueryKind::Text };
    let request = SearchRequest { mode, kind, collapse: how & 32 == 0, ..SearchRequest::default() };
    let dim = index.header().identity.dim;
    if dim <= 4096 {
        let mut query = vec![0.0; dim];
        query.iter_mut().take(1).for_each(|first| *first = 1.0);
        // An error is no end: the next part may be sound.
        if let Ok(found) = index.search(&query, &request) {
            assert!(found.hits.len() <= MAX_HITS, "{} hits", found.hits.len());
        }
    }
    let _ = (index.stats(), index.failures(), index.clip(3), index.segments(3));
    // It codes every row again, which takes long.
    if how & 64 == 0 {
        let _ = index.audit();
    }
    let _ = (index.clip_by_path("/3.wav"), index.clips_by_hash(&[7; 32]), index.failures_at(&["/bad.wav".to_owned()]));
    let _ = index.clips(&Filter { tags: vec!["one".to_owned()], ..Filter::default() });
    let _ = index.for_each_segment(&Filter::default(), &mut |_| true);
    let _ = (index.take_events(), index.stats_of_graphs());
    Ok(())
}

impl Index {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let in_memory = Path::new("/dev/shm");
        let folder = if in_memory.is_dir() { TempDir::new_in(in_memory)? } else { TempDir::new()? };
        let made = tempfile::tempdir()?;
        let (model_id, manifest_hash) = ("fuzz".to_owned(), "0".repeat(64));
        let identity = Identity { model_id, manifest_hash, pipeline_version: 1, dim: DIM };
        let writer = Writer::create_or_open(made.path(), &identity, &OpenOptions::default())?;
        writer.apply((0..12).map(put).collect())?;
        let failure = Failure {
            path: "/bad.wav".to_owned(),
            reason: "no sound".to_owned(),
            kind: "malformed".to_owned(),
            size: 3,
            mtime_ns: 4,
            seen_unix_s: 5,
        };
        writer.apply(vec![Change::Remove(1), put(50), Change::Fail(failure)])?;
        let snapshot = Snapshot::load_published(made.path())?;
        let options = BuildOptions { threads: 1, least_rows: 10, ..BuildOptions::default() };
        GraphBuilder::open(made.path())?.build(&snapshot, &[vector(3)], &options, &mut |_, _| true)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(made.path().join("published"))? {
            let path: PathBuf = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            files.push((name, fs::read(&path)?));
        }
        // Names are random: by kind and size, so that an input means the same in the next run.
        let kind = |name: &str| name.rsplit_once('.').map(|(_, kind)| kind.to_owned());
        files.sort_by_key(|(name, bytes)| (kind(name), bytes.len()));
        fs::create_dir(folder.path().join("published"))?;
        Ok(Self { files, folder })
    }
}

fn vector(number: usize) -> Vec<f32> {
    let raw: Vec<f32> = (0..DIM).map(|axis| ((number * 7 + axis * axis * 3) % 11) as f32 - 5.0).collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.iter().map(|x| x / length).collect()
}

fn put(number: usize) -> Change {
    let meta = ClipMeta {
        path: format!("/{number}.wav"),
        content_hash: [7; 32],
        mtime_ns: 1,
        size: 2,
        duration_s: 3.0,
        sample_rate: 16_000,
        channels: 1,
        format: "wav".to_owned(),
        decoder: None,
        tags: vec!["one".to_owned(); number % 2],
        indexed_unix_s: 4,
    };
    let segment = |at: usize| Segment { start_s: at as f64, end_s: at as f64 + 1.0, vector: vector(number + at) };
    Change::Put { meta, segments: (0..1 + number % 3).map(segment).collect(), texts: Vec::new() }
}

/// Carries out the first edit; what is left of the edits.
fn edit<'a>(files: &mut [(String, Vec<u8>)], edits: &'a [u8]) -> Option<&'a [u8]> {
    let ([file, a, b, how], rest) = edits.split_first_chunk::<4>()?;
    let count = files.len();
    let (_, bytes) = &mut files[usize::from(*file) % count];
    let place = usize::from(u16::from_le_bytes([*a, *b]));
    let place = if how & 128 == 0 { place } else { bytes.len().saturating_sub(place) }.min(bytes.len());
    let (new, rest) = rest.split_at(usize::from(how & 31).min(rest.len()));
    match how & 96 {
        0 => bytes.iter_mut().skip(place).zip(new).for_each(|(byte, new)| *byte = *new),
        32 => bytes.truncate(place),
        _ => drop(bytes.splice(place..place, new.iter().copied())),
    }
    Some(rest)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}

fn set(bytes: &mut [u8], at: usize, value: u64) {
    if let Some(eight) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *eight = value.to_le_bytes();
    }
}

/// A file's own checksum: the last eight bytes of what it covers.
fn seal(bytes: &mut [u8], at: usize) -> Option<u64> {
    let sum = xxh3_64(bytes.get(..at)?);
    set(bytes, at, sum);
    Some(sum)
}

/// The same of a whole file.
fn seal_end(bytes: &mut [u8]) -> Option<u64> {
    let at = bytes.len().checked_sub(8)?;
    seal(bytes, at)
}

/// Makes the checksums right that lead to others: see `crates/index/FORMAT.md`.
fn mend(files: &mut [(String, Vec<u8>)]) {
    let mut headers: Vec<(u64, u64)> = Vec::new();
    for (name, bytes) in &mut *files {
        let (stem, kind) = name.split_once('.').unwrap_or((name, ""));
        match kind {
            "segment" => {
                mend_entries(bytes);
                mend_parts(bytes, &[2, 3, 4, 5, 7], 216, |bytes, part| {
                    Some((u64_at(bytes, 56 + part * 16)?, u64_at(bytes, 64 + part * 16)?))
                });
                let name = u64::from_str_radix(stem, 16).unwrap_or(0);
                headers.extend(seal(bytes, 256).map(|sum| (name, sum)));
            }
            "dead" => drop(seal_end(bytes)),
            _ => {}
        }
    }
    for (name, bytes) in &mut *files {
        if name.ends_with(".graph") {
            let (name, sum) = headers
                .iter()
                .copied()
                .find(|(segment, _)| u64_at(bytes, 24) == Some(*segment))
                .unwrap_or_default();
            set(bytes, 24, name);
            set(bytes, 32, sum);
            mend_parts(bytes, &[0, 1, 2, 3], 96, |bytes, part| {
                let mut at = 136_u64;
                for before in 0..part {
                    at = at.next_multiple_of(64).checked_add(u64_at(bytes, 56 + before * 8)?)?;
                }
                Some((at.checked_next_multiple_of(64)?, u64_at(bytes, 56 + part * 8)?))
            });
            seal(bytes, 128);
        } else if name == "list" {
            // An entry is known by the name of its segment.
            for (segment, sum) in &headers {
                let entry = bytes.windows(8).position(|eight| eight == segment.to_le_bytes());
                if let Some(at) = entry {
                    set(bytes, at + 8, *sum);
                }
            }
            seal_end(bytes);
        }
    }
}

fn mend_parts(
    bytes: &mut [u8],
    parts: &[usize],
    sums: usize,
    place: impl Fn(&[u8], usize) -> Option<(u64, u64)>,
) {
    for (number, part) in parts.iter().enumerate() {
        let Some((at, len)) = place(bytes, *part) else { continue };
        let Some(part) = bytes.get(at as usize..(at as usize).saturating_add(len as usize)) else { continue };
        let sum = xxh3_64(part);
        set(bytes, sums + number * 8, sum);
    }
}

fn mend_entries(bytes: &mut [u8]) {
    let place = |part: usize| Some((u64_at(bytes, 56 + part * 16)? as usize, u64_at(bytes, 64 + part * 16)? as usize));
    let (Some((entries, len)), Some((strings, _))) = (place(0), place(1)) else { return };
    for at in (entries..entries.saturating_add(len)).step_by(128).take(1000) {
        let Some(entry) = bytes.get(at..at.saturating_add(120)) else { return };
        let field = |at: usize| u32::from_le_bytes(*entry[at..].first_chunk().unwrap_or(&[0; 4])) as usize;
        let from = strings.saturating_add(u64_at(entry, 96).unwrap_or(0) as usize);
        let len = field(104).saturating_add(field(108)).saturating_add(field(112));
        let strings = bytes.get(from..from.saturating_add(len)).unwrap_or_default();
        let sum = xxh3_64(&[entry, strings].concat());
        set(bytes, at + 120, sum);
    }
}
