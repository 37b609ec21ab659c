//! `earmark eval`

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
use earmark_index::{Collection, IndexReader, OpenOptions, Writer};
use etcetera::BaseStrategy as _;

use crate::args::{EvalArgs, Global};
use crate::commands::labels;
use crate::label_source::LabelSource;
use crate::output::note;
use crate::progress::{Progress, stop_on_ctrl_c};
use crate::{EXIT_INTERRUPTED, EXIT_SOME_FAILED, context, output};

pub(crate) fn run(global: &Global, args: EvalArgs) -> Result<ExitCode> {
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
    let saved = args.label_set.as_deref().map(|name| LabelSource::saved(global, name)).transpose()?;
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
    let stores = Stores {
        index: index.as_ref().map(|index| index as &dyn IndexReader),
        kept: &kept,
        events: &cache.join("events"),
    };
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
    context::tell_uncalibrated(&engine, calibrated, global);
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
