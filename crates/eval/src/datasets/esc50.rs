//! ESC-50 (Piczak, 2015): `meta/esc50.csv` with `filename,fold,target,category,esc10,src_file,take`, `audio/`, five folds.

use std::path::Path;

use crate::EvalError;

use super::builder::Builder;
use super::files::Files;
use super::table::{Table, cell};
use super::{Task, Truth};

/// `esc10` takes only the ten classes that the table marks so.
pub(super) fn load(root: &Path, esc10: bool, builder: &mut Builder) -> Result<(), EvalError> {
    let table = Table::read(&root.join("meta/esc50.csv"))?;
    let (file, category) = (table.column(&["filename"])?, table.column(&["category"])?);
    let (fold, subset) = (table.column(&["fold"])?, table.column(&["esc10"])?);
    let files = Files::under(&root.join("audio"))?;
    let origins = builder.origins(&table, Some(fold))?;
    builder.ask(Task::SingleLabel);
    for (_, row) in &table.rows {
        if esc10 && !cell(row, subset).eq_ignore_ascii_case("true") {
            continue;
        }
        let class = builder.class(cell(row, category));
        let name = cell(row, file);
        builder.add_found(files.get(name), name, Truth::Labels(vec![class]), origins.of(row));
    }
    Ok(())
}
