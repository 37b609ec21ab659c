//! `earmark export` and `earmark import`

use std::process::ExitCode;

use anyhow::Result;
use earmark_engine::transfer;
use earmark_index::{Collection, OpenOptions};

use crate::args::{ExportArgs, Global, ImportArgs};
use crate::output::note;
use crate::{context, open};

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
    open::check_free(&db)?;
    let collection = Collection::open_or_new(&db, &OpenOptions::default())?;
    let mut made = None;
    let mut into = None;
    let report = transfer::import(&args.dir, |identity| {
        let is_there = collection.space_of(identity)?.is_some();
        let space = collection.make(identity)?;
        made = (!is_there).then(|| space.clone());
        into = Some(space.name.clone());
        Ok(open::open_writer(&space, Some(identity), &collection, &args.wait)?)
    })
    .inspect_err(|_| {
        // Half an index is worse than none; what was there before is kept.
        let _ = match &made {
            _ if is_new => std::fs::remove_dir_all(&db).map_err(anyhow::Error::from),
            Some(space) => collection.drop_space(space).map_err(anyhow::Error::from),
            None => Ok(()),
        };
    })?;
    if !global.quiet {
        note!("{} clips, {} segments read into {}", report.clips, report.segments, db.display());
        let current = collection.current()?.name;
        if let Some(space) = into.filter(|space| *space != current) {
            note!("they are in space `{space}`; the current one is `{current}`");
        }
    }
    Ok(ExitCode::SUCCESS)
}
