//! The repository's own rules, which no other tool knows: what its files may say, and how large they may grow.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::digest;
use crate::shell::{self, Repo};

/// Hosts of package registries. Packages come through their clients, which may be pointed to a mirror; a host in a
/// file would go around it. Written in halves, since this file is searched too.
const REGISTRY_HOSTS: &[&str] = &[
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("://", "crates.io"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("deb.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
];

/// Files that a tool writes, in a form that we cannot choose.
const GENERATED: &[&str] = &[":(exclude)Cargo.lock"];

/// Folders that must stay small, since everybody who clones pays for them: path, and limit in bytes.
const BUDGETS: &[(&str, u64)] =
    &[("index-data", 3_000_000), ("models/mini", 35_000_000), ("tests/fixtures/models", 12_000_000)];

pub(crate) fn check(repo: &Repo) -> Result<()> {
    model_files(&repo.root.join("models"))?;
    model_files(&repo.root.join("tests/fixtures/models"))?;
    if !shell::works(repo.command("git").args(["rev-parse", "--is-inside-work-tree"])) {
        eprintln!("skipped: rules about files in git (this is not a git checkout)");
        return Ok(());
    }
    no_registry_host(repo)?;
    for (folder, limit) in BUDGETS {
        let files = shell::output(repo.command("git").args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            folder,
        ]))?;
        within_budget(&repo.root, folder, files.split_terminator('\0'), *limit)?;
    }
    Ok(())
}

fn no_registry_host(repo: &Repo) -> Result<()> {
    let mut search = repo.command("git");
    search.args(["grep", "--untracked", "-I", "-n", "-i", "-F"]);
    search.args(REGISTRY_HOSTS.iter().flat_map(|host| ["-e", host]));
    search.args(["--", "."]).args(GENERATED);
    // git grep exits with 1 when it finds nothing, which is what we want.
    let found = search.output().context("cannot start git")?;
    match found.status.code() {
        Some(1) => Ok(()),
        Some(0) => bail!(
            "these lines name the host of a package registry; use its client, which knows its mirror:\n{}",
            String::from_utf8_lossy(&found.stdout)
        ),
        _ => bail!("git grep failed: {}", String::from_utf8_lossy(&found.stderr)),
    }
}

/// Each model's files are those that its manifest lists, to the byte: nobody has changed weights by hand. A model
/// whose weights are not in the repository has none to check.
fn model_files(models: &Path) -> Result<()> {
    let Ok(folders) = fs::read_dir(models) else { return Ok(()) };
    for folder in folders {
        let folder = folder?.path();
        let manifest = folder.join("manifest.toml");
        if !manifest.is_file() {
            continue;
        }
        let text = fs::read_to_string(&manifest)?;
        for file in listed_files(&text).with_context(|| format!("in {}", manifest.display()))? {
            let path = folder.join(file.path);
            let Ok(metadata) = path.metadata() else { continue };
            let (Some(expected), Some(sha256)) = (file.bytes, file.sha256) else { continue };
            let bytes = metadata.len();
            ensure!(bytes == expected, "{}: {bytes} bytes, the manifest says {expected}", path.display());
            digest::check_sha256(&path, sha256)?;
        }
    }
    Ok(())
}

/// One `[[files]]` table of a model's manifest.
#[derive(Debug, PartialEq, Eq)]
struct ListedFile<'a> {
    path: &'a str,
    /// Not known of a model that is yet to be exported, and then there is no sum either.
    bytes: Option<u64>,
    sha256: Option<&'a str>,
}

/// Reads the `[[files]]` tables, as the recipes write them: one `key = value` a line. The product reads manifests
/// with a real TOML parser; one more here would double the time that xtask takes to build.
fn listed_files(manifest: &str) -> Result<Vec<ListedFile<'_>>> {
    let tables = manifest.split("[[files]]").skip(1);
    tables
        .map(|table| {
            let table = table.split("\n[").next().unwrap_or_default();
            let value = |key: &str| {
                table
                    .lines()
                    .filter_map(|line| line.split_once('='))
                    .find(|(name, _)| name.trim() == key)
                    .map(|(_, value)| value.trim().trim_matches('"'))
            };
            let number =
                |text: &str| text.replace('_', "").parse().with_context(|| format!("bytes = {text}"));
            let path = value("path").context("a [[files]] table has no path")?;
            let (bytes, sha256) = (value("bytes").map(number).transpose()?, value("sha256"));
            ensure!(bytes.is_some() == sha256.is_some(), "{path}: bytes and sha256 go together");
            Ok(ListedFile { path, bytes, sha256 })
        })
        .collect()
}

fn within_budget<'a>(
    root: &Path,
    folder: &str,
    files: impl Iterator<Item = &'a str>,
    limit: u64,
) -> Result<()> {
    // A file that is in git's list and not on disk has been deleted, and the deletion not yet committed.
    let total: u64 = files.filter_map(|file| root.join(file).metadata().ok()).map(|meta| meta.len()).sum();
    ensure!(
        total <= limit,
        "{folder}: {total} bytes, more than the {limit} that everybody's clone has room for"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
id = "m"
bytes = 7

[[files]]
path = "a.onnx"
bytes = 3
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

[[files]]
path = "b.txt"
bytes = 1_000
sha256 = "00"

[other]
path = "no file"
"#;

    #[test]
    fn reads_the_files_that_a_manifest_lists_and_nothing_else() -> Result<()> {
        let files = listed_files(MANIFEST)?;
        assert_eq!(files.len(), 2);
        assert_eq!(files[1], ListedFile { path: "b.txt", bytes: Some(1000), sha256: Some("00") });
        assert_eq!(listed_files("[[files]]\npath = \"x\"\n")?[0].bytes, None);
        assert!(listed_files("[[files]]\npath = \"x\"\nbytes = 1\n").is_err());
        assert!(listed_files("[[files]]\npath = \"x\"\nbytes = many\nsha256 = \"0\"\n").is_err());
        Ok(())
    }

    #[test]
    fn weights_that_were_changed_by_hand_are_named() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let model = dir.path().join("m");
        fs::create_dir(&model)?;
        let only_a = MANIFEST.split("\n[[files]]\npath = \"b").next().unwrap_or_default();
        fs::write(model.join("manifest.toml"), only_a)?;
        fs::write(model.join("a.onnx"), "abc")?;
        model_files(dir.path())?;

        fs::write(model.join("a.onnx"), "abd")?;
        let message = format!("{:#}", model_files(dir.path()).unwrap_err());
        assert!(message.contains("a.onnx is not the file that was pinned"), "{message}");

        fs::write(model.join("a.onnx"), "abcd")?;
        let message = format!("{:#}", model_files(dir.path()).unwrap_err());
        assert!(message.contains("4 bytes, the manifest says 3"), "{message}");
        Ok(())
    }

    #[test]
    fn a_folder_over_its_budget_is_refused() -> Result<()> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("a"), [0; 10])?;
        fs::write(dir.path().join("b"), [0; 10])?;
        let check = |limit| within_budget(dir.path(), "f", ["a", "b", "deleted"].into_iter(), limit);
        check(20)?;
        assert!(check(19).is_err());
        Ok(())
    }
}
