//! Labelled sounds, from the layouts in which the field's benchmarks come.
//!
//! - [`load`]: a folder or a table, its layout told by what is in it
//! - `layout`: which layouts there are, and how they are told
//! - `builder`: what loaders add clips to; here files are looked for and missing ones named
//! - `table`, `files`, `names`, `group`: CSV tables, sound files by name, class names as texts, source
//!   recordings
//! - one file a layout: `esc50`, `urbansound8k`, `gtzan`, `vocalsound`, `speech_commands`, `audioset`, `fsd50k`, `audiocaps`,
//!   `clotho`, `folders`, `rows` (any CSV), `mapping` (labels by file name), `text_files` (a caption beside each sound)

mod audiocaps;
mod audioset;
mod builder;
mod clotho;
mod esc50;
mod files;
mod folders;
mod fsd50k;
mod group;
mod gtzan;
mod layout;
mod mapping;
mod names;
mod rows;
mod speech_commands;
pub(crate) mod table;
mod text_files;
mod urbansound8k;
mod vocalsound;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use earmark_engine::absolute_path;

use crate::EvalError;
use crate::metrics::Event;
use crate::report::FileUsed;
use builder::Builder;

pub use group::GroupBy;
pub use layout::Layout;

/// What is asked of each clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// One label a clip.
    SingleLabel,
    /// Any number of labels a clip.
    MultiLabel,
    /// Descriptions of each clip.
    Captions,
    /// When something is heard.
    Events,
}

impl Task {
    /// What its clips have, in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SingleLabel => "one label a clip",
            Self::MultiLabel => "any number of labels a clip",
            Self::Captions => "captions",
            Self::Events => "events",
        }
    }
}

/// A class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Its name in the dataset.
    pub name: String,
    /// The words it is asked for in.
    pub text: String,
}

/// What is true of a clip.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    /// Its classes, ascending: exactly one for [`Task::SingleLabel`].
    Labels(Vec<usize>),
    /// Its captions, at least one.
    Captions(Vec<String>),
    /// Its events; may be none.
    Events(Vec<Event>),
}

/// A labelled sound file.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The file, absolute.
    pub path: PathBuf,
    /// What is true of it.
    pub truth: Truth,
    /// Its fold, where the dataset has folds.
    pub fold: Option<u32>,
    /// The recording that it comes from, where [`LoadOptions::group_by`] asks for that.
    pub group: Option<u32>,
}

/// What a dataset's table says of where a clip comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Origin {
    fold: Option<u32>,
    /// What is in the column that clips are grouped by.
    group: Option<String>,
}

/// A file or row that cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, or the table and its row.
    pub path: String,
    /// Why.
    pub reason: String,
    /// Whether it stands for a clip of the dataset's.
    pub is_clip: bool,
}

/// Labelled sounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Its name: that of its folder or file.
    pub name: String,
    /// Where it is, absolute.
    pub root: PathBuf,
    /// How it is laid out.
    pub layout: Layout,
    /// What is asked of its clips.
    pub task: Task,
    /// The split taken, where it has splits; `None` for all of it.
    pub split: Option<String>,
    /// The folder that its table's paths start from, where that is not its own; absolute.
    pub audio: Option<PathBuf>,
    /// The table of labels or captions by file name, if one was given.
    pub mapping: Option<FileUsed>,
    /// The file of texts for classes, if one was given.
    pub names: Option<FileUsed>,
    /// How clips were grouped, in words, if they were.
    pub group_by: Option<String>,
    /// Its classes: in its own order where it has one, else by name. None for captions.
    pub classes: Vec<Class>,
    /// Its clips whose files are there, in the dataset's order.
    pub clips: Vec<Item>,
    /// What is missing or cannot be understood.
    pub problems: Vec<Problem>,
}

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The layout; told by what is there if `None`.
    pub layout: Option<Layout>,
    /// What to ask, of a table that says several things of its clips.
    pub task: Option<Task>,
    /// The split; `all` for all; the one that the field reports if `None`.
    pub split: Option<String>,
    /// The folder that a table's paths start from; that of the table if `None`.
    pub audio: Option<PathBuf>,
    /// A table of labels or captions by file name pattern, for a folder without a layout.
    pub mapping: Option<PathBuf>,
    /// A file of texts for classes: a name, a tab and a text on each line.
    pub names: Option<PathBuf>,
    /// How to tell which clips come from the same recording; not asked if `None`.
    pub group_by: Option<GroupBy>,
}

/// Loads the dataset at `path`. Rows whose file is not there, or that make no sense, are in [`Dataset::problems`].
///
/// # Errors
/// [`EvalError::Dataset`] when the layout is not recognised or a table cannot be read, [`EvalError::Setting`] for a split
/// a class or a group
/// that is not there.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Dataset, EvalError> {
    let root = absolute_path(path).map_err(|e| EvalError::io(path, &e))?;
    std::fs::metadata(&root).map_err(|e| EvalError::io(path, &e))?;
    let layout = match (options.layout, &options.mapping) {
        (Some(layout), _) => layout,
        (None, Some(_)) => Layout::Mapping,
        (None, None) => layout::recognise(&root)?,
    };
    let mut builder = Builder::new(options);
    match layout {
        Layout::Esc50 => esc50::load(&root, false, &mut builder)?,
        Layout::Esc10 => esc50::load(&root, true, &mut builder)?,
        Layout::UrbanSound8k => urbansound8k::load(&root, &mut builder)?,
        Layout::Gtzan => gtzan::load(&root, &mut builder)?,
        Layout::VocalSound => vocalsound::load(&root, &mut builder)?,
        Layout::SpeechCommands => speech_commands::load(&root, &mut builder)?,
        Layout::AudioSet => audioset::load(&root, &mut builder)?,
        Layout::Fsd50k => fsd50k::load(&root, &mut builder)?,
        Layout::AudioCaps => audiocaps::load(&root, &mut builder)?,
        Layout::Clotho => clotho::load(&root, &mut builder)?,
        Layout::Folders => folders::load(&root, &mut builder)?,
        Layout::Csv => rows::load(&root, &mut builder)?,
        Layout::Mapping => mapping::load(&root, options.mapping.as_deref(), &mut builder)?,
        Layout::TextFiles => text_files::load(&root, &mut builder)?,
    }
    builder.finish(root, layout)
}
