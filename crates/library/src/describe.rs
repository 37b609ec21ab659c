//! A short account of a recording: how loud it is, what is heard when, and one plain sentence.

use earmark_engine::describe::{self, DescribeOptions, Description};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::library::{Files, Library};
use crate::sounds::Named;
use crate::words::{SoundError, Version, to_millisecond};

/// What to describe.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DescribeRequest {
    /// Clips of the index, whose files are decoded.
    #[schema(max_items = 32)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clip_ids: Vec<String>,
    /// Sound files: over HTTP names of parts of the multipart request, all of them if this is left out;
    /// elsewhere paths of files and folders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Probability from which a class counts as heard; the model's own if absent.
    #[schema(minimum = 0, maximum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
}

/// Accounts of recordings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DescribeAnswer)]
pub struct DescribeAnswer {
    /// The version of this answer's fields.
    pub version: Version,
    /// Clips first, then files, in the order given.
    pub results: Vec<Described>,
    /// The tagger that listened.
    pub model: String,
}

/// An account of a recording, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Described {
    /// The clip's id or the file's name.
    pub source: String,
    /// The path of a clip of the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// One plain sentence.
    pub sentence: String,
    /// Length, seconds.
    pub duration_s: f64,
    /// How loud it is.
    pub level: Level,
    /// Where it is silent.
    pub silence: Silence,
    /// Share of the time, 0 to 1, in which speech is heard; `null` if the tagger has no class of speech.
    pub speech_share: Option<f64>,
    /// Share of the time, 0 to 1, in which music is heard, singing included; `null` if the tagger has no
    /// class of music.
    pub music_share: Option<f64>,
    /// What is heard, by onset.
    pub events: Vec<HeardEvent>,
    /// How the file was read: whether it is cut off, damaged or silent.
    pub remarks: Vec<String>,
    /// Why the recording could not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<SoundError>,
}

/// How loud a recording is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Level {
    /// Largest sample of the mono mix, dB relative to full scale; `null` if all samples are zero.
    pub peak_dbfs: Option<f64>,
    /// Root mean square of the mono mix, silence included, dB relative to full scale: -3.01 for a full-scale
    /// sine. `null` if all samples are zero.
    pub rms_dbfs: Option<f64>,
    /// Integrated loudness by ITU-R BS.1770-4, LUFS; `null` for more than one channel, and for sounds too
    /// short or too quiet for it.
    pub loudness_lufs: Option<f64>,
    /// Share of the samples, 0 to 1, that are clipped.
    pub clipped_share: f64,
}

/// Where a recording is silent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Silence {
    /// Share of the recording, 0 to 1.
    pub share: f64,
    /// In order.
    pub stretches: Vec<SilentStretch>,
}

/// A stretch of silence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SilentStretch {
    /// Seconds.
    pub start_s: f64,
    /// Seconds.
    pub end_s: f64,
}

/// A stretch in which a class is heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeardEvent {
    /// The class, as the tagger names it.
    pub class: String,
    /// Seconds.
    pub onset_s: f64,
    /// Seconds.
    pub offset_s: f64,
    /// The highest probability in it.
    pub score: f32,
}

impl Library {
    /// Describes recordings.
    ///
    /// # Errors
    /// [`Error::Field`] that names what is wrong in the request, [`Error::NoTagger`]. A recording that cannot
    /// be used has its error in its place.
    pub fn describe(&self, request: &DescribeRequest, files: Files) -> Result<DescribeAnswer> {
        let mut results = Vec::new();
        self.describe_with(request, files, &mut |described| {
            results.push(described);
            true
        })?;
        self.describe_answer(results)
    }

    /// The answer for all recordings.
    ///
    /// # Errors
    /// [`Error::NoTagger`].
    pub fn describe_answer(&self, results: Vec<Described>) -> Result<DescribeAnswer> {
        Ok(DescribeAnswer { version: Version, results, model: self.tagger()?.model().manifest().id.clone() })
    }

    /// Describes the recordings of a request and hands each account to `each`, in order, until it returns
    /// false.
    ///
    /// # Errors
    /// As [`Self::describe`].
    pub fn describe_with(
        &self,
        request: &DescribeRequest,
        files: Files,
        each: &mut dyn FnMut(Described) -> bool,
    ) -> Result<()> {
        let options = DescribeOptions { threshold: request.threshold, ..DescribeOptions::default() };
        // Before a sound is looked for.
        options.validate()?;
        let sounds = self.sounds_of(&request.clip_ids, &request.files, files)?;
        let tagger = self.tagger()?;
        for Named { source, path, sound } in sounds {
            let described = sound.and_then(|sound| Ok(describe::describe(&tagger, sound, &options)?));
            let described = match described {
                Ok(description) => Described::of(source, path, description),
                Err(e) => Described::refused(source, path, &e),
            };
            if !each(described) {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Described {
    fn of(source: String, path: Option<String>, description: Description) -> Self {
        let Description { sentence, duration_s, level, silence, speech_share, music_share, .. } = description;
        let stretch = |s: describe::SilentStretch| SilentStretch {
            start_s: to_millisecond(s.start_s),
            end_s: to_millisecond(s.end_s),
        };
        let event = |e: describe::SoundEvent| HeardEvent {
            class: e.class,
            onset_s: to_millisecond(e.onset_s),
            offset_s: to_millisecond(e.offset_s),
            score: e.score,
        };
        Self {
            source,
            path,
            sentence,
            duration_s,
            level: Level {
                peak_dbfs: level.peak_dbfs,
                rms_dbfs: level.rms_dbfs,
                loudness_lufs: level.loudness_lufs,
                clipped_share: level.clipped_share,
            },
            silence: Silence {
                share: silence.share,
                stretches: silence.stretches.into_iter().map(stretch).collect(),
            },
            speech_share,
            music_share,
            events: description.events.into_iter().map(event).collect(),
            remarks: description.remarks,
            error: None,
        }
    }

    /// A recording that could not be used.
    #[must_use]
    pub fn refused(source: String, path: Option<String>, error: &Error) -> Self {
        Self {
            source,
            path,
            sentence: String::new(),
            duration_s: 0.0,
            level: Level::default(),
            silence: Silence::default(),
            speech_share: None,
            music_share: None,
            events: Vec::new(),
            remarks: Vec::new(),
            error: Some(error.into()),
        }
    }
}
