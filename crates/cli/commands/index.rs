//! `earmark index`

use std::process::ExitCode;

use anyhow::Result;
use earmark_engine::ingest::{IngestOptions, IngestReport, ingest};
use earmark_engine::{WalkOptions, walk};

use crate::args::{Global, IndexArgs};
use crate::output::note;
use crate::progress::{Progress, list_failures, stop_on_ctrl_c};
use crate::units::amount;
use crate::{EXIT_INTERRUPTED, EXIT_SOME_FAILED, context, output};

pub(crate) fn run(global: &Global, args: IndexArgs) -> Result<ExitCode> {
    let dir = context::db_dir(global)?;
    let walk_options = WalkOptions {
        any_extension: args.all_files,
        hidden: args.hidden,
        exclude: args.exclude,
        missing_ok: args.prune,
        within: None,
    };
    // First of all, so that a typing error does not leave an empty index.
    let walked = walk(&args.paths, &walk_options)?;
    let (index, model) = context::create_index_and_model(global, &args.wait)?;
    let engine = context::engine(global, model)?;
    let options = IngestOptions {
        prune: args.prune,
        force: args.force,
        retry_failed: args.retry_failed,
        tags: args.tags,
    };
    let stop = stop_on_ctrl_c()?;
    let mut progress = Progress::new(global.quiet);
    let report = ingest(&engine, &index, walked, &options, &stop, |event| progress.tell(event))?;
    progress.finish();
    context::tell_events(index.take_events(), global);
    if args.json {
        output::json(&report)?;
    }
    if !global.quiet && !args.json {
        summarise(&report);
        note!("index: {}", dir.display());
    }
    // Failures are errors, which even --quiet shows.
    list_failures(&report.failed);
    context::tidy(index);
    Ok(if report.interrupted {
        note!("interrupted; what was finished is in the index, and the same command goes on from here");
        ExitCode::from(EXIT_INTERRUPTED)
    } else if report.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_SOME_FAILED)
    })
}

fn summarise(report: &IngestReport) {
    let mut parts = Vec::new();
    let counts = [
        (report.added, "added"),
        (report.updated, "updated"),
        (report.moved, "moved"),
        (report.copied, "copied"),
        (report.pruned, "pruned"),
        (report.unchanged, "unchanged"),
        (report.retagged, "given new tags"),
        (report.failed.len(), "failed"),
        (report.known_bad, "known to be bad"),
    ];
    parts.extend(counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    if parts.is_empty() {
        parts.push("no sound files found".to_owned());
    }
    let mut line = parts.join(", ");
    if report.audio_s > 0.0 {
        let rate = report.audio_s / report.seconds.max(1e-9);
        line += &format!(
            "; {} of audio in {} ({rate:.0} x real time)",
            amount(report.audio_s),
            amount(report.seconds)
        );
    }
    if report.other_files > 0 {
        line += &format!("; {} passed over, not named like sound files", report.other_files);
    }
    note!("{line}");
    for (path, remarks) in &report.remarks {
        output::remarks(path, remarks);
    }
    if report.known_bad > 0 {
        note!("`earmark list --failed` says what is bad; --retry-failed tries again");
    }
}
