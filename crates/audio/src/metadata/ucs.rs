//! Categories of the Universal Category System, by the CatID that a file's name starts with.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Each CatID, a comma, and its category and subcategory in words; lines that start with `#` are comments.
const LIST: &str = include_str!("ucs.csv");

static CATEGORIES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = LIST.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(',')).collect()
});

/// Category and subcategory of a file named by the Universal Category System, such as `doors wood` for
/// `DOORWood_Creak_ABC_Lib.wav`.
///
/// The name starts with a CatID of the list, in its case, and `_` or, before a category of the user's own,
/// `-`.
#[must_use]
pub fn ucs_category(file_name: &str) -> Option<&'static str> {
    let (id, _) = file_name.split_once(['_', '-'])?;
    category_of(id)
}

/// Category and subcategory of a CatID.
pub(super) fn category_of(id: &str) -> Option<&'static str> {
    CATEGORIES.get(id).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_starts_with_a_cat_id_has_its_category() {
        assert_eq!(ucs_category("DOORWood_Creak Slow_ABC_Lib.wav"), Some("doors wood"));
        assert_eq!(ucs_category("AMBForst-Night_Owls_ABC_Lib.wav"), Some("ambience forest"));
        assert_eq!(ucs_category("AMBRest_Bar_ABC_Lib.wav"), Some("ambience restaurant and bar"));
        assert_eq!(ucs_category("GUNMisc_Shot_ABC_Lib.wav"), Some("guns"));
        assert_eq!(ucs_category("WIND_Gusts_ABC_Lib.wav"), Some("wind"));
    }

    #[test]
    fn other_names_have_none() {
        for name in
            ["", "_", "door_wood.wav", "DOORWood.wav", "DOORWoods_a.wav", "DoorWood_a.wav", "été_x", "wind_1"]
        {
            assert_eq!(ucs_category(name), None, "{name}");
        }
    }

    #[test]
    fn the_list_is_whole() {
        // 753 of version 8.2, and one that 8.2.1 spells otherwise.
        assert_eq!(CATEGORIES.len(), 754);
        let is_id = |id: &str| id.len() >= 2 && id.chars().all(|c| c.is_ascii_alphanumeric());
        let is_words = |words: &str| words.chars().all(|c| c.is_ascii_lowercase() || c == ' ');
        assert!(CATEGORIES.iter().all(|(id, words)| is_id(id) && is_words(words) && !words.is_empty()));
    }
}
