//! Reading, writing, locking.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::SharedFiles;
use super::known::{self, Known, Standing};
use super::set::{Content, Made, SavedSet};
use crate::{EngineError, LabelSetsFault};

/// The file of all sets.
const FILE: &str = "label-sets.json";

/// The folder of what was made for them.
const FOLDER: &str = "label-sets";

/// Locked by whoever changes something.
const LOCK: &str = "label-sets.lock";

/// The layout of the file. Older ones can be read: version 1 was the sets alone; in version 2 heads had no
/// limit for "none of these", and their summaries lacked what was answered rightly.
const VERSION: u64 = 3;

/// The oldest version that says which it is.
const OLDEST: u64 = 2;

/// Hexadecimal digits of a content's hash in its file's name.
const HASH_DIGITS: usize = 32;

/// How often, and after how long, a list is read again that is not the one that is known.
const LOOKS: usize = 4;
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(20);

/// Largest file of all sets, bytes: it is read and written whole each time.
const MAX_BYTES: usize = 8 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct All {
    version: u64,
    sets: BTreeMap<String, SavedSet>,
}

/// Where label sets are kept.
#[derive(Clone)]
pub(super) enum Kept {
    Folder(PathBuf),
    Shared(Arc<dyn SharedFiles>),
}

impl Kept {
    /// The list, as errors name it.
    fn list_path(&self) -> PathBuf {
        match self {
            Self::Folder(dir) => dir.join(FILE),
            Self::Shared(files) => Path::new(&files.place()).join(FILE),
        }
    }
}

/// Keeps other writers out until it is dropped.
pub(super) enum Lock {
    Folder { _file: File },
    Shared { _lock: Box<dyn Send> },
}

/// Whether a file or folder of this name, beside an index, belongs to label sets.
#[must_use]
pub fn is_own_file(name: &str) -> bool {
    [FILE, FOLDER, LOCK, known::FILE].contains(&name)
}

fn error(path: &Path, reason: impl std::fmt::Display) -> EngineError {
    fault(path, LabelSetsFault::Io, reason)
}

fn fault(path: &Path, fault: LabelSetsFault, reason: impl std::fmt::Display) -> EngineError {
    EngineError::LabelSets { path: path.to_path_buf(), reason: reason.to_string(), fault }
}

fn content_name(file: &str) -> String {
    format!("{file}.json")
}

pub(super) fn content_path(kept: &Kept, file: &str) -> PathBuf {
    kept.list_path().with_file_name(FOLDER).join(content_name(file))
}

/// Keeps other writers out. Makes the folder if it is not there.
pub(super) fn lock(kept: &Kept) -> Result<Lock, EngineError> {
    let dir = match kept {
        Kept::Folder(dir) => dir,
        Kept::Shared(files) => return Ok(Lock::Shared { _lock: files.lock()? }),
    };
    let path = dir.join(LOCK);
    fs::create_dir_all(dir).map_err(|e| error(dir, e))?;
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|e| error(&path, e))?;
    match file.lock() {
        // A file system without locks: all there is is care.
        Err(e) if e.kind() != io::ErrorKind::Unsupported => Err(error(&path, e)),
        _ => Ok(Lock::Folder { _file: file }),
    }
}

pub(super) fn read(kept: &Kept) -> Result<BTreeMap<String, SavedSet>, EngineError> {
    let path = kept.list_path();
    let dir = match kept {
        Kept::Folder(dir) => dir,
        Kept::Shared(files) => return parse(&path, files.read(FILE)?.as_deref()),
    };
    let mut tries = 0;
    let list = loop {
        let (list, known) = (read_list(dir)?, Known::read(dir).map_err(|e| error(&path, e))?);
        tries += 1;
        match Known::standing(known.as_ref(), list.as_deref()) {
            Standing::Ours => break list,
            // A writer may have replaced both in between.
            _ if tries < LOOKS => std::thread::sleep(LOOK_AGAIN),
            Standing::Gone(names) => {
                let reason = format!(
                    "it is gone, and held the label sets {}; put it back from a backup, or accept that they are gone",
                    names.join(", ")
                );
                return Err(fault(&path, LabelSetsFault::List, reason));
            }
            Standing::Foreign => {
                // Damage has its own message.
                parse(&path, list.as_deref())?;
                let reason = "it is not the file that earmark wrote for this index; put that back from a backup, or \
                              accept the sets in it";
                return Err(fault(&path, LabelSetsFault::List, reason));
            }
        }
    };
    parse(&path, list.as_deref())
}

fn read_list(dir: &Path) -> Result<Option<Vec<u8>>, EngineError> {
    let path = dir.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(error(&path, e)),
    }
}

/// Makes the list, as it is, the one that is known; gives the names of its sets.
pub(super) fn accept(kept: &Kept) -> Result<Vec<String>, EngineError> {
    let Kept::Folder(dir) = kept else { return Ok(read(kept)?.into_keys().collect()) };
    let list = read_list(dir)?;
    let names: Vec<String> = parse(&dir.join(FILE), list.as_deref())?.into_keys().collect();
    write_known(dir, vec![list.as_deref().map(known::hash)], names.clone())?;
    Ok(names)
}

fn write_known(dir: &Path, lists: Vec<Option<String>>, names: Vec<String>) -> Result<(), EngineError> {
    let path = dir.join(known::FILE);
    let bytes = serde_json::to_vec(&Known { lists, names }).map_err(|e| error(&path, e))?;
    replace(dir, &path, &bytes)
}

fn parse(path: &Path, list: Option<&[u8]>) -> Result<BTreeMap<String, SavedSet>, EngineError> {
    let Some(bytes) = list else { return Ok(BTreeMap::new()) };
    let damaged = |e: serde_json::Error| {
        fault(path, LabelSetsFault::List, format!("damaged ({e}); put it right or delete it, then accept it"))
    };
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(damaged)?;
    match value.get("version").map(serde_json::Value::as_u64) {
        Some(Some(OLDEST..=VERSION)) => {
            serde_json::from_value(value).map(|all: All| all.sets).map_err(damaged)
        }
        Some(Some(newer)) => Err(error(
            path,
            format!("expected version {VERSION} or older, got {newer}; use the earmark that wrote it"),
        )),
        // In version 1 every key is a set's name.
        Some(None) | None => serde_json::from_value(value).map_err(damaged),
    }
}

/// Replaces the list, and removes what nothing in it names.
pub(super) fn write(kept: &Kept, sets: &BTreeMap<String, SavedSet>) -> Result<(), EngineError> {
    let path = kept.list_path();
    let all = All { version: VERSION, sets: sets.clone() };
    let bytes = serde_json::to_vec_pretty(&all).map_err(|e| error(&path, e))?;
    if bytes.len() > MAX_BYTES {
        return Err(EngineError::LabelSetsTooLarge { most: MAX_BYTES });
    }
    let made = sets.values().filter_map(|set| set.made.as_ref());
    let dir = match kept {
        Kept::Folder(dir) => dir,
        Kept::Shared(files) => {
            files.write(FILE, &bytes)?;
            let mut used: Vec<String> = made.map(|made| content_name(&made.file)).collect();
            used.push(FILE.to_owned());
            return Ok(files.keep_only(&used)?);
        }
    };
    let before = read_list(dir)?.as_deref().map(known::hash);
    let (now, names) = (Some(known::hash(&bytes)), sets.keys().cloned().collect::<Vec<_>>());
    write_known(dir, vec![before, now.clone()], names.clone())?;
    replace(dir, &path, &bytes)?;
    write_known(dir, vec![now], names)?;
    let used: Vec<PathBuf> = made.map(|made| content_path(kept, &made.file)).collect();
    // What cannot be removed now is removed another time.
    for entry in fs::read_dir(dir.join(FOLDER)).into_iter().flatten().flatten() {
        if !used.contains(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Writes what was made; gives the name for the list.
pub(super) fn write_content(kept: &Kept, content: &Content) -> Result<String, EngineError> {
    let bytes = serde_json::to_vec(content).map_err(|e| error(&kept.list_path(), e))?;
    let file = name_of(&bytes);
    match kept {
        Kept::Folder(dir) => {
            let folder = dir.join(FOLDER);
            fs::create_dir_all(&folder).map_err(|e| error(&folder, e))?;
            replace(&folder, &content_path(kept, &file), &bytes)?;
        }
        Kept::Shared(files) => files.write(&content_name(&file), &bytes)?,
    }
    Ok(file)
}

/// Reads what was made for the set `name`, and checks it.
pub(super) fn read_content(kept: &Kept, name: &str, made: &Made) -> Result<Content, EngineError> {
    let path = content_path(kept, &made.file);
    let unusable =
        |reason: String| fault(&path, LabelSetsFault::Content, format!("{reason}; make the label set again"));
    let read = match kept {
        Kept::Folder(_) => fs::read(&path),
        Kept::Shared(files) => {
            files.read(&content_name(&made.file))?.ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    };
    let bytes = match read {
        Ok(bytes) => bytes,
        // A writer removes it after the list no longer names it.
        Err(e) if e.kind() == io::ErrorKind::NotFound && !is_named(kept, name, made)? => {
            return Err(EngineError::LabelSetChanged { name: name.to_owned() });
        }
        Err(e) => return Err(unusable(e.to_string())),
    };
    if name_of(&bytes) != made.file {
        return Err(unusable("damaged: its checksum is not its name".to_owned()));
    }
    let content: Content = serde_json::from_slice(&bytes).map_err(|e| unusable(format!("damaged ({e})")))?;
    match content.problem(made.identity.dim) {
        Some(problem) => Err(unusable(format!("damaged: {problem}"))),
        None => Ok(content),
    }
}

/// Whether the list still has this for the set.
fn is_named(kept: &Kept, name: &str, made: &Made) -> Result<bool, EngineError> {
    let now = read(kept)?.remove(name).and_then(|set| set.made);
    Ok(now.is_some_and(|now| now.file == made.file))
}

fn name_of(bytes: &[u8]) -> String {
    let mut name = blake3::hash(bytes).to_hex().to_string();
    name.truncate(HASH_DIGITS);
    name
}

/// Puts a whole file in place of another, or none.
fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|e| error(path, e))
}
