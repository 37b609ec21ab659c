//! From a name on the hub to a verified file in the cache.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::cache::{RepoCache, is_commit, make_parent};
use crate::client::{Client, Metadata};
use crate::digest::{Sum, sha256_of_file};
use crate::download::Download;
use crate::types::{Event, Fetched, RemoteFile};
use crate::{HubError, Settings};

/// A model hub.
#[derive(Debug)]
pub struct Hub {
    client: Client,
    settings: Arc<Settings>,
}

impl Hub {
    /// Prepares to speak to the hub; speaks to nobody yet.
    ///
    /// # Errors
    /// [`HubError::Setting`] when a proxy's address makes no sense.
    pub fn new(settings: Settings) -> Result<Self, HubError> {
        let settings = Arc::new(settings);
        Ok(Self { client: Client::new(Arc::clone(&settings))?, settings })
    }

    /// Gives a file, from the cache or from the hub, verified. `tell` hears how it goes. Killed at any moment it leaves
    /// the cache sound, and the next call goes on from the bytes that came.
    ///
    /// # Errors
    /// Any [`HubError`]. Transient failures are tried again [`Settings::attempts`] times; bytes that are not those of
    /// the file are deleted.
    pub fn fetch(&self, file: &RemoteFile, tell: &mut dyn FnMut(Event)) -> Result<Fetched, HubError> {
        check_names(file)?;
        let cache = RepoCache::new(&self.settings.cache, &file.repo, self.settings.no_symlinks);
        if let Some(found) = Self::find(&cache, file, tell)? {
            return Ok(found);
        }
        if self.settings.offline {
            return Err(HubError::Offline {
                repo: file.repo.clone(),
                path: file.path.clone(),
                cache: self.settings.cache.clone(),
            });
        }
        let metadata = self.ask(file, tell)?;
        let name = blob_name(file, &metadata)?;
        let size = check_size(file, &metadata)?;
        let commit = match metadata.commit {
            Some(commit) if is_commit(&commit) && !is_commit(&file.revision) => commit,
            _ => file.revision.clone(),
        };

        let lock = cache.lock(&name, &mut || tell(Event::Waiting))?;
        let blob = cache.blob(&name);
        let expected = expected_sum(file, &name)?;
        let from_cache = blob.is_file() && expected.measure(&blob).is_ok_and(|sum| sum == expected);
        if !from_cache {
            make_parent(&blob)?;
            let mut incomplete = cache.incomplete(&name);
            if lock.is_none() {
                // Without locks two processes might write into one file.
                incomplete.set_extension(format!("{}.incomplete", std::process::id()));
            }
            self.download(file, size, &incomplete, &expected, tell)?;
            fs::rename(&incomplete, &blob).map_err(HubError::io(&blob))?;
        }
        let path = cache.link(&name, &commit, file)?;
        drop(lock);
        fetched(path, expected, from_cache)
    }

    /// The file in the cache, where it is there and right. A damaged one is removed.
    fn find(
        cache: &RepoCache,
        file: &RemoteFile,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Option<Fetched>, HubError> {
        let Some(place) = cache.find(file) else { return Ok(None) };
        tell(Event::Verifying);
        // One link, not all: the hub's tools may keep the blob itself elsewhere, under a name that is no checksum.
        let linked = fs::read_link(&place).ok().and_then(|target| Some(place.parent()?.join(target)));
        let blob = linked.unwrap_or_else(|| place.clone());
        let named = blob.file_name().and_then(|n| n.to_str()).and_then(Sum::of_etag);
        let wanted = file.sha256.as_ref().map(|hex| Sum::Sha256(hex.to_ascii_lowercase()));
        let Some(expected) = wanted.or_else(|| named.clone()) else { return Ok(None) };
        let received = expected.measure(&blob).map_err(HubError::io(&blob))?;
        if received == expected {
            return fetched(place, received, true).map(Some);
        }
        let intact = named.is_some_and(|name| name.measure(&blob).is_ok_and(|sum| sum == name));
        if intact {
            // It is what the hub has, or had. A branch may have moved on; a commit cannot.
            return if is_commit(&file.revision) {
                Err(checksum(file, &expected, &received))
            } else {
                Ok(None)
            };
        }
        fs::remove_file(&blob).map_err(HubError::io(&blob))?;
        Ok(None)
    }

    /// Asks the hub what the file is, again while that may help.
    fn ask(&self, file: &RemoteFile, tell: &mut dyn FnMut(Event)) -> Result<Metadata, HubError> {
        let mut retries = crate::download::Retries::new(&self.settings);
        loop {
            match self.client.metadata(file) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => retries.wait(error, false, tell)?,
            }
        }
    }

    /// Downloads and verifies.
    fn download(
        &self,
        file: &RemoteFile,
        size: Option<u64>,
        incomplete: &Path,
        expected: &Sum,
        tell: &mut dyn FnMut(Event),
    ) -> Result<(), HubError> {
        let resumed = incomplete.metadata().is_ok_and(|m| m.len() > 0);
        let download = Download { client: &self.client, settings: &self.settings, file, size, incomplete };
        let fetch = |tell: &mut dyn FnMut(Event)| {
            if let Err(e) = download.run(tell) {
                if matches!(e, HubError::Length { .. }) {
                    fs::remove_file(incomplete).map_err(HubError::io(incomplete))?;
                }
                return Err(e);
            }
            tell(Event::Verifying);
            expected.measure(incomplete).map_err(HubError::io(incomplete))
        };
        let mut received = fetch(tell)?;
        if received != *expected && resumed {
            // What an earlier run left may have been bad; a second, whole download tells.
            fs::remove_file(incomplete).map_err(HubError::io(incomplete))?;
            received = fetch(tell)?;
        }
        if received == *expected {
            return Ok(());
        }
        fs::remove_file(incomplete).map_err(HubError::io(incomplete))?;
        Err(checksum(file, expected, &received))
    }
}

/// `sum` is the file's, measured.
fn fetched(path: PathBuf, sum: Sum, from_cache: bool) -> Result<Fetched, HubError> {
    let bytes = path.metadata().map_err(HubError::io(&path))?.len();
    let sha256 = match sum {
        Sum::Sha256(hex) => hex,
        Sum::GitBlob(_) => sha256_of_file(&path).map_err(HubError::io(&path))?,
    };
    Ok(Fetched { path, bytes, sha256, from_cache })
}

fn checksum(file: &RemoteFile, expected: &Sum, received: &Sum) -> HubError {
    HubError::Checksum {
        repo: file.repo.clone(),
        path: file.path.clone(),
        expected: expected.to_string(),
        received: received.to_string(),
    }
}

/// What the blob is called: the hub's tag where that is a checksum, else our own. A tag that contradicts the checksum
/// wanted ends it here, before anything is downloaded.
fn blob_name(file: &RemoteFile, metadata: &Metadata) -> Result<String, HubError> {
    let sha256 = file.sha256.as_ref().map(|s| s.to_ascii_lowercase());
    match (metadata.etag.as_deref().and_then(Sum::of_etag), sha256) {
        (Some(Sum::Sha256(tag)), Some(wanted)) if tag != wanted => {
            Err(checksum(file, &Sum::Sha256(wanted), &Sum::Sha256(tag)))
        }
        (Some(Sum::Sha256(tag) | Sum::GitBlob(tag)), _) => Ok(tag),
        (None, Some(wanted)) => Ok(wanted),
        (None, None) => Err(HubError::Unverifiable { repo: file.repo.clone(), path: file.path.clone() }),
    }
}

fn expected_sum(file: &RemoteFile, name: &str) -> Result<Sum, HubError> {
    let wanted = file.sha256.as_ref().map(|hex| Sum::Sha256(hex.to_ascii_lowercase()));
    wanted
        .or_else(|| Sum::of_etag(name))
        .ok_or_else(|| HubError::Unverifiable { repo: file.repo.clone(), path: file.path.clone() })
}

fn check_size(file: &RemoteFile, metadata: &Metadata) -> Result<Option<u64>, HubError> {
    match (file.bytes, metadata.size) {
        (Some(expected), Some(received)) if expected != received => {
            Err(HubError::Length { repo: file.repo.clone(), path: file.path.clone(), expected, received })
        }
        (expected, received) => Ok(expected.or(received)),
    }
}

/// Names become paths in the cache and parts of a URL.
fn check_names(file: &RemoteFile) -> Result<(), HubError> {
    let relative = |text: &str| {
        !text.is_empty()
            && !text.contains(['\\', ':'])
            && Path::new(text).components().all(|c| matches!(c, Component::Normal(_)))
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    let repo_ok = relative(&file.repo) && file.repo.matches('/').count() <= 1 && file.repo.chars().all(plain);
    let checks = [
        (repo_ok, "repository", &file.repo, "ORG/NAME"),
        (relative(&file.revision), "revision", &file.revision, "a commit, branch or tag"),
        (relative(&file.path), "path", &file.path, "a path inside the repository"),
    ];
    for (ok, what, value, expected) in checks {
        if !ok {
            return Err(HubError::Name { what, value: value.clone(), expected });
        }
    }
    Ok(())
}
