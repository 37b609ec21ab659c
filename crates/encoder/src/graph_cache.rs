//! Graphs as ONNX Runtime has optimised them, kept on disk: opening one costs a third to a tenth of opening the
//! original.
//!
//! An entry is a folder `MODEL-GRAPH-KEY` with `graph.onnx`, its weights in `graph.data`, which ONNX Runtime maps into memory
//! instead of copying them, `sums`, which holds both against damage, and `original`, which says when the model's own file
//! was last written: one that was written to since is verified before its entry is used. The key covers all that decides what is in
//! it: the checksums of the model's files, the build of ONNX Runtime, and the processor, since some optimisations are
//! made for one. An entry is made of files that were just verified and appears in one rename; a damaged one is
//! made anew. What was not used for longest goes when all take more than [`LIMIT_BYTES`].

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::Xxh3Default;

use crate::manifest::hex;
use crate::{Manifest, Runtime};

/// What all entries may take: a float32 CLAP takes 0.6 GB.
const LIMIT_BYTES: u64 = 4 << 30;

/// Smaller graphs open in no time.
const WORTH_BYTES: u64 = 1 << 20;

const GRAPH: &str = "graph.onnx";
pub(crate) const WEIGHTS: &str = "graph.data";
const SUMS: &str = "sums";
const ORIGINAL: &str = "original";

/// A folder of optimised graphs. It may be removed at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphCache {
    folder: PathBuf,
}

/// An optimised graph in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedGraph {
    /// The graph's file in the model.
    pub graph: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Whether its files are as they were written.
    pub sound: bool,
}

impl GraphCache {
    /// The cache in `folder`, which need not exist.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes that its entries take.
    #[must_use]
    pub fn disk_use(&self) -> u64 {
        self.entries().iter().map(|folder| measure(folder)).sum()
    }

    /// Removes all entries; gives how many bytes they had.
    ///
    /// # Errors
    /// The folder's or an entry's.
    pub fn clean(&self) -> io::Result<u64> {
        let bytes = self.disk_use();
        match fs::remove_dir_all(&self.folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(bytes),
        }
    }

    /// Name of the entry of a graph; `None` where keeping it is not worth it.
    pub(crate) fn name_of(manifest: &Manifest, graph: &str, runtime: &Runtime) -> Option<String> {
        if manifest.file(graph)?.bytes? < WORTH_BYTES {
            return None;
        }
        let mut key = Sha256::new();
        key.update(format!("{}\n{}\n{graph}\n", runtime.build(), processor()));
        for file in &manifest.files {
            key.update(format!("{}\n{}\n", file.path, file.sha256.as_ref()?));
        }
        let key = hex(&key.finalize());
        let stem: String = graph.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        Some(format!("{}-{stem}-{}", manifest.id, &key[..16]))
    }

    /// The graph of an entry, if it is there and sound; one that is not is removed.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        let folder = self.folder.join(name);
        if !folder.is_dir() {
            return None;
        }
        if !is_sound(&folder) {
            let _ = fs::remove_dir_all(&folder);
            return None;
        }
        // When it was last used; that this fails where the cache cannot be written is no harm.
        let _ = File::options()
            .append(true)
            .open(folder.join(SUMS))
            .and_then(|sums| sums.set_modified(SystemTime::now()));
        Some(folder.join(GRAPH))
    }

    /// Whether the `original` graph's file has not been written to since [`GraphCache::note_original`].
    pub(crate) fn is_of(&self, name: &str, original: &Path) -> bool {
        let noted = fs::read_to_string(self.folder.join(name).join(ORIGINAL)).ok();
        noted.is_some() && noted == stamp(original)
    }

    /// Notes that the entry was made of `original` as it is now. That this fails only costs time later.
    pub(crate) fn note_original(&self, name: &str, original: &Path) {
        if let Some(stamp) = stamp(original) {
            let _ = fs::write(self.folder.join(name).join(ORIGINAL), stamp);
        }
    }

    /// The entry `name` of a graph, checked.
    pub(crate) fn look(&self, graph: &str, name: &str) -> Option<CachedGraph> {
        let folder = self.folder.join(name);
        let entry =
            || CachedGraph { graph: graph.to_owned(), bytes: measure(&folder), sound: is_sound(&folder) };
        folder.is_dir().then(entry)
    }

    /// A folder for a new entry; `None` where none can be made.
    pub(crate) fn stage(&self, name: &str) -> Option<Stage> {
        fs::create_dir_all(&self.folder).ok()?;
        let unique = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |t| t.as_nanos());
        let temp = self.folder.join(format!(".{}-{unique:x}", std::process::id()));
        fs::create_dir(&temp).ok()?;
        Some(Stage { temp, cache: self.clone(), name: name.to_owned() })
    }

    /// Whole entries.
    fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.join(SUMS).is_file()).collect()
    }

    /// Keeps within [`LIMIT_BYTES`]: the entries that were not used for longest go, but not `newest`. What a process that was killed
    /// left unfinished goes a day later.
    fn prune(&self, newest: &Path) {
        let used = |folder: &Path| folder.join(SUMS).metadata().and_then(|m| m.modified()).ok();
        let mut entries: Vec<(Option<SystemTime>, u64, PathBuf)> =
            self.entries().into_iter().map(|folder| (used(&folder), measure(&folder), folder)).collect();
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, folder) in entries {
            if total > LIMIT_BYTES && folder != newest && fs::remove_dir_all(&folder).is_ok() {
                total -= bytes;
            }
        }
        let left_over = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let age = path.metadata().and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
            name.starts_with('.') && age.is_some_and(|age| age.as_secs() > 86_400)
        };
        let all = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        all.filter(left_over).for_each(|path| drop(fs::remove_dir_all(path)));
    }
}

/// An entry that is being made; gone when dropped unfinished.
pub(crate) struct Stage {
    temp: PathBuf,
    cache: GraphCache,
    name: String,
}

impl Stage {
    /// Where ONNX Runtime is to put the graph.
    pub(crate) fn graph(&self) -> PathBuf {
        self.temp.join(GRAPH)
    }

    /// Gives the entry its name. One that another process made meanwhile stays.
    pub(crate) fn finish(self) -> io::Result<()> {
        let mut sums = String::new();
        for name in [GRAPH, WEIGHTS] {
            let path = self.temp.join(name);
            if path.is_file() {
                let (bytes, sum) = checksum(&path)?;
                let _ = writeln!(sums, "{sum:016x} {bytes} {name}");
            }
        }
        fs::write(self.temp.join(SUMS), sums)?;
        let folder = self.cache.folder.join(&self.name);
        fs::rename(&self.temp, &folder)?;
        self.cache.prune(&folder);
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.temp);
    }
}

fn is_sound(folder: &Path) -> bool {
    let Ok(sums) = fs::read_to_string(folder.join(SUMS)) else { return false };
    let holds = |line: &str| {
        let mut words = line.split(' ');
        let (Some(sum), Some(bytes), Some(name)) = (words.next(), words.next(), words.next()) else {
            return false;
        };
        checksum(&folder.join(name)).is_ok_and(|(length, xxh3)| {
            u64::from_str_radix(sum, 16) == Ok(xxh3) && bytes.parse() == Ok(length)
        })
    };
    // A file cut short has other lines, or none.
    !sums.is_empty() && sums.lines().all(holds) && sums.contains(GRAPH)
}

/// Length of a file, and when it was written.
fn stamp(path: &Path) -> Option<String> {
    let metadata = path.metadata().ok()?;
    let written = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(format!("{} {}", metadata.len(), written.as_nanos()))
}

/// Length and XXH3 of a file.
fn checksum(path: &Path) -> io::Result<(u64, u64)> {
    let mut file = File::open(path)?;
    let mut sum = Xxh3Default::new();
    let (mut block, mut length) = (vec![0_u8; 256 << 10], 0);
    loop {
        match file.read(&mut block)? {
            0 => return Ok((length, sum.digest())),
            n => {
                sum.update(&block[..n]);
                length += n as u64;
            }
        }
    }
}

fn measure(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// What of the processor decides how ONNX Runtime lays out weights and which kernels it takes.
fn processor() -> String {
    let mut has = vec![std::env::consts::ARCH];
    #[cfg(target_arch = "x86_64")]
    for (name, there) in [
        ("avx", std::arch::is_x86_feature_detected!("avx")),
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ("avx512bw", std::arch::is_x86_feature_detected!("avx512bw")),
        ("avx512vnni", std::arch::is_x86_feature_detected!("avx512vnni")),
        ("avxvnni", std::arch::is_x86_feature_detected!("avxvnni")),
    ] {
        if there {
            has.push(name);
        }
    }
    #[cfg(target_arch = "aarch64")]
    for (name, there) in [
        ("dotprod", std::arch::is_aarch64_feature_detected!("dotprod")),
        ("i8mm", std::arch::is_aarch64_feature_detected!("i8mm")),
        ("bf16", std::arch::is_aarch64_feature_detected!("bf16")),
        ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
        ("sve", std::arch::is_aarch64_feature_detected!("sve")),
    ] {
        if there {
            has.push(name);
        }
    }
    has.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(cache: &GraphCache, name: &str, graph: &[u8]) -> PathBuf {
        let stage = cache.stage(name).unwrap();
        fs::write(stage.graph(), graph).unwrap();
        stage.finish().unwrap();
        cache.folder.join(name)
    }

    #[test]
    fn an_entry_is_found_until_a_bit_of_it_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let cache = GraphCache::at(dir.path().join("graphs"));
        assert_eq!(cache.find("a"), None);
        for damage in [GRAPH, SUMS] {
            let folder = entry(&cache, "a", b"graph");
            assert_eq!(cache.find("a"), Some(folder.join(GRAPH)));
            let mut bytes = fs::read(folder.join(damage)).unwrap();
            bytes[0] ^= 1;
            fs::write(folder.join(damage), bytes).unwrap();
            assert!(cache.look("audio.onnx", "a").is_some_and(|entry| !entry.sound));
            assert_eq!(cache.find("a"), None, "{damage}");
            assert!(!folder.exists(), "{damage}");
        }
        let folder = entry(&cache, "a", b"graph");
        fs::write(folder.join(SUMS), "").unwrap();
        assert_eq!(cache.find("a"), None, "an empty list of sums");
    }

    #[test]
    fn what_was_never_finished_is_no_entry_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let cache = GraphCache::at(dir.path().to_path_buf());
        let stage = cache.stage("a").unwrap();
        fs::write(stage.graph(), b"half").unwrap();
        assert_eq!((cache.disk_use(), cache.find("a")), (0, None));
        drop(stage);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_oldest_go_when_it_is_full() {
        let dir = tempfile::tempdir().unwrap();
        let cache = GraphCache::at(dir.path().to_path_buf());
        for (name, age_s) in [("old", 300), ("older", 600), ("new", 10)] {
            let folder = entry(&cache, name, b"");
            // Of no blocks, but counted by its length.
            File::options().write(true).open(folder.join(GRAPH)).unwrap().set_len(3 << 29).unwrap();
            let used = SystemTime::now() - std::time::Duration::from_secs(age_s);
            File::options().append(true).open(folder.join(SUMS)).unwrap().set_modified(used).unwrap();
        }
        cache.prune(&dir.path().join("new"));
        let there = |name: &str| dir.path().join(name).exists();
        assert_eq!((there("older"), there("old"), there("new")), (false, true, true));
        assert!(cache.clean().unwrap() > 2 * (3 << 29));
        assert!(!dir.path().exists());
    }
}
