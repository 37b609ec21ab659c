//! `earmark index`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use earmark_engine::ingest::{
    IngestEvent, IngestOptions, IngestReport, Preview, Prune, PruneRefused, ingest, preview,
};
use earmark_engine::{WalkOptions, Walked, walk};
use earmark_library::{Chosen, Writer, index_shared, parse_tag};

use crate::args::{Global, WaitArgs};
use crate::output::note;
use crate::progress::{Progress, list_failures, stop_on_ctrl_c};
use crate::units::amount;
use crate::units::sound_path;
use crate::{EXIT_INTERRUPTED, EXIT_SOME_FAILED, context, output};

/// Add sound files to the index
///
/// Files whose size and modification time have not changed are skipped. Moved and renamed files are
/// recognised by their content. Ctrl-C finishes the current batch; run the same command again to continue.
/// Files that cannot be read are listed at the end and not tried again until they change.
///
/// A file named `.earmarkignore` lists what to skip in its folder, in the syntax of .gitignore. Clips that
/// are now excluded, by such a file or by --exclude, are removed from the index. A removed clip gets its tags
/// back if the same sound is indexed again within a year.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark index ~/Sounds
  earmark index ~/Sounds --prune --dry-run
  earmark index ~/Recordings --tag field --exclude \"*.tmp.wav\"

In names that are not UTF-8, each invalid byte is shown as \\xNN and can be typed that way.")]
pub(crate) struct IndexArgs {
    /// Sound files and folders
    #[arg(required = true, value_name = "PATH", value_parser = sound_path())]
    pub(crate) paths: Vec<PathBuf>,
    /// Remove clips under these paths whose files no longer exist. Refuses if a path is missing or a folder
    /// of clips is empty, which may mean that a drive is not mounted, or if more than a quarter of a path's
    /// clips would be removed; --prune=all removes them anyway
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true,
        default_missing_value = "careful")]
    pub(crate) prune: Option<PruneHow>,
    /// List what would be added, changed or removed, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Index every file again, changed or not
    #[arg(long)]
    pub(crate) force: bool,
    /// Try again files that failed before
    #[arg(long)]
    pub(crate) retry_failed: bool,
    /// Add a tag to the clips (repeatable)
    #[arg(long = "tag", value_name = "TAG", value_parser = parse_tag)]
    pub(crate) tags: Vec<String>,
    /// Skip paths that match (repeatable)
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Include hidden files and folders
    #[arg(long)]
    pub(crate) hidden: bool,
    /// Try every file in a folder, whatever its extension
    #[arg(long)]
    pub(crate) all_files: bool,
    /// Print a JSON summary on standard output
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// How to prune.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PruneHow {
    /// Refuse if files may only be temporarily unavailable
    Careful,
    /// Remove every clip whose file no longer exists
    All,
}

impl IndexArgs {
    /// What to do with clips whose files no longer exist.
    pub(crate) fn prune(&self) -> Prune {
        match self.prune {
            None => Prune::Never,
            Some(PruneHow::Careful) => Prune::Careful,
            Some(PruneHow::All) => Prune::All,
        }
    }
}

pub(crate) fn run(global: &Global, args: IndexArgs) -> Result<ExitCode> {
    let location = context::location(global)?;
    let prune = args.prune();
    let walk_options = WalkOptions {
        any_extension: args.all_files,
        hidden: args.hidden,
        exclude: args.exclude,
        missing_ok: prune != Prune::Never,
        ..WalkOptions::default()
    };
    // First of all, so that a typing error does not leave an empty index.
    let walked = walk(&args.paths, &walk_options)?;
    let options = IngestOptions {
        prune,
        force: args.force,
        retry_failed: args.retry_failed,
        tags: args.tags,
        ..Default::default()
    };
    if args.dry_run {
        return dry_run(global, &walked, &options, args.json);
    }
    let chosen = context::choose_or_make(&context::place(global)?, global)?;
    let index = context::waiting(&args.wait, |options| chosen.open_writer(options))?;
    context::tell_events(index.take_events(), global);
    let Chosen { model, .. } = chosen;
    let engine = context::engine(global, model)?;
    let stop = stop_on_ctrl_c()?;
    let mut progress = Progress::new(global.quiet);
    let report = match &index {
        Writer::Local(local) => {
            ingest(&engine, &**local, walked, &options, &stop, |event| progress.tell(event))?
        }
        Writer::Database(shared) => {
            let mut is_told = global.quiet;
            let mut observe = |event: IngestEvent<'_>| progress.tell(event);
            index_shared(&engine, shared, &walked, &options, &stop, &mut observe, &mut |files| {
                if !std::mem::replace(&mut is_told, true) {
                    note!("waiting for {files} files that other workers have; `earmark jobs` shows them");
                }
            })?
        }
    };
    progress.finish();
    context::tell_events(index.take_events(), global);
    if args.json {
        output::json(&report)?;
    }
    if !global.quiet && !args.json {
        summarise(&report);
        note!("index: {location}");
    }
    // Failures are errors, which even --quiet shows.
    list_failures(&report.failed);
    tell_refused(&report.prune_refused);
    context::tidy(index);
    Ok(if report.interrupted {
        note!("interrupted; what was finished is in the index, and the same command goes on from here");
        ExitCode::from(EXIT_INTERRUPTED)
    } else if !report.prune_refused.is_empty() {
        ExitCode::FAILURE
    } else if report.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_SOME_FAILED)
    })
}

/// Lists what a run would do, one path a line.
fn dry_run(global: &Global, walked: &Walked, options: &IngestOptions, json: bool) -> Result<ExitCode> {
    let index = context::open_index_if_any(global)?;
    let stop = stop_on_ctrl_c()?;
    let index = index.as_deref();
    let has_ffmpeg = context::settings(global).read_options()?.ffmpeg.is_some();
    let found = preview(index, walked, options, has_ffmpeg, &stop)?;
    if json {
        output::json(&found)?;
    } else {
        let mut out = output::stdout();
        for (what, paths) in lists(&found) {
            for path in paths {
                writeln!(out, "{what:<9} {}", output::short(path))?;
            }
        }
        for moved in &found.moved {
            writeln!(out, "{:<9} {} -> {}", "move", output::short(&moved.from), output::short(&moved.to))?;
        }
        out.flush()?;
        if !global.quiet {
            note!("{}", would_be(&found));
        }
    }
    list_failures(&found.failed);
    tell_refused(&found.prune_refused);
    Ok(if found.interrupted {
        ExitCode::from(EXIT_INTERRUPTED)
    } else if !found.prune_refused.is_empty() {
        ExitCode::FAILURE
    } else if found.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_SOME_FAILED)
    })
}

fn lists(found: &Preview) -> [(&'static str, &[String]); 6] {
    [
        ("add", &found.added),
        ("update", &found.updated),
        ("copy", &found.copied),
        ("tag", &found.retagged),
        ("prune", &found.pruned),
        ("exclude", &found.excluded),
    ]
}

fn would_be(found: &Preview) -> String {
    let counts = [
        (found.added.len(), "added"),
        (found.updated.len(), "updated"),
        (found.moved.len(), "moved"),
        (found.copied.len(), "copied"),
        (found.retagged.len(), "given new tags"),
        (found.pruned.len(), "removed, since their files are gone"),
        (found.excluded.len(), "removed, since they are excluded"),
    ];
    let parts: Vec<String> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    match parts.is_empty() {
        true => format!("nothing would change; {} clips are unchanged", found.unchanged),
        false => format!("would be: {}; nothing was done", parts.join(", ")),
    }
}

/// Says why nothing was removed. An error, which even --quiet shows.
fn tell_refused(refused: &[PruneRefused]) {
    for refused in refused {
        note!("error: {refused}; if the files are gone for good, --prune=all removes their clips");
    }
}

fn summarise(report: &IngestReport) {
    let mut parts = Vec::new();
    let counts = [
        (report.added, "added"),
        (report.updated, "updated"),
        (report.moved, "moved"),
        (report.copied, "copied"),
        (report.pruned, "pruned"),
        (report.excluded, "removed, since they are excluded"),
        (report.unchanged, "unchanged"),
        (report.retagged, "given new tags"),
        (report.elsewhere, "by other workers"),
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
        output::remarks(path, &remarks.sentences());
    }
    if report.known_bad > 0 {
        note!("`earmark list --failed` says what is bad; --retry-failed tries again");
    }
}
