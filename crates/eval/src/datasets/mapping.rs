//! A folder of sounds, and a table that gives labels or captions by file name: for sounds whose names say what they are.
//!
//! The table is as in `rows`, but `file` is a glob over the path within the folder (`bd_*`, `animals/**`; without a `/` over the file's
//! name alone). The first row that matches counts, with all others of the same pattern. An empty caption is the first line of
//! the text file beside the sound.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

use crate::EvalError;

use super::builder::Builder;
use super::files::file_name;
use super::rows::{Said, read, truth};
use super::table::Table;
use super::text_files::caption_beside;
use super::{Task, Truth};

struct Rule {
    pattern: GlobMatcher,
    whole_path: bool,
    said: Said,
    used: bool,
}

pub(super) fn load(root: &Path, mapping: Option<&Path>, builder: &mut Builder) -> Result<(), EvalError> {
    let Some(mapping) = mapping else {
        return Err(EvalError::Setting {
            field: "mapping",
            expected: "a table of file names and labels, which the layout `mapping` needs".to_owned(),
            received: "none".to_owned(),
        });
    };
    if !root.is_dir() {
        return Err(EvalError::dataset(root, "expected a folder of sounds, since there is a mapping"));
    }
    let (task, said) = read(&Table::read(mapping)?, None, builder)?;
    if task == Task::Events {
        return Err(EvalError::dataset(
            mapping,
            "expected labels or captions by name, got events; name the table itself",
        ));
    }
    let mut rules = said.into_iter().map(|said| rule(mapping, said)).collect::<Result<Vec<_>, _>>()?;
    // Every class is asked for, whether a file has it or not.
    for rule in &rules {
        truth(builder, task, &rule.said);
    }
    let files = builder.sounds(root)?;
    let (mut unnamed, mut without_text) = (0_usize, 0_usize);
    for path in files {
        let inside = path.strip_prefix(root).unwrap_or(&path);
        let matches = |rule: &&mut Rule| {
            if rule.whole_path {
                rule.pattern.is_match(inside)
            } else {
                rule.pattern.is_match(file_name(&path))
            }
        };
        let Some(rule) = rules.iter_mut().find(matches) else {
            unnamed += 1;
            continue;
        };
        rule.used = true;
        let truth = match (task, rule.said.captions.is_empty()) {
            (Task::Captions, true) => match caption_beside(&path)? {
                Some(caption) => Truth::Captions(vec![caption]),
                None => {
                    without_text += 1;
                    continue;
                }
            },
            _ => truth(builder, task, &rule.said),
        };
        if builder.takes(&rule.said.split) {
            builder.add(path, truth, rule.said.origin.clone());
        }
    }
    for (count, what) in [
        (unnamed, "match no row of the mapping"),
        (without_text, "have no text file with a caption beside them"),
    ] {
        if count > 0 {
            builder.note(root, format!("{count} sounds {what}"));
        }
    }
    for rule in rules.iter().filter(|rule| !rule.used) {
        let path = root.join(&rule.said.file);
        let reason = "no such file; the mapping names it";
        if rule.said.file.contains(['*', '?', '[', '{']) {
            builder.note(&path, reason);
        } else {
            builder.problem(path.display().to_string(), reason);
        }
    }
    Ok(())
}

fn rule(mapping: &Path, said: Said) -> Result<Rule, EvalError> {
    let glob = GlobBuilder::new(&said.file)
        .literal_separator(true)
        .build()
        .map_err(|e| EvalError::dataset(mapping, format!("expected a pattern such as `bd_*`, got {e}")))?;
    Ok(Rule { pattern: glob.compile_matcher(), whole_path: said.file.contains('/'), said, used: false })
}
