//! Words in names, as tsvectors. earmark makes the tokens, so that they are those of the local index.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use earmark_index::{ClipId, Error, NameField, NameTokens, WordIndex};

use crate::index::PgIndex;

/// Bytes of a tsvector at most, before what PostgreSQL allows (1 MiB with positions).
const MOST_BYTES: usize = 400_000;

/// Positions of one token that PostgreSQL keeps.
const MOST_POSITIONS: usize = 255;

/// Largest position that PostgreSQL tells from others.
const LAST_POSITION: usize = 16_383;

/// The tokens of each field as the text of a tsvector, in the order of [`NameField::ALL`].
pub(crate) fn vectors(tokens: &NameTokens) -> [String; NameField::ALL.len()] {
    tokens.0.each_ref().map(|tokens| vector(tokens))
}

fn vector(tokens: &[(usize, String)]) -> String {
    let mut positions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut bytes = 0;
    for (position, token) in tokens {
        bytes += token.len() + 8;
        if *position >= LAST_POSITION || bytes > MOST_BYTES {
            break;
        }
        let at = positions.entry(token).or_default();
        if at.len() < MOST_POSITIONS && at.last() != Some(&(position + 1)) {
            at.push(position + 1);
        }
    }
    let mut text = String::new();
    for (token, at) in positions {
        let at: Vec<String> = at.iter().map(ToString::to_string).collect();
        let _ = write!(text, "{}:{} ", quoted(token), at.join(","));
    }
    text
}

/// A token as tsvectors and tsqueries take it.
fn quoted(token: &str) -> String {
    format!("'{}'", token.replace('\\', "\\\\").replace('\'', "''"))
}

fn column(field: NameField) -> &'static str {
    match field {
        NameField::Name => "name_words",
        NameField::Tag => "tag_words",
        NameField::Metadata => "text_words",
        NameField::Folder => "folder_words",
    }
}

impl PgIndex {
    fn matching(&self, field: NameField, query: &str) -> Result<Vec<ClipId>, Error> {
        let statement = format!(
            "SELECT id FROM earmark.clip WHERE space = $1 AND {} @@ $2::text::tsquery",
            column(field)
        );
        let rows = self.query(&statement, &[&self.space(), &query])?;
        Ok(rows.iter().map(|row| row.get::<_, i64>(0).cast_unsigned()).collect())
    }
}

impl WordIndex for PgIndex {
    type Error = Error;

    fn clips(&self) -> Result<usize, Error> {
        let row = self.query("SELECT count(*) FROM earmark.clip WHERE space = $1", &[&self.space()])?;
        Ok(usize::try_from(row[0].get::<_, i64>(0)).unwrap_or_default())
    }

    fn with_any(&self, field: NameField, tokens: &[&str]) -> Result<Vec<ClipId>, Error> {
        let tokens: Vec<String> = tokens.iter().map(|token| quoted(token)).collect();
        self.matching(field, &tokens.join(" | "))
    }

    fn with_prefix(&self, field: NameField, prefix: &str) -> Result<Vec<ClipId>, Error> {
        self.matching(field, &format!("{}:*", quoted(prefix)))
    }

    fn with_sequence(&self, field: NameField, tokens: &[&str]) -> Result<Vec<ClipId>, Error> {
        let tokens: Vec<String> = tokens.iter().map(|token| quoted(token)).collect();
        self.matching(field, &tokens.join(" <-> "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_a_vector_with_positions() {
        let tokens =
            [(0, "dog"), (0, "dogs"), (1, "o'b\\"), (2, "dog")].map(|(at, token)| (at, token.to_owned()));
        assert_eq!(vector(&tokens), "'dog':1,3 'dogs':1 'o''b\\\\':2 ");
        let many: Vec<(usize, String)> = (0..100_000).map(|at| (at, format!("word{at}"))).collect();
        assert!(vector(&many).len() < 1 << 20);
    }
}
