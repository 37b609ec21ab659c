//! Whether the model knows the words it was given.

use earmark_encoder::EncodedText;
use serde::Serialize;

/// Below this the model more likely does not know what a text is about.
const EVEN: f32 = 0.5;

/// A text, and how well the model knows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KnownText {
    /// The text.
    pub text: String,
    /// Probability that it describes a sound in words that the model knows: low for words that are not
    /// English, or about no sound.
    /// `None` for models that cannot tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub familiarity: Option<f32>,
    /// Whether it has more tokens than the model reads, so that its end was left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl KnownText {
    /// What the model made of `text`, in one or several templates, of which the least known counts; `None` if
    /// there is nothing to tell.
    #[must_use]
    pub fn of(text: &str, encoded: &[EncodedText]) -> Option<Self> {
        let familiarity = encoded.iter().filter_map(|one| one.familiarity).reduce(f32::min);
        let cut = encoded.iter().any(|one| one.cut);
        (familiarity.is_some() || cut).then(|| Self { text: text.to_owned(), familiarity, cut })
    }

    /// Whether the model hardly knows the text, so that scores with it mean little.
    #[must_use]
    pub fn is_strange(&self) -> bool {
        self.familiarity.is_some_and(|familiarity| familiarity < EVEN)
    }
}

#[cfg(test)]
mod tests {
    use earmark_encoder::Embedding;

    use super::*;

    #[test]
    fn the_least_known_of_several_templates_counts() {
        let vector = Embedding::from_values(vec![1.0], "m", "x").unwrap();
        let encoded = |familiarity| EncodedText {
            vector: vector.clone(),
            query: vector.clone(),
            familiarity,
            cut: false,
        };
        let known = KnownText::of("dog", &[encoded(Some(0.9)), encoded(Some(0.4))]).unwrap();
        assert!(known.familiarity == Some(0.4) && known.is_strange());
        assert!(!KnownText::of("dog", &[encoded(Some(0.9))]).unwrap().is_strange());
        assert_eq!(KnownText::of("dog", &[encoded(None)]), None);
        let cut = KnownText::of("dog", &[encoded(None), EncodedText { cut: true, ..encoded(None) }]).unwrap();
        assert!(cut.cut && !cut.is_strange());
    }
}
