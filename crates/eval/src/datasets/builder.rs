//! What loaders add clips to. Files are looked for here, so that a missing one is named whatever the layout.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use csv::StringRecord;
use earmark_engine::absolute_path;

use crate::EvalError;

use super::table::{Table, cell};
use super::{Class, Dataset, GroupBy, Item, Layout, LoadOptions, Origin, Problem, Task, Truth, files, names};

/// The split that means all of them.
const ALL: &str = "all";

/// A dataset being loaded.
pub(super) struct Builder {
    task: Option<Task>,
    task_wanted: Option<Task>,
    split: Option<String>,
    splits_seen: BTreeSet<String>,
    split_from_user: bool,
    audio: Option<PathBuf>,
    names: Option<PathBuf>,
    mapping: Option<PathBuf>,
    group_by: Option<GroupBy>,
    has_group_column: bool,
    /// What the column that clips are grouped by says, one a clip.
    groups: Vec<Option<String>>,
    classes: Vec<Class>,
    ids: HashMap<String, usize>,
    keep_order: bool,
    clips: Vec<Item>,
    problems: Vec<Problem>,
}

impl Builder {
    pub(super) fn new(options: &LoadOptions) -> Self {
        Self {
            task: None,
            task_wanted: options.task,
            split: options.split.clone(),
            splits_seen: BTreeSet::new(),
            split_from_user: options.split.is_some(),
            audio: options.audio.clone(),
            names: options.names.clone(),
            mapping: options.mapping.clone(),
            group_by: options.group_by.clone(),
            has_group_column: false,
            groups: Vec::new(),
            classes: Vec::new(),
            ids: HashMap::new(),
            keep_order: false,
            clips: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The task that the user asked for.
    pub(super) fn task_wanted(&self) -> Option<Task> {
        self.task_wanted
    }

    /// The folder that the user says a table's paths start from.
    pub(super) fn audio(&self) -> Option<&Path> {
        self.audio.as_deref()
    }

    /// Says what is asked of the clips.
    pub(super) fn ask(&mut self, task: Task) {
        self.task = Some(task);
    }

    /// The split that the field reports, taken where the user named none.
    pub(super) fn default_split(&mut self, name: &str) {
        if self.split.is_none() {
            self.split = Some(name.to_owned());
        }
    }

    /// Whether clips of this split are wanted.
    pub(super) fn takes(&mut self, split: &str) -> bool {
        if !self.splits_seen.contains(split) {
            self.splits_seen.insert(split.to_owned());
        }
        self.split.as_deref().is_none_or(|wanted| wanted == ALL || wanted == split)
    }

    /// Keeps the classes in the order they are first named in; otherwise they are sorted by name.
    pub(super) fn keep_class_order(&mut self) {
        self.keep_order = true;
    }

    /// The class of this name.
    pub(super) fn class(&mut self, name: &str) -> usize {
        self.class_called(name, &names::text_of(name))
    }

    /// The class of this name, asked for in these words.
    pub(super) fn class_called(&mut self, name: &str, text: &str) -> usize {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = self.classes.len();
        self.classes.push(Class { name: name.to_owned(), text: text.to_owned() });
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// The sound files under `folder`, those behind links too, in the order of their paths; what cannot be read on the
    /// way is noted.
    pub(super) fn sounds(&mut self, folder: &Path) -> Result<Vec<PathBuf>, EvalError> {
        let walked = files::sounds(folder)?;
        walked.errors.iter().for_each(|(path, reason)| self.note(path, reason.as_str()));
        let mut files = walked.files;
        files.extend(walked.again);
        files.sort();
        Ok(files)
    }

    /// The columns of `table` that say where clips come from; `fold`: the one of the folds.
    pub(super) fn origins(&mut self, table: &Table, fold: Option<usize>) -> Result<Origins, EvalError> {
        let group = match &self.group_by {
            Some(GroupBy::Column(name)) => Some(table.column(&[name])?),
            _ => None,
        };
        self.has_group_column |= group.is_some();
        Ok(Origins { fold, group })
    }

    /// Adds a clip, or a problem where the file is not there.
    pub(super) fn add(&mut self, path: PathBuf, mut truth: Truth, origin: Origin) {
        if let Truth::Captions(texts) = &mut truth {
            texts.retain(|text| !text.trim().is_empty());
            if texts.is_empty() {
                return self.problem(path.display().to_string(), "the dataset's table gives it no caption");
            }
        }
        // As indexes name it, whatever the table says.
        let path = absolute_path(&path).unwrap_or(path);
        if path.is_file() {
            self.clips.push(Item { path, truth, fold: origin.fold, group: None });
            self.groups.push(origin.group);
        } else {
            self.problem(path.display().to_string(), "no such file; the dataset's table names it");
        }
    }

    /// Adds a clip found by name, or a problem where there is none.
    pub(super) fn add_found(&mut self, found: Option<&Path>, name: &str, truth: Truth, origin: Origin) {
        match found {
            Some(path) => self.add(path.to_path_buf(), truth, origin),
            None => self.problem(name.to_owned(), "no file of this name; the dataset's table names it"),
        }
    }

    /// Notes a clip, or the row of one, that cannot be evaluated.
    pub(super) fn problem(&mut self, path: String, reason: impl Into<String>) {
        self.problems.push(Problem { path, reason: reason.into(), is_clip: true });
    }

    /// Notes what is beside the dataset's clips.
    pub(super) fn note(&mut self, path: &Path, reason: impl Into<String>) {
        self.problems.push(Problem {
            path: path.display().to_string(),
            reason: reason.into(),
            is_clip: false,
        });
    }

    /// The dataset, checked.
    pub(super) fn finish(mut self, root: PathBuf, layout: Layout) -> Result<Dataset, EvalError> {
        let split = self.split.take().filter(|split| split != ALL);
        if let Some(split) = &split
            && !self.splits_seen.contains(split)
            && self.split_from_user
        {
            let seen: Vec<&str> = self.splits_seen.iter().map(String::as_str).collect();
            let expected = if seen.is_empty() {
                "no split, since the dataset has none".to_owned()
            } else {
                format!("all, {}", seen.join(", "))
            };
            return Err(EvalError::Setting { field: "split", expected, received: split.clone() });
        }
        // Where a folder has only some of a benchmark's splits, the default one may not be among them.
        if self.clips.is_empty() && self.problems.is_empty() {
            let reason = match &split {
                Some(split) => format!("split `{split}` is empty; name another one"),
                None => "no labelled sound in it".to_owned(),
            };
            return Err(EvalError::Nothing { path: root, reason });
        }
        if !self.keep_order {
            self.sort_classes();
        }
        if let Some(file) = &self.names {
            names::rename(file, &mut self.classes)?;
        }
        let task = self.task.unwrap_or_else(|| task_of(&self.clips));
        if task != Task::Captions {
            check_classes(&root, &self.classes, &self.clips)?;
        }
        let name =
            root.file_name().map_or_else(|| root.display().to_string(), |n| n.to_string_lossy().into());
        let mapping =
            self.mapping.as_deref().filter(|_| layout == Layout::Mapping).map(files::used).transpose()?;
        let names = self.names.as_deref().map(files::used).transpose()?;
        let audio = self.audio.as_deref().filter(|_| layout == Layout::Csv);
        let audio = audio.map(|path| absolute_path(path).map_err(|e| EvalError::io(path, &e))).transpose()?;
        self.group(&root)?;
        let group_by = self.group_by.as_ref().map(ToString::to_string);
        let Self { classes, clips, problems, .. } = self;
        Ok(Dataset {
            name,
            root,
            layout,
            task,
            split,
            audio,
            mapping,
            names,
            group_by,
            classes,
            clips,
            problems,
        })
    }

    /// Gives each clip the number of its recording, if that is asked for.
    fn group(&mut self, root: &Path) -> Result<(), EvalError> {
        let Some(group_by) = &self.group_by else { return Ok(()) };
        let cells = self.groups.iter().map(Option::as_deref);
        let clips: Vec<_> = self.clips.iter().map(|clip| clip.path.as_path()).zip(cells).collect();
        let groups = group_by.groups(&clips, self.has_group_column, root)?;
        self.clips.iter_mut().zip(groups).for_each(|(clip, group)| clip.group = Some(group));
        Ok(())
    }

    fn sort_classes(&mut self) {
        let mut order: Vec<usize> = (0..self.classes.len()).collect();
        order.sort_by(|&a, &b| self.classes[a].name.cmp(&self.classes[b].name));
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
        self.classes = order.iter().map(|&old| self.classes[old].clone()).collect();
        for clip in &mut self.clips {
            match &mut clip.truth {
                Truth::Labels(labels) => {
                    labels.iter_mut().for_each(|label| *label = place[*label]);
                    labels.sort_unstable();
                }
                Truth::Events(events) => events.iter_mut().for_each(|event| event.class = place[event.class]),
                Truth::Captions(_) => {}
            }
        }
    }
}

/// Which columns of a table say where clips come from.
pub(super) struct Origins {
    fold: Option<usize>,
    group: Option<usize>,
}

impl Origins {
    /// What a row says.
    pub(super) fn of(&self, row: &StringRecord) -> Origin {
        Origin {
            fold: self.fold.and_then(|column| cell(row, column).parse().ok()),
            group: self.group.map(|column| cell(row, column).to_owned()),
        }
    }
}

/// Checks that classes can be asked for, before a model is loaded and clips are encoded for them.
fn check_classes(root: &Path, classes: &[Class], clips: &[Item]) -> Result<(), EvalError> {
    if classes.is_empty() && !clips.is_empty() {
        let reason = "no label or event is named for any of its clips".to_owned();
        return Err(EvalError::Nothing { path: root.to_path_buf(), reason });
    }
    let mut seen: HashMap<String, &str> = HashMap::new();
    for Class { name, text } in classes {
        if text.trim().is_empty() {
            let reason =
                format!("the class `{name}` has no words to ask for it in; a file of names gives it some");
            return Err(EvalError::dataset(root, reason));
        }
        if let Some(first) = seen.insert(name.to_lowercase(), name) {
            let reason =
                format!("the classes `{first}` and `{name}` differ in case only; give them one name");
            return Err(EvalError::dataset(root, reason));
        }
    }
    Ok(())
}

/// What clips with this truth can be asked.
fn task_of(clips: &[Item]) -> Task {
    match clips.first().map(|clip| &clip.truth) {
        Some(Truth::Captions(_)) => Task::Captions,
        Some(Truth::Events(_)) => Task::Events,
        _ => {
            let single = |clip: &Item| matches!(&clip.truth, Truth::Labels(labels) if labels.len() == 1);
            if clips.iter().all(single) { Task::SingleLabel } else { Task::MultiLabel }
        }
    }
}
