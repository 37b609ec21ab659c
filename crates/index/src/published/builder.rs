//! Writes a segment. The file gets a name that no list mentions yet, and is on disk when this is done.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::layout::{
    ALIGNMENT, CODE_BLOCK, ClipView, ENTRY_BYTES, GROUP_BYTES, ROW_BYTES, RowRecord, VERSION,
};
use super::list::Listed;
use super::segment::{
    self, HEADER_BYTES, MAGIC, PARTS, PARTS_AT, Part, SMALL_PARTS, SUMS_AT, encode_failure,
};
use crate::error::{Error, Result, damaged};
use crate::random::random_u64;
use crate::scan::codes::Coder;
use crate::types::Failure;

/// Bytes collected before they are written.
const BUFFER: usize = 1 << 20;

/// All of a segment but its rows. Clips and failures are added in order.
#[derive(Default)]
pub(crate) struct Content {
    entries: Vec<u8>,
    strings: Vec<u8>,
    failures: Vec<u8>,
    groups: Vec<u8>,
    rows: usize,
}

impl Content {
    /// Adds a clip, or that it is gone; by id.
    pub(crate) fn add_clip(&mut self, clip: &ClipView<'_>) {
        clip.encode(&mut self.entries, &mut self.strings);
    }

    /// Adds a bad file, or that it is forgotten; by path.
    pub(crate) fn add_failure(&mut self, path: &str, failure: Option<&Failure>) {
        encode_failure(path, failure, &mut self.failures);
    }

    /// Says that the rows of a clip come next; by sequence number.
    pub(crate) fn add_group(&mut self, first_seq: u64, count: usize) {
        self.groups.extend_from_slice(&first_seq.to_le_bytes());
        self.groups.extend_from_slice(&(self.rows as u32).to_le_bytes());
        self.groups.extend_from_slice(&(count as u32).to_le_bytes());
        self.rows += count;
    }

    /// Nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.failures.is_empty() && self.rows == 0
    }

    /// The numbers of the entries of clips that are there, sorted by what `key` takes from them.
    fn order<K: Ord>(&self, key: impl Fn(&ClipView<'_>) -> K) -> Vec<u8> {
        let entries = (0u32..).zip(self.entries.as_chunks::<ENTRY_BYTES>().0);
        let there = |(at, entry): (u32, &[u8; ENTRY_BYTES])| {
            let view = ClipView::decode(entry, &self.strings).filter(|view| view.meta.is_some())?;
            Some((key(&view), at))
        };
        let mut order: Vec<(K, u32)> = entries.filter_map(there).collect();
        order.sort_unstable();
        order.iter().flat_map(|(_, at)| at.to_le_bytes()).collect()
    }
}

/// Takes the rows that [`Content::add_group`] announced, in that order.
pub(crate) struct Rows<'a> {
    coder: &'a Coder,
    records: BufWriter<File>,
    codes: BufWriter<File>,
    vectors: BufWriter<File>,
    /// The planes of the block that is being written.
    coarse: Vec<u8>,
    fine: Vec<u8>,
    sums: Vec<u8>,
    rows: usize,
    path: &'a Path,
}

impl Rows<'_> {
    /// Adds a row: a vector with its record.
    pub(crate) fn push(&mut self, record: RowRecord, vector: &[f32]) -> Result<()> {
        self.coder.encode(vector, &mut self.coarse, &mut self.fine);
        let bytes = bytemuck::cast_slice(vector);
        self.finish_row(&record.encode(bytes), bytes)
    }

    /// Adds a row as it is in another segment.
    pub(crate) fn push_bytes(
        &mut self,
        record: &[u8],
        coarse: &[u8],
        fine: &[u8],
        vector: &[u8],
    ) -> Result<()> {
        self.coarse.extend_from_slice(coarse);
        self.fine.extend_from_slice(fine);
        self.finish_row(record, vector)
    }

    fn finish_row(&mut self, record: &[u8], vector: &[u8]) -> Result<()> {
        let written = self.records.write_all(record).and_then(|()| self.vectors.write_all(vector));
        written.map_err(|source| Error::Io { path: self.path.to_path_buf(), source })?;
        self.rows += 1;
        if self.rows.is_multiple_of(CODE_BLOCK) { self.close_block() } else { Ok(()) }
    }

    fn close_block(&mut self) -> Result<()> {
        for plane in [&mut self.coarse, &mut self.fine] {
            self.sums.extend_from_slice(&xxh3_64(plane).to_le_bytes());
            let written = self.codes.write_all(plane);
            written.map_err(|source| Error::Io { path: self.path.to_path_buf(), source })?;
            plane.clear();
        }
        Ok(())
    }
}

/// Writes a segment into `folder` and says how to list it.
///
/// # Errors
/// [`Error::Io`] and those of `rows`; no file is left then.
pub(crate) fn write(
    folder: &Path,
    dim: usize,
    coder: &Coder,
    content: &Content,
    rows: impl FnOnce(&mut Rows<'_>) -> Result<()>,
) -> Result<Listed> {
    let name = random_u64();
    let path = segment::path(folder, name);
    let written = write_at(&path, name, dim, coder, content, rows);
    if written.is_err() {
        let _ = fs::remove_file(&path);
    }
    written
}

fn write_at(
    path: &PathBuf,
    name: u64,
    dim: usize,
    coder: &Coder,
    content: &Content,
    rows: impl FnOnce(&mut Rows<'_>) -> Result<()>,
) -> Result<Listed> {
    let io = |source: io::Error| Error::Io { path: path.clone(), source };
    if u32::try_from(content.rows).is_err() {
        return Err(Error::Limit { what: format!("{} rows in a segment, at most 2^32 fit", content.rows) });
    }
    let by_path = content.order(|view| view.meta.map(|meta| meta.path.to_owned()));
    let by_hash = content.order(|view| view.meta.map(|meta| meta.content_hash));
    let blocks = content.rows.div_ceil(CODE_BLOCK);
    let lengths: [usize; PARTS] = [
        content.entries.len(),
        content.strings.len(),
        by_path.len(),
        by_hash.len(),
        content.failures.len(),
        content.groups.len(),
        content.rows * ROW_BYTES,
        blocks * 16,
        content.rows * 2 * coder.plane_bytes(),
        content.rows * dim * 4,
    ];
    let mut at = HEADER_BYTES as u64;
    let parts = lengths.map(|length| {
        let from = at.next_multiple_of(ALIGNMENT);
        at = from + length as u64;
        (from, length as u64)
    });
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(io)?;
    file.set_len(at).map_err(io)?;
    let open_at = |part: Part| -> io::Result<BufWriter<File>> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::Start(parts[part as usize].0))?;
        Ok(BufWriter::with_capacity(BUFFER.min(lengths[part as usize]), file))
    };
    let mut taker = Rows {
        coder,
        records: open_at(Part::Rows).map_err(io)?,
        codes: open_at(Part::Codes).map_err(io)?,
        vectors: open_at(Part::Vectors).map_err(io)?,
        coarse: Vec::new(),
        fine: Vec::new(),
        sums: Vec::with_capacity(blocks * 16),
        rows: 0,
        path,
    };
    rows(&mut taker)?;
    if taker.rows != content.rows {
        let what = format!("{} rows came, {} were announced", taker.rows, content.rows);
        return Err(damaged(path, what));
    }
    if !taker.rows.is_multiple_of(CODE_BLOCK) {
        taker.close_block()?;
    }
    let small = [&by_path, &by_hash, &content.failures, &content.groups, &taker.sums];
    let mut header = vec![0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    let numbers = [VERSION, dim as u32, 0, 2 * coder.plane_bytes() as u32];
    for (number, at) in numbers.iter().zip((8..).step_by(4)) {
        header[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    let mut set = |at: usize, number: u64| header[at..at + 8].copy_from_slice(&number.to_le_bytes());
    let counts = [content.entries.len() / ENTRY_BYTES, content.groups.len() / GROUP_BYTES, content.rows];
    counts.iter().zip((24..).step_by(8)).for_each(|(count, at)| set(at, *count as u64));
    for ((from, length), at) in parts.iter().zip((PARTS_AT..).step_by(16)) {
        set(at, *from);
        set(at + 8, *length);
    }
    for (part, at) in small.iter().zip((SUMS_AT..).step_by(8)) {
        set(at, xxh3_64(part));
    }
    debug_assert_eq!(small.len(), SMALL_PARTS.len());
    let check = xxh3_64(&header[..HEADER_BYTES - 8]);
    header[HEADER_BYTES - 8..].copy_from_slice(&check.to_le_bytes());
    let Rows { mut records, mut codes, mut vectors, sums, .. } = taker;
    let mut finish = || {
        [&mut records, &mut codes, &mut vectors].into_iter().try_for_each(Write::flush)?;
        let mut file = &file;
        let pieces: [(Part, &[u8]); 7] = [
            (Part::Entries, &content.entries),
            (Part::Strings, &content.strings),
            (Part::ByPath, &by_path),
            (Part::ByHash, &by_hash),
            (Part::Failures, &content.failures),
            (Part::Groups, &content.groups),
            (Part::CodeSums, &sums),
        ];
        for (part, bytes) in pieces {
            file.seek(SeekFrom::Start(parts[part as usize].0))?;
            file.write_all(bytes)?;
        }
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header)?;
        file.sync_all()
    };
    finish().map_err(io)?;
    Ok(Listed { name, check, bytes: at, rows: content.rows as u64, dead: 0, tombstones: 0 })
}
