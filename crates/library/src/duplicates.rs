//! Clips that are the same sound, in groups.

use std::sync::atomic::AtomicBool;

use earmark_engine::duplicates::{
    Criterion, DuplicateGroup as Found, DuplicatesOptions, DuplicatesProgress as SoFar,
    DuplicatesStage as Stage, Relation as Difference, THRESHOLD, duplicates,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clips::Clip;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::library::Library;
use crate::words::{Version, bounded, to_millisecond, yes};

/// Which clips to compare, and what to keep of each group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DuplicatesRequest {
    /// Which clips. Only these are compared with each other.
    #[serde(default, skip_serializing_if = "Filter::is_open")]
    pub filter: Filter,
    /// Likeness from which two sounds are one: how well one waveform predicts the other.
    #[serde(default = "threshold")]
    #[schema(minimum = 0.5, maximum = 1, default = 0.95)]
    pub threshold: f32,
    /// What decides which clip of a group to keep, the most important first. The shortest path decides
    /// between clips that are equally good.
    #[serde(default = "keep")]
    #[schema(max_items = 5)]
    pub keep: Vec<KeepBy>,
    /// Compare the files. Else only what the index stores is compared: content and vectors, which finds
    /// neither cuts nor padding.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub verify: bool,
}

fn threshold() -> f32 {
    THRESHOLD
}

fn keep() -> Vec<KeepBy> {
    KeepBy::DEFAULT.to_vec()
}

impl Default for DuplicatesRequest {
    fn default() -> Self {
        Self { filter: Filter::default(), threshold: threshold(), keep: keep(), verify: yes() }
    }
}

/// What makes a clip the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum KeepBy {
    /// More of the sound; silence at its ends does not count
    Length,
    /// Lossless before lossy
    Format,
    /// A higher sample rate
    Rate,
    /// More channels
    Channels,
    /// A larger file
    Size,
}

impl KeepBy {
    /// The usual order.
    pub const DEFAULT: [Self; 4] = [Self::Length, Self::Format, Self::Rate, Self::Channels];
}

impl From<KeepBy> for Criterion {
    fn from(by: KeepBy) -> Self {
        match by {
            KeepBy::Length => Self::Length,
            KeepBy::Format => Self::Format,
            KeepBy::Rate => Self::Rate,
            KeepBy::Channels => Self::Channels,
            KeepBy::Size => Self::Size,
        }
    }
}

/// How a clip differs from the clip to keep; where several hold, the first one here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// The same bytes.
    Copy,
    /// One of the two lacks a part of the other's sound.
    Trim,
    /// One of the two has more silence at its start or end.
    Padding,
    /// One of the two is louder.
    Gain,
    /// Another encoding, sample rate or number of channels; or the same ones with other bytes around them.
    Encoding,
    /// The files were not compared; what the index stores says that they are the same.
    Unverified,
}

impl Relation {
    /// Its name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Trim => "trim",
            Self::Padding => "padding",
            Self::Gain => "gain",
            Self::Encoding => "encoding",
            Self::Unverified => "unverified",
        }
    }
}

impl From<Difference> for Relation {
    fn from(difference: Difference) -> Self {
        match difference {
            Difference::Copy => Self::Copy,
            Difference::Trim => Self::Trim,
            Difference::Padding => Self::Padding,
            Difference::Gain => Self::Gain,
            Difference::Encoding => Self::Encoding,
            Difference::Unverified => Self::Unverified,
        }
    }
}

/// A clip that is the same sound as the one to keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Duplicate {
    /// The clip.
    pub clip: Clip,
    /// How it differs.
    pub relation: Relation,
    /// How well the two agree where they overlap, up to 1.
    pub likeness: f32,
    /// Where it begins in the clip to keep, seconds.
    pub offset_s: f64,
    /// By how much it is louder, dB.
    pub gain_db: f64,
}

/// Clips that are one sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DuplicateGroup {
    /// The one to keep.
    pub keep: Clip,
    /// The others, each compared with the one to keep.
    pub clips: Vec<Duplicate>,
}

/// A clip whose file could not be compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Uncompared {
    /// Absolute path.
    pub path: String,
    /// Why, for people.
    pub reason: String,
}

/// What is being done to find duplicates, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DuplicatesStage {
    /// Decoding clips.
    Decoding,
    /// Looking for neighbours in the index.
    Searching,
    /// Comparing pairs of clips.
    Comparing,
}

impl From<Stage> for DuplicatesStage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Decoding => Self::Decoding,
            Stage::Searching => Self::Searching,
            Stage::Comparing => Self::Comparing,
        }
    }
}

/// How far the search for duplicates is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DuplicatesProgress {
    /// What is being done.
    pub stage: DuplicatesStage,
    /// Clips that are done; pairs of clips where these are compared.
    pub done: usize,
    /// All clips or pairs of this stage.
    pub total: usize,
}

impl From<SoFar> for DuplicatesProgress {
    fn from(SoFar { stage, done, total }: SoFar) -> Self {
        Self { stage: stage.into(), done, total }
    }
}

/// The clips that are the same sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DuplicatesAnswer)]
pub struct DuplicatesAnswer {
    /// The version of this answer's fields.
    pub version: Version,
    /// By the path of the clip to keep.
    pub groups: Vec<DuplicateGroup>,
    /// Clips that were looked at.
    pub clips: usize,
    /// Clips whose files could not be read, or have changed since they were indexed.
    pub uncompared: Vec<Uncompared>,
    /// Whether it was cut short; then there are no groups.
    pub interrupted: bool,
}

impl DuplicatesAnswer {
    /// How many clips could go.
    #[must_use]
    pub fn superfluous(&self) -> usize {
        self.groups.iter().map(|group| group.clips.len()).sum()
    }
}

impl From<Found> for DuplicateGroup {
    fn from(found: Found) -> Self {
        let clips = found.others.into_iter().map(|other| Duplicate {
            clip: (&other.clip).into(),
            relation: other.relation.into(),
            likeness: other.likeness,
            offset_s: to_millisecond(other.offset_s),
            gain_db: (other.gain_db * 100.0).round() / 100.0,
        });
        Self { keep: (&found.keep).into(), clips: clips.collect() }
    }
}

impl Library {
    /// Finds the clips that are the same sound. Nothing is changed or removed.
    ///
    /// # Errors
    /// [`Error::Field`] that names what is wrong in the request: `filter` too, if it lets more clips through
    /// than may be compared.
    pub fn duplicates(&self, request: &DuplicatesRequest) -> Result<DuplicatesAnswer> {
        self.duplicates_with(request, &AtomicBool::new(false), |_| {})
    }

    /// As [`Self::duplicates`], until `stop` is set; tells how far it is.
    ///
    /// # Errors
    /// As [`Self::duplicates`].
    pub fn duplicates_with(
        &self,
        request: &DuplicatesRequest,
        stop: &AtomicBool,
        mut observe: impl FnMut(DuplicatesProgress),
    ) -> Result<DuplicatesAnswer> {
        if !(0.5..=1.0).contains(&request.threshold) {
            let reason = format!("expected 0.5 to 1, got {}", request.threshold);
            return Err(Error::field_is("threshold", reason));
        }
        bounded("keep", request.keep.len(), 0, 5)?;
        let filter = request.filter.check().map_err(|e| e.within("filter"))?;
        let index = self.index()?;
        let most = self.limits().compared;
        if most < usize::MAX {
            let admitted = index.clips(&filter)?.len();
            if admitted > most {
                let reason =
                    format!("expected one that lets at most {most} clips through, got {admitted} clips");
                return Err(Error::field_is("filter", reason));
            }
        }
        let options = DuplicatesOptions {
            threshold: request.threshold,
            keep: request.keep.iter().copied().map(Criterion::from).collect(),
            verify: request.verify,
            threads: self.settings().threads,
            read: self.settings().read_options()?,
        };
        let file = |path: &str| self.clip_file(path).ok();
        let report = duplicates(&*index, &filter, &options, &file, stop, |so_far| observe(so_far.into()))?;
        let uncompared = report.unreadable.into_iter();
        Ok(DuplicatesAnswer {
            version: Version,
            groups: report.groups.into_iter().map(DuplicateGroup::from).collect(),
            clips: report.clips,
            uncompared: uncompared.map(|file| Uncompared { path: file.path, reason: file.reason }).collect(),
            interrupted: report.interrupted,
        })
    }
}
