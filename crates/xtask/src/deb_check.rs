//! `cargo xtask package --check`: installs the Debian package into a folder, uses it there, and removes it.
//!
//! Needs Debian's dpkg and root. Nothing outside the folder is changed: dpkg gets it as `--root`, with what
//! this machine has of the libraries that the package depends on, and runs the maintainer scripts without
//! chroot.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::deb::{exec_start, unit_values};
use crate::shell::{self, Repo, run};

/// The libraries that the package may depend on.
const LIBRARIES: [&str; 3] = ["libc6", "libgcc-s1", "libstdc++6"];

/// Debian's user without privileges.
const NOBODY: &str = "65534";

/// How exposed the service may be, in tenths, as `systemd-analyze security` rates it: 0 to 100.
const EXPOSURE: &str = "20";

/// How long a server may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn check(repo: &Repo, package: &Path, root: &Path) -> Result<()> {
    if !shell::works(Command::new("dpkg").arg("--version"))
        || shell::output(Command::new("id").arg("-u"))?.trim() != "0"
    {
        eprintln!("skipped: installing the Debian package (it needs dpkg and root)");
        return Ok(());
    }
    let system = System { root: root.to_path_buf() };
    system.prepare()?;
    system.dpkg(&["--install", &package.to_string_lossy()])?;
    system.program_works(repo)?;
    system.unit_is_sound()?;
    system.service_answers()?;
    system.dpkg(&["--remove", "earmark"])?;
    system.only_has(&["/etc/earmark/serve.toml", "/var/lib/earmark/"])?;
    system.dpkg(&["--purge", "earmark"])?;
    system.only_has(&["/var/lib/earmark/"])?;
    println!("{}: installed into a folder, used and removed", repo.relative(package).display());
    Ok(())
}

/// A folder that dpkg takes for a system.
struct System {
    root: PathBuf,
}

impl System {
    /// An empty system, with the libraries of this machine in its list of packages.
    fn prepare(&self) -> Result<()> {
        for folder in ["info", "updates"] {
            fs::create_dir_all(self.at("/var/lib/dpkg").join(folder))?;
        }
        fs::create_dir_all(self.at("/var/log"))?;
        let mut status = String::new();
        for library in LIBRARIES {
            let format = "Package: ${Package}\nStatus: install ok installed\nArchitecture: ${Architecture}\n\
                          Multi-Arch: same\nMaintainer: ${Maintainer}\nVersion: ${Version}\nDescription: none\n\n";
            let query = ["--show", "--showformat", format, library];
            let stanza = shell::output(Command::new("dpkg-query").args(query))?;
            let architecture = stanza.lines().find_map(|line| line.strip_prefix("Architecture: "));
            let architecture = architecture.context("dpkg-query names no architecture")?;
            fs::write(self.at("/var/lib/dpkg/info").join(format!("{library}:{architecture}.list")), "")?;
            status.push_str(&stanza);
        }
        fs::write(self.at("/var/lib/dpkg/status"), status)?;
        Ok(())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn dpkg(&self, args: &[&str]) -> Result<()> {
        let mut dpkg = Command::new("dpkg");
        run(dpkg.arg("--root").arg(&self.root).arg("--force-script-chrootless").args(args))
    }

    /// The installed program, without our environment.
    fn earmark(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.at("/usr/bin/earmark"));
        command.env_clear().env("HOME", self.at("/root")).current_dir(&self.root).args(args);
        command
    }

    fn program_works(&self, repo: &Repo) -> Result<()> {
        let version = shell::output(&mut self.earmark(&["--version"]))?;
        ensure!(version.starts_with("earmark "), "--version says {version:?}");
        let sounds = repo.root.join("index-data/sounds");
        shell::output(&mut self.earmark(&["index", &sounds.to_string_lossy(), "--quiet"]))?;
        let found = shell::output(&mut self.earmark(&["search", "a dog barking", "-k", "1"]))?;
        ensure!(found.contains("dog-barking.wav"), "search says {found:?}");
        for place in [
            "/usr/share/man/man1/earmark.1.gz",
            "/usr/share/man/man1/earmark-search.1.gz",
            "/usr/share/bash-completion/completions/earmark",
            "/usr/share/doc/earmark/copyright",
            "/usr/share/doc/earmark/licences/crates.txt",
        ] {
            ensure!(self.at(place).is_file(), "{place} is not installed");
        }
        // The index of this trial.
        Ok(fs::remove_dir_all(self.at("/root"))?)
    }

    fn unit_is_sound(&self) -> Result<()> {
        if !shell::works(Command::new("systemd-analyze").arg("--version")) {
            eprintln!("skipped: systemd-analyze (it is not installed)");
            return Ok(());
        }
        // With this machine's own units around it, of which it needs some.
        let unit = fs::read_to_string(self.at("/usr/lib/systemd/system/earmark.service"))?;
        let program = format!("ExecStart={}", self.at("/usr/bin").display());
        let file = self.at("/tmp/earmark.service");
        fs::create_dir_all(self.at("/tmp"))?;
        fs::write(&file, unit.replace("ExecStart=/usr/bin", &program))?;
        run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file))?;
        let mut security = Command::new("systemd-analyze");
        security.args(["security", "--offline=true", "--no-pager"]);
        security.arg(format!("--threshold={EXPOSURE}")).arg(&file);
        let rating = shell::output(&mut security)?;
        eprintln!("{}", rating.lines().last().unwrap_or_default());
        Ok(fs::remove_dir_all(self.at("/tmp"))?)
    }

    /// Runs the unit's command line as it would be run, but in this folder: as a user without privileges,
    /// with the unit's environment.
    fn service_answers(&self) -> Result<()> {
        let unit = fs::read_to_string(self.at("/usr/lib/systemd/system/earmark.service"))?;
        for folder in ["/var/lib/earmark", "/var/cache/earmark"] {
            run(Command::new("install").args(["-d", "-o", NOBODY, "-g", NOBODY]).arg(self.at(folder)))?;
        }
        let place = |word: &str| match word.strip_prefix('/') {
            Some(path) => self.root.join(path).to_string_lossy().into_owned(),
            None => word.to_owned(),
        };
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--no-new-privs"]);
        command.args(exec_start(&unit)?.into_iter().map(place)).args(["--listen", "127.0.0.1:0"]);
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
        for (name, value) in unit_values(&unit, "Environment").into_iter().filter_map(|v| v.split_once('=')) {
            command.env(name, place(value));
        }
        eprintln!("$ {}", shell::shown(&command));
        let mut server = command.stderr(Stdio::piped()).spawn().context("cannot start setpriv")?;
        let answered = answers(server.stderr.take().context("the server has no stderr")?);
        // As systemd stops it.
        let stopped = run(Command::new("kill").arg(server.id().to_string()));
        let asked = Instant::now();
        let status = loop {
            match server.try_wait()? {
                Some(status) => break status,
                None if asked.elapsed() > PATIENCE => {
                    server.kill()?;
                    bail!("the server does not end when it is asked to");
                }
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        answered.and(stopped)?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Fails if the package has left anything but these, apart from dpkg's own notes.
    fn only_has(&self, allowed: &[&str]) -> Result<()> {
        let files =
            shell::output(Command::new("find").arg(&self.root).args(["-type", "f", "-printf", "/%P\\n"]))?;
        let own = ["/var/lib/dpkg/", "/var/log/", "/var/cache/"];
        let left = files.lines().find(|file| !own.iter().chain(allowed).any(|place| file.starts_with(place)));
        ensure!(left.is_none(), "{} is left", left.unwrap_or_default());
        Ok(())
    }
}

/// Waits for the server's address, and asks whether it is ready.
fn answers(stderr: ChildStderr) -> Result<()> {
    let mut said = String::new();
    let mut lines = BufReader::new(stderr).lines();
    while let Some(line) = lines.next() {
        let line = line?;
        let Some((_, address)) = line.split_once("listening on http://") else {
            said = line;
            continue;
        };
        let address = address.trim_end_matches('/').to_owned();
        // What it says later goes nowhere, but a closed pipe would stop it.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let asked = Instant::now();
        // It listens before it has opened the index.
        loop {
            let mut stream = TcpStream::connect(&address)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            if answer.starts_with("HTTP/1.1 200") {
                break;
            }
            ensure!(asked.elapsed() < PATIENCE, "/readyz says {answer}");
            std::thread::sleep(Duration::from_millis(100));
        }
        return Ok(());
    }
    bail!("the server ended before it listened: {said}")
}
