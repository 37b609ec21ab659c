//! Any CSV or TSV table that says what is true of sound files.
//!
//! A column `file` (a path, relative to the table's folder or to the one that is named for it), and one of: `onset`, `offset` and `label` for events; `caption`, or
//! several columns that begin so; `labels`, joined by `;`; `label`. Several rows of one file add up. Columns `fold` and
//! `split` are heeded, and the one that clips are grouped by.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use csv::StringRecord;
use earmark_engine::absolute_path;

use crate::EvalError;
use crate::metrics::Event;

use super::builder::{Builder, Origins};
use super::files::files_in;
use super::table::{Table, cell};
use super::{Origin, Task, Truth};

/// All that a table says of one file.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The file's path, or a pattern.
    pub(super) file: String,
    labels: Vec<String>,
    /// Captions; none where the cell was empty.
    pub(super) captions: Vec<String>,
    events: Vec<(f64, f64, String)>,
    /// The first row of it that cannot be understood, and why: without that row the rest would not be the whole truth.
    bad: Option<(String, &'static str)>,
    pub(super) origin: Origin,
    /// The split; empty if it is in none.
    pub(super) split: String,
}

/// The only table in a folder; None where there is none, or several.
pub(super) fn only_table(root: &Path) -> Result<Option<PathBuf>, EvalError> {
    let mut tables = files_in(root, &["csv", "tsv"])?;
    Ok(tables.pop().filter(|_| tables.is_empty()))
}

/// Loads the table at `root`, or the only one in the folder `root`.
pub(super) fn load(root: &Path, builder: &mut Builder) -> Result<(), EvalError> {
    let path = if root.is_file() { Some(root.to_path_buf()) } else { only_table(root)? };
    let path = path.ok_or_else(|| {
        EvalError::dataset(
            root,
            "expected one CSV or TSV table in this folder, got none or several; name the table itself",
        )
    })?;
    let folder = builder.audio().or(path.parent()).unwrap_or(Path::new("/")).to_path_buf();
    let table = Table::read(&path)?;
    let (task, files) = read(&table, Some(&folder), builder)?;
    for said in files {
        // Every class is asked for, whether its recording can be used or not.
        let truth = truth(builder, task, &said);
        if !builder.takes(&said.split) {
            continue;
        }
        if let Some((row, reason)) = &said.bad {
            builder.problem(said.file.clone(), format!("{row}: {reason}; the recording is left out"));
        } else {
            builder.add(folder.join(&said.file), truth, said.origin.clone());
        }
    }
    Ok(())
}

/// Which columns of a table are heeded.
struct Columns {
    task: Task,
    file: usize,
    onset: Option<usize>,
    offset: Option<usize>,
    label: Option<usize>,
    captions: Vec<usize>,
    fold: Option<usize>,
    origins: Origins,
    split: Option<usize>,
}

const ONSET: [&str; 3] = ["onset", "onset_s", "start_s"];
const OFFSET: [&str; 3] = ["offset", "offset_s", "end_s"];
const LABEL: [&str; 4] = ["label", "event_label", "class", "category"];

impl Columns {
    /// The columns for the task that is wanted, or for the one that the table's columns make plain.
    fn of(table: &Table, builder: &mut Builder) -> Result<Self, EvalError> {
        let wanted = builder.task_wanted();
        let fold = table.find(&["fold"]);
        let (onset, offset) = (table.find(&ONSET), table.find(&OFFSET));
        let (label, labels) = (table.find(&LABEL), table.find(&["labels"]));
        let captions = table.columns_like("caption");
        let task = wanted.unwrap_or(if onset.is_some() && offset.is_some() && label.is_some() {
            Task::Events
        } else if !captions.is_empty() {
            Task::Captions
        } else if labels.is_some() {
            Task::MultiLabel
        } else {
            Task::SingleLabel
        });
        let columns = Self {
            task,
            file: table.column(&["file", "filename", "file_name", "fname", "path"])?,
            onset,
            offset,
            label: if task == Task::Events { label } else { labels.or(label) },
            captions,
            fold,
            origins: builder.origins(table, fold)?,
            split: table.find(&["split"]),
        };
        // For their errors, where what the task needs is missing.
        match task {
            Task::Events => {
                table.column(&ONSET)?;
                table.column(&OFFSET)?;
                table.column(&LABEL)?;
            }
            Task::Captions if columns.captions.is_empty() => {
                table.column(&["caption"])?;
            }
            Task::SingleLabel | Task::MultiLabel if columns.label.is_none() => {
                table.column(&["label", "labels"])?;
            }
            _ => {}
        }
        Ok(columns)
    }

    /// Adds what a row says; an error says what is wrong with it.
    fn heed(&self, row: &StringRecord, said: &mut Said) -> Result<(), &'static str> {
        let text = |column: Option<usize>| column.map_or("", |column| cell(row, column));
        let origin = self.origins.of(row);
        said.origin.fold = origin.fold.or(said.origin.fold);
        said.origin.group = origin.group.or(said.origin.group.take());
        text(self.split).clone_into(&mut said.split);
        let label = text(self.label);
        match self.task {
            Task::Captions => {
                let texts =
                    self.captions.iter().map(|&column| cell(row, column)).filter(|text| !text.is_empty());
                said.captions.extend(texts.map(str::to_owned));
            }
            // A recording in which nothing is heard.
            Task::Events if label.is_empty() => {}
            Task::Events => match (text(self.onset).parse::<f64>(), text(self.offset).parse::<f64>()) {
                (Ok(start), Ok(end)) if start >= 0.0 && end >= start && end.is_finite() => {
                    said.events.push((start, end, label.to_owned()));
                }
                _ => return Err("expected onset and offset in seconds, in this order"),
            },
            Task::SingleLabel | Task::MultiLabel => {
                let names = label.split(';').map(str::trim).filter(|name| !name.is_empty());
                for name in names {
                    // A row that is there twice says nothing new.
                    if !said.labels.iter().any(|known| known == name) {
                        said.labels.push(name.to_owned());
                    }
                }
            }
        }
        Ok(())
    }
}

/// What `table` says of each file, in the order in which they are first named, and what can be asked of them.
/// `folder`: where their paths start from; `None` where they are patterns.
pub(super) fn read(
    table: &Table,
    folder: Option<&Path>,
    builder: &mut Builder,
) -> Result<(Task, Vec<Said>), EvalError> {
    let columns = Columns::of(table, builder)?;
    let mut said: Vec<Said> = Vec::new();
    let mut places: HashMap<PathBuf, usize> = HashMap::new();
    for (line, row) in &table.rows {
        let name = cell(row, columns.file);
        if name.is_empty() {
            builder.problem(table.row_name(*line), "names no file");
            continue;
        }
        if name.contains(['\n', '\r']) {
            let reason = format!(
                "{}: a line break in the name of a file; a quote is not closed",
                table.row_name(*line)
            );
            return Err(EvalError::dataset(table.path(), reason));
        }
        // However the path is written, it is one file.
        let key = folder.and_then(|folder| absolute_path(&folder.join(name)).ok());
        let place = *places.entry(key.unwrap_or_else(|| name.into())).or_insert_with(|| {
            said.push(Said { file: name.to_owned(), ..Said::default() });
            said.len() - 1
        });
        let fold = columns.fold.map_or("", |column| cell(row, column));
        if !fold.is_empty() && fold.parse::<u32>().is_err() {
            let reason = format!("expected a whole number as the fold, got `{fold}`; the clip is in none");
            builder.note(Path::new(&table.row_name(*line)), reason);
        }
        if let Err(reason) = columns.heed(row, &mut said[place]) {
            said[place].bad.get_or_insert_with(|| (table.row_name(*line), reason));
        }
    }
    let mut task = columns.task;
    // A table of single labels that gives some file two is one of several; or a row of it is wrong.
    if task == Task::SingleLabel
        && builder.task_wanted().is_none()
        && let Some(first) = said.iter().find(|file| file.labels.len() > 1)
    {
        task = Task::MultiLabel;
        let reason = format!(
            "taken for a table of any number of labels a clip, since it gives several to {} of {} files, the first: {} \
             ({}); if that is a mistake, correct it, or ask for one label a clip",
            said.iter().filter(|file| file.labels.len() > 1).count(),
            said.len(),
            first.file,
            first.labels.join(", ")
        );
        builder.note(table.path(), reason);
    }
    if task == Task::SingleLabel {
        said.retain_mut(|file| {
            // The first label counts where the user asks for one.
            if file.labels.len() > 1 {
                let reason = format!(
                    "the table gives it several labels, {}; the first counts",
                    file.labels.join(", ")
                );
                builder.note(Path::new(&file.file), reason);
            }
            file.labels.truncate(1);
            if file.labels.is_empty() {
                builder.problem(file.file.clone(), "the table gives it no label");
            }
            !file.labels.is_empty()
        });
    }
    builder.ask(task);
    Ok((task, said))
}

/// What is said of a file, with the classes it names.
pub(super) fn truth(builder: &mut Builder, task: Task, said: &Said) -> Truth {
    match task {
        Task::Captions => Truth::Captions(said.captions.clone()),
        Task::Events => {
            let mut events: Vec<Event> = Vec::new();
            for (onset_s, offset_s, label) in &said.events {
                let class = builder.class(label);
                events.push(Event { onset_s: *onset_s, offset_s: *offset_s, class });
            }
            Truth::Events(events)
        }
        Task::SingleLabel | Task::MultiLabel => {
            let mut classes: Vec<usize> = said.labels.iter().map(|label| builder.class(label)).collect();
            classes.sort_unstable();
            classes.dedup();
            Truth::Labels(classes)
        }
    }
}
