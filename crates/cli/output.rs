//! Printing: errors, paths, tables, JSON.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use earmark_index::{file_path, stored_path};
use serde::Serialize;

use crate::remedies;

/// An error and its causes in one line, without saying anything twice, and what to do about it.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let text = error.chain().fold(String::new(), |mut text, cause| {
        let cause = remedies::in_words(cause);
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
        text
    });
    match remedies::remedy(error) {
        Some(remedy) => format!("{text}; {remedy}"),
        None => text,
    }
}

/// A stored path as short as it can be from here and still be copied.
pub(crate) fn short(path: &str) -> String {
    let relative = std::env::current_dir().ok().and_then(|here| {
        let here = stored_path(&here);
        let (path, here) = (Path::new(path), Path::new(&here));
        if let Ok(inside) = path.strip_prefix(here) {
            return Some(inside.display().to_string());
        }
        let beside = path.strip_prefix(here.parent()?).ok()?;
        Some(Path::new("..").join(beside).display().to_string())
    });
    printable(&relative.filter(|r| !r.is_empty()).unwrap_or_else(|| path.to_owned()))
}

/// The reason a file failed for, without the path that messages begin with.
pub(crate) fn reason(path: &str, message: &str) -> String {
    printable(message.strip_prefix(&format!("{path}: ")).unwrap_or(message))
}

/// Says what to know about how a file was read.
pub(crate) fn remarks(file: &str, remarks: &[String]) {
    for sentence in remarks {
        note!("warning: {}: {sentence}", short(file));
    }
}

/// Says why a sound could not be used.
pub(crate) fn failed(file: &str, detail: &str) {
    let (file, detail) = (printable(file), printable(detail));
    match detail.contains(file.as_str()) {
        true => note!("failed: {detail}"),
        false => note!("failed: {file}: {detail}"),
    }
}

/// Text with control characters shown as escapes: a file's name must not break a line, or talk to the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] }).collect()
}

/// Characters of a name in a table; what is longer makes every row too wide to read.
const CELL: usize = 60;

/// A name in a table, cut where it is long.
pub(crate) fn cell(name: &str) -> String {
    match name.char_indices().nth(CELL) {
        Some((end, _)) => printable(&name[..end]) + "…",
        None => printable(name),
    }
}

/// Says something on standard error. Where nobody can hear it, nothing is lost.
macro_rules! note {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($argument)*);
    }};
}
pub(crate) use note;

/// Standard output, buffered.
pub(crate) fn stdout() -> io::BufWriter<io::StdoutLock<'static>> {
    io::BufWriter::new(io::stdout().lock())
}

/// One JSON document.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    let mut out = stdout();
    serde_json::to_writer_pretty(&mut out, value)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// One JSON object a line.
pub(crate) fn jsonl<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Result<()> {
    let mut out = stdout();
    for row in rows {
        serde_json::to_writer(&mut out, &row)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Comma-separated values with a header, or with none where it was printed before.
pub(crate) fn csv(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
    let mut writer = csv::Writer::from_writer(stdout());
    if !header.is_empty() {
        writer.write_record(header)?;
    }
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(writer.flush()?)
}

/// The paths of files, each ended by a NUL.
pub(crate) fn paths0<'a>(paths: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut out = stdout();
    for path in paths {
        // As the system knows them: this is for other programs.
        out.write_all(file_path(path).as_os_str().as_encoded_bytes())?;
        out.write_all(b"\0")?;
    }
    Ok(out.flush()?)
}

/// Rows in aligned columns, two spaces between; the last column is not padded. Numbers read best right-aligned:
/// `right` says which columns are.
pub(crate) fn table<W: Write + ?Sized>(out: &mut W, right: &[bool], rows: &[Vec<String>]) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max().unwrap_or(0))
        .collect();
    for row in rows {
        for (c, cell) in row.iter().enumerate() {
            let padding = " ".repeat(widths[c] - cell.chars().count());
            let last = c + 1 == row.len();
            match (right.get(c).copied().unwrap_or(false), last) {
                (true, _) => write!(out, "{padding}{cell}")?,
                (false, true) => write!(out, "{cell}")?,
                (false, false) => write!(out, "{cell}{padding}")?,
            }
            if !last {
                write!(out, "  ")?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_in_a_table() {
        assert_eq!(cell("a\nb"), "a\\nb");
        assert_eq!(cell(&"é".repeat(61)), "é".repeat(60) + "…");
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["1".into(), "ab".into(), "x".into()], vec!["10".into(), "c".into(), "yy".into()]];
        let mut out = Vec::new();
        table(&mut out, &[true], &rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), " 1  ab  x\n10  c   yy\n");
    }

    #[test]
    fn names_cannot_break_lines_or_talk_to_the_terminal() {
        assert_eq!(printable("a\nb\u{1b}[31m é"), "a\\nb\\u{1b}[31m é");
    }

    #[test]
    fn an_error_chain_says_nothing_twice() {
        let inner = anyhow::anyhow!("disk on fire").context("x.wav: disk on fire");
        assert_eq!(chain(&inner.context("reading")), "reading: x.wav: disk on fire");
    }
}
