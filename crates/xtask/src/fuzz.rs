//! `cargo xtask fuzz`: builds the targets in `fuzz/` for libFuzzer, with the stable compiler, and runs them.
//!
//! The flags are those that cargo-fuzz sets, without a sanitizer, which only nightly compilers have. `cargo fuzz`
//! works in `fuzz/` as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::fuzz_seeds;
use crate::setup;
use crate::shell::{self, Repo, run};

/// A target, and the feature of `fuzz/` that it needs.
const TARGETS: &[(&str, Option<&str>)] = &[
    ("wav", None),
    ("aiff", None),
    ("au_caf", None),
    ("mp4", None),
    ("mkv", None),
    ("ogg", None),
    ("flac", None),
    ("mpeg", None),
    ("adts", None),
    ("any", None),
    ("opus", None),
    ("manifest", Some("manifests")),
    ("published", Some("indexes")),
    ("api", Some("requests")),
];

/// Counters for each edge, and what comparisons compare.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Limits on each input. Memory is counted by the targets, too (`fuzz/src/memory.rs`).
const LIMITS: &[&str] = &["-timeout=10", "-rss_limit_mb=500", "-max_len=65536"];

/// Where everything of this lies.
struct Places {
    target: PathBuf,
}

pub(crate) fn fuzz(repo: &Repo, args: &[String]) -> Result<()> {
    let (seconds, names) = arguments(args)?;
    let places = Places { target: repo.target.join("fuzz") };
    let triple = host(repo)?;
    build(repo, &places, &triple, &names)?;
    let runtime = if names.contains(&"api") { Some(setup::ensure(repo)?) } else { None };
    let mut failed = Vec::new();
    for name in &names {
        let seeds = places.folder("seeds", name)?;
        fuzz_seeds::write(repo, name, &seeds)?;
        let program = places.target.join(&triple).join("release").join(name);
        let mut command = repo.command(program);
        if let Some(runtime) = &runtime {
            runtime.given_to(&mut command);
        }
        if !run_one(&places, name, &seeds, seconds, &mut command)? {
            failed.push(*name);
        }
    }
    ensure!(failed.is_empty(), "fuzzing found something: {}", failed.join(", "));
    Ok(())
}

/// Seconds for each target, and the targets: those named, or all but those that are left out.
fn arguments(args: &[String]) -> Result<(u64, Vec<&'static str>)> {
    let (mut seconds, mut names, mut left_out) = (10, Vec::new(), Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if let Some(name) = arg.strip_prefix("--without=") {
            left_out.push(target(name)?);
            continue;
        }
        let value = match arg.as_str() {
            "--seconds" => args.next().map(String::as_str),
            arg => arg.strip_prefix("--seconds="),
        };
        if let Some(value) = value {
            seconds = value.parse().with_context(|| format!("--seconds {value}: expected a number"))?;
            continue;
        }
        names.push(target(arg)?);
    }
    if names.is_empty() {
        names.extend(TARGETS.iter().map(|(name, _)| *name));
    }
    names.retain(|name| !left_out.contains(name));
    Ok((seconds, names))
}

/// The target of this name.
fn target(name: &str) -> Result<&'static str> {
    let Some((known, _)) = TARGETS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = TARGETS.iter().map(|(known, _)| *known).collect();
        bail!("there is no target {name:?}; there are {}", known.join(", "));
    };
    Ok(known)
}

/// The platform that the compiler builds for.
fn host(repo: &Repo) -> Result<String> {
    let version = shell::output(repo.command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

fn build(repo: &Repo, places: &Places, triple: &str, names: &[&str]) -> Result<()> {
    let mut cargo = repo.cargo();
    cargo.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"]);
    // With a target named, build scripts and macros are built without counters.
    cargo.args(["--target", triple, "--no-default-features"]);
    for (name, feature) in TARGETS {
        if names.contains(name) {
            cargo.args(["--bin", name]);
            cargo.args(feature.iter().flat_map(|feature| ["--features", feature]));
        }
    }
    cargo.env("CARGO_TARGET_DIR", &places.target).env("RUSTFLAGS", COVERAGE.join(" "));
    run(&mut cargo)
        .context("the fuzz targets cannot be built; libFuzzer needs a C++ compiler, g++ or clang++")
}

/// Runs a target and prints a line; false if it found something.
fn run_one(places: &Places, name: &str, seeds: &Path, seconds: u64, command: &mut Command) -> Result<bool> {
    let (corpus, found) = (places.folder("corpus", name)?, places.folder("found", name)?);
    command.args(LIMITS).arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
    command.arg(format!("-artifact_prefix={}/", found.display())).args([&corpus, &seeds.to_path_buf()]);
    let output = command.output().with_context(|| format!("cannot start the target {name}"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    fs::write(places.target.join(format!("{name}.log")), log.as_bytes())?;
    let stat = |key: &str| log.lines().rev().find_map(|line| line.strip_prefix(key)).map_or("?", str::trim);
    println!(
        "fuzz {name}: {} executions in {seconds} s, at most {} MB",
        stat("stat::number_of_executed_units:"),
        stat("stat::peak_rss_mb:")
    );
    if !output.status.success() {
        eprintln!(
            "{}\nfuzz {name} failed: {}; its input is in {}",
            end(&log, 60),
            output.status,
            found.display()
        );
    }
    Ok(output.status.success())
}

fn end(log: &str, lines: usize) -> String {
    let all: Vec<&str> = log.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

impl Places {
    /// A folder of a target's own, made if it is not there.
    fn folder(&self, what: &str, name: &str) -> Result<PathBuf> {
        let folder = self.target.join(what).join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_seconds_are_read_and_others_refused() {
        let read = |line: &str| arguments(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read("").unwrap(), (10, TARGETS.iter().map(|(name, _)| *name).collect()));
        assert_eq!(read("--seconds 600 ogg wav").unwrap(), (600, vec!["ogg", "wav"]));
        assert_eq!(read("--seconds=5 api").unwrap(), (5, vec!["api"]));
        let (_, names) = read("--without=api").unwrap();
        assert!(names.len() == TARGETS.len() - 1 && !names.contains(&"api"));
        assert!(read("--without=mp5").is_err());
        assert!(read("--seconds x").is_err() && read("mp5").is_err() && read("--seconds").is_err());
    }

    #[test]
    fn every_target_is_built_and_has_seeds() {
        let repo = Repo::find().unwrap();
        let manifest = fs::read_to_string(repo.root.join("fuzz/Cargo.toml")).unwrap();
        for (name, _) in TARGETS {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            let seeds = tempfile::tempdir().unwrap();
            fuzz_seeds::write(&repo, name, seeds.path()).unwrap();
            assert!(fs::read_dir(seeds.path()).unwrap().count() > 0, "{name} has no seeds");
        }
        assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    }
}
