//! A copy of the matrix in one file, so that a search need not gather the vectors from sled's pages: for 100
//! 000 vectors of 521 elements that halves the processor time of a one-shot search, from 0.3 s to 0.15 s
//! (examples/measure.rs), which is then mostly the kernel handing out memory, on several cores.
//!
//! Layout: magic, header length (u32), header, one [`RowInfo`] a row (37 bytes, little-endian), a hash for
//! each block of [`BLOCK_ROWS`] rows, a hash of all that; then the blocks: f32 in the machine's byte order.
//! The file may lag behind the store: rows are then taken from both.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::codec::{self, Stamp};
use crate::files::{Hashed, SEAL_BYTES, write_atomically};
use crate::vectors::{BLOCK_ROWS, Matrix, RowInfo};

/// The file's name in the index folder.
pub(crate) const NAME: &str = "vectors.flat";

const MAGIC: &[u8; 8] = b"EARMVEC1";

/// Written in the machine's byte order.
const BYTE_ORDER: u32 = 0x0102_0304;

const INFO_BYTES: usize = 37;

const HASH_BYTES: usize = 8;

/// Readers at most, and blocks that are worth starting one for.
const MAX_THREADS: usize = 4;
const BLOCKS_PER_THREAD: usize = 16;

/// What the file says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FlatHeader {
    byte_order: [u8; 4],
    /// This very file; the store's anchor names the one that belongs to it.
    pub(crate) id: u128,
    /// See [`Matrix::lineage`].
    pub(crate) lineage: u128,
    /// The content of the store that it copies.
    pub(crate) stamp: Stamp,
    /// The store's next sequence number then: segments from here on are not in the file.
    pub(crate) next_seq: u64,
    dim: u64,
    pub(crate) rows: u64,
}

/// Why a derived file was not used.
pub(crate) enum Unusable {
    /// It is not there.
    Missing,
    /// It cannot be used, for this reason.
    Bad(String),
}

impl From<io::Error> for Unusable {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::NotFound => Unusable::Missing,
            io::ErrorKind::UnexpectedEof => Unusable::Bad("truncated".into()),
            _ => Unusable::Bad(e.to_string()),
        }
    }
}

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// Writes the matrix. `id` names the file.
pub(crate) fn save(
    dir: &Path,
    matrix: &Matrix,
    id: u128,
    stamp: Stamp,
    next_seq: u64,
) -> io::Result<FlatHeader> {
    let header = FlatHeader {
        byte_order: BYTE_ORDER.to_ne_bytes(),
        id,
        lineage: matrix.lineage,
        stamp,
        next_seq,
        dim: matrix.dim() as u64,
        rows: matrix.rows() as u64,
    };
    write_atomically(&path(dir), |out| {
        let mut out = Hashed::new(out);
        let head = codec::encode(&header).map_err(io::Error::other)?;
        out.write_all(MAGIC)?;
        out.write_all(&(head.len() as u32).to_le_bytes())?;
        out.write_all(&head)?;
        for row in 0..matrix.rows() {
            out.write_all(&encode_info(matrix.info(row), matrix.is_alive(row)))?;
        }
        for block in matrix.blocks_and_tail() {
            out.write_all(&xxh3_64(bytemuck::cast_slice(block)).to_le_bytes())?;
        }
        let out = out.seal()?;
        matrix.blocks_and_tail().try_for_each(|block| out.write_all(bytemuck::cast_slice(block)))
    })?;
    Ok(header)
}

/// Reads the file if `accept` likes its header.
pub(crate) fn load(
    dir: &Path,
    dim: usize,
    accept: impl FnOnce(&FlatHeader) -> Result<(), String>,
) -> Result<(FlatHeader, Matrix), Unusable> {
    let file = File::open(path(dir))?;
    let length = file.metadata()?.len();
    let mut file = Hashed::new(file);
    let mut start = [0; 12];
    file.read_exact(&mut start)?;
    let (magic, head_len) = start.split_at(8);
    let head_len = head_len.try_into().map(u32::from_le_bytes).unwrap_or(u32::MAX);
    if magic != MAGIC || head_len > 4096 {
        return Err(Unusable::Bad("damaged header".into()));
    }
    let mut head = vec![0; head_len as usize];
    file.read_exact(&mut head)?;
    let header: FlatHeader = codec::decode(&head).map_err(Unusable::Bad)?;
    if header.byte_order != BYTE_ORDER.to_ne_bytes() || header.dim != dim as u64 {
        return Err(Unusable::Bad("made for another machine or model".into()));
    }
    // Before anything is allocated on the header's word.
    let rows_len = header.rows.checked_mul(INFO_BYTES as u64 + 4 * dim as u64);
    let blocks = header.rows.div_ceil(BLOCK_ROWS as u64);
    let rest = 12 + u64::from(head_len) + HASH_BYTES as u64 * blocks + SEAL_BYTES;
    if rows_len.and_then(|rows| rows.checked_add(rest)) != Some(length) {
        return Err(Unusable::Bad("wrong length".into()));
    }
    accept(&header).map_err(Unusable::Bad)?;
    let mut infos = vec![0; header.rows as usize * INFO_BYTES];
    file.read_exact(&mut infos)?;
    let mut hashes = vec![0; blocks as usize * HASH_BYTES];
    file.read_exact(&mut hashes)?;
    if !file.check_seal()? {
        return Err(Unusable::Bad("wrong checksum".into()));
    }
    let infos = infos.as_chunks::<INFO_BYTES>().0;
    let hashes: Vec<u64> = hashes.as_chunks().0.iter().map(|hash| u64::from_le_bytes(*hash)).collect();
    let start = length - 4 * dim as u64 * header.rows;
    let mut matrix = Matrix::new(dim, header.lineage);
    let blocks = read_blocks(dir, start, dim, infos.len(), &hashes)?;
    for (infos, block) in infos.chunks(BLOCK_ROWS).zip(blocks) {
        let infos = infos.iter().map(decode_info);
        matrix.push_block(infos, block).map_err(|e| Unusable::Bad(e.to_string()))?;
    }
    Ok((header, matrix))
}

/// Reads the blocks, which begin at `start`, on several threads: most of the time goes into fresh memory,
/// page by page.
fn read_blocks(
    dir: &Path,
    start: u64,
    dim: usize,
    rows: usize,
    hashes: &[u64],
) -> Result<Vec<Vec<f32>>, Unusable> {
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MAX_THREADS);
    let share = hashes.len().div_ceil(threads).max(BLOCKS_PER_THREAD);
    let read = |part: usize, hashes: &[u64]| -> Result<Vec<Vec<f32>>, Unusable> {
        let mut file = File::open(path(dir))?;
        file.seek(SeekFrom::Start(start + (part * share * BLOCK_ROWS * dim * 4) as u64))?;
        let mut blocks = Vec::with_capacity(hashes.len());
        for (block, hash) in (part * share..).zip(hashes) {
            let mut elements = vec![0.0f32; (rows - block * BLOCK_ROWS).min(BLOCK_ROWS) * dim];
            file.read_exact(bytemuck::cast_slice_mut(&mut elements))?;
            if xxh3_64(bytemuck::cast_slice(&elements)) != *hash {
                return Err(Unusable::Bad("wrong checksum".into()));
            }
            blocks.push(elements);
        }
        Ok(blocks)
    };
    let read = &read;
    thread::scope(|scope| {
        let parts = hashes.chunks(share).enumerate();
        let workers: Vec<_> = parts.map(|(part, hashes)| scope.spawn(move || read(part, hashes))).collect();
        let mut blocks = Vec::with_capacity(hashes.len());
        for worker in workers {
            let part = worker.join().unwrap_or_else(|_| Err(Unusable::Bad("a reader panicked".into())));
            blocks.extend(part?);
        }
        Ok(blocks)
    })
}

fn encode_info(info: &RowInfo, alive: bool) -> [u8; INFO_BYTES] {
    let mut bytes = [0; INFO_BYTES];
    bytes[..8].copy_from_slice(&info.seq.to_le_bytes());
    bytes[8..16].copy_from_slice(&info.clip.to_le_bytes());
    bytes[16..20].copy_from_slice(&info.segment.to_le_bytes());
    bytes[20..28].copy_from_slice(&info.start_s.to_le_bytes());
    bytes[28..36].copy_from_slice(&info.end_s.to_le_bytes());
    bytes[36] = u8::from(alive);
    bytes
}

fn decode_info(bytes: &[u8; INFO_BYTES]) -> (RowInfo, bool) {
    let word = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or(0);
    let info = RowInfo {
        seq: word(0),
        clip: word(8),
        segment: word(16) as u32,
        start_s: f64::from_bits(word(20)),
        end_s: f64::from_bits(word(28)),
    };
    (info, bytes[36] == 1)
}
