//! Templates to compare.

use std::path::Path;

use earmark_engine::Engine;

use crate::EvalError;

/// What stands between the templates of an ensemble.
const AND: &str = " | ";

/// Reads a file of templates: one on each line, `{}` standing for the label; several joined by ` | ` are an ensemble, whose vectors
/// are averaged. Empty lines and those that begin with `#` are passed over.
///
/// # Errors
/// [`EvalError::Dataset`] when it cannot be read, has no template, or one has no `{}`.
pub fn read(path: &Path) -> Result<Vec<Vec<String>>, EvalError> {
    let text = std::fs::read_to_string(path).map_err(|e| EvalError::io(path, &e))?;
    let mut prompts = Vec::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let templates: Vec<String> = line.split(AND).map(|template| template.trim().to_owned()).collect();
        if let Some(bad) = templates.iter().find(|template| !template.contains("{}")) {
            let reason =
                format!("line {}: the template `{bad}` has no `{{}}` where the label goes", number + 1);
            return Err(EvalError::dataset(path, reason));
        }
        prompts.push(templates);
    }
    if prompts.is_empty() {
        return Err(EvalError::dataset(path, "expected templates such as `the sound of {}`, got none"));
    }
    Ok(prompts)
}

/// The templates in use, the model's own prompt if none were given.
pub(super) fn own(engine: &Engine, templates: &[String]) -> Vec<String> {
    if !templates.is_empty() {
        return templates.to_vec();
    }
    let manifest = engine.model().manifest();
    vec![manifest.text.as_ref().map_or_else(|| "{}".to_owned(), |text| text.prompt.clone())]
}

/// The templates in use, and those to compare them with, each once.
pub(super) fn with_own(engine: &Engine, templates: &[String], prompts: &[Vec<String>]) -> Vec<Vec<String>> {
    let mut all = vec![own(engine, templates)];
    for prompt in prompts {
        if !all.contains(prompt) {
            all.push(prompt.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_templates_or_ensembles() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("prompts.txt");
        std::fs::write(&file, "# plain first\n{}\n\nthe sound of {} | a recording of {}\n").unwrap();
        assert_eq!(read(&file).unwrap(), [vec!["{}"], vec!["the sound of {}", "a recording of {}"]]);
        std::fs::write(&file, "{}\nthe sound of {} | noise\n").unwrap();
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("`noise`"), "{error}");
        std::fs::write(&file, "# nothing\n").unwrap();
        assert!(read(&file).is_err());
    }
}
