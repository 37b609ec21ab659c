//! Which rows of a segment are dead: their clip is gone or was replaced.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::layout::{VERSION, u32_at, u64_at};
use crate::error::{Error, Result, damaged};
use crate::files::write_synced;

const MAGIC: &[u8; 8] = b"EARMDED1";

const HEADER_BYTES: usize = 32;

/// A bit a row, set for the dead ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tombstones {
    words: Vec<u64>,
    dead: usize,
}

impl Tombstones {
    /// None of `rows` rows is dead.
    pub(crate) fn new(rows: usize) -> Self {
        Self { words: vec![0; rows.div_ceil(64)], dead: 0 }
    }

    /// Marks `count` rows from `first` on.
    pub(crate) fn mark(&mut self, first: usize, count: usize) {
        for row in first..first + count {
            if let Some(word) = self.words.get_mut(row / 64) {
                let bit = 1 << (row % 64);
                self.dead += usize::from(*word & bit == 0);
                *word |= bit;
            }
        }
    }

    /// How many rows are dead.
    pub(crate) fn dead(&self) -> usize {
        self.dead
    }

    /// The bits of rows `64 * word` and after; 0 for none.
    pub(crate) fn word(&self, word: usize) -> u64 {
        self.words.get(word).copied().unwrap_or(0)
    }

    pub(crate) fn is_dead(&self, row: usize) -> bool {
        self.word(row / 64) >> (row % 64) & 1 == 1
    }

    pub(crate) fn path(folder: &Path, segment: u64, version: u64) -> PathBuf {
        folder.join(format!("{segment:016x}-{version:016x}.dead"))
    }

    pub(crate) fn write(&self, path: &Path, rows: usize) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(rows as u64).to_le_bytes());
        bytes.extend_from_slice(&(self.dead as u64).to_le_bytes());
        self.words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        let check = xxh3_64(&bytes);
        bytes.extend_from_slice(&check.to_le_bytes());
        write_synced(path, &bytes)
    }

    /// Reads those of a segment with `rows` rows.
    pub(crate) fn read(path: &Path, rows: usize) -> Result<Self> {
        let bytes = fs::read(path).map_err(|source| Error::Io { path: path.to_path_buf(), source })?;
        let end = HEADER_BYTES + 8 * rows.div_ceil(64);
        let check = bytes.len() == end + 8 && xxh3_64(&bytes[..end]) == u64_at(&bytes, end);
        if !check || !bytes.starts_with(MAGIC) || u32_at(&bytes, 8) != VERSION {
            return Err(damaged(path, "the list of dead rows is not as it was written"));
        }
        let words =
            bytes[HEADER_BYTES..end].as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let found = Self { dead: u64_at(&bytes, 24) as usize, words };
        let counted: usize = found.words.iter().map(|word| word.count_ones() as usize).sum();
        if counted != found.dead || u64_at(&bytes, 16) != rows as u64 {
            return Err(damaged(path, "the list of dead rows contradicts itself"));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tombstones_come_back_as_they_were_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = Tombstones::path(dir.path(), 1, 2);
        let mut dead = Tombstones::new(130);
        dead.mark(62, 5);
        dead.mark(64, 1);
        dead.mark(129, 1);
        assert_eq!(dead.dead(), 6);
        dead.write(&path, 130).unwrap();
        assert_eq!(Tombstones::read(&path, 130).unwrap(), dead);
        assert!(Tombstones::read(&path, 64).is_err());
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert!(matches!(Tombstones::read(&path, 130), Err(Error::Published { .. })), "byte {at}");
        }
    }
}
