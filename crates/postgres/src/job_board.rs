//! [`JobBoard`]: the jobs of all servers of a database, so that any server can report any job.
//!
//! A server posts its own jobs: when one is added, as it goes on, and every few seconds in between, so that a server
//! that was killed is noticed. What a job is, only servers know; here it is JSON.

use earmark_index::Result;
use serde_json::Value;
use tokio_postgres::Row;

use crate::index::PgIndex;

/// A server that has not posted an unfinished job for so long is gone.
const GONE_AFTER: &str = "1 minute";

/// The jobs of a space.
#[derive(Clone)]
pub struct JobBoard {
    index: PgIndex,
}

/// A job, as its server last posted it.
#[derive(Debug, Clone, PartialEq)]
pub struct PostedJob {
    /// Its number, which no other job of the database has.
    pub id: u64,
    /// What its server says of it.
    pub content: Value,
    /// Whether it is unfinished and its server is gone.
    pub is_abandoned: bool,
}

impl JobBoard {
    /// The jobs of a space.
    #[must_use]
    pub fn of(index: &PgIndex) -> Self {
        Self { index: index.clone() }
    }

    /// A number for a new job.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn reserve(&self) -> Result<u64> {
        let statement = "SELECT nextval(pg_get_serial_sequence('earmark.job', 'id'))";
        Ok(self.index.query(statement, &[])?[0].get::<_, i64>(0).cast_unsigned())
    }

    /// Posts a new job. One that was posted meanwhile stays as it is.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn add(&self, id: u64, content: &Value) -> Result<()> {
        let statement =
            "INSERT INTO earmark.job (id, space, content) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3)
                         ON CONFLICT (id) DO NOTHING";
        self.index.query(statement, &[&id.cast_signed(), &self.index.space(), content]).map(drop)
    }

    /// Posts how far a job is, unless it is over; true if somebody asked that it be cancelled.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn post(&self, id: u64, content: &Value) -> Result<bool> {
        let rows = self.index.query(
            "INSERT INTO earmark.job AS j (id, space, content) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET content = $3, seen = now() WHERE NOT j.is_over RETURNING is_cancelled",
            &[&id.cast_signed(), &self.index.space(), content],
        )?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }

    /// Posts a job that is over, and the files that failed, as a list. Of the jobs that are over or whose server
    /// is gone, the last `kept` stay.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn finish(&self, id: u64, content: &Value, failures: &Value, kept: usize) -> Result<()> {
        self.index.query(
            "INSERT INTO earmark.job (id, space, content, failures, is_over) OVERRIDING SYSTEM VALUE
             VALUES ($1, $2, $3, $4, true)
             ON CONFLICT (id) DO UPDATE SET content = $3, failures = $4, is_over = true, seen = now()",
            &[&id.cast_signed(), &self.index.space(), content, failures],
        )?;
        let statement = format!(
            "DELETE FROM earmark.job WHERE id IN
                 (SELECT id FROM earmark.job
                  WHERE space = $1 AND (is_over OR seen < now() - interval '{GONE_AFTER}')
                  ORDER BY id DESC OFFSET $2)"
        );
        let kept = i64::try_from(kept).unwrap_or(i64::MAX);
        self.index.query(&statement, &[&self.index.space(), &kept]).map(drop)
    }

    /// All jobs, the latest first.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn all(&self) -> Result<Vec<PostedJob>> {
        self.posted(None)
    }

    /// A job.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn get(&self, id: u64) -> Result<Option<PostedJob>> {
        Ok(self.posted(Some(id))?.pop())
    }

    /// Only this one, or all.
    fn posted(&self, id: Option<u64>) -> Result<Vec<PostedJob>> {
        let statement = format!(
            "SELECT id, content, NOT is_over AND seen < now() - interval '{GONE_AFTER}' FROM earmark.job
             WHERE space = $1 AND ($2::bigint IS NULL OR id = $2) ORDER BY id DESC"
        );
        let rows = self.index.query(&statement, &[&self.index.space(), &id.map(u64::cast_signed)])?;
        let posted = |row: &Row| PostedJob {
            id: row.get::<_, i64>(0).cast_unsigned(),
            content: row.get(1),
            is_abandoned: row.get(2),
        };
        Ok(rows.iter().map(posted).collect())
    }

    /// The files of a finished job that failed, as its server listed them.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn failures(&self, id: u64) -> Result<Option<Value>> {
        let statement = "SELECT failures FROM earmark.job WHERE space = $1 AND id = $2";
        let rows = self.index.query(statement, &[&self.index.space(), &id.cast_signed()])?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Asks a job's server to cancel it. False if the job is over, or its server gone.
    ///
    /// # Errors
    /// [`earmark_index::Error::Database`].
    pub fn cancel(&self, id: u64) -> Result<bool> {
        let statement = format!(
            "UPDATE earmark.job SET is_cancelled = true
             WHERE space = $1 AND id = $2 AND NOT is_over AND seen >= now() - interval '{GONE_AFTER}' RETURNING 1"
        );
        Ok(!self.index.query(&statement, &[&self.index.space(), &id.cast_signed()])?.is_empty())
    }
}
