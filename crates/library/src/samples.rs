//! Sounds that a program holds as samples: they become a sound file in memory, so that they are decoded,
//! resampled and pooled exactly as files are.

use earmark_audio::{Limits as AudioLimits, Remarks};
use earmark_encoder::Embedding;
use earmark_engine::Source;

use crate::error::{Error, Result};
use crate::library::Library;

/// What samples are called in messages.
const NAME: &str = "samples";

/// Bytes of a WAV header with the chunks `fmt `, `fact` and `data`, up to the first sample.
const HEADER_BYTES: u64 = 58;

/// WAV's code for IEEE floating point.
const IEEE_FLOAT: u16 = 3;

/// A sound as samples; full scale is -1 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Samples<'a> {
    /// `[channels, frames]`: all frames of the first channel, then those of the next.
    pub values: &'a [f32],
    /// Channels.
    pub channels: usize,
    /// Frames a second, Hz.
    pub rate: u32,
}

impl Samples<'_> {
    /// The samples as a WAV file of 32-bit floats in memory.
    ///
    /// # Errors
    /// [`Error::Field`] named `samples` or `rate`: no samples, channels of different lengths, NaN or
    /// infinity, more than `limits` allow or than a WAV file holds (4 GiB).
    pub fn to_source(&self, limits: &AudioLimits) -> Result<Source> {
        let frames = self.check(limits)?;
        let (channels, bytes) = (self.channels, size_of_val(self.values));
        let mut file = Vec::with_capacity(HEADER_BYTES as usize + bytes);
        let mut put = |bytes: &[u8]| file.extend_from_slice(bytes);
        // `check` has held all of these against their limits.
        let block = (channels * size_of::<f32>()) as u16;
        put(b"RIFF");
        put(&((HEADER_BYTES - 8) as u32 + bytes as u32).to_le_bytes());
        put(b"WAVEfmt ");
        put(&18_u32.to_le_bytes());
        put(&IEEE_FLOAT.to_le_bytes());
        put(&(channels as u16).to_le_bytes());
        put(&self.rate.to_le_bytes());
        put(&self.rate.wrapping_mul(u32::from(block)).to_le_bytes());
        put(&block.to_le_bytes());
        put(&32_u16.to_le_bytes());
        put(&0_u16.to_le_bytes());
        put(b"fact");
        put(&4_u32.to_le_bytes());
        put(&(frames as u32).to_le_bytes());
        put(b"data");
        put(&(bytes as u32).to_le_bytes());
        for frame in 0..frames {
            for channel in 0..channels {
                put(&self.values[channel * frames + frame].to_le_bytes());
            }
        }
        Ok(Source::Bytes { name: NAME.to_owned(), bytes: file })
    }

    /// Checks everything, and counts the frames.
    fn check(&self, limits: &AudioLimits) -> Result<usize> {
        let bad = |reason: String| Err(Error::field_is("samples", reason));
        let most = usize::from(limits.max_channels);
        if self.channels == 0 || self.channels > most {
            return bad(format!(
                "expected [channels, frames] with 1 to {most} channels, got {}",
                self.channels
            ));
        }
        if self.values.is_empty() {
            return bad("expected at least one sample".to_owned());
        }
        if !self.values.len().is_multiple_of(self.channels) {
            return bad(format!("{} samples cannot be of {} channels", self.values.len(), self.channels));
        }
        let (least, most) = (limits.min_sample_rate, limits.max_sample_rate);
        if !(least..=most).contains(&self.rate) {
            let reason = format!("expected {least} to {most} Hz, got {} Hz", self.rate);
            return Err(Error::field_is("rate", reason));
        }
        let (bytes, most) = (size_of_val(self.values) as u64, limits.max_bytes.min(u32::MAX.into()));
        if bytes + HEADER_BYTES > most {
            return bad(format!("expected at most {most} bytes of samples, got {bytes}; use a file instead"));
        }
        if let Some(at) = self.values.iter().position(|value| !value.is_finite()) {
            return bad(format!("expected finite samples, got {} at index {at}", self.values[at]));
        }
        Ok(self.values.len() / self.channels)
    }
}

impl Library {
    /// A sound held as samples, in the model's space: the vector that a file with these samples has.
    ///
    /// # Errors
    /// As [`Samples::to_source`]; errors of encoding it.
    pub fn embed_samples(&self, samples: Samples<'_>) -> Result<(Embedding, Remarks)> {
        self.embed_sound(samples.to_source(&self.settings().audio)?, None)
    }
}

#[cfg(test)]
mod tests {
    use earmark_audio::{AudioReader, ReadOptions};

    use super::*;

    fn bytes(samples: Samples<'_>) -> Vec<u8> {
        match samples.to_source(&AudioLimits::default()).unwrap() {
            Source::Bytes { bytes, .. } => bytes,
            Source::Path(path) => panic!("a file: {path:?}"),
        }
    }

    /// Mono samples and their rate.
    fn read(file: Vec<u8>) -> (Vec<f32>, u32) {
        let mut reader = AudioReader::from_bytes(NAME, file, &ReadOptions::default()).unwrap();
        let rate = reader.info().sample_rate;
        let (mut samples, mut block) = (Vec::new(), Vec::new());
        while reader.read_block(&mut block).unwrap() {
            samples.extend_from_slice(&block);
        }
        assert!(reader.remarks().is_empty(), "{:?}", reader.remarks());
        (samples, rate)
    }

    #[test]
    fn samples_come_back_as_they_were() {
        let values: Vec<f32> = (0..999).map(|i| (i as f32 * 0.37).sin() / 3.0).collect();
        let file = bytes(Samples { values: &values, channels: 1, rate: 22_050 });
        assert_eq!(file.len() as u64, HEADER_BYTES + 999 * 4);
        assert_eq!(read(file), (values, 22_050));
    }

    #[test]
    fn channels_are_interleaved_and_mixed_as_those_of_a_file() {
        let values = [0.5, 0.25, 0.125, 0.0, 0.25, 0.375];
        let file = bytes(Samples { values: &values, channels: 2, rate: 48_000 });
        assert_eq!(read(file), (vec![0.25, 0.25, 0.25], 48_000));
    }

    #[test]
    fn what_is_no_sound_is_refused_by_field() {
        let field = |values: &[f32], channels, rate| {
            let samples = Samples { values, channels, rate };
            samples.to_source(&AudioLimits::default()).unwrap_err().field().unwrap().to_owned()
        };
        assert_eq!(field(&[], 1, 48_000), "samples");
        assert_eq!(field(&[0.0; 3], 2, 48_000), "samples");
        assert_eq!(field(&[0.0; 3], 0, 48_000), "samples");
        assert_eq!(field(&[0.0; 300], 300, 48_000), "samples");
        assert_eq!(field(&[0.0, f32::NAN], 1, 48_000), "samples");
        assert_eq!(field(&[0.0], 1, 10), "rate");
        assert_eq!(field(&[0.0], 1, 1_000_000), "rate");
    }
}
