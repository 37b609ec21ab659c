//! [`Database`]: the tables, their version, and the spaces in them.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use deadpool_postgres::Object;
use earmark_index::{Error, FORMAT_VERSION, Header, Identity, Result, space_name, unix_now_s};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use crate::connections::{Connections, Shared, Trouble};
use crate::index::PgIndex;
use crate::queue::Queue;
use crate::roots::Roots;
use crate::url::DatabaseUrl;
use crate::values::Value;

/// Steps from nothing to the tables of this version, in order. A step that was released never changes.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
];

/// The schema that all tables are in.
const SCHEMA: &str = "earmark";

/// Number of the advisory lock that migrations and new spaces hold: `earmark` in ASCII.
const LOCK: i64 = 0x0065_6172_6d61_726b;

/// Number of the advisory lock that whoever changes label sets holds: `labels` in ASCII.
const LABEL_SETS_LOCK: i64 = 0x6c61_6265_6c73;

/// First number of the advisory lock of a space, whose id is the second: `mark` in ASCII. Each batch of changes shares
/// the lock.
pub(crate) const SPACE_LOCK: i32 = 0x6d61_726b;

/// Oldest pgvector: `halfvec` came with 0.7, iterative scans with 0.8.
const PGVECTOR: (u32, u32) = (0, 8);

/// A database with earmark's tables.
#[derive(Clone)]
pub struct Database {
    connections: Shared,
    roots: Arc<Roots>,
}

/// The vectors of one model in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceInfo {
    pub(crate) id: i32,
    /// As [`earmark_index::space_name`] makes it.
    pub name: String,
    /// What made the vectors, and when it was begun.
    pub header: Header,
    /// Whether it is the one that is used if none is named.
    pub is_current: bool,
}

impl Database {
    /// Connects, and checks that the tables are of this version. `roots`: folders of this machine that differ from
    /// those which the database has for its roots. `password`: for an address without one.
    ///
    /// # Errors
    /// [`Error::Database`] if there is no connection; [`Error::NotFound`] if earmark has no tables there;
    /// [`Error::OldTables`], [`Error::FormatVersion`] for tables of another version.
    pub fn open(url: &DatabaseUrl, password: Option<String>, roots: &Roots) -> Result<Self> {
        let database = Self::connect(url, password)?;
        let there = database.query("SELECT to_regclass('earmark.migration') IS NOT NULL", &[])?;
        if !there[0].get::<_, bool>(0) {
            return Err(Error::NotFound { dir: database.place().into() });
        }
        let version = database.query("SELECT coalesce(max(version), 0) FROM earmark.migration", &[])?;
        let version = usize::try_from(version[0].get::<_, i32>(0)).unwrap_or_default();
        database.check_version(version)?;
        database.with_roots(roots)
    }

    /// As [`Self::open`], but makes the tables, or brings them to this version.
    ///
    /// # Errors
    /// [`Error::Database`]; [`Error::FormatVersion`] for tables of a later version.
    pub fn migrate(url: &DatabaseUrl, password: Option<String>, roots: &Roots) -> Result<Self> {
        let database = Self::connect(url, password)?;
        database.run_migrations()?;
        database.with_roots(roots)
    }

    fn connect(url: &DatabaseUrl, password: Option<String>) -> Result<Self> {
        let connections = Arc::new(Connections::new(url, password)?);
        Ok(Self { connections, roots: Arc::default() })
    }

    fn with_roots(mut self, here: &Roots) -> Result<Self> {
        let mut roots = Roots::default();
        for row in self.query("SELECT name, path FROM earmark.root", &[])? {
            roots.set(row.get(0), row.get(1));
        }
        for (name, folder) in here.iter() {
            roots.set(name, folder);
        }
        self.roots = Arc::new(roots);
        Ok(self)
    }

    /// Server, port and database.
    #[must_use]
    pub fn place(&self) -> &str {
        self.connections.place()
    }

    /// Folders that machines mount at different places, with where they are here.
    #[must_use]
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Adds a root that this machine has at `folder` (a path in its stored form). Clips below it, which have whole paths
    /// so far, belong to it from then on.
    ///
    /// # Errors
    /// [`Error::Root`] for a name that is taken, and for a folder in another root or around one; [`Error::Database`].
    pub fn add_root(&mut self, name: &str, folder: &str) -> Result<()> {
        let folder = folder.trim_end_matches(['/', std::path::MAIN_SEPARATOR]);
        if let Some((_, other)) = self.roots.iter().find(|(known, _)| *known == name) {
            if other == folder {
                return Ok(());
            }
            return Err(Error::Root { name: name.to_owned(), reason: format!("it is {other} already") });
        }
        let is_below = |path: &str, other: &str| {
            path == other || path.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'))
        };
        let other = self.roots.iter().find(|(_, other)| is_below(folder, other) || is_below(other, folder));
        if let Some((other, place)) = other {
            let reason = format!("{folder} and the root `{other}`, {place}, must not lie in each other");
            return Err(Error::Root { name: name.to_owned(), reason });
        }
        let (at, inside) = (&self.connections, format!("{folder}/"));
        at.transact(
            async |transaction| {
                let trouble = |e: tokio_postgres::Error| at.trouble(&e);
                let insert = "INSERT INTO earmark.root VALUES ($1, $2) ON CONFLICT DO NOTHING";
                transaction.execute(insert, &[&name, &folder]).await.map_err(trouble)?;
                for table in ["clip", "failure", "kept_tags", "work"] {
                    let take = format!(
                        "UPDATE earmark.{table} SET root = $1, path = substr(path, length($2) + 1)
                         WHERE root = '' AND starts_with(path, $2)"
                    );
                    transaction.execute(&take, &[&name, &inside]).await.map_err(trouble)?;
                }
                Ok(())
            },
            async |_| Ok(None),
        )?;
        Arc::make_mut(&mut self.roots).set(name, folder);
        Ok(())
    }

    fn check_version(&self, version: usize) -> Result<()> {
        let (expected, received) = (MIGRATIONS.len() as u32, version as u32);
        match received.cmp(&expected) {
            Ordering::Equal => Ok(()),
            Ordering::Less => Err(Error::OldTables { place: self.place().to_owned(), expected, received }),
            Ordering::Greater => Err(Error::FormatVersion { dir: self.place().into(), expected, received }),
        }
    }

    fn run_migrations(&self) -> Result<()> {
        let at = &self.connections;
        at.transact(
            async |transaction| {
                let trouble = |e: tokio_postgres::Error| at.trouble(&e);
                transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(trouble)?;
                let installed = transaction
                    .query_opt("SELECT extversion FROM pg_extension WHERE extname = 'vector'", &[])
                    .await
                    .map_err(trouble)?;
                if installed.is_none() {
                    let made = transaction.batch_execute("CREATE EXTENSION vector").await;
                    made.map_err(|e| no_pgvector(at, &e))?;
                }
                let row = transaction
                    .query_one("SELECT extversion FROM pg_extension WHERE extname = 'vector'", &[])
                    .await
                    .map_err(trouble)?;
                check_pgvector(at, row.get(0))?;
                // Making it where it is there needs the right to make it all the same.
                let there = "SELECT to_regnamespace($1) IS NOT NULL";
                let row = transaction.query_one(there, &[&SCHEMA]).await.map_err(trouble)?;
                if !row.get::<_, bool>(0) {
                    let make = format!("CREATE SCHEMA {SCHEMA}");
                    transaction.batch_execute(&make).await.map_err(trouble)?;
                }
                let begin = format!(
                    "CREATE TABLE IF NOT EXISTS {SCHEMA}.migration
                         (version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
                     SET LOCAL search_path = {SCHEMA}, public"
                );
                transaction.batch_execute(&begin).await.map_err(trouble)?;
                let row = transaction.query_one("SELECT coalesce(max(version), 0) FROM migration", &[]).await;
                let done = usize::try_from(row.map_err(trouble)?.get::<_, i32>(0)).unwrap_or(usize::MAX);
                if done > MIGRATIONS.len() {
                    self.check_version(done)?;
                }
                for (version, step) in (1_i32..).zip(MIGRATIONS).skip(done) {
                    transaction.batch_execute(step).await.map_err(trouble)?;
                    let note = transaction.execute("INSERT INTO migration VALUES ($1)", &[&version]).await;
                    note.map_err(trouble)?;
                }
                Ok(())
            },
            // Migrations that were made are not made again.
            async |_| Ok(None),
        )
    }

    /// All spaces, by name.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn spaces(&self) -> Result<Vec<SpaceInfo>> {
        let rows = self.query(
            "SELECT id, name, model_id, manifest_hash, pipeline_version, dim, created_unix_s, is_current
             FROM earmark.space ORDER BY name",
            &[],
        )?;
        Ok(rows.iter().map(space_of).collect())
    }

    /// The current space.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none; [`Error::Database`].
    pub fn current(&self) -> Result<SpaceInfo> {
        let current = self.spaces()?.into_iter().find(|space| space.is_current);
        current.ok_or_else(|| Error::NotFound { dir: self.place().into() })
    }

    /// The space for vectors of exactly this identity, if there is one.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn space_of(&self, identity: &Identity) -> Result<Option<SpaceInfo>> {
        let name = space_name(identity);
        Ok(self.spaces()?.into_iter().find(|space| space.name == name))
    }

    /// The space for vectors of `identity`, made (empty) if it is not there. The first one becomes current.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn make(&self, identity: &Identity) -> Result<SpaceInfo> {
        if let Some(space) = self.space_of(identity)? {
            return Ok(space);
        }
        let (at, name) = (&self.connections, space_name(identity));
        let dim = i32::try_from(identity.dim)
            .map_err(|_| at.error(format!("vectors of {} elements", identity.dim)))?;
        let pipeline = i64::from(identity.pipeline_version);
        at.transact(
            async |transaction| {
                let trouble = |e: tokio_postgres::Error| at.trouble(&e);
                transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(trouble)?;
                let row = transaction
                    .query_opt(
                        "INSERT INTO earmark.space
                             (name, model_id, manifest_hash, pipeline_version, dim, created_unix_s, is_current)
                         SELECT $1, $2, $3, $4, $5, $6, NOT EXISTS (SELECT FROM earmark.space)
                         ON CONFLICT DO NOTHING RETURNING id",
                        &[&name, &identity.model_id, &identity.manifest_hash, &pipeline, &dim, &unix_now_s()],
                    )
                    .await
                    .map_err(trouble)?;
                // Another process made it meanwhile.
                let Some(row) = row else { return Ok(()) };
                let table = segment_table(row.get(0));
                // Full vectors go out of line, so that a scan of the halves reads nothing else.
                let make = format!(
                    "SET LOCAL search_path = {SCHEMA}, public;
                     CREATE TABLE {table} (
                         clip bigint NOT NULL REFERENCES earmark.clip ON DELETE CASCADE,
                         number bigint NOT NULL,
                         start_s float8 NOT NULL,
                         end_s float8 NOT NULL,
                         half halfvec({dim}) NOT NULL,
                         vector bytea NOT NULL,
                         PRIMARY KEY (clip, number)
                     );
                     ALTER TABLE {table} ALTER half SET STORAGE MAIN, ALTER vector SET STORAGE EXTERNAL"
                );
                transaction.batch_execute(&make).await.map_err(trouble)
            },
            async |_| Ok(None),
        )?;
        self.space_of(identity)?.ok_or_else(|| at.error(format!("space `{name}` is gone")))
    }

    /// Makes a space the current one.
    ///
    /// # Errors
    /// [`Error::UnknownSpace`] if it was deleted meanwhile; [`Error::Database`].
    pub fn switch(&self, space: &SpaceInfo) -> Result<()> {
        let at = &self.connections;
        at.transact(
            async |transaction| {
                let off = "UPDATE earmark.space SET is_current = false WHERE is_current";
                transaction.execute(off, &[]).await.map_err(|e| at.trouble(&e))?;
                let on = "UPDATE earmark.space SET is_current = true WHERE id = $1";
                match transaction.execute(on, &[&space.id]).await.map_err(|e| at.trouble(&e))? {
                    1 => Ok(()),
                    _ => {
                        let (dir, wanted) = (self.place().into(), space.name.clone());
                        Err(Error::UnknownSpace { dir, wanted, known: Vec::new() }.into())
                    }
                }
            },
            async |_| Ok(None),
        )
    }

    /// A space by its name, or by its model's id where only one space is that model's.
    ///
    /// # Errors
    /// [`Error::UnknownSpace`], [`Error::AmbiguousSpace`], [`Error::Database`].
    pub fn find(&self, wanted: &str) -> Result<SpaceInfo> {
        let spaces = self.spaces()?;
        if let Some(space) = spaces.iter().find(|space| space.name == wanted) {
            return Ok(space.clone());
        }
        let mut of_model = spaces.iter().filter(|space| space.header.identity.model_id == wanted);
        let (dir, wanted) = (self.place().into(), wanted.to_owned());
        let known = spaces.iter().map(|space| space.name.clone()).collect();
        match (of_model.next(), of_model.next()) {
            (Some(only), None) => Ok(only.clone()),
            (None, _) => Err(Error::UnknownSpace { dir, wanted, known }),
            _ => Err(Error::AmbiguousSpace { dir, wanted, known }),
        }
    }

    /// Deletes a space that is not the current one, with all its clips.
    ///
    /// # Errors
    /// [`Error::CurrentSpace`], [`Error::Database`].
    pub fn drop_space(&self, space: &SpaceInfo) -> Result<()> {
        let at = &self.connections;
        let is_dropped = at.transact(
            async |transaction| {
                let trouble = |e: tokio_postgres::Error| at.trouble(&e);
                let current = "SELECT is_current FROM earmark.space WHERE id = $1 FOR UPDATE";
                let row = transaction.query_opt(current, &[&space.id]).await.map_err(trouble)?;
                let Some(row) = row else { return Ok(true) };
                if row.get(0) {
                    return Ok(false);
                }
                // First its segments: they would be deleted clip by clip.
                let table = format!("DROP TABLE IF EXISTS {}", segment_table(space.id));
                transaction.batch_execute(&table).await.map_err(trouble)?;
                let delete = "DELETE FROM earmark.space WHERE id = $1";
                transaction.execute(delete, &[&space.id]).await.map_err(trouble)?;
                Ok(true)
            },
            async |_| Ok(None),
        )?;
        match is_dropped {
            true => Ok(()),
            false => Err(Error::CurrentSpace { dir: self.place().into(), name: space.name.clone() }),
        }
    }

    /// A file of the saved label sets.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn label_set_file(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let rows = self.query("SELECT content FROM earmark.label_set_file WHERE name = $1", &[&name])?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Puts a file of the saved label sets in place of another, or none.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn write_label_set_file(&self, name: &str, content: &[u8]) -> Result<()> {
        let statement = "INSERT INTO earmark.label_set_file VALUES ($1, $2)
                         ON CONFLICT (name) DO UPDATE SET content = $2";
        self.query(statement, &[&name, &content]).map(drop)
    }

    /// Removes all files of the saved label sets but these.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn keep_label_set_files(&self, names: &[String]) -> Result<()> {
        self.query("DELETE FROM earmark.label_set_file WHERE NOT name = ANY($1)", &[&names]).map(drop)
    }

    /// Keeps others from changing the saved label sets until it is dropped.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn lock_label_sets(&self) -> Result<DatabaseLock> {
        let at = &self.connections;
        let client = at.own_connection(async |client| {
            client.execute("SELECT pg_advisory_lock($1)", &[&LABEL_SETS_LOCK]).await.map(drop)
        })?;
        Ok(DatabaseLock::of(at, client))
    }

    /// Blocks changes to the clips of a space until it is dropped. Waits a second for the batches that are being
    /// written.
    ///
    /// # Errors
    /// [`Error::Locked`] if that is too short, or if workers have files of the space; [`Error::Database`].
    pub fn lock_space(&self, space: &SpaceInfo) -> Result<DatabaseLock> {
        let at = &self.connections;
        let mut is_held = false;
        let client = at.own_connection(async |client| {
            client.batch_execute("SET lock_timeout = '1s'").await?;
            match client.execute("SELECT pg_advisory_lock($1, $2)", &[&SPACE_LOCK, &space.id]).await {
                Err(e) if e.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(()),
                locked => {
                    is_held = true;
                    locked.map(drop)
                }
            }
        })?;
        let lock = DatabaseLock::of(at, client);
        if is_held && Queue::of(&self.index(space)).progress()?.taken == 0 {
            return Ok(lock);
        }
        Err(Error::Locked { dir: self.place().into(), holder: None })
    }

    /// A space, to be read and written.
    #[must_use]
    pub fn index(&self, space: &SpaceInfo) -> PgIndex {
        PgIndex::new(Arc::clone(&self.connections), Arc::clone(&self.roots), space)
    }

    fn query(&self, statement: &str, values: &[&dyn Value]) -> Result<Vec<Row>> {
        self.connections.query(statement, values)
    }
}

/// A right that one process has at a time. The connection that holds it is closed with it.
pub struct DatabaseLock {
    connections: Shared,
    client: Option<Object>,
}

impl DatabaseLock {
    /// What `client` holds.
    pub(crate) fn of(connections: &Shared, client: Object) -> Self {
        Self { connections: Arc::clone(connections), client: Some(client) }
    }
}

impl Drop for DatabaseLock {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            self.connections.close(client);
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.place())
    }
}

/// The table of a space's vectors.
pub(crate) fn segment_table(space: i32) -> String {
    format!("earmark.segment_{space}")
}

fn space_of(row: &Row) -> SpaceInfo {
    let identity = Identity {
        model_id: row.get(2),
        manifest_hash: row.get(3),
        pipeline_version: u32::try_from(row.get::<_, i64>(4)).unwrap_or_default(),
        dim: usize::try_from(row.get::<_, i32>(5)).unwrap_or_default(),
    };
    SpaceInfo {
        id: row.get(0),
        name: row.get(1),
        header: Header { format_version: FORMAT_VERSION, identity, created_unix_s: row.get(6) },
        is_current: row.get(7),
    }
}

fn no_pgvector(at: &Connections, error: &tokio_postgres::Error) -> Trouble {
    let trouble = at.trouble(error);
    match trouble {
        Trouble::Lasting(error) => Trouble::Lasting(at.error(format!(
            "the extension pgvector is needed and could not be made ({error}); let the server's administrator install \
             it and run CREATE EXTENSION vector"
        ))),
        trouble => trouble,
    }
}

fn check_pgvector(at: &Connections, version: &str) -> Result<()> {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found >= PGVECTOR {
        return Ok(());
    }
    let (major, minor) = PGVECTOR;
    Err(at.error(format!(
        "pgvector {version} is too old, expected {major}.{minor} or later; install it and run ALTER EXTENSION vector \
         UPDATE"
    )))
}
