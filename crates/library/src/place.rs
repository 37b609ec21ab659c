//! Which index, which of its spaces, with which model; opening it to read or to write.

use std::path::Path;

use earmark_encoder::{Catalogue, Model};
use earmark_engine::label_sets::{LabelSets, is_own_file};
use earmark_engine::{Engine, EngineError, identity};
use earmark_index::{
    Collection, Error as IndexError, Header, Hold, Identity, OpenOptions, Snapshot, Space,
    Writer as LocalWriter,
};
use earmark_postgres::{Database, DatabaseUrl, SpaceInfo};

use crate::error::{Error, Result};
use crate::home;
use crate::location::{Location, Reader, Writer};
use crate::spaces::Spaces;

/// Label sets that one index keeps at most.
pub const LABEL_SETS: usize = 1000;

/// Which index, and which model's vectors in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where the index lies: a collection of spaces in a folder, or a database.
    pub location: Location,
    /// A model, by name or folder, or a space of the index by name; the current space's if `None`, and the
    /// bundled model where there is no index yet.
    pub model: Option<String>,
}

/// A space to write to, and its model.
pub struct Chosen {
    /// The name of the space.
    pub space: String,
    /// Its model.
    pub model: Model,
    /// The name of the current space, where that is another one.
    pub beside: Option<String>,
    within: Within,
}

/// Where a chosen space is.
enum Within {
    /// In a folder; the hold keeps the space from being dropped until it is open.
    Folder {
        space: Space,
        _hold: Hold,
    },
    Database {
        database: Database,
        space: SpaceInfo,
    },
}

impl Place {
    /// The index at `location`, with the model of its current space.
    #[must_use]
    pub fn at(location: impl Into<Location>) -> Self {
        Self { location: location.into(), model: None }
    }

    /// The spaces of the index in its folder.
    ///
    /// # Errors
    /// [`IndexError::NotFound`] if there is no index; as [`Collection::open`]; [`Error::NotInDatabase`].
    pub fn collection(&self, options: &OpenOptions) -> Result<Collection> {
        Ok(Collection::open(self.location.folder("this")?, options)?)
    }

    /// The names of the spaces of the index.
    ///
    /// # Errors
    /// As [`Self::collection`]; [`IndexError::Database`].
    pub fn spaces(&self, options: &OpenOptions) -> Result<Vec<String>> {
        Ok(match &self.location {
            Location::Folder(folder) => {
                Collection::open(folder, options)?.spaces()?.into_iter().map(|space| space.name).collect()
            }
            Location::Database(url) => {
                Location::connect(url)?.spaces()?.into_iter().map(|space| space.name).collect()
            }
        })
    }

    /// The saved label sets.
    #[must_use]
    pub fn label_sets(&self) -> LabelSets {
        self.location.label_sets(LABEL_SETS)
    }

    /// The same place with the model that a saved label set was made with, unless a model is named.
    ///
    /// # Errors
    /// [`EngineError::NoSuchLabelSet`].
    pub fn for_label_set(self, name: Option<&str>) -> Result<Self> {
        let (None, Some(name)) = (&self.model, name) else { return Ok(self) };
        let made = self.label_sets().get(name)?.made;
        Ok(Self { model: made.map(|made| made.identity.model_id), ..self })
    }

    /// The space to work on, and the model if one is named: the current space, or that of the model or space
    /// named.
    ///
    /// # Errors
    /// [`IndexError::UnknownSpace`], [`IndexError::AmbiguousSpace`], [`IndexError::NoCurrentSpace`];
    /// [`earmark_encoder::EncoderError::UnknownModel`].
    pub fn choose<S: Spaces>(&self, spaces: &S) -> Result<(S::Space, Option<Model>)> {
        let Some(name) = &self.model else { return Ok((spaces.current_space()?, None)) };
        if let Some(space) = spaces.all()?.into_iter().find(|space| S::name(space) == name) {
            return Ok((space, None));
        }
        match home::catalogue().open(name) {
            Ok(model) => Ok((spaces.of_model(&model)?, Some(model))),
            // The vectors may be here though the model is not.
            Err(unknown) => match spaces.by_name(name) {
                Err(IndexError::UnknownSpace { .. }) => Err(unknown.into()),
                found => Ok((found?, None)),
            },
        }
    }

    /// The model that is named, or the bundled one.
    ///
    /// # Errors
    /// [`earmark_encoder::EncoderError::UnknownModel`], [`earmark_encoder::EncoderError::NotInstalled`].
    pub fn model(&self) -> Result<Model> {
        Ok(home::catalogue().open(self.model.as_deref().unwrap_or(Catalogue::default_name()))?)
    }

    /// The name of the space to work on and its index, for reading, whatever made it.
    ///
    /// # Errors
    /// As [`Self::collection`], [`Self::choose`] and [`Snapshot::open`]; [`IndexError::Database`].
    pub fn open_index(&self, options: &OpenOptions) -> Result<(String, Reader)> {
        match &self.location {
            Location::Folder(_) => {
                let collection = self.collection(options)?;
                let _hold = collection.hold()?;
                let (space, _) = self.choose(&collection)?;
                let index = Snapshot::open(&space.path, None, collection.options())?;
                Ok((space.name, Reader::Local(index.into())))
            }
            Location::Database(url) => {
                let database = Location::connect(url)?;
                let (space, _) = self.choose(&database)?;
                let index = database.index(&space);
                Ok((space.name, Reader::Database(index)))
            }
        }
    }

    /// The index, for changing what is in it. It must exist.
    ///
    /// # Errors
    /// As [`Self::open_index`]; [`IndexError::Locked`] if another process still writes it after
    /// `options.lock_wait`.
    pub fn open_writer(&self, options: &OpenOptions) -> Result<Writer> {
        match &self.location {
            Location::Folder(_) => {
                let collection = self.collection(options)?;
                let _hold = collection.hold()?;
                let (space, _) = self.choose(&collection)?;
                Ok(Writer::Local(LocalWriter::open(&space.path, None, options)?.into()))
            }
            Location::Database(url) => {
                let database = Location::connect(url)?;
                let (space, _) = self.choose(&database)?;
                Ok(Writer::Database(database.index(&space)))
            }
        }
    }

    /// Every space of the index, for changing what is in it; only the one named if one is.
    ///
    /// # Errors
    /// As [`Self::open_writer`].
    pub fn open_all_writers(&self, options: &OpenOptions) -> Result<Vec<Writer>> {
        if self.model.is_some() {
            return Ok(vec![self.open_writer(options)?]);
        }
        match &self.location {
            Location::Folder(_) => {
                let collection = self.collection(options)?;
                let _hold = collection.hold()?;
                let open = |space: &Space| LocalWriter::open(&space.path, None, options);
                let writers = collection.spaces()?.iter().map(open).collect::<Result<Vec<_>, _>>()?;
                Ok(writers.into_iter().map(|writer| Writer::Local(writer.into())).collect())
            }
            Location::Database(url) => {
                let database = Location::connect(url)?;
                let spaces = database.spaces()?;
                Ok(spaces.iter().map(|space| Writer::Database(database.index(space))).collect())
            }
        }
    }

    /// Every space of the index, for reading; only the one named if one is.
    ///
    /// # Errors
    /// As [`Self::open_index`].
    pub fn open_all(&self, options: &OpenOptions) -> Result<Vec<(String, Reader)>> {
        if self.model.is_some() {
            return Ok(vec![self.open_index(options)?]);
        }
        let names = self.spaces(options)?;
        let of_space = |name: String| Self { model: Some(name), ..self.clone() }.open_index(options);
        names.into_iter().map(of_space).collect()
    }

    /// The space for vectors of `identity`, for writing; made if it is not there. The model need not be here.
    ///
    /// # Errors
    /// [`Error::Field`] if the folder holds something else; as [`LocalWriter::open`]; [`IndexError::Database`].
    pub fn make(&self, identity: &Identity, options: &OpenOptions) -> Result<Writer> {
        match &self.location {
            Location::Folder(folder) => {
                check_free(folder)?;
                let space = Collection::open_or_new(folder, options)?.make(identity)?;
                Ok(Writer::Local(LocalWriter::open(&space.path, Some(identity), options)?.into()))
            }
            Location::Database(url) => {
                let database = Location::connect_or_make(url)?;
                Ok(Writer::Database(database.index(&database.make(identity)?)))
            }
        }
    }

    /// The space to write to, and its model: the one named, else the current space's, else the bundled one. A
    /// space is made for the model if it has none, and so are the tables of a database that has none.
    ///
    /// # Errors
    /// [`Error::Field`] if the folder holds something else; as [`Self::choose`];
    /// [`IndexError::ModelMismatch`]; [`IndexError::Database`].
    pub fn choose_or_make(&self, options: &OpenOptions) -> Result<Chosen> {
        match &self.location {
            Location::Folder(folder) => self.choose_or_make_in_folder(folder, options),
            Location::Database(url) => self.choose_or_make_in_database(url),
        }
    }

    fn choose_or_make_in_folder(&self, folder: &Path, options: &OpenOptions) -> Result<Chosen> {
        let collection = Collection::open_or_new(folder, options)?;
        let (space, model, beside) = match collection.current() {
            Err(IndexError::NotFound { .. }) => {
                check_free(folder)?;
                let model = self.model()?;
                (collection.make(&identity(&model))?, Some(model), None)
            }
            current => {
                let current = current?;
                let (space, model) = self.chosen_or_made(&collection)?;
                let beside = (space != current).then_some(current.name);
                (space, model, beside)
            }
        };
        let hold = collection.hold()?;
        let index = Reader::Local(Snapshot::open(&space.path, None, collection.options())?.into());
        let model = model.map_or_else(|| model_of(index.header()), Ok)?;
        index.check_identity(&identity(&model))?;
        Ok(Chosen { space: space.name.clone(), model, beside, within: Within::Folder { space, _hold: hold } })
    }

    fn choose_or_make_in_database(&self, url: &DatabaseUrl) -> Result<Chosen> {
        let database = Location::connect_or_make(url)?;
        let current = match database.current() {
            Err(IndexError::NotFound { .. }) => None,
            current => Some(current?),
        };
        let chosen = match &current {
            Some(_) => self.choose(&database),
            None => Err(IndexError::NotFound { dir: database.place().into() }.into()),
        };
        let (space, model) = match chosen {
            Err(e) if e.is_no_index() => {
                let model = self.model()?;
                // A damaged model must not leave an empty space.
                model.verify_files()?;
                (database.make(&identity(&model))?, Some(model))
            }
            chosen => chosen?,
        };
        let model = model.map_or_else(|| model_of(&space.header), Ok)?;
        Reader::Database(database.index(&space)).check_identity(&identity(&model))?;
        let beside = current.filter(|current| current.name != space.name).map(|current| current.name);
        Ok(Chosen { space: space.name.clone(), model, beside, within: Within::Database { database, space } })
    }

    /// As [`Self::choose`], but a model that is here and has no space yet gets one.
    fn chosen_or_made(&self, collection: &Collection) -> Result<(Space, Option<Model>)> {
        match self.choose(collection) {
            Err(Error::Engine(EngineError::Index(IndexError::UnknownSpace { .. }))) => {
                let model = self.model()?;
                // A damaged model must not leave an empty space.
                model.verify_files()?;
                Ok((collection.make(&identity(&model))?, Some(model)))
            }
            chosen => chosen,
        }
    }

    /// The index, if it has vectors of the engine's model. `None` if there is no index, or none of them.
    ///
    /// # Errors
    /// As [`Snapshot::open`]; [`IndexError::Database`].
    pub fn index_of(&self, engine: &Engine) -> Result<Option<Reader>> {
        match &self.location {
            Location::Folder(folder) => {
                let collection = match Collection::open(folder, &OpenOptions::default()) {
                    Err(IndexError::NotFound { .. }) => return Ok(None),
                    collection => collection?,
                };
                let _hold = collection.hold()?;
                let Some(space) = collection.space_of(&engine.identity())? else { return Ok(None) };
                let index = Snapshot::open(&space.path, Some(&engine.identity()), collection.options())?;
                Ok(Some(Reader::Local(index.into())))
            }
            Location::Database(url) => {
                let database = match Location::connect(url) {
                    Err(e) if e.is_no_index() => return Ok(None),
                    database => database?,
                };
                let space = database.space_of(&engine.identity())?;
                Ok(space.map(|space| Reader::Database(database.index(&space))))
            }
        }
    }
}

impl Chosen {
    /// The index of the space, for writing.
    ///
    /// # Errors
    /// As [`LocalWriter::open`].
    pub fn open_writer(&self, options: &OpenOptions) -> Result<Writer> {
        match &self.within {
            Within::Folder { space, .. } => {
                Ok(Writer::Local(LocalWriter::open(&space.path, Some(&self.identity()), options)?.into()))
            }
            Within::Database { database, space } => Ok(Writer::Database(database.index(space))),
        }
    }

    /// What the space's vectors are made with.
    #[must_use]
    pub fn identity(&self) -> Identity {
        identity(&self.model)
    }
}

/// The model that made an index, by its header.
///
/// # Errors
/// [`Error::ModelGone`] if it is not on this machine.
pub fn model_of(header: &Header) -> Result<Model> {
    let id = &header.identity.model_id;
    let gone =
        |e: earmark_encoder::EncoderError| Error::ModelGone { model: id.clone(), reason: e.to_string() };
    home::catalogue().open(id).map_err(gone)
}

/// An index gets a folder of its own: not a file, and not a folder with something else in it.
///
/// # Errors
/// [`Error::Field`] named `db`.
pub fn check_free(dir: &Path) -> Result<()> {
    if dir.is_file() {
        return Err(Error::field_is("db", format!("{} is a file; name a folder", dir.display())));
    }
    // Label sets may have been saved there before anything was indexed.
    let others = |name: std::ffi::OsString| !name.to_str().is_some_and(is_own_file);
    let in_use = std::fs::read_dir(dir)
        .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(|entry| others(entry.file_name()))));
    // What an earlier try left behind is ours.
    if in_use && !Collection::has_begun(dir) {
        let reason = format!("{} is no index, and not empty; name another folder", dir.display());
        return Err(Error::field_is("db", reason));
    }
    Ok(())
}
