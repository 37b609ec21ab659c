//! `earmark models list`

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use earmark_encoder::{Catalogue, CatalogueEntry, ModelFiles, State};
use serde::Serialize;

use super::{clean, size};
use crate::args::Global;
use crate::output;
use crate::units::bytes;

#[derive(Serialize)]
struct Row {
    name: String,
    kind: Option<&'static str>,
    dim: Option<usize>,
    /// Of the files, where the manifest says.
    bytes: Option<u64>,
    /// About how large they become, where a recipe makes them.
    about_bytes: Option<u64>,
    /// On this disk, beside the program itself.
    disk_bytes: u64,
    licence: Option<String>,
    state: &'static str,
    place: String,
    default: bool,
    description: Option<String>,
    problem: Option<String>,
}

/// A state in a word or two, and how to change it.
fn state(state: State) -> (&'static str, &'static str) {
    match state {
        State::Bundled => ("bundled", ""),
        State::Installed => ("installed", ""),
        State::Own => ("your own", ""),
        State::Downloadable => ("to pull", "earmark models pull NAME"),
        State::Exportable => ("to export", "earmark models export NAME"),
    }
}

fn row(entry: CatalogueEntry) -> Row {
    let disk_bytes = match &entry.files {
        ModelFiles::Folder(folder) => earmark_hub::disk_use(folder),
        ModelFiles::Bundled(_) => 0,
    };
    let (manifest, problem) = match &entry.model {
        Ok(model) => (Some(model.manifest()), None),
        Err(e) => (None, Some(e.to_string())),
    };
    Row {
        kind: manifest.map(|m| m.kind.as_str()),
        dim: manifest.map(|m| m.dim),
        bytes: manifest.and_then(size),
        about_bytes: manifest.and_then(|m| m.export.as_ref()).and_then(|export| export.about_bytes),
        disk_bytes,
        licence: manifest.map(|m| m.licence.clone()),
        state: if problem.is_some() { "unusable" } else { state(entry.state).0 },
        place: entry.files.describe(),
        default: entry.name == Catalogue::default_name(),
        description: manifest.map(|m| m.description.clone()),
        problem,
        name: entry.name,
    }
}

pub(super) fn run(global: &Global, json: bool) -> Result<ExitCode> {
    let rows: Vec<Row> = earmark_library::catalogue().entries().into_iter().map(row).collect();
    if json {
        output::json(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    let header = ["NAME", "KIND", "SIZE", "DISK", "LICENCE", "STATE"].map(str::to_owned).to_vec();
    let cells: Vec<Vec<String>> = std::iter::once(header).chain(rows.iter().map(cells)).collect();
    let mut out = output::stdout();
    output::table(&mut out, &[false, false, true, true], &cells)?;
    for (word, how) in [State::Downloadable, State::Exportable].map(state) {
        if rows.iter().any(|row| row.state == word) {
            writeln!(out, "{word}: {how}")?;
        }
    }
    let caches = clean::caches(global);
    for (what, folder, size) in &caches {
        writeln!(out, "{what}: {} in {}", bytes(*size), folder.display())?;
    }
    if !caches.is_empty() {
        writeln!(out, "`earmark models clean` removes them")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn cells(row: &Row) -> Vec<String> {
    let state = match (&row.problem, row.default) {
        (Some(problem), _) => format!("unusable: {}", output::printable(problem)),
        (None, true) => format!("{}, the default", row.state),
        (None, false) => row.state.to_owned(),
    };
    let size = match (row.bytes, row.about_bytes) {
        (Some(exact), _) => bytes(exact),
        (None, Some(about)) => format!("~ {}", bytes(about)),
        (None, None) => "?".to_owned(),
    };
    vec![
        row.name.clone(),
        row.kind.unwrap_or_default().to_owned(),
        size,
        if row.disk_bytes > 0 { bytes(row.disk_bytes) } else { "-".to_owned() },
        row.licence.clone().unwrap_or_default(),
        state,
    ]
}
