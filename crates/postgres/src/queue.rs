//! [`Queue`]: files to be indexed, shared by workers on any number of machines.
//!
//! A worker takes some files with a lease, renews it while it works, and strikes the files off when what they became
//! is committed. The files of a worker that was killed are free again when its lease ends. So a file may be worked on
//! twice, and that does no harm: a clip is written by its path, and a file whose clip is there already is passed over.

use std::time::Duration;

use earmark_index::Result;
use tokio_postgres::Row;

use crate::filter::path_within;
use crate::index::PgIndex;
use crate::rows::signed;
use crate::values::Values;

/// How long a lease lasts without being renewed.
const LEASE: Duration = Duration::from_secs(60);

/// A file that so many workers have taken and not finished is given up: it may be what killed them.
const MOST_TRIES: i32 = 3;

/// Rows that are written at a time.
const ROWS: usize = 1000;

/// A worker not seen for so long counts as gone.
const GONE_AFTER: &str = "2 minutes";

/// The files of a space that are to be indexed.
#[derive(Clone)]
pub struct Queue {
    index: PgIndex,
}

/// A file to be indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedFile {
    /// Its path here, in its stored form.
    pub path: String,
    /// Its size when it was found, bytes.
    pub size: u64,
    /// Its modification time then, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Whether it is to be embedded again, changed or not.
    pub force: bool,
}

/// Files that a worker has taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lease {
    /// Those to work on.
    pub files: Vec<QueuedFile>,
    /// Those that three workers have taken and not finished, this one not counted.
    pub given_up: Vec<QueuedFile>,
}

/// How far the workers are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Files that nobody has taken.
    pub waiting: u64,
    /// Files that a worker has.
    pub taken: u64,
    /// Files whose worker's lease has ended: they are free again.
    pub expired: u64,
    /// The workers that were seen lately, or have files.
    pub workers: Vec<WorkerInfo>,
}

/// A worker, as it last said.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerInfo {
    /// Its number.
    pub id: i64,
    /// Its machine.
    pub host: String,
    /// Its process there.
    pub process: i64,
    /// When it began, seconds since 1970.
    pub started_unix_s: i64,
    /// Seconds since it was last seen.
    pub silent_s: f64,
    /// Files it has done.
    pub files: i64,
    /// Of these, files that could not be indexed.
    pub failed: i64,
    /// Audio that it encoded, seconds.
    pub audio_s: f64,
    /// Files that it has taken.
    pub taken: i64,
}

impl Queue {
    /// The queue of a space.
    #[must_use]
    pub fn of(index: &PgIndex) -> Self {
        Self { index: index.clone() }
    }

    /// Adds files; those that are queued already stay as they are, but for being forced. Gives how many are new.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn add(&self, files: &[QueuedFile]) -> Result<u64> {
        let mut added = 0;
        for some in files.chunks(ROWS) {
            let (roots, paths) = self.places(some);
            let sizes = some.iter().map(|file| signed("a file's size", file.size));
            let sizes: Vec<i64> = sizes.collect::<Result<_>>()?;
            let times: Vec<i64> = some.iter().map(|file| file.mtime_ns).collect();
            let forced: Vec<bool> = some.iter().map(|file| file.force).collect();
            let rows = self.index.query(
                "INSERT INTO earmark.work AS w (space, root, path, size, mtime_ns, force)
                 SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[])
                 ON CONFLICT (space, root, path) DO UPDATE SET force = w.force OR excluded.force
                 RETURNING xmax = 0",
                &[&self.index.space(), &roots, &paths, &sizes, &times, &forced],
            )?;
            added += rows.iter().filter(|row| row.get(0)).count() as u64;
        }
        Ok(added)
    }

    /// Says that a worker begins; gives its number.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn register(&self, host: &str, process: u32) -> Result<i64> {
        let rows = self.index.query(
            "INSERT INTO earmark.worker (space, host, process) VALUES ($1, $2, $3) RETURNING id",
            &[&self.index.space(), &host, &i64::from(process)],
        )?;
        Ok(rows[0].get(0))
    }

    /// Takes up to `most` files below `folders` (stored paths) that nobody has, in the order of their paths. A file that
    /// another worker took and did not finish is taken alone, so that others do not share its fate.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn take(&self, worker: i64, most: usize, folders: &[String]) -> Result<Lease> {
        let fresh = self.take_some(worker, most, folders, "tries = 0")?;
        if fresh.files.is_empty() { self.take_some(worker, 1, folders, "tries > 0") } else { Ok(fresh) }
    }

    fn take_some(&self, worker: i64, most: usize, folders: &[String], which: &str) -> Result<Lease> {
        let mut values = Values::default();
        let (space, worker) = (values.add(self.index.space()), values.add(worker));
        let limit = values.add(i64::try_from(most).unwrap_or(i64::MAX));
        let lease = values.add(LEASE.as_secs_f64());
        let within = self.within(folders, &mut values);
        let statement = format!(
            "UPDATE earmark.work w
             SET worker = {worker}, leased_until = now() + {lease} * interval '1 second', tries = tries + 1
             FROM (SELECT root, path FROM earmark.work c
                   WHERE space = {space} AND (leased_until IS NULL OR leased_until < now()) AND {which} AND ({within})
                   ORDER BY root, path LIMIT {limit} FOR UPDATE SKIP LOCKED) free
             WHERE w.space = {space} AND w.root = free.root AND w.path = free.path
             RETURNING w.root, w.path, w.size, w.mtime_ns, w.force, w.tries"
        );
        let rows = self.index.query(&statement, &values.all())?;
        let mut lease = Lease::default();
        for row in &rows {
            let list = if row.get::<_, i32>(5) > MOST_TRIES { &mut lease.given_up } else { &mut lease.files };
            list.push(self.file(row));
        }
        lease.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(lease)
    }

    /// Renews a worker's lease, and notes that it lives.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn renew(&self, worker: i64) -> Result<()> {
        let until =
            "UPDATE earmark.work SET leased_until = now() + $2 * interval '1 second' WHERE worker = $1";
        self.index.query(until, &[&worker, &LEASE.as_secs_f64()])?;
        self.index.query("UPDATE earmark.worker SET seen = now() WHERE id = $1", &[&worker]).map(drop)
    }

    /// Strikes off files that a worker has finished: what became of them is committed. `failed` and `audio_s` (the
    /// seconds that were encoded) are for those who watch.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn finish(&self, worker: i64, files: &[QueuedFile], failed: usize, audio_s: f64) -> Result<()> {
        let (roots, paths) = self.places(files);
        // Another worker's, where this one was silent for too long; that one finds the clip there.
        self.index.query(
            "DELETE FROM earmark.work w USING unnest($2::text[], $3::text[]) AS one(root, path)
             WHERE w.space = $1 AND w.root = one.root AND w.path = one.path AND w.worker = $4",
            &[&self.index.space(), &roots, &paths, &worker],
        )?;
        self.index.query(
            "UPDATE earmark.worker SET seen = now(), files = files + $2, failed = failed + $3, audio_s = audio_s + $4
             WHERE id = $1",
            &[
                &worker,
                &i64::try_from(files.len()).unwrap_or(i64::MAX),
                &i64::try_from(failed).unwrap_or(i64::MAX),
                &audio_s,
            ],
        )?;
        Ok(())
    }

    /// Gives back the files that a worker has not finished; they do not count as tried.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn give_back(&self, worker: i64) -> Result<()> {
        let statement =
            "UPDATE earmark.work SET worker = NULL, leased_until = NULL, tries = greatest(tries - 1, 0)
                         WHERE worker = $1";
        self.index.query(statement, &[&worker]).map(drop)
    }

    /// Empties the queue, but for files that a worker has. Gives how many files that were.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn clear(&self) -> Result<u64> {
        let rows = self.index.query(
            "DELETE FROM earmark.work WHERE space = $1 AND (leased_until IS NULL OR leased_until < now()) RETURNING 1",
            &[&self.index.space()],
        )?;
        Ok(rows.len() as u64)
    }

    /// How far the workers are.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn progress(&self) -> Result<Progress> {
        let counts = self.index.query(
            "SELECT count(*) FILTER (WHERE leased_until IS NULL), count(*) FILTER (WHERE leased_until >= now()),
                    count(*) FILTER (WHERE leased_until < now())
             FROM earmark.work WHERE space = $1",
            &[&self.index.space()],
        )?;
        let statement = format!(
            "SELECT w.id, w.host, w.process, extract(epoch FROM w.started)::bigint,
                    extract(epoch FROM now() - w.seen)::float8, w.files, w.failed, w.audio_s, count(f.path)
             FROM earmark.worker w LEFT JOIN earmark.work f ON f.worker = w.id
             WHERE w.space = $1
             GROUP BY w.id HAVING w.seen > now() - interval '{GONE_AFTER}' OR count(f.path) > 0
             ORDER BY w.id"
        );
        let workers = self.index.query(&statement, &[&self.index.space()])?;
        let count = |column: usize| counts[0].get::<_, i64>(column).cast_unsigned();
        let worker = |row: &Row| WorkerInfo {
            id: row.get(0),
            host: row.get(1),
            process: row.get(2),
            started_unix_s: row.get(3),
            silent_s: row.get(4),
            files: row.get(5),
            failed: row.get(6),
            audio_s: row.get(7),
            taken: row.get(8),
        };
        Ok(Progress {
            waiting: count(0),
            taken: count(1),
            expired: count(2),
            workers: workers.iter().map(worker).collect(),
        })
    }

    fn file(&self, row: &Row) -> QueuedFile {
        QueuedFile {
            path: self.index.roots().to_local(row.get(0), row.get(1)),
            size: row.get::<_, i64>(2).cast_unsigned(),
            mtime_ns: row.get(3),
            force: row.get(4),
        }
    }

    /// Files below `folders` that are not struck off: those that can be taken, and those that a worker has.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn left(&self, folders: &[String]) -> Result<(u64, u64)> {
        let mut values = Values::default();
        let space = values.add(self.index.space());
        let within = self.within(folders, &mut values);
        let statement = format!(
            "SELECT count(*) FILTER (WHERE leased_until IS NULL OR leased_until < now()),
                    count(*) FILTER (WHERE leased_until >= now())
             FROM earmark.work c WHERE space = {space} AND ({within})"
        );
        let rows = self.index.query(&statement, &values.all())?;
        Ok((rows[0].get::<_, i64>(0).cast_unsigned(), rows[0].get::<_, i64>(1).cast_unsigned()))
    }

    /// The condition that a file `c` is one of `folders` or lies in one.
    fn within(&self, folders: &[String], values: &mut Values) -> String {
        let all: Vec<String> =
            folders.iter().map(|folder| path_within(self.index.roots(), folder, values)).collect();
        if all.is_empty() { "false".to_owned() } else { all.join(" OR ") }
    }

    fn places(&self, files: &[QueuedFile]) -> (Vec<String>, Vec<String>) {
        let places = files.iter().map(|file| self.index.roots().to_db(&file.path));
        places.map(|at| (at.root, at.path)).unzip()
    }
}
