//! A short account of a recording, for people and for language models: how long and how loud it is, where it
//! is silent, what is heard when, how much of it is speech and music, and one plain sentence made from that.
//!
//! Everything is computed: no language model is asked, and the same file gives the same account on any
//! number of threads.
//!
//! The file is decoded twice. Levels need the samples at the file's own rate, where clipping and the full
//! band are; the tagger needs them at its own. Decoding takes a few hundredths of the time that tagging
//! takes, and neither pass holds the samples of the file in memory.
//!
//! - `level`: peak, power, loudness, clipping, silence
//! - `timeline`: from the tagger's windows to events
//! - `classes`: how each class is said, and what it implies
//! - `sentence`: the sentence

mod classes;
mod level;
mod sentence;
mod timeline;

use earmark_audio::AudioReader;

use crate::tag::Tagger;
use crate::{EngineError, Source};

pub use level::{CLIPPED_RUN, Level, Silence, SilentStretch};
pub use timeline::SoundEvent;

/// What is described, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeOptions {
    /// Probability from which a class counts as heard; `None` for the tagger's own, doubled where
    /// its windows are shorter than 2 s.
    pub threshold: Option<f32>,
    /// Power below which a recording is silent, dB relative to full scale.
    pub silence_dbfs: f64,
    /// Shorter silence does not count, seconds.
    pub min_silence_s: f64,
}

impl Default for DescribeOptions {
    fn default() -> Self {
        Self { threshold: None, silence_dbfs: -60.0, min_silence_s: 0.5 }
    }
}

/// An account of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// One plain sentence.
    pub sentence: String,
    /// Length, seconds.
    pub duration_s: f64,
    /// How loud it is.
    pub level: Level,
    /// Where it is silent.
    pub silence: Silence,
    /// Share of the time, 0 to 1, in which speech is heard; `None` if the tagger has no class of speech.
    pub speech_share: Option<f64>,
    /// Share of the time, 0 to 1, in which music is heard, singing included; `None` if the tagger has no
    /// class of music.
    pub music_share: Option<f64>,
    /// What is heard, by onset.
    pub events: Vec<SoundEvent>,
    /// What to know about how the file was read.
    pub remarks: Vec<String>,
}

/// Describes a recording.
///
/// # Errors
/// [`EngineError::Setting`] for options out of range; those of decoding and encoding the file.
pub fn describe(
    tagger: &Tagger,
    source: Source,
    options: &DescribeOptions,
) -> Result<Description, EngineError> {
    options.validate()?;
    let reader = match &source {
        Source::Path(path) => AudioReader::open(path, tagger.read_options())?,
        Source::Bytes { name, bytes } => AudioReader::from_bytes(name, bytes.clone(), tagger.read_options())?,
    };
    let measured = level::measure(reader, options.silence_dbfs, options.min_silence_s)?;
    let heard = timeline::listen(tagger, source, options.threshold, &measured)?;
    let facts = sentence::Facts {
        duration_s: measured.duration_s,
        level: &measured.level,
        silence: &measured.silence,
        events: &heard.events,
        nearest: heard.nearest.as_ref().map(|(name, score)| (name.as_str(), *score)),
    };
    Ok(Description {
        sentence: sentence::sentence(&facts),
        duration_s: measured.duration_s,
        level: measured.level,
        silence: measured.silence,
        speech_share: heard.speech_share,
        music_share: heard.music_share,
        events: heard.events,
        remarks: heard.remarks,
    })
}

impl DescribeOptions {
    /// Whether the options are in range.
    ///
    /// # Errors
    /// [`EngineError::Setting`] for the first that is not.
    pub fn validate(&self) -> Result<(), EngineError> {
        let out_of_range = |field, expected: &str, received: String| {
            Err(EngineError::Setting { field, expected: expected.to_owned(), received })
        };
        match self.threshold {
            Some(threshold) if !(threshold > 0.0 && threshold <= 1.0) => {
                return out_of_range("threshold", "more than 0, at most 1", threshold.to_string());
            }
            _ => {}
        }
        if self.silence_dbfs.is_nan() || self.silence_dbfs >= 0.0 {
            return out_of_range("silence_dbfs", "less than 0 dB", self.silence_dbfs.to_string());
        }
        if self.min_silence_s.is_nan() || self.min_silence_s < 0.0 {
            return out_of_range("min_silence_s", "0 s or more", self.min_silence_s.to_string());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_out_of_range_are_named() {
        assert!(DescribeOptions::default().validate().is_ok());
        let usual = DescribeOptions::default;
        for (options, setting) in [
            (DescribeOptions { threshold: Some(0.0), ..usual() }, "threshold"),
            (DescribeOptions { threshold: Some(f32::NAN), ..usual() }, "threshold"),
            (DescribeOptions { silence_dbfs: 0.0, ..usual() }, "silence_dbfs"),
            (DescribeOptions { silence_dbfs: f64::NAN, ..usual() }, "silence_dbfs"),
            (DescribeOptions { min_silence_s: -1.0, ..usual() }, "min_silence_s"),
        ] {
            let message = options.validate().unwrap_err().to_string();
            assert!(message.starts_with(&format!("{setting}: expected ")), "{message}");
        }
    }
}
