//! Graphs as ONNX Runtime has optimised them, kept on disk: opening one costs a third to a tenth of opening
//! the original.
//!
//! An entry is a folder `MODEL-GRAPH-KEY` with `graph.onnx`, its weights in `graph.data`, which ONNX Runtime
//! maps into memory instead of copying them, `sums`, which holds both against damage, and `originals`, which
//! says when the model's own files were last written: where one was written to since, they are verified
//! before the entry is used. The key covers all that decides what is in it: the checksums of the model's
//! files, the build of ONNX Runtime, and the processor, since some optimisations are made for one. An entry
//! is made of files that were just verified and appears in one rename; a damaged one is removed and made
//! again. What was not used for longest goes when all take more than [`LIMIT_BYTES`].

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::Xxh3Default;

use crate::Manifest;
use crate::digest::hex;

/// What all entries may take: a float32 CLAP takes 0.6 GB.
const LIMIT_BYTES: u64 = 4 << 30;

/// Smaller graphs open in no time.
const WORTH_BYTES: u64 = 1 << 20;

const GRAPH: &str = "graph.onnx";
pub(crate) const WEIGHTS: &str = "graph.data";
const SUMS: &str = "sums";
const ORIGINALS: &str = "originals";

/// How the folder of an entry that is being made is called.
const MAKING: &str = ".making-";

/// A folder of optimised graphs, which may be removed at any time. In a folder that holds other things too,
/// those are left alone.
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

    /// Bytes that its entries take, those that were never finished included.
    #[must_use]
    pub fn disk_use(&self) -> u64 {
        self.folders(is_ours).iter().map(|folder| measure(folder)).sum()
    }

    /// Removes all entries; gives how many bytes they had.
    ///
    /// # Errors
    /// The folder's or an entry's.
    pub fn clean(&self) -> io::Result<u64> {
        let mut total = 0;
        for folder in self.folders(is_ours) {
            let bytes = measure(&folder);
            fs::remove_dir_all(&folder)?;
            total += bytes;
        }
        // Only where nothing else is in it.
        let _ = fs::remove_dir(&self.folder);
        Ok(total)
    }

    /// Name of the entry of a graph as this `build` of ONNX Runtime optimises it; `None` where keeping it is
    /// not worth it.
    pub(crate) fn name_of(manifest: &Manifest, graph: &str, build: &str) -> Option<String> {
        if manifest.file(graph)?.bytes? < WORTH_BYTES {
            return None;
        }
        let mut key = Sha256::new();
        key.update(format!("{build}\n{}\n{graph}\n", processor()));
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

    /// Whether the model's files in `folder` have not been written to since [`GraphCache::note_originals`].
    pub(crate) fn is_of(&self, name: &str, folder: &Path, manifest: &Manifest) -> bool {
        let noted = fs::read_to_string(self.folder.join(name).join(ORIGINALS)).ok();
        noted.is_some() && noted == stamps(folder, manifest)
    }

    /// Notes that the entry was made of the files in `folder` as they are now. That this fails only costs
    /// time later.
    pub(crate) fn note_originals(&self, name: &str, folder: &Path, manifest: &Manifest) {
        if let Some(stamps) = stamps(folder, manifest) {
            let _ = fs::write(self.folder.join(name).join(ORIGINALS), stamps);
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
        let temp = self.folder.join(format!("{MAKING}{}-{unique:x}", std::process::id()));
        fs::create_dir(&temp).ok()?;
        Some(Stage { temp, cache: self.clone(), name: name.to_owned() })
    }

    /// The folders in it whose names are as wanted.
    fn folders(&self, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_name().to_str().is_some_and(&wanted));
        folders.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }

    /// Keeps within [`LIMIT_BYTES`]: the entries that were not used for longest go, but not `newest`. What a
    /// process that was killed left unfinished goes a day later.
    fn prune(&self, newest: &Path) {
        let used = |folder: &Path| folder.join(SUMS).metadata().and_then(|m| m.modified()).ok();
        let mut entries: Vec<(Option<SystemTime>, u64, PathBuf)> = self
            .folders(is_entry)
            .into_iter()
            .map(|folder| (used(&folder), measure(&folder), folder))
            .collect();
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, folder) in entries {
            if total > LIMIT_BYTES && folder != newest && fs::remove_dir_all(&folder).is_ok() {
                total -= bytes;
            }
        }
        let age = |path: &PathBuf| path.metadata().and_then(|m| m.modified()).ok()?.elapsed().ok();
        let left_over = self.folders(|name| name.starts_with(MAKING));
        let old = left_over.iter().filter(|path| age(path).is_some_and(|age| age.as_secs() > 86_400));
        old.for_each(|path| drop(fs::remove_dir_all(path)));
    }
}

/// Whether a folder of this name is an entry: it ends in the key.
fn is_entry(name: &str) -> bool {
    name.rsplit_once('-')
        .is_some_and(|(_, key)| key.len() == 16 && key.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_ours(name: &str) -> bool {
    is_entry(name) || name.starts_with(MAKING)
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
        if fs::rename(&self.temp, &folder).is_err() {
            // Another process was first, or what is there could not be removed whole before.
            if is_sound(&folder) {
                return Ok(());
            }
            fs::remove_dir_all(&folder)?;
            fs::rename(&self.temp, &folder)?;
        }
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

/// Of each file of the model, its length and when it was written: a graph may have weights in files of their
/// own.
fn stamps(folder: &Path, manifest: &Manifest) -> Option<String> {
    let mut stamps = String::new();
    for file in &manifest.files {
        let metadata = folder.join(&file.path).metadata().ok()?;
        let written = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let _ = writeln!(stamps, "{} {} {}", metadata.len(), written.as_nanos(), file.path);
    }
    Some(stamps)
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

    const A: &str = "m-audio_onnx-0123456789abcdef";

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
        assert_eq!(cache.find(A), None);
        for damage in [GRAPH, SUMS] {
            let folder = entry(&cache, A, b"graph");
            assert_eq!(cache.find(A), Some(folder.join(GRAPH)));
            let mut bytes = fs::read(folder.join(damage)).unwrap();
            bytes[0] ^= 1;
            fs::write(folder.join(damage), bytes).unwrap();
            assert!(cache.look("audio.onnx", A).is_some_and(|entry| !entry.sound));
            assert_eq!(cache.find(A), None, "{damage}");
            assert!(!folder.exists(), "{damage}");
        }
        let folder = entry(&cache, A, b"graph");
        fs::write(folder.join(SUMS), "").unwrap();
        assert_eq!(cache.find(A), None, "an empty list of sums");
    }

    #[test]
    fn what_was_never_finished_is_no_entry_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let cache = GraphCache::at(dir.path().to_path_buf());
        let stage = cache.stage(A).unwrap();
        fs::write(stage.graph(), b"half").unwrap();
        assert_eq!((cache.disk_use(), cache.find(A)), (4, None));
        drop(stage);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_else_is_in_the_folder_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let cache = GraphCache::at(dir.path().to_path_buf());
        let others = [".git", "source", "notes-2026", "with-sums"];
        for name in others {
            fs::create_dir(dir.path().join(name)).unwrap();
            let file = dir.path().join(name).join(SUMS);
            fs::write(&file, "mine").unwrap();
            let old = SystemTime::now() - std::time::Duration::from_secs(400_000);
            File::options().append(true).open(file).unwrap().set_modified(old).unwrap();
            File::open(dir.path().join(name)).unwrap().set_modified(old).unwrap();
        }
        let folder = entry(&cache, A, b"graph");
        cache.prune(&folder);
        assert!(cache.clean().unwrap() > 5);
        assert!(!folder.exists());
        assert!(others.iter().all(|name| dir.path().join(name).join(SUMS).is_file()));
    }

    #[test]
    fn the_oldest_go_when_it_is_full() {
        let dir = tempfile::tempdir().unwrap();
        let cache = GraphCache::at(dir.path().to_path_buf());
        let name = |age: &str| format!("{age}-0123456789abcdef");
        for (age, age_s) in [("old", 300), ("older", 600), ("new", 10)] {
            let folder = entry(&cache, &name(age), b"");
            // Of no blocks, but counted by its length.
            File::options().write(true).open(folder.join(GRAPH)).unwrap().set_len(3 << 29).unwrap();
            let used = SystemTime::now() - std::time::Duration::from_secs(age_s);
            File::options().append(true).open(folder.join(SUMS)).unwrap().set_modified(used).unwrap();
        }
        cache.prune(&dir.path().join(name("new")));
        let there = |age: &str| dir.path().join(name(age)).exists();
        assert_eq!((there("older"), there("old"), there("new")), (false, true, true));
        assert!(cache.clean().unwrap() > 2 * (3 << 29));
        assert!(!dir.path().exists());
    }
}
