//! Files mapped into memory: the one place that does so.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// A whole file, mapped for reading.
pub(crate) struct Map(memmap2::Mmap);

impl Map {
    /// Maps the file at `path`, which must be one that earmark never changes once it has its name.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the bytes of a mapping must not change while it lasts. Published files are written under
        // names that no list mentions yet, synced, and from then on only ever unlinked, which leaves a
        // mapping whole (`publisher.rs`; the test `a_reader_keeps_what_it_opened` holds one across merges and
        // deletions). Every value read from a mapping is checked as hostile bytes are, and no reference into
        // it is kept where its value matters for safety. What is left is another program that truncates the
        // file: the system then ends this process (SIGBUS) rather than let it read what is not there.
        #[allow(unsafe_code)]
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self(map))
    }
}

impl Map {
    /// Says that these bytes are not needed soon, so that they no longer count as memory of this process.
    /// They stay in the system's cache, and are mapped again when they are read.
    pub(crate) fn let_go(&self, from: usize, to: usize) {
        #[cfg(unix)]
        {
            // SAFETY: what this advice can lose is what was written to a mapping; this one is a file's,
            // shared, and only read. The system keeps or reads again what the file holds.
            #[allow(unsafe_code)]
            let _ = unsafe {
                self.0.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    from,
                    to.saturating_sub(from),
                )
            };
        }
        #[cfg(not(unix))]
        let _ = (from, to);
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
