//! The shapes that several endpoints share. They are the API's own; the engine's types may change under them.

use std::path::Path;

use earmark_audio::{Format, Remarks};
use earmark_engine::KnownText;
use earmark_index::{Clip, Filter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, ApiResult};

/// A text, and how well the model knows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnownText)]
pub(crate) struct KnownTextDto {
    pub(crate) text: String,
    /// Probability that it describes a sound in words that the model knows; below 0.5 the answer may mean little.
    /// Absent for models that cannot tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) familiarity: Option<f32>,
    /// Whether it has more tokens than the model reads, so that its end was left out.
    pub(crate) cut: bool,
}

impl From<&KnownText> for KnownTextDto {
    fn from(known: &KnownText) -> Self {
        Self { text: known.text.clone(), familiarity: known.familiarity, cut: known.cut }
    }
}

/// A sound file in the index.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Clip)]
pub(crate) struct ClipDto {
    /// Its lasting name.
    #[schema(example = "17")]
    pub(crate) id: String,
    /// Absolute path on the server.
    pub(crate) path: String,
    /// File name.
    pub(crate) name: String,
    /// Folder.
    pub(crate) folder: String,
    /// Length, seconds.
    pub(crate) duration_s: f64,
    /// Hz.
    pub(crate) sample_rate: u32,
    /// Channels.
    pub(crate) channels: u16,
    /// Container: `wav`, `mp3`, …
    pub(crate) format: String,
    /// The program that decoded it, with its version, if it was not earmark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decoder: Option<String>,
    /// File size, bytes.
    pub(crate) size: u64,
    /// Free labels.
    pub(crate) tags: Vec<String>,
    /// When it was indexed.
    #[schema(format = "date-time")]
    pub(crate) indexed_at: String,
    /// Stretches with a vector of their own.
    pub(crate) segments: usize,
}

impl ClipDto {
    pub(crate) fn new(clip: &Clip) -> Self {
        let meta = &clip.meta;
        let path = Path::new(&meta.path);
        let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        Self {
            id: clip.id.to_string(),
            name: text(path.file_name()),
            folder: text(path.parent().map(Path::as_os_str)),
            path: meta.path.clone(),
            duration_s: meta.duration_s,
            sample_rate: meta.sample_rate,
            channels: meta.channels,
            format: meta.format.clone(),
            decoder: meta.decoder.clone(),
            size: meta.size,
            tags: meta.tags.clone(),
            indexed_at: moment(meta.indexed_unix_s),
            segments: clip.segments as usize,
        }
    }
}

/// A time as RFC 3339.
pub(crate) fn moment(unix_s: i64) -> String {
    jiff::Timestamp::from_second(unix_s).map_or_else(|_| "1970-01-01T00:00:00Z".to_owned(), |t| t.to_string())
}

/// A stretch of a clip that matches.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Hit)]
pub(crate) struct HitDto {
    pub(crate) clip: ClipDto,
    /// Cosine; larger is closer.
    pub(crate) score: f32,
    /// Seconds.
    pub(crate) start_s: f64,
    /// Seconds.
    pub(crate) end_s: f64,
    /// The sound classes that the query and the stretch share, where the model's axes have names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shares: Option<Vec<ShareDto>>,
}

/// What a sound class adds to a score.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Share)]
pub(crate) struct ShareDto {
    pub(crate) class: String,
    /// Its part of the score.
    pub(crate) share: f32,
}

/// Which clips; what is given must all hold.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Filter)]
pub(crate) struct FilterDto {
    /// Glob of the path (`*` within a folder, `**` across), or of the file name where it has no `/`.
    #[schema(example = "*.wav")]
    path: Option<String>,
    /// Tags that must all be there.
    tags: Vec<String>,
    /// One of these containers.
    formats: Vec<String>,
    /// Seconds, inclusive.
    min_duration_s: Option<f64>,
    /// Seconds, inclusive.
    max_duration_s: Option<f64>,
    /// RFC 3339, a date, or how long ago: `7d`, `12h`.
    #[schema(example = "7d")]
    indexed_since: Option<String>,
}

/// The same, in a query string; other keys there are somebody else's.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct FilterQuery {
    /// Glob of the path (`*` within a folder, `**` across), or of the file name where it has no `/`.
    path: Option<String>,
    /// Tags that must all be there; may be repeated.
    tags: Vec<String>,
    /// One of these containers; may be repeated.
    formats: Vec<String>,
    /// Seconds, inclusive.
    #[serde(deserialize_with = "number")]
    min_duration_s: Option<f64>,
    /// Seconds, inclusive.
    #[serde(deserialize_with = "number")]
    max_duration_s: Option<f64>,
    /// RFC 3339, a date, or how long ago: `7d`, `12h`.
    indexed_since: Option<String>,
}

/// A number in a query string. Blank is no number, though forms send it for a field that is left empty.
pub(crate) fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.map(Some).ok_or_else(|| serde::de::Error::custom(format!("expected a number, got `{text}`")))
}

impl From<FilterQuery> for FilterDto {
    fn from(q: FilterQuery) -> Self {
        let FilterQuery { path, tags, formats, min_duration_s, max_duration_s, indexed_since } = q;
        Self { path, tags, formats, min_duration_s, max_duration_s, indexed_since }
    }
}

impl FilterDto {
    pub(crate) fn into_filter(self) -> ApiResult<Filter> {
        let since = self.indexed_since.as_deref().map(parse_since).transpose()?;
        let name = |text: &String| Format::parse(text).map(|format| format.name.to_owned());
        let formats = self.formats.iter().map(name).collect::<Result<_, _>>();
        let formats = formats.map_err(|why| ApiError::field("formats", why))?;
        Ok(Filter {
            // A glob that begins with a folder's name is meant anywhere.
            path_glob: self.path.filter(|p| !p.is_empty()).map(|glob| {
                let anywhere = glob.contains('/') && !glob.starts_with('/') && !glob.starts_with("**");
                if anywhere { format!("**/{glob}") } else { glob }
            }),
            path_prefix: None,
            tags: self.tags,
            formats,
            min_duration_s: self.min_duration_s,
            max_duration_s: self.max_duration_s,
            indexed_since_unix_s: since,
        })
    }
}

/// Seconds since 1970 of `2026-11-01T12:00:00Z`, `2026-11-01` (UTC) or `7d`.
fn parse_since(text: &str) -> ApiResult<i64> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(moment.as_second());
    }
    if let Ok(date) = text.parse::<jiff::civil::DateTime>()
        && let Ok(zoned) = date.to_zoned_datetime(jiff::tz::TimeZone::UTC)
    {
        return Ok(zoned.timestamp().as_second());
    }
    let units = [('s', 1.0), ('m', 60.0), ('h', 3600.0), ('d', 86_400.0), ('w', 604_800.0)];
    let ago = text.chars().next_back().and_then(|unit| {
        let seconds = units.iter().find(|(name, _)| *name == unit)?.1;
        let number: f64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
        (number >= 0.0).then_some(number * seconds)
    });
    let ago = ago.ok_or_else(|| {
        let detail = format!("expected an RFC 3339 time, a date, or how long ago such as 7d, got `{text}`");
        ApiError::field("indexed_since", detail)
    })?;
    Ok(jiff::Timestamp::now().as_second().saturating_sub(ago as i64))
}

/// How many items and from where.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 500, default = 50)]
    pub(crate) limit: usize,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self { limit: 50, cursor: None }
    }
}

impl PageQuery {
    /// The number of items wanted, within bounds.
    pub(crate) fn limit(&self, most: usize) -> ApiResult<usize> {
        bounded("limit", self.limit, 1, most)
    }

    /// The place that the cursor stands for; the first where there is none.
    pub(crate) fn offset(&self) -> ApiResult<usize> {
        offset(self.cursor.as_deref())
    }
}

/// A value within bounds, or an error that names the field.
pub(crate) fn bounded(field: &str, value: usize, least: usize, most: usize) -> ApiResult<usize> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(ApiError::field(field, format!("expected {least} to {most}, got {value}")))
    }
}

/// The place that a cursor of a ranked list stands for.
pub(crate) fn offset(cursor: Option<&str>) -> ApiResult<usize> {
    let Some(cursor) = cursor else { return Ok(0) };
    let place = cursor.strip_prefix('o').and_then(|number| number.parse().ok());
    place.ok_or_else(|| ApiError::field("cursor", "not a cursor of this list"))
}

/// The cursor of a place in a ranked list.
pub(crate) fn cursor(offset: usize) -> String {
    format!("o{offset}")
}

/// Checks a tag.
pub(crate) fn check_tag(tag: &str) -> ApiResult<String> {
    let tag = tag.trim();
    if tag.is_empty() || tag.contains(',') || tag.chars().any(char::is_control) || tag.chars().count() > 100 {
        let detail = format!("expected 1 to 100 characters without a comma, got `{tag}`");
        return Err(ApiError::field("tags", detail));
    }
    Ok(tag.to_owned())
}

/// Checks tags: at most a hundred, none twice.
pub(crate) fn check_tags(tags: &[String]) -> ApiResult<Vec<String>> {
    bounded("tags", tags.len(), 0, 100)?;
    let mut checked: Vec<String> = Vec::new();
    for tag in tags {
        let tag = check_tag(tag)?;
        if !checked.contains(&tag) {
            checked.push(tag);
        }
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_moments_or_ages() {
        assert_eq!(parse_since("1970-01-02").unwrap(), 86_400);
        assert_eq!(parse_since("1970-01-01T00:01:00Z").unwrap(), 60);
        let week = jiff::Timestamp::now().as_second() - parse_since("7d").unwrap();
        assert!((604_799..=604_801).contains(&week));
        for bad in ["", "d", "-1d", "soon", "7ü", "NaNd"] {
            assert!(parse_since(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn cursors_come_back_as_places() {
        assert_eq!(offset(Some(&cursor(40))).unwrap(), 40);
        assert!(offset(Some("40")).is_err());
    }
}

/// What to know about how a file was read: where it is cut off, damaged or silent.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Remarks)]
pub(crate) struct RemarksDto {
    /// The file.
    file: String,
    /// Sentences.
    remarks: Vec<String>,
}

impl RemarksDto {
    pub(crate) fn new(file: &str, remarks: &Remarks) -> Self {
        Self { file: file.to_owned(), remarks: remarks.sentences() }
    }
}
