//! `earmark jobs`

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use earmark_library::{Reader, Version, moment};
use earmark_postgres::{Progress, Queue, WorkerInfo};
use serde::Serialize;

use crate::args::Global;
use crate::output::note;
use crate::units::amount;
use crate::{context, output};

/// Show how far the workers are that index into a database
///
/// `earmark index DIR --db postgres://…` on any number of machines shares the files in a queue. A worker that is
/// killed gives its files back after a minute.
#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    /// Empty the queue, but for files that a worker has
    #[arg(long)]
    pub(crate) clear: bool,
    /// Print one JSON document
    #[arg(long, conflicts_with = "clear")]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Answer {
    version: Version,
    /// Files that nobody has taken.
    waiting: u64,
    /// Files that a worker has.
    taken: u64,
    /// Files whose worker was not heard of for too long: they are free again.
    expired: u64,
    workers: Vec<Worker>,
}

#[derive(Serialize)]
struct Worker {
    host: String,
    process: i64,
    started_at: String,
    /// Seconds since it was last heard of.
    silent_s: f64,
    /// Files that it has done.
    files: i64,
    /// Of these, files that could not be indexed.
    failed: i64,
    /// Audio that it encoded, seconds.
    audio_s: f64,
    /// Files that it has taken.
    taken: i64,
}

pub(crate) fn run(global: &Global, args: &JobsArgs) -> Result<ExitCode> {
    let place = context::place(global)?;
    place.location.database()?;
    let queue = match place.open_index(&earmark_index::OpenOptions::default())?.1 {
        Reader::Database(index) => Queue::of(&index),
        Reader::Local(_) => return Ok(ExitCode::SUCCESS),
    };
    if args.clear {
        let files = queue.clear()?;
        if !global.quiet {
            note!("{files} files taken out of the queue; nothing in the index has changed");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let progress = queue.progress()?;
    if args.json {
        output::json(&answer(progress))?;
    } else {
        print(&progress)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(progress: Progress) -> Answer {
    let worker = |worker: WorkerInfo| Worker {
        host: worker.host,
        process: worker.process,
        started_at: moment(worker.started_unix_s),
        silent_s: worker.silent_s,
        files: worker.files,
        failed: worker.failed,
        audio_s: worker.audio_s,
        taken: worker.taken,
    };
    Answer {
        version: Version,
        waiting: progress.waiting,
        taken: progress.taken,
        expired: progress.expired,
        workers: progress.workers.into_iter().map(worker).collect(),
    }
}

fn print(progress: &Progress) -> Result<()> {
    let mut out = output::stdout();
    let Progress { waiting, taken, expired, .. } = progress;
    writeln!(
        out,
        "{waiting} files wait, {taken} are being indexed, {expired} are free again after their worker was lost"
    )?;
    if !progress.workers.is_empty() {
        let header =
            ["worker", "files", "failed", "audio", "has", "last heard of"].map(str::to_owned).to_vec();
        let row = |worker: &WorkerInfo| {
            vec![
                format!("{}, process {}", worker.host, worker.process),
                worker.files.to_string(),
                worker.failed.to_string(),
                amount(worker.audio_s),
                worker.taken.to_string(),
                format!("{} ago", amount(worker.silent_s)),
            ]
        };
        let rows: Vec<Vec<String>> =
            std::iter::once(header).chain(progress.workers.iter().map(row)).collect();
        output::table(&mut out, &[false, true, true, true, true, true], &rows)?;
    }
    Ok(out.flush()?)
}
