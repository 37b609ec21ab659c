//! The Debian package: what `package` put into its folder, laid out for a system, with a systemd unit.
//!
//! dpkg-deb packs it; every Debian has that. cargo-deb would be 72 crates to build for what is a table of
//! paths here.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::shell::{self, Repo, run};

/// Where things go: a file or folder as `package` left it, and its place in the package. A place that ends
/// with `/` is a folder to copy into.
const LAYOUT: &[(&str, &str)] = &[
    ("earmark", "usr/bin/"),
    // One of the folders in which earmark looks for it.
    ("libonnxruntime.so", "usr/lib/earmark/"),
    ("man", "usr/share/man/man1"),
    ("completions/earmark.bash", "usr/share/bash-completion/completions/earmark"),
    ("completions/_earmark", "usr/share/zsh/vendor-completions/"),
    ("completions/earmark.fish", "usr/share/fish/vendor_completions.d/"),
    ("CHANGELOG.md", "usr/share/doc/earmark/"),
    ("licences", "usr/share/doc/earmark/licences"),
    ("LICENSE-MIT", "usr/share/doc/earmark/licences/"),
    ("LICENSE-APACHE", "usr/share/doc/earmark/licences/"),
];

/// Files of crates/xtask/debian: place, contents, whether it is a program.
const FILES: &[(&str, &str, bool)] = &[
    ("usr/lib/systemd/system/earmark.service", include_str!("../debian/earmark.service"), false),
    ("etc/earmark/serve.toml", include_str!("../debian/serve.toml"), false),
    ("usr/share/doc/earmark/copyright", include_str!("../debian/copyright"), false),
    ("DEBIAN/postinst", include_str!("../debian/postinst"), true),
    ("DEBIAN/prerm", include_str!("../debian/prerm"), true),
    ("DEBIAN/postrm", include_str!("../debian/postrm"), true),
    ("DEBIAN/conffiles", "/etc/earmark/serve.toml\n", false),
];

/// Makes the package of what is in `folder`, beside it; `None` where there is no dpkg-deb.
pub(crate) fn deb(repo: &Repo, folder: &Path, version: &str) -> Result<Option<PathBuf>> {
    let Some(architecture) = architecture() else { return Ok(None) };
    if !shell::works(Command::new("dpkg-deb").arg("--version")) {
        eprintln!("skipped: the Debian package (dpkg-deb is not installed)");
        return Ok(None);
    }
    let name = format!("earmark_{version}_{architecture}");
    let dist = folder.parent().context("the package is in no folder")?;
    let stage = dist.join(&name);
    if stage.exists() {
        fs::remove_dir_all(&stage).with_context(|| format!("cannot remove {}", stage.display()))?;
    }
    lay_out(folder, &stage)?;
    let bytes = bytes_in(&stage)?;
    let glibc =
        newest_glibc(&[&stage.join("usr/bin/earmark"), &library_in(&stage.join("usr/lib/earmark"))?])?;
    fs::write(stage.join("DEBIAN/control"), control(version, architecture, bytes, glibc))?;
    compress(&stage)?;
    // What is executable, for everybody, whatever the umask was.
    run(repo.command("chmod").args(["-R", "u=rwX,go=rX"]).arg(&stage))?;
    let package = dist.join(format!("{name}.deb"));
    run(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(&stage).arg(&package))?;
    fs::remove_dir_all(&stage)?;
    Ok(Some(package))
}

/// Debian's name for the architecture we build for.
fn architecture() -> Option<&'static str> {
    match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => Some("amd64"),
        ("linux", "aarch64") => Some("arm64"),
        _ => None,
    }
}

fn lay_out(folder: &Path, stage: &Path) -> Result<()> {
    for (from, to) in LAYOUT {
        let from = match *from {
            "libonnxruntime.so" => library_in(folder)?,
            name => folder.join(name),
        };
        let to = match to.strip_suffix('/') {
            Some(parent) => stage.join(parent).join(from.file_name().unwrap_or_default()),
            None => stage.join(to),
        };
        copy(&from, &to)?;
    }
    for (to, text, program) in FILES {
        let to = stage.join(to);
        fs::create_dir_all(to.parent().unwrap_or(stage))?;
        fs::write(&to, text)?;
        if *program {
            run(Command::new("chmod").arg("+x").arg(&to))?;
        }
    }
    Ok(())
}

/// Copies a file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let what = || format!("cannot copy {} to {}", from.display(), to.display());
    if from.is_dir() {
        fs::create_dir_all(to).with_context(what)?;
        for entry in fs::read_dir(from).with_context(what)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    fs::create_dir_all(to.parent().unwrap_or(to)).with_context(what)?;
    fs::copy(from, to).with_context(what).map(drop)
}

/// The ONNX Runtime library in a folder; its name has its version.
fn library_in(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = entries.flatten().map(|entry| entry.path());
    let is_library = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so"))
    };
    files.find(is_library).with_context(|| format!("{} has no ONNX Runtime", folder.display()))
}

fn bytes_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { bytes_in(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

/// Debian wants man pages and the changelog compressed.
fn compress(stage: &Path) -> Result<()> {
    let mut files = vec![stage.join("usr/share/doc/earmark/CHANGELOG.md")];
    for page in fs::read_dir(stage.join("usr/share/man/man1"))? {
        files.push(page?.path());
    }
    shell::output(Command::new("gzip").args(["--best", "--no-name"]).args(files)).map(drop)
}

fn control(version: &str, architecture: &str, bytes: u64, (major, minor): (u32, u32)) -> String {
    let kib = bytes.div_ceil(1024);
    format!(
        "Package: earmark\n\
         Version: {version}\n\
         Architecture: {architecture}\n\
         Maintainer: the earmark authors <earmark@localhost>\n\
         Installed-Size: {kib}\n\
         Depends: libc6 (>= {major}.{minor}), libgcc-s1, libstdc++6\n\
         Suggests: ffmpeg\n\
         Section: sound\n\
         Priority: optional\n\
         Description: find and label sounds by describing them\n \
         earmark listens to sound files once and keeps what it heard in an index.\n \
         Then they can be searched by words or by example, labelled with any words,\n \
         and asked when a sound occurs. The model it needs is inside; nothing is\n \
         sent anywhere. A systemd unit serves a page and an HTTP API; it is not\n \
         enabled by default.\n"
    )
}

/// The newest glibc that these binaries need, from the names of symbol versions in them.
fn newest_glibc(binaries: &[&Path]) -> Result<(u32, u32)> {
    let mut newest = None;
    for binary in binaries {
        let bytes = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
        newest = newest.max(glibc_versions(&bytes).max());
    }
    newest.context("the binaries name no version of glibc")
}

fn glibc_versions(bytes: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    const NAME: &[u8] = b"GLIBC_";
    bytes.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME).filter_map(|(at, _)| {
        let version = bytes[at + NAME.len()..].iter().take_while(|b| b.is_ascii_digit() || **b == b'.');
        let version: String = version.map(|&b| b as char).collect();
        let mut parts = version.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}

/// The value of a key in a unit file: every line that sets it.
pub(crate) fn unit_values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.split_once('=')).filter(|(k, _)| *k == key).map(|(_, v)| v).collect()
}

/// `ExecStart` of the unit, as words.
pub(crate) fn exec_start(unit: &str) -> Result<Vec<&str>> {
    let lines = unit_values(unit, "ExecStart");
    ensure!(lines.len() == 1, "expected one ExecStart, found {}", lines.len());
    Ok(lines[0].split_whitespace().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_glibc_is_found_among_symbol_versions() {
        let bytes = b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0GLIBCXX_3.4.30\0";
        assert_eq!(glibc_versions(bytes).max(), Some((2, 34)));
        assert_eq!(glibc_versions(b"none").max(), None);
    }

    #[test]
    fn the_control_file_has_every_field_that_dpkg_requires() {
        let text = control("0.1.0", "amd64", 2_000_000, (2, 34));
        for field in ["Package: earmark", "Version: 0.1.0", "Installed-Size: 1954", "libc6 (>= 2.34)"] {
            assert!(text.contains(field), "{field} is not in\n{text}");
        }
        // Continued lines of the description start with a space.
        assert!(text.lines().all(|line| line.starts_with(' ') || line.contains(": ")), "{text}");
    }

    #[test]
    fn the_unit_runs_the_program_and_the_settings_that_the_package_installs() -> Result<()> {
        let unit = FILES.iter().find(|(place, ..)| place.ends_with(".service")).map_or("", |file| file.1);
        let words = exec_start(unit)?;
        assert_eq!(words[..2], ["/usr/bin/earmark", "serve"]);
        assert!(FILES.iter().any(|(place, ..)| words.contains(&format!("/{place}").as_str())), "{words:?}");
        Ok(())
    }
}
