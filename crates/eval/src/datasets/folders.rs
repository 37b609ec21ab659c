//! A folder a class. A sound that links put into several classes' folders is a clip of each; one that is twice in one class counts
//! once. Both are named.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::EvalError;

use super::builder::Builder;
use super::files::folders;
use super::{Origin, Task, Truth, names};

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
    let mut empty = folders(root)?;
    // The classes of each file, and the path by which it was first met in each.
    let mut met: HashMap<PathBuf, Vec<(usize, PathBuf)>> = HashMap::new();
    for path in builder.sounds(root)? {
        let mut inside = path.strip_prefix(root).unwrap_or(&path).components();
        let (Some(folder), Some(_)) = (inside.next(), inside.next()) else {
            builder.note(&path, "in no class's folder; move it into one");
            continue;
        };
        let folder = folder.as_os_str();
        empty.retain(|empty| empty.file_name() != Some(folder));
        let Some(name) = folder.to_str() else {
            builder.problem(
                path.display().to_string(),
                "the name of its class's folder is not UTF-8; rename the folder",
            );
            continue;
        };
        let class = builder.class_called(name, &text_of(name));
        let real = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        let known = met.entry(real).or_default();
        if let Some((_, first)) = known.iter().find(|(of, _)| *of == class) {
            let first = first.display();
            builder.note(&path, format!("the same file as {first}, of the same class; it counts once"));
            continue;
        }
        if let Some((_, first)) = known.first() {
            let first = first.display();
            builder.note(&path, format!("the same file as {first}, of another class; it is a clip of each"));
        }
        known.push((class, path.clone()));
        builder.add(path, Truth::Labels(vec![class]), Origin::default());
    }
    for folder in empty {
        builder.note(&folder, "a class's folder without a sound; no class is made of it");
    }
    Ok(())
}
