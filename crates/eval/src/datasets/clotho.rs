//! Clotho (Drossos et al., 2020): `clotho_captions_development.csv`, `…_validation.csv` and `…_evaluation.csv` with
//! `file_name,caption_1,…,caption_5`; the sounds in folders named after the split.

use std::path::{Path, PathBuf};

use crate::EvalError;

use super::builder::Builder;
use super::files::{Files, file_name, files_in};
use super::table::{Table, cell};
use super::{Origin, Task, Truth};

const BEGINNING: &str = "clotho_captions_";

/// The tables of captions.
pub(super) fn tables(root: &Path) -> Result<Vec<PathBuf>, EvalError> {
    let mut tables = files_in(root, &["csv"])?;
    tables.retain(|path| file_name(path).starts_with(BEGINNING));
    Ok(tables)
}

pub(super) fn load(root: &Path, builder: &mut Builder) -> Result<(), EvalError> {
    builder.ask(Task::Captions);
    builder.default_split("evaluation");
    let files = Files::under(root)?;
    for path in tables(root)? {
        let split = file_name(&path).trim_start_matches(BEGINNING).trim_end_matches(".csv");
        if !builder.takes(split) {
            continue;
        }
        let table = Table::read(&path)?;
        let (file, captions) = (table.column(&["file_name"])?, table.columns_like("caption_"));
        for (line, row) in &table.rows {
            let texts = captions.iter().map(|&column| cell(row, column)).filter(|text| !text.is_empty());
            let texts: Vec<String> = texts.map(str::to_owned).collect();
            if texts.is_empty() {
                builder
                    .problem(table.row_name(*line), "expected columns caption_1 and so on, got no caption");
                continue;
            }
            let name = cell(row, file);
            // Names come again in other splits.
            let all = files.all(name);
            let found = all.iter().find(|path| is_of_split(path, root, split)).or_else(|| all.first());
            builder.add_found(found.map(PathBuf::as_path), name, Truth::Captions(texts), Origin::default());
        }
    }
    Ok(())
}

fn is_of_split(path: &Path, root: &Path, split: &str) -> bool {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.components().any(|part| part.as_os_str().to_str().is_some_and(|part| part.ends_with(split)))
}
