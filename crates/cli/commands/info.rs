//! `earmark info`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use earmark_audio::AudioReader;
use earmark_index::{Clip, stored_path};
use earmark_library::{Graph, GraphFigures, Info, Method, Version, moment};
use serde::Serialize;

use crate::args::Global;
use crate::ask::{Answerer, ServerArgs};
use crate::units::{amount, bytes, clock, local_time, sound_path};
use crate::{context, output};

/// Show what is in the index, or describe a sound file
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Sound file to describe [default: the index]
    #[arg(value_name = "FILE", value_parser = sound_path())]
    file: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct FileInfo {
    version: Version,
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
    clip_id: String,
    segments: usize,
    tags: Vec<String>,
    indexed_at: String,
}

pub(crate) fn run(global: &Global, args: InfoArgs) -> Result<ExitCode> {
    match &args.file {
        Some(file) => file_info(global, file, args.json)?,
        None => index_info(global, &args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn index_info(global: &Global, args: &InfoArgs) -> Result<()> {
    let place = context::place(global)?;
    let (location, answerer) = (place.location.clone(), Answerer::new(global, &args.server, place)?);
    let info = answerer.info()?;
    if args.json {
        return output::json(&info);
    }
    let label_sets = match &info.label_sets_error {
        Some(error) => format!("{error}; `earmark labels accept` takes them as they are"),
        None => info.label_sets.to_string(),
    };
    let mut rows = vec![
        ("index", answerer.name().unwrap_or_else(|| location.to_string())),
        ("clips", info.clips.to_string()),
        ("segments", info.segments.to_string()),
        ("audio", amount(info.duration_s)),
        ("bad files", info.failures.to_string()),
        ("on disk", bytes(info.disk_bytes)),
        ("space", space_and_others(&info)),
        ("model", format!("{} ({} numbers a segment)", info.model, info.dim)),
        ("created", local_time(&info.created_at)),
        ("label sets", label_sets),
    ];
    let mut graphs = info.graphs.iter().flat_map(graph_lines).peekable();
    if graphs.peek().is_none() {
        rows.push(("graph", "none".to_owned()));
    }
    rows.extend(graphs.enumerate().map(|(n, line)| (if n == 0 { "graph" } else { "" }, line)));
    print(&rows)
}

/// A graph in words: a line, and one for each kind of query.
pub(crate) fn graph_lines(graph: &Graph) -> Vec<String> {
    let method = match graph.method {
        Method::Hnsw => "HNSW",
        Method::Lists => "inverted lists",
    };
    let head = format!("{method}, {} segments, built in {:.0} s", graph.segments, graph.build_s);
    let in_words = |kind: &str, figures: &GraphFigures| {
        let GraphFigures { recall_at_10, ms, scan_ms, used, .. } = figures;
        let choice = if *used { "used" } else { "not used" };
        format!(
            "{kind}: recall@10 {recall_at_10:.3} in {ms:.2} ms, {choice} (comparing all: 1.000 in {scan_ms:.2} ms)"
        )
    };
    let kinds = [("texts", &graph.text), ("sounds", &graph.sound)];
    let kinds = kinds.into_iter().filter_map(|(name, figures)| Some(in_words(name, figures.as_ref()?)));
    std::iter::once(head).chain(kinds).collect()
}

/// The space, and how many others there are.
fn space_and_others(info: &Info) -> String {
    let others: Vec<&str> = info.spaces.iter().filter(|s| **s != info.space).map(String::as_str).collect();
    if others.is_empty() {
        info.space.clone()
    } else {
        format!("{} (also: {})", info.space, others.join(", "))
    }
}

fn file_info(global: &Global, file: &Path, json: bool) -> Result<()> {
    // Headers may lie about the length, so the file is decoded to its end.
    let mut reader = AudioReader::open(file, &context::settings(global).read_options()?)?;
    let mut block = Vec::new();
    while reader.read_block(&mut block)? {}
    let audio = reader.info();
    let duration_s = reader.frames_read() as f64 / f64::from(audio.sample_rate);
    let info = FileInfo {
        version: Version,
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
        Some(i) => format!("{} as clip {}, {} segments", local_time(&i.indexed_at), i.clip_id, i.segments),
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
        clip_id: id.to_string(),
        segments: segments as usize,
        tags: meta.tags,
        indexed_at: moment(meta.indexed_unix_s),
    })
}

fn print(rows: &[(&str, String)]) -> Result<()> {
    let cells: Vec<Vec<String>> = rows.iter().map(|(k, v)| vec![(*k).to_owned(), v.clone()]).collect();
    let mut out = output::stdout();
    output::table(&mut out, &[], &cells)?;
    Ok(out.flush()?)
}
