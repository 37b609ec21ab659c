//! `earmark describe`

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use earmark_library::{Access, DescribeRequest, Described, HeardEvent};

use crate::args::Global;
use crate::ask::with_stdin;
use crate::format::{Format, FormatArgs, Printer, Row};
use crate::output;
use crate::sources::{names, stdin_of};
use crate::units::{amount, clock, parse_probability, sound_path};
use crate::{EXIT_SOME_FAILED, context};

/// Describe recordings in a sentence and a few facts
///
/// Says how long and how loud each recording is, where it is silent, what is heard when, how much of it is
/// speech and music, and sums that up in one plain sentence. Everything is computed from the sound; no
/// language model is involved. --model chooses the tagger that listens, as for `earmark tag`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark describe index-data/sounds/events/dog-in-rain.wav
  earmark describe ~/Recordings --jsonl > descriptions.jsonl
  earmark describe - --json < night.flac")]
pub(crate) struct DescribeArgs {
    /// Sound files and folders; `-` reads a sound file from standard input
    #[arg(value_name = "FILE", required = true, value_parser = sound_path())]
    files: Vec<PathBuf>,
    /// Probability from which a class counts as heard [default: the model's own, doubled where
    /// its windows are shorter than 2 s]
    #[arg(long, value_name = "P", value_parser = parse_probability)]
    threshold: Option<f32>,
    #[command(flatten)]
    format: FormatArgs,
}

impl Row for Described {
    const COLUMNS: &'static [&'static str] = &[
        "file",
        "sentence",
        "duration_s",
        "peak_dbfs",
        "rms_dbfs",
        "silence_share",
        "speech_share",
        "music_share",
    ];

    fn records(&self, _: usize) -> Vec<Vec<String>> {
        let number = |value: Option<f64>| value.map(|value| format!("{value:.3}")).unwrap_or_default();
        vec![vec![
            self.source.clone(),
            self.sentence.clone(),
            number(Some(self.duration_s)),
            number(self.level.peak_dbfs),
            number(self.level.rms_dbfs),
            number(Some(self.silence.share)),
            number(self.speech_share),
            number(self.music_share),
        ]]
    }
}

pub(crate) fn run(global: &Global, args: &DescribeArgs) -> Result<ExitCode> {
    let library = context::library(global, context::place(global)?, Access::Once)?;
    let request = DescribeRequest {
        files: names(&args.files),
        threshold: args.threshold,
        ..DescribeRequest::default()
    };
    let files = with_stdin(stdin_of(&args.files)?);
    let format = args.format.format();
    let mut printer = Printer::new(format);
    let (mut results, mut failed, mut printed) = (Vec::new(), 0, Ok(()));
    library.describe_with(&request, files, &mut |described| {
        if let Some(error) = &described.error {
            failed += 1;
            output::failed(&described.source, &error.detail);
        }
        printed = printer.rows(std::slice::from_ref(&described));
        if matches!(format, Format::Text | Format::Json) {
            results.push(described);
        }
        printed.is_ok()
    })?;
    printed?;
    let answer = library.describe_answer(results)?;
    printer.finish::<Described>(&answer, |out| print(out, &answer.results))?;
    Ok(if failed > 0 { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS })
}

/// The sentence, then facts in two columns; under the file's name if there are several files.
fn print(out: &mut dyn Write, results: &[Described]) -> Result<()> {
    let several = results.len() > 1;
    let usable = results.iter().filter(|described| described.error.is_none());
    for (i, described) in usable.enumerate() {
        if several {
            if i > 0 {
                writeln!(out)?;
            }
            writeln!(out, "{}:", output::short(&described.source))?;
        }
        writeln!(out, "{}", output::printable(&described.sentence))?;
        output::table(out, &[], &facts(described))?;
    }
    Ok(())
}

fn facts(description: &Described) -> Vec<Vec<String>> {
    let Described { level, silence, .. } = description;
    let mut rows: Vec<[String; 2]> = vec![["length".to_owned(), amount(description.duration_s)]];
    let mut levels = Vec::new();
    if let (Some(peak), Some(rms)) = (level.peak_dbfs, level.rms_dbfs) {
        levels.push(format!("peak {peak:.1} dBFS, RMS {rms:.1} dBFS"));
    }
    levels.extend(level.loudness_lufs.map(|lufs| format!("loudness {lufs:.1} LUFS")));
    if level.clipped_share > 0.0 {
        levels.push(format!("{} clipped", percent(level.clipped_share)));
    }
    if !levels.is_empty() {
        rows.push(["level".to_owned(), levels.join(", ")]);
    }
    let mut silent = percent(silence.share);
    if !silence.stretches.is_empty() {
        let stretches: Vec<String> =
            silence.stretches.iter().take(SHOWN).map(|s| between(s.start_s, s.end_s)).collect();
        let more = silence.stretches.len() - stretches.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        silent = format!("{silent} ({}{more})", stretches.join(", "));
    }
    rows.push(["silence".to_owned(), silent]);
    for (name, share) in [("speech", description.speech_share), ("music", description.music_share)] {
        rows.extend(share.map(|share| [name.to_owned(), percent(share)]));
    }
    let mut name = "heard";
    for event in shown(&description.events) {
        let said = format!("{}  {:.2}  {}", between(event.onset_s, event.offset_s), event.score, event.class);
        rows.push([std::mem::take(&mut name).to_owned(), output::printable(&said)]);
    }
    if description.events.len() > EVENTS_SHOWN {
        let more = description.events.len() - EVENTS_SHOWN;
        rows.push([String::new(), format!("and {more} less certain; --json has all")]);
    }
    let mut name = "remarks";
    for remark in &description.remarks {
        rows.push([std::mem::take(&mut name).to_owned(), output::printable(remark)]);
    }
    rows.into_iter().map(|[name, value]| vec![format!("  {name}"), value]).collect()
}

/// Stretches of silence that are shown, and events.
const SHOWN: usize = 3;
const EVENTS_SHOWN: usize = 30;

/// The most certain events, by onset.
fn shown(events: &[HeardEvent]) -> Vec<&HeardEvent> {
    let mut shown: Vec<&HeardEvent> = events.iter().collect();
    shown.sort_by(|a, b| b.score.total_cmp(&a.score));
    shown.truncate(EVENTS_SHOWN);
    shown.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s));
    shown
}

fn between(start_s: f64, end_s: f64) -> String {
    format!("{} - {}", clock(start_s), clock(end_s))
}

/// A share as a percentage, of which a little is not nothing.
fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        percent if percent < 1.0 => "less than 1 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_is_not_nothing() {
        assert_eq!([0.0, 0.0004, 0.124, 1.0].map(percent), ["0 %", "less than 1 %", "12 %", "100 %"]);
    }
}
