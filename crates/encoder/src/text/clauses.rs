//! Several sounds in one text: what is heard together or in turn, and what is not to be heard.
//!
//! A sentence encoder that averages over tokens keeps neither "while" nor "without": to it, "speech without music" is
//! vocal music. For such models (`clauses` in the manifest) a text is cut where people name another sound, each clause is
//! embedded by itself, and the vectors are added.

/// How much of a clause that is not to be heard is taken off: as for `search --not`.
pub(super) const NOT_WEIGHT: f32 = 0.7;

/// Words that begin a sound that is not there; a word or more must follow.
const NEGATIONS: [&[&str]; 5] =
    [&["without"], &["but", "no"], &["but", "without"], &["with", "no"], &["and", "no"]];

/// Words that begin another sound, if an article or the like follows: "barks while a car passes", but not "hums while working".
const JOINTS: [&[&str]; 4] = [&["while"], &["followed", "by"], &["and", "then"], &["then"]];

/// What must follow a joint.
const ARTICLES: [&str; 9] = ["a", "an", "the", "some", "someone", "somebody", "another", "people", "several"];

/// The clauses of a text.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Clauses {
    /// What is heard; never empty for a text with words.
    pub(super) heard: Vec<String>,
    /// What is not.
    pub(super) not: Vec<String>,
}

impl Clauses {
    /// Cuts a text. One that names a single sound comes back whole, as it is.
    pub(super) fn of(text: &str) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        let plain: Vec<String> =
            words.iter().map(|w| w.trim_end_matches([',', ';']).to_lowercase()).collect();
        let mut clauses = Self::default();
        let (mut begin, mut at, mut is_negated) = (0, 0, false);
        while at < words.len() {
            let starts = |known: &&&[&str]| {
                plain[at..].len() > known.len() && plain[at..].iter().zip(**known).all(|(word, k)| word == k)
            };
            let negation = NEGATIONS.iter().find(starts);
            let joint = JOINTS.iter().find(starts);
            let joint = joint.filter(|known| ARTICLES.contains(&plain[at + known.len()].as_str()));
            match (negation.or(joint), at > begin) {
                (Some(known), true) => {
                    clauses.push(&words[begin..at], is_negated);
                    is_negated = negation.is_some();
                    at += known.len();
                    at += usize::from(is_negated && plain[at] == "any" && at + 1 < words.len());
                    begin = at;
                }
                _ => at += 1,
            }
        }
        if clauses == Self::default() {
            return Self { heard: vec![text.to_owned()], not: Vec::new() };
        }
        clauses.push(&words[begin..], is_negated);
        clauses
    }

    fn push(&mut self, words: &[&str], is_negated: bool) {
        let clause = words.join(" ").trim_end_matches([',', ';']).to_owned();
        if is_negated { self.not.push(clause) } else { self.heard.push(clause) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_where_another_sound_is_named() {
        for (text, heard, not) in [
            ("a dog barking while a car passes", &["a dog barking", "a car passes"][..], &[][..]),
            ("a dog barks, then a cat meows", &["a dog barks", "a cat meows"], &[]),
            ("Thunder followed by some rain", &["Thunder", "some rain"], &[]),
            ("speech without music", &["speech"], &["music"]),
            ("crowd cheering, but no music", &["crowd cheering"], &["music"]),
            ("rain without any thunder while a dog barks", &["rain", "a dog barks"], &["thunder"]),
        ] {
            let clauses = Clauses::of(text);
            assert_eq!((clauses.heard, clauses.not), (owned(heard), owned(not)), "{text}");
        }
    }

    #[test]
    fn one_sound_stays_whole() {
        for text in [
            "humming while working",
            "rock and roll",
            "no dog barking",
            "without",
            "a song without",
            "then a bell",
            "  odd   spaces ",
        ] {
            assert_eq!(Clauses::of(text), Clauses { heard: vec![text.to_owned()], not: vec![] }, "{text}");
        }
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }
}
