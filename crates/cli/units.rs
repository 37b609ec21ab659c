//! Times as people write them.

use earmark_audio::Format;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::builder::{PathBufValueParser, TypedValueParser};
use earmark_engine::fit::MOST_FOLDS;
use earmark_engine::typed_path;
use earmark_eval::run::folds::FoldChoice;

/// Seconds from `12`, `12s`, `250ms`, `1m30s`, `2h`, `1:30` or `1:02:03.5`.
pub(crate) fn parse_seconds(text: &str) -> Result<f64, String> {
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
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = tail;
    }
    Some(total)
}

/// A count of at least one.
pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("expected 1 or more, got `{text}`"))
}

/// Folds: how many, two at least, or `own`.
pub(crate) fn parse_folds(text: &str) -> Result<FoldChoice, String> {
    match text.parse() {
        _ if text == "own" => Ok(FoldChoice::Own),
        Ok(folds) if folds >= 2 => Ok(FoldChoice::Random(folds)),
        _ => Err(format!("expected 2 or more, or `own`, got `{text}`")),
    }
}

/// How many folds.
pub(crate) fn parse_fold_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|folds| (2..=MOST_FOLDS).contains(folds));
    count.ok_or_else(|| format!("expected 2 to {MOST_FOLDS}, got `{text}`"))
}

/// A cosine, -1 to 1.
pub(crate) fn parse_score(text: &str) -> Result<f32, String> {
    let score = text.parse().ok().filter(|s| (-1.0..=1.0).contains(s));
    score.ok_or_else(|| format!("expected a score from -1 to 1, got `{text}`"))
}

/// A tag: some text without a comma, since lists of tags are written with commas.
pub(crate) fn parse_tag(text: &str) -> Result<String, String> {
    let tag = text.trim();
    if tag.is_empty() || tag.contains(',') {
        return Err(format!("expected a word or more without a comma, got `{text}`; --tag may be repeated"));
    }
    Ok(tag.to_owned())
}

/// A name and a folder: `sounds=/srv/sounds`.
pub(crate) fn parse_root(text: &str) -> Result<(String, std::path::PathBuf), String> {
    match text.split_once('=') {
        Some((name, folder)) if !name.is_empty() && !folder.is_empty() => {
            Ok((name.to_owned(), folder.into()))
        }
        _ => Err(format!("expected a name and a folder, as in sounds=/srv/sounds, got `{text}`")),
    }
}

/// A limit's name and value: `queue=16`.
pub(crate) fn parse_limit(text: &str) -> Result<(String, f64), String> {
    let parsed =
        text.split_once('=').and_then(|(name, number)| Some((name.to_owned(), number.parse().ok()?)));
    parsed.ok_or_else(|| format!("expected a name and a number, as in queue=16, got `{text}`"))
}

/// A container format, by its name or by a file extension.
pub(crate) fn parse_format(text: &str) -> Result<String, String> {
    Format::parse(text).map(|format| format.name.to_owned())
}

/// A probability, 0 to 1.
pub(crate) fn parse_probability(text: &str) -> Result<f32, String> {
    let probability = text.parse().ok().filter(|p| (0.0..=1.0).contains(p));
    probability.ok_or_else(|| format!("expected 0 to 1, got `{text}`"))
}

/// A weight: a finite number, 0 or more.
pub(crate) fn parse_weight(text: &str) -> Result<f32, String> {
    let weight = text.parse().ok().filter(|w: &f32| w.is_finite() && *w >= 0.0);
    weight.ok_or_else(|| format!("expected a number of 0 or more, got `{text}`"))
}

/// Seconds since 1970 from a date (`2026-11-01`, `2026-11-01T12:00`) in local time, or from how long ago (`7d`).
pub(crate) fn parse_since(text: &str) -> Result<i64, String> {
    if let Ok(date_time) = text.parse::<jiff::civil::DateTime>()
        && let Ok(zoned) = date_time.to_zoned_datetime(jiff::tz::TimeZone::system())
    {
        return Ok(zoned.timestamp().as_second());
    }
    let ago = parse_with_units(text.trim()).ok_or_else(|| {
        format!("expected a date such as 2026-11-01, or how long ago such as 7d or 12h, got `{text}`")
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
    Ok((now - ago) as i64)
}

/// A position or length in a recording: `0:02.4`, `1:02:03.4`.
pub(crate) fn clock(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round().max(0.0) as u64;
    let (hours, minutes, rest) = (tenths / 36_000, tenths / 600 % 60, tenths % 600);
    let mut text = String::new();
    if hours > 0 {
        let _ = write!(text, "{hours}:{minutes:02}:");
    } else {
        let _ = write!(text, "{minutes}:");
    }
    let _ = write!(text, "{:02}.{}", rest / 10, rest % 10);
    text
}

/// An amount of audio or of time: `3.2 s`, `4 min 10 s`, `2 h 05 min`.
pub(crate) fn amount(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..=59 => format!("{seconds:.1} s"),
        60..=3599 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// Bytes for people.
pub(crate) fn bytes(n: u64) -> String {
    match n {
        0..=9_999 => format!("{n} B"),
        10_000..=9_999_999 => format!("{} kB", n / 1000),
        _ => format!("{:.1} MB", n as f64 / 1e6),
    }
}

/// A moment, in local time: `2026-11-24 14:03`.
pub(crate) fn moment(unix_s: i64) -> String {
    jiff::Timestamp::from_second(unix_s).map_or_else(
        |_| unix_s.to_string(),
        |t| t.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(),
    )
}

/// The path of a sound file or folder; names that are not UTF-8 may be typed as they are shown.
pub(crate) fn sound_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| typed_path(&path))
}

/// How long to wait, in seconds; `inf` for as long as it takes.
pub(crate) fn parse_wait(text: &str) -> Result<std::time::Duration, String> {
    if text == "inf" {
        return Ok(std::time::Duration::MAX);
    }
    let seconds = text.parse().ok().and_then(|s| std::time::Duration::try_from_secs_f64(s).ok());
    seconds.ok_or_else(|| format!("expected a number of seconds, got `{text}`"))
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
    fn formats_go_by_their_extensions_too() {
        assert_eq!(parse_format("WAV").as_deref(), Ok("wav"));
        assert_eq!(parse_format(".m4a").as_deref(), Ok("mp4"));
        assert!(parse_format("banana").unwrap_err().contains("flac"));
    }

    #[test]
    fn times_are_printed_as_clocks_show_them() {
        assert_eq!(clock(2.44), "0:02.4");
        assert_eq!(clock(59.96), "1:00.0");
        assert_eq!(clock(3723.4), "1:02:03.4");
    }

    #[test]
    fn since_takes_dates_and_ages() {
        let day = parse_since("1d").unwrap();
        assert!((parse_since("2d").unwrap() + 86_400 - day).abs() <= 1);
        assert!(parse_since("2026-11-01").unwrap() > 1_793_000_000);
        assert!(parse_since("yesterday").is_err());
    }
}
