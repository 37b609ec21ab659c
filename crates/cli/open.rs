//! Opening the index: which of its spaces, with which model, for reading or for writing.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use earmark_encoder::Model;
use earmark_engine::label_sets::is_own_file;
use earmark_engine::{Engine, identity};
use earmark_index::{
    Collection, Error, Header, Hold, Identity, IndexReader as _, OpenOptions, Snapshot, Space, Writer,
};

use crate::args::{Global, WaitArgs};
use crate::context::{catalogue, db_dir, model, tell_events};
use crate::output::note;

/// The spaces of the index, which must be there.
pub(crate) fn collection(global: &Global) -> Result<Collection> {
    // A command searches once and ends.
    collection_with(global, &OpenOptions { once: true, ..OpenOptions::default() })
}

/// As [`collection`], whose spaces are opened with these options.
pub(crate) fn collection_with(global: &Global, opts: &OpenOptions) -> Result<Collection> {
    Ok(Collection::open(&db_dir(global)?, opts)?)
}

/// The space to work on, and the model if one was named: the current space, or that of the model (or the space) named.
pub(crate) fn choose(global: &Global, collection: &Collection) -> Result<(Space, Option<Model>)> {
    let Some(name) = &global.model else { return Ok((collection.current()?, None)) };
    if let Some(space) = collection.spaces()?.into_iter().find(|space| space.name == *name) {
        return Ok((space, None));
    }
    match catalogue().open(name) {
        Ok(model) => Ok((space_of(collection, &model)?, Some(model))),
        // The vectors may be here though the model is not.
        Err(unknown) => match collection.find(name) {
            Err(Error::UnknownSpace { .. }) => Err(unknown.into()),
            found => Ok((found?, None)),
        },
    }
}

/// The space of a model; that of another version of it where this one has none, which is told when it is opened.
pub(crate) fn space_of(collection: &Collection, model: &Model) -> Result<Space, Error> {
    match collection.space_of(&identity(model))? {
        Some(space) => Ok(space),
        None => collection.find(&model.manifest().id),
    }
}

/// The model that made an index, by its header.
pub(crate) fn model_of(header: &Header) -> Result<Model> {
    let id = &header.identity.model_id;
    catalogue().open(id).with_context(|| {
        format!(
            "the current vectors are of model `{id}`, which is not here; name its folder with --model, or embed the \
             sounds with another model: `earmark reembed --model NAME`"
        )
    })
}

/// The index, for reading, with the model that made it (or the one named, which must be the same).
pub(crate) fn open_index_and_model(global: &Global) -> Result<(Snapshot, Model)> {
    let collection = collection(global)?;
    let hold = collection.hold()?;
    let (space, model) = choose(global, &collection)?;
    let index = Snapshot::open(&space.path, None, collection.options())?;
    drop(hold);
    let model = model.map_or_else(|| model_of(index.header()), Ok)?;
    index.check_identity(&identity(&model))?;
    tell_events(index.take_events(), global);
    Ok((index, model))
}

/// An index for writing. Where another process writes it, waits for as long as asked, and says for whom.
pub(crate) fn open_writer(
    space: &Space,
    expect: Option<&Identity>,
    collection: &Collection,
    wait: &WaitArgs,
) -> Result<Writer, Error> {
    match Writer::open(&space.path, expect, collection.options()) {
        Err(e @ Error::Locked { .. }) => {
            if wait.wait.is_none() {
                return Err(e);
            }
            note!("waiting: {e}");
            Writer::open(&space.path, expect, &wait.options())
        }
        opened => opened,
    }
}

/// The index, for reading, whatever made it.
pub(crate) fn open_index(global: &Global) -> Result<Snapshot> {
    Ok(open_one(global)?.1)
}

/// The space to work on and its index, for reading.
pub(crate) fn open_one(global: &Global) -> Result<(Space, Snapshot)> {
    let collection = collection(global)?;
    let _hold = collection.hold()?;
    let (space, _) = choose(global, &collection)?;
    let index = Snapshot::open(&space.path, None, collection.options())?;
    tell_events(index.take_events(), global);
    Ok((space, index))
}

/// As [`open_index`]; `None` where nothing was indexed yet, or nothing with the model that is named.
pub(crate) fn open_index_if_any(global: &Global) -> Result<Option<Snapshot>> {
    match open_index(global) {
        Err(e) if matches!(e.downcast_ref(), Some(Error::NotFound { .. } | Error::UnknownSpace { .. })) => {
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

/// The index, for changing what is in it; it must exist.
pub(crate) fn open_index_to_change(global: &Global, wait: &WaitArgs) -> Result<Writer> {
    let collection = collection(global)?;
    let _hold = collection.hold()?;
    let index = open_writer(&choose(global, &collection)?.0, None, &collection, wait)?;
    tell_events(index.take_events(), global);
    Ok(index)
}

/// Every space of the index, for changing what is in it; only the one named where one is.
pub(crate) fn open_all_to_change(global: &Global, wait: &WaitArgs) -> Result<Vec<Writer>> {
    if global.model.is_some() {
        return Ok(vec![open_index_to_change(global, wait)?]);
    }
    let collection = collection(global)?;
    let _hold = collection.hold()?;
    let open = |space: &Space| open_writer(space, None, &collection, wait);
    let indexes = collection.spaces()?.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    indexes.iter().for_each(|index| tell_events(index.take_events(), global));
    Ok(indexes)
}

/// The space to write to, and its model: the one named, else the one that made the current space, else the bundled one.
/// A space for the model is made if there is none. The hold is to be kept until the space is open.
pub(crate) fn space_and_model(global: &Global) -> Result<(Collection, Space, Model, Hold)> {
    let dir = db_dir(global)?;
    let collection = Collection::open_or_new(&dir, &OpenOptions::default())?;
    let (space, model) = match collection.current() {
        Err(Error::NotFound { .. }) => {
            check_free(&dir)?;
            let model = model(global)?;
            (collection.make(&identity(&model))?, Some(model))
        }
        current => {
            let current = current?;
            let (space, model) = choose_or_make(global, &collection)?;
            if space != current && !global.quiet {
                note!(
                    "working on space `{}` beside the current one, `{}`; `earmark spaces use {0}` makes it current",
                    space.name,
                    current.name
                );
            }
            (space, model)
        }
    };
    let hold = collection.hold()?;
    let index = Snapshot::open(&space.path, None, collection.options())?;
    let model = model.map_or_else(|| model_of(index.header()), Ok)?;
    index.check_identity(&identity(&model))?;
    tell_events(index.take_events(), global);
    Ok((collection, space, model, hold))
}

/// The index, for writing, and its model: see [`space_and_model`].
pub(crate) fn create_index_and_model(global: &Global, wait: &WaitArgs) -> Result<(Writer, Model)> {
    let (collection, space, model, _hold) = space_and_model(global)?;
    let index = open_writer(&space, Some(&identity(&model)), &collection, wait)?;
    tell_events(index.take_events(), global);
    Ok((index, model))
}

/// As [`choose`], but a model that is here and has no space yet gets one.
fn choose_or_make(global: &Global, collection: &Collection) -> Result<(Space, Option<Model>)> {
    match choose(global, collection) {
        Err(e) if matches!(e.downcast_ref(), Some(Error::UnknownSpace { .. })) => {
            let model = model(global)?;
            // So that a damaged model does not leave an empty space.
            model.verify_files()?;
            Ok((collection.make(&identity(&model))?, Some(model)))
        }
        chosen => chosen,
    }
}

/// An index gets a folder of its own: not a file, and not a folder in which something else is.
pub(crate) fn check_free(dir: &Path) -> Result<()> {
    if dir.is_file() {
        bail!("{} is a file; --db names a folder", dir.display());
    }
    // Label sets may have been saved there before anything was indexed.
    let others = |name: std::ffi::OsString| !name.to_str().is_some_and(is_own_file);
    let in_use = std::fs::read_dir(dir)
        .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(|entry| others(entry.file_name()))));
    // What an earlier try left behind is ours.
    if in_use && !Collection::has_begun(dir) {
        bail!("{} is no index, and not empty; name another folder with --db", dir.display());
    }
    Ok(())
}

/// The user's index, if it has vectors of the engine's model. What wants its vectors can do without them, so
/// whatever is wrong with it is only told.
pub(crate) fn index_of(global: &Global, engine: &Engine) -> Option<Snapshot> {
    let opened = || -> Result<Option<Snapshot>> {
        let collection = match Collection::open(&db_dir(global)?, &OpenOptions::default()) {
            Err(Error::NotFound { .. }) => return Ok(None),
            collection => collection?,
        };
        let _hold = collection.hold()?;
        let Some(space) = collection.space_of(&engine.identity())? else { return Ok(None) };
        Ok(Some(Snapshot::open(&space.path, Some(&engine.identity()), collection.options())?))
    };
    opened().unwrap_or_else(|e| {
        if !global.quiet {
            note!("the index's vectors are not used: {}", crate::output::chain(&e));
        }
        None
    })
}
