//! `earmark spaces`

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use earmark_index::{Collection, Error, IndexReader, Snapshot, Space};
use earmark_library::{Location, Spaces};
use earmark_postgres::Database;
use serde::Serialize;

use crate::args::Global;
use crate::output::note;
use crate::units::bytes;
use crate::{context, output};

/// List, select and delete the spaces of the index
///
/// A space holds the vectors of one model. Commands use the current space unless --model names another.
/// `earmark index --model NAME` and `earmark reembed` create spaces.
#[derive(Debug, Args)]
pub(crate) struct SpacesArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SpacesCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SpacesCommand {
    /// List spaces (the default); the current one has a star
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make a space current
    Use {
        /// Name of the space or of its model
        name: String,
    },
    /// Delete a space that is not current (never touches the sound files)
    Drop {
        /// Name of the space or of its model
        name: String,
    },
}

#[derive(Serialize)]
struct Row {
    name: String,
    current: bool,
    #[serde(flatten)]
    content: Option<Content>,
    /// Why the rest is not known, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize)]
struct Content {
    model: String,
    manifest_hash: String,
    pipeline_version: u32,
    dim: usize,
    clips: usize,
    segments: usize,
    disk_bytes: u64,
}

pub(crate) fn run(global: &Global, args: SpacesArgs) -> Result<ExitCode> {
    let command = args.command.unwrap_or(SpacesCommand::List { json: false });
    let done = match context::location(global)? {
        Location::Folder(_) => {
            let collection = context::collection(global)?;
            carry_out(&collection, command, |json| list(&collection, json))?
        }
        Location::Database(url) => {
            let database = Location::connect(&url)?;
            carry_out(&database, command, |json| list_of_database(&database, json))?
        }
    };
    if let (Some(done), false) = (done, global.quiet) {
        note!("{done}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Carries out a command; what it did, in words, if it did something.
fn carry_out<S: Spaces>(
    spaces: &S,
    command: SpacesCommand,
    list: impl FnOnce(bool) -> Result<()>,
) -> Result<Option<String>> {
    Ok(match command {
        SpacesCommand::List { json } => {
            list(json)?;
            None
        }
        SpacesCommand::Use { name } => {
            let space = spaces.by_any_name(&name)?;
            spaces.make_current(&space)?;
            Some(format!("`{}` is the current space now", S::name(&space)))
        }
        SpacesCommand::Drop { name } => {
            let space = spaces.by_any_name(&name)?;
            spaces.delete(&space)?;
            Some(format!("dropped `{}`; the sound files stay", S::name(&space)))
        }
    })
}

fn list_of_database(database: &Database, json: bool) -> Result<()> {
    let spaces = database.spaces()?;
    let rows = spaces.iter().map(|space| {
        let (content, problem) = match content(&database.index(space)) {
            Ok(content) => (Some(content), None),
            Err(e) => (None, Some(e.to_string())),
        };
        Row { name: space.name.clone(), current: space.is_current, content, problem }
    });
    show(&rows.collect::<Vec<Row>>(), json)
}

fn list(collection: &Collection, json: bool) -> Result<()> {
    let _hold = collection.hold()?;
    // Where it cannot be told which is current, the list still says which there are.
    let current = collection.current();
    let is_current = |space: &Space| current.as_ref().is_ok_and(|current| current == space);
    let spaces = collection.spaces()?;
    let rows: Vec<Row> = spaces.iter().map(|space| row(collection, space, is_current(space))).collect();
    show(&rows, json)?;
    if let (Err(e), false) = (current, json) {
        note!("{}", output::chain(&e.into()));
    }
    Ok(())
}

fn show(rows: &[Row], json: bool) -> Result<()> {
    if json {
        return output::json(&rows);
    }
    let header = ["", "space", "model", "clips", "segments", "on disk"].map(str::to_owned).to_vec();
    let cells: Vec<Vec<String>> = std::iter::once(header).chain(rows.iter().map(cells)).collect();
    let mut out = output::stdout();
    output::table(&mut out, &[false, false, false, true, true, true], &cells)?;
    Ok(out.flush()?)
}

fn row(collection: &Collection, space: &Space, current: bool) -> Row {
    let opened = Snapshot::open(&space.path, None, collection.options());
    let (content, problem) = match opened.and_then(|index| content(&index)) {
        Ok(content) => (Some(content), None),
        Err(Error::Locked { .. }) => (None, Some("in use by another process".to_owned())),
        Err(e) => (None, Some(e.to_string())),
    };
    Row { name: space.name.clone(), current, content, problem }
}

fn content(index: &dyn IndexReader) -> Result<Content, Error> {
    let stats = index.stats()?;
    let identity = index.header().identity.clone();
    Ok(Content {
        model: identity.model_id,
        manifest_hash: identity.manifest_hash,
        pipeline_version: identity.pipeline_version,
        dim: identity.dim,
        clips: stats.clips,
        segments: stats.segments,
        disk_bytes: stats.disk_bytes,
    })
}

fn cells(row: &Row) -> Vec<String> {
    let mark = if row.current { "*" } else { "" }.to_owned();
    let mut cells = vec![mark, row.name.clone()];
    match (&row.content, &row.problem) {
        (Some(c), _) => {
            let numbers = [c.clips.to_string(), c.segments.to_string(), bytes(c.disk_bytes)];
            cells.push(c.model.clone());
            cells.extend(numbers);
        }
        (None, problem) => cells.extend(problem.clone()),
    }
    cells
}
