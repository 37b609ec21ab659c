//! Any CSV or TSV table that says what is true of sound files.
//!
//! A column `file` (a path, relative to the table's folder), and one of: `onset`, `offset` and `label` for events; `caption`, or
//! several columns that begin so; `labels`, joined by `;`; `label`. Several rows of one file add up. Columns `fold` and
//! `split` are heeded.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::EvalError;
use crate::metrics::Event;

use super::builder::Builder;
use super::files::files_in;
use super::table::{Table, cell};
use super::{Task, Truth};

/// All that a table says of one file.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The file's path, or a pattern.
    pub(super) file: String,
    labels: Vec<String>,
    /// Captions; none where the cell was empty.
    pub(super) captions: Vec<String>,
    events: Vec<(f64, f64, String)>,
    pub(super) fold: Option<u32>,
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
    let folder = path.parent().unwrap_or(Path::new("/"));
    let table = Table::read(&path)?;
    let (task, files) = read(&table, builder)?;
    for said in files {
        let truth = truth(builder, task, &said);
        if builder.takes(&said.split) {
            builder.add(folder.join(&said.file), truth, said.fold);
        }
    }
    Ok(())
}

/// What `table` says of each file, in the order in which they are first named, and what can be asked of them.
pub(super) fn read(table: &Table, builder: &mut Builder) -> Result<(Task, Vec<Said>), EvalError> {
    let file = table.column(&["file", "filename", "file_name", "fname", "path"])?;
    let onset = table.find(&["onset", "onset_s", "start_s"]);
    let offset = table.find(&["offset", "offset_s", "end_s"]);
    let label = table.find(&["label", "event_label", "class", "category"]);
    let labels = table.find(&["labels"]);
    let captions = table.columns_like("caption");
    let (fold, split) = (table.find(&["fold"]), table.find(&["split"]));
    let task = builder.task_wanted().unwrap_or(if onset.is_some() && offset.is_some() && label.is_some() {
        Task::Events
    } else if !captions.is_empty() {
        Task::Captions
    } else if labels.is_some() {
        Task::MultiLabel
    } else {
        Task::SingleLabel
    });
    match task {
        Task::Events => {
            table.column(&["onset", "onset_s", "start_s"])?;
            table.column(&["offset", "offset_s", "end_s"])?;
            table.column(&["label", "event_label", "class", "category"])?;
        }
        Task::Captions if captions.is_empty() => drop(table.column(&["caption"])?),
        Task::Captions => {}
        Task::SingleLabel | Task::MultiLabel if labels.is_none() => {
            table.column(&["label", "labels", "class", "category"])?;
        }
        Task::SingleLabel | Task::MultiLabel => {}
    }
    let mut said: Vec<Said> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let text = |row, column: Option<usize>| column.map_or("", |column| cell(row, column));
    for (line, row) in &table.rows {
        let name = cell(row, file);
        if name.is_empty() {
            builder.problem(table.row_name(*line), "names no file");
            continue;
        }
        let place = *places.entry(name.to_owned()).or_insert_with(|| {
            said.push(Said { file: name.to_owned(), ..Said::default() });
            said.len() - 1
        });
        let file = &mut said[place];
        file.fold = text(row, fold).parse().ok().or(file.fold);
        text(row, split).clone_into(&mut file.split);
        match task {
            Task::Captions => {
                let texts = captions.iter().map(|&column| cell(row, column)).filter(|text| !text.is_empty());
                file.captions.extend(texts.map(str::to_owned));
            }
            Task::Events if text(row, label).is_empty() => {}
            Task::Events => {
                let times = (text(row, onset).parse::<f64>(), text(row, offset).parse::<f64>());
                match times {
                    (Ok(start), Ok(end)) if start >= 0.0 && end >= start && end.is_finite() => {
                        file.events.push((start, end, text(row, label).to_owned()));
                    }
                    _ => builder.problem(
                        table.row_name(*line),
                        "expected onset and offset in seconds, in this order",
                    ),
                }
            }
            Task::SingleLabel | Task::MultiLabel => {
                let joined = if labels.is_some() { text(row, labels) } else { text(row, label) };
                let names = joined.split(';').map(str::trim).filter(|name| !name.is_empty());
                file.labels.extend(names.map(str::to_owned));
            }
        }
    }
    // A table of single labels that gives some file two is one of several.
    let several = said.iter().any(|file| file.labels.len() > 1);
    let task = if task == Task::SingleLabel && several && builder.task_wanted().is_none() {
        Task::MultiLabel
    } else {
        task
    };
    if task == Task::SingleLabel {
        // The first label counts where the user asks for one.
        said.iter_mut().for_each(|file| file.labels.truncate(1));
    }
    said.retain(|file| {
        let empty = match task {
            Task::SingleLabel => file.labels.is_empty(),
            _ => false,
        };
        if empty {
            builder.problem(file.file.clone(), "the table gives it no label");
        }
        !empty
    });
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
