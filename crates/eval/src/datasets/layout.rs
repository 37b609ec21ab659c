//! Which layouts there are, and how they are told.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::EvalError;

use super::{clotho, files, gtzan, rows};

/// How a dataset lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// ESC-50: `meta/esc50.csv`, `audio/`.
    Esc50,
    /// The ten classes of ESC-50 that its table marks as ESC-10.
    Esc10,
    /// UrbanSound8K: `metadata/UrbanSound8K.csv`, `audio/fold1` to `fold10`.
    UrbanSound8k,
    /// GTZAN: `genres_original/GENRE/` or `genres/GENRE/`.
    Gtzan,
    /// VocalSound: `audio_16k/`, splits in `datafiles/` or `meta/`.
    VocalSound,
    /// Speech Commands: a folder a word, `testing_list.txt`, `validation_list.txt`.
    SpeechCommands,
    /// AudioSet: `…_segments.csv` with `class_labels_indices.csv` or `ontology.json`.
    AudioSet,
    /// FSD50K: `FSD50K.ground_truth/`, `FSD50K.dev_audio/`, `FSD50K.eval_audio/`.
    Fsd50k,
    /// AudioCaps: `train.csv`, `val.csv`, `test.csv` with captions by YouTube id.
    AudioCaps,
    /// Clotho: `clotho_captions_….csv`.
    Clotho,
    /// A folder a class.
    Folders,
    /// Any table with a column `file` and what is true of it.
    Csv,
    /// A folder of sounds, and a table of labels or captions by file name pattern.
    Mapping,
    /// A folder of sounds with a text file beside each, whose first line is its caption.
    TextFiles,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Esc50,
        Self::Esc10,
        Self::UrbanSound8k,
        Self::Gtzan,
        Self::VocalSound,
        Self::SpeechCommands,
        Self::AudioSet,
        Self::Fsd50k,
        Self::AudioCaps,
        Self::Clotho,
        Self::Folders,
        Self::Csv,
        Self::Mapping,
        Self::TextFiles,
    ];

    /// The word that command lines and reports use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Esc50 => "esc50",
            Self::Esc10 => "esc10",
            Self::UrbanSound8k => "urbansound8k",
            Self::Gtzan => "gtzan",
            Self::VocalSound => "vocalsound",
            Self::SpeechCommands => "speech-commands",
            Self::AudioSet => "audioset",
            Self::Fsd50k => "fsd50k",
            Self::AudioCaps => "audiocaps",
            Self::Clotho => "clotho",
            Self::Folders => "folders",
            Self::Csv => "csv",
            Self::Mapping => "mapping",
            Self::TextFiles => "text-files",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|layout| layout.as_str() == text).ok_or_else(|| {
            format!("expected one of {}, got `{text}`", Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

/// Tells the layout of what is at `root`, from the most particular to the plainest.
pub(super) fn recognise(root: &Path) -> Result<Layout, EvalError> {
    if root.is_file() {
        return Ok(Layout::Csv);
    }
    let has = |name: &str| root.join(name).exists();
    let layout = if has("meta/esc50.csv") {
        Some(Layout::Esc50)
    } else if has("metadata/UrbanSound8K.csv") {
        Some(Layout::UrbanSound8k)
    } else if has("FSD50K.ground_truth") {
        Some(Layout::Fsd50k)
    } else if has("testing_list.txt") && has("validation_list.txt") {
        Some(Layout::SpeechCommands)
    } else if has("audio_16k") || has("class_labels_indices_vs.csv") {
        Some(Layout::VocalSound)
    } else if gtzan::genres(root).is_some() {
        Some(Layout::Gtzan)
    } else if !clotho::tables(root)?.is_empty() {
        Some(Layout::Clotho)
    } else if !super::audioset::tables(root)?.is_empty() {
        Some(Layout::AudioSet)
    } else if !super::audiocaps::tables(root)?.is_empty() {
        Some(Layout::AudioCaps)
    } else if rows::only_table(root)?.is_some() {
        Some(Layout::Csv)
    } else if files::has_class_folders(root)? {
        Some(Layout::Folders)
    } else {
        None
    };
    layout.ok_or_else(|| {
        EvalError::dataset(
            root,
            "no known layout: expected a benchmark's own files, one CSV or TSV table with a column `file`, or a folder a \
             class; name the table itself, say which layout it has, or give a mapping of file names to labels",
        )
    })
}
