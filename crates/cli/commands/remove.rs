//! `earmark remove`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use earmark_engine::absolute_path;
use earmark_index::{Change, Clip};

use crate::args::{Global, RemoveArgs};
use crate::output::note;
use crate::{context, output};

pub(crate) fn run(global: &Global, args: RemoveArgs) -> Result<ExitCode> {
    let index = context::open_index_to_change(global)?;
    let roots = args.paths.iter().map(|p| absolute_path(p)).collect::<Result<Vec<PathBuf>, _>>()?;
    let mut clips = index.clips_matching(&context::filter(&args.filter))?;
    if !roots.is_empty() {
        let under = |clip: &Clip, root: &Path| Path::new(&clip.meta.path).starts_with(root);
        if let Some(unknown) = roots.iter().find(|root| !clips.iter().any(|c| under(c, root))) {
            bail!("{}: no such clip in the index; `earmark list` shows what is there", unknown.display());
        }
        clips.retain(|clip| roots.iter().any(|root| under(clip, root)));
    }
    let count = clips.len();
    if args.dry_run {
        let mut out = output::stdout();
        for clip in &clips {
            writeln!(out, "{}", output::short(&clip.meta.path))?;
        }
        out.flush()?;
    } else {
        index.apply(clips.into_iter().map(|c| Change::Remove(c.id)).collect())?;
    }
    if !global.quiet {
        let done = if args.dry_run { "would be removed" } else { "removed from the index; the files stay" };
        note!("{count} {} {done}", if count == 1 { "clip" } else { "clips" });
    }
    context::tell_events(&index, global);
    Ok(ExitCode::SUCCESS)
}
