//! Events that were found in recordings, kept for the next run: a line of JSON a recording, written as soon as it is done. So a
//! run that was cut short goes on. What is kept was asked with the same model, words and settings; anything else has a file of
//! its own.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::EvalError;
use crate::metrics::Event;

/// [`InRecording`] as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    path: String,
    size: u64,
    mtime_ns: u128,
    /// The bits of the recording's length, seconds.
    duration: u64,
    /// A list for each set of words asked for: class, and the bits of onset and offset, since decimal numbers would not come
    /// back the same.
    found: Vec<Vec<(usize, u64, u64)>>,
}

/// What was found in one recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct InRecording {
    /// Its length, seconds.
    pub(super) duration_s: f64,
    /// Events, for each set of words asked for.
    pub(super) found: Vec<Vec<Event>>,
}

/// A file of what was found.
pub(super) struct KeptEvents {
    path: PathBuf,
    file: File,
    known: HashMap<String, Line>,
}

impl KeptEvents {
    /// Opens what is kept in `folder` of recordings that were asked as `asked` says, all of it.
    pub(super) fn open(folder: &Path, asked: &str) -> Result<Self, EvalError> {
        fs::create_dir_all(folder).map_err(|e| EvalError::io(folder, &e))?;
        let path = folder.join(format!("{}.jsonl", blake3::hash(asked.as_bytes()).to_hex()));
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(EvalError::io(&path, &e)),
        };
        // A kill may have left half a line, which is then made anew.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let known = lines.map(|line| (line.path.clone(), line)).collect();
        let mut file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(|e| EvalError::io(&path, &e))?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").map_err(|e| EvalError::io(&path, &e))?;
        }
        Ok(Self { path, file, known })
    }

    /// What was found in a recording, if it is as it was then.
    pub(super) fn get(&self, recording: &Path) -> Option<InRecording> {
        let line = self.known.get(recording.to_str()?)?;
        if stamp(recording)? != (line.size, line.mtime_ns) {
            return None;
        }
        let event = |&(class, onset, offset): &(usize, u64, u64)| Event {
            class,
            onset_s: f64::from_bits(onset),
            offset_s: f64::from_bits(offset),
        };
        let found = line.found.iter().map(|events| events.iter().map(event).collect()).collect();
        Some(InRecording { duration_s: f64::from_bits(line.duration), found })
    }

    /// Keeps what was found in a recording that was as `stamp` says before it was read.
    pub(super) fn keep(
        &mut self,
        recording: &Path,
        stamp: Option<Stamp>,
        recording_has: &InRecording,
    ) -> Result<(), EvalError> {
        let (Some(path), Some((size, mtime_ns))) = (recording.to_str(), stamp) else { return Ok(()) };
        let bits = |e: &Event| (e.class, e.onset_s.to_bits(), e.offset_s.to_bits());
        let InRecording { duration_s, found } = recording_has;
        let found = found.iter().map(|events| events.iter().map(bits).collect()).collect();
        let line = Line { path: path.to_owned(), size, mtime_ns, duration: duration_s.to_bits(), found };
        let mut text = serde_json::to_vec(&line).unwrap_or_default();
        text.push(b'\n');
        self.file.write_all(&text).map_err(|e| EvalError::io(&self.path, &e))
    }
}

/// A file's size, and its modification time in nanoseconds since 1970.
pub(super) type Stamp = (u64, u128);

/// How a file is now; None where that cannot be told.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    let modified = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((file.len(), modified.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_the_same_after_a_kill_until_the_file_or_the_question_changes() {
        let dir = tempfile::tempdir().unwrap();
        let sound = dir.path().join("a.wav");
        fs::write(&sound, "sound").unwrap();
        let found = vec![vec![Event { class: 1, onset_s: 0.1 + 0.2, offset_s: 1.0 / 3.0 }], Vec::new()];
        let found = InRecording { duration_s: 1.0 / 3.0, found };
        let none = InRecording::default();
        KeptEvents::open(dir.path(), "dog").unwrap().keep(&sound, stamp(&sound), &found).unwrap();
        let mut files = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path());
        let file = files.find(|path| path.extension().is_some_and(|e| e == "jsonl")).unwrap();

        let cut = [fs::read(&file).unwrap(), b"{\"path\": \"/b.w".to_vec()].concat();
        fs::write(&file, cut).unwrap();
        let other = dir.path().join("b.wav");
        fs::write(&other, "sound").unwrap();
        KeptEvents::open(dir.path(), "dog").unwrap().keep(&other, stamp(&other), &none).unwrap();
        let kept = KeptEvents::open(dir.path(), "dog").unwrap();
        assert_eq!((kept.get(&sound), kept.get(&other)), (Some(found), Some(none)));

        assert_eq!(KeptEvents::open(dir.path(), "cat").unwrap().get(&sound), None);
        fs::write(&sound, "another sound").unwrap();
        assert_eq!(kept.get(&sound), None);
    }
}
