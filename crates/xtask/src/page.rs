//! `cargo xtask page`: the page's own checks, and its tests in a real browser against the real program.

use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::served::Served;
use crate::shell::{self, Repo, run};

/// Where Debian puts it. Playwright's own browser cannot be downloaded everywhere.
const CHROMIUM: &str = "/usr/bin/chromium";

pub(crate) fn page(repo: &Repo, args: &[String]) -> Result<()> {
    needs_npm(repo)?;
    let chromium = chromium(repo)?;
    let web = repo.root.join("web");
    let npm = |arguments: &[&str]| run(repo.command("npm").current_dir(&web).args(arguments));
    npm(&["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?;
    npm(&["run", "check"])?;
    npm(&["run", "check-dist"])?;
    let mut served = Served::start(repo, "page")?;
    let mut tests = repo.command("npm");
    tests.current_dir(&web).args(["test", "--"]).args(args);
    run(tests.env("EARMARK_URL", &served.url).env("CHROMIUM", chromium))?;
    served.still_runs()
}

/// Fails where there is no npm.
pub(crate) fn needs_npm(repo: &Repo) -> Result<()> {
    ensure!(
        shell::works(repo.command("npm").arg("--version")),
        "npm was not found on PATH: this needs Node (https://nodejs.org) with npm"
    );
    Ok(())
}

/// The browser; installed where it is missing and we may.
fn chromium(repo: &Repo) -> Result<PathBuf> {
    let program = env::var_os("CHROMIUM").map_or_else(|| CHROMIUM.into(), PathBuf::from);
    if shell::works(repo.command(&program).arg("--version")) {
        return Ok(program);
    }
    let apt = |arguments: &[&str]| {
        let mut apt = repo.command("apt-get");
        run(apt
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["-qq", "-o", "Acquire::Retries=3"])
            .args(arguments))
    };
    apt(&["update"])
        .and_then(|()| apt(&["install", "-y", "--no-install-recommends", "chromium"]))
        .with_context(|| {
            format!("no Chromium at {} (the variable CHROMIUM names another)", program.display())
        })?;
    Ok(program)
}
