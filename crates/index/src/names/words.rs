//! From names to words: `BD_Kick01-punchyLoop.wav` is `bd`, `kick`, `01`, `punchy`, `loop`.

use std::cell::RefCell;

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, RawTokenizer, Stemmer, TextAnalyzer, Token, TokenStream, Tokenizer,
};

/// Longest word, bytes; the rest of a longer one is cut off. Names hold hashes and base64 now and then.
const MAX_WORD_BYTES: usize = 48;

/// A word as it was written (in lower case, without accents), and its stem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) written: String,
    pub(crate) stem: String,
}

impl Word {
    fn new(text: &str) -> Self {
        let written = fold(&text.to_lowercase());
        let cut = (0..=MAX_WORD_BYTES.min(written.len())).rev().find(|at| written.is_char_boundary(*at));
        let written = written[..cut.unwrap_or(0)].to_owned();
        Self { stem: stem(&written), written }
    }
}

/// What kind of letter a character is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letter {
    Upper,
    Lower,
    Digit,
    Other,
}

impl Letter {
    fn of(c: char) -> Self {
        match c {
            c if c.is_uppercase() => Self::Upper,
            c if c.is_numeric() => Self::Digit,
            c if c.is_alphanumeric() => Self::Lower,
            _ => Self::Other,
        }
    }
}

/// The words of a text. They end where letters, digits and all else meet, and before a capital that follows a
/// small letter or is followed by one: `FXLaserShot2` is `fx`, `laser`, `shot`, `2`. An apostrophe within a
/// word is left out.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let chars: Vec<char> = text.chars().filter(|c| !matches!(c, '\'' | '’')).collect();
    let letters: Vec<Letter> = chars.iter().map(|c| Letter::of(*c)).collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (i, c) in chars.iter().enumerate() {
        let before = if i == 0 { Letter::Other } else { letters[i - 1] };
        let next = letters.get(i + 1).copied().unwrap_or(Letter::Other);
        let is_start = match (before, letters[i]) {
            (Letter::Lower | Letter::Digit, Letter::Upper) => true,
            (Letter::Upper, Letter::Upper) => next == Letter::Lower,
            (Letter::Upper, Letter::Lower) => false,
            (before, now) => before != now,
        };
        if is_start && !word.is_empty() {
            words.push(Word::new(&std::mem::take(&mut word)));
        }
        if letters[i] != Letter::Other {
            word.push(*c);
        }
    }
    if !word.is_empty() {
        words.push(Word::new(&word));
    }
    words
}

fn analyser<T: Tokenizer>(tokenizer: T) -> TextAnalyzer {
    TextAnalyzer::builder(tokenizer).filter(AsciiFoldingFilter).build()
}

thread_local! {
    static FOLD: RefCell<TextAnalyzer> = RefCell::new(analyser(RawTokenizer::default()));
    static STEM: RefCell<TextAnalyzer> =
        RefCell::new(TextAnalyzer::builder(RawTokenizer::default()).filter(Stemmer::new(Language::English)).build());
}

/// `café` as `cafe`.
fn fold(word: &str) -> String {
    if word.is_ascii() { word.to_owned() } else { FOLD.with(|fold| only_token(fold, word)) }
}

/// The English stem: `barking`, `barks` and `bark` are one. Words with digits have none.
fn stem(word: &str) -> String {
    STEM.with(|stem| only_token(stem, word))
}

fn only_token(analyser: &RefCell<TextAnalyzer>, word: &str) -> String {
    let mut analyser = analyser.borrow_mut();
    let mut tokens = analyser.token_stream(word);
    if tokens.advance() { tokens.token().text.clone() } else { word.to_owned() }
}

/// The tokens of a text with their positions: at each the stem of the word there, the word as written where that
/// differs, and the word joined with the next one, so that `door bell` is found as `doorbell`.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = (usize, String)> {
    let words = words(text);
    (0..words.len()).flat_map(move |position| {
        let word = &words[position];
        let written = (word.written != word.stem).then(|| word.written.clone());
        let pair = words.get(position + 1).map(|next| joined(word, next));
        let all = [Some(word.stem.clone()), written, pair];
        all.into_iter().flatten().map(move |token| (position, token))
    })
}

/// [`tokens`] as tantivy takes them.
#[derive(Clone, Default)]
pub(crate) struct NameTokenizer;

pub(crate) struct Tokens {
    tokens: Vec<Token>,
    next: usize,
}

impl Tokenizer for NameTokenizer {
    type TokenStream<'a> = Tokens;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Tokens {
        let token =
            |(position, text)| Token { position, text, offset_from: 0, offset_to: 0, position_length: 1 };
        Tokens { tokens: tokens(text).map(token).collect(), next: 0 }
    }
}

/// Two words as one.
pub(crate) fn joined(word: &Word, next: &Word) -> String {
    format!("{}{}", word.written, next.stem)
}

impl TokenStream for Tokens {
    fn advance(&mut self) -> bool {
        self.next += 1;
        self.next <= self.tokens.len()
    }

    fn token(&self) -> &Token {
        &self.tokens[self.next - 1]
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.tokens[self.next - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.written).collect()
    }

    #[test]
    fn names_are_split_where_a_reader_splits_them() {
        for (name, expected) in [
            ("BD_Kick01-punchyLoop.wav", vec!["bd", "kick", "01", "punchy", "loop", "wav"]),
            ("FXLaserShot2", vec!["fx", "laser", "shot", "2"]),
            ("doorOpen", vec!["door", "open"]),
            ("KICK", vec!["kick"]),
            ("Kicks", vec!["kicks"]),
            ("808kick", vec!["808", "kick"]),
            ("Dog's bark", vec!["dogs", "bark"]),
            ("Café Über", vec!["cafe", "uber"]),
            ("AMBForst_Wind in Pines, light", vec!["amb", "forst", "wind", "in", "pines", "light"]),
            ("雨の音", vec!["雨の音"]),
            ("", vec![]),
            ("--__  ", vec![]),
        ] {
            assert_eq!(written(name), expected, "{name}");
        }
    }

    #[test]
    fn inflections_share_a_stem() {
        let stems = |text: &str| words(text).into_iter().map(|word| word.stem).collect::<Vec<_>>();
        assert_eq!(stems("barking"), stems("bark"));
        assert_eq!(stems("footsteps"), stems("footstep"));
        assert_ne!(stems("kick"), stems("click"));
    }

    #[test]
    fn a_long_word_is_cut_at_a_character() {
        let long = "ü".repeat(100) + "漢".repeat(100).as_str();
        assert!(words(&long)[0].written.len() <= MAX_WORD_BYTES);
    }
}
