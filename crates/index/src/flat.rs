//! A copy of the matrix in one file, so that a search need not gather the vectors from sled's pages.
//!
//! Layout: magic, header length (u32), header, one [`RowInfo`] a row (37 bytes, little-endian), the vectors as f32 in the
//! machine's byte order, and a hash of all that. The file may lag behind the store: rows are then taken from both.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::codec::{self, Stamp};
use crate::files::{Hashed, SEAL_BYTES, write_atomically};
use crate::vectors::{BLOCK_ROWS, Matrix, RowInfo};

/// The file's name in the index folder.
const NAME: &str = "vectors.flat";

const MAGIC: &[u8; 8] = b"EARMVEC1";

/// Written in the machine's byte order.
const BYTE_ORDER: u32 = 0x0102_0304;

const INFO_BYTES: usize = 37;

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
        for row in 0..matrix.rows() {
            out.write_all(bytemuck::cast_slice(matrix.row(row)))?;
        }
        out.seal().map(drop)
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
    let row_bytes = INFO_BYTES as u64 + 4 * dim as u64;
    let expected =
        header.rows.checked_mul(row_bytes).map(|rows| rows + 12 + u64::from(head_len) + SEAL_BYTES);
    if expected != Some(length) {
        return Err(Unusable::Bad("wrong length".into()));
    }
    accept(&header).map_err(Unusable::Bad)?;
    let matrix = read_rows(&mut file, header.rows as usize, dim, header.lineage)?;
    if !file.check_seal()? {
        return Err(Unusable::Bad("wrong checksum".into()));
    }
    Ok((header, matrix))
}

fn read_rows(file: &mut impl Read, rows: usize, dim: usize, lineage: u128) -> Result<Matrix, Unusable> {
    let mut infos = vec![0; rows * INFO_BYTES];
    file.read_exact(&mut infos)?;
    let infos = infos.as_chunks::<INFO_BYTES>().0;
    let mut matrix = Matrix::new(dim, lineage);
    for infos in infos.chunks(BLOCK_ROWS) {
        let mut block = vec![0.0f32; infos.len() * dim];
        file.read_exact(bytemuck::cast_slice_mut(&mut block))?;
        let infos = infos.iter().map(decode_info);
        matrix.push_block(infos, block).map_err(|e| Unusable::Bad(e.to_string()))?;
    }
    Ok(matrix)
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
