//! Which clips come from the same recording: by a column of the dataset's table, or by a pattern of file
//! names.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use regex_lite::Regex;

use crate::EvalError;

use super::files::file_name;

/// The option that names it.
const FIELD: &str = "group_by";

/// How to tell which clips come from the same recording.
#[derive(Debug, Clone)]
pub enum GroupBy {
    /// Clips with the same text in this column of the dataset's table, in lower case.
    Column(String),
    /// Clips with the same text where the pattern has its parentheses.
    Pattern(Regex),
}

impl FromStr for GroupBy {
    type Err = EvalError;

    /// A regular expression has parentheses, a column's name has none.
    fn from_str(text: &str) -> Result<Self, EvalError> {
        let bad = |received| EvalError::Setting {
            field: FIELD,
            expected:
                r"a column's name, or a regular expression with one pair of parentheses, as in '^(\d+)-'"
                    .to_owned(),
            received,
        };
        if !text.contains(['(', ')']) {
            return match text.trim() {
                "" => Err(bad("nothing".to_owned())),
                column => Ok(Self::Column(column.to_ascii_lowercase())),
            };
        }
        let regex = Regex::new(text).map_err(|e| bad(format!("`{text}`: {e}")))?;
        match regex.captures_len() {
            2 => Ok(Self::Pattern(regex)),
            groups => Err(bad(format!("`{text}`, which has {}", groups - 1))),
        }
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(name) => write!(f, "column `{name}`"),
            Self::Pattern(regex) => write!(f, "pattern `{regex}`"),
        }
    }
}

impl GroupBy {
    /// The numbers of the clips' recordings, by the order of their names. `clips`: the file of each, and what
    /// the column says of it, if there is one; `root`: where the dataset is.
    ///
    /// # Errors
    /// [`EvalError::Setting`] for a dataset without the column, a clip without a name in it, or one
    /// that the pattern does not match.
    pub(super) fn groups(
        &self,
        clips: &[(&Path, Option<&str>)],
        has_column: bool,
        root: &Path,
    ) -> Result<Vec<u32>, EvalError> {
        let bad = |expected: &str, received: String| EvalError::Setting {
            field: FIELD,
            expected: expected.to_owned(),
            received,
        };
        if let (Self::Column(name), false) = (self, has_column) {
            let received = format!("the column `{name}`, but no table with one");
            return Err(bad("a pattern of file names for this layout", received));
        }
        let name = |&(path, in_column): &(&Path, Option<&str>)| {
            let name = match self {
                Self::Column(_) => in_column.map(str::to_owned),
                Self::Pattern(regex) => matched(regex, path, root),
            };
            name.filter(|name| !name.is_empty()).ok_or_else(|| {
                bad("a recording's name for every clip", format!("none for {} by the {self}", path.display()))
            })
        };
        let names = clips.iter().map(name).collect::<Result<Vec<String>, _>>()?;
        let known: BTreeSet<&String> = names.iter().collect();
        let known: Vec<&String> = known.into_iter().collect();
        Ok(names.iter().map(|name| known.partition_point(|other| *other < name) as u32).collect())
    }
}

/// What a pattern finds in a file's name; in its path within the dataset, where the pattern has a `/`.
fn matched(regex: &Regex, path: &Path, root: &Path) -> Option<String> {
    let text = match regex.as_str().contains('/') {
        true => path.strip_prefix(root).unwrap_or(path).to_str()?,
        false => file_name(path),
    };
    Some(regex.captures(text)?.get(1)?.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(text: &str) -> GroupBy {
        text.parse().unwrap()
    }

    #[test]
    fn a_pattern_has_one_pair_of_parentheses_and_a_column_has_none() {
        assert!(matches!(by(" fsID "), GroupBy::Column(name) if name == "fsid"));
        assert!(matches!(by(r"^\d-(\d+)-"), GroupBy::Pattern(_)));
        for bad in ["", "(a)(b)", "(?:a)b", "(a", "a)"] {
            let told = bad.parse::<GroupBy>().unwrap_err().to_string();
            assert!(told.contains("group_by: expected a column's name, or"), "{bad}: {told}");
        }
    }

    #[test]
    fn clips_with_the_same_text_are_a_group() {
        let root = Path::new("/set");
        let paths = ["/set/a/2-7-A.wav", "/set/b/1-9-B.wav", "/set/b/3-7-C.wav"].map(Path::new);
        let clips = paths.map(|path| (path, None));
        let groups = |text: &str| by(text).groups(&clips, false, root).map_err(|e| e.to_string());
        assert_eq!(groups(r"^\d-(\d+)-"), Ok(vec![0, 1, 0]));
        assert_eq!(groups("^([^/]+)/"), Ok(vec![0, 1, 1]), "with a slash, over the path");
        let told = groups("([A-B])[.]wav").unwrap_err();
        assert!(told.contains("none for /set/b/3-7-C.wav by the pattern"), "{told}");
        assert!(groups("take").unwrap_err().contains("the column `take`, but no table with one"));
    }

    #[test]
    fn clips_with_the_same_cell_are_a_group() {
        let root = Path::new("/set");
        let path = Path::new("/set/a.wav");
        let groups = |cells: &[Option<&str>]| {
            let clips: Vec<(&Path, Option<&str>)> = cells.iter().map(|&cell| (path, cell)).collect();
            by("recording").groups(&clips, true, root).map_err(|e| e.to_string())
        };
        assert_eq!(groups(&[Some("10"), Some("9"), Some("10")]), Ok(vec![0, 1, 0]));
        for empty in [Some(""), None] {
            assert!(groups(&[Some("9"), empty]).unwrap_err().contains("by the column `recording`"));
        }
    }
}
