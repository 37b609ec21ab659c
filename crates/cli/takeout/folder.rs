//! A folder that files are put into. Nothing that is there is overwritten.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tempfile::{Builder, NamedTempFile};

/// Numbers that are tried for a name that is taken.
const MOST_NUMBERS: u32 = 10_000;

/// Bytes of two files that are compared at once.
const COMPARED: usize = 1 << 16;

pub(super) struct Folder {
    dir: PathBuf,
}

/// Where a file is now.
pub(super) enum Placed {
    New(PathBuf),
    /// A file with the same content was there before.
    Already(PathBuf),
}

impl Folder {
    /// The folder `dir`, made if it is missing. `flag` names it in errors.
    pub(super) fn make(flag: &str, dir: &Path) -> Result<Self> {
        if dir.exists() && !dir.is_dir() {
            bail!("{flag} {}: expected a folder, found a file; name another folder", dir.display());
        }
        fs::create_dir_all(dir).with_context(|| format!("{flag} {}: cannot be made", dir.display()))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// A file in this folder that is not finished. It is removed if it is dropped.
    pub(super) fn draft(&self) -> io::Result<NamedTempFile> {
        let mut builder = Builder::new();
        builder.prefix(".earmark-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // The umask takes away from these, as from those of any other file.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        builder.tempfile_in(&self.dir)
    }

    /// Puts the content of `source` under `name`, or under `name (2)` and so on where another file has that
    /// name. `draft` gives the finished content as a file of this folder.
    pub(super) fn place(
        &self,
        name: &OsStr,
        source: &Path,
        draft: impl FnOnce() -> io::Result<NamedTempFile>,
    ) -> io::Result<Placed> {
        let (mut make, mut made) = (Some(draft), None);
        for number in 1..=MOST_NUMBERS {
            let path = self.dir.join(numbered(name, number));
            // A link that leads nowhere is there, too.
            if path.symlink_metadata().is_ok() {
                if is_same(source, &path) {
                    return Ok(Placed::Already(path));
                }
                continue;
            }
            if let Some(make) = make.take() {
                made = Some(make()?);
            }
            let Some(draft) = made.take() else { break };
            match draft.persist_noclobber(&path) {
                Ok(_) => return Ok(Placed::New(path)),
                // Somebody else has just made it.
                Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => made = Some(e.file),
                Err(e) => return Err(e.error),
            }
        }
        Err(io::Error::other(format!("{} files have this name already", MOST_NUMBERS)))
    }
}

/// `name` for 1, else with the number before its extension: `dog (2).wav`.
fn numbered(name: &OsStr, number: u32) -> OsString {
    if number == 1 {
        return name.to_owned();
    }
    let path = Path::new(name);
    let mut numbered = path.file_stem().unwrap_or(name).to_owned();
    numbered.push(format!(" ({number})"));
    if let Some(extension) = path.extension() {
        numbered.push(".");
        numbered.push(extension);
    }
    numbered
}

/// Whether two files can be read and have the same content.
fn is_same(a: &Path, b: &Path) -> bool {
    let compare = || -> io::Result<bool> {
        let (a_meta, b_meta) = (fs::metadata(a)?, fs::metadata(b)?);
        if !b_meta.is_file() || a_meta.len() != b_meta.len() {
            return Ok(false);
        }
        let (mut a, mut b) = (File::open(a)?, BufReader::with_capacity(COMPARED, File::open(b)?));
        let (mut of_a, mut of_b) = (vec![0; COMPARED], vec![0; COMPARED]);
        loop {
            let len = a.read(&mut of_a)?;
            if len == 0 {
                return Ok(true);
            }
            b.read_exact(&mut of_b[..len])?;
            if of_a[..len] != of_b[..len] {
                return Ok(false);
            }
        }
    };
    compare().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_before_the_extension() {
        let name = |name: &str, number| numbered(OsStr::new(name), number).into_string().unwrap();
        assert_eq!(name("dog.wav", 1), "dog.wav");
        assert_eq!(name("dog.wav", 2), "dog (2).wav");
        assert_eq!(name("dog", 3), "dog (3)");
        assert_eq!(name("a.b.wav", 2), "a.b (2).wav");
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number_and_nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::make("--copy-to", &dir.path().join("new/folder")).unwrap();
        let place = |content: &str| {
            let source = dir.path().join("source");
            fs::write(&source, content).unwrap();
            let draft = || {
                let draft = folder.draft()?;
                fs::copy(&source, draft.path())?;
                Ok(draft)
            };
            let (is_new, path) = match folder.place(OsStr::new("a.wav"), &source, draft).unwrap() {
                Placed::New(path) => (true, path),
                Placed::Already(path) => (false, path),
            };
            (is_new, path.file_name().unwrap().to_str().unwrap().to_owned())
        };
        assert_eq!(place("one"), (true, "a.wav".to_owned()));
        assert_eq!(place("two"), (true, "a (2).wav".to_owned()));
        assert_eq!(place("six"), (true, "a (3).wav".to_owned()));
        assert_eq!(place("two"), (false, "a (2).wav".to_owned()));
        assert_eq!(fs::read_to_string(folder.dir.join("a.wav")).unwrap(), "one");
        assert_eq!(fs::read_dir(&folder.dir).unwrap().count(), 3);
    }
}
