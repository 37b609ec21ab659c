//! Words in names, as tsvectors. earmark makes the tokens, so that they are those of the local index.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use earmark_index::{Error, FoundClips, Lookup, NameField, NameTokens, WordIndex};

use crate::index::PgIndex;
use crate::values::Values;

/// Bytes of a tsvector at most, before what PostgreSQL allows (1 MiB with positions).
const MOST_BYTES: usize = 400_000;

/// Positions of one token that PostgreSQL keeps.
const MOST_POSITIONS: usize = 255;

/// Largest position that PostgreSQL tells from others.
const LAST_POSITION: usize = 16_383;

/// Lookups in one statement: its answer, 12 bytes for each clip of each, is at most 1 GB.
const LOOKUPS: usize = 8;

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

/// A lookup as the text of a tsquery.
fn tsquery(lookup: &Lookup<'_>) -> String {
    let all = |tokens: &[&str]| tokens.iter().map(|token| quoted(token)).collect::<Vec<String>>();
    match lookup {
        Lookup::Any(_, tokens) => all(tokens).join(" | "),
        Lookup::Prefix(_, prefix) => format!("{}:*", quoted(prefix)),
        Lookup::Sequence(_, tokens) => all(tokens).join(" <-> "),
    }
}

impl WordIndex for PgIndex {
    type Error = Error;

    fn look_up(&self, lookups: &[Lookup<'_>]) -> Result<FoundClips, Error> {
        let count = "SELECT count(*) FROM earmark.clip WHERE space = $1".to_owned();
        let mut values = Values::default();
        values.add(self.space());
        let mut statements = vec![(count, values)];
        for some in lookups.chunks(LOOKUPS) {
            let mut values = Values::default();
            let space = values.add(self.space());
            let columns = some.iter().map(|lookup| {
                let (Lookup::Any(field, _) | Lookup::Prefix(field, _) | Lookup::Sequence(field, _)) = lookup;
                let (words, query) = (column(*field), values.add(tsquery(lookup)));
                let having = format!("WHERE space = {space} AND {words} @@ {query}::tsquery");
                format!("ARRAY(SELECT id FROM earmark.clip {having})")
            });
            let columns: Vec<String> = columns.collect();
            statements.push((format!("SELECT {}", columns.join(", ")), values));
        }
        let answers = self.connections().query_all(&statements)?;
        let mut rows = answers.iter().flatten();
        let clips = rows.next().map(|row| row.get::<_, i64>(0)).unwrap_or_default();
        let ids = rows.flat_map(|row| {
            (0..row.len())
                .map(|column| row.get::<_, Vec<i64>>(column).into_iter().map(i64::cast_unsigned).collect())
        });
        Ok(FoundClips { clips: usize::try_from(clips).unwrap_or_default(), ids: ids.collect() })
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
