//! `earmark fit`

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use earmark_engine::fit::{FitOptions, Method};
use earmark_engine::label_sets::{FitSummary, SavedSet, check_name};
use earmark_eval::datasets::{GroupBy, LoadOptions, load};
use earmark_eval::fitting::{
    self, Answers, Doubtful, FailedClip, Figures, FitReport, FitSettings, LabelRow, LabelledClips, Learnt,
};
use earmark_eval::report::Interval;

use crate::args::Global;
use crate::output::note;
use crate::progress::LINE_EVERY;
use crate::units::{parse_fold_count, parse_probability, sound_path};
use crate::{EXIT_SOME_FAILED, context, output};

/// Learn labels from a few labelled clips
///
/// Two methods are tried: the mean of each class's clips, mixed with the words of its name (prototypes), and
/// logistic regression that starts from the words (linear). Held-out clips decide which method is used,
/// calibrate the probabilities, and set the limit for "none of these" and each label's threshold for --multi
/// and events. The printed figures are cross-validated, next to those of the words alone on the same clips.
/// Vectors of unchanged files come from the index. A saved set works only with the model it was fitted for.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark fit ~/my-sounds --save machines
  earmark fit labels.csv --audit --group-by recording
  earmark classify clip.wav --label-set machines
  earmark events night.flac --label-set machines")]
pub(crate) struct FitArgs {
    /// Labelled clips: a folder with one subfolder per class, a CSV table (file,label), or a dataset that
    /// `earmark eval` reads
    #[arg(value_name = "LABELLED", value_parser = sound_path())]
    pub(crate) labelled: PathBuf,
    /// Save the label set under this name next to the index, replacing any set of that name [default: only
    /// report]
    #[arg(long, value_name = "NAME")]
    pub(crate) save: Option<String>,
    /// Method: prototypes, linear, or auto (prototypes, unless linear is clearly better on held-out clips)
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = ["auto", "prototypes", "linear"])]
    pub(crate) method: String,
    /// Weight of the words, 0 to 1 [default: the best on held-out clips]
    #[arg(long, value_name = "W", value_parser = parse_probability)]
    pub(crate) text_weight: Option<f32>,
    /// Texts for classes: one class per line, as name, tab, text [default: the names of the classes]
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
    /// Sentence to put the words into, where `{}` stands for them (repeatable; the vectors are averaged)
    #[arg(long = "template", value_name = "TEXT")]
    pub(crate) templates: Vec<String>,
    /// Number of folds for cross-validation; a dataset's own folds, or recordings (--group-by), are not split
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = parse_fold_count)]
    pub(crate) folds: usize,
    /// Seed for the assignment of clips to folds
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Keep clips of one recording in the same fold. Either a column of the table, or a regular expression
    /// whose first group is the recording, such as '^(\d+)-'; it is matched against file names, or against
    /// paths within the folder if it has a `/`
    #[arg(long, value_name = "COLUMN|PATTERN")]
    pub(crate) group_by: Option<GroupBy>,
    /// Assume that classes are as frequent as among these clips, instead of equally frequent
    #[arg(long)]
    pub(crate) keep_frequencies: bool,
    /// List clips whose label looks wrong, the most doubtful first
    #[arg(long)]
    pub(crate) audit: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Doubtful labels listed in a table; --json lists all.
const LISTED: usize = 50;

pub(crate) fn run(global: &Global, args: &FitArgs) -> Result<ExitCode> {
    // First of all, so that a typing error does not wait for the model.
    if let Some(name) = &args.save {
        check_name(name)?;
    }
    let method: Method = args.method.parse()?;
    let (names, group_by) = (args.names.clone(), args.group_by.clone());
    let dataset = load(&args.labelled, &LoadOptions { names, group_by, ..Default::default() })?;
    fitting::check(&args.labelled, &dataset)?;
    let engine = context::engine(global, context::model(global)?)?;
    let index = context::index_of(global, &engine);
    let index = index.as_deref();
    let clips = LabelledClips::read(&engine, index, &dataset)?;
    let settings = FitSettings {
        labelled: args.labelled.display().to_string(),
        templates: args.templates.clone(),
        options: FitOptions {
            method,
            text_weight: args.text_weight,
            folds: args.folds,
            seed: args.seed,
            groups: None,
            balanced: !args.keep_frequencies,
            threads: engine.pipeline_options(earmark_engine::Keep::Segments).threads,
        },
        group_by: args.group_by.as_ref().map(ToString::to_string),
        audit: args.audit,
    };
    let last = Mutex::new(Instant::now());
    let told = |done, of| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if !global.quiet && last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            note!("{done} of {of} parts fitted");
        }
    };
    let Learnt { words, fitted, mut report } =
        fitting::fit(&engine, &dataset, &clips, &settings, &told).inspect_err(|_| tell(&clips.failed))?;
    if let Some(name) = &args.save {
        let summary = FitSummary {
            method: report.method.to_owned(),
            text_weight: report.text_weight,
            clips: report.clips,
            held_out: report.held_out,
            accuracy: report.fitted.map(|f| f.accuracy.value),
            answered: report.answers.map(|a| a.right.value),
            unknown_refused: report.unknown_refused.map(|refused| refused.value),
            zero_shot_accuracy: report.zero_shot.map(|f| f.accuracy.value),
            zero_shot_answered: report.zero_shot_answers.map(|a| a.right.value),
            ece: report.fitted.map(|f| f.ece),
        };
        let set = SavedSet::of(&words, args.templates.clone());
        context::label_sets(global)?.put_fitted(name, set, engine.identity(), fitted.head, summary)?;
        report.saved = Some(name.clone());
    }
    if args.json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    tell(&report.failed);
    if !global.quiet {
        let right = |answers: Option<Answers>| answers.map(|a| a.right.value);
        if let (Some(fitted), Some(words)) = (right(report.answers), right(report.zero_shot_answers))
            && fitted < words
        {
            note!("on held-out clips the fit answers worse than the words alone; more clips may help");
        }
        match &args.save {
            Some(name) => note!("saved; `earmark classify FILE --label-set {name}` uses it"),
            None => note!("nothing is saved; --save NAME keeps it"),
        }
    }
    Ok(if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_SOME_FAILED) })
}

fn tell(failed: &[FailedClip]) {
    for failed in failed {
        note!("failed: {}: {}", output::short(&failed.path), output::reason(&failed.path, &failed.reason));
    }
}

fn interval(interval: Interval) -> String {
    format!("{:.1} to {:.1} %", 100.0 * interval.low, 100.0 * interval.high)
}

fn print(report: &FitReport) -> Result<()> {
    let mut out = output::stdout();
    writeln!(
        out,
        "{} labels, {} clips ({} from the index); {} of them held out in {} parts{}",
        report.labels.len(),
        report.clips,
        report.from_index,
        report.held_out,
        report.folds,
        match &report.group_by {
            Some(by) => format!(", clips of a recording together by {by}"),
            None if report.own_folds => ", the dataset's own folds".to_owned(),
            None => String::new(),
        }
    )?;
    let strength = report.strength.map_or_else(String::new, |strength| format!(", strength {strength}"));
    writeln!(out, "chosen: {}, weight of the words {}{strength}\n", report.method, report.text_weight)?;
    let header =
        ["", "best label right", "answered rightly", "95 % interval", "log loss", "calibration error"];
    let line = |(name, figures, answers): (&str, &Option<Figures>, &Option<Answers>)| {
        let Figures { accuracy, nll, ece } = (*figures)?;
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let answered = answers.map(|a| (percent(a.right.value), interval(a.right)));
        let (answered, interval) = answered.unwrap_or_default();
        let (nll, ece) = (format!("{nll:.3}"), format!("{ece:.3}"));
        Some(vec![name.to_owned(), percent(accuracy.value), answered, interval, nll, ece])
    };
    let lines = [
        ("words alone", &report.zero_shot, &report.zero_shot_answers),
        ("fitted, before calibration", &report.uncalibrated, &None),
        ("fitted", &report.fitted, &report.answers),
    ];
    let header = header.map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(lines.into_iter().filter_map(line)).collect();
    if report.held_out > 0 {
        output::table(&mut out, &[false, true, true, true, true, true], &rows)?;
    } else {
        writeln!(out, "every label has one clip only, so nothing can be held out, measured or calibrated")?;
    }
    if let (Some(answers), Some(refused)) = (report.answers, report.unknown_refused) {
        writeln!(
            out,
            "it answers {:.1} % of them with \"none of these\", and {:.1} % if their own label is left out",
            100.0 * answers.none.value,
            100.0 * refused.value
        )?;
    }
    writeln!(out)?;
    let header = ["label", "clips", "found", "threshold"].map(str::to_owned).to_vec();
    let row = |label: &LabelRow| {
        let recall = match label.recall {
            Some(recall) => format!("{:.0} %", 100.0 * recall),
            None => "never held out".to_owned(),
        };
        let threshold = format!("{:.2}", label.threshold);
        vec![output::cell(&label.label), label.clips.to_string(), recall, threshold]
    };
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(report.labels.iter().map(row)).collect();
    output::table(&mut out, &[false, true, true, true], &rows)?;
    if let Some(doubtful) = &report.doubtful {
        let confident = doubtful.iter().filter(|d| d.confident).count();
        writeln!(out, "\ndoubtful labels: {}, {confident} of them very doubtful", doubtful.len())?;
        let row = |d: &Doubtful| {
            let label = |name: &str, p: f32| format!("{} {p:.2}", output::cell(name));
            let how = if d.confident { "rather" } else { "perhaps" };
            let rather = format!("{how} {}", label(&d.rather, d.rather_probability));
            vec![label(&d.label, d.probability), rather, output::short(&d.file)]
        };
        let rows: Vec<Vec<String>> = doubtful.iter().take(LISTED).map(row).collect();
        output::table(&mut out, &[], &rows)?;
        if doubtful.len() > LISTED {
            writeln!(out, "and {} more; --json lists them", doubtful.len() - LISTED)?;
        }
    }
    Ok(out.flush()?)
}
