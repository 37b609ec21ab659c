//! The graph on disk: hnsw_rs's two files and a manifest, which names them, vouches for them, and is written
//! last.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::codec;
use crate::files::{Hashed, TEMP_PREFIX, remove_matching, sync_dir, write_atomically};
use crate::flat::Unusable;
use crate::graph::Graph;
use crate::vectors::Matrix;

/// The manifest's name in the index folder.
const MANIFEST: &str = "graph.manifest";

/// How the names of hnsw_rs's files begin.
const PREFIX: &str = "graph-";

/// What hnsw_rs adds to a name.
const SUFFIXES: [&str; 2] = [".hnsw.graph", ".hnsw.data"];

/// Layout of the manifest and, with the version of hnsw_rs, of the files.
const VERSION: &str = "1, hnsw_rs 0.3.5";

#[derive(Serialize, Deserialize)]
struct Manifest {
    version: String,
    /// See [`Matrix::lineage`].
    lineage: u128,
    rows: u64,
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
        let mut file = File::open(path)?;
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

fn file(dir: &Path, name: &str, suffix: &str) -> PathBuf {
    dir.join(format!("{name}{suffix}"))
}

/// Writes the graph. Until the manifest is replaced, at the very end, the files of the graph before are what
/// counts.
pub(crate) fn save(dir: &Path, graph: &Graph) -> io::Result<()> {
    let name = format!("{PREFIX}{:016x}", crate::index::random_u64());
    let write = || {
        graph.dump(dir, &name).map_err(io::Error::other)?;
        for suffix in SUFFIXES {
            File::open(file(dir, &name, suffix))?.sync_all()?;
        }
        let [a, b] = SUFFIXES.map(|suffix| Checked::of(&file(dir, &name, suffix)));
        let manifest = Manifest {
            version: VERSION.to_string(),
            lineage: graph.lineage,
            rows: graph.rows as u64,
            name: name.clone(),
            files: [a?, b?],
        };
        sync_dir(dir)?;
        write_atomically(&dir.join(MANIFEST), |out| {
            let mut out = Hashed::new(out);
            let bytes = codec::encode(&manifest).map_err(io::Error::other)?;
            out.write_all(&(bytes.len() as u32).to_le_bytes())?;
            out.write_all(&bytes)?;
            out.seal().map(drop)
        })
    };
    let written = write();
    let keep = written.is_ok();
    remove_matching(dir, |found| found.starts_with(PREFIX) && found.starts_with(&name) != keep);
    written
}

/// Reads the graph that belongs to `matrix`, of whose rows the first `kept` came from the flat copy.
pub(crate) fn load(dir: &Path, matrix: &Matrix, kept: usize) -> Result<Graph, Unusable> {
    let manifest = read_manifest(dir)?;
    if manifest.version != VERSION {
        return Err(Unusable::Bad(format!("of version {}", manifest.version)));
    }
    let rows = manifest.rows as usize;
    if manifest.lineage != matrix.lineage || rows > kept {
        return Err(Unusable::Bad("stale".into()));
    }
    for (suffix, expected) in SUFFIXES.iter().zip(&manifest.files) {
        let found = Checked::of(&file(dir, &manifest.name, suffix))?;
        if found != *expected {
            return Err(Unusable::Bad("wrong checksum".into()));
        }
    }
    Graph::load(matrix, rows, dir, &manifest.name).map_err(Unusable::Bad)
}

fn read_manifest(dir: &Path) -> Result<Manifest, Unusable> {
    let mut file = Hashed::new(BufReader::new(File::open(dir.join(MANIFEST))?));
    let mut length = [0; 4];
    file.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > 4096 {
        return Err(Unusable::Bad("damaged manifest".into()));
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes)?;
    if !file.check_seal()? {
        return Err(Unusable::Bad("damaged manifest".into()));
    }
    codec::decode(&bytes).map_err(Unusable::Bad)
}

/// Whether this is the name of one of the graph's files.
pub(crate) fn is_file_of_graph(name: &str) -> bool {
    name == MANIFEST || name.starts_with(PREFIX)
}

/// Removes the graph.
pub(crate) fn remove(dir: &Path) {
    let _ = fs::remove_file(dir.join(MANIFEST));
    remove_matching(dir, |name| name.starts_with(PREFIX));
}

/// Removes temporary files that a crash left behind.
pub(crate) fn sweep(dir: &Path) {
    remove_matching(dir, |name| name.starts_with(TEMP_PREFIX));
}
