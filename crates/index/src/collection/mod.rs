//! Several models side by side: a folder of spaces, each an index of one model's vectors, and a note which of
//! them is current.
//!
//! ```text
//! DIR/current            the current space's name; replaced atomically
//! DIR/lock               locked by whoever changes which spaces there are, or opens one
//! DIR/spaces/NAME/       an index; NAME is the model's id and a hash of its whole identity
//! DIR/spaces/.…          work under way, or what a crash left of it
//! ```
//!
//! - `space`: names
//! - `lock`: who may change what
//! - `change`: make, switch, drop
//! - `migrate`: indexes from before there were spaces, whose store lies in `DIR` itself

mod change;
mod lock;
mod migrate;
mod space;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::open::absent;
use crate::store::Store;
use crate::types::{Identity, OpenOptions};

pub use lock::Hold;
pub use space::{Space, space_name};

/// The folder of spaces.
const SPACES: &str = "spaces";

/// The file that names the current space.
const CURRENT: &str = "current";

/// A folder of spaces. Holds no files open; every call looks at the disk again, since other processes change
/// it too.
#[derive(Debug, Clone)]
pub struct Collection {
    dir: PathBuf,
    opts: OpenOptions,
}

impl Collection {
    /// The collection in `dir`, which must have a space. An index from before there were spaces becomes one,
    /// by renaming.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none; [`Error::TwoStores`]; [`Error::Unpublished`] for an index of
    /// the old layout on a disk that cannot be written; those of [`crate::Writer::open`] for other trouble
    /// with one.
    pub fn open(dir: &Path, opts: &OpenOptions) -> Result<Self> {
        let collection = Self::open_or_new(dir, opts)?;
        if collection.spaces()?.is_empty() { Err(absent(dir)) } else { Ok(collection) }
    }

    /// As [`Self::open`], but there need not be anything yet. Creates nothing before [`Self::make`].
    ///
    /// # Errors
    /// As [`Self::open`], without [`Error::NotFound`].
    pub fn open_or_new(dir: &Path, opts: &OpenOptions) -> Result<Self> {
        match migrate::migrate(dir, opts) {
            Err(e) if e.is_not_writable() || matches!(e, Error::DiskFull { .. }) => {
                return Err(Error::Unpublished { dir: dir.to_path_buf() });
            }
            migrated => migrated?,
        }
        Ok(Self { dir: dir.to_path_buf(), opts: opts.clone() })
    }

    /// Whether something in `dir` is a collection's, finished or not.
    #[must_use]
    pub fn has_begun(dir: &Path) -> bool {
        dir.join(SPACES).exists() || Store::folder(dir).exists()
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How its indexes are opened.
    #[must_use]
    pub fn options(&self) -> &OpenOptions {
        &self.opts
    }

    /// All spaces, by name.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn spaces(&self) -> Result<Vec<Space>> {
        let folder = self.dir.join(SPACES);
        let entries = match fs::read_dir(&folder) {
            Err(e) if is_absent(&e) => return Ok(Vec::new()),
            entries => entries.map_err(|e| Error::io(&self.dir, &folder, e))?,
        };
        let mut spaces = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| Error::io(&self.dir, &folder, e))?;
            if entry.path().is_dir()
                && let Some(name) = entry.file_name().to_str().filter(|name| space::is_name(name))
            {
                spaces.push(Space { name: name.to_owned(), path: entry.path() });
            }
        }
        spaces.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(spaces)
    }

    /// The current space. The only one is current without a note of it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoCurrentSpace`], [`Error::Io`].
    pub fn current(&self) -> Result<Space> {
        let spaces = self.spaces()?;
        let named = self.read_current()?;
        let known = spaces.iter().map(|space| space.name.clone()).collect();
        match (named, spaces.as_slice()) {
            (None, []) => Err(absent(&self.dir)),
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(Error::NoCurrentSpace { dir: self.dir.clone(), gone: None, known }),
            (Some(name), _) => match spaces.iter().find(|space| space.name == name) {
                Some(space) => Ok(space.clone()),
                None => Err(Error::NoCurrentSpace { dir: self.dir.clone(), gone: Some(name), known }),
            },
        }
    }

    /// The space for vectors of exactly this identity, if there is one.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn space_of(&self, identity: &Identity) -> Result<Option<Space>> {
        let name = space_name(identity);
        Ok(self.spaces()?.into_iter().find(|space| space.name == name))
    }

    /// A space by its name, or by its model's id where only one space is that model's.
    ///
    /// # Errors
    /// [`Error::UnknownSpace`], [`Error::AmbiguousSpace`], [`Error::Io`].
    pub fn find(&self, wanted: &str) -> Result<Space> {
        let spaces = self.spaces()?;
        if let Some(space) = spaces.iter().find(|space| space.name == wanted) {
            return Ok(space.clone());
        }
        let of_model: Vec<&Space> = spaces.iter().filter(|space| space.is_of_model(wanted)).collect();
        let names =
            |spaces: &mut dyn Iterator<Item = &Space>| spaces.map(|space| space.name.clone()).collect();
        let (dir, wanted) = (self.dir.clone(), wanted.to_owned());
        match of_model.as_slice() {
            [only] => Ok((*only).clone()),
            [] => Err(Error::UnknownSpace { dir, wanted, known: names(&mut spaces.iter()) }),
            several => Err(Error::AmbiguousSpace { dir, wanted, known: names(&mut several.iter().copied()) }),
        }
    }

    fn read_current(&self) -> Result<Option<String>> {
        let path = self.dir.join(CURRENT);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(Error::io(&self.dir, &path, e)),
        }
    }
}

/// Whether nothing is there, the folder itself perhaps not, or not a folder.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn spaces_dir(dir: &Path) -> PathBuf {
    dir.join(SPACES)
}

fn space_dir(dir: &Path, name: &str) -> PathBuf {
    spaces_dir(dir).join(name)
}
