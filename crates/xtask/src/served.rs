//! `earmark serve` on the sample sounds, for as long as a chore needs it.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::setup;
use crate::shell::{self, Repo};

/// A server that ends with this value. Its folder, `target/served/NAME`, stays for whoever wants to look.
pub(crate) struct Served {
    process: Child,
    /// Where it answers, without a slash at the end.
    pub(crate) url: String,
    /// Its folder: index, sounds, uploads.
    pub(crate) folder: PathBuf,
}

impl Served {
    /// Builds earmark, indexes a copy of the sample sounds, and serves it on a free port with a root `sounds` and
    /// uploads allowed.
    pub(crate) fn start(repo: &Repo, name: &str) -> Result<Served> {
        let runtime = setup::ensure(repo)?;
        let binary = repo.build_for_tests()?;
        let folder = repo.target.join("served").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let sounds = folder.join("sounds");
        copy_tree(&repo.root.join("index-data/sounds"), &sounds)?;

        let earmark = || {
            let mut command: Command = repo.command(&binary);
            runtime.given_to(&mut command);
            // None of this machine's own settings.
            for (variable, _) in env::vars_os() {
                if variable.to_string_lossy().starts_with("EARMARK_") {
                    command.env_remove(variable);
                }
            }
            command.env("ORT_DYLIB_PATH", runtime.path()).env("EARMARK_LOG", "warn");
            command.arg("--db").arg(folder.join("sounds.earmark"));
            command
        };
        shell::output(earmark().arg("index").arg(&sounds))?;
        let mut serve = earmark();
        serve.args(["serve", "--listen", "127.0.0.1:0"]);
        serve.arg("--root").arg(format!("sounds={}", sounds.display()));
        serve.arg("--upload-root").arg(folder.join("uploads"));
        eprintln!("$ {}", shell::shown(&serve));
        let mut process = serve.stderr(Stdio::piped()).spawn().context("cannot start earmark serve")?;
        let stderr = process.stderr.take().context("earmark serve has no stderr")?;
        let mut served = Served { process, url: String::new(), folder };
        let mut lines = BufReader::new(stderr).lines();
        for line in lines.by_ref() {
            let line = line?;
            eprintln!("{line}");
            if let Some((_, address)) = line.split_once("listening on ") {
                address.trim_end_matches('/').clone_into(&mut served.url);
                break;
            }
        }
        ensure!(!served.url.is_empty(), "earmark serve ended before it listened");
        // What it says later is shown too, and a full pipe must not stop it.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("{line}")));
        Ok(served)
    }

    /// Fails if the server has ended meanwhile.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("earmark serve ended by itself: {status}"),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)
                .with_context(|| format!("cannot copy to {}", target.display()))?;
        }
    }
    Ok(())
}
