//! A note, beside the store, of the last batch acknowledged.
//!
//! sled cannot tell a log that ends early because of a crash from one whose end was damaged later: it drops
//! what follows the first bad record and opens, as if the dropped batches had never been. This file can tell.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;

use xxhash_rust::xxh3::xxh3_64;

use crate::store::lock;

/// The file's name in the index folder.
pub(crate) const NAME: &str = "last-commit";

/// The open file; written in place, so that it needs no space on a full disk.
pub(crate) struct Witness(Mutex<File>);

impl Witness {
    /// Opens the file for writing.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(NAME))?;
        Ok(Self(Mutex::new(file)))
    }

    /// Notes that commit number `commit` is on disk.
    pub(crate) fn note(&self, commit: u64) -> io::Result<()> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&commit.to_le_bytes());
        bytes[8..].copy_from_slice(&xxh3_64(&commit.to_le_bytes()).to_le_bytes());
        let mut file = lock(&self.0);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&bytes)?;
        file.sync_data()
    }
}

/// The last commit noted; None if there is no readable note.
pub(crate) fn last(dir: &Path) -> Option<u64> {
    let mut bytes = [0; 16];
    File::open(dir.join(NAME)).ok()?.read_exact(&mut bytes).ok()?;
    let (commit, hash) = bytes.split_at(8);
    (xxh3_64(commit).to_le_bytes() == hash).then(|| commit.try_into().map(u64::from_le_bytes).ok())?
}
