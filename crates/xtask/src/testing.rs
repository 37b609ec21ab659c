//! Stand-ins for other programs, so that no test needs a network.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An executable shell script. Another process writes it: were the file open for writing here when another test
/// starts a program, that program would hold it open too, and it could not be executed ("text file busy").
pub(crate) fn script(dir: &Path, name: &str, body: &str) -> io::Result<PathBuf> {
    const WRITE: &str = "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod +x \"$1\"";
    let path = dir.join(name);
    let status = Command::new("sh").args(["-c", WRITE, "sh"]).arg(&path).arg(body).status()?;
    if status.success() { Ok(path) } else { Err(io::Error::other("the script could not be written")) }
}
