//! `earmark list`

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use earmark_library::{Clip, Failure, Filter, ListRequest};

use crate::args::Global;
use crate::ask::{Answerer, ServerArgs};
use crate::context;
use crate::format::{FileFormatArgs, Row, emit};
use crate::output::{self, note};
use crate::units::{clock, local_time};

/// List the clips in the index
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// List files that could not be indexed instead, with the reasons
    #[arg(long)]
    failed: bool,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    format: FileFormatArgs,
}

impl Row for Clip {
    const COLUMNS: &'static [&'static str] =
        &["clip_id", "path", "duration_s", "format", "sample_rate", "channels", "size", "tags", "indexed_at"];

    fn records(&self, _: usize) -> Vec<Vec<String>> {
        vec![vec![
            self.id.clone(),
            self.path.clone(),
            format!("{:.3}", self.duration_s),
            self.format.clone(),
            self.sample_rate.to_string(),
            self.channels.to_string(),
            self.size.to_string(),
            self.tags.join(";"),
            self.indexed_at.clone(),
        ]]
    }

    fn path(&self) -> Option<&str> {
        Some(&self.path)
    }
}

impl Row for Failure {
    const COLUMNS: &'static [&'static str] = &["path", "kind", "reason", "seen_at"];

    fn records(&self, _: usize) -> Vec<Vec<String>> {
        let seen_at = self.seen_at.clone().unwrap_or_default();
        vec![vec![self.path.clone(), self.kind.clone(), self.reason.clone(), seen_at]]
    }

    fn path(&self) -> Option<&str> {
        Some(&self.path)
    }
}

pub(crate) fn run(global: &Global, args: ListArgs) -> Result<ExitCode> {
    let format = args.format.format();
    let answerer = Answerer::new(global, &args.server, context::place(global)?)?;
    if args.failed {
        let page = answerer.failures()?;
        emit(format, &page, &page.items, |out| print_failures(out, &page.items))?;
        return Ok(ExitCode::SUCCESS);
    }
    let page =
        answerer.list(&ListRequest { filter: context::filter(args.filter), ..ListRequest::default() })?;
    emit(format, &page, &page.items, |out| print(out, &page.items))?;
    if page.items.is_empty() && !global.quiet {
        note!("none of the {} clips in the index to list", answerer.info()?.clips);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut dyn Write, clips: &[Clip]) -> Result<()> {
    let cells = |clip: &Clip| {
        vec![
            clock(clip.duration_s),
            match &clip.decoder {
                Some(decoder) => format!("{} ({decoder})", clip.format),
                None => clip.format.clone(),
            },
            local_time(&clip.indexed_at),
            output::short(&clip.path),
            clip.tags.join(", "),
        ]
    };
    Ok(output::table(out, &[true], &clips.iter().map(cells).collect::<Vec<_>>())?)
}

fn print_failures(out: &mut dyn Write, failures: &[Failure]) -> Result<()> {
    for failure in failures {
        let reason = output::reason(&failure.path, &failure.reason);
        writeln!(out, "{}: {reason}", output::short(&failure.path))?;
    }
    Ok(())
}
