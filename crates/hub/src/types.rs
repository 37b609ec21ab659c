//! A file on the hub, and what happens while it is fetched.

use std::path::PathBuf;
use std::time::Duration;

use crate::HubError;

/// A file on the hub, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// `ORG/NAME`.
    pub repo: String,
    /// A commit, branch or tag. Only a commit always means the same.
    pub revision: String,
    /// Path in the repository.
    pub path: String,
    /// Bytes it must have, where known.
    pub bytes: Option<u64>,
    /// SHA-256 it must have, hexadecimal. Where it is not known, the file is held against what the hub itself says it is:
    /// that finds damage, not forgery.
    pub sha256: Option<String>,
}

/// A verified file in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is. It may be a link.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, lower-case hexadecimal.
    pub sha256: String,
    /// Whether it was there before, so that nothing was downloaded.
    pub from_cache: bool,
}

/// What happens during [`crate::Hub::fetch`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Another process is downloading the same file.
    Waiting,
    /// The download begins, or goes on from where an earlier one was cut.
    Started {
        /// Bytes there already.
        have: u64,
        /// Bytes of the whole file, where known.
        total: Option<u64>,
    },
    /// Bytes are on disk. Fewer than before when the download starts over.
    Received {
        /// How many in all.
        have: u64,
    },
    /// A try failed and there will be another.
    Retrying {
        /// After this long.
        wait: Duration,
        /// What went wrong.
        error: &'a HubError,
    },
    /// All bytes are there and are being checked.
    Verifying,
}
