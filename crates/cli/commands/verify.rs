//! `earmark verify` and `earmark rebuild`

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use earmark_index::{
    Error, Filter, IndexEvent, IndexReader, OpenOptions, Snapshot, Space, Writer, file_path,
};
use earmark_library::{Graph, Location, Place, Reader};
use serde::Serialize;

use super::info::graph_lines;
use crate::args::{Global, WaitArgs};
use crate::output::note;
use crate::{context, output};

/// Check the index, and that a search for each segment's vector finds it
///
/// In an index of more than 40 000 segments, only a sample is searched for; the report says how many.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Check every space, not only the current one
    #[arg(long)]
    pub(crate) all: bool,
    /// Also check that every clip's file is still there
    #[arg(long)]
    pub(crate) files: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Rebuild the files that searches read from the index's store
///
/// Also clears the message about lost batches, once `earmark index` has restored them.
#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    /// Build an HNSW graph instead, for large indexes; takes minutes for 100 000 segments. Searches use it if
    /// it finds at least 99 % of the ten best. Ctrl-C keeps what was built; run the same command again to
    /// continue
    #[arg(long)]
    pub(crate) graph: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Serialize)]
struct Report {
    space: String,
    clean: bool,
    clips: usize,
    segments: usize,
    searched: usize,
    found: usize,
    /// Why the store was not checked, where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_unchecked: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    graphs: Vec<Graph>,
    problems: Vec<String>,
    /// Commands that mend what can be mended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remedies: Vec<&'static str>,
    missing_files: Vec<String>,
}

pub(crate) fn run(global: &Global, args: &VerifyArgs) -> Result<ExitCode> {
    let place = context::place(global)?;
    let mut reports = match &place.location {
        Location::Folder(_) => {
            let collection = context::collection(global)?;
            let _hold = collection.hold()?;
            let spaces = if args.all { collection.spaces()? } else { vec![place.choose(&collection)?.0] };
            spaces.iter().map(|space| report(global, space, args.files)).collect::<Result<Vec<_>>>()?
        }
        Location::Database(_) => of_database(&place, args)?,
    };
    // Label sets belong to no space; their problems are reported with the first one.
    if let Err(e) = context::label_sets(global)?.all()
        && let Some(report) = reports.first_mut()
    {
        report.clean = false;
        report.problems.push(e.to_string());
    }
    match (args.json, args.all) {
        (true, true) => output::json(&reports)?,
        (true, false) => reports.iter().try_for_each(output::json)?,
        (false, _) => reports.iter().try_for_each(|report| print(report, args.all))?,
    }
    Ok(if reports.iter().all(|report| report.clean) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn of_database(place: &Place, args: &VerifyArgs) -> Result<Vec<Report>> {
    let options = OpenOptions::default();
    let opened = if args.all { place.open_all(&options)? } else { vec![place.open_index(&options)?] };
    let mut reports = Vec::new();
    for (space, reader) in opened {
        let Reader::Database(index) = &reader else { continue };
        let audit = index.audit()?;
        let missing_files = if args.files { missing_files(index)? } else { Vec::new() };
        let mut remedies = Vec::new();
        if !audit.is_clean() {
            remedies.push("`earmark index --force FOLDER` embeds the sounds again");
        }
        if !missing_files.is_empty() {
            remedies.push(PRUNE);
        }
        reports.push(Report {
            space,
            clean: audit.is_clean() && missing_files.is_empty(),
            clips: audit.clips,
            segments: audit.segments,
            searched: audit.searched,
            found: audit.found,
            store_unchecked: None,
            graphs: audit.graphs.iter().map(|(rows, figures)| Graph::new(*rows, figures)).collect(),
            problems: audit.problems,
            remedies,
            missing_files,
        });
    }
    Ok(reports)
}

const PRUNE: &str = "`earmark index --prune FOLDER` removes clips whose files are gone";

/// The stored paths of clips whose files are not there.
fn missing_files(index: &dyn IndexReader) -> Result<Vec<String>> {
    let paths = index.clips(&Filter::default())?.into_iter().map(|clip| clip.meta.path);
    Ok(paths.filter(|path| !file_path(path).exists()).collect())
}

/// What was wrong and may be mended already is a problem all the same.
fn is_damage(event: &IndexEvent) -> bool {
    matches!(
        event,
        IndexEvent::BatchesRestored { .. }
            | IndexEvent::StoreMended { .. }
            | IndexEvent::PublishedAnew { .. }
            | IndexEvent::NotPublished { .. }
    )
}

fn report(global: &Global, space: &Space, files: bool) -> Result<Report> {
    let opts = OpenOptions { lock_wait: std::time::Duration::ZERO, ..OpenOptions::default() };
    let mut problems = Vec::new();
    // Before anything mends it; what is mapped stays as it is meanwhile.
    let before = match Snapshot::load_published(&space.path) {
        Ok(snapshot) => Some(snapshot),
        Err(Error::Unpublished { .. }) => None,
        Err(e) => {
            problems.push(e.to_string());
            None
        }
    };
    let mut events = Vec::new();
    let mut store_unchecked = None;
    let (before, stored) = std::thread::scope(|scope| {
        let audit = before.map(|snapshot| scope.spawn(|| snapshot.audit().map(|audit| (snapshot, audit))));
        let stored = match Writer::open(&space.path, None, &opts) {
            Ok(writer) => writer.audit().map(|audit| {
                events.extend(writer.take_events());
                audit.problems
            }),
            Err(e @ Error::Corrupt { .. }) => Ok(vec![e.to_string()]),
            Err(e) => {
                store_unchecked = Some(e.to_string());
                Ok(Vec::new())
            }
        };
        (audit.map(|audit| audit.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))), stored)
    });
    let before = before.transpose()?;
    if let Some((_, audit)) = &before {
        problems.extend(audit.problems.iter().cloned());
    }
    problems.extend(stored?);
    let snapshot = Snapshot::open(&space.path, None, &opts)?;
    events.extend(snapshot.take_events());
    let (damage, others): (Vec<_>, Vec<_>) = events.into_iter().partition(is_damage);
    problems.extend(damage.iter().map(ToString::to_string));
    context::tell_events(others, global);
    let audit = match before {
        Some((before, audit)) if before.is_same_state(&snapshot) => audit,
        _ => snapshot.audit()?,
    };
    let is_whole = audit.found == audit.searched;
    for problem in audit.problems {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    let missing_files = if files { missing_files(&snapshot)? } else { Vec::new() };
    let lost = snapshot.stats()?.lost > 0;
    let mut remedies = Vec::new();
    if lost {
        remedies.push("`earmark index` of the same folders puts lost clips back, then `earmark rebuild`");
    } else if !(is_whole && problems.is_empty()) {
        remedies.push("`earmark rebuild` makes what searches read again from the index's store");
    }
    if !missing_files.is_empty() {
        remedies.push(PRUNE);
    }
    Ok(Report {
        space: space.name.clone(),
        clean: is_whole && problems.is_empty() && missing_files.is_empty(),
        clips: audit.clips,
        segments: audit.segments,
        searched: audit.searched,
        found: audit.found,
        store_unchecked,
        graphs: audit.graphs.iter().map(|(rows, figures)| Graph::new(*rows, figures)).collect(),
        problems,
        remedies,
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
    if let Some(reason) = &report.store_unchecked {
        writeln!(out, "only what readers see was checked: {reason}")?;
    }
    for line in report.graphs.iter().flat_map(graph_lines) {
        writeln!(out, "graph: {line}")?;
    }
    for problem in &report.problems {
        writeln!(out, "problem: {problem}")?;
    }
    for path in &report.missing_files {
        writeln!(out, "missing: {}", output::short(path))?;
    }
    for remedy in &report.remedies {
        writeln!(out, "{remedy}")?;
    }
    writeln!(out, "{}", if report.clean { "clean" } else { "not clean" })?;
    Ok(out.flush()?)
}

pub(crate) fn rebuild(global: &Global, args: &RebuildArgs) -> Result<ExitCode> {
    if args.graph {
        return super::graph::rebuild_graph(global, args);
    }
    let index = context::open_index_to_change(global, &args.wait)?;
    let report = index.local("`rebuild`")?.rebuild()?;
    context::tell_events(index.take_events(), global);
    if !global.quiet {
        note!(
            "rebuilt for {} segments in {:.1} s; {} dead rows dropped",
            report.rows,
            report.seconds,
            report.dropped_dead
        );
    }
    context::tidy(index);
    Ok(ExitCode::SUCCESS)
}
