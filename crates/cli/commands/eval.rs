//! `earmark eval`

use crate::units::{parse_count, parse_folds, sound_path};
use clap::{Args, ValueEnum};
use earmark_eval::datasets::GroupBy;
use earmark_eval::datasets::{Layout, Task};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use earmark_engine::fit::FitOptions;
use earmark_engine::{Engine, Keep};
use earmark_eval::datasets::{Dataset, LoadOptions, load};
use earmark_eval::report::{self, EvalReport};
use earmark_eval::run::folds::{Fit, FoldChoice};
use earmark_eval::run::learned::Learned;
use earmark_eval::run::saved::Saved;
use earmark_eval::run::{Outcome, RunOptions, Stores, prompts, run as evaluate};
use earmark_eval::searches;
use earmark_index::{Collection, OpenOptions, Writer};
use earmark_library::Access;
use etcetera::BaseStrategy as _;

use crate::args::Global;
use crate::commands::labels;
use crate::label_args::SavedLabels;
use crate::output::note;
use crate::progress::{Progress, stop_on_ctrl_c};
use crate::{EXIT_INTERRUPTED, EXIT_SOME_FAILED, context, output};

/// Evaluate a model on labelled sounds
///
/// Reads ESC-50, UrbanSound8K, GTZAN, VocalSound, Speech Commands, AudioSet, FSD50K, AudioCaps and Clotho as
/// published, a folder with one subfolder per class, or a CSV or TSV table with a column `file` and `label`,
/// `labels` (separated by `;`), `caption`, or `onset`, `offset` and `label`. The report names missing and
/// broken files. Vectors of unchanged files come from the index; others are kept in the cache folder, so
/// Ctrl-C loses nothing and the next run is quick.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark eval ~/ESC-50 --out report
  earmark eval ~/my-sounds --prompts templates.txt
  earmark eval ~/UrbanSound8K --folds own --json
  earmark eval ~/ESC-50 --folds 5 --group-by src_file
  earmark eval ~/new-recordings --label-set machines
  earmark eval ~/samples --mapping names.csv
  earmark eval ~/samples --searches searches.csv")]
pub(crate) struct EvalArgs {
    /// Folder or table of the dataset
    #[arg(value_name = "PATH", value_parser = sound_path())]
    pub(crate) path: PathBuf,
    /// Layout of the dataset: esc50, esc10, urbansound8k, gtzan, vocalsound, speech-commands, audioset,
    /// fsd50k, audiocaps, clotho, folders, csv, mapping or text-files (a .txt with a caption next to each
    /// sound) [default: detected]
    #[arg(long, value_name = "LAYOUT")]
    pub(crate) kind: Option<Layout>,
    /// Task to evaluate, for a table that allows several
    #[arg(long, value_enum, value_name = "TASK")]
    pub(crate) task: Option<EvalTask>,
    /// Split of the dataset, or `all` [default: the one usually reported]
    #[arg(long, value_name = "NAME")]
    pub(crate) split: Option<String>,
    /// Folder that the paths in a table are relative to [default: the table's own folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) audio: Option<PathBuf>,
    /// Labels or captions by file name: a table as above in which `file` is a pattern such as `bd_*`
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// Searches of the index by sound, by name and by both: a table with the columns `query` and `file`, the
    /// latter a pattern of the paths in PATH that the query should find. PATH must be indexed
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "kind", "task", "split", "audio", "mapping", "names", "templates", "prompts", "folds", "label_set",
        "limit", "out",
    ])]
    pub(crate) searches: Option<PathBuf>,
    /// Texts for classes: one class per line, as name, tab, text
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
    /// Sentence to put labels and captions into, where `{}` stands for them (repeatable; the vectors are
    /// averaged)
    #[arg(long = "template", value_name = "TEXT")]
    pub(crate) templates: Vec<String>,
    /// File of templates to compare on the same clips, one per line; templates joined by ` | ` are averaged
    #[arg(long, value_name = "FILE")]
    pub(crate) prompts: Option<PathBuf>,
    /// Learn labels from the clips, as `earmark fit` does, and score each clip with a fit that has not seen
    /// it: over N random folds, or the dataset's `own` folds
    #[arg(long, value_name = "N|own", value_parser = parse_folds)]
    pub(crate) folds: Option<FoldChoice>,
    /// Keep clips of one recording in the same random fold. Either a column of the dataset's table, or a
    /// regular expression whose first group is the recording, such as '^(\d+)-'; it is matched against file
    /// names, or against paths within the dataset if it has a `/`
    #[arg(long, value_name = "COLUMN|PATTERN", requires = "folds")]
    pub(crate) group_by: Option<GroupBy>,
    /// Evaluate this saved label set instead of words. Its labels must be named as the dataset's classes. Use
    /// clips that the set was not fitted to, or it looks better than it is
    #[arg(long, value_name = "NAME", conflicts_with_all = ["folds", "prompts", "templates"])]
    pub(crate) label_set: Option<String>,
    /// Evaluate a random sample of N clips
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) limit: Option<usize>,
    /// Seed for the sample and the random folds
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Write report.html and report.json into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the report as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Exit with code 3 if anything could not be evaluated
    #[arg(long)]
    pub(crate) strict: bool,
}

/// What is asked of each clip.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum EvalTask {
    /// One label per clip
    Label,
    /// Any number of labels per clip
    Labels,
    /// Captions: retrieval in both directions
    Captions,
    /// When sounds occur
    Events,
}

impl From<EvalTask> for Task {
    fn from(task: EvalTask) -> Self {
        match task {
            EvalTask::Label => Self::SingleLabel,
            EvalTask::Labels => Self::MultiLabel,
            EvalTask::Captions => Self::Captions,
            EvalTask::Events => Self::Events,
        }
    }
}

/// Asks the searches of a table.
fn run_searches(global: &Global, args: &EvalArgs, table: &Path) -> Result<ExitCode> {
    let searches = searches::read(table)?;
    let library = context::library(global, context::place(global)?, Access::Once)?;
    let report = searches::run(&*library.engine()?, &*library.index()?, &args.path, &searches)?;
    if args.json {
        output::json(&report)?;
    } else {
        let mut out = output::stdout();
        out.write_all(report.table().as_bytes())?;
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn run(global: &Global, args: EvalArgs) -> Result<ExitCode> {
    if let Some(table) = &args.searches {
        return run_searches(global, &args, table);
    }
    let load_options = LoadOptions {
        layout: args.kind,
        task: args.task.map(Into::into),
        split: args.split,
        audio: args.audio,
        mapping: args.mapping,
        names: args.names,
        group_by: args.group_by,
    };
    if let (Some(FoldChoice::Own), Some(_)) = (args.folds, &load_options.group_by) {
        bail!("--group-by parts random folds; with --folds own the dataset says which clips belong together");
    }
    // First of all, so that a typing error does not wait for the model.
    let dataset = load(&args.path, &load_options)?;
    let compared = args.prompts.as_deref().map(prompts::read).transpose()?.unwrap_or_default();
    let saved = args.label_set.as_deref().map(|name| SavedLabels::of(global, name)).transpose()?;
    let model = saved.as_ref().map_or_else(|| context::model(global), |saved| saved.model(global))?;
    let engine = context::engine(global, model)?;
    let saved = saved.map(|saved| Ok::<_, anyhow::Error>((saved.encode(&engine)?, saved))).transpose()?;
    let index = context::index_of(global, &engine);
    let cache = cache_folder()?;
    let kept = kept_index(&cache, &engine)?;
    let threads = engine.pipeline_options(Keep::Segments).threads;
    let learned = Learned(FitOptions { seed: args.seed, threads, ..FitOptions::default() });
    let options = RunOptions {
        limit: args.limit,
        seed: args.seed,
        templates: args.templates,
        prompts: compared,
        saved: saved.as_ref().map(|(labels, saved)| Saved {
            name: saved.name().to_owned(),
            made: labels::made(saved.set()),
            labels,
        }),
        fit: args.folds.map(|choice: FoldChoice| (&learned as &dyn Fit, choice)),
    };
    let stop = stop_on_ctrl_c()?;
    let mut progress = Progress::new(global.quiet);
    let stores = Stores { index: index.as_deref(), kept: &kept, events: &cache.join("events") };
    let outcome = evaluate(&engine, &dataset, &stores, &options, &stop, |event| progress.tell(event));
    progress.finish();
    let report = match outcome? {
        Outcome::Report(report) => report,
        Outcome::Interrupted => {
            note!("interrupted; what was finished is kept, and the same command goes on from here");
            return Ok(ExitCode::from(EXIT_INTERRUPTED));
        }
    };
    if args.json {
        output::json(&report)?;
    } else {
        let mut out = output::stdout();
        out.write_all(report::table(&report).as_bytes())?;
        out.flush()?;
    }
    if let Some(out) = &args.out {
        write(out, &report).with_context(|| format!("writing the report to {}", out.display()))?;
        if !global.quiet {
            note!("report: {}", out.join("report.html").display());
        }
    }
    let calibrated = saved
        .as_ref()
        .map_or(engine.model().manifest().scores.calibrated, |(labels, _)| labels.readout.calibrated);
    context::tell_uncalibrated(&engine.model().manifest().id, calibrated, global);
    tell_skipped(global, &dataset, &report);
    let failed = args.strict && !report.skipped.is_empty();
    Ok(if failed { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS })
}

/// The folder for what evaluations keep for their next run.
fn cache_folder() -> Result<PathBuf> {
    let base =
        etcetera::choose_base_strategy().context("no home folder to keep vectors in; set XDG_CACHE_HOME")?;
    Ok(base.cache_dir().join("earmark").join("eval"))
}

/// What evaluations keep for their next run: vectors of the engine's model.
fn kept_index(cache: &Path, engine: &Engine) -> Result<Writer> {
    let options = OpenOptions::default();
    let collection = Collection::open_or_new(cache, &options)?;
    let space = collection.make(&engine.identity())?;
    let _hold = collection.hold()?;
    Ok(Writer::open(&space.path, Some(&engine.identity()), &options)?)
}

fn write(folder: &Path, report: &EvalReport) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("report.json"), serde_json::to_vec_pretty(report)?)?;
    std::fs::write(folder.join("report.html"), report::html(report))?;
    Ok(())
}

fn tell_skipped(global: &Global, dataset: &Dataset, report: &EvalReport) {
    if !report.skipped.is_empty() && !global.quiet {
        let count = report.skipped.len();
        note!(
            "{count} of the clips of {} could not be evaluated; the report says which and why",
            dataset.name
        );
    }
}
