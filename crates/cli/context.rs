//! What commands share: where things are, models, engines, filters, labels. Opening the index is in `open`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use earmark_audio::{Ffmpeg, ReadOptions};
use earmark_encoder::{Catalogue, GraphCache, Model, Runtime};
use earmark_engine::label_sets::LabelSets;
use earmark_engine::labels::LabelSet;
use earmark_engine::tag::Tagger;
use earmark_engine::{Engine, EngineOptions};
use earmark_hub::Installer;
use earmark_index::{Filter, IndexEvent, Writer};
use earmark_server::Config;
use etcetera::BaseStrategy;

use crate::args::{FilterArgs, Global};
use crate::output::note;

pub(crate) use crate::open::{
    create_index_and_model, index_of, open_index, open_index_and_model, open_index_to_change,
};

/// The folder of the index.
pub(crate) fn db_dir(global: &Global) -> Result<PathBuf> {
    if let Some(dir) = &global.db {
        return Ok(dir.clone());
    }
    // In a checkout the index lives with the project, where git ignores it.
    if Path::new("index-data").is_dir() && Path::new("crates/cli/main.rs").is_file() {
        return Ok(PathBuf::from("index-data/default.earmark"));
    }
    let base = etcetera::choose_base_strategy().context("no home folder; name an index with --db")?;
    Ok(base.data_dir().join("earmark").join("default.earmark"))
}

/// The models that can be used, and those that can be had.
pub(crate) fn catalogue() -> Catalogue {
    let [own, installed] = model_folders();
    Catalogue::new(own, installed)
}

/// What installs models into the data folder.
pub(crate) fn installer() -> Result<Installer> {
    let [own, installed] = model_folders();
    Ok(Installer::new(installed.context("no home folder to keep models in; set XDG_DATA_HOME")?, own))
}

/// The folders of the user's own models, and of installed ones.
pub(crate) fn model_folders() -> [Option<PathBuf>; 2] {
    let base = etcetera::choose_base_strategy().ok();
    let models = |folder: PathBuf| folder.join("earmark").join("models");
    [base.as_ref().map(|base| models(base.config_dir())), base.as_ref().map(|base| models(base.data_dir()))]
}

/// A model by name, or the bundled one.
pub(crate) fn model(global: &Global) -> Result<Model> {
    Ok(catalogue().open(global.model.as_deref().unwrap_or(Catalogue::default_name()))?)
}

/// The tagger that is named, or the first that is bundled.
pub(crate) fn tagger(global: &Global) -> Result<Tagger> {
    let catalogue = catalogue();
    let model = match &global.model {
        Some(name) => catalogue.open(name)?,
        None => catalogue
            .open(Catalogue::default_tagger().context("no tagger is bundled; name one with --model")?)?,
    };
    Ok(Tagger::new(model, runtime(global)?, engine_options(global)?)?)
}

/// An engine for a model.
pub(crate) fn engine(global: &Global, model: Model) -> Result<Engine> {
    Ok(Engine::new(model, runtime(global)?, engine_options(global)?))
}

/// ONNX Runtime, with the device that is wanted and the cache of optimised graphs.
pub(crate) fn runtime(global: &Global) -> Result<Runtime> {
    let runtime = Runtime::load(global.onnxruntime.as_deref())?;
    Ok(runtime.on(global.device.unwrap_or_default())?.with_graphs(graph_cache(global)))
}

/// Where optimised graphs are kept.
pub(crate) fn graph_cache(global: &Global) -> Option<GraphCache> {
    let folder = match &global.graph_cache {
        Some(folder) => PathBuf::from(folder),
        None => etcetera::choose_base_strategy().ok()?.cache_dir().join("earmark").join("graphs"),
    };
    (!folder.as_os_str().is_empty()).then(|| GraphCache::at(folder))
}

/// How an engine works, as the options say.
pub(crate) fn engine_options(global: &Global) -> Result<EngineOptions> {
    Ok(EngineOptions {
        threads: global.threads.map_or(0, usize::from),
        batch: global.batch.map_or(0, usize::from),
        read: read_options(global)?,
        notice: (!global.quiet).then_some(|text| note!("{text}")),
    })
}

/// How sound files are read: what is not decoded here, by the ffmpeg that is named or the first in `PATH`.
pub(crate) fn read_options(global: &Global) -> Result<ReadOptions> {
    let ffmpeg = match &global.ffmpeg {
        _ if global.no_ffmpeg => None,
        Some(program) if program.is_empty() => None,
        Some(program) => {
            Some(Ffmpeg::at(Path::new(program)).with_context(|| format!("--ffmpeg {}", program.display()))?)
        }
        None => std::env::var_os("PATH").and_then(|path| Ffmpeg::find(&path)),
    };
    Ok(ReadOptions { ffmpeg, ..ReadOptions::default() })
}

/// Says on standard error what happened to the index, such as damage that was mended.
pub(crate) fn tell_events(events: Vec<IndexEvent>, global: &Global) {
    for event in events {
        if !global.quiet {
            note!("index: {event}");
        }
    }
}

/// Gives back the room of what was removed. That it cannot be given back now is no failure.
pub(crate) fn tidy(index: Writer) {
    if let Err(e) = index.tidy() {
        note!("index: the room of removed clips could not be given back ({e})");
    }
}

/// The filter that the options describe.
pub(crate) fn filter(args: &FilterArgs) -> Filter {
    Filter {
        path_glob: args.path_glob.as_deref().map(whole_path_glob),
        path_prefix: None,
        tags: args.tags.clone(),
        formats: args.formats.clone(),
        min_duration_s: args.min_duration,
        max_duration_s: args.max_duration,
        indexed_since_unix_s: args.since,
    }
}

/// Globs match whole paths; one that begins with a folder's name is meant anywhere, one that begins with `.`
/// from here.
fn whole_path_glob(glob: &str) -> String {
    let from_here = glob.starts_with("./") || glob.starts_with("../");
    match earmark_engine::absolute_path(Path::new(glob)) {
        Ok(path) if from_here => path.display().to_string(),
        _ if glob.contains('/') && !glob.starts_with('/') && !glob.starts_with("**") => format!("**/{glob}"),
        _ => glob.to_owned(),
    }
}

/// The words that the options describe.
pub(crate) fn words(list: Option<&str>, file: Option<&Path>) -> Result<LabelSet> {
    Ok(match file {
        Some(file) => LabelSet::from_file(file)?,
        None => LabelSet::from_list(list.unwrap_or_default())?,
    })
}

/// The saved label sets.
pub(crate) fn label_sets(global: &Global) -> Result<LabelSets> {
    Ok(LabelSets::new(&db_dir(global)?, Config::default().limits.label_sets))
}

/// Says so where probabilities were not calibrated.
pub(crate) fn tell_uncalibrated(engine: &Engine, calibrated: bool, global: &Global) {
    if !calibrated && !global.quiet {
        let manifest = engine.model().manifest();
        match manifest.scores.calibrated {
            false => note!("note: the probabilities of model `{}` are uncalibrated", manifest.id),
            true => note!(
                "note: the probabilities of this label set are uncalibrated: no clip could be held out when it was fitted"
            ),
        }
    }
}
