//! The licences of the crates that are linked into the program: a list, and the texts that must travel with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::shell::{self, Repo};

/// How the texts are named in published crates.
const TEXT_NAMES: &[&str] = &["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// A crate of somebody else's.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    licence: String,
    repository: String,
}

/// The list, then each text once with the crates that it belongs to.
pub(crate) fn of_crates(repo: &Repo) -> Result<String> {
    let mut tree = repo.cargo();
    // Only what is linked, on this target: no build scripts, no macros, no tests.
    tree.args(["tree", "--locked", "--package", "earmark", "--edges", "normal,no-proc-macro"]);
    tree.args(["--prefix", "none", "--format", "{p}\t{l}\t{r}"]);
    let crates = linked(&shell::output(&mut tree)?)?;
    ensure!(!crates.is_empty(), "cargo tree names no crates");

    let mut text = String::from(
        "earmark is linked with these crates, unchanged, and with the Rust standard library (MIT OR Apache-2.0).\n\
         The source of each is in the public registry of Rust under its name and version, and at the address given.\n\n",
    );
    for Crate { name, version, licence, repository } in &crates {
        writeln!(text, "{name} {version}: {licence} {repository}")?;
    }
    for (licence, owners) in texts(&crates)? {
        writeln!(text, "\n{}\n{}\n\n{licence}", "=".repeat(100), owners.join(", "))?;
    }
    Ok(text)
}

/// Reads what cargo tree prints, `name v1.2.3 (…)`, licence and repository between tabs. Our own crates, which carry
/// a path, are left out.
fn linked(tree: &str) -> Result<Vec<Crate>> {
    let mut crates = Vec::new();
    for line in tree.lines() {
        let mut columns = line.split('\t');
        let (package, licence, repository) =
            (columns.next().unwrap_or_default(), columns.next(), columns.next());
        if package.contains(['(', '/']) {
            continue;
        }
        let (name, version) =
            package.split_once(" v").with_context(|| format!("cargo tree says {line:?}"))?;
        // A crate that was listed before has ` (*)` at the end of its line.
        let clean =
            |column: Option<&str>| column.unwrap_or_default().trim_end_matches("(*)").trim().to_owned();
        crates.push(Crate {
            name: name.to_owned(),
            version: version.trim().to_owned(),
            licence: clean(licence),
            repository: clean(repository),
        });
    }
    crates.sort();
    crates.dedup();
    Ok(crates)
}

/// Every licence text in the sources that cargo has unpacked, and the crates it is in.
fn texts(crates: &[Crate]) -> Result<BTreeMap<String, Vec<String>>> {
    let registries = shell::cargo_home().context("cargo has no home folder")?.join("registry/src");
    let registries: Vec<PathBuf> = fs::read_dir(&registries)
        .with_context(|| format!("cannot read {}", registries.display()))?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Crate { name, version, .. } in crates {
        let folder = format!("{name}-{version}");
        let sources = registries.iter().map(|registry| registry.join(&folder)).find(|source| source.is_dir());
        let sources = sources.with_context(|| format!("cargo has no sources of {folder}"))?;
        for file in texts_in(&sources, TEXT_NAMES)? {
            let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let text = plain(&String::from_utf8_lossy(&bytes));
            let owners = found.entry(text).or_default();
            if !owners.contains(&folder) {
                owners.push(folder.clone());
            }
        }
    }
    Ok(found)
}

/// Files of a folder whose names begin like one of `names`, sorted.
pub(crate) fn texts_in(folder: &Path, names: &[&str]) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_uppercase();
            names.iter().any(|wanted| name.starts_with(wanted))
        })
        .collect();
    files.sort();
    Ok(files)
}

/// The text without what differs between copies of the same licence: line ends and white space around.
fn plain(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_read_without_our_own_crates_and_each_crate_once() -> Result<()> {
        let tree = "earmark v0.1.0 (/work/main)\tMIT OR Apache-2.0\t\n\
                    sled v0.34.7\tMIT/Apache-2.0\thttps://example.org/sled\n\
                    libc v0.2.170\tMIT OR Apache-2.0\thttps://example.org/libc\n\
                    sled v0.34.7\tMIT/Apache-2.0\thttps://example.org/sled (*)\n";
        let crates = linked(tree)?;
        let names: Vec<&str> = crates.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["libc", "sled"]);
        assert_eq!(crates[1].repository, "https://example.org/sled");
        assert!(linked("nonsense").is_err());
        Ok(())
    }

    #[test]
    fn copies_of_a_text_that_differ_in_line_ends_are_one() {
        assert_eq!(plain("\n\nMIT  \r\nfree\r\n\n"), plain("MIT\nfree"));
    }

    #[test]
    fn texts_are_found_by_the_start_of_their_names() -> Result<()> {
        let dir = tempfile::tempdir()?;
        for name in ["LICENSE-MIT", "license.txt", "README.md", "src.rs"] {
            fs::write(dir.path().join(name), "")?;
        }
        fs::create_dir(dir.path().join("LICENSES"))?;
        let files = texts_in(dir.path(), TEXT_NAMES)?;
        assert_eq!(files.len(), 2, "{files:?}");
        Ok(())
    }
}
