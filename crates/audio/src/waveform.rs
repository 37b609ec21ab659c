//! A whole clip, or a range of one, in memory.

use crate::error::AudioError;
use crate::resample::ResampledReader;

/// Mono samples and their rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Waveform {
    /// Mono samples, full scale is [-1, 1].
    pub samples: Vec<f32>,
    /// In Hz.
    pub sample_rate: u32,
}

impl Waveform {
    /// Reads the whole file, or the `range` of it from start to end in seconds (the end may be
    /// `f64::INFINITY`). Only the samples of the range are kept, and reading stops at its end.
    ///
    /// # Errors
    /// [`AudioError::OutOfRange`] if the range holds no sample: it starts at or after the end of the
    /// file (the message says how long that is), or it is empty or NaN. Else as for
    /// [`AudioReader::read_block`](crate::AudioReader::read_block).
    pub fn read(mut reader: ResampledReader, range: Option<(f64, f64)>) -> Result<Self, AudioError> {
        let sample_rate = reader.sample_rate();
        let (start_s, end_s) = range.unwrap_or((0.0, f64::INFINITY));
        // Saturating casts: NaN becomes 0, negative becomes 0, infinite becomes the largest.
        let start = (start_s * f64::from(sample_rate)).round() as u64;
        let end = (end_s * f64::from(sample_rate)).round() as u64;

        let mut samples = Vec::new();
        let mut block = Vec::new();
        let mut position = 0u64;
        let wanted = start_s < end_s;
        while (position < end || !wanted) && reader.read_block(&mut block)? {
            let within = |at: u64| at.saturating_sub(position).min(block.len() as u64) as usize;
            if wanted {
                samples.extend_from_slice(&block[within(start)..within(end)]);
            }
            position += block.len() as u64;
        }
        if samples.is_empty() {
            let duration_s = reader.duration_s();
            let file = reader.name().to_owned();
            return Err(AudioError::OutOfRange { file, start_s, end_s, duration_s });
        }
        Ok(Self { samples, sample_rate })
    }

    /// Length in seconds.
    pub fn duration_s(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.sample_rate)
    }
}
