//! Which clips: the filter that every face takes, and how its words are read.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use earmark_audio::Format;
use earmark_index::Filter as IndexFilter;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{Error, Result};

/// Characters of a tag.
const TAG_CHARS: usize = 100;

/// Tags of one clip.
const TAGS: usize = 100;

/// Which clips; all the conditions that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[cfg_attr(feature = "clap", command(next_help_heading = "Which clips"))]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Part of the path, such as a folder; an absolute path for all in that folder; or a glob of the path, or of
    /// the file name if it has no `/` (`*` stays within a folder, `**` does not). Upper and lower case differ
    /// only if there is a capital in it
    #[schema(example = "*.wav")]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "clap", arg(long, value_name = "PATH|GLOB"))]
    pub path: Option<String>,
    /// Only clips with this tag (repeat it for clips with all of several tags)
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "clap", arg(long = "with-tag", value_name = "TAG", value_parser = parse_tag))]
    pub tags: Vec<String>,
    /// Only this format: wav, flac, mp3, ogg and so on, or a file extension (repeat it for several formats)
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "clap", arg(long = "in-format", value_name = "FORMAT", value_parser = parse_format))]
    pub formats: Vec<String>,
    /// Only clips at least this long, seconds
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "clap", arg(long = "min-duration", value_name = "TIME", value_parser = parse_seconds))]
    pub min_duration_s: Option<f64>,
    /// Only clips at most this long, seconds
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "clap", arg(long = "max-duration", value_name = "TIME", value_parser = parse_seconds))]
    pub max_duration_s: Option<f64>,
    /// Only clips indexed since then: an RFC 3339 time, a date, or how long ago as in 7d or 12h
    #[schema(example = "7d")]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "clap", arg(long = "since", value_name = "WHEN", value_parser = checked_since))]
    pub indexed_since: Option<String>,
}

impl Filter {
    /// Whether it lets all clips through.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// The filter as an index takes it.
    ///
    /// # Errors
    /// [`Error::Field`] that names the condition: `formats`, `indexed_since`, `min_duration_s`, …
    pub fn check(&self) -> Result<IndexFilter> {
        let formats = self.formats.iter().map(|text| parse_format(text)).collect::<Result<_, _>>();
        let seconds = |field: &str, value: Option<f64>| match value {
            Some(s) if !(s.is_finite() && s >= 0.0) => {
                Err(Error::field_is(field, format!("expected 0 s or more, got {s}")))
            }
            value => Ok(value),
        };
        let since = self.indexed_since.as_deref().map(parse_since).transpose();
        let path = self.path.as_deref().filter(|path| !path.is_empty());
        let glob = path.filter(|path| path.contains(['*', '?', '[', '{']));
        let plain = path.filter(|_| glob.is_none());
        let folder = plain.filter(|path| Path::new(path).is_absolute());
        let part = plain.filter(|_| folder.is_none());
        Ok(IndexFilter {
            path_glob: glob.map(anywhere),
            path_within: folder.map(str::to_owned),
            path_part: part.map(str::to_owned),
            path_ignores_case: !path.is_some_and(|path| path.chars().any(char::is_uppercase)),
            tags: self.tags.clone(),
            formats: formats.map_err(|reason: String| Error::field_is("formats", reason))?,
            min_duration_s: seconds("min_duration_s", self.min_duration_s)?,
            max_duration_s: seconds("max_duration_s", self.max_duration_s)?,
            indexed_since_unix_s: since.map_err(|reason| Error::field_is("indexed_since", reason))?,
        })
    }
}

/// A glob matches whole paths; one that begins with a folder's name is meant anywhere.
fn anywhere(glob: &str) -> String {
    let is_part = glob.contains('/') && !glob.starts_with('/') && !glob.starts_with("**");
    if is_part { format!("**/{glob}") } else { glob.to_owned() }
}

/// A number, in JSON or in a query string, where it is text. An empty one is refused, since forms send it for
/// a field that is left empty and `0` may be meant.
///
/// # Errors
/// What was expected and what came.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
    }
    let text = match Option::<Written>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Written::Number(number)) => return Ok(Some(number)),
        Some(Written::Text(text)) => text,
    };
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.map(Some).ok_or_else(|| serde::de::Error::custom(format!("expected a number, got `{text}`")))
}

/// A container format, by its name or by a file extension.
///
/// # Errors
/// What was expected and what came.
pub fn parse_format(text: &str) -> Result<String, String> {
    Format::parse(text).map(|format| format.name.to_owned())
}

/// A tag: 1 to 100 characters without commas, since lists of tags are written with commas.
///
/// # Errors
/// What was expected and what came.
pub fn parse_tag(text: &str) -> Result<String, String> {
    let tag = text.trim();
    let is_bad = tag.is_empty() || tag.contains(',') || tag.chars().any(char::is_control);
    if is_bad || tag.chars().count() > TAG_CHARS {
        return Err(format!("expected 1 to {TAG_CHARS} characters without a comma, got `{text}`"));
    }
    Ok(tag.to_owned())
}

/// Tags of a clip: at most a hundred, none twice.
///
/// # Errors
/// [`Error::Field`] named `tags`.
pub fn check_tags(tags: &[String]) -> Result<Vec<String>> {
    crate::words::bounded("tags", tags.len(), 0, TAGS)?;
    let mut checked: Vec<String> = Vec::new();
    for tag in tags {
        let tag = parse_tag(tag).map_err(|reason| Error::field_is("tags", reason))?;
        if !checked.contains(&tag) {
            checked.push(tag);
        }
    }
    Ok(checked)
}

/// Seconds from `12`, `12s`, `250ms`, `1m30s`, `2h`, `1:30` or `1:02:03.5`.
///
/// # Errors
/// What was expected and what came.
pub fn parse_seconds(text: &str) -> Result<f64, String> {
    let expected = || format!("expected a time such as 12s, 250ms, 1m30s or 1:30, got `{text}`");
    let text = text.trim();
    let seconds = if text.contains(':') {
        text.split(':')
            .try_fold(0.0, |total, part| Some(total * 60.0 + part.parse::<f64>().ok().filter(|p| *p >= 0.0)?))
    } else if let Ok(number) = text.parse::<f64>() {
        Some(number)
    } else {
        parse_with_units(text)
    };
    seconds.filter(|s| s.is_finite() && *s >= 0.0).ok_or_else(expected)
}

fn parse_with_units(text: &str) -> Option<f64> {
    if text.is_empty() {
        return None;
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|&n| n > 0)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let factor = match unit.trim() {
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = tail;
    }
    Some(total)
}

/// Seconds since 1970 of `2026-11-01T12:00:00Z`, of a date or a time without a zone (`2026-11-01`,
/// `2026-11-01T12:00`) in the time zone of this machine, or of how long ago (`7d`, `1h30m`).
///
/// # Errors
/// What was expected and what came.
pub fn parse_since(text: &str) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(moment.as_second());
    }
    if let Ok(date) = text.parse::<jiff::civil::DateTime>()
        && let Ok(zoned) = date.to_zoned_datetime(jiff::tz::TimeZone::system())
    {
        return Ok(zoned.timestamp().as_second());
    }
    let ago = parse_with_units(text).filter(|s| s.is_finite()).ok_or_else(|| {
        format!(
            "expected an RFC 3339 time, a date such as 2026-11-01, or how long ago such as 7d, got `{text}`"
        )
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
    Ok((now - ago) as i64)
}

/// The text itself, if [`parse_since`] reads it.
#[cfg(feature = "clap")]
fn checked_since(text: &str) -> Result<String, String> {
    parse_since(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let cases = [
            ("12", 12.0),
            ("12s", 12.0),
            ("250ms", 0.25),
            ("1m30s", 90.0),
            ("1.5h", 5400.0),
            ("1:30", 90.0),
            ("1:02:03.5", 3723.5),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse_seconds(text), Ok(seconds), "{text}");
        }
        for bad in ["", "x", "-3", "1x", "s", "1::2", "inf", "nan"] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn since_takes_moments_dates_and_ages() {
        assert_eq!(parse_since("1970-01-01T00:01:00Z"), Ok(60));
        let day = parse_since("1d").unwrap();
        assert!((parse_since("2d").unwrap() + 86_400 - day).abs() <= 1);
        assert!((parse_since("1w").unwrap() - parse_since("7d").unwrap()).abs() <= 1);
        assert!(parse_since("2026-11-01").unwrap() > 1_793_000_000);
        for bad in ["", "d", "-1d", "soon", "7ü", "NaNd", "yesterday"] {
            assert!(parse_since(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn formats_go_by_their_extensions_too() {
        assert_eq!(parse_format("WAV").as_deref(), Ok("wav"));
        assert_eq!(parse_format(".m4a").as_deref(), Ok("mp4"));
        assert!(parse_format("banana").unwrap_err().contains("flac"));
        let filter = Filter { formats: vec!["m4a".to_owned()], ..Filter::default() };
        assert_eq!(filter.check().unwrap().formats, ["mp4"]);
    }

    #[test]
    fn a_glob_that_begins_with_a_folder_is_meant_anywhere() {
        let glob = |path: &str| {
            Filter { path: Some(path.to_owned()), ..Filter::default() }.check().unwrap().path_glob
        };
        assert_eq!(glob("rain/*.wav").as_deref(), Some("**/rain/*.wav"));
        assert_eq!(glob("/srv/*.wav").as_deref(), Some("/srv/*.wav"));
        assert_eq!(glob("*.wav").as_deref(), Some("*.wav"));
        assert_eq!(glob(""), None);
    }

    #[test]
    fn a_path_without_signs_of_a_glob_is_a_folder_or_a_part() {
        let read = |path: &str| Filter { path: Some(path.to_owned()), ..Filter::default() }.check().unwrap();
        assert_eq!(read("/srv/rain").path_within.as_deref(), Some("/srv/rain"));
        assert_eq!(read("rain/").path_part.as_deref(), Some("rain/"));
        assert_eq!(read("rain/").path_glob, None);
        assert!(read("rain").path_ignores_case && !read("Rain").path_ignores_case);
        assert!(read("*.wav").path_ignores_case && read("*.wav").path_part.is_none());
    }

    #[test]
    fn a_bad_condition_is_named() {
        let field = |filter: Filter| filter.check().unwrap_err().field().unwrap().to_owned();
        assert_eq!(field(Filter { formats: vec!["banana".to_owned()], ..Filter::default() }), "formats");
        assert_eq!(
            field(Filter { indexed_since: Some("soon".to_owned()), ..Filter::default() }),
            "indexed_since"
        );
        assert_eq!(field(Filter { min_duration_s: Some(f64::NAN), ..Filter::default() }), "min_duration_s");
    }

    #[test]
    fn tags_have_no_commas_and_come_once() {
        let tags = |tags: &[&str]| check_tags(&tags.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        assert_eq!(tags(&[" rain ", "rain", "night"]).unwrap(), ["rain", "night"]);
        for bad in ["", " ", "a,b", "a\nb"] {
            assert_eq!(tags(&[bad]).unwrap_err().field(), Some("tags"), "{bad:?}");
        }
    }
}
