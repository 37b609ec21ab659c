//! `earmark fit`

use crate::units::{parse_fold_count, parse_probability, sound_path};
use clap::Args;
use earmark_eval::datasets::GroupBy;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Result, bail};
use earmark_encoder::Embedding;
use earmark_engine::Engine;
use earmark_engine::clip_vectors::{OfFiles, clip_vectors};
use earmark_engine::fit::{self, FitOptions, Fitted, Labelled, Method, OutOfFold};
use earmark_engine::label_sets::{FitSummary, SavedSet, check_name};
use earmark_engine::labels::{Label, LabelSet};
use earmark_eval::datasets::{Dataset, LoadOptions, Task, Truth, load};
use earmark_eval::metrics;
use earmark_eval::report::{Classification, Interval};
use earmark_index::{IndexReader, stored_path};
use serde::Serialize;

use crate::args::Global;
use crate::output::note;
use crate::progress::LINE_EVERY;
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

#[derive(Serialize)]
struct Report {
    labelled: String,
    model: String,
    clips: usize,
    from_index: usize,
    /// Clips that were held out; all figures are of these.
    held_out: usize,
    folds: usize,
    /// Whether the parts are the dataset's own folds; else `seed` decides.
    own_folds: bool,
    /// How clips of one recording were recognised; they share a part.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_by: Option<String>,
    seed: u64,
    method: &'static str,
    text_weight: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    strength: Option<f32>,
    /// The words alone; `None` where the model has no text side.
    zero_shot: Option<Figures>,
    fitted: Option<Figures>,
    /// What `classify` would answer with the words alone; `None` where nothing was held out, or without
    /// words.
    zero_shot_answers: Option<Answers>,
    /// What `classify` would answer with the set; `None` where nothing was held out.
    answers: Option<Answers>,
    /// Share of the held-out clips that are answered "none of these" when their own label is left out, as is
    /// right then; `None` where nothing was held out.
    unknown_refused: Option<Interval>,
    /// The same before calibration.
    uncalibrated: Option<Figures>,
    labels: Vec<LabelRow>,
    /// Clips whose label is doubtful, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    doubtful: Option<Vec<Doubtful>>,
    failed: Vec<Failed>,
    saved: Option<String>,
}

/// Answers to clips that were held out, by a limit that was found without them.
#[derive(Clone, Copy, Serialize)]
struct Answers {
    /// Share that is answered rightly; "none of these" is not right.
    right: Interval,
    /// Share that is answered with "none of these".
    none: Interval,
}

#[derive(Clone, Copy, Serialize)]
struct Figures {
    accuracy: Interval,
    nll: f64,
    ece: f64,
}

#[derive(Serialize)]
struct LabelRow {
    label: String,
    clips: usize,
    /// Share of its held-out clips that were called so.
    recall: Option<f64>,
    threshold: f32,
}

#[derive(Serialize)]
struct Doubtful {
    file: String,
    label: String,
    probability: f32,
    rather: String,
    rather_probability: f32,
    /// Whether that is usual for clips so labelled; else the clip may just be hard.
    confident: bool,
}

#[derive(Serialize)]
struct Failed {
    path: String,
    reason: String,
}

/// The probabilities of the classes, and whether the answer is "none of these".
type Said<'a> = (&'a [f32], bool);

/// Labelled clips that could be used.
struct Clips {
    files: Vec<PathBuf>,
    vectors: Vec<Embedding>,
    truth: Vec<usize>,
    folds: Vec<Option<u32>>,
    /// Recordings, if they were asked for.
    recordings: Vec<Option<u32>>,
    from_index: usize,
    failed: Vec<Failed>,
}

impl Clips {
    /// Which clips belong together: those of a recording, if that was asked for, else those of a fold.
    fn groups(&self) -> Option<Vec<u32>> {
        self.recordings.iter().copied().collect::<Option<_>>().or_else(|| self.own_folds())
    }

    /// The dataset's own folds, where every clip is in one and there are several: they part clips that were cut from the
    /// same recording.
    fn own_folds(&self) -> Option<Vec<u32>> {
        let groups: Vec<u32> = self.folds.iter().copied().collect::<Option<_>>()?;
        let first = groups.first()?;
        groups.iter().any(|group| group != first).then_some(groups)
    }
}

pub(crate) fn run(global: &Global, args: &FitArgs) -> Result<ExitCode> {
    // First of all, so that a typing error does not wait for the model.
    if let Some(name) = &args.save {
        check_name(name)?;
    }
    let method: Method = args.method.parse()?;
    let (names, group_by) = (args.names.clone(), args.group_by.clone());
    let dataset = load(&args.labelled, &LoadOptions { names, group_by, ..Default::default() })?;
    if dataset.task != Task::SingleLabel {
        bail!("{}: expected one label a clip", args.labelled.display());
    }
    let engine = context::engine(global, context::model(global)?)?;
    let clips = clips(global, &engine, &dataset)?;
    let label = |class: &earmark_eval::datasets::Class| Label {
        name: class.name.clone(),
        prompts: vec![class.text.clone()],
    };
    let words = LabelSet::new(dataset.classes.iter().map(label).collect())?;
    let names: Vec<String> = dataset.classes.iter().map(|class| class.name.clone()).collect();
    let texts = match engine.model().manifest().has_text() {
        true => Some(words.encode(&engine, &args.templates)?.vectors),
        false => None,
    };
    let options = FitOptions {
        method,
        text_weight: args.text_weight,
        folds: args.folds,
        seed: args.seed,
        groups: clips.groups(),
        balanced: !args.keep_frequencies,
        threads: engine.pipeline_options(earmark_engine::Keep::Segments).threads,
    };
    let labelled =
        Labelled { vectors: &clips.vectors, truth: &clips.truth, names: &names, texts: texts.as_deref() };
    let last = Mutex::new(Instant::now());
    let told = |done, of| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if !global.quiet && last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            note!("{done} of {of} parts fitted");
        }
    };
    let fitted = fit::fit_told(&labelled, &engine.model().manifest().scores, &options, &told)
        .inspect_err(|_| tell(&clips.failed))?;
    let mut report = report(args, &engine, &names, clips, &fitted)?;
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

fn tell(failed: &[Failed]) {
    for failed in failed {
        note!("failed: {}: {}", output::short(&failed.path), output::reason(&failed.path, &failed.reason));
    }
}

fn clips(global: &Global, engine: &Engine, dataset: &Dataset) -> Result<Clips> {
    let failed = |problem: &earmark_eval::datasets::Problem| Failed {
        path: problem.path.clone(),
        reason: problem.reason.clone(),
    };
    let mut clips = Clips {
        files: Vec::new(),
        vectors: Vec::new(),
        truth: Vec::new(),
        folds: Vec::new(),
        recordings: Vec::new(),
        from_index: 0,
        failed: dataset.problems.iter().map(failed).collect(),
    };
    let files: Vec<PathBuf> = dataset.clips.iter().map(|clip| clip.path.clone()).collect();
    let index = context::index_of(global, engine);
    let OfFiles { results, from_index } =
        clip_vectors(engine, index.as_ref().map(|index| index as &dyn IndexReader), &files)?;
    clips.from_index = from_index;
    for (clip, result) in dataset.clips.iter().zip(results) {
        match (result, &clip.truth) {
            (Ok(vector), Truth::Labels(labels)) => {
                clips.files.push(clip.path.clone());
                clips.vectors.push(vector);
                clips.truth.extend(labels);
                clips.folds.push(clip.fold);
                clips.recordings.push(clip.group);
            }
            (Ok(_), _) => bail!("{}: expected one label a clip", clip.path.display()),
            (Err(e), _) => {
                clips.failed.push(Failed { path: stored_path(&clip.path), reason: e.to_string() });
            }
        }
    }
    Ok(clips)
}

fn report(
    args: &FitArgs,
    engine: &Engine,
    names: &[String],
    clips: Clips,
    fitted: &Fitted,
) -> Result<Report> {
    let held_out = &fitted.held_out;
    let truth: Vec<usize> = held_out.iter().map(|one| clips.truth[one.clip]).collect();
    let files: Vec<String> = held_out.iter().map(|one| stored_path(&clips.files[one.clip])).collect();
    let judge = |scores: &dyn Fn(&OutOfFold) -> Option<Vec<f32>>| -> Result<Option<Classification>> {
        match held_out.iter().map(scores).collect::<Option<Vec<_>>>() {
            Some(rows) if !rows.is_empty() => {
                Ok(Some(metrics::classification(names, &files, &rows, &truth, None)?))
            }
            _ => Ok(None),
        }
    };
    let figures = |c: &Classification| Figures {
        accuracy: c.accuracy.top1,
        nll: c.calibration.nll,
        ece: c.calibration.ece,
    };
    let calibrated = judge(&|one| Some(one.probabilities.clone()))?;
    let share = |is: &dyn Fn(&OutOfFold) -> bool| {
        metrics::wilson(held_out.iter().filter(|one| is(one)).count(), held_out.len())
    };
    let best = |probabilities: &[f32]| {
        (0..names.len()).rev().max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]))
    };
    let answers = |said: &dyn Fn(&OutOfFold) -> Option<Said<'_>>| {
        let is_right = |one: &OutOfFold| {
            said(one).is_some_and(|(row, none)| !none && best(row) == Some(clips.truth[one.clip]))
        };
        let is_none = |one: &OutOfFold| said(one).is_some_and(|(_, none)| none);
        let is_known = held_out.first().and_then(said).is_some();
        is_known.then(|| Answers { right: share(&is_right), none: share(&is_none) })
    };
    let row = |(class, name): (usize, &String)| LabelRow {
        label: name.clone(),
        clips: clips.truth.iter().filter(|&&own| own == class).count(),
        recall: calibrated.as_ref().map(|c| &c.classes[class]).filter(|c| c.support > 0).map(|c| c.recall),
        threshold: fitted.head.lines[class].threshold,
    };
    let doubtful = |suspect: fit::Suspect| Doubtful {
        file: stored_path(&clips.files[suspect.clip]),
        label: names[suspect.given].clone(),
        probability: suspect.given_probability,
        rather: names[suspect.rather].clone(),
        rather_probability: suspect.rather_probability,
        confident: suspect.confident,
    };
    let suspects = || fit::suspects(held_out, &clips.truth, names.len());
    Ok(Report {
        labelled: args.labelled.display().to_string(),
        model: engine.model().manifest().id.clone(),
        clips: clips.files.len(),
        from_index: clips.from_index,
        held_out: held_out.len(),
        folds: held_out.iter().map(|one| one.fold + 1).max().unwrap_or(0),
        own_folds: args.group_by.is_none() && clips.own_folds().is_some(),
        group_by: args.group_by.as_ref().map(ToString::to_string),
        seed: args.seed,
        method: if fitted.chosen.method == Method::Linear { "linear" } else { "prototypes" },
        text_weight: fitted.chosen.text_weight,
        strength: fitted.chosen.strength,
        zero_shot: judge(&|one| Some(one.zero_shot.as_ref()?.probabilities.clone()))?.as_ref().map(figures),
        uncalibrated: judge(&|one| Some(one.uncalibrated.clone()))?.as_ref().map(figures),
        fitted: calibrated.as_ref().map(figures),
        zero_shot_answers: answers(&|one| {
            one.zero_shot.as_ref().map(|words| (words.probabilities.as_slice(), words.none))
        }),
        answers: answers(&|one| Some((&one.probabilities, one.none))),
        unknown_refused: (!held_out.is_empty()).then(|| share(&|one| one.none_without_class)),
        labels: names.iter().enumerate().map(row).collect(),
        doubtful: args.audit.then(|| suspects().into_iter().map(doubtful).collect()),
        failed: clips.failed,
        saved: None,
    })
}

fn interval(interval: Interval) -> String {
    format!("{:.1} to {:.1} %", 100.0 * interval.low, 100.0 * interval.high)
}

fn print(report: &Report) -> Result<()> {
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
