//! Stand-ins for other programs, so that no test needs a network.

use std::io;
use std::path::{Path, PathBuf};

/// An executable shell script.
#[cfg(unix)]
pub(crate) fn script(dir: &Path, name: &str, body: &str) -> io::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n"))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}
