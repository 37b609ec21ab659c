//! `earmark export` and `earmark import`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use earmark_engine::{EngineError, transfer};
use earmark_index::{Collection, OpenOptions, Writer};
use earmark_library::{Error, Filter, Location};
use earmark_postgres::DatabaseUrl;

use crate::args::{Global, WaitArgs};
use crate::context;
use crate::output::note;

/// Export the index as JSON Lines and a NumPy matrix
///
/// Writes `header.json`, `clips.jsonl` and `vectors.npy` (float32, one unit-length row per segment).
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// New or empty folder. An unfinished export is in its subfolder `.earmark-export`
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) filter: Filter,
}

/// Import what `export` wrote into an index
///
/// Clips go into the space of the model they were exported from, which is created if needed. Clips with the
/// same paths are replaced.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Folder written by `export`
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

pub(crate) fn export(global: &Global, args: ExportArgs) -> Result<ExitCode> {
    let index = context::open_index(global)?;
    let report = transfer::export(&*index, &context::filter(args.filter).check()?, &args.dir)?;
    if !global.quiet {
        note!("{} clips, {} segments written to {}", report.clips, report.segments, args.dir.display());
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn import(global: &Global, args: &ImportArgs) -> Result<ExitCode> {
    let db = match context::location(global)? {
        Location::Folder(folder) => folder,
        Location::Database(url) => return import_into_database(global, args, &url),
    };
    let is_new = !db.exists();
    earmark_library::check_free(&db)?;
    let collection = Collection::open_or_new(&db, &OpenOptions::default())?;
    let mut made = None;
    let mut into = None;
    let report = transfer::import(&args.dir, |identity| {
        let is_there = collection.space_of(identity)?.is_some();
        let space = collection.make(identity)?;
        made = (!is_there).then(|| space.clone());
        into = Some(space.name.clone());
        let open = |options: &OpenOptions| Ok(Writer::open(&space.path, Some(identity), options)?);
        context::waiting(&args.wait, open).map_err(|e| match e {
            Error::Engine(e) => e,
            e => EngineError::Query(e.to_string()),
        })
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
        tell_other_space(into, &collection.current()?.name);
    }
    Ok(ExitCode::SUCCESS)
}

/// Says so where clips went into another space than the current one.
fn tell_other_space(into: Option<String>, current: &str) {
    if let Some(space) = into.filter(|space| space != current) {
        note!("they are in space `{space}`; the current one is `{current}`");
    }
}

fn import_into_database(global: &Global, args: &ImportArgs, url: &DatabaseUrl) -> Result<ExitCode> {
    let database = Location::connect_or_make(url)?;
    let (mut made, mut into) = (None, None);
    let report = transfer::import(&args.dir, |identity| {
        let is_there = database.space_of(identity)?.is_some();
        let space = database.make(identity)?;
        let index = database.index(&space);
        into = Some(space.name.clone());
        made = (!is_there).then_some(space);
        Ok(index)
    })
    .inspect_err(|_| {
        // Half a space is worse than none; one that is current stays, since something has to be.
        let _ = made.as_ref().map(|space| database.drop_space(space));
    })?;
    if !global.quiet {
        note!("{} clips, {} segments read into {url}", report.clips, report.segments);
        tell_other_space(into, &database.current()?.name);
    }
    Ok(ExitCode::SUCCESS)
}
