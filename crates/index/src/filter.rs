//! Conditions on clips: a [`Filter`], and the same made ready to test clips.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, Result};
use crate::published::layout::MetaView;

/// Which clips a search may return. The default lets all of them through; the conditions given must all hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Glob over the whole path (`*` stays within a folder, `**` does not), or over the file name alone if it
    /// has no `/`.
    pub path_glob: Option<String>,
    /// The path is this, or lies in this folder.
    pub path_within: Option<String>,
    /// The path has this in it.
    pub path_part: Option<String>,
    /// Upper and lower case are alike in [`Self::path_glob`] and [`Self::path_part`].
    pub path_ignores_case: bool,
    /// Tags that must all be there, exactly.
    pub tags: Vec<String>,
    /// One of these formats, ignoring case. None given: any.
    pub formats: Vec<String>,
    /// Shortest clip, seconds, inclusive.
    pub min_duration_s: Option<f64>,
    /// Longest clip, seconds, inclusive.
    pub max_duration_s: Option<f64>,
    /// Indexed at this time or later, seconds since 1970.
    pub indexed_since_unix_s: Option<i64>,
}

/// Longest glob, bytes: a path is at most so long, and compiling takes time and memory by the length.
const MAX_GLOB_BYTES: usize = 4096;

/// The glob of a filter, made ready.
#[derive(Debug, Clone)]
pub struct PathGlob {
    set: GlobSet,
    /// The glob has no `/`, so that it speaks of file names.
    by_name: bool,
}

impl PathGlob {
    /// The glob of a filter, if it has one.
    ///
    /// # Errors
    /// [`Error::BadFilter`].
    pub fn of(filter: &Filter) -> Result<Option<Self>> {
        let Some(pattern) = &filter.path_glob else { return Ok(None) };
        let set = compile(pattern, filter.path_ignores_case)?;
        Ok(Some(Self { set, by_name: !pattern.contains('/') }))
    }

    /// Whether a path, in its stored form, matches.
    #[must_use]
    pub fn is_match(&self, path: &str) -> bool {
        let separators = ['/', std::path::MAIN_SEPARATOR];
        let subject = if self.by_name { path.rsplit(separators).next().unwrap_or(path) } else { path };
        self.set.is_match(subject)
    }
}

/// A filter whose glob is compiled and whose ranges are checked.
pub(crate) struct Matcher<'a> {
    filter: &'a Filter,
    glob: Option<PathGlob>,
}

impl Filter {
    /// Whether every clip is let through.
    #[must_use]
    pub fn is_open(&self) -> bool {
        // How a path is compared is no matter where none is asked for.
        *self == Self { path_ignores_case: self.path_ignores_case, ..Self::default() }
    }

    /// Refuses ranges that no number lies in.
    ///
    /// # Errors
    /// [`Error::BadFilter`].
    pub fn check_ranges(&self) -> Result<()> {
        for (name, bound) in
            [("min_duration_s", self.min_duration_s), ("max_duration_s", self.max_duration_s)]
        {
            if bound.is_some_and(f64::is_nan) {
                return Err(Error::BadFilter {
                    pattern: name.to_string(),
                    reason: "not a number".to_string(),
                });
            }
        }
        Ok(())
    }
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(filter: &'a Filter) -> Result<Self> {
        filter.check_ranges()?;
        Ok(Self { filter, glob: PathGlob::of(filter)? })
    }

    /// Lets every clip through.
    pub(crate) fn is_open(&self) -> bool {
        self.filter.is_open()
    }

    pub(crate) fn admits(&self, meta: &MetaView<'_>) -> bool {
        let f = self.filter;
        self.path_matches(meta.path)
            && f.tags.iter().all(|tag| meta.tags.iter().any(|t| t == tag))
            && (f.formats.is_empty()
                || f.formats.iter().any(|format| format.eq_ignore_ascii_case(meta.format)))
            && f.min_duration_s.is_none_or(|min| meta.duration_s >= min)
            && f.max_duration_s.is_none_or(|max| meta.duration_s <= max)
            && f.indexed_since_unix_s.is_none_or(|since| meta.indexed_unix_s >= since)
    }

    fn path_matches(&self, path: &str) -> bool {
        let separators = ['/', std::path::MAIN_SEPARATOR];
        let is_within = |folder: &str| {
            let rest = path.strip_prefix(folder.trim_end_matches(separators));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(separators))
        };
        if self.filter.path_within.as_ref().is_some_and(|folder| !is_within(folder)) {
            return false;
        }
        let has = |part: &str| match self.filter.path_ignores_case {
            true => path.to_lowercase().contains(&part.to_lowercase()),
            false => path.contains(part),
        };
        if self.filter.path_part.as_ref().is_some_and(|part| !has(part)) {
            return false;
        }
        self.glob.as_ref().is_none_or(|glob| glob.is_match(path))
    }
}

/// A set of one: unlike a lone matcher, it says so when a glob is too large or too deep instead of panicking.
fn compile(pattern: &str, ignores_case: bool) -> Result<GlobSet> {
    let bad = |reason: String| {
        let pattern = pattern.chars().take(100).collect();
        Error::BadFilter { pattern, reason }
    };
    if pattern.len() > MAX_GLOB_BYTES {
        return Err(bad(format!("{} bytes, at most {MAX_GLOB_BYTES} are allowed", pattern.len())));
    }
    let glob = GlobBuilder::new(pattern).literal_separator(true).case_insensitive(ignores_case).build();
    let glob = glob.map_err(|e| bad(e.kind().to_string()))?;
    let set = GlobSetBuilder::new().add(glob).build();
    set.map_err(|_| bad("too deeply nested or too large".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::meta;

    #[test]
    fn only_a_filter_without_conditions_is_open() {
        let ignoring = Filter { path_ignores_case: true, ..Filter::default() };
        assert!(Filter::default().is_open() && ignoring.is_open());
        let some = [
            Filter { path_part: Some(String::new()), ..ignoring.clone() },
            Filter { tags: vec!["a".into()], ..ignoring.clone() },
            Filter { indexed_since_unix_s: Some(0), ..ignoring },
        ];
        assert!(!some.iter().any(Filter::is_open));
    }

    fn admits(filter: Filter, path: &str) -> bool {
        let mut m = meta(path);
        m.tags = vec!["rain".into(), "night".into()];
        m.format = "wav".into();
        m.duration_s = 3.0;
        m.indexed_unix_s = 100;
        Matcher::new(&filter).unwrap().admits(&MetaView::of(&m, &mut Vec::new()))
    }

    #[test]
    fn a_glob_without_a_slash_speaks_of_the_name() {
        let glob = |g: &str| Filter { path_glob: Some(g.into()), ..Filter::default() };
        assert!(admits(glob("*.wav"), "/a/b/rain.wav"));
        assert!(admits(glob("r?in.{wav,mp3}"), "/a/b/rain.wav"));
        assert!(!admits(glob("*.mp3"), "/a/b/rain.wav"));
        assert!(admits(glob("/a/**/*.wav"), "/a/b/c/rain.wav"));
        assert!(!admits(glob("/a/*.wav"), "/a/b/rain.wav"));
        assert!(admits(glob("**/b/*"), "/a/b/rain.wav"));
    }

    #[test]
    fn all_conditions_must_hold() {
        let all = Filter {
            path_glob: Some("*.wav".into()),
            path_within: Some("/a".into()),
            path_part: Some("B".into()),
            path_ignores_case: true,
            tags: vec!["rain".into(), "night".into()],
            formats: vec!["mp3".into(), "WAV".into()],
            min_duration_s: Some(3.0),
            max_duration_s: Some(3.0),
            indexed_since_unix_s: Some(100),
        };
        assert!(admits(all.clone(), "/a/b.wav"));
        assert!(!admits(all.clone(), "/b/b.wav"));
        assert!(!admits(Filter { path_ignores_case: false, ..all.clone() }, "/a/b.wav"));
        assert!(admits(Filter { path_within: Some("/a/b.wav".into()), ..all.clone() }, "/a/b.wav"));
        assert!(!admits(Filter { path_within: Some("/a".into()), ..all.clone() }, "/ab/b.wav"));
        assert!(!admits(Filter { path_part: Some("c".into()), ..all.clone() }, "/a/b.wav"));
        assert!(!admits(Filter { tags: vec!["rain".into(), "day".into()], ..all.clone() }, "/a/b.wav"));
        assert!(!admits(Filter { formats: vec!["mp3".into()], ..all.clone() }, "/a/b.wav"));
        assert!(!admits(Filter { min_duration_s: Some(3.1), ..all.clone() }, "/a/b.wav"));
        assert!(!admits(Filter { max_duration_s: Some(2.9), ..all.clone() }, "/a/b.wav"));
        assert!(!admits(Filter { indexed_since_unix_s: Some(101), ..all }, "/a/b.wav"));
    }

    #[test]
    fn a_glob_too_deep_or_too_long_is_refused() {
        for glob in ["{".repeat(500) + "a" + &"}".repeat(500), "*a".repeat(1_000_000)] {
            let filter = Filter { path_glob: Some(glob), ..Filter::default() };
            assert!(matches!(Matcher::new(&filter), Err(Error::BadFilter { .. })));
        }
    }

    #[test]
    fn a_bad_glob_is_named() {
        let filter = Filter { path_glob: Some("a[".into()), ..Filter::default() };
        assert!(matches!(Matcher::new(&filter), Err(Error::BadFilter { pattern, .. }) if pattern == "a["));
    }
}
