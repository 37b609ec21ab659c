//! earmark: find and label sounds by describing them.
//!
//! `main` picks the command; each command is one file in `commands`.

mod args;
mod ask;
mod commands;
mod context;
mod familiarity;
mod format;
mod huge_pages;
mod label_args;
mod output;
mod progress;
mod remedies;
mod sources;
mod takeout;
mod units;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use output::note;

/// Finished, but some files could not be used.
const EXIT_SOME_FAILED: u8 = 3;
/// An error, for commands that say something else with 1.
const EXIT_ERROR: u8 = 2;
/// Cut short by Ctrl-C (128 + SIGINT), the index consistent.
const EXIT_INTERRUPTED: u8 = 130;

/// ONNX Runtime's own builds, from 1.29 on, keep a device id and send what they are used for to their maker,
/// beginning before their interface can switch it off (`Privacy.md` in its wheel). This program sends nothing
/// anywhere, so it says the one word that stops all of it.
fn forbid_telemetry() {
    // SAFETY: first thing in `main`: no other thread reads the environment yet.
    #[allow(unsafe_code)]
    unsafe {
        std::env::set_var("ORT_DISABLE_TELEMETRY", "1");
    }
}

fn main() -> ExitCode {
    forbid_telemetry();
    let Args { global, command } = Args::parse();
    huge_pages::ask_for();
    let on_error = match command {
        Command::Search(_) => ExitCode::from(EXIT_ERROR),
        _ => ExitCode::FAILURE,
    };
    if let Err(e) = units::refuse_passwords(std::env::args_os()) {
        note!("error: {}", output::chain(&e.into()));
        return on_error;
    }
    let result = match command {
        Command::Index(args) => commands::index::run(&global, args),
        Command::Search(args) => commands::search::run(&global, args),
        Command::Classify(args) => commands::classify::run(&global, args),
        Command::Events(args) => commands::events::run(&global, args),
        Command::Tag(args) => commands::tag::run(&global, &args),
        Command::Describe(args) => commands::describe::run(&global, &args),
        Command::Duplicates(args) => commands::duplicates::run(&global, args),
        Command::Fit(args) => commands::fit::run(&global, &args),
        Command::Adapt(args) => commands::adapt::run(&global, &args),
        Command::Labels(args) => commands::labels::run(&global, args),
        Command::Eval(args) => commands::eval::run(&global, args),
        Command::Copy(args) => commands::copy::run(&global, &args),
        Command::Db(args) => commands::db::run(&global, &args),
        Command::Jobs(args) => commands::jobs::run(&global, &args),
        Command::Info(args) => commands::info::run(&global, args),
        Command::List(args) => commands::list::run(&global, args),
        Command::Remove(args) => commands::remove::run(&global, args),
        Command::Verify(args) => commands::verify::run(&global, &args),
        Command::Rebuild(args) => commands::verify::rebuild(&global, &args),
        Command::Export(args) => commands::transfer::export(&global, args),
        Command::Import(args) => commands::transfer::import(&global, &args),
        Command::Reembed(args) => commands::reembed::run(&global, &args),
        Command::Spaces(args) => commands::spaces::run(&global, args),
        Command::Models(args) => commands::models::run(&global, args),
        Command::Serve(args) => commands::serve::run(&global, args),
        Command::Mcp(args) => commands::mcp::run(&global, &args),
        Command::Completions(args) => commands::completions::run(&args),
        Command::Man(args) => commands::man::run(&args),
    };
    match result {
        Ok(code) => code,
        // The reader of a pipe has seen enough, as in `earmark list | head`.
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            note!("error: {}", output::chain(&e));
            on_error
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        let csv = cause.downcast_ref::<csv::Error>().and_then(|e| match e.kind() {
            csv::ErrorKind::Io(e) => Some(e.kind()),
            _ => None,
        });
        io.or(json).or(csv) == Some(std::io::ErrorKind::BrokenPipe)
    })
}
