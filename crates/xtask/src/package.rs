//! `cargo xtask package`: a folder that runs wherever it is put, and an archive of it.
//!
//! earmark looks for ONNX Runtime beside itself, and carries its default model, so the folder needs nothing else.
//! The archive is unpacked elsewhere and tried with an empty environment before it is called done.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::deb;
use crate::deb_check;
use crate::notices;
use crate::setup;
use crate::shell::{self, Repo, run};

/// Models that are inside the program; their licences go with it. ced-tiny's is mini's, whose graph it is.
const BUNDLED_MODELS: [&str; 4] = ["mini", "ced-tiny", "yamnet", "musicnn"];

/// Shells that `earmark completions` knows, and the file names by which they find completions.
const COMPLETIONS: &[(&str, &str)] =
    &[("bash", "earmark.bash"), ("zsh", "_earmark"), ("fish", "earmark.fish")];

/// A short sound that is in every checkout, for the trial.
const TRIAL_SOUND: &str = "tests/fixtures/mini/chord-1s.wav";

/// What the packages are made of, and for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// For users: built for release.
    Release,
    /// To see that packages can be made, installed, used and removed: from the build that the tests use, which is
    /// much faster to make and larger.
    Check,
}

pub(crate) fn package(repo: &Repo, build: Build) -> Result<()> {
    let library = setup::ensure_pinned(repo)?;
    let binary = match build {
        Build::Release => {
            run(repo.cargo().args(["build", "--release", "--locked", "--package", "earmark"]))?;
            repo.release_binary()
        }
        Build::Check => repo.build_for_tests()?,
    };
    let dist = match build {
        Build::Release => repo.root.join("dist"),
        Build::Check => repo.target.join("package-check"),
    };
    let version = version(&binary)?;
    let name = format!("earmark-{version}-{}", target(repo)?);
    let folder = dist.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fill(repo, &folder, &binary, &library)?;

    let archive = format!("{name}.tar.gz");
    run(Command::new("tar").current_dir(&dist).args(["-czf", &archive, &name]))?;
    let archive = dist.join(archive);
    trial(repo, &archive, &name)?;
    let megabytes = archive.metadata()?.len().div_ceil(1_000_000);
    println!("{} ({megabytes} MB): unpacked elsewhere, it works", repo.relative(&archive).display());

    let Some(package) = deb::deb(repo, &folder, &version)? else { return Ok(()) };
    let megabytes = package.metadata()?.len().div_ceil(1_000_000);
    println!("{} ({megabytes} MB)", repo.relative(&package).display());
    if build == Build::Check {
        let system = Elsewhere::new("system")?;
        deb_check::check(repo, &package, &system.path)?;
    }
    Ok(())
}

/// What goes with the program; the repository's own README is about the repository.
const README: &str = "\
# earmark

Find and label sounds by describing them. Nothing needs installing: keep the program and the ONNX Runtime library in
one folder, and run it by its path, or put a link to it where your shell looks.

    ./earmark index ~/Sounds
    ./earmark search \"heavy wooden door creaking\"
    ./earmark classify clip.wav --labels \"dog, siren, rain\"
    ./earmark events night.flac --labels \"owl, car passing by\"
    ./earmark help

`man/` has a page for each command: `man man/earmark-search.1`.
`completions/` has scripts for bash, zsh and fish: for bash, `source completions/earmark.bash`, or copy it to
/etc/bash_completion.d. `licences/` has the licences of all that is inside; the cards of the bundled models, with what
they are good and bad at, are licences/model-*/README.md.
";

fn fill(repo: &Repo, folder: &Path, binary: &Path, library: &Path) -> Result<()> {
    copy(binary, folder)?;
    copy(library, folder)?;
    fs::write(folder.join("README.md"), README)?;
    for name in ["CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        let file = repo.root.join(name);
        if file.is_file() {
            copy(&file, folder)?;
        }
    }
    let licences = folder.join("licences");
    let beside_library = library.parent().context("the library is in no folder")?;
    for name in setup::NOTICES {
        copy(&beside_library.join(name), &licences.join("onnxruntime"))?;
    }
    for model in BUNDLED_MODELS {
        let texts = ["README", "LICENSE", "LICENCE", "NOTICE"];
        let texts = notices::texts_in(&repo.root.join("models").join(model), &texts)?;
        ensure!(!texts.is_empty(), "models/{model} has no card and no licence to go with its weights");
        for file in texts {
            copy(&file, &licences.join(format!("model-{model}")))?;
        }
    }
    fs::write(licences.join("crates.txt"), notices::of_crates(repo)?)?;

    let completions = folder.join("completions");
    fs::create_dir_all(&completions)?;
    for (shell, file) in COMPLETIONS {
        let script = shell::output(repo.command(binary).args(["completions", shell]))?;
        fs::write(completions.join(file), script)?;
    }
    shell::output(repo.command(binary).arg("man").arg(folder.join("man"))).map(drop)
}

/// Copies a file into a folder, which is made if it is not there.
fn copy(file: &Path, folder: &Path) -> Result<()> {
    let name = file.file_name().with_context(|| format!("{} is no file", file.display()))?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::copy(file, folder.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(())
}

/// Unpacks the archive into a temporary folder and uses the program there: without our environment, from another
/// folder, so that nothing of this checkout or of this machine's settings can help it.
fn trial(repo: &Repo, archive: &Path, name: &str) -> Result<()> {
    let elsewhere = Elsewhere::new("trial")?;
    run(Command::new("tar").current_dir(&elsewhere.path).arg("-xzf").arg(archive))?;
    let unpacked = elsewhere.path.join(name);
    let program = unpacked.join(format!("earmark{}", env::consts::EXE_SUFFIX));
    let earmark = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.current_dir(&elsewhere.path).env_clear().args(args);
        // Windows starts no program without it.
        if let Some(root) = env::var_os("SystemRoot") {
            command.env("SystemRoot", root);
        }
        shell::output(&mut command)
    };
    let version = earmark(&["--version"])?;
    ensure!(version.starts_with("earmark "), "--version says {version:?}");
    let models = earmark(&["models", "list"])?;
    ensure!(models.contains("mini"), "the default model is not listed:\n{models}");
    // Only this loads ONNX Runtime.
    let sound = repo.root.join(TRIAL_SOUND);
    let classified = earmark(&["classify", &sound.to_string_lossy(), "--labels", "music, a dog barking"])?;
    ensure!(classified.contains("music"), "classify says {classified:?}");
    Ok(())
}

/// `0.1.0` from `earmark 0.1.0 …`.
fn version(binary: &Path) -> Result<String> {
    let text = shell::output(Command::new(binary).arg("--version"))?;
    let version = text.split_whitespace().nth(1);
    version.map(str::to_owned).with_context(|| format!("--version says {text:?}"))
}

/// The target triple that cargo builds for by default.
fn target(repo: &Repo) -> Result<String> {
    let text =
        shell::output(repo.command(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).with_context(|| format!("rustc -vV names no host:\n{text}"))
}

/// A temporary folder, gone when dropped.
struct Elsewhere {
    path: PathBuf,
}

impl Elsewhere {
    fn new(purpose: &str) -> Result<Elsewhere> {
        let path = env::temp_dir().join(format!("earmark-{purpose}-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Elsewhere { path })
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // The system clears its temporary folder in time.
        let _ = fs::remove_dir_all(&self.path);
    }
}
