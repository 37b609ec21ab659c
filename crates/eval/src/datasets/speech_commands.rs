//! Speech Commands v2 (Warden, 2018): a folder a word; `testing_list.txt` and `validation_list.txt` name the files of those
//! splits, and the rest is for training. `_background_noise_` is no word.

use std::collections::HashSet;
use std::path::Path;

use crate::EvalError;

use super::builder::Builder;
use super::files::{file_name, folders};
use super::{Origin, Task, Truth};

pub(super) fn load(root: &Path, builder: &mut Builder) -> Result<(), EvalError> {
    builder.ask(Task::SingleLabel);
    builder.default_split("test");
    let test = list(&root.join("testing_list.txt"))?;
    let validation = list(&root.join("validation_list.txt"))?;
    let mut there = HashSet::new();
    for folder in folders(root)? {
        let word = file_name(&folder);
        if word.starts_with('_') {
            continue;
        }
        let class = builder.class(word);
        let files = builder.sounds(&folder)?;
        for path in files {
            let name = format!("{word}/{}", file_name(&path));
            let split = split_of(&name, &test, &validation);
            if builder.takes(split) {
                builder.add(path, Truth::Labels(vec![class]), Origin::default());
            }
            there.insert(name);
        }
    }
    let mut missing: Vec<&String> = test.union(&validation).filter(|name| !there.contains(*name)).collect();
    missing.sort();
    for name in missing {
        if builder.takes(split_of(name, &test, &validation)) {
            builder.problem(
                root.join(name).display().to_string(),
                "no such file; the list of its split names it",
            );
        }
    }
    Ok(())
}

fn split_of(name: &str, test: &HashSet<String>, validation: &HashSet<String>) -> &'static str {
    if test.contains(name) {
        "test"
    } else if validation.contains(name) {
        "validation"
    } else {
        "train"
    }
}

fn list(path: &Path) -> Result<HashSet<String>, EvalError> {
    let text = std::fs::read_to_string(path).map_err(|e| EvalError::io(path, &e))?;
    Ok(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
}
