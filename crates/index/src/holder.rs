//! Who writes an index: the file in which a writer says so.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use crate::clock::unix_now_s;

/// The file that says who has the lock. Not the locked one, which some systems let nobody else read.
const HOLDER: &str = "writer";

/// Longest command that is kept, characters.
const COMMAND_CHARS: usize = 200;

/// The process that writes an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// How it was called.
    pub command: String,
    /// Since when it writes, seconds since 1970.
    pub since_unix_s: i64,
}

impl Holder {
    /// This process, writing since now.
    fn this_process() -> Self {
        let mut command: Vec<String> =
            std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
        if let Some(program) = command.first_mut() {
            *program = Path::new(program).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        }
        let command = command.join(" ").chars().filter(|c| !c.is_control()).take(COMMAND_CHARS).collect();
        Self { pid: std::process::id(), command, since_unix_s: unix_now_s() }
    }

    /// Who the file in `dir` says it is.
    pub(crate) fn read(dir: &Path) -> Option<Self> {
        let text = fs::read_to_string(Self::path(dir)).ok()?;
        let mut lines = text.lines();
        let (pid, since_unix_s) = (lines.next()?.parse().ok()?, lines.next()?.parse().ok()?);
        Some(Self { pid, since_unix_s, command: lines.next()?.to_owned() })
    }

    /// Writes into `dir` that it is this process. For messages only: a disk too full for it is found out about
    /// soon enough.
    pub(crate) fn note(dir: &Path) {
        let Self { pid, command, since_unix_s } = Self::this_process();
        let _ = fs::write(Self::path(dir), format!("{pid}\n{since_unix_s}\n{command}\n"));
    }

    /// Where the file is for the index in `dir`.
    pub(crate) fn path(dir: &Path) -> PathBuf {
        dir.join(HOLDER)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = unix_now_s().saturating_sub(self.since_unix_s).max(0);
        let (amount, unit) = match seconds {
            0..120 => (seconds, "s"),
            120..7200 => (seconds / 60, "min"),
            _ => (seconds / 3600, "h"),
        };
        write!(f, "`{}` (process {}, for {amount} {unit})", self.command, self.pid)
    }
}
