//! `earmark models`

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use earmark_encoder::{Catalogue, CatalogueEntry, Model};
use serde::Serialize;

use crate::args::{Global, ModelsArgs, ModelsCommand};
use crate::units::bytes;
use crate::{context, output};

#[derive(Serialize)]
struct Row {
    name: String,
    kind: Option<&'static str>,
    dim: Option<usize>,
    bytes: Option<u64>,
    licence: Option<String>,
    place: String,
    default: bool,
    description: Option<String>,
    problem: Option<String>,
}

pub(crate) fn run(_: &Global, args: ModelsArgs) -> Result<ExitCode> {
    match args.command {
        ModelsCommand::List { json } => list(json),
        ModelsCommand::Show { name, json } => show(&name, json),
    }
}

fn size(model: &Model) -> u64 {
    model.manifest().files.iter().filter_map(|f| f.bytes).sum()
}

fn row(entry: CatalogueEntry) -> Row {
    let default = entry.name == Catalogue::default_name();
    let place = entry.files.describe();
    match entry.model {
        Ok(model) => {
            let m = model.manifest();
            Row {
                name: entry.name,
                kind: Some(m.kind.as_str()),
                dim: Some(m.dim),
                bytes: Some(size(&model)),
                licence: Some(m.licence.clone()),
                place,
                default,
                description: Some(m.description.clone()),
                problem: None,
            }
        }
        Err(e) => Row {
            name: entry.name,
            kind: None,
            dim: None,
            bytes: None,
            licence: None,
            place,
            default,
            description: None,
            problem: Some(e.to_string()),
        },
    }
}

fn list(json: bool) -> Result<ExitCode> {
    let rows: Vec<Row> = context::catalogue().entries().into_iter().map(row).collect();
    if json {
        output::json(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|r| {
            let name = if r.default { format!("{} (default)", r.name) } else { r.name.clone() };
            match &r.problem {
                Some(problem) => {
                    vec![name, "unusable".to_owned(), String::new(), String::new(), problem.clone()]
                }
                None => vec![
                    name,
                    r.kind.unwrap_or_default().to_owned(),
                    r.bytes.map(bytes).unwrap_or_default(),
                    r.licence.clone().unwrap_or_default(),
                    r.description.clone().unwrap_or_default(),
                ],
            }
        })
        .collect();
    let mut out = output::stdout();
    output::table(&mut out, &[false, false, true], &cells)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn show(name: &str, json: bool) -> Result<ExitCode> {
    let model = context::catalogue().open(name)?;
    let m = model.manifest();
    if json {
        output::json(m)?;
        return Ok(ExitCode::SUCCESS);
    }
    let files = match model.verify_files() {
        Ok(()) => format!("{} files, {}, as the manifest says", m.files.len(), bytes(size(&model))),
        Err(e) => format!("problem: {e}"),
    };
    let window_s = m.window_s();
    let hop_s = m.window.hop_samples as f64 / f64::from(m.front_end.sample_rate());
    let rows = [
        ("name", format!("{} ({})", m.id, m.name)),
        ("kind", m.kind.as_str().to_owned()),
        ("about", m.description.clone()),
        ("licence", m.licence.clone()),
        ("source", m.source.clone()),
        ("place", model.files().describe()),
        ("files", files),
        (
            "embedding",
            format!(
                "{} numbers{}",
                m.dim,
                if m.axes.is_some() { ", one for each named sound class" } else { "" }
            ),
        ),
        (
            "listens at",
            format!("{} Hz, windows of {window_s:.2} s every {hop_s:.2} s", m.front_end.sample_rate()),
        ),
        ("index keeps", format!("one vector for {} windows", m.segment.windows)),
        ("scores", if m.scores.calibrated { "calibrated".to_owned() } else { "uncalibrated".to_owned() }),
        ("vector hash", model.vector_hash().to_owned()),
    ];
    let cells: Vec<Vec<String>> = rows.iter().map(|(k, v)| vec![(*k).to_owned(), v.clone()]).collect();
    let mut out = output::stdout();
    output::table(&mut out, &[], &cells)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
