//! The table of rooms in ARCHITECTURE.md, held against the crates: which rooms each uses, which packages only it
//! uses, and that no message below the command line speaks its language.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::shell::Repo;

/// What the table says of a room.
#[derive(Debug, Default, PartialEq, Eq)]
struct Room {
    /// The rooms that it may use.
    uses: BTreeSet<String>,
    /// Packages that no other room may use.
    only_here: BTreeSet<String>,
}

/// Rooms whose messages may name flags and commands: the command line, and the chores.
const SPEAK: [&str; 2] = ["cli", "xtask"];

/// Places whose strings look like flags and are none, with what they are.
const NO_FLAGS: [(&str, &str); 2] = [
    ("hub/src/install/export.rs", "arguments of pip and of recipes"),
    ("eval/src/report/html", "custom properties of style sheets"),
];

pub(crate) fn check(repo: &Repo) -> Result<()> {
    let text = fs::read_to_string(repo.root.join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    let table = read_table(&text)?;
    let crates = repo.root.join("crates");
    let mut wrong = Vec::new();
    for (name, room) in &table {
        let folder = if name == "python" { repo.root.join("python") } else { crates.join(name) };
        let manifest = if name == "cli" { repo.root.join("Cargo.toml") } else { folder.join("Cargo.toml") };
        if !manifest.is_file() {
            wrong.push(format!("{name}: the table names a room that is not there"));
            continue;
        }
        let used = dependencies(&fs::read_to_string(&manifest)?);
        for dependency in &used {
            if let Some(other) = dependency.strip_prefix("earmark-")
                && !room.uses.contains(other)
            {
                wrong.push(format!("{name}: uses {other}, which the table does not allow"));
            }
            if let Some((owner, _)) =
                table.iter().find(|(owner, other)| *owner != name && other.only_here.contains(dependency))
            {
                wrong.push(format!("{name}: uses {dependency}, which only {owner} may use"));
            }
        }
        for other in room.uses.iter().filter(|other| !used.contains(&format!("earmark-{other}"))) {
            wrong.push(format!("{name}: the table says that it uses {other}, and it does not"));
        }
        if !SPEAK.contains(&name.as_str()) {
            for path in sources(&folder)? {
                let shown = path.strip_prefix(&crates).unwrap_or(&path).display().to_string();
                if NO_FLAGS.iter().any(|(place, _)| shown.starts_with(place)) {
                    continue;
                }
                for (line, literal) in literals(&fs::read_to_string(&path)?) {
                    if speaks_of_the_command_line(&literal) {
                        wrong.push(format!(
                            "crates/{shown}:{line}: a message below the command line names a flag or a command; make the \
                             remedy data, and its words crates/cli/remedies.rs: {literal:?}"
                        ));
                    }
                }
            }
        }
    }
    for entry in fs::read_dir(&crates)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !table.contains_key(&name) {
            wrong.push(format!("{name}: a room that the table in ARCHITECTURE.md does not have"));
        }
    }
    ensure!(
        wrong.is_empty(),
        "rooms that know what they must not, or a table that is old:\n{}",
        wrong.join("\n")
    );
    Ok(())
}

/// The rows `| `crates/NAME` | … | uses | only here | … |` of the table of rooms.
fn read_table(text: &str) -> Result<BTreeMap<String, Room>> {
    let mut rooms = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `crates/") || line.starts_with("| `python`")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, _, uses, only_here, _] = cells.as_slice() else {
            bail!("ARCHITECTURE.md: expected five columns in the table of rooms, got: {line}");
        };
        let name = name.trim_matches('`').trim_start_matches("crates/").to_owned();
        let list = |cell: &str| -> BTreeSet<String> {
            let names = cell.split(',').map(|name| name.trim().trim_matches('`').to_owned());
            names.filter(|name| !name.is_empty() && name != "-").collect()
        };
        rooms.insert(name, Room { uses: list(uses), only_here: list(only_here) });
    }
    ensure!(!rooms.is_empty(), "ARCHITECTURE.md has no table of rooms");
    Ok(rooms)
}

/// The packages of a manifest's `[dependencies]`, those for tests and builds left out.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut section = "";
    let mut found = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]"
            && let Some((name, _)) = line.split_once(['=', '.'])
        {
            found.insert(name.trim().to_owned());
        }
    }
    found
}

/// The Rust sources of a room, without those of its tests, benches and examples.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.join("src")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path.file_stem().is_some_and(|stem| stem != "tests" && stem != "testing")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a text names a flag (`--wait`) or a command (`earmark index` in backquotes).
fn speaks_of_the_command_line(literal: &str) -> bool {
    let is_flag = |(at, _): (usize, &str)| {
        let before = literal[..at].chars().next_back();
        let after = literal[at + 2..].chars().next();
        after.is_some_and(|c| c.is_ascii_lowercase())
            && before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-')
    };
    literal.contains("`earmark ") || literal.match_indices("--").any(is_flag)
}

/// The string literals of a source file before its tests, each with its line.
fn literals(source: &str) -> Vec<(usize, String)> {
    let source = source.split("\n#[cfg(test)]\n").next().unwrap_or_default();
    let chars: Vec<char> = source.chars().collect();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    let starts = |at: usize, text: &str| chars[at..].iter().take(text.len()).copied().eq(text.chars());
    while at < chars.len() {
        match chars[at] {
            '\n' => line += 1,
            '/' if starts(at, "//") => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
                continue;
            }
            // A quote as a character, which begins no text.
            '\'' if starts(at, "'\"'") => at += 2,
            '\'' if starts(at, "'\\\"'") => at += 3,
            'r' if starts(at, "r\"") || starts(at, "r#\"") => {
                let hashes = usize::from(chars[at + 1] == '#');
                let end: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                at += 2 + hashes;
                let (begun, first) = (at, line);
                while at < chars.len() && !starts(at, &end) {
                    line += usize::from(chars[at] == '\n');
                    at += 1;
                }
                found.push((first, chars[begun..at].iter().collect()));
                at += hashes;
            }
            '"' => {
                at += 1;
                let (begun, first) = (at, line);
                while at < chars.len() && chars[at] != '"' {
                    at += usize::from(chars[at] == '\\');
                    line += usize::from(chars.get(at) == Some(&'\n'));
                    at += 1;
                }
                found.push((first, chars[begun..at.min(chars.len())].iter().collect()));
            }
            _ => {}
        }
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_commands_are_found_in_texts_alone() {
        for spoken in ["wait for it with --wait", "--hop", "`earmark index` creates one", "(--a)"] {
            assert!(speaks_of_the_command_line(spoken), "{spoken}");
        }
        for silent in ["a -- b", "2026--11", "--", "---", "this earmark reads version 3", "--8<--"] {
            assert!(!speaks_of_the_command_line(silent), "{silent}");
        }
    }

    #[test]
    fn texts_are_read_and_comments_and_tests_are_not() {
        let source = "// \"no\"\nlet a = \"yes \\\" --x\";\nlet c = '\"';\nlet r = r#\"raw\n\"#;\nlet b = \"two\";\n#[cfg(test)]\nlet t = \"no\";";
        let found = literals(source);
        assert_eq!(found, [(2, "yes \\\" --x".to_owned()), (4, "raw\n".to_owned()), (6, "two".to_owned())]);
    }

    #[test]
    fn a_row_says_what_a_room_uses_and_owns() -> Result<()> {
        let table = read_table("| room | x |\n| `crates/a` | it | b, `c` | `ort` | not x |\n")?;
        assert_eq!(table["a"].uses, BTreeSet::from(["b".to_owned(), "c".to_owned()]));
        assert_eq!(table["a"].only_here, BTreeSet::from(["ort".to_owned()]));
        assert!(read_table("| `crates/a` | it | b |\n").is_err());
        Ok(())
    }

    #[test]
    fn dependencies_are_those_of_the_product() {
        let manifest = "[dependencies]\nort.workspace = true\nserde = \"1\"\n[dev-dependencies]\nx = \"1\"\n";
        assert_eq!(dependencies(manifest), BTreeSet::from(["ort".to_owned(), "serde".to_owned()]));
    }
}
