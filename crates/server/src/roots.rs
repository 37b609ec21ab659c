//! The folders that may be used, and nothing outside them: no `..`, no links that lead out.

use std::path::{Component, Path, PathBuf};

use earmark_engine::typed_path;
use earmark_index::file_path;
use earmark_library::Error;

use crate::config::{Config, ConfigError, RootConfig, UPLOADS};
use crate::error::{ApiError, ApiResult, Kind};

/// A folder that may be used.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    pub(crate) name: String,
    /// Without links.
    pub(crate) path: PathBuf,
    /// Whether uploads go there.
    pub(crate) writable: bool,
}

/// All of them.
#[derive(Debug, Clone)]
pub(crate) struct Roots(Vec<Root>);

impl Roots {
    pub(crate) fn open(config: &Config) -> Result<Self, ConfigError> {
        let mut roots = Vec::new();
        for RootConfig { name, path } in &config.roots {
            roots.push(Self::root(name, path, false)?);
        }
        if let Some(path) = &config.upload_root {
            let _ = std::fs::create_dir_all(path);
            roots.push(Self::root(UPLOADS, path, true)?);
        }
        Ok(Self(roots))
    }

    fn root(name: &str, path: &Path, writable: bool) -> Result<Root, ConfigError> {
        let error =
            |reason: String| ConfigError::Root { name: name.to_owned(), path: path.to_owned(), reason };
        let real = std::fs::canonicalize(path).map_err(|e| error(e.to_string()))?;
        if !real.is_dir() {
            return Err(error("not a folder".to_owned()));
        }
        if name.is_empty() || name.contains(['/', '\\']) {
            return Err(error("a name is a word without slashes".to_owned()));
        }
        Ok(Root { name: name.to_owned(), path: real, writable })
    }

    pub(crate) fn all(&self) -> &[Root] {
        &self.0
    }

    /// Where uploads go.
    pub(crate) fn uploads(&self) -> Option<&Root> {
        self.0.iter().find(|root| root.writable)
    }

    /// The folder or file that a request names: a root, a path below one by the root's name, or an absolute path.
    pub(crate) fn resolve(&self, wanted: &str) -> ApiResult<PathBuf> {
        let path = Path::new(wanted);
        let forbidden = || ApiError::new(Kind::Forbidden, format!("`{wanted}` is not below an allowed root"));
        let is_plain =
            |c: Component<'_>| matches!(c, Component::Normal(_) | Component::RootDir | Component::Prefix(_));
        if wanted.contains('\0') || !path.components().all(is_plain) {
            return Err(forbidden());
        }
        let whole = if path.is_absolute() {
            path.to_path_buf()
        } else {
            let (name, rest) = wanted.split_once('/').unwrap_or((wanted, ""));
            let root = self.0.iter().find(|root| root.name == name).ok_or_else(forbidden)?;
            root.path.join(rest)
        };
        let whole = typed_path(&whole);
        // Whatever is not below a root looks the same whether it is there or not.
        match std::fs::canonicalize(&whole) {
            Ok(real) if self.holds(&real) => Ok(real),
            Err(_) if self.0.iter().any(|root| whole.starts_with(&root.path)) => {
                Err(ApiError::not_found("folder", wanted))
            }
            _ => Err(forbidden()),
        }
    }

    /// Whether a real path (without links) is below a root.
    pub(crate) fn holds(&self, real: &Path) -> bool {
        self.0.iter().any(|root| real.starts_with(&root.path))
    }

    /// The file of a clip, by its stored path, if it may be read: below a root, or, where there are no roots,
    /// wherever the index says.
    pub(crate) fn clip_file(&self, path: &str) -> Result<PathBuf, Error> {
        let refused = |forbidden, reason: &str| Error::ClipFile { forbidden, reason: reason.to_owned() };
        let real = std::fs::canonicalize(file_path(path))
            .map_err(|_| refused(false, "the clip's file is gone or cannot be read"))?;
        if !self.0.is_empty() && !self.holds(&real) {
            return Err(refused(true, "the clip's file is not below an allowed root"));
        }
        if !real.is_file() {
            return Err(refused(false, "the clip's file is not a regular file"));
        }
        Ok(real)
    }
}
