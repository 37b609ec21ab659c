//! What is known of the classes of taggers: how each is said, what it implies, and whether it is speech or
//! music. The table is `classes.tsv`, which has AudioSet's classes and those of `musicnn`.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A class, as the table has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Class {
    /// Broader classes that it implies directly: `Dog` of `Bark`.
    pub(super) broader: Vec<&'static str>,
    /// Classes of one sort that are heard at the same time are one sound under several names.
    pub(super) sort: &'static str,
    pub(super) is_speech: bool,
    pub(super) is_music: bool,
    /// "twice" makes sense of it: a dog barks twice, but it does not rain twice.
    pub(super) is_counted: bool,
    /// Says little: worth saying only if nothing else is heard.
    pub(super) is_vague: bool,
    /// Not a sound but a place or a way of recording: never said.
    pub(super) is_setting: bool,
    /// A clause that says it once: "a dog barks".
    pub(super) once: &'static str,
    /// A clause for several of it, or a lasting one: "birds sing".
    pub(super) lasting: &'static str,
}

static CLASSES: LazyLock<HashMap<&'static str, Class>> =
    LazyLock::new(|| rows(include_str!("classes.tsv")).collect());

/// The rows of a table: a line each, after lines that begin with `#` and a header.
fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, Class)> {
    table.lines().filter(|line| !line.starts_with('#')).skip(1).map(|line| {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or_default();
        let (name, broader, sort, flags, once, lasting) =
            (field(), field(), field(), field(), field(), field());
        let has = |flag| flags.split(',').any(|f| f == flag);
        let class = Class {
            broader: broader.split(';').filter(|name| !name.is_empty()).collect(),
            sort,
            is_speech: has("speech"),
            is_music: has("music"),
            is_counted: has("count"),
            is_vague: has("vague"),
            is_setting: has("setting"),
            once,
            lasting: if lasting.is_empty() { once } else { lasting },
        };
        (name, class)
    })
}

/// What is known of a class; `None` for one that the table does not have.
pub(super) fn class(name: &str) -> Option<&'static Class> {
    CLASSES.get(name)
}

/// Whether hearing `narrow` implies hearing `broad`, which is another class.
pub(super) fn implies(narrow: &str, broad: &str) -> bool {
    let broader = class(narrow).map_or(&[][..], |class| &class.broader);
    broader.iter().any(|name| *name == broad || implies(name, broad))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const TABLE: &str = include_str!("classes.tsv");

    #[test]
    fn every_class_of_the_bundled_taggers_is_in_the_table() {
        for model in ["ced-tiny", "yamnet", "musicnn"] {
            let path = format!("{}/../../models/{model}/classes.txt", env!("CARGO_MANIFEST_DIR"));
            for name in std::fs::read_to_string(path).unwrap().lines() {
                let class = class(name).unwrap_or_else(|| panic!("{model}: {name} is not in classes.tsv"));
                assert_eq!(class.is_setting, class.once.is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn the_table_is_well_formed() {
        let mut seen = HashSet::new();
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            assert_eq!(line.split('\t').count(), 6, "{line}");
            assert!(seen.insert(line.split('\t').next().unwrap()), "twice: {line}");
            let flags = line.split('\t').nth(3).unwrap();
            let known = ["speech", "music", "count", "vague", "setting", "flags", ""];
            assert!(flags.split(',').all(|flag| known.contains(&flag)), "{line}");
        }
        for (name, class) in rows(TABLE) {
            assert!(!class.sort.is_empty(), "{name}");
            for broad in &class.broader {
                assert!(seen.contains(broad), "{name}: {broad} is not a class");
            }
            assert!(!implies(name, name), "{name} implies itself");
        }
    }

    #[test]
    fn clauses_are_english_as_far_as_a_program_can_see() {
        const ARTICLES: [&str; 3] = ["a", "an", "the"];
        for (name, class) in rows(TABLE).filter(|(_, class)| !class.is_setting) {
            for clause in [class.once, class.lasting] {
                let words: Vec<&str> = clause.split(' ').collect();
                let fault = |what: &str| format!("{name}: `{clause}`: {what}");
                assert!(words.len() >= 2 && words.iter().all(|word| !word.is_empty()), "{}", fault("spaces"));
                assert!(clause.is_ascii() && !clause.ends_with('.'), "{}", fault("characters"));
                for pair in words.windows(2) {
                    // By sound: "a ukulele", but "an underground train".
                    let is_vowel = pair[1].to_lowercase().starts_with(['a', 'e', 'i', 'o'])
                        || pair[1].starts_with("under");
                    assert!(pair[0] != "a" || !is_vowel, "{}", fault("a"));
                    assert!(pair[0] != "an" || is_vowel, "{}", fault("an"));
                    assert!(!pair.iter().all(|word| ARTICLES.contains(word)), "{}", fault("two articles"));
                    assert_ne!(pair[0], pair[1], "{}", fault("a word twice"));
                }
                // One of something takes a verb with an `s`.
                let is_one = ["a", "an", "someone", "something", "it"].contains(&words[0]);
                let has_verb = words.iter().skip(1).any(|word| word.ends_with('s'));
                assert!(!is_one || has_verb, "{}", fault("no verb"));
            }
        }
    }

    #[test]
    fn a_bark_implies_a_dog_and_an_animal() {
        assert!(
            implies("Bark", "Dog") && implies("Bark", "Animal") && implies("Police car (siren)", "Alarm")
        );
        assert!(!implies("Dog", "Bark") && !implies("Bark", "Cat") && !implies("nothing known", "Dog"));
    }
}
