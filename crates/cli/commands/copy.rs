//! `earmark copy`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use earmark_engine::copy::{CopyReport, copy};
use earmark_index::OpenOptions;
use earmark_library::Place;
use indicatif::ProgressBar;

use crate::args::Global;
use crate::output::note;
use crate::progress::stop_on_ctrl_c;
use crate::units::LocationText;
use crate::{EXIT_INTERRUPTED, context, output};

/// Copy an index into another: from a folder into a database, back, or between two of a kind
///
/// Copies every space, or that of --model. What is there already and the same is passed over, so that a copy that was
/// interrupted goes on from there; clips that only the target has stay. At the end all clips are read back and
/// compared, each vector bit for bit.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark copy ~/sounds.earmark postgres://ann@db.example/sounds
  earmark copy postgres://ann@db.example/sounds ~/backup.earmark")]
pub(crate) struct CopyArgs {
    /// Index to read: a folder or the address of a database
    #[arg(value_name = "FROM", value_hint = clap::ValueHint::AnyPath, value_parser = LocationText::parser())]
    pub(crate) from: LocationText,
    /// Index to write, made if it is not there
    #[arg(value_name = "TO", value_hint = clap::ValueHint::AnyPath, value_parser = LocationText::parser())]
    pub(crate) to: LocationText,
    /// Print one JSON document for each space
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(global: &Global, args: &CopyArgs) -> Result<ExitCode> {
    let options = OpenOptions::default();
    let from = Place { location: args.from.read("FROM")?, model: global.model.clone() };
    let to = Place::at(args.to.read("TO")?);
    let stop = stop_on_ctrl_c()?;
    let mut is_clean = true;
    for (space, index) in from.open_all(&options)? {
        let writer = to.make(&index.header().identity, &options)?;
        let bar = if global.quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let report = copy(&*index, &*writer, &stop, &mut |done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        let report = report?;
        context::tell_events(writer.take_events(), global);
        if args.json {
            output::json(&report)?;
        } else if !global.quiet {
            note!("space `{space}`: {}", in_words(&report));
        }
        for problem in &report.problems {
            note!("error: {problem}");
        }
        is_clean &= report.problems.is_empty();
        if report.interrupted {
            note!("interrupted; what was copied is safe, and the same command goes on from here");
            return Ok(ExitCode::from(EXIT_INTERRUPTED));
        }
    }
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn in_words(report: &CopyReport) -> String {
    let CopyReport { copied, unchanged, segments, verified, .. } = report;
    format!(
        "{copied} clips copied ({segments} segments), {unchanged} were there already; {verified} compared, the same"
    )
}
