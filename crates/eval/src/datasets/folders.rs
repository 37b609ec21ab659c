//! A folder a class.

use std::path::Path;

use crate::EvalError;

use super::builder::Builder;
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
    for path in builder.sounds(root)? {
        let mut inside = path.strip_prefix(root).unwrap_or(&path).components();
        let (first, rest) = (inside.next(), inside.next());
        match (first.and_then(|folder| folder.as_os_str().to_str()), rest) {
            (Some(name), Some(_)) => {
                let class = builder.class_called(name, &text_of(name));
                builder.add(path, Truth::Labels(vec![class]), None);
            }
            _ => builder.note(&path, "in no class's folder; move it into one, named in UTF-8"),
        }
    }
    Ok(())
}
