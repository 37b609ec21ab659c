//! UrbanSound8K (Salamon et al., 2014): `metadata/UrbanSound8K.csv` with
//! `slice_file_name,fsID,start,end,salience,fold,classID,class`, `audio/fold1` to `audio/fold10`.

use std::path::Path;

use crate::EvalError;

use super::builder::Builder;
use super::files::Files;
use super::table::{Table, cell};
use super::{Task, Truth};

pub(super) fn load(root: &Path, builder: &mut Builder) -> Result<(), EvalError> {
    let table = Table::read(&root.join("metadata/UrbanSound8K.csv"))?;
    let (file, class) = (table.column(&["slice_file_name"])?, table.column(&["class"])?);
    let fold = table.column(&["fold"])?;
    let files = Files::under(&root.join("audio"))?;
    let origins = builder.origins(&table, Some(fold))?;
    builder.ask(Task::SingleLabel);
    for (_, row) in &table.rows {
        let class = builder.class(cell(row, class));
        let name = cell(row, file);
        builder.add_found(files.get(name), name, Truth::Labels(vec![class]), origins.of(row));
    }
    Ok(())
}
