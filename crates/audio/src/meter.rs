//! Bounds what a demuxer reads before it gives something: symphonia's keep pictures, tags, attachments, tables
//! and packets whole in memory, however large they are.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use symphonia::core::io::MediaSource;

/// Most bytes that are read of a header, or from one packet to the next. Some are kept twice.
pub(crate) const MAX_BARREN_BYTES: u64 = 128 << 20;

/// Bytes read since the last packet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<AtomicU64>);

impl Meter {
    /// A packet came.
    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A file that can be read so far and no further, until its meter is reset. Seeking is free.
pub(crate) struct Metered {
    media: Box<dyn MediaSource>,
    meter: Meter,
}

impl Metered {
    pub(crate) fn new(media: Box<dyn MediaSource>, meter: Meter) -> Self {
        Self { media, meter }
    }
}

impl Read for Metered {
    /// # Errors
    /// `FileTooLarge` beyond the limit.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = MAX_BARREN_BYTES.saturating_sub(self.meter.0.load(Ordering::Relaxed));
        if left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        // A buffer may be larger than what is left: symphonia doubles its own, and reads all of that at once.
        let fitting = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.media.read(&mut buffer[..fitting])?;
        self.meter.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Metered {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.media.seek(to)
    }
}

impl MediaSource for Metered {
    fn is_seekable(&self) -> bool {
        self.media.is_seekable()
    }

    fn byte_len(&self) -> Option<u64> {
        self.media.byte_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_the_limit_says_however_large_the_buffer() {
        let meter = Meter::default();
        let zeros = io::Cursor::new(vec![0; MAX_BARREN_BYTES as usize + 10]);
        let mut file = Metered::new(Box::new(zeros), meter.clone());
        let mut buffer = vec![0; MAX_BARREN_BYTES as usize + 10];
        assert_eq!(file.read(&mut buffer).unwrap(), MAX_BARREN_BYTES as usize);
        assert_eq!(file.read(&mut buffer).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        meter.reset();
        assert_eq!(file.read(&mut buffer).unwrap(), 10);
    }
}
