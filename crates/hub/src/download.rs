//! Requests, as many as it takes, until all bytes of a file are there.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use ureq::Body;
use ureq::http::Response;

use crate::client::{Client, header, translate};
use crate::types::{Event, RemoteFile};
use crate::{HubError, Settings};

/// Bytes that a try must bring to count as progress. A server that cuts each connection after a few bytes is not
/// asked for ever.
const PROGRESS: u64 = 1 << 20;
/// Bytes that must come in each stall timeout: one that trickles is as good as silent.
const TRICKLE: u64 = 1 << 10;
/// Longest wait between tries.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Longest wait that a server may ask for; a longer one is for people to decide.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);

/// Counts failures in a row, and waits between tries.
pub(crate) struct Retries<'a> {
    settings: &'a Settings,
    failures: u32,
}

impl<'a> Retries<'a> {
    pub(crate) fn new(settings: &'a Settings) -> Self {
        Self { settings, failures: 0 }
    }

    /// Waits before another try, or gives `error` back when there is no point in one. After a try that brought
    /// something the count begins anew.
    pub(crate) fn wait(
        &mut self,
        error: HubError,
        progress: bool,
        tell: &mut dyn FnMut(Event),
    ) -> Result<(), HubError> {
        self.failures = if progress { 1 } else { self.failures + 1 };
        let asked = match &error {
            HubError::Busy { retry_after, .. } => *retry_after,
            _ => None,
        };
        let hopeless = !error.is_transient() || asked.is_some_and(|wait| wait > MAX_RETRY_AFTER);
        if hopeless || self.failures >= self.settings.attempts {
            return Err(error);
        }
        let doubled = self.settings.retry_wait.saturating_mul(1 << (self.failures - 1).min(16));
        let wait = doubled.min(MAX_WAIT).max(asked.unwrap_or_default());
        tell(Event::Retrying { wait, error: &error });
        std::thread::sleep(wait);
        Ok(())
    }
}

/// One file on its way to disk.
pub(crate) struct Download<'a> {
    pub(crate) client: &'a Client,
    pub(crate) settings: &'a Settings,
    pub(crate) file: &'a RemoteFile,
    /// Bytes it must have, where known.
    pub(crate) size: Option<u64>,
    /// What has come so far; appended to.
    pub(crate) incomplete: &'a Path,
}

impl Download<'_> {
    /// Fetches what is missing.
    pub(crate) fn run(&self, tell: &mut dyn FnMut(Event)) -> Result<(), HubError> {
        let open = File::options().create(true).write(true).truncate(false).open(self.incomplete);
        let mut out = open.map_err(HubError::io(self.incomplete))?;
        let mut have = out.metadata().map_err(HubError::io(self.incomplete))?.len();
        if self.size.is_some_and(|size| have > size) {
            have = 0;
        }
        self.check_room(have)?;
        tell(Event::Started { have, total: self.size });
        let mut retries = Retries::new(self.settings);
        let mut furthest = have;
        while self.size.is_none_or(|size| have < size) {
            match self.attempt(&mut out, &mut have, tell) {
                Ok(()) => break,
                Err(error) => {
                    // What came once and was given up is no progress when it comes again.
                    let progress = have >= furthest + PROGRESS;
                    furthest = furthest.max(have);
                    retries.wait(error, progress, tell)?;
                }
            }
        }
        out.sync_all().map_err(HubError::io(self.incomplete))
    }

    fn check_room(&self, have: u64) -> Result<(), HubError> {
        let folder = self.incomplete.parent().unwrap_or(self.incomplete);
        // Where it cannot be told, writing will.
        let Ok(free) = fs2::available_space(folder) else { return Ok(()) };
        let needed = self.size.unwrap_or(0).saturating_sub(have);
        if needed > free {
            return Err(HubError::DiskFull { folder: folder.to_path_buf(), needed, free });
        }
        Ok(())
    }

    /// One request. `have` follows what is on disk, also when it fails.
    fn attempt(&self, out: &mut File, have: &mut u64, tell: &mut dyn FnMut(Event)) -> Result<(), HubError> {
        let (host, answer) = self.client.bytes(self.file, *have)?;
        let end = match self.begin(&host, &answer, have) {
            Ok(end) => end,
            Err(e) => {
                // What is there does not fit what the server has.
                *have = 0;
                return Err(e);
            }
        };
        out.set_len(*have).map_err(|e| self.write_error(e))?;
        out.seek(SeekFrom::Start(*have)).map_err(|e| self.write_error(e))?;
        tell(Event::Received { have: *have });
        let mut body = answer.into_body().into_reader();
        let mut piece = vec![0; 1 << 16];
        let mut pace = Pace::new(self.settings.stall_timeout, *have);
        loop {
            let n = match body.read(&mut piece) {
                Ok(n) => n,
                Err(e) => return Err(self.read_error(e, &host, *have)),
            };
            if n == 0 {
                break;
            }
            if end.is_some_and(|end| *have + n as u64 > end) {
                let received = *have + n as u64;
                *have = 0;
                return Err(self.length(end.unwrap_or(0), received));
            }
            out.write_all(&piece[..n]).map_err(|e| self.write_error(e))?;
            *have += n as u64;
            tell(Event::Received { have: *have });
            if pace.too_slow(*have) {
                let seconds = self.settings.stall_timeout.as_secs_f64();
                return Err(HubError::Stalled { host, seconds });
            }
        }
        match end {
            Some(end) if *have < end => Err(HubError::Cut { host, received: *have }),
            _ => Ok(()),
        }
    }

    /// Reads an answer's head: where its bytes begin (`have` is set to it), and where the file ends.
    fn begin(&self, host: &str, answer: &Response<Body>, have: &mut u64) -> Result<Option<u64>, HubError> {
        let headers = answer.headers();
        let protocol = |reason: String| HubError::Protocol { host: host.to_owned(), reason };
        if let Some(encoding) = header(headers, "content-encoding").filter(|e| *e != "identity") {
            return Err(protocol(format!("content-encoding {encoding}, which was not asked for")));
        }
        let end = match answer.status().as_u16() {
            206 => {
                let shown = header(headers, "content-range").unwrap_or_default();
                let range = parse_range(shown).filter(|(start, _)| start == have);
                range.ok_or_else(|| protocol(format!("asked for bytes {have}-, got `{shown}`")))?.1
            }
            416 => return Err(protocol(format!("it has no bytes after {have}"))),
            // The whole file, from its start: this server cannot resume.
            _ => {
                *have = 0;
                header(headers, "content-length").and_then(|length| length.parse().ok())
            }
        };
        match (self.size, end) {
            (Some(size), Some(end)) if size != end => Err(self.length(size, end)),
            (size, end) => Ok(size.or(end)),
        }
    }

    fn length(&self, expected: u64, received: u64) -> HubError {
        HubError::Length { repo: self.file.repo.clone(), path: self.file.path.clone(), expected, received }
    }

    fn read_error(&self, error: std::io::Error, host: &str, have: u64) -> HubError {
        match translate(error.into(), host, false, self.settings) {
            stalled @ HubError::Stalled { .. } => stalled,
            _ => HubError::Cut { host: host.to_owned(), received: have },
        }
    }

    fn write_error(&self, error: std::io::Error) -> HubError {
        if error.kind() != std::io::ErrorKind::StorageFull {
            return HubError::io(self.incomplete)(error);
        }
        let folder = self.incomplete.parent().unwrap_or(self.incomplete).to_path_buf();
        let have = fs::metadata(self.incomplete).map_or(0, |m| m.len());
        HubError::DiskFull { folder, needed: self.size.unwrap_or(0).saturating_sub(have), free: 0 }
    }
}

/// Start and total of `bytes START-END/TOTAL`; the total may be `*`, unknown.
fn parse_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-')?.0.trim().parse().ok()?;
    match total.trim() {
        "*" => Some((start, None)),
        total => Some((start, Some(total.parse().ok()?))),
    }
}

/// Whether bytes come fast enough.
struct Pace {
    window: Duration,
    since: Instant,
    have: u64,
}

impl Pace {
    fn new(window: Duration, have: u64) -> Self {
        Self { window, since: Instant::now(), have }
    }

    fn too_slow(&mut self, have: u64) -> bool {
        if self.since.elapsed() < self.window {
            return false;
        }
        let slow = have - self.have < TRICKLE;
        *self = Self::new(self.window, have);
        slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_range_is_read_strictly() {
        assert_eq!(parse_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parse_range("bytes 5-9/*"), Some((5, None)));
        for bad in ["", "bytes */10", "items 5-9/10", "bytes 5-9", "bytes -9/10", "bytes 5-9/ten"] {
            assert_eq!(parse_range(bad), None, "{bad}");
        }
    }
}
