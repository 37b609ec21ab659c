//! Python and pip: the package client that the pinned downloads come through, so that a mirror, a proxy or a
//! folder of wheels that is configured for pip holds here too. No host is named anywhere.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::digest;
use crate::shell::{self, Repo, run};

/// How to reach Python and pip on this machine. Tests put programs of their own here.
#[derive(Clone)]
pub(crate) struct Python {
    /// Interpreters to try, in order.
    pub(crate) interpreters: Vec<OsString>,
    /// A pip of its own, tried when no interpreter has the module.
    pub(crate) pip: OsString,
}

impl Default for Python {
    fn default() -> Self {
        // On Windows `python3` is often a stub that only opens the store: it fails, and `python` is tried.
        Python { interpreters: vec!["python3".into(), "python".into()], pip: "pip3".into() }
    }
}

impl Python {
    /// Runs `pip ARGS…` with the first pip that can do it. The error tells what each of them said.
    pub(crate) fn pip(&self, args: &[&str]) -> Result<()> {
        let mut tried = Vec::new();
        for mut pip in self.pips() {
            pip.args(args).args(["--quiet", "--no-input", "--disable-pip-version-check"]);
            match shell::output(&mut pip) {
                Ok(_) => return Ok(()),
                Err(error) => tried.push(format!("{error:#}")),
            }
        }
        // The programs that are not there matter only if none is.
        let (absent, mut failed): (Vec<_>, Vec<_>) =
            tried.into_iter().partition(|why| why.starts_with("cannot start"));
        if failed.is_empty() {
            failed = absent;
        }
        anyhow::bail!("{}", failed.join("\n"))
    }

    fn pips(&self) -> impl Iterator<Item = Command> {
        let modules = self.interpreters.iter().map(|python| {
            let mut command = Command::new(python);
            command.args(["-m", "pip"]);
            command
        });
        modules.chain(std::iter::once(Command::new(&self.pip)))
    }

    /// The first interpreter that runs.
    pub(crate) fn interpreter(&self) -> Result<Command> {
        let works = |python: &&OsString| shell::works(Command::new(python).args(["-c", ""]));
        let python = self.interpreters.iter().find(works).context("no Python 3 was found on PATH")?;
        Ok(Command::new(python))
    }

    /// Copies `members` of the zip file `archive` into the folder `into`, under their last names.
    pub(crate) fn unzip(&self, archive: &Path, members: &[&str], into: &Path) -> Result<()> {
        const SCRIPT: &str = "\
import os, shutil, sys, zipfile
archive, into, *members = sys.argv[1:]
with zipfile.ZipFile(archive) as z:
    for member in members:
        with z.open(member) as source, open(os.path.join(into, os.path.basename(member)), 'wb') as target:
            shutil.copyfileobj(source, target, 1 << 20)
";
        let mut command = self.interpreter()?;
        command.args(["-c", SCRIPT]).arg(archive).arg(into).args(members);
        shell::output(&mut command)
            .map(drop)
            // The command itself would fill the screen; its last words are what helps.
            .map_err(|error| {
                let text = format!("{error:#}");
                let reason = text.lines().last().unwrap_or_default().trim().to_owned();
                anyhow::anyhow!("cannot unpack {}: {reason}", archive.display())
            })
    }
}

/// The interpreter of a virtual environment, `place` under the build folder, with the packages that `requirements` (a
/// path from the root) pins; made anew when they change.
pub(crate) fn environment(repo: &Repo, place: &Path, requirements: &str) -> Result<PathBuf> {
    let venv = repo.target.join(place);
    let python = venv.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let python = python.join(format!("python{}", env::consts::EXE_SUFFIX));
    let wanted = digest::sha256(&repo.root.join(requirements))
        .with_context(|| format!("cannot read {requirements}"))?;
    let stamp = venv.join("requirements.sha256");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    let mut make = Python::default().interpreter()?;
    run(make.args(["-m", "venv", "--clear"]).arg(&venv))
        .context("cannot make a virtual environment (Debian and Ubuntu: apt install python3-venv)")?;
    let mut install = repo.command(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
    run(&mut install)?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_any_pip_the_error_lists_what_was_tried() {
        let python = Python { interpreters: vec!["/no/python3".into()], pip: "/no/pip3".into() };
        let message = format!("{:#}", python.pip(&["download", "x"]).unwrap_err());
        assert!(message.contains("cannot start /no/python3"), "{message}");
        assert!(message.contains("cannot start /no/pip3"), "{message}");
        assert!(python.interpreter().is_err());
    }

    #[cfg(unix)]
    #[test]
    fn pip_of_its_own_is_used_when_python_lacks_the_module() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let python = crate::testing::script(dir.path(), "python3", "echo 'No module named pip' >&2; exit 1")?;
        let pip = crate::testing::script(dir.path(), "pip3", "test \"$1\" = download")?;
        let python = Python { interpreters: vec![python.into()], pip: pip.into() };
        python.pip(&["download"])?;
        let message = format!("{:#}", python.pip(&["install"]).unwrap_err());
        assert!(message.contains("No module named pip"), "{message}");
        Ok(())
    }
}
