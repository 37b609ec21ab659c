//! What can go wrong on the way from a hub, and what to do about it.

use std::path::PathBuf;
use std::time::Duration;

/// Everything that a download can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// An environment variable has a value that makes no sense.
    #[error("{variable}: expected {expected}, got `{received}`")]
    Setting {
        /// The variable.
        variable: &'static str,
        /// What would have been right.
        expected: &'static str,
        /// What it was.
        received: String,
    },
    /// A repository, revision or path that no hub can have.
    #[error("{what} `{value}`: expected {expected}")]
    Name {
        /// `repository`, `revision` or `path`.
        what: &'static str,
        /// The name.
        value: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// The hub does not have it.
    #[error(
        "{endpoint} has no {missing} for {path} in {repo} at revision {revision}; if it is private or gated, set HF_TOKEN"
    )]
    NotFound {
        /// What is not there.
        missing: Missing,
        /// The hub.
        endpoint: String,
        /// `ORG/NAME`.
        repo: String,
        /// Commit, branch or tag.
        revision: String,
        /// The file.
        path: String,
    },
    /// The hub wants to know who asks.
    #[error(
        "{endpoint} refuses access to {repo} (status {status}): {}",
        if *.had_token { "the token in use may not read it; ask for access on its page, or set HF_TOKEN to another" }
        else { "accept its terms on its page if it has any, and set HF_TOKEN to a token that may read it" }
    )]
    Denied {
        /// The hub.
        endpoint: String,
        /// `ORG/NAME`.
        repo: String,
        /// 401 or 403.
        status: u16,
        /// Whether a token was sent.
        had_token: bool,
    },
    /// Not in the cache, and downloads are switched off.
    #[error("{path} of {repo} is not in {}, and HF_HUB_OFFLINE is set; unset it to download", .cache.display())]
    Offline {
        /// `ORG/NAME`.
        repo: String,
        /// The file.
        path: String,
        /// The cache that was looked in.
        cache: PathBuf,
    },
    /// A status that will pass: too many requests, or trouble on the other side.
    #[error("{host} answered with status {status}{}; try again later", after(.retry_after))]
    Busy {
        /// Who answered.
        host: String,
        /// 408, 429 or 5xx.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// A status that should not be.
    #[error("{url}: expected a file, got status {status}")]
    Status {
        /// The address without its query, which may be a signature.
        url: String,
        /// The status.
        status: u16,
    },
    /// An answer that HTTP does not know.
    #[error("{host}: not a usable answer: {reason}")]
    Protocol {
        /// Who answered.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection.
    #[error("cannot connect to {host}: {reason}; check the network, HF_ENDPOINT and HTTPS_PROXY")]
    Unreachable {
        /// Who was called.
        host: String,
        /// Why it failed.
        reason: String,
    },
    /// The proxy is wrong, or refuses.
    #[error("the proxy for {host}: {reason}; check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY")]
    Proxy {
        /// Who was called.
        host: String,
        /// Why it failed.
        reason: String,
    },
    /// No secure connection.
    #[error(
        "no secure connection to {host}: {reason}; a company's proxy may need its certificate in the system's store, \
         or in the file that SSL_CERT_FILE names"
    )]
    Tls {
        /// Who was called.
        host: String,
        /// Why it failed.
        reason: String,
    },
    /// No bytes for too long.
    #[error(
        "{host} sent nothing for {seconds:.0} s; run the command again to go on, or raise HF_HUB_DOWNLOAD_TIMEOUT"
    )]
    Stalled {
        /// Who was silent.
        host: String,
        /// For how long it was waited.
        seconds: f64,
    },
    /// The connection ended before the file did.
    #[error("{host} ended the connection after {received} bytes; run the command again to go on from there")]
    Cut {
        /// Who ended it.
        host: String,
        /// Bytes of the file that are there.
        received: u64,
    },
    /// Redirects in circles, to something insecure, or to nothing.
    #[error("{url}: {reason}")]
    Redirect {
        /// The address without its query.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The file there has another length than the one asked for.
    #[error("{path} of {repo}: expected {expected} bytes, but the hub has {received}; not kept")]
    Length {
        /// `ORG/NAME`.
        repo: String,
        /// The file.
        path: String,
        /// Bytes expected.
        expected: u64,
        /// Bytes that came or were announced.
        received: u64,
    },
    /// The file there has another content than the one asked for.
    #[error("{path} of {repo}: expected {expected}, got {received}; not kept")]
    Checksum {
        /// `ORG/NAME`.
        repo: String,
        /// The file.
        path: String,
        /// Checksum expected.
        expected: String,
        /// Checksum of what came.
        received: String,
    },
    /// Neither the caller nor the hub names a checksum.
    #[error(
        "{path} of {repo}: neither the manifest nor the hub gives a checksum, so it cannot be verified; not downloaded"
    )]
    Unverifiable {
        /// `ORG/NAME`.
        repo: String,
        /// The file.
        path: String,
    },
    /// No room.
    #[error("{}: {needed} bytes are needed and {free} are free; make room, or name another cache with HF_HUB_CACHE", .folder.display())]
    DiskFull {
        /// Where it should go.
        folder: PathBuf,
        /// Bytes still to come.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// The cache cannot be read or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What a hub does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The repository.
    Repo,
    /// The revision.
    Revision,
    /// The file.
    File,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Repo => "such repository",
            Self::Revision => "such revision",
            Self::File => "such file",
        })
    }
}

fn after(retry_after: &Option<Duration>) -> String {
    retry_after.map_or(String::new(), |wait| format!(" and asks to wait {} s", wait.as_secs()))
}

impl HubError {
    /// Whether another try may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. }
                | Self::Protocol { .. }
                | Self::Unreachable { .. }
                | Self::Stalled { .. }
                | Self::Cut { .. }
        )
    }

    /// For `map_err`: a failure of the disk at `path`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
