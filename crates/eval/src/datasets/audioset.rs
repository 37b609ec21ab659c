//! AudioSet (Gemmeke et al., 2017): `eval_segments.csv`, `balanced_train_segments.csv` and `unbalanced_train_segments.csv`, whose rows
//! are `YTID, start_seconds, end_seconds, "mid,mid"` after lines of comment; the classes' names from
//! `class_labels_indices.csv` (`index,mid,display_name`), else from `ontology.json`. Clips are named by their YouTube id in
//! one of the ways of [`youtube_names`], in any folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::EvalError;

use super::builder::Builder;
use super::files::{Files, file_name, files_in};
use super::table::{Table, cell};
use super::{Origin, Task, Truth};

const END: &str = "_segments.csv";

#[derive(Deserialize)]
struct Category {
    id: String,
    name: String,
}

/// The tables of segments, here or in `metadata`.
pub(super) fn tables(root: &Path) -> Result<Vec<PathBuf>, EvalError> {
    let mut tables = Vec::new();
    for folder in [root.to_path_buf(), root.join("metadata")] {
        if folder.is_dir() {
            tables.extend(files_in(&folder, &["csv"])?);
        }
    }
    tables.retain(|path| file_name(path).ends_with(END));
    Ok(tables)
}

pub(super) fn load(root: &Path, builder: &mut Builder) -> Result<(), EvalError> {
    builder.ask(Task::MultiLabel);
    builder.keep_class_order();
    builder.default_split("eval");
    let classes = classes(root, builder)?;
    let files = Files::under(root)?;
    for table in tables(root)? {
        if !builder.takes(file_name(&table).trim_end_matches(END)) {
            continue;
        }
        let text = std::fs::read_to_string(&table).map_err(|e| EvalError::io(&table, &e))?;
        for (number, line) in text.lines().enumerate() {
            if line.starts_with('#') || line.trim().is_empty() || line.starts_with("YTID") {
                continue;
            }
            let row = format!("{}, line {}", table.display(), number + 1);
            // The blank before the quoted list makes these rows no proper CSV.
            let cells: Vec<&str> = line.splitn(4, ',').map(str::trim).collect();
            let [id, start, end, mids] = cells.as_slice() else {
                builder.problem(row, "expected `YTID, start_seconds, end_seconds, \"labels\"`");
                continue;
            };
            let (Ok(start_s), Ok(end_s)) = (start.parse::<f64>(), end.parse::<f64>()) else {
                builder.problem(row, format!("expected seconds, got `{start}` and `{end}`"));
                continue;
            };
            let mids = mids.trim_matches('"').split(',').map(str::trim);
            let known: Option<Vec<usize>> = mids.map(|mid| classes.get(mid).copied()).collect();
            let Some(mut labels) = known else {
                builder.problem(row, "a label is not among the classes");
                continue;
            };
            labels.sort_unstable();
            labels.dedup();
            let found = youtube_names(id, start_s, end_s).into_iter().find_map(|name| files.get(&name));
            builder.add_found(found, id, Truth::Labels(labels), Origin::default());
        }
    }
    Ok(())
}

/// Classes by mid.
fn classes(root: &Path, builder: &mut Builder) -> Result<HashMap<String, usize>, EvalError> {
    let find = |name: &str| {
        [root.join(name), root.join("metadata").join(name)].into_iter().find(|path| path.is_file())
    };
    let mut classes = HashMap::new();
    if let Some(path) = find("class_labels_indices.csv") {
        let table = Table::read(&path)?;
        let (mid, name) = (table.column(&["mid"])?, table.column(&["display_name"])?);
        for (_, row) in &table.rows {
            classes.insert(cell(row, mid).to_owned(), builder.class(cell(row, name)));
        }
    } else if let Some(path) = find("ontology.json") {
        let bytes = std::fs::read(&path).map_err(|e| EvalError::io(&path, &e))?;
        let categories: Vec<Category> = serde_json::from_slice(&bytes)
            .map_err(|e| EvalError::dataset(&path, format!("expected AudioSet's ontology: {e}")))?;
        for category in categories {
            classes.insert(category.id, builder.class(&category.name));
        }
    } else {
        let reason =
            "expected class_labels_indices.csv or ontology.json, which name the classes, got neither";
        return Err(EvalError::dataset(root, reason));
    }
    Ok(classes)
}

/// How download scripts name a clip of YouTube's: the id, perhaps after a `Y`, and perhaps where the clip begins and ends, in
/// seconds (`30`, `30.0`, `30.000`, `000030`) or milliseconds.
pub(super) fn youtube_names(id: &str, start_s: f64, end_s: f64) -> Vec<String> {
    let forms = |seconds: f64| {
        [
            format!("{seconds:.0}"),
            format!("{seconds:.1}"),
            format!("{seconds:.3}"),
            format!("{:.0}", seconds * 1000.0),
            format!("{seconds:06.0}"),
        ]
    };
    let mut names = Vec::new();
    for id in [id.to_owned(), format!("Y{id}")] {
        for (start, end) in forms(start_s).into_iter().zip(forms(end_s)) {
            names.push(format!("{id}_{start}_{end}"));
            names.push(format!("{id}_{start}"));
        }
        names.push(id);
    }
    // A file's name has an extension, which tells `_30.000` from a name that ends so.
    names.into_iter().map(|name| format!("{name}.wav")).collect()
}
