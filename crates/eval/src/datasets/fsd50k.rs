//! FSD50K (Fonseca et al., 2022): `FSD50K.ground_truth/dev.csv` (`fname,labels,mids,split`) and `eval.csv` (`fname,labels,mids`),
//! `vocabulary.csv` without a header (`index,label,mid`), `FSD50K.dev_audio/`, `FSD50K.eval_audio/`. Labels are joined by
//! commas. The splits are `eval`, and of the development set `train` and `val`.

use std::path::Path;

use crate::EvalError;

use super::builder::Builder;
use super::files::Files;
use super::table::{Table, cell};
use super::{Origin, Task, Truth};

pub(super) fn load(root: &Path, builder: &mut Builder) -> Result<(), EvalError> {
    let truth = root.join("FSD50K.ground_truth");
    builder.ask(Task::MultiLabel);
    builder.keep_class_order();
    builder.default_split("eval");
    let vocabulary = truth.join("vocabulary.csv");
    if vocabulary.is_file() {
        let text = std::fs::read_to_string(&vocabulary).map_err(|e| EvalError::io(&vocabulary, &e))?;
        text.lines().filter_map(|line| line.split(',').nth(1)).for_each(|name| {
            builder.class(name.trim());
        });
    }
    for part in ["dev", "eval"] {
        let path = truth.join(format!("{part}.csv"));
        if !path.is_file() {
            continue;
        }
        let table = Table::read(&path)?;
        let (file, labels) = (table.column(&["fname"])?, table.column(&["labels"])?);
        let split = table.find(&["split"]);
        let files = Files::under(&root.join(format!("FSD50K.{part}_audio")))?;
        for (_, row) in &table.rows {
            let names = cell(row, labels).split(',').map(str::trim).filter(|name| !name.is_empty());
            let mut classes: Vec<usize> = names.map(|name| builder.class(name)).collect();
            classes.sort_unstable();
            classes.dedup();
            if builder.takes(split.map_or(part, |split| cell(row, split))) {
                let name = cell(row, file);
                builder.add_found(files.get(name), name, Truth::Labels(classes), Origin::default());
            }
        }
    }
    Ok(())
}
