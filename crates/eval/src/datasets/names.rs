//! Class names as the texts that a model is asked for.

use std::collections::HashMap;
use std::path::Path;

use crate::EvalError;

use super::Class;

/// A class name as people would say it: `dog_bark` and `DogBark` as "dog bark", `Male speech, man speaking` in small
/// letters. Words of capitals (`DJ`) stay as they are.
pub(super) fn text_of(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    for c in name.trim().chars() {
        let c = if c == '_' { ' ' } else { c };
        if c.is_uppercase() && before.is_lowercase() {
            text.push(' ');
        }
        if !(c == ' ' && text.ends_with(' ')) {
            text.push(c);
        }
        before = c;
    }
    let small = |word: &str| {
        let shouted = word.chars().filter(|c| c.is_alphabetic()).count() > 1 && word.to_uppercase() == word;
        if shouted { word.to_owned() } else { word.to_lowercase() }
    };
    text.trim().split(' ').map(small).collect::<Vec<_>>().join(" ")
}

/// Gives classes the texts in `file`: a name, a tab and a text on each line; empty lines and those that begin with `#` are
/// passed over.
pub(super) fn rename(file: &Path, classes: &mut [Class]) -> Result<(), EvalError> {
    let text = std::fs::read_to_string(file).map_err(|e| EvalError::io(file, &e))?;
    let places: HashMap<String, usize> =
        classes.iter().enumerate().map(|(i, c)| (c.name.clone(), i)).collect();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = |reason: String| EvalError::dataset(file, format!("line {}: {reason}", number + 1));
        let Some((name, text)) = line.split_once('\t').filter(|(_, text)| !text.trim().is_empty()) else {
            return Err(bad(format!("expected a class name, a tab and a text, got `{line}`")));
        };
        let Some(&place) = places.get(name.trim()) else {
            return Err(bad(format!("the dataset has no class `{}`", name.trim())));
        };
        text.trim().clone_into(&mut classes[place].text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_people_say() {
        for (name, text) in [
            ("dog_bark", "dog bark"),
            ("DogBark", "dog bark"),
            ("Male speech, man speaking", "male speech, man speaking"),
            ("Accelerating_and_revving_and_vrooming", "accelerating and revving and vrooming"),
            ("DJ scratching", "DJ scratching"),
            ("  crying__baby ", "crying baby"),
        ] {
            assert_eq!(text_of(name), text);
        }
    }

    #[test]
    fn a_file_of_names_replaces_texts_and_unknown_classes_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("names.tsv");
        let mut classes = vec![Class { name: "bd".into(), text: "bd".into() }];
        std::fs::write(&file, "# mine\n\nbd\ta bass drum\n").unwrap();
        rename(&file, &mut classes).unwrap();
        assert_eq!(classes[0].text, "a bass drum");
        std::fs::write(&file, "bd\tx\nsn\ta snare\n").unwrap();
        let error = rename(&file, &mut classes).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("`sn`"), "{error}");
        std::fs::write(&file, "bd a bass drum\n").unwrap();
        assert!(rename(&file, &mut classes).unwrap_err().to_string().contains("a tab"));
    }
}
