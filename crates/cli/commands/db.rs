//! `earmark db`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use earmark_index::stored_path;
use earmark_library::{Location, parse_root};

use crate::args::Global;
use crate::output::note;
use crate::{context, output};

/// Prepare a PostgreSQL database, and name folders that machines mount at different places
///
/// The database is the one that --db or EARMARK_DB names.
#[derive(Debug, Args)]
pub(crate) struct DbArgs {
    #[command(subcommand)]
    pub(crate) command: DbCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Make earmark's tables, or bring them to this version; needs the extension pgvector 0.8 or later
    Migrate,
    /// List the roots, with the folder that each is on this machine
    Roots,
    /// Add a root: paths below the folder are kept from there on, so that other machines, whose EARMARK_ROOTS says
    /// where they have it, can read the same files
    AddRoot {
        /// A name, and the folder on this machine
        #[arg(value_name = "NAME=FOLDER", value_parser = parse_root)]
        root: (String, PathBuf),
    },
}

pub(crate) fn run(global: &Global, args: &DbArgs) -> Result<ExitCode> {
    let location = context::location(global)?;
    let url = location.database()?;
    match &args.command {
        DbCommand::Migrate => {
            drop(Location::migrate(url)?);
            if !global.quiet {
                note!("{url} has the tables of this version");
            }
        }
        DbCommand::Roots => {
            let database = Location::connect(url)?;
            let mut out = output::stdout();
            for (name, folder) in database.roots().iter() {
                writeln!(out, "{name}={folder}")?;
            }
            out.flush()?;
        }
        DbCommand::AddRoot { root: (name, folder) } => {
            let mut database = Location::connect(url)?;
            database.add_root(name, &stored_path(folder))?;
            if !global.quiet {
                note!(
                    "`{name}` is {} here; on another machine, EARMARK_ROOTS={name}=FOLDER says where",
                    folder.display()
                );
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
