//! A segment: one immutable file with clips, failures, and rows with their codes and vectors.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_64;

use super::layout::{
    CODE_BLOCK, ClipView, ENTRY_BYTES, GROUP_BYTES, ROW_BYTES, RowRecord, VERSION, is_row_sound, u32_at,
    u64_at,
};
use super::list::Listed;
use super::map::Map;
use crate::error::{Error, Result, damaged};
use crate::types::{ClipId, Failure};

pub(crate) const MAGIC: &[u8; 8] = b"EARMSEG1";

/// Bytes of the header.
pub(crate) const HEADER_BYTES: usize = 264;

/// Where the parts' table begins in the header, and where the parts' checksums do.
pub(crate) const PARTS_AT: usize = 56;
pub(crate) const SUMS_AT: usize = 216;

/// The parts of a segment, in the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Entries,
    Strings,
    ByPath,
    ByHash,
    Failures,
    Groups,
    Rows,
    CodeSums,
    Codes,
    Vectors,
}

/// The planes of the codes, in the order in which each block has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plane {
    Coarse,
    Fine,
}

/// How many there are.
pub(crate) const PARTS: usize = 10;

/// The parts that are checked whole when a segment is opened, in the order of their checksums.
pub(crate) const SMALL_PARTS: [Part; 5] =
    [Part::ByPath, Part::ByHash, Part::Failures, Part::Groups, Part::CodeSums];

/// Where the segment called `name` is.
pub(crate) fn path(folder: &Path, name: u64) -> PathBuf {
    folder.join(format!("{name:016x}.segment"))
}

/// An open segment. What it lends is checked: small parts when it is opened, the rest when it is first read.
pub(crate) struct Segment {
    path: PathBuf,
    map: Map,
    dim: usize,
    plane_bytes: usize,
    rows: usize,
    parts: [(usize, usize); PARTS],
    /// Two bits for each block of codes, one for each plane that was checked.
    sound_codes: Box<[AtomicU64]>,
    /// A bit for each row that was checked.
    sound_rows: Box<[AtomicU64]>,
}

impl Segment {
    /// Opens the segment that a list names, of vectors with `dim` elements and codes of twice `plane_bytes`.
    pub(crate) fn open(folder: &Path, listed: &Listed, dim: usize, plane_bytes: usize) -> Result<Self> {
        let path = path(folder, listed.name);
        let map = Map::open(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        let Some(header) = map.first_chunk::<HEADER_BYTES>() else {
            return Err(damaged(&path, "it is too short"));
        };
        let check = u64_at(header, HEADER_BYTES - 8);
        if !header.starts_with(MAGIC)
            || xxh3_64(&header[..HEADER_BYTES - 8]) != check
            || check != listed.check
        {
            return Err(damaged(&path, "its header is not the one that was written"));
        }
        if u32_at(header, 8) != VERSION {
            return Err(Error::PublishedVersion { path, expected: VERSION, received: u32_at(header, 8) });
        }
        let mut parts = [(0, 0); PARTS];
        for (number, part) in parts.iter_mut().enumerate() {
            let at = PARTS_AT + 16 * number;
            let from = usize::try_from(u64_at(header, at)).unwrap_or(usize::MAX);
            let length = usize::try_from(u64_at(header, at + 8)).unwrap_or(usize::MAX);
            match from.checked_add(length) {
                Some(to) if to <= map.len() => *part = (from, to),
                _ => return Err(damaged(&path, "it is cut short")),
            }
        }
        let [clips, groups, rows] = [24, 32, 40].map(|at| u64_at(header, at) as usize);
        let length = |part: Part| parts[part as usize].1 - parts[part as usize].0;
        // The counts are the header's, so that products may overflow.
        let holds = |part: Part, counts: &[usize]| {
            counts.iter().try_fold(1_usize, |product, count| product.checked_mul(*count))
                == Some(length(part))
        };
        let fits = holds(Part::Entries, &[clips, ENTRY_BYTES])
            && holds(Part::Groups, &[groups, GROUP_BYTES])
            && holds(Part::Rows, &[rows, ROW_BYTES])
            && holds(Part::CodeSums, &[rows.div_ceil(CODE_BLOCK), 16])
            && holds(Part::Codes, &[rows, 2, plane_bytes])
            && holds(Part::Vectors, &[rows, dim, 4])
            && rows as u64 == listed.rows
            && [u32_at(header, 12) as usize, u32_at(header, 20) as usize] == [dim, 2 * plane_bytes];
        if !fits {
            return Err(damaged(&path, "its parts do not have the lengths that its header says"));
        }
        let words = |bits: usize| (0..bits.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let segment = Self {
            sound_codes: words(2 * rows.div_ceil(CODE_BLOCK)),
            sound_rows: words(rows),
            path,
            map,
            dim,
            plane_bytes,
            rows,
            parts,
        };
        for (number, part) in SMALL_PARTS.into_iter().enumerate() {
            if xxh3_64(segment.part(part)) != u64_at(&segment.map, SUMS_AT + 8 * number) {
                return Err(damaged(&segment.path, format!("the checksum of {part:?} is wrong")));
            }
        }
        Ok(segment)
    }

    /// The error for damage in this segment.
    pub(crate) fn damaged(&self, what: impl Into<String>) -> Error {
        damaged(&self.path, what)
    }

    pub(crate) fn part(&self, part: Part) -> &[u8] {
        let (from, to) = self.parts[part as usize];
        &self.map[from..to]
    }

    /// Says that the segment is not needed soon; see [`Map::let_go`].
    pub(crate) fn let_go(&self) {
        self.map.let_go(0, self.map.len());
    }

    /// Rows, dead ones included.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Entries of clips, those of removed ones included.
    pub(crate) fn entries(&self) -> usize {
        self.part(Part::Entries).len() / ENTRY_BYTES
    }

    /// Entry number `at`, of `entries`; they are sorted by clip.
    pub(crate) fn entry(&self, at: usize) -> Result<ClipView<'_>> {
        let bytes =
            self.part(Part::Entries).get(at * ENTRY_BYTES..(at + 1) * ENTRY_BYTES).unwrap_or_default();
        ClipView::decode(bytes, self.part(Part::Strings)).ok_or_else(|| {
            self.damaged(format!("the entry of clip {} is not as it was written", u64_at(bytes, 0)))
        })
    }

    /// The clip of entry number `at`.
    pub(crate) fn entry_id(&self, at: usize) -> ClipId {
        u64_at(self.part(Part::Entries), at * ENTRY_BYTES)
    }

    /// The entry of a clip, if the segment says something of it.
    pub(crate) fn find(&self, id: ClipId) -> Result<Option<ClipView<'_>>> {
        let entries = self.part(Part::Entries).as_chunks::<ENTRY_BYTES>().0;
        let found = entries.binary_search_by_key(&id, |entry| u64_at(entry, 0));
        found.ok().map(|at| self.entry(at)).transpose()
    }

    /// The entries (not of removed clips) in an order, as far as `compare` calls them equal.
    fn find_in_order(
        &self,
        order: Part,
        compare: impl Fn(&ClipView<'_>) -> std::cmp::Ordering,
    ) -> Result<Vec<ClipView<'_>>> {
        let order = self.part(order).as_chunks::<4>().0;
        let view = |at: &[u8; 4]| self.entry(u32::from_le_bytes(*at) as usize);
        let mut failed = None;
        let start = order.partition_point(|at| match view(at) {
            Ok(view) => compare(&view).is_lt(),
            Err(e) => {
                failed = Some(e);
                false
            }
        });
        if let Some(e) = failed {
            return Err(e);
        }
        let mut found = Vec::new();
        for at in &order[start..] {
            let view = view(at)?;
            if compare(&view).is_ne() {
                break;
            }
            found.push(view);
        }
        Ok(found)
    }

    /// The entries at a path; one at most, unless a file was replaced within the segment's commits.
    pub(crate) fn find_path(&self, path: &str) -> Result<Vec<ClipView<'_>>> {
        self.find_in_order(Part::ByPath, |view| view.meta.map_or("", |meta| meta.path).cmp(path))
    }

    /// The entries whose file has this content.
    pub(crate) fn find_hash(&self, hash: &[u8; 32]) -> Result<Vec<ClipView<'_>>> {
        self.find_in_order(Part::ByHash, |view| view.meta.map_or([0; 32], |meta| meta.content_hash).cmp(hash))
    }

    /// The groups: the sequence number of a clip's first segment, its first row, and how many there are.
    /// Sorted.
    pub(crate) fn groups(&self) -> impl ExactSizeIterator<Item = (u64, usize, usize)> {
        let groups = self.part(Part::Groups).as_chunks::<GROUP_BYTES>().0;
        groups.iter().map(|g| (u64_at(g, 0), u32_at(g, 8) as usize, u32_at(g, 12) as usize))
    }

    /// First row and number of rows of the clip whose first segment has this sequence number.
    pub(crate) fn group(&self, first_seq: u64) -> Option<(usize, usize)> {
        let groups = self.part(Part::Groups).as_chunks::<GROUP_BYTES>().0;
        let at = groups.binary_search_by_key(&first_seq, |group| u64_at(group, 0)).ok()?;
        let (first, count) = (u32_at(&groups[at], 8) as usize, u32_at(&groups[at], 12) as usize);
        (first.checked_add(count)? <= self.rows).then_some((first, count))
    }

    fn record(&self, row: usize) -> &[u8] {
        &self.part(Part::Rows)[row * ROW_BYTES..(row + 1) * ROW_BYTES]
    }

    /// The clip that a row says it belongs to; not checked.
    pub(crate) fn row_clip(&self, row: usize) -> ClipId {
        u64_at(self.record(row), 0)
    }

    /// The bytes of a row's record and of its vector, checked.
    pub(crate) fn row_bytes(&self, row: usize) -> Result<(&[u8], &[u8])> {
        let record = self.record(row);
        let vector = &self.part(Part::Vectors)[row * self.dim * 4..(row + 1) * self.dim * 4];
        let (word, bit) = (&self.sound_rows[row / 64], 1 << (row % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            if !is_row_sound(record, vector) {
                let clip = u64_at(record, 0);
                return Err(self.damaged(format!("row {row}, of clip {clip}, is not as it was written")));
            }
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok((record, vector))
    }

    /// A row's record and vector, checked.
    pub(crate) fn row(&self, row: usize) -> Result<(RowRecord, &[f32])> {
        let (record, vector) = self.row_bytes(row)?;
        let vector = bytemuck::try_cast_slice(vector).map_err(|e| self.damaged(format!("vectors: {e}")))?;
        Ok((RowRecord::decode(record), vector))
    }

    /// A plane of the codes of a block of rows, checked: `[CODE_BLOCK or fewer, plane_bytes]`.
    pub(crate) fn codes(&self, block: usize, plane: Plane) -> Result<&[u8]> {
        let rows = self.rows.saturating_sub(block * CODE_BLOCK).min(CODE_BLOCK);
        if rows == 0 {
            // Links of a graph that was made to harm lead anywhere.
            return Err(self.damaged(format!("there is no block {block} of codes")));
        }
        let from = (2 * block * CODE_BLOCK + plane as usize * rows) * self.plane_bytes;
        let codes = self.part(Part::Codes).get(from..from + rows * self.plane_bytes).unwrap_or_default();
        let number = 2 * block + plane as usize;
        let (word, bit) = (&self.sound_codes[number / 64], 1 << (number % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            if xxh3_64(codes) != u64_at(self.part(Part::CodeSums), number * 8) {
                return Err(self.damaged(format!("block {block} of its codes is not as it was written")));
            }
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(codes)
    }

    /// The codes of a row, checked.
    pub(crate) fn row_codes(&self, row: usize, plane: Plane) -> Result<&[u8]> {
        let at = row % CODE_BLOCK * self.plane_bytes;
        let codes = self.codes(row / CODE_BLOCK, plane)?.get(at..at + self.plane_bytes);
        codes.ok_or_else(|| self.damaged(format!("there is no row {row}")))
    }

    /// The bytes of a row's codes, to bring near: not checked.
    pub(crate) fn peek_codes(&self, row: usize, plane: Plane) -> &[u8] {
        let block = row / CODE_BLOCK * CODE_BLOCK;
        let rows = self.rows.saturating_sub(block).min(CODE_BLOCK);
        let from = (2 * block + plane as usize * rows + row % CODE_BLOCK) * self.plane_bytes;
        self.part(Part::Codes).get(from..from + self.plane_bytes).unwrap_or_default()
    }

    /// Says that the codes of these blocks are not needed soon; see [`Map::let_go`].
    pub(crate) fn let_go_codes(&self, blocks: std::ops::Range<usize>) {
        let (start, end) = self.parts[Part::Codes as usize];
        let at = |block: usize| (start + 2 * block * CODE_BLOCK * self.plane_bytes).min(end);
        self.map.let_go(at(blocks.start), at(blocks.end));
    }

    /// Bytes of a row in a plane of the codes.
    pub(crate) fn plane_bytes(&self) -> usize {
        self.plane_bytes
    }

    /// What the segment says of bad files, by path: None for one that is forgotten.
    pub(crate) fn failures(&self) -> Result<Vec<(String, Option<Failure>)>> {
        decode_failures(self.part(Part::Failures)).ok_or_else(|| self.damaged("its failures cannot be read"))
    }
}

/// Appends what is said of a bad file.
pub(crate) fn encode_failure(path: &str, failure: Option<&Failure>, out: &mut Vec<u8>) {
    let texts = failure.map_or(["", ""], |f| [f.reason.as_str(), f.kind.as_str()]);
    out.extend_from_slice(&u32::from(failure.is_none()).to_le_bytes());
    for text in [path, texts[0], texts[1]] {
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    }
    let numbers = failure.map_or([0, 0, 0], |f| [f.size, f.mtime_ns as u64, f.seen_unix_s as u64]);
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
    [path, texts[0], texts[1]].iter().for_each(|text| out.extend_from_slice(text.as_bytes()));
}

fn decode_failures(mut bytes: &[u8]) -> Option<Vec<(String, Option<Failure>)>> {
    let mut failures = Vec::new();
    while !bytes.is_empty() {
        let (head, mut rest) = bytes.split_at_checked(40)?;
        let mut text = |at: usize| {
            let (text, after) = rest.split_at_checked(u32_at(head, at) as usize)?;
            rest = after;
            String::from_utf8(text.to_vec()).ok()
        };
        let (path, reason, kind) = (text(4)?, text(8)?, text(12)?);
        bytes = rest;
        let failure = Failure {
            path: path.clone(),
            size: u64_at(head, 16),
            mtime_ns: u64_at(head, 24) as i64,
            reason,
            kind,
            seen_unix_s: u64_at(head, 32) as i64,
        };
        failures.push((path, (u32_at(head, 0) == 0).then_some(failure)));
    }
    Some(failures)
}
