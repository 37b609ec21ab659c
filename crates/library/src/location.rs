//! Where an index lies, and the index itself, for reading and for writing: in a folder, or in a database.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use earmark_engine::label_sets::{LabelSets, SharedFiles};
use earmark_index::{
    Error as IndexError, Identity, IndexEvent, IndexReader, IndexWriter, LiveIndex, Snapshot,
    Writer as LocalWriter, Writing as LocalWriting,
};
use earmark_postgres::{Database, DatabaseUrl, JobBoard, PgIndex, Roots};

use crate::error::{Error, Result};
use crate::home;

/// Where an index lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a folder of this machine.
    Folder(PathBuf),
    /// In PostgreSQL.
    Database(DatabaseUrl),
}

impl Location {
    /// Reads a path, or the address of a database: `postgres://USER@HOST/NAME`.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        match DatabaseUrl::is_one(text) {
            // Not repeated: it may hold a password.
            false if text.contains("://") => Err(
                "expected a folder, or a database as postgres://USER@HOST/NAME; got another kind of address"
                    .to_owned(),
            ),
            true => text.parse().map(Self::Database).map_err(|e: earmark_postgres::BadUrl| e.to_string()),
            false => Ok(Self::Folder(text.into())),
        }
    }

    /// The address of the database.
    ///
    /// # Errors
    /// [`Error::Field`] named `db` for a folder.
    pub fn database(&self) -> Result<&DatabaseUrl> {
        match self {
            Self::Database(url) => Ok(url),
            Self::Folder(folder) => {
                let expected = "expected the address of a database, postgres://USER@HOST/NAME";
                Err(Error::field_is("db", format!("{expected}; {} is a folder", folder.display())))
            }
        }
    }

    /// The folder.
    ///
    /// # Errors
    /// [`Error::NotInDatabase`] for a database; `what` says what needs the folder.
    pub fn folder(&self, what: &'static str) -> Result<&Path> {
        match self {
            Self::Folder(folder) => Ok(folder),
            Self::Database(url) => Err(Error::NotInDatabase { what, place: url.to_string() }),
        }
    }

    /// The label sets that are saved beside the index; at most `most` of them may be.
    #[must_use]
    pub fn label_sets(&self, most: usize) -> LabelSets {
        match self {
            Self::Folder(folder) => LabelSets::new(folder, most),
            Self::Database(url) => LabelSets::shared(
                Arc::new(FilesInDatabase { url: url.clone(), opened: OnceLock::new() }),
                most,
            ),
        }
    }

    /// Connects to the database at `url`, whose tables must be there.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn connect(url: &DatabaseUrl) -> Result<Database> {
        Ok(Database::open(url, home::database_password(url)?, &home::roots()?)?)
    }

    /// As [`Self::connect`], but makes the tables where there are none.
    ///
    /// # Errors
    /// As [`Database::open`] and [`Database::migrate`].
    pub fn connect_or_make(url: &DatabaseUrl) -> Result<Database> {
        match Self::connect(url) {
            Err(e) if e.is_no_index() => Self::migrate(url),
            database => database,
        }
    }

    /// As [`Self::connect`], but makes the tables where there are none, or brings them to this version.
    ///
    /// # Errors
    /// As [`Database::migrate`].
    pub fn migrate(url: &DatabaseUrl) -> Result<Database> {
        Ok(Database::migrate(url, home::database_password(url)?, &home::roots()?)?)
    }
}

/// The files of label sets in a database, which is connected to when they are first needed.
struct FilesInDatabase {
    url: DatabaseUrl,
    opened: OnceLock<Database>,
}

impl FilesInDatabase {
    fn database(&self) -> std::result::Result<&Database, IndexError> {
        if let Some(database) = self.opened.get() {
            return Ok(database);
        }
        let database = Database::open(&self.url, home::database_password(&self.url)?, &Roots::default())?;
        Ok(self.opened.get_or_init(|| database))
    }

    /// The database, its tables made where there are none: label sets may be saved before anything is indexed.
    fn made(&self) -> std::result::Result<&Database, IndexError> {
        match self.database() {
            Err(IndexError::NotFound { .. }) => {
                Database::migrate(&self.url, home::database_password(&self.url)?, &Roots::default())?;
                self.database()
            }
            database => database,
        }
    }
}

impl SharedFiles for FilesInDatabase {
    fn place(&self) -> String {
        self.url.to_string()
    }

    fn lock(&self) -> std::result::Result<Box<dyn Send>, IndexError> {
        Ok(Box::new(self.made()?.lock_label_sets()?))
    }

    fn read(&self, name: &str) -> std::result::Result<Option<Vec<u8>>, IndexError> {
        match self.database() {
            // Nothing was ever indexed or saved there.
            Err(IndexError::NotFound { .. }) => Ok(None),
            database => database?.label_set_file(name),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> std::result::Result<(), IndexError> {
        self.database()?.write_label_set_file(name, bytes)
    }

    fn keep_only(&self, names: &[String]) -> std::result::Result<(), IndexError> {
        self.database()?.keep_label_set_files(names)
    }
}

impl From<&Path> for Location {
    fn from(folder: &Path) -> Self {
        Self::Folder(folder.to_path_buf())
    }
}

impl From<PathBuf> for Location {
    fn from(folder: PathBuf) -> Self {
        Self::Folder(folder)
    }
}

impl From<&str> for Location {
    fn from(folder: &str) -> Self {
        Self::Folder(folder.into())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Database(url) => write!(f, "{url}"),
        }
    }
}

/// An index opened for reading. That of a folder shows one committed state; that of a database shows with each
/// call what is committed then.
#[derive(Clone)]
pub enum Reader {
    /// In a folder.
    Local(Arc<Snapshot>),
    /// In a database.
    Database(PgIndex),
}

impl Reader {
    /// Refuses an `identity` other than that of the vectors.
    ///
    /// # Errors
    /// [`IndexError::ModelMismatch`].
    pub fn check_identity(&self, identity: &Identity) -> Result<()> {
        let found = &self.header().identity;
        if found == identity {
            return Ok(());
        }
        let (expected, received) = (Box::new(found.clone()), Box::new(identity.clone()));
        Err(IndexError::ModelMismatch { dir: self.place(), expected, received }.into())
    }

    /// Takes what happened since the last call and is worth telling the user.
    #[must_use]
    pub fn take_events(&self) -> Vec<IndexEvent> {
        match self {
            Self::Local(snapshot) => snapshot.take_events(),
            Self::Database(_) => Vec::new(),
        }
    }

    /// The local index.
    ///
    /// # Errors
    /// [`Error::NotInDatabase`] for a database; `what` says what needs it.
    pub fn local(&self, what: &'static str) -> Result<&Arc<Snapshot>> {
        match self {
            Self::Local(snapshot) => Ok(snapshot),
            Self::Database(index) => Err(Error::NotInDatabase { what, place: index.place().to_owned() }),
        }
    }

    fn place(&self) -> PathBuf {
        match self {
            Self::Local(snapshot) => snapshot.dir().to_path_buf(),
            Self::Database(index) => index.place().into(),
        }
    }
}

impl Deref for Reader {
    type Target = dyn IndexReader;

    fn deref(&self) -> &(dyn IndexReader + 'static) {
        match self {
            Self::Local(snapshot) => &**snapshot,
            Self::Database(index) => index,
        }
    }
}

/// An index opened for writing. There is one writer of a folder at a time, and any number of a database.
pub enum Writer {
    /// In a folder.
    Local(Box<LocalWriter>),
    /// In a database.
    Database(PgIndex),
}

impl Writer {
    /// The index with everything that was applied.
    ///
    /// # Errors
    /// As [`LocalWriter::snapshot`].
    pub fn snapshot(&self) -> Result<Reader> {
        match self {
            Self::Local(writer) => Ok(Reader::Local(writer.snapshot()?)),
            Self::Database(index) => Ok(Reader::Database(index.clone())),
        }
    }

    /// Takes what happened since the last call and is worth telling the user.
    #[must_use]
    pub fn take_events(&self) -> Vec<IndexEvent> {
        match self {
            Self::Local(writer) => writer.take_events(),
            Self::Database(_) => Vec::new(),
        }
    }

    /// Gives back the room of what was removed: how many bytes the index is smaller. A database does so by itself.
    ///
    /// # Errors
    /// As [`LocalWriter::tidy`].
    pub fn tidy(self) -> Result<u64> {
        match self {
            Self::Local(writer) => Ok(writer.tidy()?),
            Self::Database(_) => Ok(0),
        }
    }

    /// The local index.
    ///
    /// # Errors
    /// [`Error::NotInDatabase`] for a database; `what` says what needs it.
    pub fn local(&self, what: &'static str) -> Result<&LocalWriter> {
        match self {
            Self::Local(writer) => Ok(writer),
            Self::Database(index) => Err(Error::NotInDatabase { what, place: index.place().to_owned() }),
        }
    }
}

impl Deref for Writer {
    type Target = dyn IndexWriter;

    fn deref(&self) -> &(dyn IndexWriter + 'static) {
        match self {
            Self::Local(writer) => &**writer,
            Self::Database(index) => index,
        }
    }
}

/// An index that is open for long, and written now and then.
#[derive(Clone)]
pub enum Live {
    /// In a folder.
    Local(Arc<LiveIndex>),
    /// In a database.
    Database(PgIndex),
}

/// The right to write, given back when it is dropped.
pub enum Writing<'a> {
    /// In a folder.
    Local(LocalWriting<'a>),
    /// In a database.
    Database(PgIndex),
}

impl Live {
    /// The newest committed state.
    #[must_use]
    pub fn reader(&self) -> Reader {
        match self {
            Self::Local(live) => Reader::Local(live.reader()),
            Self::Database(index) => Reader::Database(index.clone()),
        }
    }

    /// The right to write.
    ///
    /// # Errors
    /// As [`LiveIndex::write`].
    pub fn write(&self) -> std::result::Result<Writing<'_>, IndexError> {
        match self {
            Self::Local(live) => Ok(Writing::Local(live.write()?)),
            Self::Database(index) => Ok(Writing::Database(index.clone())),
        }
    }

    /// Whether writes can be expected to succeed.
    ///
    /// # Errors
    /// As [`LiveIndex::check_writable`]; for a database, that it cannot be reached.
    pub fn check_writable(&self) -> std::result::Result<(), IndexError> {
        match self {
            Self::Local(live) => live.check_writable(),
            Self::Database(index) => index.check_writable(),
        }
    }

    /// Where servers of the same index post their jobs. That of a folder has one server as a rule.
    #[must_use]
    pub fn job_board(&self) -> Option<JobBoard> {
        match self {
            Self::Local(_) => None,
            Self::Database(index) => Some(JobBoard::of(index)),
        }
    }

    /// Takes what happened since the last call and is worth telling.
    #[must_use]
    pub fn take_events(&self) -> Vec<IndexEvent> {
        match self {
            Self::Local(live) => live.take_events().into_iter().chain(live.reader().take_events()).collect(),
            Self::Database(_) => Vec::new(),
        }
    }
}

impl Writing<'_> {
    /// As [`Writer::tidy`], unless another thread writes too.
    ///
    /// # Errors
    /// As [`LocalWriting::tidy`].
    pub fn tidy(self) -> std::result::Result<u64, IndexError> {
        match self {
            Self::Local(writing) => writing.tidy(),
            Self::Database(_) => Ok(0),
        }
    }
}

impl Deref for Writing<'_> {
    type Target = dyn IndexWriter;

    fn deref(&self) -> &(dyn IndexWriter + 'static) {
        match self {
            Self::Local(writing) => &**writing,
            Self::Database(index) => index,
        }
    }
}
