//! Numbers and names as text, for both kinds of report.

use super::Interval;

/// A share as a percentage with one decimal.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The ends of an interval.
pub(super) fn ends(interval: Interval) -> String {
    format!("{:.1} to {:.1}", 100.0 * interval.low, 100.0 * interval.high)
}

/// A number with thousands apart.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            // A narrow space that does not break.
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `1 clip`, `2 clips`.
pub(super) fn counted(number: usize, singular: &str) -> String {
    format!("{} {singular}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Text in which characters that steer are shown as escapes: a file's name must not break a line, talk to a terminal,
/// or turn the direction of what follows it.
pub(super) fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().flat_map(|c| if steers(c) { c.escape_unicode().collect() } else { vec![c] }).collect()
}

/// The last part of a path, and what is before it. A path that begins with `/` is not one of Windows.
pub(super) fn split_path(path: &str) -> (&str, &str) {
    let separators: &[char] = if path.starts_with('/') { &['/'] } else { &['/', '\\'] };
    match path.rfind(separators) {
        Some(at) => (&path[at + 1..], &path[..at]),
        None => (path, ""),
    }
}
