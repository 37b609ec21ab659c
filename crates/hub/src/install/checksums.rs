//! Checksums that a manifest lacks, written into it.

use std::fs;
use std::path::Path;

use earmark_encoder::Manifest;

use super::InstallError;
use crate::sha256_of_file;

/// Writes the sizes and checksums that the manifest in `folder`, whose text is `text`, lacks into it, and
/// changes nothing else in it. Gives the files that had none.
///
/// # Errors
/// [`InstallError::Io`]; [`InstallError::Manifest`] if it cannot be written as TOML.
pub fn fill_in_checksums(
    folder: &Path,
    manifest: &Manifest,
    text: &str,
) -> Result<Vec<String>, InstallError> {
    let filled: Vec<String> = manifest.unpinned().map(|file| file.path.clone()).collect();
    if !filled.is_empty() {
        replace_manifest(folder, &filled_in(text, manifest, folder)?)?;
    }
    Ok(filled)
}

/// Puts the manifest of `folder` in place of the one that is there, whole or not at all.
pub(super) fn replace_manifest(folder: &Path, text: &str) -> Result<(), InstallError> {
    let (new, path) = (folder.join(".manifest.toml.new"), folder.join("manifest.toml"));
    fs::write(&new, text).map_err(InstallError::io(&new))?;
    fs::rename(&new, &path).map_err(InstallError::io(&path))
}

/// The `text` of a manifest, with the sizes and checksums that it lacks, of the files in `folder`.
pub(super) fn filled_in(text: &str, manifest: &Manifest, folder: &Path) -> Result<String, InstallError> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut filled = manifest.clone();
    let unpinned = filled.files.iter_mut().filter(|file| file.bytes.is_none() || file.sha256.is_none());
    for file in unpinned {
        let path = folder.join(&file.path);
        let mut added = Vec::new();
        if file.bytes.is_none() {
            let bytes = path.metadata().map_err(InstallError::io(&path))?.len();
            file.bytes = Some(bytes);
            added.push(format!("bytes = {bytes}"));
        }
        if file.sha256.is_none() {
            let sha256 = sha256_of_file(&path).map_err(InstallError::io(&path))?;
            added.push(format!("sha256 = \"{sha256}\""));
            file.sha256 = Some(sha256);
        }
        if let Some(at) = line_of(&lines, &file.path) {
            lines.splice(at + 1..at + 1, added);
        }
    }
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let text = lines.join(end) + end;
    // A manifest that is written in another way, such as with inline tables, loses its comments.
    match Manifest::parse(&text, "manifest.toml") {
        Ok(written) if written == filled => Ok(text),
        _ => write_manifest(&filled),
    }
}

/// A manifest as TOML.
pub(super) fn write_manifest(manifest: &Manifest) -> Result<String, InstallError> {
    toml::to_string(manifest)
        .map_err(|e| InstallError::Manifest { model: manifest.id.clone(), reason: e.to_string() })
}

/// The line `path = "…"` of a file in its table of `[[files]]`.
fn line_of(lines: &[String], path: &str) -> Option<usize> {
    let mut in_files = false;
    lines.iter().position(|line| {
        let line = line.trim();
        if line.starts_with('[') {
            in_files = line.replace(' ', "").starts_with("[[files]]");
        }
        let value = line.strip_prefix("path").map(str::trim_start).and_then(|rest| rest.strip_prefix('='));
        let value = value.and_then(|value| toml::from_str::<toml::Table>(&format!("path ={value}")).ok());
        in_files && value.is_some_and(|table| table.get("path").and_then(toml::Value::as_str) == Some(path))
    })
}

#[cfg(test)]
mod tests {
    use earmark_encoder::Catalogue;

    use super::*;

    /// `mini`'s manifest without sums, with comments, and its files.
    fn mini(folder: &Path, edit: impl Fn(&str) -> String) -> String {
        for (name, bytes) in Catalogue::compiled_in("mini") {
            fs::write(folder.join(name), bytes).unwrap();
        }
        let path = folder.join("manifest.toml");
        let text = fs::read_to_string(&path).unwrap();
        let unpinned = |line: &&str| !line.starts_with("bytes") && !line.starts_with("sha256");
        let text = edit(&text.lines().filter(unpinned).collect::<Vec<_>>().join("\n"));
        fs::write(&path, &text).unwrap();
        text
    }

    fn fill_in(folder: &Path) -> Result<Vec<String>, InstallError> {
        let text = fs::read_to_string(folder.join("manifest.toml")).unwrap();
        fill_in_checksums(folder, &Manifest::parse(&text, "m").unwrap(), &text)
    }

    #[test]
    fn missing_sums_are_written_and_nothing_else_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let before = mini(dir.path(), |text| text.replace("[[files]]", "# mine\n[[files]] # so"));
        assert_eq!(fill_in(dir.path()).unwrap().len(), 4);
        let after = fs::read_to_string(dir.path().join("manifest.toml")).unwrap();
        let without = |line: &&str| !line.starts_with("bytes") && !line.starts_with("sha256");
        assert_eq!(after.lines().filter(without).collect::<Vec<_>>(), before.lines().collect::<Vec<_>>());
        let manifest = Manifest::parse(&after, "m").unwrap();
        assert_eq!(manifest.unpinned().count(), 0);
        assert_eq!(fill_in(dir.path()).unwrap(), Vec::<String>::new(), "a second time");
    }

    #[test]
    fn a_manifest_in_another_style_has_its_sums_too() {
        let dir = tempfile::tempdir().unwrap();
        mini(dir.path(), |text| {
            let (head, _) = text.split_once("[[files]]").unwrap();
            let names = ["audio.onnx", "text.onnx", "tokenizer.json", "axes.txt"];
            let files = names.map(|name| format!("{{ path = \"{name}\" }}")).join(", ");
            format!("files = [{files}]\n{head}")
        });
        fill_in(dir.path()).unwrap();
        let text = fs::read_to_string(dir.path().join("manifest.toml")).unwrap();
        assert_eq!(Manifest::parse(&text, "m").unwrap().unpinned().count(), 0);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        mini(dir.path(), str::to_owned);
        fs::remove_file(dir.path().join("text.onnx")).unwrap();
        let e = fill_in(dir.path()).unwrap_err().to_string();
        assert!(e.contains("text.onnx"), "{e}");
    }
}
