//! What can be set, with its defaults. The program fills it in from flags, the environment and a file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use earmark_audio::Limits;
use earmark_library::Limits as LibraryLimits;
use serde::{Deserialize, Serialize};

use crate::auth::Key;

/// The name of the folder for uploads.
pub(crate) const UPLOADS: &str = "uploads";

/// Hits that can be paged through.
const DEEPEST: usize = 10_000;

/// Parts of one query.
const PARTS: usize = 32;

/// Templates of a request.
const TEMPLATES: usize = 16;

/// Clips that one request classifies.
const CLIPS: usize = 500;

/// Sounds that one request tags: each is decoded.
const TAGGED: usize = 32;

/// Clips that one request compares for duplicates: some seconds of work, if each is short and has a neighbour.
const COMPARED: usize = 2000;

/// Scores that a request for events may compute, labels times windows: some seconds of work.
const EVENT_SCORES: usize = 4_000_000;

/// Numbers in the tracks of one answer.
const TRACK_NUMBERS: usize = 2_000_000;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Serve other machines though there are no keys.
    pub insecure: bool,
    /// Logs as JSON lines.
    pub log_json: bool,
    /// The folder in which uploads are kept; without one, nothing can be uploaded into the index. It counts as a root.
    pub upload_root: Option<PathBuf>,
    /// Further names under which browsers may reach the server where there are no keys; the machine itself is always one.
    pub hosts: Vec<String>,
    /// Bounds.
    pub limits: Bounds,
    /// Folders that jobs may index, and that clips are read from. With none, no job can be started, and every clip that the
    /// index lists can be read.
    pub roots: Vec<RootConfig>,
    /// API keys.
    pub keys: Vec<Key>,
}

/// A folder that may be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootConfig {
    /// What requests call it.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
}

/// Bounds on what one client, and all together, may ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Bounds {
    /// Bytes of one request's body.
    pub upload_bytes: u64,
    /// Bytes of all bodies that are held at a time.
    pub upload_bytes_total: u64,
    /// Files in one request.
    pub files: usize,
    /// Longest sound that is decoded for a request, seconds.
    pub decode_s: f64,
    /// Longest time that decoding a file of a request may take, seconds.
    pub decode_time_s: f64,
    /// Labels in one request, prompts and templates of each counted.
    pub label_texts: usize,
    /// Characters of one text.
    pub text_chars: usize,
    /// Hits and items that one request may ask for.
    pub results: usize,
    /// Sounds decoded and encoded at a time.
    pub encodes: usize,
    /// Searches and look-ups at a time.
    pub searches: usize,
    /// Requests that may wait, for each of the two.
    pub queue: usize,
    /// Connections at a time; further ones wait to be taken.
    pub connections: usize,
    /// Longest time for a request, seconds.
    pub request_s: f64,
    /// Requests a second and key.
    pub requests_per_s: f64,
    /// Jobs that may wait.
    pub jobs: usize,
    /// Threads of an indexing job; 0 for all cores but one.
    pub job_threads: usize,
    /// Segments from which a part of the index gets an HNSW graph, built in the background; 0 for never.
    pub graph_segments: usize,
    /// How long an index must stay unchanged before a graph is built for it, seconds.
    pub graph_quiet_s: f64,
    /// Saved label sets.
    pub label_sets: usize,
    /// Pictures, waveforms and maps kept in memory, bytes.
    pub cache_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7788),
            insecure: false,
            log_json: false,
            upload_root: None,
            hosts: Vec::new(),
            limits: Bounds::default(),
            roots: Vec::new(),
            keys: Vec::new(),
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            upload_bytes: 64 << 20,
            upload_bytes_total: 512 << 20,
            files: 32,
            decode_s: 3600.0,
            decode_time_s: 30.0,
            label_texts: 2048,
            text_chars: 1000,
            results: 500,
            encodes: cores,
            searches: cores * 2,
            queue: 64,
            connections: 1024,
            request_s: 120.0,
            requests_per_s: 100.0,
            jobs: 16,
            job_threads: 0,
            graph_segments: 100_000,
            graph_quiet_s: 30.0,
            label_sets: 1000,
            cache_bytes: 32 << 20,
        }
    }
}

/// Settings that do not go together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Other machines would be served, and anybody there could do anything.
    #[error("{listen} can be reached from other machines, and there are no API keys")]
    Open {
        /// Where it would have listened.
        listen: SocketAddr,
    },
    /// A folder is not there, or not a folder.
    #[error("root `{name}`: {}: {reason}", .path.display())]
    Root {
        /// Its name.
        name: String,
        /// Its path.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A key's hash is not one.
    #[error("key `{name}`: expected a hash of 64 hexadecimal digits")]
    Key {
        /// Whose key.
        name: String,
    },
    /// A value is out of its range.
    #[error("{setting}: expected {expected}, got {received}")]
    Value {
        /// Which.
        setting: &'static str,
        /// What would be right.
        expected: &'static str,
        /// What came.
        received: String,
    },
}

impl Config {
    /// Limits on untrusted audio, for the engine that answers requests.
    #[must_use]
    pub fn audio_limits(&self) -> Limits {
        let Bounds { decode_s, decode_time_s, .. } = self.limits;
        Limits { max_duration_s: decode_s, max_decode_s: decode_time_s, ..Limits::default() }
    }

    /// Threads of the engine that works for jobs.
    #[must_use]
    pub fn job_threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        if self.limits.job_threads == 0 { cores.saturating_sub(1).max(1) } else { self.limits.job_threads }
    }

    /// Refuses what is unsafe or makes no sense.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !self.listen.ip().is_loopback() && self.keys.is_empty() && !self.insecure {
            return Err(ConfigError::Open { listen: self.listen });
        }
        for (setting, value) in [
            ("decode_s", self.limits.decode_s),
            ("decode_time_s", self.limits.decode_time_s),
            ("graph_quiet_s", self.limits.graph_quiet_s),
            ("request_s", self.limits.request_s),
            ("requests_per_s", self.limits.requests_per_s),
        ] {
            // A year is for ever, and still a `Duration`.
            if !(value > 0.0 && value < 366.0 * 86_400.0) {
                let (expected, received) = ("more than 0, less than a year of seconds", value.to_string());
                return Err(ConfigError::Value { setting, expected, received });
            }
        }
        self.limits.validate()?;
        for (i, root) in self.roots.iter().enumerate() {
            let is_taken = self.roots[..i].iter().any(|other| other.name == root.name)
                || root.name == UPLOADS && self.upload_root.is_some();
            if is_taken {
                let (expected, received) =
                    ("each name once; `uploads` is the name of `upload_root`", root.name.clone());
                return Err(ConfigError::Value { setting: "roots", expected, received });
            }
        }
        Ok(())
    }
}

impl Bounds {
    /// What one request may ask of the library.
    pub(crate) fn of_library(&self) -> LibraryLimits {
        LibraryLimits {
            results: self.results,
            text_chars: self.text_chars,
            label_texts: self.label_texts,
            label_sets: self.label_sets,
            decode_s: self.decode_s,
            deepest: DEEPEST,
            parts: PARTS,
            templates: TEMPLATES,
            clips: CLIPS,
            tagged: TAGGED,
            compared: COMPARED,
            event_scores: EVENT_SCORES,
            track_numbers: TRACK_NUMBERS,
        }
    }

    /// Far more than makes sense is refused, so that nothing overflows or takes all memory by itself.
    fn validate(&self) -> Result<(), ConfigError> {
        for (setting, value, least, most) in [
            ("upload_bytes", self.upload_bytes, 1, 1 << 36),
            ("upload_bytes_total", self.upload_bytes_total, 1, 1 << 40),
            ("files", self.files as u64, 1, 10_000),
            ("label_texts", self.label_texts as u64, 1, 1_000_000),
            ("text_chars", self.text_chars as u64, 1, 1_000_000),
            ("results", self.results as u64, 1, 1_000_000),
            ("encodes", self.encodes as u64, 1, 4096),
            ("searches", self.searches as u64, 1, 4096),
            ("queue", self.queue as u64, 0, 100_000),
            ("connections", self.connections as u64, 1, 1_000_000),
            ("jobs", self.jobs as u64, 1, 100_000),
            ("job_threads", self.job_threads as u64, 0, 4096),
            ("graph_segments", self.graph_segments as u64, 0, 1 << 32),
            ("label_sets", self.label_sets as u64, 0, 100_000),
            ("cache_bytes", self.cache_bytes, 0, 1 << 40),
        ] {
            if !(least..=most).contains(&value) {
                let expected = if value < least { "1 or more" } else { "a number that makes sense" };
                return Err(ConfigError::Value { setting, expected, received: value.to_string() });
            }
        }
        if self.upload_bytes_total < self.upload_bytes {
            return Err(ConfigError::Value {
                setting: "upload_bytes_total",
                expected: "at least upload_bytes, or no body of that size is ever taken",
                received: self.upload_bytes_total.to_string(),
            });
        }
        Ok(())
    }
}
