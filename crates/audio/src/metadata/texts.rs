//! [`Texts`]: the texts found in a file so far, cleaned and counted; and the encodings they come in.

use super::EmbeddedText;
use super::names::Field;
use super::ucs;

/// Texts kept of a file.
pub(super) const MAX_TEXTS: usize = 64;

/// Bytes kept of a text.
pub(super) const MAX_TEXT: usize = 4 << 10;

/// Bytes kept of a file's texts together.
pub(super) const MAX_TOTAL: usize = 16 << 10;

/// Bytes read of a text: enough for [`MAX_TEXT`] in UTF-16.
pub(super) const MAX_RAW: usize = 2 * MAX_TEXT + 2;

/// Items of a file's tags looked at: chunks, frames, comments, atoms, pages. Tags of use have a few dozen.
const MAX_STEPS: usize = 16 << 10;

/// Bytes that cost as much as an item, where many are read at once.
const STEP_BYTES: usize = 256;

/// From this length on, a text that another of the same name starts with is taken for a part of it: ID3v1
/// keeps 28 or 30 bytes, `bext` 256.
const CUT_FROM: usize = 24;

/// The texts found so far.
#[derive(Debug, Default)]
pub(super) struct Texts {
    found: Vec<EmbeddedText>,
    bytes: usize,
    steps: usize,
}

impl Texts {
    /// Counts an item that is about to be looked at. False if enough of the file was looked at.
    pub(super) fn step(&mut self) -> bool {
        self.steps += 1;
        self.steps <= MAX_STEPS && self.found.len() < MAX_TEXTS && self.bytes < MAX_TOTAL
    }

    /// Counts `bytes` that were read at once.
    pub(super) fn count(&mut self, bytes: &[u8]) {
        self.steps += bytes.len() / STEP_BYTES;
    }

    /// Adds what is in `text` under `name`. Zero characters separate several values.
    pub(super) fn add(&mut self, name: &'static str, text: &str) {
        for value in text.split('\0') {
            self.add_one(name, value);
        }
    }

    /// Adds the value of a field that has a name of its format's, if it is one of those that are kept.
    pub(super) fn add_field(&mut self, field: &str, text: &str) {
        match Field::of(field) {
            Some(Field::Text(name)) => self.add(name, text),
            Some(Field::CatId) => {
                let id = text.trim_matches(is_between_words);
                self.add("category", ucs::category_of(id).unwrap_or(text));
            }
            None => {}
        }
    }

    fn add_one(&mut self, name: &'static str, text: &str) {
        let limit = MAX_TEXT.min(MAX_TOTAL - self.bytes);
        let text = clean(text, limit);
        if text.is_empty() || self.found.len() >= MAX_TEXTS {
            return;
        }
        let is_part =
            |part: &str, whole: &str| part == whole || (part.len() >= CUT_FROM && whole.starts_with(part));
        let mut same_name = self.found.iter_mut().filter(|other| other.name == name);
        if let Some(other) =
            same_name.find(|other| is_part(&text, &other.text) || is_part(&other.text, &text))
        {
            if text.len() > other.text.len() {
                self.bytes += text.len() - other.text.len();
                other.text = text;
            }
            return;
        }
        self.bytes += text.len();
        self.found.push(EmbeddedText { name, text });
    }

    pub(super) fn into_vec(self) -> Vec<EmbeddedText> {
        self.found
    }
}

/// The words of `text`, with one space between them, cut at a character so that they fit `limit` bytes.
fn clean(text: &str, limit: usize) -> String {
    let mut cleaned = String::new();
    for word in text.split(is_between_words).filter(|word| !word.is_empty()) {
        let gap = if cleaned.is_empty() { "" } else { " " };
        let room = limit.saturating_sub(cleaned.len() + gap.len());
        let fits = &word[..word.floor_char_boundary(room)];
        if fits.is_empty() {
            break;
        }
        cleaned.push_str(gap);
        cleaned.push_str(fits);
        if fits.len() < word.len() {
            break;
        }
    }
    cleaned
}

/// Spaces, control characters, and marks that change how the text around them is shown.
fn is_between_words(c: char) -> bool {
    let is_mark = matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}');
    is_mark || c.is_whitespace() || c.is_control()
}

/// Text of no certain encoding: UTF-8 if it can be, else Latin-1. A character that is cut off is dropped.
pub(super) fn loose(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(e) if e.error_len().is_none() => String::from_utf8_lossy(&bytes[..e.valid_up_to()]).into_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// The same, up to the first zero: a field of fixed width.
pub(super) fn fixed(bytes: &[u8]) -> String {
    loose(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
}

/// UTF-16 without its byte order marks; what is not a character becomes U+FFFD. `big_endian` unless a mark at
/// the start says otherwise.
pub(super) fn utf16(bytes: &[u8], big_endian: bool) -> String {
    let big_endian = match bytes {
        [0xfe, 0xff, ..] => true,
        [0xff, 0xfe, ..] => false,
        _ => big_endian,
    };
    let unit = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
    let (pairs, _) = bytes.as_chunks::<2>();
    let chars = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).map(|c| c.unwrap_or('\u{fffd}'));
    chars.filter(|c| *c != '\u{feff}').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(given: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        let mut texts = Texts::default();
        given.iter().for_each(|(name, text)| texts.add(name, text));
        texts.into_vec().into_iter().map(|text| (text.name, text.text)).collect()
    }

    #[test]
    fn texts_are_cleaned_and_blank_and_equal_ones_dropped() {
        let given = [
            ("title", "  a\r\nwooden\u{7}door\u{202e} "),
            ("title", "a wooden door"),
            ("comment", "a wooden door"),
            ("note", " \t\u{1}\u{feff}"),
            ("artist", "Ann\0Ben\0\0"),
        ];
        let expected =
            [("title", "a wooden door"), ("comment", "a wooden door"), ("artist", "Ann"), ("artist", "Ben")];
        assert_eq!(texts(&given), expected.map(|(name, text)| (name, text.to_owned())));
    }

    #[test]
    fn a_text_that_was_cut_gives_way_to_the_whole_one() {
        let whole = "A heavy wooden door creaks open in a long hall";
        let cut = &whole[..30];
        assert_eq!(texts(&[("title", cut), ("title", whole)]), [("title", whole.to_owned())]);
        assert_eq!(texts(&[("title", whole), ("title", cut)]), [("title", whole.to_owned())]);
        assert_eq!(texts(&[("keywords", "door"), ("keywords", "door bell")]).len(), 2);
    }

    #[test]
    fn every_limit_holds() {
        let long = "é".repeat(MAX_TEXT);
        let found = texts(&[("title", &long)]);
        assert_eq!(found[0].1, "é".repeat(MAX_TEXT / 2));

        let word = |n: usize| format!("{n:04} {}", "x".repeat(3000));
        let many: Vec<String> = (0..100).map(word).collect();
        let given: Vec<(&'static str, &str)> = many.iter().map(|text| ("note", text.as_str())).collect();
        let found = texts(&given);
        assert_eq!(found.iter().map(|(_, text)| text.len()).sum::<usize>(), MAX_TOTAL);

        let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let given: Vec<(&'static str, &str)> = many.iter().map(|text| ("note", text.as_str())).collect();
        assert_eq!(texts(&given).len(), MAX_TEXTS);
    }

    #[test]
    fn bytes_are_utf_8_or_else_latin_1() {
        assert_eq!(loose("Glück".as_bytes()), "Glück");
        assert_eq!(loose(b"Gl\xfcck"), "Glück");
        assert_eq!(loose(&"Glü".as_bytes()[..3]), "Gl");
        assert_eq!(fixed(b"door\0garbage"), "door");
        assert_eq!(utf16(b"\xff\xfed\0\xfc\0", true), "dü");
        assert_eq!(utf16(b"\0d\xd8\0x", true), "d\u{fffd}");
    }
}
