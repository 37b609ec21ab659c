//! What a user types: words, "phrases", words to leave out with a minus.

use super::words::{Word, words};

/// Words that say nothing about a sound: those of grammar, and those that all sounds have in common.
#[rustfmt::skip]
const EMPTY_WORDS: &[&str] = &[
    "a", "an", "and", "as", "at", "audio", "being", "by", "effect", "effects", "for", "from", "in", "into", "is",
    "it", "its", "like", "my", "of", "on", "or", "over", "recording", "sfx", "some", "sound", "sounds", "that",
    "the", "to", "with",
];

/// More words than this are left unread.
const MAX_WORDS: usize = 24;

/// Shortest word that stands for the beginning of longer ones too.
const SHORTEST_PREFIX: usize = 3;

/// A query of words against names, tags and metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameQuery {
    pub(crate) words: Vec<QueryWord>,
    /// Each must occur, as its words stand.
    pub(crate) phrases: Vec<Vec<Word>>,
    /// None may occur.
    pub(crate) excluded: Vec<Vec<Word>>,
    text: String,
}

/// A word that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryWord {
    pub(crate) word: Word,
    /// Beginnings of longer words count too, for less.
    pub(crate) is_prefix: bool,
}

impl NameQuery {
    /// Reads a query: words, phrases in double quotes, and words or phrases to leave out with `-` in front. A
    /// `*` after a word is allowed: words stand for the beginnings of longer ones anyhow.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut query = Self::default();
        let mut kept = Vec::new();
        for part in parts(text) {
            let found = words(part.text);
            if found.is_empty() {
                continue;
            }
            if part.is_excluded {
                query.excluded.push(found);
                continue;
            }
            kept.push(part.text);
            let is_phrase = part.is_quoted;
            for word in &found {
                let is_empty = !is_phrase && EMPTY_WORDS.contains(&word.written.as_str());
                let is_known = query.words.iter().any(|known| known.word.stem == word.stem);
                if !is_empty && !is_known && query.words.len() < MAX_WORDS {
                    let is_prefix = !is_phrase && word.written.chars().count() >= SHORTEST_PREFIX;
                    query.words.push(QueryWord { word: word.clone(), is_prefix });
                }
            }
            if is_phrase {
                query.phrases.push(found);
            }
        }
        query.text = kept.join(" ");
        query
    }

    /// The text to give to a model: the query without quotes, signs and excluded words.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The words that are looked for, as written.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &str> {
        self.words.iter().map(|word| word.word.written.as_str())
    }

    /// Whether a word, by its place in [`Self::words`], is in a text, whole or as the beginning of a word.
    #[must_use]
    pub fn is_in(&self, word: usize, text: &str) -> bool {
        let Some(QueryWord { word, is_prefix }) = self.words.get(word) else { return false };
        words(text).iter().any(|found| {
            found.stem == word.stem || *is_prefix && found.written.starts_with(word.written.as_str())
        })
    }

    /// Whether nothing is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether some clips are out of the question, whatever they sound like.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        !(self.phrases.is_empty() && self.excluded.is_empty())
    }
}

struct Part<'a> {
    text: &'a str,
    is_quoted: bool,
    is_excluded: bool,
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (is_excluded, body) = match rest.strip_prefix('-') {
            Some(body) if body.starts_with(|c: char| c == '"' || c.is_alphanumeric()) => (true, body),
            _ => (false, rest),
        };
        let (text, is_quoted, after) = match body.strip_prefix('"').and_then(|body| body.split_once('"')) {
            Some((quoted, after)) => (quoted, true, after),
            None => {
                // A lone quote is a sign like others.
                let from = body.len() - body.trim_start_matches('"').len();
                let end = body[from..].find(|c: char| c.is_whitespace() || c == '"');
                let end = end.map_or(body.len(), |end| from + end);
                (&body[..end], false, &body[end..])
            }
        };
        parts.push(Part { text, is_quoted, is_excluded });
        rest = after.trim_start();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(words: &[Word]) -> Vec<&str> {
        words.iter().map(|word| word.written.as_str()).collect()
    }

    #[test]
    fn words_phrases_and_exclusions_are_told_apart() {
        let query = NameQuery::parse(r#"a heavy "wooden door" -squeak -"car door" lo-fi"#);
        assert_eq!(query.words().collect::<Vec<_>>(), ["heavy", "wooden", "door", "lo", "fi"]);
        assert_eq!(query.phrases.iter().map(|p| written(p)).collect::<Vec<_>>(), [["wooden", "door"]]);
        assert_eq!(
            query.excluded.iter().map(|p| written(p)).collect::<Vec<_>>(),
            [vec!["squeak"], vec!["car", "door"]]
        );
        assert_eq!(query.text(), "a heavy wooden door lo-fi");
        assert!(query.is_strict());
    }

    #[test]
    fn odd_signs_are_only_signs() {
        for (text, expected) in [
            ("-", ""),
            ("\"", ""),
            ("\"dog", "\"dog"),
            ("dog\"", "dog"),
            ("- dog", "dog"),
            ("--dog", "--dog"),
            ("dog -", "dog"),
            ("\"\" dog", "dog"),
        ] {
            let query = NameQuery::parse(text);
            assert_eq!(query.text(), expected, "{text}");
            assert!(!query.is_strict(), "{text}");
        }
        let odd = NameQuery::parse("the of and");
        assert!(odd.is_empty() && odd.text() == "the of and");
    }

    #[test]
    fn a_word_counts_once() {
        assert_eq!(NameQuery::parse("dog dogs DOG").words().len(), 1);
    }
}
