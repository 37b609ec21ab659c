//! The spaces of an index, in a folder or in a database.

use std::any::Any;
use std::sync::Arc;

use earmark_encoder::Model;
use earmark_engine::reembed::SpacePair;
use earmark_engine::{Engine, EngineError, identity};
use earmark_index::{Collection, Error as IndexError, Identity, IndexReader, IndexWriter, Space};
use earmark_postgres::{Database, PgIndex, SpaceInfo};

use crate::home;

/// The spaces of an index.
pub trait Spaces {
    /// A space.
    type Space;

    /// Its name.
    fn name(space: &Self::Space) -> &str;

    /// All spaces, by name.
    ///
    /// # Errors
    /// [`IndexError::Io`], [`IndexError::Database`].
    fn all(&self) -> Result<Vec<Self::Space>, IndexError>;

    /// The current space.
    ///
    /// # Errors
    /// As [`Collection::current`] and [`Database::current`].
    fn current_space(&self) -> Result<Self::Space, IndexError>;

    /// The space for vectors of exactly this identity, if there is one.
    ///
    /// # Errors
    /// [`IndexError::Io`], [`IndexError::Database`].
    fn of_identity(&self, identity: &Identity) -> Result<Option<Self::Space>, IndexError>;

    /// A space by its name, or by its model's id where only one space is that model's.
    ///
    /// # Errors
    /// [`IndexError::UnknownSpace`], [`IndexError::AmbiguousSpace`].
    fn by_name(&self, wanted: &str) -> Result<Self::Space, IndexError>;

    /// Makes a space the current one.
    ///
    /// # Errors
    /// As [`Collection::switch`] and [`Database::switch`].
    fn make_current(&self, space: &Self::Space) -> Result<(), IndexError>;

    /// Deletes a space that is not the current one.
    ///
    /// # Errors
    /// As [`Collection::drop_space`] and [`Database::drop_space`].
    fn delete(&self, space: &Self::Space) -> Result<(), IndexError>;

    /// The space of a model; that of another version of it if this one has none, which its opening reports.
    ///
    /// # Errors
    /// [`IndexError::UnknownSpace`], [`IndexError::AmbiguousSpace`].
    fn of_model(&self, model: &Model) -> Result<Self::Space, IndexError> {
        match self.of_identity(&identity(model))? {
            Some(space) => Ok(space),
            None => self.by_name(&model.manifest().id),
        }
    }

    /// A space by its own name, or by its model's: that in the manifest, or that of the model's folder.
    ///
    /// # Errors
    /// [`IndexError::UnknownSpace`], [`IndexError::AmbiguousSpace`].
    fn by_any_name(&self, name: &str) -> Result<Self::Space, IndexError> {
        match self.by_name(name) {
            Err(e @ IndexError::UnknownSpace { .. }) => match home::catalogue().open(name) {
                Ok(model) => self.of_model(&model),
                Err(_) => Err(e),
            },
            found => found,
        }
    }
}

impl Spaces for Collection {
    type Space = Space;

    fn name(space: &Space) -> &str {
        &space.name
    }

    fn all(&self) -> Result<Vec<Space>, IndexError> {
        self.spaces()
    }

    fn current_space(&self) -> Result<Space, IndexError> {
        self.current()
    }

    fn of_identity(&self, identity: &Identity) -> Result<Option<Space>, IndexError> {
        self.space_of(identity)
    }

    fn by_name(&self, wanted: &str) -> Result<Space, IndexError> {
        self.find(wanted)
    }

    fn make_current(&self, space: &Space) -> Result<(), IndexError> {
        self.switch(space)
    }

    fn delete(&self, space: &Space) -> Result<(), IndexError> {
        self.drop_space(space)
    }
}

impl Spaces for Database {
    type Space = SpaceInfo;

    fn name(space: &SpaceInfo) -> &str {
        &space.name
    }

    fn all(&self) -> Result<Vec<SpaceInfo>, IndexError> {
        self.spaces()
    }

    fn current_space(&self) -> Result<SpaceInfo, IndexError> {
        self.current()
    }

    fn of_identity(&self, identity: &Identity) -> Result<Option<SpaceInfo>, IndexError> {
        self.space_of(identity)
    }

    fn by_name(&self, wanted: &str) -> Result<SpaceInfo, IndexError> {
        self.find(wanted)
    }

    fn make_current(&self, space: &SpaceInfo) -> Result<(), IndexError> {
        self.switch(space)
    }

    fn delete(&self, space: &SpaceInfo) -> Result<(), IndexError> {
        self.drop_space(space)
    }
}

/// An old space of a database and a new one, for [`earmark_engine::reembed`].
pub struct SpacesInDatabase {
    database: Database,
    from: SpaceInfo,
    to: SpaceInfo,
    target: PgIndex,
}

impl SpacesInDatabase {
    /// The space `from` and that of `engine`'s model, which is made if it is not there.
    ///
    /// # Errors
    /// [`IndexError::Database`]; errors of a damaged model.
    pub fn open(engine: &Engine, database: Database, from: SpaceInfo) -> Result<Self, EngineError> {
        // First of all, so that a damaged model does not leave an empty space.
        engine.model().verify_files()?;
        let to = database.make(&engine.identity())?;
        let target = database.index(&to);
        Ok(Self { database, from, to, target })
    }
}

impl SpacePair for SpacesInDatabase {
    fn old_name(&self) -> &str {
        &self.from.name
    }

    fn new_name(&self) -> &str {
        &self.to.name
    }

    fn old(&self) -> Result<Arc<dyn IndexReader>, IndexError> {
        Ok(Arc::new(self.database.index(&self.from)))
    }

    fn new_space(&self) -> &dyn IndexWriter {
        &self.target
    }

    fn hold_old(&self) -> Result<Box<dyn Any>, IndexError> {
        Ok(Box::new(self.database.lock_space(&self.from)?))
    }

    fn switch(&self) -> Result<(), IndexError> {
        self.database.switch(&self.to)
    }
}
