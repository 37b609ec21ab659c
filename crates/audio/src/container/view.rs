//! [`View`]: a file with stretches left out, put in or written over, as one stream.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// A stretch of a view.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// Bytes of the file.
    File { start: u64, end: u64 },
    /// Bytes of our own.
    Own(Vec<u8>),
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Self::File { start, end } => end.saturating_sub(*start),
            Self::Own(bytes) => bytes.len() as u64,
        }
    }
}

/// Parts of a file and bytes of our own, one after the other.
pub(crate) struct View {
    media: Box<dyn MediaSource>,
    /// Each with its place in the view.
    parts: Vec<(u64, Part)>,
    len: u64,
    at: u64,
    /// Where `media` stands.
    media_at: Option<u64>,
    is_seekable: bool,
}

impl View {
    pub(crate) fn new(media: Box<dyn MediaSource>, parts: Vec<Part>) -> Self {
        let mut len = 0;
        let place = |part: Part| {
            let at = len;
            len += part.len();
            (at, part)
        };
        let parts = parts.into_iter().filter(|part| part.len() > 0).map(place).collect();
        Self { media, parts, len, at: 0, media_at: None, is_seekable: true }
    }

    /// The same, read from start to end: demuxers then do not guess a length, which they would take for the end.
    pub(crate) fn stream(media: Box<dyn MediaSource>, parts: Vec<Part>) -> Self {
        Self { is_seekable: false, ..Self::new(media, parts) }
    }
}

impl Read for View {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let number = self.parts.partition_point(|(start, _)| *start <= self.at);
        let Some((start, part)) = number.checked_sub(1).and_then(|number| self.parts.get(number)) else {
            return Ok(0);
        };
        let into = self.at - start;
        let left = part.len().saturating_sub(into);
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let read = match part {
            Part::Own(bytes) => {
                let into = into as usize;
                buffer[..wanted].copy_from_slice(&bytes[into..into + wanted]);
                wanted
            }
            Part::File { start, .. } => {
                let place = start + into;
                if self.media_at != Some(place) {
                    self.media.seek(SeekFrom::Start(place))?;
                }
                // Unknown, should reading fail.
                self.media_at = None;
                let read = self.media.read(&mut buffer[..wanted])?;
                self.media_at = Some(place + read as u64);
                read
            }
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for View {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

impl MediaSource for View {
    fn is_seekable(&self) -> bool {
        self.is_seekable
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn parts_read_as_one_stream_wherever_reading_starts() {
        let parts = vec![
            Part::File { start: 2, end: 4 },
            Part::Own(b"xyz".to_vec()),
            Part::File { start: 4, end: 4 },
            Part::File { start: 7, end: 10 },
        ];
        let whole = b"23xyz789";
        let mut view = View::new(Box::new(Cursor::new(b"0123456789".to_vec())), parts);
        assert_eq!(view.byte_len(), Some(8));
        for from in 0..=whole.len() {
            for step in 1..4 {
                view.seek(SeekFrom::Start(from as u64)).unwrap();
                let (mut read, mut buffer) = (Vec::new(), vec![0; step]);
                while let Ok(count @ 1..) = view.read(&mut buffer) {
                    read.extend_from_slice(&buffer[..count]);
                }
                assert_eq!(read, whole[from..], "from {from} by {step}");
            }
        }
        assert!(view.seek(SeekFrom::Current(-9)).is_err());
        assert_eq!(view.seek(SeekFrom::End(5)).unwrap(), 13);
        assert_eq!(view.read(&mut [0; 4]).unwrap(), 0);
    }
}
