//! `earmark verify` and `earmark rebuild`

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use earmark_index::Index;
use serde::Serialize;

use crate::args::{Global, VerifyArgs};
use crate::output::note;
use crate::{context, open, output};

#[derive(Serialize)]
struct Report {
    space: String,
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
    let indexes = if args.all { open::open_all(global)? } else { vec![open::open_one(global)?] };
    let mut reports = Vec::new();
    for (space, index) in indexes {
        reports.push(report(global, space.name, &index, args.files)?);
    }
    match (args.json, args.all) {
        (true, true) => output::json(&reports)?,
        (true, false) => reports.iter().try_for_each(output::json)?,
        (false, _) => reports.iter().try_for_each(|report| print(report, args.all))?,
    }
    Ok(if reports.iter().all(|report| report.clean) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(global: &Global, space: String, index: &Index, files: bool) -> Result<Report> {
    let audit = index.audit()?;
    context::tell_events(index, global);
    let mut missing_files = Vec::new();
    if files {
        for clip in index.clips()? {
            let path = clip?.meta.path;
            if !Path::new(&path).exists() {
                missing_files.push(path);
            }
        }
    }
    Ok(Report {
        space,
        clean: audit.is_clean() && missing_files.is_empty(),
        clips: audit.clips,
        segments: audit.segments,
        searched: audit.exact_searched,
        found: audit.exact_found,
        graph_searched: audit.graph_searched,
        graph_found: audit.graph_found,
        problems: audit.problems,
        missing_files,
    })
}

fn print(report: &Report, name_it: bool) -> Result<()> {
    let mut out = output::stdout();
    if name_it {
        writeln!(out, "space {}", report.space)?;
    }
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
    Ok(out.flush()?)
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
