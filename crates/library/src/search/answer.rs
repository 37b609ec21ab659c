//! What was found, and why.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clips::Clip;
use crate::words::{FileRemarks, KnownText, Version};

/// [`Reason::by`] of what a clip sounds like.
pub(super) const SOUND: &str = "sound";

/// A stretch of a clip that matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hit {
    /// The clip.
    pub clip: Clip,
    /// Cosine of the query with the stretch, -1 to 1; larger is closer.
    pub score: f32,
    /// The probability that the hit is right, by its sound and its name; absent where a sound is looked for,
    /// or where the model's cosines are not calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f32>,
    /// Whether the hit is more likely wrong than right.
    pub weak: bool,
    /// Why it is a hit, the best reason first.
    pub reasons: Vec<Reason>,
    /// Other clips of the same sound that are not listed.
    pub copies: usize,
    /// Whether the file is gone.
    pub missing: bool,
    /// Seconds from the start of the clip.
    pub start_s: f64,
    /// Seconds from the start of the clip.
    pub end_s: f64,
    /// The sound classes that the query and the stretch share, if the model's axes have names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<Vec<Share>>,
}

/// Why a clip is a hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// Where it shows: `sound`, `name`, `tag`, `folder`, or the name of what a file says about itself, such
    /// as `description`.
    #[schema(example = "name")]
    pub by: String,
    /// The words of the query there, or the sound class that the query and the stretch share.
    #[schema(example = "kick")]
    pub text: String,
}

impl Reason {
    /// Whether it is what the clip sounds like.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.by == SOUND
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_sound() {
            true => write!(f, "sounds like: {}", self.text),
            false => write!(f, "{}: {}", self.by, self.text),
        }
    }
}

/// What a sound class adds to a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// The class.
    pub class: String,
    /// Its part of the score.
    pub share: f32,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = SearchAnswer)]
pub struct SearchAnswer {
    /// The version of this answer's fields.
    pub version: Version,
    /// The best first.
    pub hits: Vec<Hit>,
    /// Where the next page begins; `null` on the last.
    pub next_cursor: Option<String>,
    /// Hits of this page that scored less than `min_score` and were left out.
    pub below_min_score: usize,
    /// Clips that the filter lets through.
    pub clips_admitted: usize,
    /// The limit that was used; `null` for none.
    pub min_score: Option<f32>,
    /// How well the model knows each text of the query; empty if it cannot tell.
    pub texts: Vec<KnownText>,
    /// How the sound files of the query were read.
    pub remarks: Vec<FileRemarks>,
    /// The model that compared.
    pub model: String,
}
