//! `earmark events`

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use earmark_index::stored_path;
use earmark_library::{Event, EventsRequest, parse_seconds};

use crate::args::Global;
use crate::ask::{Answerer, ServerArgs};
use crate::format::{FormatArgs, Row, emit};
use crate::label_args::LabelArgs;
use crate::output::{self, note};
use crate::sources::stdin_of;
use crate::units::{amount, clock, sound_path};
use crate::{context, familiarity};

/// Find when sounds occur in a recording
///
/// Short windows slide over the recording. An event begins where the probability of its label reaches the
/// threshold. With `mini`, similar labels compete: of "animal" and "dog bark", the weaker may be lost.
/// Defaults depend on the model; `earmark models show NAME` lists them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark events index-data/sounds/events/dog-in-rain.wav --labels \"dog bark, rain\"
  earmark events night.flac --labels \"owl, car\" --audacity > labels.txt")]
pub(crate) struct EventsArgs {
    /// Sound file; `-` reads standard input
    #[arg(value_name = "FILE", value_parser = sound_path())]
    file: PathBuf,
    #[command(flatten)]
    labels: LabelArgs,
    /// Sentence to put labels into, where `{}` stands for the label (repeatable)
    #[arg(long = "template", value_name = "TEXT")]
    templates: Vec<String>,
    /// Probability at which an event begins [default: 0.5; each label's own in a fitted set]
    #[arg(long, value_name = "P")]
    threshold: Option<f32>,
    /// Probability below which an event ends [default: the model's share of the threshold]
    #[arg(long, value_name = "P")]
    release: Option<f32>,
    /// Time between windows [default: the model's]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    hop: Option<f64>,
    /// Length of the median filter over probabilities; 0 for none [default: the model's]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    smooth: Option<f64>,
    /// Drop shorter events [default: the model's]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    min_duration: Option<f64>,
    /// Join events of the same label that are closer than this [default: the model's]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    merge_gap: Option<f64>,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    format: FormatArgs,
    /// Print an Audacity label track
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    audacity: bool,
}

impl Row for Event {
    const COLUMNS: &'static [&'static str] = &["onset_s", "offset_s", "label", "score"];

    fn records(&self, _: usize) -> Vec<Vec<String>> {
        vec![vec![
            format!("{:.3}", self.onset_s),
            format!("{:.3}", self.offset_s),
            self.label.clone(),
            format!("{:.3}", self.score),
        ]]
    }
}

pub(crate) fn run(global: &Global, args: EventsArgs) -> Result<ExitCode> {
    let (format, audacity) = (args.format.format(), args.audacity);
    let place = context::place(global)?.for_label_set(args.labels.label_set.as_deref())?;
    let answerer = Answerer::new(global, &args.server, place)?;
    let stdin = stdin_of(std::slice::from_ref(&args.file))?;
    let answer = answerer.events(&args.request()?, stdin)?;
    familiarity::warn(&answer.texts, global);
    output::remarks(&answer.source, &answer.remarks);
    let events = &answer.events;
    let text = |out: &mut dyn Write| if audacity { print_audacity(out, events) } else { print(out, events) };
    emit(format, &answer, events, text)?;
    context::tell_uncalibrated(&answer.model, answer.calibrated, global);
    if events.is_empty() && !global.quiet {
        let level = answer.threshold.map_or("its own threshold".to_owned(), |level| format!("{level:.2}"));
        note!(
            "nothing heard in {} of audio: no label reaches {level}; a lower --threshold hears more",
            amount(answer.duration_s)
        );
    }
    Ok(ExitCode::SUCCESS)
}

impl EventsArgs {
    fn request(self) -> Result<EventsRequest> {
        Ok(EventsRequest {
            file: Some(stored_path(&self.file)),
            labels: self.labels.words()?,
            label_set: self.labels.label_set,
            templates: self.templates,
            threshold: self.threshold,
            release: self.release,
            hop_s: self.hop,
            smooth_s: self.smooth,
            min_duration_s: self.min_duration,
            merge_gap_s: self.merge_gap,
            ..EventsRequest::default()
        })
    }
}

fn print(out: &mut dyn Write, events: &[Event]) -> Result<()> {
    let cells = |e: &Event| {
        let stretch = format!("{} - {}", clock(e.onset_s), clock(e.offset_s));
        vec![stretch, format!("{:.2}", e.score), e.label.clone()]
    };
    Ok(output::table(out, &[true, true], &events.iter().map(cells).collect::<Vec<_>>())?)
}

fn print_audacity(out: &mut dyn Write, events: &[Event]) -> Result<()> {
    for e in events {
        writeln!(out, "{:.6}\t{:.6}\t{}", e.onset_s, e.offset_s, e.label)?;
    }
    Ok(())
}
