//! Comma- or tab-separated tables with a header.

use std::path::{Path, PathBuf};

use csv::StringRecord;

use crate::EvalError;

/// A table, read whole.
pub(crate) struct Table {
    path: PathBuf,
    headers: Vec<String>,
    /// Rows, each with its line in the file.
    pub(crate) rows: Vec<(u64, StringRecord)>,
}

impl Table {
    /// Reads a table. It is tab-separated if its first line has a tab.
    ///
    /// # Errors
    /// [`EvalError::Dataset`] when it cannot be read, or a row cannot be understood.
    pub(crate) fn read(path: &Path) -> Result<Self, EvalError> {
        let bytes = std::fs::read(path).map_err(|e| EvalError::io(path, &e))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            EvalError::dataset(path, "expected UTF-8 text, got other bytes; save it as UTF-8")
        })?;
        let text = text.trim_start_matches('\u{feff}');
        let tabs = text.lines().next().is_some_and(|line| line.contains('\t'));
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .flexible(true)
            .delimiter(if tabs { b'\t' } else { b',' })
            .from_reader(text.as_bytes());
        let bad = |e: csv::Error| EvalError::dataset(path, e.to_string());
        let headers = reader.headers().map_err(bad)?.iter().map(str::to_ascii_lowercase).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(bad)?;
            rows.push((record.position().map_or(0, csv::Position::line), record));
        }
        Ok(Self { path: path.to_path_buf(), headers, rows })
    }

    /// The place of the first of these columns that is there.
    pub(super) fn find(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.headers.iter().position(|header| header == name))
    }

    /// As [`Table::find`], but the column must be there.
    pub(crate) fn column(&self, names: &[&str]) -> Result<usize, EvalError> {
        self.find(names).ok_or_else(|| {
            let reason = format!(
                "expected a header with a column `{}`, got: {}",
                names.join("` or `"),
                self.headers.join(", ")
            );
            EvalError::dataset(&self.path, reason)
        })
    }

    /// The places of all columns whose name begins so.
    pub(super) fn columns_like(&self, prefix: &str) -> Vec<usize> {
        let like = |(place, header): (usize, &String)| header.starts_with(prefix).then_some(place);
        self.headers.iter().enumerate().filter_map(like).collect()
    }

    /// The file it is read from.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What to call a row in messages.
    pub(super) fn row_name(&self, line: u64) -> String {
        format!("{}, line {line}", self.path.display())
    }
}

/// A cell; empty where the row is too short.
pub(crate) fn cell(row: &StringRecord, column: usize) -> &str {
    row.get(column).unwrap_or_default()
}
