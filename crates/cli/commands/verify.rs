//! `earmark verify` and `earmark rebuild`

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::args::{Global, VerifyArgs};
use crate::output::note;
use crate::{context, output};

#[derive(Serialize)]
struct Report {
    clean: bool,
    clips: usize,
    segments: usize,
    searched: usize,
    found: usize,
    graph_searched: usize,
    graph_found: usize,
    problems: Vec<String>,
    missing_files: Vec<String>,
}

pub(crate) fn run(global: &Global, args: &VerifyArgs) -> Result<ExitCode> {
    let index = context::open_index(global)?;
    let audit = index.audit()?;
    context::tell_events(&index, global);
    let mut missing_files = Vec::new();
    if args.files {
        for clip in index.clips()? {
            let path = clip?.meta.path;
            if !Path::new(&path).exists() {
                missing_files.push(path);
            }
        }
    }
    let report = Report {
        clean: audit.is_clean() && missing_files.is_empty(),
        clips: audit.clips,
        segments: audit.segments,
        searched: audit.exact_searched,
        found: audit.exact_found,
        graph_searched: audit.graph_searched,
        graph_found: audit.graph_found,
        problems: audit.problems,
        missing_files,
    };
    let code = if report.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if args.json {
        output::json(&report)?;
        return Ok(code);
    }
    let mut out = output::stdout();
    writeln!(
        out,
        "{} clips, {} segments; {} of the {} searched for find themselves",
        report.clips, report.segments, report.found, report.searched
    )?;
    if report.graph_searched > 0 {
        writeln!(
            out,
            "graph: {} of {} found by their own vector",
            report.graph_found, report.graph_searched
        )?;
    }
    for problem in &report.problems {
        writeln!(out, "problem: {problem}")?;
    }
    for path in &report.missing_files {
        writeln!(out, "missing: {}", output::short(path))?;
    }
    if !report.missing_files.is_empty() {
        writeln!(out, "`earmark index --prune FOLDER` removes clips whose files are gone")?;
    }
    writeln!(out, "{}", if report.clean { "clean" } else { "not clean" })?;
    out.flush()?;
    Ok(code)
}

pub(crate) fn rebuild(global: &Global) -> Result<ExitCode> {
    let index = context::open_index_to_change(global)?;
    let report = index.rebuild()?;
    context::tell_events(&index, global);
    if !global.quiet {
        note!(
            "rebuilt for {} segments in {:.1} s{}; {} dead rows dropped",
            report.rows,
            report.seconds,
            if report.graph { ", with a graph" } else { " (too few for a graph to pay)" },
            report.dropped_dead
        );
    }
    Ok(ExitCode::SUCCESS)
}
