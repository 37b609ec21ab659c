//! Numbers, times and paths as people write and read them.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use earmark_engine::fit::MOST_FOLDS;
use earmark_engine::typed_path;
use earmark_eval::run::folds::FoldChoice;
use earmark_library::{Error, Location};
use earmark_postgres::DatabaseUrl;

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

/// A probability, 0 to 1.
pub(crate) fn parse_probability(text: &str) -> Result<f32, String> {
    let probability = text.parse().ok().filter(|p| (0.0..=1.0).contains(p));
    probability.ok_or_else(|| format!("expected 0 to 1, got `{text}`"))
}

/// The least likeness of duplicates, 0.5 to 1.
pub(crate) fn parse_likeness(text: &str) -> Result<f32, String> {
    let likeness = text.parse().ok().filter(|l| (0.5..=1.0).contains(l));
    likeness.ok_or_else(|| format!("expected 0.5 to 1, got `{text}`"))
}

/// A weight: a finite number, 0 or more.
pub(crate) fn parse_weight(text: &str) -> Result<f32, String> {
    let weight = text.parse().ok().filter(|w: &f32| w.is_finite() && *w >= 0.0);
    weight.ok_or_else(|| format!("expected a number of 0 or more, got `{text}`"))
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

/// A moment, from RFC 3339, in local time: `2026-11-24 14:03`.
pub(crate) fn local_time(moment: &str) -> String {
    moment.parse::<jiff::Timestamp>().map_or_else(
        |_| moment.to_owned(),
        |t| t.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(),
    )
}

/// The path of a sound file or folder; names that are not UTF-8 may be typed as they are shown.
pub(crate) fn sound_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| typed_path(&path))
}

/// Where an index lies, as typed. Not read by clap, whose messages repeat what they are about: here perhaps a
/// password.
#[derive(Clone)]
pub(crate) struct LocationText(PathBuf);

impl LocationText {
    /// As it is typed, for clap.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        PathBufValueParser::new().map(Self)
    }

    /// What it says.
    ///
    /// # Errors
    /// [`Error::Field`] named `field`.
    pub(crate) fn read(&self, field: &str) -> Result<Location, Error> {
        match self.0.to_str() {
            Some(text) => Location::parse(text).map_err(|reason| Error::field_is(field, reason)),
            None => Ok(Location::Folder(self.0.clone())),
        }
    }
}

impl fmt::Debug for LocationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.read("db") {
            Ok(location) => write!(f, "{location}"),
            Err(_) => f.write_str("(unreadable)"),
        }
    }
}

/// Refuses passwords in arguments, which every user of a machine can see.
///
/// # Errors
/// [`Error::Field`] named `db`.
pub(crate) fn refuse_passwords(arguments: impl Iterator<Item = OsString>) -> Result<(), Error> {
    let is_secret = |argument: OsString| {
        let text = argument.to_string_lossy();
        let url = text.find("postgres").map(|at| &text[at..]).filter(|url| DatabaseUrl::is_one(url));
        url.is_some_and(|url| url.parse().is_ok_and(|url: DatabaseUrl| url.has_password()))
    };
    match arguments.into_iter().any(is_secret) {
        true => Err(Error::field_is(
            "db",
            "the address holds a password, which all users of this machine can read in an argument; put the address \
             into the environment variable EARMARK_DB, or the password into PGPASSWORD",
        )),
        false => Ok(()),
    }
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
    fn times_are_printed_as_clocks_show_them() {
        assert_eq!(clock(2.44), "0:02.4");
        assert_eq!(clock(59.96), "1:00.0");
        assert_eq!(clock(3723.4), "1:02:03.4");
    }
}
