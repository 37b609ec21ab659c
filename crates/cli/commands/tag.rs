//! `earmark tag`

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use earmark_library::{Access, TagAnswer, TagRequest, TagScore, Tagged};

use crate::args::Global;
use crate::ask::with_stdin;
use crate::format::{Format, FormatArgs, Printer, Row};
use crate::output;
use crate::sources::{names, stdin_of};
use crate::units::{clock, parse_count, parse_probability, sound_path};
use crate::{EXIT_SOME_FAILED, context};

/// Tag sounds with a model's fixed classes
///
/// The default, ced-tiny, has the 527 classes of AudioSet; yamnet has 521 of them, in windows of one second;
/// musicnn has 50 tags for music. All three are bundled; `earmark models list` shows every tagger. To use
/// words of your own, see `earmark classify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark tag index-data/sounds/events/dog-in-rain.wav
  earmark tag ~/Music --model musicnn --top 3 --csv
  earmark tag night.flac --windows --threshold 0.3")]
pub(crate) struct TagArgs {
    /// Sound files and folders; `-` reads standard input
    #[arg(value_name = "FILE", required = true, value_parser = sound_path())]
    files: Vec<PathBuf>,
    /// Number of classes to show for each sound
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = parse_count)]
    top: usize,
    /// Probability at which a class counts as present [default: the model's own]
    #[arg(long, value_name = "P", value_parser = parse_probability)]
    threshold: Option<f32>,
    /// Tag each of the model's windows
    #[arg(long)]
    windows: bool,
    #[command(flatten)]
    format: FormatArgs,
}

impl Row for Tagged {
    const COLUMNS: &'static [&'static str] = &["file", "start_s", "end_s", "rank", "class", "score", "heard"];

    fn records(&self, _: usize) -> Vec<Vec<String>> {
        let records = |start_s: f64, end_s: f64, tags: &[TagScore]| {
            let record = |(i, tag): (usize, &TagScore)| {
                vec![
                    self.source.clone(),
                    format!("{start_s:.3}"),
                    format!("{end_s:.3}"),
                    (i + 1).to_string(),
                    tag.class.clone(),
                    format!("{:.4}", tag.score),
                    tag.heard.to_string(),
                ]
            };
            tags.iter().enumerate().map(record).collect::<Vec<_>>()
        };
        match &self.windows {
            Some(windows) => windows.iter().flat_map(|w| records(w.start_s, w.end_s, &w.tags)).collect(),
            None => records(0.0, self.duration_s, &self.tags),
        }
    }
}

pub(crate) fn run(global: &Global, args: &TagArgs) -> Result<ExitCode> {
    let library = context::library(global, context::place(global)?, Access::Once)?;
    let request = TagRequest {
        files: names(&args.files),
        top: args.top,
        threshold: args.threshold,
        windows: args.windows,
        ..TagRequest::default()
    };
    let files = with_stdin(stdin_of(&args.files)?);
    let format = args.format.format();
    let mut printer = Printer::new(format);
    let (mut results, mut failed, mut printed) = (Vec::new(), 0, Ok(()));
    library.tag_with(&request, files, &mut |tagged| {
        output::remarks(&tagged.source, &tagged.remarks);
        if let Some(error) = &tagged.error {
            failed += 1;
            output::failed(&tagged.source, &error.detail);
        }
        printed = printer.rows(std::slice::from_ref(&tagged));
        if matches!(format, Format::Text | Format::Json) {
            results.push(tagged);
        }
        printed.is_ok()
    })?;
    printed?;
    let answer: TagAnswer = library.tag_answer(results)?;
    printer.finish::<Tagged>(&answer, |out| print(out, &answer.results))?;
    Ok(if failed > 0 { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS })
}

/// One sound: a line a class. Several, or windows: a line each.
fn print(out: &mut dyn Write, results: &[Tagged]) -> Result<()> {
    let results: Vec<&Tagged> = results.iter().filter(|tagged| tagged.error.is_none()).collect();
    if let [only @ Tagged { windows: None, .. }] = results.as_slice() {
        writeln!(out, "{}: {}", output::printable(&only.source), heard(&only.tags))?;
        let row = |tag: &TagScore| {
            let bar = "#".repeat((tag.score.clamp(0.0, 1.0) * 30.0).round() as usize);
            vec![format!("  {}", tag.class), format!("{:.2}", tag.score), bar]
        };
        return Ok(output::table(out, &[false, true], &only.tags.iter().map(row).collect::<Vec<_>>())?);
    }
    let mut rows = Vec::new();
    for tagged in results {
        let file = output::short(&tagged.source);
        match &tagged.windows {
            None => rows.push(vec![file, heard(&tagged.tags)]),
            Some(windows) => rows.extend(windows.iter().map(|w| {
                let stretch = format!("{} - {}", clock(w.start_s), clock(w.end_s));
                vec![file.clone(), stretch, heard(&w.tags)]
            })),
        }
    }
    Ok(output::table(out, &[], &rows)?)
}

/// The classes heard, with their scores; the nearest if there is none.
fn heard(tags: &[TagScore]) -> String {
    let shown = |tag: &TagScore| format!("{} {:.2}", tag.class, tag.score);
    let heard: Vec<String> = tags.iter().filter(|tag| tag.heard).map(shown).collect();
    match tags.first() {
        Some(nearest) if heard.is_empty() => format!("nothing for certain (nearest: {})", shown(nearest)),
        _ => heard.join(", "),
    }
}
