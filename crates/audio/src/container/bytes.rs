//! Reading headers at given places of a file.

use std::io::{Read, Seek, SeekFrom};

/// Bytes of a file, by place. What lies beyond the end is `None`.
pub(crate) struct Bytes<'a, M: ?Sized> {
    media: &'a mut M,
    len: u64,
}

impl<'a, M: Read + Seek + ?Sized> Bytes<'a, M> {
    /// Leaves the stream's position anywhere, as all reading does.
    pub(crate) fn new(media: &'a mut M) -> std::io::Result<Self> {
        let len = media.seek(SeekFrom::End(0))?;
        Ok(Self { media, len })
    }

    /// Length of the file.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn array<const N: usize>(&mut self, at: u64) -> Option<[u8; N]> {
        let mut array = [0; N];
        (self.read(at, &mut array) == N).then_some(array)
    }

    /// Fills `buffer` as far as the file goes; gives how many bytes that is.
    pub(crate) fn read(&mut self, at: u64, buffer: &mut [u8]) -> usize {
        if at >= self.len || self.media.seek(SeekFrom::Start(at)).is_err() {
            return 0;
        }
        let mut filled = 0;
        while filled < buffer.len() {
            match self.media.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        filled
    }

    /// Up to `len` bytes.
    pub(crate) fn vec(&mut self, at: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let read = self.read(at, &mut bytes);
        bytes.truncate(read);
        bytes
    }

    pub(crate) fn u32_le(&mut self, at: u64) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(crate) fn u64_le(&mut self, at: u64) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }

    pub(crate) fn u16_be(&mut self, at: u64) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    pub(crate) fn u32_be(&mut self, at: u64) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    pub(crate) fn u64_be(&mut self, at: u64) -> Option<u64> {
        self.array(at).map(u64::from_be_bytes)
    }
}

/// A stretch of a file that is kept in memory, for reading onwards in small steps.
pub(super) struct Window {
    held: Vec<u8>,
    at: u64,
    /// Bytes read at a time.
    size: usize,
}

impl Window {
    pub(super) fn new(size: usize) -> Self {
        Self { held: Vec::new(), at: 0, size }
    }

    /// The bytes from `at` on, at most `len`.
    pub(super) fn peek<M: Read + Seek + ?Sized>(
        &mut self,
        bytes: &mut Bytes<'_, M>,
        at: u64,
        len: usize,
    ) -> &[u8] {
        let end = self.at + self.held.len() as u64;
        if at < self.at || at.saturating_add(len as u64) > end {
            self.held = bytes.vec(at, self.size.max(len));
            self.at = at;
        }
        let from = usize::try_from(at - self.at).unwrap_or(usize::MAX).min(self.held.len());
        &self.held[from..from.saturating_add(len).min(self.held.len())]
    }
}
