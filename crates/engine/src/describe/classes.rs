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

    /// Finite verbs that the clauses have; every clause needs one.
    fn has_verb(clause: &str) -> bool {
        let plural_ends = ["s", "sh", "ch"];
        // All but the first word can be the verb: in the singular it ends with an `s`, in the plural a noun
        // before it does, or it is one of these.
        let words: Vec<&str> = clause.split(' ').collect();
        let irregular = ["are", "is", "fly", "sing", "talk", "speak", "play", "shout", "call", "chirp"];
        words.len() >= 2
            && words
                .iter()
                .skip(1)
                .any(|w| irregular.contains(w) || plural_ends.iter().any(|e| w.ends_with(e)))
            || words.len() >= 2
                && words[..words.len() - 1]
                    .iter()
                    .any(|w| w.ends_with('s') || *w == "people" || *w == "cattle")
            || ["children", "mice", "geese", "fowl", "aircraft", "timpani", "maracas"]
                .iter()
                .any(|w| clause.contains(w))
    }

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
        for (name, class) in rows(TABLE).filter(|(_, class)| !class.is_setting) {
            for clause in [class.once, class.lasting] {
                let words: Vec<&str> = clause.split(' ').collect();
                assert!(words.len() >= 2 && words.iter().all(|word| !word.is_empty()), "{name}: `{clause}`");
                assert!(
                    clause.is_ascii() && !clause.ends_with('.') && clause.trim() == clause,
                    "{name}: `{clause}`"
                );
                assert!(
                    !clause.starts_with(|c: char| c.is_uppercase())
                        || clause.starts_with("A")
                        || proper(words[0]),
                    "{name}: `{clause}`"
                );
                for pair in words.windows(2) {
                    let vowel = pair[1].starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']);
                    let article = ["a", "an", "the"].contains(&pair[1]);
                    assert!(!(["a", "an", "the"].contains(&pair[0]) && article), "{name}: `{clause}`");
                    // "a ukulele", "a one-off": by sound; "an underground".
                    let vowel = vowel || pair[1].starts_with("under");
                    assert!(pair[0] != "a" || !vowel, "{name}: `{clause}`");
                    assert!(pair[0] != "an" || vowel, "{name}: `{clause}`");
                    assert_ne!(pair[0], pair[1], "{name}: `{clause}`");
                }
                assert!(has_verb(clause), "{name}: `{clause}` has no verb");
            }
            // One of something takes a verb with an `s`.
            let singular = class.once.starts_with("a ")
                || class.once.starts_with("an ")
                || class.once.starts_with("some");
            let verbs = class.once.split(' ').skip(1).any(|word| word.ends_with('s'));
            assert!(!singular || verbs || class.once.contains(" is "), "{name}: `{}`", class.once);
        }
    }

    /// Names that are written with a capital.
    fn proper(word: &str) -> bool {
        [
            "Afrobeat",
            "African",
            "Asian",
            "Bollywood",
            "Carnatic",
            "Christian",
            "Christmas",
            "Indian",
            "Latin",
            "Middle",
        ]
        .contains(&word)
    }

    #[test]
    fn a_bark_implies_a_dog_and_an_animal() {
        assert!(
            implies("Bark", "Dog") && implies("Bark", "Animal") && implies("Police car (siren)", "Alarm")
        );
        assert!(!implies("Dog", "Bark") && !implies("Bark", "Cat") && !implies("nothing known", "Dog"));
    }
}
