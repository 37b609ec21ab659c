//! `earmark export` and `earmark import`

use std::process::ExitCode;

use anyhow::Result;
use earmark_engine::transfer;
use earmark_index::OpenOptions;

use crate::args::{ExportArgs, Global, ImportArgs};
use crate::context;
use crate::output::note;

pub(crate) fn export(global: &Global, args: ExportArgs) -> Result<ExitCode> {
    let index = context::open_index(global)?;
    let report = transfer::export(&index, &context::filter(&args.filter), &args.dir)?;
    if !global.quiet {
        note!("{} clips, {} segments written to {}", report.clips, report.segments, args.dir.display());
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn import(global: &Global, args: &ImportArgs) -> Result<ExitCode> {
    let db = context::db_dir(global)?;
    let is_new = !db.exists();
    context::check_free(&db)?;
    let report = transfer::import(&args.dir, &db, &OpenOptions::default()).inspect_err(|_| {
        if is_new {
            // Half an index is worse than none; what was there before is kept.
            let _ = std::fs::remove_dir_all(&db);
        }
    })?;
    if !global.quiet {
        note!("{} clips, {} segments read into {}", report.clips, report.segments, db.display());
    }
    Ok(ExitCode::SUCCESS)
}
