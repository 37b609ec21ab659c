//! A hub with one file on it, and a cache of one's own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use earmark_hub::{Fetched, Hub, HubError, RemoteFile, Settings, sha256_of_file};
use tempfile::TempDir;

use crate::server::{COMMIT, Remote, Server};

pub(crate) const REPO: &str = "org/model";
pub(crate) const PATH: &str = "onnx/audio.onnx";
/// More than one piece of the download's buffer, less than what counts as progress.
pub(crate) const LENGTH: usize = 200_000;

pub(crate) struct Setup {
    pub(crate) dir: TempDir,
    pub(crate) server: Server,
    pub(crate) settings: Settings,
    pub(crate) file: RemoteFile,
    pub(crate) bytes: Vec<u8>,
}

impl Setup {
    /// The file in large-file storage, as models are.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start();
        let bytes: Vec<u8> =
            (0..LENGTH as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let sha256 = sha256(dir.path(), &bytes);
        server.add(REPO, PATH, Remote { bytes: bytes.clone(), etag: sha256.clone(), linked: true });
        let vars = [("HF_ENDPOINT", server.url()), ("HF_HOME", dir.path().join("hf").display().to_string())];
        let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
        let settings = Settings {
            stall_timeout: Duration::from_millis(300),
            connect_timeout: Duration::from_secs(5),
            retry_wait: Duration::from_millis(1),
            ..Settings::from_vars(&var).unwrap()
        };
        let file = RemoteFile {
            repo: REPO.to_owned(),
            revision: COMMIT.to_owned(),
            path: PATH.to_owned(),
            bytes: Some(LENGTH as u64),
            sha256: Some(sha256),
        };
        Self { dir, server, settings, file, bytes }
    }

    pub(crate) fn fetch(&self) -> Result<Fetched, HubError> {
        Hub::new(self.settings.clone()).unwrap().fetch(&self.file, &mut |_| {})
    }

    /// Fetches, and expects the very bytes.
    pub(crate) fn fetch_ok(&self) -> Fetched {
        let fetched = self.fetch().unwrap();
        assert_eq!(std::fs::read(&fetched.path).unwrap(), self.bytes);
        assert_eq!(Some(&fetched.sha256), self.file.sha256.as_ref());
        fetched
    }

    /// Fetches, expects failure, and that nothing is in the cache that could be taken for the file.
    pub(crate) fn fetch_err(&self) -> HubError {
        let error = self.fetch().unwrap_err();
        assert!(!self.blob().exists(), "{error}");
        assert!(!self.snapshot().exists(), "{error}");
        error
    }

    pub(crate) fn repo_folder(&self) -> PathBuf {
        self.dir.path().join("hf/hub/models--org--model")
    }

    pub(crate) fn blob(&self) -> PathBuf {
        self.repo_folder().join("blobs").join(self.file.sha256.as_ref().unwrap())
    }

    pub(crate) fn incomplete(&self) -> PathBuf {
        self.blob().with_extension("incomplete")
    }

    pub(crate) fn snapshot(&self) -> PathBuf {
        self.repo_folder().join("snapshots").join(COMMIT).join(PATH)
    }

    /// What an earlier run left behind.
    pub(crate) fn leave_incomplete(&self, bytes: &[u8]) {
        std::fs::create_dir_all(self.incomplete().parent().unwrap()).unwrap();
        std::fs::write(self.incomplete(), bytes).unwrap();
    }
}

pub(crate) fn sha256(dir: &Path, bytes: &[u8]) -> String {
    let path = dir.join("hashed");
    std::fs::write(&path, bytes).unwrap();
    sha256_of_file(&path).unwrap()
}
