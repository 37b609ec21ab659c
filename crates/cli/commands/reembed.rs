//! `earmark reembed`

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use earmark_encoder::{Catalogue, EncoderError, Model};
use earmark_engine::reembed::{
    ReembedEvent, ReembedOptions, ReembedReport, SpacePair, SpacesInFolder, reembed,
};
use earmark_engine::{Engine, EngineError, identity};
use earmark_index::{Identity, IndexReader as _, Snapshot};
use earmark_library::{Location, SpacesInDatabase};

use crate::args::{Global, WaitArgs};
use crate::output::note;
use crate::progress::{Progress, list_failures, stop_on_ctrl_c};
use crate::units::amount;
use crate::{EXIT_INTERRUPTED, EXIT_SOME_FAILED, context, output};

/// Embed every clip again, with another model or a new version of the same one
///
/// The new vectors go into a space of their own. The old space can be searched meanwhile; at the end the new
/// one becomes current. Ctrl-C finishes the current batch; run the same command again to continue. The
/// default is the installed version of the current space's model.
#[derive(Debug, Args)]
pub(crate) struct ReembedArgs {
    /// Do not make the new space current
    #[arg(long)]
    pub(crate) no_switch: bool,
    /// Switch even if some files are missing or fail; their clips are left out
    #[arg(long, conflicts_with = "no_switch")]
    pub(crate) partial: bool,
    /// Print a JSON summary on standard output
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

pub(crate) fn run(global: &Global, args: &ReembedArgs) -> Result<ExitCode> {
    match context::location(global)? {
        Location::Folder(_) => {
            let collection = context::place(global)?.collection(&args.wait.options())?;
            let hold = collection.hold()?;
            let from = collection.current()?;
            let made_by = Snapshot::open(&from.path, None, collection.options())?.header().identity.clone();
            drop(hold);
            let open = |engine: &Engine| SpacesInFolder::open(engine, &collection, &from);
            run_from(global, args, &from.name, &made_by, open)
        }
        Location::Database(url) => {
            let database = Location::connect(&url)?;
            let from = database.current()?;
            let (name, made_by) = (from.name.clone(), from.header.identity.clone());
            run_from(global, args, &name, &made_by, |engine| SpacesInDatabase::open(engine, database, from))
        }
    }
}

/// Embeds the clips of the space `from`, which has vectors `made_by`; `open` gives it together with the new one.
fn run_from<P: SpacePair>(
    global: &Global,
    args: &ReembedArgs,
    from: &str,
    made_by: &Identity,
    open: impl FnOnce(&Engine) -> Result<P, EngineError>,
) -> Result<ExitCode> {
    let model = target_model(global, &made_by.model_id)?;
    if identity(&model) == *made_by {
        let report = ReembedReport { from: from.to_owned(), to: from.to_owned(), ..ReembedReport::default() };
        if args.json {
            output::json(&report)?;
        }
        if !global.quiet {
            note!(
                "nothing to do: the current space, `{}`, is that of `{}` as it is here; --model names another model",
                report.to,
                made_by.model_id
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    let engine = context::engine(global, model)?;
    if !global.quiet {
        let id = &engine.model().manifest().id;
        note!("embedding the clips of space `{from}` with `{id}`, beside what is there");
    }
    let stop = stop_on_ctrl_c()?;
    let mut progress = Progress::new(global.quiet);
    let options = ReembedOptions { switch: !args.no_switch, partial: args.partial };
    let spaces = open(&engine)?;
    let report = reembed(&engine, &spaces, options, &stop, |event| match event {
        ReembedEvent::Ingest(event) => progress.tell(event),
        ReembedEvent::Waiting if global.quiet => {}
        ReembedEvent::Waiting => note!("waiting for another process, which uses space `{from}`"),
    })?;
    progress.finish();
    if args.json {
        output::json(&report)?;
    }
    list_failures(&report.failed);
    if report.interrupted {
        note!("interrupted; what was finished is kept, and the same command goes on from here");
        return Ok(ExitCode::from(EXIT_INTERRUPTED));
    }
    if !global.quiet {
        summarise(&report);
    }
    if !report.failed.is_empty() && !report.switched && !args.no_switch {
        // As failures are, this is told even with --quiet.
        note!(
            "not switched: {} of {} clips are missing from `{}`; mend the files and run this again, take the clips out with \
             `earmark remove`, or go on without them with --partial",
            report.failed.len(),
            report.clips,
            report.to
        );
    }
    Ok(if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_SOME_FAILED) })
}

/// The model named, else the one that made the current space as it is here now, else the default one.
fn target_model(global: &Global, made_by: &str) -> Result<Model> {
    if let Some(name) = &global.model {
        return Ok(earmark_library::catalogue().open(name)?);
    }
    let catalogue = earmark_library::catalogue();
    Ok(match catalogue.open(made_by) {
        Err(EncoderError::UnknownModel { .. }) => catalogue.open(Catalogue::default_name())?,
        // One that could be here, or is and is damaged, is not quietly replaced by another.
        opened => {
            opened.with_context(|| format!("the current space is of `{made_by}`; --model names another"))?
        }
    })
}

fn summarise(report: &ReembedReport) {
    let ReembedReport { from, to, .. } = report;
    let mut line = format!("{} of {} clips embedded", report.embedded, report.clips);
    if report.unchanged > 0 {
        line += &format!(", {} were there already", report.unchanged);
    }
    if report.audio_s > 0.0 {
        line += &format!("; {} of audio in {}", amount(report.audio_s), amount(report.seconds));
    }
    note!("{line}");
    if report.others > 0 {
        note!(
            "{} more in `{to}` are not in `{from}`: indexed there by themselves, or taken out of `{from}` since; \
             `earmark remove --model {to} PATH` takes them out of `{to}`",
            report.others
        );
    }
    if report.switched {
        note!(
            "`{to}` is the current space now; `earmark spaces use {from}` goes back, `earmark spaces drop {from}` frees \
             its disk space"
        );
    } else if report.failed.is_empty() {
        note!("the current space is still `{from}`; `earmark spaces use {to}` switches");
    }
}
