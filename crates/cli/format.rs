//! How answers are printed: one way into every form that a command offers.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::output;

/// How to print an answer.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false, id = "format")]
#[command(next_help_heading = "Output")]
pub(crate) struct FormatArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) jsonl: bool,
    /// Print comma-separated values with a header
    #[arg(long)]
    pub(crate) csv: bool,
}

/// How to print an answer that lists files.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct FileFormatArgs {
    #[command(flatten)]
    format: FormatArgs,
    /// Print only the paths, each ended by a NUL, for `xargs -0`
    #[arg(long, conflicts_with = "format")]
    paths0: bool,
}

/// A form in which answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// The answer as one JSON document.
    Json,
    /// A JSON object for each row.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
    /// The rows' paths, each ended by a NUL.
    Paths0,
}

impl FormatArgs {
    pub(crate) fn format(self) -> Format {
        match self {
            Self { json: true, .. } => Format::Json,
            Self { jsonl: true, .. } => Format::Jsonl,
            Self { csv: true, .. } => Format::Csv,
            _ => Format::Text,
        }
    }
}

impl FileFormatArgs {
    pub(crate) fn format(self) -> Format {
        if self.paths0 { Format::Paths0 } else { self.format.format() }
    }
}

/// A row of an answer.
pub(crate) trait Row: Serialize {
    /// The columns of its comma-separated values.
    const COLUMNS: &'static [&'static str];

    /// Its comma-separated values: a line, or several of what it consists of. `rank` counts rows from 1.
    fn records(&self, rank: usize) -> Vec<Vec<String>>;

    /// The file that it is about.
    fn path(&self) -> Option<&str> {
        None
    }
}

/// Prints the rows of an answer as they come, in forms that allow it, and the rest at the end.
pub(crate) struct Printer {
    format: Format,
    rows: usize,
    header_due: bool,
}

impl Printer {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, rows: 0, header_due: true }
    }

    /// Prints some rows, if the form is one of rows.
    pub(crate) fn rows<R: Row>(&mut self, rows: &[R]) -> Result<()> {
        let first = self.rows;
        self.rows += rows.len();
        match self.format {
            Format::Text | Format::Json => Ok(()),
            Format::Jsonl => output::jsonl(rows),
            Format::Csv => {
                let header = if std::mem::take(&mut self.header_due) { R::COLUMNS } else { &[] };
                output::csv(header, rows.iter().enumerate().flat_map(|(i, row)| row.records(first + i + 1)))
            }
            Format::Paths0 => output::paths0(rows.iter().filter_map(Row::path)),
        }
    }

    /// Prints the whole answer, if its rows are not printed by themselves.
    pub(crate) fn finish<R: Row>(
        mut self,
        answer: &impl Serialize,
        text: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        if self.header_due {
            // A header at least.
            self.rows::<R>(&[])?;
        }
        match self.format {
            Format::Json => output::json(answer),
            Format::Text => {
                let mut out = output::stdout();
                text(&mut out)?;
                Ok(out.flush()?)
            }
            Format::Jsonl | Format::Csv | Format::Paths0 => Ok(()),
        }
    }
}

/// Prints an answer whose rows are all there.
pub(crate) fn emit<R: Row>(
    format: Format,
    answer: &impl Serialize,
    rows: &[R],
    text: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let mut printer = Printer::new(format);
    printer.rows(rows)?;
    printer.finish::<R>(answer, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_flag_is_one_form() {
        let none = FormatArgs { json: false, jsonl: false, csv: false };
        assert_eq!(none.format(), Format::Text);
        assert_eq!(FormatArgs { csv: true, ..none }.format(), Format::Csv);
        assert_eq!(FileFormatArgs { format: none, paths0: true }.format(), Format::Paths0);
    }
}
