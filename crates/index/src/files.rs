//! Derived files: written whole or not at all, and never believed without their checksum.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

/// Passes bytes on and hashes them. XXH3 keeps up with memory; the files are caches that nobody attacks, only
/// accidents.
pub(crate) struct Hashed<T> {
    inner: T,
    hash: Xxh3,
}

impl<T> Hashed<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, hash: Xxh3::new() }
    }
}

impl<W: Write> Hashed<W> {
    /// Writes the hash of all that went before, and gives the writer back.
    pub(crate) fn seal(mut self) -> io::Result<W> {
        let digest = self.hash.digest128().to_le_bytes();
        self.inner.write_all(&digest)?;
        Ok(self.inner)
    }
}

impl<R: Read> Hashed<R> {
    /// Whether the hash that follows is that of all that was read.
    pub(crate) fn check_seal(mut self) -> io::Result<bool> {
        let mut digest = [0; 16];
        self.inner.read_exact(&mut digest)?;
        Ok(digest == self.hash.digest128().to_le_bytes())
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.hash.update(&bytes[..read]);
        Ok(read)
    }
}

/// Length of a [`Hashed::seal`].
pub(crate) const SEAL_BYTES: u64 = 16;

/// Writes `path` through a temporary file in the same folder: a reader, or a crash, sees the old file or the
/// new one.
pub(crate) fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMP_PREFIX);
    // As readable as any other file: the folder may be shared.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temp = builder.tempfile_in(dir)?;
    {
        let mut out = io::BufWriter::with_capacity(1 << 20, temp.as_file_mut());
        write(&mut out)?;
        out.flush()?;
    }
    temp.as_file().sync_all()?;
    temp.persist(path).map_err(|e| e.error)?;
    sync_dir(dir)
}

/// How temporary files begin, so that those a crash left behind can be told.
pub(crate) const TEMP_PREFIX: &str = ".tmp-";

/// Makes renames in `dir` last.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Removes what matches in `dir`; a file that will not go is left for the next time.
pub(crate) fn remove_matching(dir: &Path, matches: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(&matches) {
            let path = entry.path();
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}
