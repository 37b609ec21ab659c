//! [`Roots`]: folders that machines mount at different places.
//!
//! A path in the database is a root's name and the path from there on. Each machine turns it into a path of its
//! own. Paths under no root are kept whole; only machines that have them at the same place can read their files.

use std::collections::BTreeMap;

/// Roots by name, with the folder that each is here (a path in its stored form, without a `/` at its end).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots(BTreeMap<String, String>);

/// A path as the database keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DbPath {
    /// The root's name; empty for a whole path.
    pub(crate) root: String,
    /// From the root on, or the whole path.
    pub(crate) path: String,
}

impl Roots {
    /// Adds a root, or says where it is here. `folder` is in its stored form.
    pub fn set(&mut self, name: &str, folder: &str) {
        let folder = folder.trim_end_matches(is_separator);
        self.0.insert(name.to_owned(), folder.to_owned());
    }

    /// Names and folders.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, folder)| (name.as_str(), folder.as_str()))
    }

    /// Whether there is a root of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The path in the database of a file that is `path` here: from the deepest root that it lies in.
    pub(crate) fn to_db(&self, path: &str) -> DbPath {
        let within = self.iter().filter_map(|(name, folder)| Some((name, folder, below(path, folder)?)));
        match within.max_by_key(|(_, folder, _)| folder.len()) {
            Some((root, _, rest)) => DbPath { root: root.to_owned(), path: with_slashes(rest) },
            None => DbPath { root: String::new(), path: path.to_owned() },
        }
    }

    /// The path here of a file in the database. One of a root that is not known here begins with the root's name
    /// in brackets: nothing is there, and whoever reads it sees why.
    pub(crate) fn to_local(&self, root: &str, path: &str) -> String {
        match self.0.get(root) {
            _ if root.is_empty() => path.to_owned(),
            Some(folder) => format!("{folder}/{path}"),
            None => format!("[{root}]/{path}"),
        }
    }

    /// What of the database lies in a folder here: for each root, the paths below it that do (empty for all).
    pub(crate) fn within(&self, folder: &str) -> Vec<DbPath> {
        let folder = folder.trim_end_matches(is_separator);
        let mut found = vec![DbPath { root: String::new(), path: folder.to_owned() }];
        for (name, root) in self.iter() {
            let rest = if root == folder || below(root, folder).is_some() {
                String::new()
            } else if let Some(rest) = below(folder, root) {
                with_slashes(rest)
            } else {
                continue;
            };
            found.push(DbPath { root: name.to_owned(), path: rest });
        }
        found
    }
}

/// A path below a root as every machine reads it.
fn with_slashes(path: &str) -> String {
    // On Unix a backslash is part of a name.
    if std::path::MAIN_SEPARATOR == '/' {
        path.to_owned()
    } else {
        path.replace(std::path::MAIN_SEPARATOR, "/")
    }
}

fn is_separator(c: char) -> bool {
    c == '/' || c == std::path::MAIN_SEPARATOR
}

/// The part of `path` below `folder`.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_prefix(is_separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots() -> Roots {
        let mut roots = Roots::default();
        roots.set("library", "/mnt/sounds/");
        roots.set("foley", "/mnt/sounds/foley");
        roots
    }

    fn db(root: &str, path: &str) -> DbPath {
        DbPath { root: root.into(), path: path.into() }
    }

    #[test]
    fn a_path_belongs_to_the_deepest_root() {
        let here = roots();
        let mut there = Roots::default();
        there.set("library", "/Volumes/Sounds");
        for (path, expected, elsewhere) in [
            ("/mnt/sounds/rain.wav", db("library", "rain.wav"), "/Volumes/Sounds/rain.wav"),
            ("/mnt/sounds/foley/door.wav", db("foley", "door.wav"), "[foley]/door.wav"),
            ("/mnt/sounds2/rain.wav", db("", "/mnt/sounds2/rain.wav"), "/mnt/sounds2/rain.wav"),
        ] {
            let found = here.to_db(path);
            assert_eq!(found, expected);
            assert_eq!(here.to_local(&found.root, &found.path), path);
            assert_eq!(there.to_local(&found.root, &found.path), elsewhere);
        }
    }

    #[test]
    fn a_folder_may_hold_roots_and_lie_in_one() {
        let here = roots();
        assert_eq!(here.within("/mnt"), [db("", "/mnt"), db("foley", ""), db("library", "")]);
        let foley = "/mnt/sounds/foley";
        assert_eq!(here.within(foley), [db("", foley), db("foley", ""), db("library", "foley")]);
        let doors = "/mnt/sounds/foley/doors/";
        let expected =
            [db("", "/mnt/sounds/foley/doors"), db("foley", "doors"), db("library", "foley/doors")];
        assert_eq!(here.within(doors), expected);
        assert_eq!(here.within("/mnt/sound"), [db("", "/mnt/sound")]);
    }
}
