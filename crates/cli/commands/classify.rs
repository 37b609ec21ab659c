//! `earmark classify`

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use earmark_library::{Classified, ClassifyAnswer, ClassifyRequest, Filter, LabelScore, Pooling};

use crate::args::Global;
use crate::ask::{Answerer, ServerArgs};
use crate::format::{Format, FormatArgs, Printer, Row};
use crate::label_args::LabelArgs;
use crate::output::{self, note};
use crate::sources::{names, stdin_of};
use crate::units::{parse_count, parse_probability, sound_path};
use crate::{EXIT_SOME_FAILED, context, familiarity};

/// Label clips with any words
///
/// The answer is the label that fits best, with its probability among the given labels, or "none of these" if
/// nothing fits. For words, that is when "none of these" is more probable; for a fitted set, when the best
/// label is below the limit found on held-out clips. With --multi, each label is judged separately.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark classify index-data/sounds/animals --labels \"dog, cat, bird\"
  earmark classify --indexed --labels-file labels.csv --csv
  earmark classify clip.wav --label-set machines --threshold 0.6
  curl -s https://example.org/clip.ogg | earmark classify - --labels \"rain, applause\" --multi")]
pub(crate) struct ClassifyArgs {
    /// Sound files and folders; `-` reads standard input
    #[arg(value_name = "FILE", required_unless_present = "indexed", conflicts_with = "indexed",
        value_parser = sound_path())]
    files: Vec<PathBuf>,
    /// Classify the clips in the index instead, from their stored vectors
    #[arg(long)]
    indexed: bool,
    #[command(flatten)]
    labels: LabelArgs,
    /// Sentence to put labels into, where `{}` stands for the label (repeatable; the vectors are averaged)
    #[arg(long = "template", value_name = "TEXT")]
    templates: Vec<String>,
    /// Judge each label separately: any number of them may fit
    #[arg(long)]
    multi: bool,
    /// Probability that the best label must reach, else the answer is "none of these"; with --multi, that
    /// each label must reach [default: see above; with --multi 0.5, or each label's own in a fitted set]
    #[arg(long, value_name = "P", value_parser = parse_probability)]
    threshold: Option<f32>,
    /// Number of labels to show for each clip
    #[arg(long, value_name = "N", value_parser = parse_count)]
    top: Option<usize>,
    /// How to combine the segments of a long file: mean (what it is about), max (whether a label occurs at
    /// all), attention (between the two)
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pooling: Pooling,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Labels shown for the only clip; for several, one line each.
const TOP_OF_ONE: usize = 5;

impl Row for Classified {
    const COLUMNS: &'static [&'static str] = &["file", "rank", "label", "probability", "cosine", "accepted"];

    fn records(&self, _: usize) -> Vec<Vec<String>> {
        let record = |(i, s): (usize, &LabelScore)| {
            vec![
                self.file().to_owned(),
                (i + 1).to_string(),
                s.label.clone(),
                format!("{:.4}", s.probability),
                format!("{:.4}", s.cosine),
                self.accepted.contains(&s.label).to_string(),
            ]
        };
        self.scores.iter().enumerate().map(record).collect()
    }
}

/// What people call a sound.
trait File {
    fn file(&self) -> &str;
}

impl File for Classified {
    /// The clip's path, or the file's name.
    fn file(&self) -> &str {
        self.path.as_ref().unwrap_or(&self.source)
    }
}

pub(crate) fn run(global: &Global, args: ClassifyArgs) -> Result<ExitCode> {
    if !args.indexed && !args.filter.is_open() {
        bail!("--path, --with-tag and the like choose among the clips of the index; add --indexed");
    }
    let (format, top) = (args.format.format(), args.top);
    let place = context::place(global)?;
    // The vectors of the index decide which model compares with them.
    let label_set = args.labels.label_set.as_deref().filter(|_| !args.indexed);
    let answerer = Answerer::new(global, &args.server, place.for_label_set(label_set)?)?;
    let stdin = stdin_of(&args.files)?;
    let request = args.request()?;
    let mut printer = Printer::new(format);
    let (mut results, mut classified, mut failed) = (Vec::new(), 0, 0);
    let answer = answerer.classify(&request, stdin, &mut |some| {
        for one in &some {
            failed += usize::from(tell(one));
        }
        classified += some.len();
        printer.rows(&some)?;
        if matches!(format, Format::Text | Format::Json) {
            results.extend(some);
        }
        Ok(())
    })?;
    familiarity::warn(&answer.texts, global);
    if classified == 0 && !global.quiet {
        note!("none of the {} clips in the index passes the filters", answerer.info()?.clips);
    }
    let (model, calibrated) = (answer.model.clone(), answer.calibrated);
    let answer = ClassifyAnswer { results, ..answer };
    printer.finish::<Classified>(&answer, |out| print(out, &answer.results, top))?;
    context::tell_uncalibrated(&model, calibrated, global);
    Ok(if failed > 0 { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS })
}

impl ClassifyArgs {
    fn request(self) -> Result<ClassifyRequest> {
        Ok(ClassifyRequest {
            filter: self.indexed.then(|| context::filter(self.filter)),
            files: names(&self.files),
            labels: self.labels.words()?,
            label_set: self.labels.label_set,
            templates: self.templates,
            multi: self.multi,
            threshold: self.threshold,
            pooling: self.pooling,
            top: self.top,
            ..ClassifyRequest::default()
        })
    }
}

/// Tells what is wrong with a sound; whether it could not be used.
fn tell(classified: &Classified) -> bool {
    output::remarks(classified.file(), &classified.remarks);
    if let Some(error) = &classified.error {
        output::failed(&classified.source, &error.detail);
    }
    classified.error.is_some()
}

fn print(out: &mut dyn Write, results: &[Classified], top: Option<usize>) -> Result<()> {
    let results: Vec<&Classified> = results.iter().filter(|result| result.error.is_none()).collect();
    if let [only] = results.as_slice() {
        writeln!(out, "{}", verdict(only))?;
        let rows: Vec<Vec<String>> = only.scores.iter().take(top.unwrap_or(TOP_OF_ONE)).map(cells).collect();
        output::table(out, &[false, true], &rows)?;
        if let Some(none) = only.none_probability {
            writeln!(out, "  (none of these {none:.2})")?;
        }
        return Ok(());
    }
    let rows: Vec<Vec<String>> = results.iter().map(|result| line(result, top.unwrap_or(1))).collect();
    Ok(output::table(out, &[], &rows)?)
}

fn verdict(result: &Classified) -> String {
    let what =
        if result.accepted.is_empty() { "none of these".to_owned() } else { result.accepted.join(", ") };
    format!("{}: {what}", output::printable(result.file()))
}

fn cells(s: &LabelScore) -> Vec<String> {
    let bar = "#".repeat((s.probability * 30.0).round() as usize);
    vec![format!("  {}", s.label), format!("{:.2}", s.probability), bar]
}

/// A clip among several: the path, and its best labels or every accepted one.
fn line(result: &Classified, top: usize) -> Vec<String> {
    let shown = top.max(result.accepted.len());
    let labels: Vec<String> =
        result.scores.iter().take(shown).map(|s| format!("{} {:.2}", s.label, s.probability)).collect();
    let text = if result.accepted.is_empty() {
        format!("none of these (nearest: {})", labels.join(", "))
    } else {
        labels.join(", ")
    };
    vec![output::short(result.file()), text]
}
