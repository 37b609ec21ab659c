//! A folder a class.

use std::path::Path;

use crate::EvalError;

use super::builder::Builder;
use super::files::{file_name, folders, sounds};
use super::{Task, Truth, names};

pub(super) fn load(root: &Path, builder: &mut Builder) -> Result<(), EvalError> {
    load_with(root, builder, names::text_of)
}

/// Classes are asked for in the words that `text_of` makes of their folders' names.
pub(super) fn load_with(
    root: &Path,
    builder: &mut Builder,
    text_of: impl Fn(&str) -> String,
) -> Result<(), EvalError> {
    builder.ask(Task::SingleLabel);
    for folder in folders(root)? {
        let (files, errors) = sounds(&folder)?;
        for (path, reason) in errors {
            builder.problem(path.display().to_string(), reason);
        }
        if files.is_empty() {
            continue;
        }
        let name = file_name(&folder);
        let class = builder.class_called(name, &text_of(name));
        for path in files {
            builder.add(path, Truth::Labels(vec![class]), None);
        }
    }
    for path in sounds(root)?.0.iter().filter(|path| path.parent() == Some(root)) {
        builder.problem(path.display().to_string(), "in no class's folder; move it into one");
    }
    Ok(())
}
