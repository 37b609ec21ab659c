//! Words that several requests and answers share.

use std::path::Path;

use earmark_audio::Remarks;
use earmark_engine::KnownText as EngineKnownText;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::error::{Error, Result};

/// The version of this vocabulary. It is in every answer, and rises when a field changes its name or meaning
/// or goes away; new fields do not raise it.
pub const VERSION: u32 = 1;

/// [`VERSION`], as a field of answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Version;

impl PartialSchema for Version {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([VERSION]));
        number.description(Some("The version of the answer's fields.")).into()
    }
}

impl ToSchema for Version {}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(VERSION)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            VERSION => Ok(Self),
            other => Err(serde::de::Error::custom(format!("expected version {VERSION}, got {other}"))),
        }
    }
}

/// The default of fields that are on unless a request says otherwise.
pub(crate) fn yes() -> bool {
    true
}

/// A stretch of a sound, seconds from its start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Start, 0 or more.
    pub start_s: f64,
    /// End, after the start; infinite for the end of the sound.
    pub end_s: f64,
}

impl Stretch {
    /// The stretch that two fields of a request describe, either of which may be left out; `None` if both
    /// are.
    ///
    /// # Errors
    /// [`Error::Field`] named `start_s`.
    pub fn of(start_s: Option<f64>, end_s: Option<f64>) -> Result<Option<Self>> {
        if start_s.is_none() && end_s.is_none() {
            return Ok(None);
        }
        let (start_s, end_s) = (start_s.unwrap_or(0.0), end_s.unwrap_or(f64::INFINITY));
        if !(start_s >= 0.0 && start_s.is_finite() && end_s > start_s) {
            let reason = format!("expected 0 s or more, and an end after it, got {start_s} s to {end_s} s");
            return Err(Error::field_is("start_s", reason));
        }
        Ok(Some(Self { start_s, end_s }))
    }

    /// Start and end.
    #[must_use]
    pub fn bounds(self) -> (f64, f64) {
        (self.start_s, self.end_s)
    }
}

/// A text, and how well the model knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KnownText {
    /// The text.
    pub text: String,
    /// Probability that it describes a sound in words that the model knows; below 0.5 the answer may mean
    /// little. Absent if the model cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub familiarity: Option<f32>,
    /// Whether it has more tokens than the model reads, so that its end was left out.
    pub cut: bool,
}

impl KnownText {
    /// Whether the model hardly knows the text.
    #[must_use]
    pub fn is_strange(&self) -> bool {
        EngineKnownText { text: String::new(), familiarity: self.familiarity, cut: false }.is_strange()
    }
}

impl From<&EngineKnownText> for KnownText {
    fn from(known: &EngineKnownText) -> Self {
        Self { text: known.text.clone(), familiarity: known.familiarity, cut: known.cut }
    }
}

/// How a file was read, where it was not read as it is: cut off, damaged, with gaps, silent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FileRemarks {
    /// The file.
    pub file: String,
    /// Sentences.
    pub remarks: Vec<String>,
}

impl FileRemarks {
    /// The remarks on a file, in sentences.
    #[must_use]
    pub fn new(file: &str, remarks: &Remarks) -> Self {
        Self { file: file.to_owned(), remarks: remarks.sentences() }
    }
}

/// Why a sound of several could not be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SoundError {
    /// One word for programs, as in the last part of a problem's `type`.
    pub kind: String,
    /// What is wrong.
    pub detail: String,
}

/// A moment, as RFC 3339 in UTC.
#[must_use]
pub fn moment(unix_s: i64) -> String {
    jiff::Timestamp::from_second(unix_s)
        .map_or_else(|_| "1970-01-01T00:00:00Z".to_owned(), |moment| moment.to_string())
}

/// File name and folder of a stored path.
pub(crate) fn name_and_folder(path: &str) -> (String, String) {
    let path = Path::new(path);
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    (text(path.file_name()), text(path.parent().map(Path::as_os_str)))
}

/// A number of things within bounds.
///
/// # Errors
/// [`Error::Field`] that names the field.
pub fn bounded(field: &str, value: usize, least: usize, most: usize) -> Result<usize> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let expected = match most {
        usize::MAX => format!("{least} or more"),
        _ => format!("{least} to {most}"),
    };
    Err(Error::field_is(field, format!("expected {expected}, got {value}")))
}

/// The id of a clip in a request.
///
/// # Errors
/// [`Error::Field`] that names the field.
pub fn clip_id(field: &str, id: &str) -> Result<u64> {
    id.parse().map_err(|_| Error::field_is(field, format!("`{id}` is not the id of a clip")))
}

/// The place that a cursor of a ranked list stands for; the first for `None`.
///
/// # Errors
/// [`Error::Field`] named `cursor`.
pub fn offset(cursor: Option<&str>) -> Result<usize> {
    let Some(cursor) = cursor else { return Ok(0) };
    let place = cursor.strip_prefix('o').and_then(|number| number.parse().ok());
    place.ok_or_else(|| Error::field_is("cursor", "not a cursor of this list"))
}

/// The cursor of a place in a ranked list.
#[must_use]
pub fn cursor(offset: usize) -> String {
    format!("o{offset}")
}

/// Rounds to milliseconds: a hop is a tenth of a second or so, and more digits would only pretend.
pub(crate) fn to_millisecond(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_places() {
        assert_eq!(offset(Some(&cursor(40))).unwrap(), 40);
        assert!(offset(Some("40")).is_err());
    }

    #[test]
    fn a_stretch_has_a_start_and_an_end_after_it() {
        assert_eq!(Stretch::of(None, None).unwrap(), None);
        assert_eq!(Stretch::of(Some(1.0), None).unwrap().unwrap().bounds(), (1.0, f64::INFINITY));
        for bad in [(Some(-1.0), None), (Some(2.0), Some(2.0)), (Some(f64::NAN), None), (None, Some(0.0))] {
            assert!(Stretch::of(bad.0, bad.1).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn answers_of_another_version_are_refused() {
        assert_eq!(serde_json::to_string(&Version).unwrap(), "1");
        assert!(serde_json::from_str::<Version>("2").is_err());
    }
}
