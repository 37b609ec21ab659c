//! Changes, in one transaction a batch.
//!
//! Each batch has a random number, which is committed with it. A writer whose connection breaks as it commits looks
//! for the number, so that a batch is neither lost nor made twice.

use std::collections::{BTreeMap, HashSet};
use std::mem::discriminant;
use std::pin::pin;

use bytes::{BufMut as _, BytesMut};
use deadpool_postgres::{Object, Transaction};
use earmark_index::{
    Change, ClipId, ClipMeta, ClipText, Error, Failure, KEPT_TAGS_S, NameTokens, Result, Segment, unix_now_s,
    with_tags,
};
use futures_util::SinkExt as _;
use futures_util::future::{join, join_all};
use tokio_postgres::Row;

use crate::connections::{Trouble, rows_of};
use crate::database::SPACE_LOCK;
use crate::index::PgIndex;
use crate::names;
use crate::roots::DbPath;
use crate::rows::{signed, texts_of_json, texts_to_json, to_bytes, without_zero};
use crate::values::{Half, Value, Values};

/// How long the numbers of batches are kept: longer than anybody tries to commit one.
const BATCHES_KEPT: &str = "1 day";

/// Changes that are sent together at most.
const MOST_TOGETHER: usize = 500;

/// Bytes of segments that are copied at a time.
const COPY_BYTES: usize = 1 << 20;

/// A clip as a change meets it.
struct Known {
    id: i64,
    at: DbPath,
    hash: Vec<u8>,
    tags: Vec<String>,
}

/// A batch as its changes are made.
#[derive(Default)]
struct Batch<'a> {
    /// The clip that each change of a clip spoke of, in order.
    ids: Vec<ClipId>,
    /// What clips are to have, to be copied when all changes are made.
    segments: BTreeMap<i64, &'a [Segment]>,
}

/// What came of a change.
#[derive(Default)]
struct Made<'a> {
    /// The clip that it spoke of.
    id: Option<ClipId>,
    /// A clip that went.
    erased: Option<i64>,
    /// What a clip is to have.
    segments: Option<(i64, &'a [Segment])>,
}

impl<'a> Batch<'a> {
    fn note(&mut self, made: Made<'a>) {
        self.ids.extend(made.id);
        if let Some(id) = made.erased {
            self.segments.remove(&id);
        }
        self.segments.extend(made.segments);
    }
}

type Tried<T> = Result<T, Trouble>;

impl PgIndex {
    pub(crate) fn write(&self, changes: &[Change]) -> Result<Vec<ClipId>> {
        for change in changes {
            self.check(change)?;
        }
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let nonce = random_i64().map_err(|e| self.connections().error(format!("no random number: {e}")))?;
        self.connections().transact(
            async |transaction| {
                let share = "SELECT pg_advisory_xact_lock_shared($1, $2)";
                self.execute(transaction, share, &[&SPACE_LOCK, &self.space()]).await?;
                let note = "INSERT INTO earmark.batch (nonce, space) VALUES ($1, $2)";
                self.execute(transaction, note, &[&nonce, &self.space()]).await?;
                let mut batch = Batch::default();
                let mut rest = changes;
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(together(rest));
                    rest = later;
                    let made = join_all(now.iter().map(|change| self.make(transaction, change))).await;
                    for made in in_order(made)? {
                        batch.note(made);
                    }
                }
                self.copy(transaction, &batch.segments).await?;
                // A small part of the batches cleans up.
                if nonce % 64 == 0 {
                    self.clean(transaction).await?;
                }
                Ok(batch.ids)
            },
            async |client: &Object| {
                let statement = "SELECT 1 FROM earmark.batch WHERE nonce = $1";
                let found = rows_of(client, statement, &[&nonce]).await;
                let is_done = !found.map_err(|e| self.connections().trouble(&e))?.is_empty();
                if is_done { self.ids_of(client, changes).await.map(Some) } else { Ok(None) }
            },
        )
    }

    /// The ids that a batch gave, found again: by the paths that its changes name.
    async fn ids_of(&self, client: &Object, changes: &[Change]) -> Tried<Vec<ClipId>> {
        let mut ids = Vec::new();
        for change in changes {
            match change {
                Change::Put { meta, .. } => {
                    let at = self.roots().to_db(&meta.path);
                    let statement =
                        "SELECT id FROM earmark.clip WHERE space = $1 AND root = $2 AND path = $3";
                    let rows = rows_of(client, statement, &[&self.space(), &at.root, &at.path]).await;
                    let rows = rows.map_err(|e| self.connections().trouble(&e))?;
                    ids.extend(rows.first().map(|row| row.get::<_, i64>(0).cast_unsigned()));
                }
                Change::Move { id, .. } | Change::Remove(id) | Change::SetTags { id, .. } => ids.push(*id),
                _ => {}
            }
        }
        Ok(ids)
    }

    fn check(&self, change: &Change) -> Result<()> {
        match change {
            Change::Put { meta, segments, .. } => {
                meta.check()?;
                segments.iter().try_for_each(|segment| segment.check(self.dim()))
            }
            Change::Move { meta, .. } => meta.check(),
            _ => Ok(()),
        }
    }

    async fn make<'a>(&self, t: &Transaction<'_>, change: &'a Change) -> Tried<Made<'a>> {
        let mut made = Made::default();
        match change {
            Change::Put { meta, segments, texts } => {
                let id = self.put(t, meta, segments.len(), texts).await?;
                made.segments = Some((id, segments));
                made.id = Some(id.cast_unsigned());
            }
            Change::Move { id, meta } => {
                made.erased = self.move_clip(t, *id, meta).await?;
                made.id = Some(*id);
            }
            Change::Remove(id) => {
                let known = self.by_id(t, *id).await?.ok_or(Error::UnknownClip { id: *id })?;
                made.erased = Some(self.erase(t, &known).await?);
                made.id = Some(*id);
            }
            Change::RemoveAt(path) => {
                if let Some(known) = self.by_path(t, &self.roots().to_db(path)).await? {
                    made.erased = Some(self.erase(t, &known).await?);
                }
            }
            Change::SetTags { id, tags } => {
                self.by_id(t, *id).await?.ok_or(Error::UnknownClip { id: *id })?;
                self.set_tags(t, id.cast_signed(), tags).await?;
                made.id = Some(*id);
            }
            Change::AddTags { path, tags } => {
                if let Some(known) = self.by_path(t, &self.roots().to_db(path)).await? {
                    self.set_tags(t, known.id, &with_tags(&known.tags, tags.clone())).await?;
                }
            }
            Change::Fail(failure) => self.fail(t, failure).await?,
            Change::ClearFailure(path) => self.forget_failure(t, &self.roots().to_db(path)).await?,
        }
        Ok(made)
    }

    async fn put(
        &self,
        t: &Transaction<'_>,
        meta: &ClipMeta,
        segments: usize,
        texts: &[ClipText],
    ) -> Tried<i64> {
        let at = self.roots().to_db(&meta.path);
        let (known, forgotten) = join(self.by_path(t, &at), self.forget_failure(t, &at)).await;
        // The first one's trouble comes first: the other one's follows from it.
        let known = known?;
        forgotten?;
        Ok(match known {
            Some(known) => {
                let statement = format!("DELETE FROM {} WHERE clip = $1", self.segments_table());
                self.execute(t, &statement, &[&known.id]).await?;
                let tags = with_tags(&known.tags, meta.tags.clone());
                self.update(t, known.id, &at, meta, &tags, texts, Some(segments)).await?;
                known.id
            }
            None => {
                let kept = self.take_tags(t, &meta.content_hash, &at).await?;
                self.insert(t, &at, meta, &with_tags(&kept, meta.tags.clone()), texts, segments).await?
            }
        })
    }

    async fn insert(
        &self,
        t: &Transaction<'_>,
        at: &DbPath,
        meta: &ClipMeta,
        tags: &[String],
        texts: &[ClipText],
        segments: usize,
    ) -> Tried<i64> {
        let mut values = columns(at, meta, tags, texts)?;
        values.add(self.space());
        values.add(signed("a number of segments", segments as u64)?);
        let statement = "INSERT INTO earmark.clip
                 (root, path, content_hash, mtime_ns, size, duration_s, sample_rate, channels, format, decoder, tags,
                  indexed_unix_s, texts, name_words, tag_words, text_words, folder_words, space, segments)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::text::tsvector,
                     $15::text::tsvector, $16::text::tsvector, $17::text::tsvector, $18, $19)
             RETURNING id";
        let rows = self.rows(t, statement, &values.all()).await?;
        Ok(rows[0].get(0))
    }

    /// `segments`: how many there are now; `None` leaves that as it is.
    #[expect(clippy::too_many_arguments)]
    async fn update(
        &self,
        t: &Transaction<'_>,
        id: i64,
        at: &DbPath,
        meta: &ClipMeta,
        tags: &[String],
        texts: &[ClipText],
        segments: Option<usize>,
    ) -> Tried<()> {
        let mut values = columns(at, meta, tags, texts)?;
        values.add(id);
        values.add(segments.map(|n| signed("a number of segments", n as u64)).transpose()?);
        let statement = "UPDATE earmark.clip SET
                 root = $1, path = $2, content_hash = $3, mtime_ns = $4, size = $5, duration_s = $6,
                 sample_rate = $7, channels = $8, format = $9, decoder = $10, tags = $11, indexed_unix_s = $12,
                 texts = $13, name_words = $14::text::tsvector, tag_words = $15::text::tsvector,
                 text_words = $16::text::tsvector, folder_words = $17::text::tsvector,
                 segments = coalesce($19, segments)
             WHERE id = $18";
        self.execute(t, statement, &values.all()).await
    }

    async fn copy(&self, t: &Transaction<'_>, segments: &BTreeMap<i64, &[Segment]>) -> Tried<()> {
        if segments.values().all(|segments| segments.is_empty()) {
            return Ok(());
        }
        let trouble = |e: tokio_postgres::Error| self.connections().trouble(&e);
        let statement = format!(
            "COPY {} (clip, number, start_s, end_s, half, vector) FROM STDIN (FORMAT binary)",
            self.segments_table()
        );
        let sink = t.copy_in::<_, bytes::Bytes>(&statement).await.map_err(trouble)?;
        let mut sink = pin!(sink);
        let mut rows = BytesMut::with_capacity(COPY_BYTES + (1 << 14));
        // The signature, no flags, no header extension.
        rows.put_slice(b"PGCOPY\n\xff\r\n\0");
        rows.put_i32(0);
        rows.put_i32(0);
        let numbered =
            segments.iter().flat_map(|(id, segments)| (0_i64..).zip(*segments).map(|one| (*id, one)));
        for (id, (number, segment)) in numbered {
            rows.put_i16(6);
            for value in [id, number] {
                rows.put_i32(8);
                rows.put_i64(value);
            }
            for value in [segment.start_s, segment.end_s] {
                rows.put_i32(8);
                rows.put_f64(value);
            }
            put_half(&mut rows, &segment.vector).map_err(|what| self.connections().error(what))?;
            let vector = to_bytes(&segment.vector);
            rows.put_i32(i32::try_from(vector.len()).unwrap_or(i32::MAX));
            rows.put_slice(&vector);
            if rows.len() >= COPY_BYTES {
                sink.send(rows.split().freeze()).await.map_err(trouble)?;
            }
        }
        rows.put_i16(-1);
        sink.send(rows.freeze()).await.map_err(trouble)?;
        sink.finish().await.map_err(trouble)?;
        Ok(())
    }

    /// Gives the clip that was there, if there was one.
    async fn move_clip(&self, t: &Transaction<'_>, id: ClipId, meta: &ClipMeta) -> Tried<Option<i64>> {
        // Somebody removed it meanwhile; whoever found its file elsewhere could not know.
        let Some(known) = self.by_id(t, id).await? else { return Ok(None) };
        let at = self.roots().to_db(&meta.path);
        let other = self.by_path(t, &at).await?.filter(|other| other.id != known.id);
        if let Some(other) = &other {
            self.erase(t, other).await?;
        }
        let rows = self.rows(t, "SELECT texts FROM earmark.clip WHERE id = $1", &[&known.id]).await?;
        let texts = rows.first().map(|row| texts_of_json(row.get(0))).unwrap_or_default();
        self.forget_failure(t, &at).await?;
        self.update(t, known.id, &at, meta, &with_tags(&known.tags, meta.tags.clone()), &texts, None).await?;
        Ok(other.map(|other| other.id))
    }

    /// Gives the clip's id.
    async fn erase(&self, t: &Transaction<'_>, known: &Known) -> Tried<i64> {
        if !known.tags.is_empty() {
            let keep = "INSERT INTO earmark.kept_tags (space, content_hash, root, path, tags, removed_unix_s)
                        VALUES ($1, $2, $3, $4, $5, $6)";
            let values: [&dyn Value; 6] =
                [&self.space(), &known.hash, &known.at.root, &known.at.path, &known.tags, &unix_now_s()];
            self.execute(t, keep, &values).await?;
        }
        self.execute(t, "DELETE FROM earmark.clip WHERE id = $1", &[&known.id]).await?;
        Ok(known.id)
    }

    /// Takes back the tags that are kept for a content: those of the clip that was at `at`, else of the last one.
    async fn take_tags(&self, t: &Transaction<'_>, hash: &[u8; 32], at: &DbPath) -> Tried<Vec<String>> {
        let statement = "DELETE FROM earmark.kept_tags WHERE number = (
                             SELECT number FROM earmark.kept_tags
                             WHERE space = $1 AND content_hash = $2 AND removed_unix_s >= $3
                             ORDER BY (root = $4 AND path = $5) DESC, number DESC LIMIT 1)
                         RETURNING tags";
        let oldest = unix_now_s().saturating_sub(KEPT_TAGS_S);
        let values: [&dyn Value; 5] = [&self.space(), &&hash[..], &oldest, &at.root, &at.path];
        let rows = self.rows(t, statement, &values).await?;
        Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
    }

    async fn set_tags(&self, t: &Transaction<'_>, id: i64, tags: &[String]) -> Tried<()> {
        let [_, words, _, _] = names::vectors(&NameTokens::of("", tags, &[]));
        let tags: Vec<String> = tags.iter().map(|tag| without_zero(tag)).collect();
        let statement = "UPDATE earmark.clip SET tags = $2, tag_words = $3::text::tsvector WHERE id = $1";
        self.execute(t, statement, &[&id, &tags, &words]).await
    }

    async fn fail(&self, t: &Transaction<'_>, failure: &Failure) -> Tried<()> {
        let at = self.roots().to_db(&failure.path);
        self.execute(
            t,
            "INSERT INTO earmark.failure (space, root, path, size, mtime_ns, reason, kind, seen_unix_s)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (space, root, path) DO UPDATE SET
                 size = $4, mtime_ns = $5, reason = $6, kind = $7, seen_unix_s = $8",
            &[
                &self.space(),
                &at.root,
                &at.path,
                &signed("a file's size", failure.size)?,
                &failure.mtime_ns,
                &without_zero(&failure.reason),
                &failure.kind,
                &failure.seen_unix_s,
            ],
        )
        .await
    }

    async fn forget_failure(&self, t: &Transaction<'_>, at: &DbPath) -> Tried<()> {
        let statement = "DELETE FROM earmark.failure WHERE space = $1 AND root = $2 AND path = $3";
        self.execute(t, statement, &[&self.space(), &at.root, &at.path]).await
    }

    async fn clean(&self, t: &Transaction<'_>) -> Tried<()> {
        let batches = format!("DELETE FROM earmark.batch WHERE at < now() - interval '{BATCHES_KEPT}'");
        self.execute(t, &batches, &[]).await?;
        let oldest = unix_now_s().saturating_sub(KEPT_TAGS_S);
        self.execute(t, "DELETE FROM earmark.kept_tags WHERE removed_unix_s < $1", &[&oldest]).await
    }

    async fn by_path(&self, t: &Transaction<'_>, at: &DbPath) -> Tried<Option<Known>> {
        let statement = "SELECT id, root, path, content_hash, tags FROM earmark.clip
                         WHERE space = $1 AND root = $2 AND path = $3 FOR UPDATE";
        let rows = self.rows(t, statement, &[&self.space(), &at.root, &at.path]).await?;
        Ok(rows.first().map(known))
    }

    async fn by_id(&self, t: &Transaction<'_>, id: ClipId) -> Tried<Option<Known>> {
        let statement = "SELECT id, root, path, content_hash, tags FROM earmark.clip
                         WHERE space = $1 AND id = $2 FOR UPDATE";
        let rows = self.rows(t, statement, &[&self.space(), &id.cast_signed()]).await?;
        Ok(rows.first().map(known))
    }

    async fn rows(&self, t: &Transaction<'_>, statement: &str, values: &[&dyn Value]) -> Tried<Vec<Row>> {
        let trouble = |e: tokio_postgres::Error| match e.code() {
            // Another writer has put a clip at the same path since it was looked for: the next try sees it.
            Some(state) if *state == tokio_postgres::error::SqlState::UNIQUE_VIOLATION => {
                Trouble::Passing { error: self.connections().error(e.to_string()), in_doubt: false }
            }
            _ => self.connections().trouble(&e),
        };
        rows_of(t.client(), statement, values).await.map_err(trouble)
    }

    async fn execute(&self, t: &Transaction<'_>, statement: &str, values: &[&dyn Value]) -> Tried<()> {
        self.rows(t, statement, values).await.map(drop)
    }
}

/// How many of the first changes are sent together, so that they share their round trips: those of one kind, each
/// about another clip.
fn together(changes: &[Change]) -> usize {
    let Some(first) = changes.first() else { return 0 };
    let mut seen = HashSet::new();
    let mut count = 0;
    for change in changes.iter().take(MOST_TOGETHER) {
        let subject = match change {
            _ if discriminant(change) != discriminant(first) => break,
            Change::Put { meta, .. } => Subject::Path(&meta.path),
            Change::Remove(id) | Change::SetTags { id, .. } => Subject::Id(*id),
            Change::RemoveAt(path) | Change::AddTags { path, .. } | Change::ClearFailure(path) => {
                Subject::Path(path)
            }
            Change::Fail(failure) => Subject::Path(&failure.path),
            // It may put an end to another clip, too.
            Change::Move { .. } => break,
        };
        if !seen.insert(subject) {
            break;
        }
        count += 1;
    }
    count.max(1)
}

/// What a change is about.
#[derive(PartialEq, Eq, Hash)]
enum Subject<'a> {
    Id(ClipId),
    Path(&'a str),
}

/// What came of changes that were sent together, or the first thing that went wrong, not what followed from it.
fn in_order<T>(made: Vec<Tried<T>>) -> Tried<Vec<T>> {
    let mut all = Vec::with_capacity(made.len());
    let mut aftermath = None;
    for made in made {
        match made {
            Ok(made) => all.push(made),
            Err(Trouble::Aftermath(error)) => aftermath = Some(Trouble::Aftermath(error)),
            Err(first) => return Err(first),
        }
    }
    aftermath.map_or(Ok(all), Err)
}

fn known(row: &Row) -> Known {
    Known {
        id: row.get(0),
        at: DbPath { root: row.get(1), path: row.get(2) },
        hash: row.get(3),
        tags: row.get(4),
    }
}

/// What a clip's row says of its file, in the order of the statements that write it.
fn columns(at: &DbPath, meta: &ClipMeta, tags: &[String], texts: &[ClipText]) -> Result<Values> {
    let words = names::vectors(&NameTokens::of(&at.path, tags, texts));
    let tags: Vec<String> = tags.iter().map(|tag| without_zero(tag)).collect();
    let mut values = Values::default();
    values.add(at.root.clone());
    values.add(at.path.clone());
    values.add(meta.content_hash.to_vec());
    values.add(meta.mtime_ns);
    values.add(signed("a file's size", meta.size)?);
    values.add(meta.duration_s);
    values.add(i64::from(meta.sample_rate));
    values.add(i32::from(meta.channels));
    values.add(meta.format.clone());
    values.add(meta.decoder.clone());
    values.add(tags);
    values.add(meta.indexed_unix_s);
    values.add(texts_to_json(texts));
    words.into_iter().for_each(|words| drop(values.add(words)));
    Ok(values)
}

/// A vector as a half-precision one, with its length in front.
fn put_half(rows: &mut BytesMut, vector: &[f32]) -> Result<(), String> {
    let mut half = BytesMut::new();
    Half::of(vector).put(&mut half).map_err(|e| e.to_string())?;
    rows.put_i32(i32::try_from(half.len()).map_err(|e| e.to_string())?);
    rows.put_slice(&half);
    Ok(())
}

fn random_i64() -> Result<i64, getrandom::Error> {
    Ok(getrandom::u64()?.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(what: &str) -> Error {
        Error::Database { place: String::new(), what: what.to_owned() }
    }

    #[test]
    fn what_went_wrong_first_is_told_and_not_what_followed() {
        let made: Vec<Tried<i32>> = vec![
            Ok(1),
            Err(Trouble::Aftermath(error("the transaction has failed"))),
            Err(Trouble::Passing { error: error("deadlock"), in_doubt: false }),
        ];
        assert!(matches!(in_order(made), Err(Trouble::Passing { .. })));
        let only = vec![Ok(1), Err(Trouble::Aftermath(error("the transaction has failed")))];
        assert!(matches!(in_order(only), Err(Trouble::Aftermath(_))));
        assert!(matches!(in_order(vec![Ok(1), Ok(2)]), Ok(made) if made == [1, 2]));
    }

    #[test]
    fn changes_of_one_kind_about_several_clips_are_sent_together() {
        let tags = |id| Change::SetTags { id, tags: Vec::new() };
        let at = |path: &str| Change::RemoveAt(path.to_owned());
        assert_eq!(together(&[tags(1), tags(2), tags(1), tags(3)]), 2);
        assert_eq!(together(&[tags(1), at("/a"), at("/b")]), 1);
        assert_eq!(together(&[at("/a"), at("/b"), Change::Remove(1)]), 2);
        assert_eq!(together(&[]), 0);
    }
}
