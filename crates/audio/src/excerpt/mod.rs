//! [`excerpt`]: a stretch of a sound file as a WAV file, with all channels at the file's own rate.
//!
//! - Uncompressed samples (`raw`) are copied bit for bit: integers of 8 to 32 bits, floats of 32 and 64 bits,
//!   A-law and µ-law. Only what WAV wants otherwise changes: it is little-endian, and its 8-bit samples are
//!   unsigned.
//! - Everything else is decoded (`decoded`). Integers, as FLAC and ALAC have them, come out exactly, with 16,
//!   24 or 32 bits. What lossy codecs decode to is written as 32-bit floats: nothing is rounded or clipped.

mod decoded;
mod raw;
mod wav;

use std::fs::File;
use std::io::{self, Seek, Write};
use std::ops::Range;
use std::path::Path;

use symphonia::core::io::MediaSource;

use crate::container::{self, Found};
use crate::error::AudioError;
use crate::guard::contain;
use crate::limits::ReadOptions;
use crate::open_track::io_error;
use crate::reader::{check_file, panicked};

/// What [`excerpt`] has written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excerpt {
    /// Where it starts in the source, in seconds.
    pub start_s: f64,
    /// Where it ends in the source, in seconds.
    pub end_s: f64,
    /// Frames: samples of each channel.
    pub frames: u64,
}

/// Why an excerpt could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExcerptError {
    /// The source could not be read.
    #[error(transparent)]
    Read(#[from] AudioError),
    /// The WAV file could not be written.
    #[error("cannot be written: {0}")]
    Write(#[source] io::Error),
    /// The stretch has more samples than a WAV file holds.
    #[error("{file}: the stretch is too long for a WAV file: expected less than 4 GiB of samples")]
    TooLong {
        /// The source's name.
        file: String,
    },
}

/// Writes the part of a sound file from `stretch.start` to `stretch.end`, in seconds, to `out` as a WAV file.
/// What of the stretch lies outside the file is left out. After an error, `out` holds an unfinished file.
///
/// # Errors
/// [`ExcerptError`]; [`AudioError::OutOfRange`] if all of the stretch lies outside the file.
pub fn excerpt<W: Write + Seek>(
    path: &Path,
    stretch: Range<f64>,
    options: &ReadOptions,
    out: W,
) -> Result<Excerpt, ExcerptError> {
    let name = path.display().to_string();
    check_file(path, &name, &options.limits)?;
    let open = || -> io::Result<Box<dyn MediaSource>> { Ok(Box::new(File::open(path)?)) };
    let found = contain(|| container::inspect(&open)).map_err(|panic| panicked(&name, &panic))?;
    match found.map_err(|source| io_error(&name, source))? {
        Found::Pcm(pcm) if raw::is_plain(&pcm) => {
            raw::check(&name, &pcm, &options.limits)?;
            let source = File::open(path).map_err(|source| io_error(&name, source))?;
            raw::copy(&name, source, &pcm, stretch, out)
        }
        _ => decoded::write(path, stretch, options, out),
    }
}

/// Frame numbers of a stretch.
fn frames(stretch: &Range<f64>, sample_rate: u32) -> Range<u64> {
    // A cast of a negative number gives 0, one of infinity the largest number.
    let frame = |seconds: f64| (seconds * f64::from(sample_rate)).round() as u64;
    frame(stretch.start)..frame(stretch.end)
}

/// The error for a stretch that holds nothing of a file of so many frames.
fn out_of_range(name: &str, stretch: &Range<f64>, frames: u64, sample_rate: u32) -> AudioError {
    AudioError::OutOfRange {
        file: name.to_owned(),
        start_s: stretch.start,
        end_s: stretch.end,
        duration_s: seconds(frames, sample_rate),
    }
}

fn seconds(frames: u64, sample_rate: u32) -> f64 {
    frames as f64 / f64::from(sample_rate.max(1))
}
