//! What commands share: where things are, how models are run, what the index reports.

use std::path::Path;

use anyhow::{Context as _, Result};
use earmark_encoder::{GraphCache, Model, Runtime};
use earmark_engine::label_sets::LabelSets;
use earmark_engine::{Engine, EngineError};
use earmark_hub::Installer;
use earmark_index::{Collection, Error as IndexError, IndexEvent, OpenOptions};
use earmark_library::{
    Access, Chosen, Error, Filter, Library, LibraryOptions, Location, Place, Reader, Settings, Writer,
};

use crate::args::{Global, WaitArgs};
use crate::output::{self, note};
use crate::remedies;

/// Where the index lies.
pub(crate) fn location(global: &Global) -> Result<Location> {
    if let Some(location) = &global.db {
        return Ok(location.read("db")?);
    }
    // In a checkout the index lives with the project, where git ignores it.
    if Path::new("index-data").is_dir() && Path::new("crates/cli/main.rs").is_file() {
        return Ok(Location::Folder("index-data/default.earmark".into()));
    }
    let data = earmark_library::data_folder().context("no home folder; name an index with --db")?;
    Ok(Location::Folder(data.join("default.earmark")))
}

/// The index and the model that a command line names.
pub(crate) fn place(global: &Global) -> Result<Place> {
    Ok(Place { model: global.model.clone(), ..Place::at(location(global)?) })
}

/// How models are run and files are read.
pub(crate) fn settings(global: &Global) -> Settings {
    Settings {
        onnxruntime: global.onnxruntime.clone(),
        device: global.device.unwrap_or_default(),
        graph_cache: global.graph_cache.clone(),
        threads: global.threads.map_or(0, usize::from),
        batch: global.batch.map_or(0, usize::from),
        ffmpeg: if global.no_ffmpeg { Some("".into()) } else { global.ffmpeg.clone() },
        notice: (!global.quiet).then_some(|text| note!("{text}")),
        ..Settings::default()
    }
}

/// The library of a place.
pub(crate) fn library(global: &Global, place: Place, access: Access) -> Result<Library> {
    let options = LibraryOptions { access, settings: settings(global), ..LibraryOptions::default() };
    let library = Library::open(place, options)?;
    tell_events(library.take_events(), global);
    Ok(library)
}

/// A command searches once and ends.
fn once() -> OpenOptions {
    OpenOptions { once: true, ..OpenOptions::default() }
}

/// The spaces of the index, which must be there.
pub(crate) fn collection(global: &Global) -> Result<Collection> {
    Ok(place(global)?.collection(&once())?)
}

/// The index, for reading, whatever made it.
pub(crate) fn open_index(global: &Global) -> Result<Reader> {
    let index = place(global)?.open_index(&once())?.1;
    tell_events(index.take_events(), global);
    Ok(index)
}

/// As [`open_index`]; `None` if nothing was indexed yet, or nothing with the model that is named.
pub(crate) fn open_index_if_any(global: &Global) -> Result<Option<Reader>> {
    match place(global)?.open_index(&once()) {
        Err(Error::Engine(EngineError::Index(
            IndexError::NotFound { .. } | IndexError::UnknownSpace { .. },
        ))) => Ok(None),
        opened => Ok(Some(opened?.1)),
    }
}

/// Opens an index to write. If another process is writing it and waiting is wanted, says for whom it waits.
pub(crate) fn waiting<T>(
    wait: &WaitArgs,
    open: impl Fn(&OpenOptions) -> Result<T, Error>,
) -> Result<T, Error> {
    match open(&OpenOptions::default()) {
        Err(e) if wait.wait.is_some() && is_locked(&e) => {
            note!("waiting: {e}");
            open(&wait.options())
        }
        opened => opened,
    }
}

fn is_locked(e: &Error) -> bool {
    matches!(e, Error::Engine(EngineError::Index(IndexError::Locked { .. })))
}

/// The index, for changing what is in it; it must exist.
pub(crate) fn open_index_to_change(global: &Global, wait: &WaitArgs) -> Result<Writer> {
    let place = place(global)?;
    let index = waiting(wait, |options| place.open_writer(options))?;
    tell_events(index.take_events(), global);
    Ok(index)
}

/// Every space of the index, for changing what is in it; only the one named if one is.
pub(crate) fn open_all_to_change(global: &Global, wait: &WaitArgs) -> Result<Vec<Writer>> {
    let place = place(global)?;
    let indexes = waiting(wait, |options| place.open_all_writers(options))?;
    indexes.iter().for_each(|index| tell_events(index.take_events(), global));
    Ok(indexes)
}

/// The space to write to, made if it is not there.
pub(crate) fn choose_or_make(place: &Place, global: &Global) -> Result<Chosen, Error> {
    let chosen = place.choose_or_make(&OpenOptions::default())?;
    if let (Some(current), false) = (&chosen.beside, global.quiet) {
        note!(
            "working on space `{}` beside the current one, `{}`; `earmark spaces use {0}` makes it current",
            chosen.space,
            current
        );
    }
    Ok(chosen)
}

/// The user's index, if it has vectors of the engine's model. What wants its vectors can do without them, so a
/// problem with it is only a warning.
pub(crate) fn index_of(global: &Global, engine: &Engine) -> Option<Reader> {
    let opened = place(global).and_then(|place| Ok(place.index_of(engine)?));
    opened.unwrap_or_else(|e| {
        if !global.quiet {
            note!("the index's vectors are not used: {}", output::chain(&e));
        }
        None
    })
}

/// What installs models into the data folder.
pub(crate) fn installer() -> Result<Installer> {
    let [own, installed] = earmark_library::model_folders();
    Ok(Installer::new(installed.context("no home folder to keep models in; set XDG_DATA_HOME")?, own))
}

/// A model by name, or the bundled one.
pub(crate) fn model(global: &Global) -> Result<Model> {
    Ok(place(global)?.model()?)
}

/// An engine for a model.
pub(crate) fn engine(global: &Global, model: Model) -> Result<Engine> {
    let settings = settings(global);
    Ok(Engine::new(model, settings.runtime()?, settings.engine_options()?))
}

/// ONNX Runtime, with the device that is wanted and the cache of optimised graphs.
pub(crate) fn runtime(global: &Global) -> Result<Runtime> {
    Ok(settings(global).runtime()?)
}

/// Where optimised graphs are kept.
pub(crate) fn graph_cache(global: &Global) -> Option<GraphCache> {
    settings(global).graph_cache()
}

/// Says on standard error what happened to the index, such as damage that was mended.
pub(crate) fn tell_events(events: Vec<IndexEvent>, global: &Global) {
    for event in events {
        match remedies::of_event(&event) {
            _ if global.quiet => {}
            Some(remedy) => note!("index: {event}; {remedy}"),
            None => note!("index: {event}"),
        }
    }
}

/// Gives back the room of what was removed. That it cannot be given back now is no failure.
pub(crate) fn tidy(index: Writer) {
    if let Err(e) = index.tidy() {
        note!("index: the room of removed clips could not be given back ({e})");
    }
}

/// The filter that the options describe; a glob that begins with `./` or `../` starts from here.
pub(crate) fn filter(filter: Filter) -> Filter {
    let from_here = |glob: String| match earmark_engine::absolute_path(Path::new(&glob)) {
        Ok(path) if glob.starts_with("./") || glob.starts_with("../") => path.display().to_string(),
        _ => glob,
    };
    Filter { path: filter.path.map(from_here), ..filter }
}

/// The saved label sets.
pub(crate) fn label_sets(global: &Global) -> Result<LabelSets> {
    Ok(place(global)?.label_sets())
}

/// Says so if probabilities were not calibrated.
pub(crate) fn tell_uncalibrated(model: &str, calibrated: bool, global: &Global) {
    if calibrated || global.quiet {
        return;
    }
    let of_model = earmark_library::catalogue().open(model);
    match of_model.is_ok_and(|model| model.manifest().scores.calibrated) {
        false => note!("note: the probabilities of model `{model}` are uncalibrated"),
        true => note!(
            "note: the probabilities of this label set are uncalibrated: no clip could be held out when it was \
             fitted"
        ),
    }
}
