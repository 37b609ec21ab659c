//! Where the repository is, and how other programs are run in it.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The folders every chore needs.
pub(crate) struct Repo {
    /// The repository's root, absolute.
    pub(crate) root: PathBuf,
    /// Where cargo builds: `CARGO_TARGET_DIR`, else `target/`. Absolute.
    pub(crate) target: PathBuf,
}

impl Repo {
    /// Finds the repository from where cargo says this package is, so that it works in any folder.
    pub(crate) fn find() -> Result<Repo> {
        let here = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = here
            .ancestors()
            .nth(2)
            .with_context(|| format!("{} is not crates/xtask of a checkout", here.display()))?;
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(dir) if !dir.is_empty() => std::path::absolute(dir)?,
            _ => root.join("target"),
        };
        Ok(Repo { root: root.to_path_buf(), target })
    }

    /// `cargo`, the one that runs us, from the root and with the same target folder.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Any program, run from the root. A relative `ORT_DYLIB_PATH` is made absolute, since cargo runs each
    /// test in the folder of its package.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        // What cargo set for us is not meant for the programs that we start.
        command.env_remove("CARGO_MANIFEST_DIR");
        if let Some(path) = dylib_path_from_env() {
            command.env("ORT_DYLIB_PATH", path);
        }
        command
    }

    /// The release binary that `cargo build --release` leaves.
    pub(crate) fn release_binary(&self) -> PathBuf {
        self.target.join("release").join(format!("earmark{}", env::consts::EXE_SUFFIX))
    }

    /// Builds earmark as the tests use it, with the features of the whole workspace, so that what is compiled for
    /// one chore serves the others; the binary.
    pub(crate) fn build_for_tests(&self) -> Result<PathBuf> {
        run(self.cargo().args(["build", "--locked", "--workspace", "--bin", "earmark"]))?;
        Ok(self.target.join("debug").join(format!("earmark{}", env::consts::EXE_SUFFIX)))
    }

    /// A path as one would type it at the root.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

/// `ORT_DYLIB_PATH`, absolute, if it is set to anything.
pub(crate) fn dylib_path_from_env() -> Option<PathBuf> {
    let path = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty())?;
    Some(std::path::absolute(&path).unwrap_or_else(|_| path.into()))
}

/// Where cargo keeps the sources of dependencies, among others.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    match env::var_os("CARGO_HOME") {
        Some(dir) if !dir.is_empty() => Some(dir.into()),
        _ => Some(env::home_dir()?.join(".cargo")),
    }
}

/// Shows the command as `$ …`, runs it with our own input and output, and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(command));
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs the command quietly and returns what it wrote to stdout; on failure the error carries the end of stderr.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}{}", shown(command), output.status, last_lines(&stderr, 4));
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` wrote no UTF-8", shown(command)))
}

/// True if the program can be started with these arguments and exits well.
pub(crate) fn works(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command as one would type it, without the folder of the cargo that runs us.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = match program.file_stem() {
        Some(stem) if stem == "cargo" => stem,
        _ => program.as_os_str(),
    };
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%\\".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if !word.contains(['"', '$', '`', '\\', '!']) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start {}", Path::new(command.get_program()).display())
}

fn last_lines(text: &str, n: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(n)..].iter().map(|line| format!("\n    {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_can_be_typed() {
        let mut command = Command::new("target/release/earmark");
        command.args(["search", "a dog barks", "--labels", "it's $5", "-k", "5", ""]);
        assert_eq!(
            shown(&command),
            r#"target/release/earmark search "a dog barks" --labels 'it'\''s $5' -k 5 """#
        );
        assert_eq!(shown(Command::new("/opt/rust/bin/cargo").arg("fmt")), "cargo fmt");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let message = format!("{:#}", run(&mut Command::new("/no/such/program")).unwrap_err());
        assert!(message.starts_with("cannot start /no/such/program: "), "{message}");
        assert!(!works(&mut Command::new("/no/such/program")));
    }

    #[cfg(unix)]
    #[test]
    fn a_failure_carries_the_end_of_stderr_and_the_status() {
        let script = "echo one >&2; echo two >&2; exit 3";
        let message = format!("{:#}", output(Command::new("sh").args(["-c", script])).unwrap_err());
        assert!(message.contains("exit status: 3\n    one\n    two"), "{message}");
    }
}
