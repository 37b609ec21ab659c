//! The list: which segments make up the published state. Replaced whole, in one rename.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::layout::VERSION;
use crate::codec::Stamp;
use crate::error::{Error, Result, damaged};
use crate::files::write_atomically;
use crate::types::{Header, Identity, MAX_DIM};

/// The folder of published files in an index's folder.
const FOLDER: &str = "published";

/// The list's name in that folder.
const NAME: &str = "list";

const MAGIC: &[u8; 8] = b"EARMLST1";

/// The list is a few kilobytes; more than this is damage.
const MAX_BYTES: u64 = 16 << 20;

/// What is counted of the whole index.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) clips: u64,
    pub(crate) segments: u64,
    pub(crate) failures: u64,
    /// Sizes of the sound files, bytes.
    pub(crate) bytes: u64,
    pub(crate) duration_s: f64,
}

/// A segment in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its file is called this, in hexadecimal.
    pub(crate) name: u64,
    /// The checksum of its header, so that no other file can take its place.
    pub(crate) check: u64,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    pub(crate) dead: u64,
    /// Which file says what is dead; 0 for none.
    pub(crate) tombstones: u64,
}

/// The published state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct List {
    pub(crate) header: Header,
    /// The state of the store that is published.
    pub(crate) stamp: Stamp,
    /// The store's next clip id then.
    pub(crate) next_clip: u64,
    /// The store's next sequence number then.
    pub(crate) next_seq: u64,
    /// Batches that were acknowledged and are lost, which nobody has answered for yet.
    pub(crate) lost: u64,
    pub(crate) totals: Totals,
    /// Oldest first.
    pub(crate) segments: Vec<Listed>,
}

/// The folder of published files of the index in `dir`.
pub(crate) fn folder(dir: &Path) -> PathBuf {
    dir.join(FOLDER)
}

/// Where the list of the index in `dir` is.
pub(crate) fn path(dir: &Path) -> PathBuf {
    folder(dir).join(NAME)
}

impl List {
    /// Replaces the list of the index in `dir`. A crash leaves the old one or the new one.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let bytes = self.encode();
        write_atomically(&path(dir), |out| out.write_all(&bytes))
    }

    /// The list of the index in `dir`; None if there is none.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>> {
        let path = path(dir);
        let bytes = match fs::metadata(&path).and_then(|meta| {
            if meta.len() > MAX_BYTES { Err(io::ErrorKind::InvalidData.into()) } else { fs::read(&path) }
        }) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(damaged(&path, "it is too long")),
            Err(e) => return Err(Error::io(dir, &path, e)),
        };
        let Some((body, check)) = bytes.split_last_chunk::<8>() else {
            return Err(damaged(&path, "it is too short"));
        };
        if xxh3_64(body) != u64::from_le_bytes(*check) || !body.starts_with(MAGIC) {
            return Err(damaged(&path, "its checksum is wrong"));
        }
        let mut input = Input(&body[MAGIC.len()..]);
        let version = input.u32().ok_or_else(|| damaged(&path, "it is too short"))?;
        if version != VERSION {
            return Err(Error::PublishedVersion { path, expected: VERSION, received: version });
        }
        let list = Self::decode(&mut input).filter(|_| input.0.is_empty());
        let list = list.ok_or_else(|| damaged(&path, "its length is wrong"))?;
        if !list.header.identity.has_valid_dim() {
            let what = format!("vectors have 1 to {MAX_DIM} elements, not {}", list.header.identity.dim);
            return Err(damaged(&path, what));
        }
        Ok(Some(list))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let Header { format_version, identity, created_unix_s } = &self.header;
        for number in [VERSION, *format_version, identity.pipeline_version, identity.dim as u32] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let totals = &self.totals;
        let numbers = [
            *created_unix_s as u64,
            self.stamp.commit,
            self.stamp.nonce,
            self.next_clip,
            self.next_seq,
            self.lost,
            totals.clips,
            totals.segments,
            totals.failures,
            totals.bytes,
            totals.duration_s.to_bits(),
        ];
        numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        for text in [&identity.model_id, &identity.manifest_hash] {
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(&(self.segments.len() as u32).to_le_bytes());
        for s in &self.segments {
            for number in [s.name, s.check, s.bytes, s.rows, s.dead, s.tombstones] {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        let check = xxh3_64(&out);
        out.extend_from_slice(&check.to_le_bytes());
        out
    }

    /// What follows the version.
    fn decode(input: &mut Input<'_>) -> Option<Self> {
        let format_version = input.u32()?;
        let (pipeline_version, dim) = (input.u32()?, input.u32()? as usize);
        let created_unix_s = input.u64()? as i64;
        let stamp = Stamp { commit: input.u64()?, nonce: input.u64()? };
        let (next_clip, next_seq, lost) = (input.u64()?, input.u64()?, input.u64()?);
        let totals = Totals {
            clips: input.u64()?,
            segments: input.u64()?,
            failures: input.u64()?,
            bytes: input.u64()?,
            duration_s: f64::from_bits(input.u64()?),
        };
        let (model_id, manifest_hash) = (input.text()?, input.text()?);
        let identity = Identity { model_id, manifest_hash, pipeline_version, dim };
        let count = input.u32()?;
        let segments = (0..count)
            .map(|_| {
                Some(Listed {
                    name: input.u64()?,
                    check: input.u64()?,
                    bytes: input.u64()?,
                    rows: input.u64()?,
                    dead: input.u64()?,
                    tombstones: input.u64()?,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        let header = Header { format_version, identity, created_unix_s };
        Some(Self { header, stamp, next_clip, next_seq, lost, totals, segments })
    }
}

/// Bytes still to be read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> List {
        let identity =
            Identity { model_id: "m\u{fc}".into(), manifest_hash: "h".into(), pipeline_version: 3, dim: 617 };
        let segment = |name| Listed { name, check: 2, bytes: 3, rows: 4, dead: 1, tombstones: 9 };
        List {
            header: Header { format_version: 1, identity, created_unix_s: -5 },
            stamp: Stamp { commit: 7, nonce: u64::MAX },
            next_clip: 12,
            next_seq: 34,
            lost: 0,
            totals: Totals { clips: 1, segments: 2, failures: 3, bytes: 4, duration_s: 0.5 },
            segments: vec![segment(1), segment(u64::MAX)],
        }
    }

    #[test]
    fn a_list_comes_back_as_it_was_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        assert!(List::read(dir.path()).unwrap().is_none());
        fs::create_dir(folder(dir.path())).unwrap();
        list().write(dir.path()).unwrap();
        assert_eq!(List::read(dir.path()).unwrap().unwrap(), list());
        let whole = fs::read(path(dir.path())).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(path(dir.path()), &bytes).unwrap();
            assert!(matches!(List::read(dir.path()), Err(Error::Published { .. })), "byte {at}");
            fs::write(path(dir.path()), &whole[..at]).unwrap();
            assert!(matches!(List::read(dir.path()), Err(Error::Published { .. })), "cut at {at}");
        }
    }

    #[test]
    fn a_list_of_vectors_that_cannot_be_is_refused() {
        for dim in [0, MAX_DIM + 1, u32::MAX as usize] {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(folder(dir.path())).unwrap();
            let mut list = list();
            list.header.identity.dim = dim;
            list.write(dir.path()).unwrap();
            let error = List::read(dir.path()).unwrap_err();
            assert!(matches!(&error, Error::Published { what, .. } if what.contains("elements")), "{error}");
        }
    }

    #[test]
    fn a_list_of_another_version_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(folder(dir.path())).unwrap();
        let mut bytes = list().encode();
        bytes.truncate(bytes.len() - 8);
        bytes[8] = 9;
        let check = xxh3_64(&bytes);
        bytes.extend_from_slice(&check.to_le_bytes());
        fs::write(path(dir.path()), bytes).unwrap();
        let error = List::read(dir.path()).unwrap_err();
        assert!(matches!(error, Error::PublishedVersion { received: 9, .. }), "{error}");
    }
}
