//! What a build that is cut off goes on from: hnsw_rs's dump, and a note that vouches for it and is written
//! last.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::build::{Build, Rows8};
use crate::codec;
use crate::files::{remove_matching, sync_dir, write_atomically};
use crate::published::list::Listed;
use crate::random::random_u64;
use crate::steps;

/// The note's name in the folder where graphs are built.
const NOTE: &str = "checkpoint";

/// How the names of hnsw_rs's files begin.
const PREFIX: &str = "build-";

/// What hnsw_rs adds to a name.
const SUFFIXES: [&str; 2] = [".hnsw.graph", ".hnsw.data"];

/// Layout of the note and, with the version of hnsw_rs, of the files.
const VERSION: &str = "1, hnsw_rs 0.3.5";

/// Bytes of a note, at most.
const MAX_BYTES: usize = 4096;

#[derive(Serialize, Deserialize)]
struct Note {
    version: String,
    /// The segment, and the checksum of its header.
    segment: u64,
    check: u64,
    /// Rows before this one are inserted, but for dead ones.
    next_row: u64,
    name: String,
    files: [Checked; 2],
}

/// A file's length and hash.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Checked {
    bytes: u64,
    hash: u128,
}

impl Checked {
    fn of(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
        let (mut hash, mut bytes) = (Xxh3::new(), 0);
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Self { bytes, hash: hash.digest128() }),
                read => {
                    hash.update(&buffer[..read]);
                    bytes += read as u64;
                }
            }
        }
    }
}

/// Keeps what was built of a segment's graph. Until the note is replaced, the files before are what counts.
pub(super) fn save(work: &Path, listed: &Listed, build: &Build, next_row: usize) -> io::Result<()> {
    let name = format!("{PREFIX}{:016x}", random_u64());
    let file = |suffix: &str| work.join(format!("{name}{suffix}"));
    let write = || {
        build.dump(work, &name).map_err(io::Error::other)?;
        SUFFIXES.iter().try_for_each(|suffix| File::open(file(suffix))?.sync_all())?;
        let [a, b] = SUFFIXES.map(|suffix| Checked::of(&file(suffix)));
        let note = Note {
            version: VERSION.to_owned(),
            segment: listed.name,
            check: listed.check,
            next_row: next_row as u64,
            name: name.clone(),
            files: [a?, b?],
        };
        sync_dir(work)?;
        steps::reached("checkpoint-files");
        let mut bytes = codec::encode(&note).map_err(io::Error::other)?;
        bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
        write_atomically(&work.join(NOTE), |out| out.write_all(&bytes))
    };
    let written = write();
    let keep = written.is_ok();
    remove_matching(work, |found| found.starts_with(PREFIX) && found.starts_with(&name) != keep);
    written
}

/// The segment whose graph is unfinished (its name and its header's checksum), if there is one.
pub(super) fn segment(work: &Path) -> Option<(u64, u64)> {
    let note = read_note(work)?;
    Some((note.segment, note.check))
}

fn read_note(work: &Path) -> Option<Note> {
    let bytes = fs::read(work.join(NOTE)).ok().filter(|bytes| bytes.len() <= MAX_BYTES)?;
    let (body, check) = bytes.split_last_chunk::<8>()?;
    let note: Note = codec::decode(body).ok().filter(|_| xxh3_64(body) == u64::from_le_bytes(*check))?;
    Some(note).filter(|note| note.version == VERSION)
}

/// What was built of the segment's graph, and the row to go on from; None if nothing usable is there.
pub(super) fn load(work: &Path, listed: &Listed, rows: &Arc<Rows8>) -> Option<(Build, usize)> {
    let note = read_note(work)?;
    if (note.segment, note.check) != (listed.name, listed.check) {
        return None;
    }
    for (suffix, expected) in SUFFIXES.iter().zip(&note.files) {
        if Checked::of(&work.join(format!("{}{suffix}", note.name))).ok()? != *expected {
            return None;
        }
    }
    let build = Build::load(rows, work, &note.name).ok()?;
    Some((build, note.next_row as usize))
}

/// Removes the note and its files.
pub(super) fn remove(work: &Path) {
    let _ = fs::remove_file(work.join(NOTE));
    remove_matching(work, |name| name.starts_with(PREFIX));
}
