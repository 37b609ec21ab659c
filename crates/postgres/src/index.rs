//! [`PgIndex`]: one space of a database, read and written.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use earmark_index::{
    Change, Clip, ClipId, ClipText, Error, Failure, Figures, Filter, Header, Hit, IndexReader, IndexWriter,
    NameMatches, NameQuery, Result, SearchRequest, SearchResponse, Segment, SegmentRef, Spread, Stats,
    check_unit, find_names,
};
use tokio_postgres::Row;

use crate::connections::Shared;
use crate::database::{SpaceInfo, segment_table};
use crate::filter::Ready;
use crate::roots::Roots;
use crate::rows::{self, CLIP};
use crate::values::{Half, Value};

/// Segments that the spread of a query's scores is taken from, as in the local index.
const SPREAD_SAMPLE: usize = 4096;

/// Bytes of a page of PostgreSQL's.
const PAGE_BYTES: f64 = 8192.0;

/// Bytes of a segment in its page besides its half-precision elements, roughly.
const ROW_BYTES: usize = 100;

/// Rows with fewer bytes than this keep all they have in their page.
const INLINE_BYTES: usize = 2000;

/// Pages that a sample of whole pages has at least, so that it is even.
const FEWEST_PAGES: f64 = 50.0;

/// Clips whose segments are read at a time.
const CLIPS_AT_ONCE: usize = 256;

/// Bytes of vectors that are read at a time, roughly.
const BYTES_AT_ONCE: usize = 64 << 20;

/// One space of a database. Cheap to clone. Each call sees what is committed when it is made.
#[derive(Clone)]
pub struct PgIndex {
    connections: Shared,
    roots: Arc<Roots>,
    space: i32,
    header: Arc<Header>,
    built: Arc<Mutex<Option<Built>>>,
    counted: Arc<Mutex<Option<Counted>>>,
}

/// Clips and segments, and when they were counted.
type Counted = (Instant, (usize, usize));

/// What was last read of the indexes for approximate search: over how many segments each was built, and what was
/// measured.
type Built = (Instant, Arc<[(usize, Figures)]>);

/// How long a count of all clips holds, which is only told: others may have written since.
const COUNT_HOLDS: Duration = Duration::from_secs(2);

/// How long what was read of the indexes holds: another process may have built some since.
const BUILT_HOLDS: Duration = Duration::from_secs(10);

impl PgIndex {
    pub(crate) fn new(connections: Shared, roots: Arc<Roots>, space: &SpaceInfo) -> Self {
        Self {
            connections,
            roots,
            space: space.id,
            header: Arc::new(space.header.clone()),
            built: Arc::default(),
            counted: Arc::default(),
        }
    }

    /// Server, port and database.
    #[must_use]
    pub fn place(&self) -> &str {
        self.connections.place()
    }

    /// Whether the server answers, and takes writes.
    ///
    /// # Errors
    /// [`Error::Database`]; [`Error::ReadOnly`] for a server that only follows another one.
    pub fn check_writable(&self) -> Result<()> {
        let rows = self.query("SELECT pg_is_in_recovery()", &[])?;
        if rows[0].get(0) { Err(Error::ReadOnly { dir: self.place().into() }) } else { Ok(()) }
    }

    pub(crate) fn space(&self) -> i32 {
        self.space
    }

    pub(crate) fn roots(&self) -> &Roots {
        &self.roots
    }

    pub(crate) fn connections(&self) -> &Shared {
        &self.connections
    }

    pub(crate) fn segments_table(&self) -> String {
        segment_table(self.space)
    }

    /// The indexes for approximate search, as they were built.
    pub(crate) fn built(&self) -> Result<Arc<[(usize, Figures)]>> {
        let mut known = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read, built)) = &*known
            && read.elapsed() < BUILT_HOLDS
        {
            return Ok(Arc::clone(built));
        }
        let built: Arc<[(usize, Figures)]> = self.read_built()?.into();
        *known = Some((Instant::now(), Arc::clone(&built)));
        Ok(built)
    }

    /// Clips and segments that a filter lets through.
    pub(crate) fn count(&self, ready: &Ready<'_>) -> Result<(usize, usize)> {
        if !ready.is_open() {
            return self.count_now(ready);
        }
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, counts)) = *counted
            && at.elapsed() < COUNT_HOLDS
        {
            return Ok(counts);
        }
        let counts = self.count_now(ready)?;
        *counted = Some((Instant::now(), counts));
        Ok(counts)
    }

    fn count_now(&self, ready: &Ready<'_>) -> Result<(usize, usize)> {
        let (statement, values) = ready.count();
        let rows = self.query(&statement, &values.all())?;
        let number = |column: usize| usize::try_from(rows[0].get::<_, i64>(column)).unwrap_or_default();
        Ok((number(0), number(1)))
    }

    /// To be called when something was written.
    pub(crate) fn forget_count(&self) {
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn forget_built(&self) {
        *self.built.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// About `n` of the stored vectors, or all if there are fewer; the same ones each time while nothing is written.
    pub(crate) fn sample(&self, n: usize) -> Result<Vec<Vec<f32>>> {
        let rows = self.sample_of(n, "s.vector", &[])?;
        rows.iter().map(|row| rows::of_bytes(row.get(0), self.dim(), &self.connections)).collect()
    }

    /// `what` of about `n` segments `s`, or of all if there are fewer. Of a large table whole pages are chosen, of a
    /// small one rows.
    fn sample_of(&self, n: usize, what: &str, values: &[&dyn Value]) -> Result<Vec<Row>> {
        let table = self.segments_table();
        let open = Filter::default();
        let (_, segments) = self.count(&Ready::new(&open, &self.roots, self.space, &self.connections)?)?;
        if segments <= n {
            return self.query(&format!("SELECT {what} FROM {table} s"), values);
        }
        // Full vectors lie elsewhere, but for short ones.
        let short = 6 * self.dim() + ROW_BYTES;
        let row = if short < INLINE_BYTES { short } else { 2 * self.dim() + ROW_BYTES };
        let pages = segments as f64 * row as f64 / PAGE_BYTES;
        // More than are wanted, since pages are not equally full; of them, evenly chosen ones are taken.
        let percent = (150.0 * n as f64 / segments as f64).min(100.0);
        let method = if percent / 100.0 * pages >= FEWEST_PAGES { "SYSTEM" } else { "BERNOULLI" };
        let statement =
            format!("SELECT {what} FROM {table} s TABLESAMPLE {method} ({percent:.6}) REPEATABLE (1)");
        let mut found = self.query(&statement, values)?;
        let (all, wanted) = (found.len(), n.min(found.len()));
        // Of each stretch of `all / wanted` rows the last.
        let mut place = 0;
        found.retain(|_| {
            place += 1;
            (place - 1) * wanted / all != place * wanted / all
        });
        Ok(found)
    }

    pub(crate) fn dim(&self) -> usize {
        self.header.identity.dim
    }

    pub(crate) fn query(&self, statement: &str, values: &[&dyn Value]) -> Result<Vec<Row>> {
        self.connections.query(statement, values)
    }

    fn read_clips(&self, rows: &[Row]) -> Result<Vec<Clip>> {
        rows.iter().map(|row| rows::clip(row, &self.roots, &self.connections)).collect()
    }

    /// The clips with these ids, in any order.
    pub(crate) fn clips_by_id(&self, ids: &[ClipId]) -> Result<Vec<Clip>> {
        let statement = format!("SELECT {CLIP} FROM earmark.clip c WHERE c.space = $1 AND c.id = ANY($2)");
        self.read_clips(&self.query(&statement, &[&self.space, &signed_ids(ids)])?)
    }

    /// The statement that reads the segments of some clips (`$1`), in order.
    fn select_segments(&self) -> String {
        let table = self.segments_table();
        format!(
            "SELECT clip, number, start_s, end_s, vector FROM {table} WHERE clip = ANY($1) ORDER BY clip, number"
        )
    }

    /// A segment from a row of [`Self::select_segments`].
    fn segment_of(&self, row: &Row) -> Result<Segment> {
        let vector = rows::of_bytes(row.get(4), self.dim(), &self.connections)?;
        Ok(Segment { start_s: row.get(2), end_s: row.get(3), vector })
    }

    fn failure_of(&self, row: &Row) -> Failure {
        Failure {
            path: self.roots.to_local(row.get(0), row.get(1)),
            size: row.get::<_, i64>(2).cast_unsigned(),
            mtime_ns: row.get(3),
            reason: row.get(4),
            kind: row.get(5),
            seen_unix_s: row.get(6),
        }
    }
}

impl IndexReader for PgIndex {
    fn header(&self) -> &Header {
        &self.header
    }

    fn search(&self, query: &[f32], request: &SearchRequest) -> Result<SearchResponse> {
        check_unit(query, self.dim())?;
        self.find(query, request)
    }

    fn named(&self, query: &NameQuery, filter: &Filter, k: usize) -> Result<NameMatches> {
        let ready = Ready::new(filter, &self.roots, self.space, &self.connections)?;
        let mut found = find_names(self, query)?;
        found.clips_admitted = self.count(&ready)?.0;
        if !ready.is_open() {
            let (condition, values) = ready.conditions();
            let statement = format!("SELECT c.id FROM earmark.clip c WHERE {condition}");
            let rows = self.query(&statement, &values.all())?;
            let admitted: std::collections::HashSet<ClipId> =
                rows.iter().map(|row| row.get::<_, i64>(0).cast_unsigned()).collect();
            found.matches.retain(|one| admitted.contains(&one.clip));
        }
        found.matches.truncate(k);
        Ok(found)
    }

    fn best_of(&self, query: &[f32], clips: &[ClipId]) -> Result<Vec<Hit>> {
        check_unit(query, self.dim())?;
        self.best_segments(query, clips)
    }

    fn spread(&self, query: &[f32]) -> Result<Spread> {
        check_unit(query, self.dim())?;
        // Of half-precision vectors: their errors are small, and cancel out.
        let rows = self.sample_of(SPREAD_SAMPLE, "(s.half <#> $1)::float4", &[&Half::of(query)])?;
        Ok(Spread::of(&rows.iter().map(|row| -row.get::<_, f32>(0)).collect::<Vec<f32>>()))
    }

    fn texts(&self, ids: &[ClipId]) -> Result<Vec<Vec<ClipText>>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let statement = "SELECT id, texts FROM earmark.clip WHERE space = $1 AND id = ANY($2)";
        let rows = self.query(statement, &[&self.space, &signed_ids(ids)])?;
        let mut texts: HashMap<ClipId, Vec<ClipText>> = rows
            .iter()
            .map(|row| (row.get::<_, i64>(0).cast_unsigned(), rows::texts_of_json(row.get(1))))
            .collect();
        Ok(ids.iter().map(|id| texts.remove(id).unwrap_or_default()).collect())
    }

    fn clip(&self, id: ClipId) -> Result<Option<Clip>> {
        Ok(self.clips_by_id(&[id])?.pop())
    }

    fn clip_by_path(&self, path: &str) -> Result<Option<Clip>> {
        Ok(self.clips_at(&[path.to_owned()])?.pop())
    }

    fn clips_at(&self, paths: &[String]) -> Result<Vec<Clip>> {
        let (roots, paths): (Vec<String>, Vec<String>) =
            paths.iter().map(|path| self.roots.to_db(path)).map(|path| (path.root, path.path)).unzip();
        let statement = format!(
            "SELECT {CLIP} FROM unnest($2::text[], $3::text[]) AS one(root, path)
             JOIN earmark.clip c ON c.space = $1 AND c.root = one.root AND c.path = one.path"
        );
        self.read_clips(&self.query(&statement, &[&self.space, &roots, &paths])?)
    }

    fn clips_by_hash(&self, hash: &[u8; 32]) -> Result<Vec<Clip>> {
        let statement = format!(
            "SELECT {CLIP} FROM earmark.clip c WHERE c.space = $1 AND c.content_hash = $2 ORDER BY c.id"
        );
        self.read_clips(&self.query(&statement, &[&self.space, &&hash[..]])?)
    }

    fn clips(&self, filter: &Filter) -> Result<Vec<Clip>> {
        let ready = Ready::new(filter, &self.roots, self.space, &self.connections)?;
        let (condition, values) = ready.conditions();
        let statement = format!("SELECT {CLIP} FROM earmark.clip c WHERE {condition} ORDER BY c.id");
        self.read_clips(&self.query(&statement, &values.all())?)
    }

    fn segments(&self, id: ClipId) -> Result<Vec<Segment>> {
        let rows = self.query(&self.select_segments(), &[&signed_ids(&[id])])?;
        if rows.is_empty() && self.clip(id)?.is_none() {
            return Err(Error::UnknownClip { id });
        }
        rows.iter().map(|row| self.segment_of(row)).collect()
    }

    fn segments_of_clips(&self, ids: &[ClipId]) -> Result<Vec<Vec<Segment>>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut of_clip: HashMap<ClipId, Vec<Segment>> = HashMap::new();
        for row in self.query(&self.select_segments(), &[&signed_ids(ids)])? {
            let id = row.get::<_, i64>(0).cast_unsigned();
            of_clip.entry(id).or_default().push(self.segment_of(&row)?);
        }
        Ok(ids.iter().map(|id| of_clip.remove(id).unwrap_or_default()).collect())
    }

    fn vectors(&self, segments: &[(ClipId, u32)]) -> Result<Vec<Vec<f32>>> {
        let (clips, numbers): (Vec<i64>, Vec<i64>) =
            segments.iter().map(|(clip, number)| (clip.cast_signed(), i64::from(*number))).unzip();
        let statement = format!(
            "SELECT s.clip, s.number, s.vector FROM unnest($1::bigint[], $2::bigint[]) AS one(clip, number)
             JOIN {} s ON s.clip = one.clip AND s.number = one.number",
            self.segments_table()
        );
        let mut vectors = HashMap::new();
        for row in self.query(&statement, &[&clips, &numbers])? {
            let (clip, number): (i64, i64) = (row.get(0), row.get(1));
            vectors.insert((clip, number), rows::of_bytes(row.get(2), self.dim(), &self.connections)?);
        }
        let of = |(clip, number): (i64, i64)| vectors.get(&(clip, number)).cloned().unwrap_or_default();
        Ok(clips.into_iter().zip(numbers).map(of).collect())
    }

    fn for_each_segment(&self, filter: &Filter, visit: &mut dyn FnMut(SegmentRef<'_>) -> bool) -> Result<()> {
        let clips = self.clips(filter)?;
        let statement = self.select_segments();
        let most = (BYTES_AT_ONCE / (4 * self.dim())).max(1);
        let mut rest = clips.as_slice();
        while !rest.is_empty() {
            let mut segments = 0;
            let fits = rest.iter().take(CLIPS_AT_ONCE).take_while(|clip| {
                segments += clip.segments as usize;
                segments <= most
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            rest = later;
            let ids: Vec<ClipId> = now.iter().map(|clip| clip.id).collect();
            for row in self.query(&statement, &[&signed_ids(&ids)])? {
                let id = row.get::<_, i64>(0).cast_unsigned();
                let Ok(at) = now.binary_search_by_key(&id, |clip| clip.id) else { continue };
                let Segment { start_s, end_s, vector } = self.segment_of(&row)?;
                let segment = u32::try_from(row.get::<_, i64>(1)).unwrap_or(u32::MAX);
                if !visit(SegmentRef { clip: &now[at], segment, start_s, end_s, vector: &vector }) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn failures(&self) -> Result<Vec<Failure>> {
        let statement = "SELECT root, path, size, mtime_ns, reason, kind, seen_unix_s FROM earmark.failure
                         WHERE space = $1";
        let rows = self.query(statement, &[&self.space])?;
        let mut failures: Vec<Failure> = rows.iter().map(|row| self.failure_of(row)).collect();
        failures.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(failures)
    }

    fn failures_at(&self, paths: &[String]) -> Result<Vec<Failure>> {
        let (roots, paths): (Vec<String>, Vec<String>) =
            paths.iter().map(|path| self.roots.to_db(path)).map(|at| (at.root, at.path)).unzip();
        let statement = "SELECT f.root, f.path, size, mtime_ns, reason, kind, seen_unix_s
             FROM unnest($2::text[], $3::text[]) AS one(root, path)
             JOIN earmark.failure f ON f.space = $1 AND f.root = one.root AND f.path = one.path";
        let rows = self.query(statement, &[&self.space, &roots, &paths])?;
        Ok(rows.iter().map(|row| self.failure_of(row)).collect())
    }

    fn stats(&self) -> Result<Stats> {
        let statement = format!(
            "SELECT count(*), coalesce(sum(segments), 0)::bigint, coalesce(sum(duration_s), 0),
                    coalesce(sum(size), 0)::bigint,
                    (SELECT count(*) FROM earmark.failure WHERE space = $1),
                    pg_total_relation_size('{}') + pg_total_relation_size('earmark.clip')
             FROM earmark.clip WHERE space = $1",
            self.segments_table()
        );
        let rows = self.query(&statement, &[&self.space])?;
        let number = |column: usize| rows[0].get::<_, i64>(column).cast_unsigned();
        Ok(Stats {
            clips: number(0) as usize,
            segments: number(1) as usize,
            dead: 0,
            disk_bytes: number(5),
            duration_s: rows[0].get(2),
            file_bytes: number(3),
            failures: number(4) as usize,
            commits: 0,
            graphs: self.built()?.to_vec(),
            lost: 0,
        })
    }
}

/// Ids as the server keeps them.
fn signed_ids(ids: &[ClipId]) -> Vec<i64> {
    ids.iter().map(|id| id.cast_signed()).collect()
}

impl IndexWriter for PgIndex {
    fn apply(&self, changes: Vec<Change>) -> Result<Vec<ClipId>> {
        let ids = self.write(&changes)?;
        self.forget_count();
        Ok(ids)
    }

    fn reader(&self) -> Result<Arc<dyn IndexReader>> {
        Ok(Arc::new(self.clone()))
    }
}
