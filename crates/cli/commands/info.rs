//! `earmark info`

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use earmark_audio::AudioReader;
use earmark_index::{Clip, IndexReader as _, stored_path};
use serde::Serialize;

use super::graph::GraphInfo;
use crate::args::{Global, InfoArgs};
use crate::units::{amount, bytes, clock, moment};
use crate::{context, open, output};

#[derive(Serialize)]
struct IndexInfo {
    db: String,
    space: String,
    /// All spaces; `space` is the one this is about.
    spaces: Vec<String>,
    model: String,
    manifest_hash: String,
    pipeline_version: u32,
    format_version: u32,
    dim: usize,
    created_unix_s: i64,
    clips: usize,
    segments: usize,
    duration_s: f64,
    failures: usize,
    disk_bytes: u64,
    graphs: Vec<GraphInfo>,
    /// How many label sets are saved, or what is wrong with them.
    label_sets: String,
}

#[derive(Serialize)]
struct FileInfo {
    file: String,
    format: String,
    codec: String,
    /// The second decoder, if it was needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    decoder: Option<String>,
    sample_rate: u32,
    channels: u16,
    duration_s: f64,
    /// What to know about how the file was read.
    remarks: Vec<String>,
    indexed: Option<IndexedInfo>,
}

#[derive(Serialize)]
struct IndexedInfo {
    clip_id: u64,
    segments: usize,
    tags: Vec<String>,
    indexed_unix_s: i64,
}

pub(crate) fn run(global: &Global, args: InfoArgs) -> Result<ExitCode> {
    match &args.file {
        Some(file) => file_info(global, file, args.json)?,
        None => index_info(global, args.json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn index_info(global: &Global, json: bool) -> Result<()> {
    let collection = open::collection(global)?;
    let (space, index) = open::open_one(global)?;
    let stats = index.stats()?;
    let header = index.header();
    let info = IndexInfo {
        db: context::db_dir(global)?.display().to_string(),
        space: space.name,
        spaces: collection.spaces()?.into_iter().map(|space| space.name).collect(),
        model: header.identity.model_id.clone(),
        manifest_hash: header.identity.manifest_hash.clone(),
        pipeline_version: header.identity.pipeline_version,
        format_version: header.format_version,
        dim: header.identity.dim,
        created_unix_s: header.created_unix_s,
        clips: stats.clips,
        segments: stats.segments,
        duration_s: stats.duration_s,
        failures: stats.failures,
        disk_bytes: stats.disk_bytes,
        graphs: stats.graphs.iter().map(|(rows, figures)| GraphInfo::of(*rows, figures)).collect(),
        label_sets: match context::label_sets(global)?.all() {
            Ok(sets) => sets.len().to_string(),
            Err(e) => e.to_string(),
        },
    };
    if json {
        return output::json(&info);
    }
    let space = space_and_others(&info);
    let mut rows = vec![
        ("index", info.db),
        ("clips", info.clips.to_string()),
        ("segments", info.segments.to_string()),
        ("audio", amount(info.duration_s)),
        ("bad files", info.failures.to_string()),
        ("on disk", bytes(info.disk_bytes)),
        ("space", space),
        ("model", format!("{} ({} numbers a segment)", info.model, info.dim)),
        ("created", moment(info.created_unix_s)),
        ("label sets", info.label_sets),
    ];
    let mut graphs = info.graphs.iter().flat_map(GraphInfo::lines).peekable();
    if graphs.peek().is_none() {
        rows.push(("graph", "none".to_owned()));
    }
    rows.extend(graphs.enumerate().map(|(n, line)| (if n == 0 { "graph" } else { "" }, line)));
    print(&rows)
}

/// The space, and how many others there are.
fn space_and_others(info: &IndexInfo) -> String {
    let others: Vec<&str> = info.spaces.iter().filter(|s| **s != info.space).map(String::as_str).collect();
    if others.is_empty() {
        info.space.clone()
    } else {
        format!("{} (also: {})", info.space, others.join(", "))
    }
}

fn file_info(global: &Global, file: &Path, json: bool) -> Result<()> {
    // Headers may lie about the length, so the file is decoded to its end.
    let mut reader = AudioReader::open(file, &context::read_options(global)?)?;
    let mut block = Vec::new();
    while reader.read_block(&mut block)? {}
    let audio = reader.info();
    let duration_s = reader.frames_read() as f64 / f64::from(audio.sample_rate);
    let info = FileInfo {
        file: stored_path(file),
        format: audio.format.clone(),
        codec: audio.codec.clone(),
        decoder: audio.decoder.clone(),
        sample_rate: audio.sample_rate,
        channels: audio.channels,
        duration_s,
        remarks: reader.remarks().sentences(),
        indexed: indexed(global, file),
    };
    if json {
        return output::json(&info);
    }
    let indexed = match &info.indexed {
        Some(i) => format!("{} as clip {}, {} segments", moment(i.indexed_unix_s), i.clip_id, i.segments),
        None => "no".to_owned(),
    };
    let mut rows = vec![
        ("file", info.file),
        ("format", format!("{} ({})", info.format, info.codec)),
        ("decoder", info.decoder.unwrap_or_else(|| "built in".to_owned())),
        ("rate", format!("{} Hz", info.sample_rate)),
        ("channels", info.channels.to_string()),
        ("length", clock(info.duration_s)),
        ("indexed", indexed),
    ];
    rows.extend(info.remarks.into_iter().map(|remark| ("warning", remark)));
    print(&rows)
}

/// What the index says of the file; nothing where there is no index, or none that can be opened.
fn indexed(global: &Global, file: &Path) -> Option<IndexedInfo> {
    let path = earmark_engine::absolute_path(file).ok()?;
    let index = context::open_index(global).ok()?;
    let Clip { id, meta, segments } = index.clip_by_path(&stored_path(&path)).ok()??;
    Some(IndexedInfo {
        clip_id: id,
        segments: segments as usize,
        tags: meta.tags,
        indexed_unix_s: meta.indexed_unix_s,
    })
}

fn print(rows: &[(&str, String)]) -> Result<()> {
    let cells: Vec<Vec<String>> = rows.iter().map(|(k, v)| vec![(*k).to_owned(), v.clone()]).collect();
    let mut out = output::stdout();
    output::table(&mut out, &[], &cells)?;
    Ok(out.flush()?)
}
