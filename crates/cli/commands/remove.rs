//! `earmark remove`

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use earmark_engine::absolute_path;
use earmark_index::{Change, stored_path};
use earmark_library::Filter;

use crate::args::{Global, WaitArgs};
use crate::output::note;
use crate::units::sound_path;
use crate::{context, output};

/// Remove clips from the index (never touches the files)
///
/// Removes them from every space, unless --model names one. Tags are kept for a year: a clip gets them back
/// if the same sound is indexed again.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Files, or folders with everything in them
    #[arg(value_name = "PATH", value_parser = sound_path(), required_unless_present_any = [
        "path", "tags", "formats", "min_duration_s", "max_duration_s", "indexed_since",
    ])]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// List what would be removed, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Clips in a batch: sled holds every page that a batch touches in memory, several times over.
const BATCH_CLIPS: usize = 250;

pub(crate) fn run(global: &Global, args: RemoveArgs) -> Result<ExitCode> {
    let indexes = context::open_all_to_change(global, &args.wait)?;
    let roots = args.paths.iter().map(|path| Ok(stored_path(&absolute_path(path)?)));
    let roots = roots.collect::<Result<Vec<String>>>()?;
    let filter = context::filter(args.filter).check()?;
    let mut clips = BTreeSet::new();
    for index in &indexes {
        clips.extend(index.snapshot()?.clips(&filter)?.into_iter().map(|clip| clip.meta.path));
    }
    if !roots.is_empty() {
        let under = |clip: &str, root: &str| Path::new(clip).starts_with(root);
        if let Some(unknown) = roots.iter().find(|root| !clips.iter().any(|c| under(c, root))) {
            bail!(
                "{}: no such clip in the index; `earmark list` shows what is there",
                output::short(unknown)
            );
        }
        clips.retain(|clip| roots.iter().any(|root| under(clip, root)));
    }
    let count = clips.len();
    if args.dry_run {
        let mut out = output::stdout();
        for clip in &clips {
            writeln!(out, "{}", output::short(clip))?;
        }
        out.flush()?;
    } else {
        for index in &indexes {
            let paths: Vec<&String> = clips.iter().collect();
            for some in paths.chunks(BATCH_CLIPS) {
                index.apply(some.iter().map(|path| Change::RemoveAt((*path).clone())).collect())?;
            }
        }
    }
    if !global.quiet {
        let done = if args.dry_run { "would be removed" } else { "removed from the index; the files stay" };
        note!("{count} {} {done}", if count == 1 { "clip" } else { "clips" });
    }
    for index in indexes {
        context::tell_events(index.take_events(), global);
        if !args.dry_run {
            context::tidy(index);
        }
    }
    Ok(ExitCode::SUCCESS)
}
