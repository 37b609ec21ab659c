//! `earmark labels`

use clap::{Args, Subcommand};
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};
use earmark_engine::label_sets::{FitSummary, SavedLabel, SavedSet};
use serde::Serialize;

use crate::args::Global;
use crate::label_args::LabelWordsArgs;
use crate::output::note;
use crate::{context, output};

/// List, show, save and delete label sets
///
/// `classify`, `events` and the server use saved label sets by name.
#[derive(Debug, Args)]
pub(crate) struct LabelsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<LabelsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LabelsCommand {
    /// List label sets (the default)
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show a label set
    Show {
        /// Name of the label set
        name: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Save words as a label set, replacing a set of words of that name
    Save {
        /// Name of the label set
        name: String,
        #[command(flatten)]
        labels: LabelWordsArgs,
        /// Sentence to put labels into, where `{}` stands for the label (repeatable)
        #[arg(long = "template", value_name = "TEXT")]
        templates: Vec<String>,
        /// Replace a set of that name even if it was fitted to clips
        #[arg(long)]
        replace: bool,
    },
    /// Delete a label set
    Delete {
        /// Name of the label set
        name: String,
    },
    /// Accept the file of label sets as it is, after another program changed or deleted it
    Accept,
}

#[derive(Serialize)]
struct Row {
    name: String,
    #[serde(flatten)]
    set: SavedSet,
}

pub(crate) fn run(global: &Global, args: LabelsArgs) -> Result<ExitCode> {
    let sets = context::label_sets(global)?;
    match args.command.unwrap_or(LabelsCommand::List { json: false }) {
        LabelsCommand::List { json } => {
            let rows: Vec<Row> = sets.all()?.into_iter().map(|(name, set)| Row { name, set }).collect();
            if json {
                output::json(&rows)?;
            } else {
                list(&rows)?;
            }
        }
        LabelsCommand::Show { name, json } => {
            let row = Row { set: sets.get(&name)?, name };
            if json {
                output::json(&row)?;
            } else {
                show(&row)?;
            }
        }
        LabelsCommand::Save { name, labels, templates, replace } => {
            if !replace && sets.all()?.get(&name).is_some_and(SavedSet::is_fitted) {
                bail!("label set `{name}` was fitted to clips; --replace puts these words in its place");
            }
            let words = labels.words()?;
            let is_new = sets.put(&name, SavedSet::of(&words, templates))?;
            if !global.quiet {
                note!("{} label set `{name}`", if is_new { "saved" } else { "replaced" });
            }
        }
        LabelsCommand::Delete { name } => {
            sets.delete(&name)?;
            if !global.quiet {
                note!("deleted label set `{name}`");
            }
        }
        LabelsCommand::Accept => {
            let names = sets.accept()?;
            if !global.quiet {
                let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                note!("accepted; label sets: {names}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(rows: &[Row]) -> Result<()> {
    let header = ["label set", "labels", "made"].map(str::to_owned).to_vec();
    let cells = |row: &Row| vec![row.name.clone(), row.set.labels.len().to_string(), made(&row.set)];
    let cells: Vec<Vec<String>> = std::iter::once(header).chain(rows.iter().map(cells)).collect();
    let mut out = output::stdout();
    output::table(&mut out, &[false, true], &cells)?;
    Ok(out.flush()?)
}

fn show(row: &Row) -> Result<()> {
    let mut out = output::stdout();
    writeln!(out, "{}: {}", row.name, made(&row.set))?;
    if let Some(fit) = row.set.made.as_ref().and_then(|made| made.fit.as_ref()) {
        figures(&mut out, fit)?;
    }
    for label in &row.set.labels {
        match label {
            SavedLabel::Word(word) => writeln!(out, "  {word}")?,
            SavedLabel::Prompts { name, prompts } => writeln!(out, "  {name}: {}", prompts.join("; "))?,
        }
    }
    for template in &row.set.templates {
        writeln!(out, "template: {template}")?;
    }
    Ok(out.flush()?)
}

/// How a fitted set does on clips that were held out, beside its words alone.
fn figures(out: &mut impl Write, fit: &FitSummary) -> Result<()> {
    if fit.held_out == 0 {
        return Ok(writeln!(
            out,
            "  no clip could be held out: nothing is measured, and there is always an answer"
        )?);
    }
    let percent =
        |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |s| format!("{:.1} %", 100.0 * s));
    let header = ["", "best label right", "answered rightly"].map(str::to_owned).to_vec();
    let line = |name: &str, best, answered| vec![name.to_owned(), percent(best), percent(answered)];
    let mut rows = vec![header, line("  fitted", fit.accuracy, fit.answered)];
    if fit.zero_shot_accuracy.is_some() {
        rows.push(line("  words alone", fit.zero_shot_accuracy, fit.zero_shot_answered));
    }
    output::table(out, &[false, true, true], &rows)?;
    match fit.unknown_refused {
        Some(refused) => writeln!(
            out,
            "  of {} held-out clips; {} of them are none of these if their own label is left out",
            fit.held_out,
            percent(Some(refused))
        )?,
        None => writeln!(
            out,
            "  of {} held-out clips; an older earmark fitted it, so it always answers: fit it again",
            fit.held_out
        )?,
    }
    Ok(())
}

/// How a set came about, in words.
pub(crate) fn made(set: &SavedSet) -> String {
    let Some(made) = &set.made else { return "of words".to_owned() };
    let model = &made.identity.model_id;
    let mut text = match &made.fit {
        Some(fit) => {
            let right = match (fit.answered, fit.accuracy) {
                (Some(answered), _) => format!(", {:.1} % answered rightly", 100.0 * answered),
                (None, Some(best)) => format!(", best label right for {:.1} %", 100.0 * best),
                (None, None) => String::new(),
            };
            format!("fitted to {} clips with {model}{right}", fit.clips)
        }
        None => format!("of words, with {model}"),
    };
    if let Some(adapt) = &made.adapt {
        text.push_str(&format!(", adapted to {} pieces from {}", adapt.pieces, adapt.from));
    }
    text
}
