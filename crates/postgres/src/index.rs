//! [`PgIndex`]: one space of a database, read and written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::Object;
use earmark_index::{
    Change, Clip, ClipId, ClipText, Error, Failure, Figures, Filter, Header, Hit, IndexReader, IndexWriter,
    NameMatches, NameQuery, Result, SearchRequest, SearchResponse, Segment, SegmentRef, Spread, Stats,
    check_unit, cosine, find_names,
};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::connections::{Connections, Shared};
use crate::database::{SpaceInfo, segment_table};
use crate::filter::Ready;
use crate::roots::Roots;
use crate::rows::{self, CLIP};

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
    graph: Arc<Mutex<Option<Known>>>,
    counted: Arc<Mutex<Option<Counted>>>,
}

/// Clips and segments, and when they were counted.
type Counted = (Instant, (usize, usize));

/// What was last read of the graph.
struct Known {
    read: Instant,
    graph: Option<(usize, Figures)>,
}

/// How long a count of all clips holds, which is only told: others may have written since.
const COUNT_HOLDS: Duration = Duration::from_secs(2);

/// How long what was read of the graph holds: another process may have built one since.
const GRAPH_HOLDS: Duration = Duration::from_secs(10);

impl PgIndex {
    pub(crate) fn new(connections: Shared, roots: Arc<Roots>, space: &SpaceInfo) -> Self {
        Self {
            connections,
            roots,
            space: space.id,
            header: Arc::new(space.header.clone()),
            graph: Arc::default(),
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

    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    pub(crate) fn segments_table(&self) -> String {
        segment_table(self.space)
    }

    /// The graph, as it was built.
    pub(crate) fn graph(&self) -> Result<Option<(usize, Figures)>> {
        let mut known = self.graph.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known
            && known.read.elapsed() < GRAPH_HOLDS
        {
            return Ok(known.graph.clone());
        }
        let graph = self.read_graph()?;
        *known = Some(Known { read: Instant::now(), graph: graph.clone() });
        Ok(graph)
    }

    /// Clips and segments that a filter lets through.
    pub(crate) fn count(&self, ready: &Ready<'_>) -> Result<(usize, usize)> {
        if !ready.is_open() {
            return ready.count(&self.connections);
        }
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, counts)) = *counted
            && at.elapsed() < COUNT_HOLDS
        {
            return Ok(counts);
        }
        let counts = ready.count(&self.connections)?;
        *counted = Some((Instant::now(), counts));
        Ok(counts)
    }

    /// To be called when something was written.
    pub(crate) fn forget_count(&self) {
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn forget_graph(&self) {
        *self.graph.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// About `n` of the stored vectors, or all if there are fewer; the same ones each time while nothing is written. Of
    /// a large table whole pages are chosen, of a small one rows.
    pub(crate) fn sample(&self, n: usize) -> Result<Vec<Vec<f32>>> {
        let table = self.segments_table();
        let size = format!(
            "SELECT pg_relation_size('{table}'), (SELECT count(*) FROM (SELECT FROM {table} LIMIT $1) few)"
        );
        let rows = self.query(&size, &[&i64::try_from(n).unwrap_or(i64::MAX).saturating_add(1)])?;
        let (bytes, few): (i64, i64) = (rows[0].get(0), rows[0].get(1));
        if few.cast_unsigned() as usize <= n {
            return self.vectors(&self.query(&format!("SELECT s.vector FROM {table} s"), &[])?);
        }
        // Full vectors lie elsewhere, but for short ones.
        let short = 6 * self.dim() + ROW_BYTES;
        let row = if short < INLINE_BYTES { short } else { 2 * self.dim() + ROW_BYTES };
        let (pages, rows) = (bytes as f64 / PAGE_BYTES, bytes as f64 / row as f64);
        // More than are wanted, since pages are not equally full; of them, evenly chosen ones are taken.
        let percent = (150.0 * n as f64 / rows).min(100.0);
        let method = if percent / 100.0 * pages >= FEWEST_PAGES { "SYSTEM" } else { "BERNOULLI" };
        let statement =
            format!("SELECT s.vector FROM {table} s TABLESAMPLE {method} ({percent:.6}) REPEATABLE (1)");
        let found = self.query(&statement, &[])?;
        let wanted = n.min(found.len());
        let even = (0..wanted).map(|number| &found[number * found.len() / wanted]);
        even.map(|row| rows::of_bytes(row.get(0), self.dim(), &self.connections)).collect()
    }

    fn vectors(&self, rows: &[Row]) -> Result<Vec<Vec<f32>>> {
        rows.iter().map(|row| rows::of_bytes(row.get(0), self.dim(), &self.connections)).collect()
    }

    pub(crate) fn dim(&self) -> usize {
        self.header.identity.dim
    }

    pub(crate) fn query(&self, statement: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.connections.run(async |client: &mut Object| {
            let statement =
                client.prepare_cached(statement).await.map_err(|e| self.connections.trouble(&e))?;
            client.query(&statement, values).await.map_err(|e| self.connections.trouble(&e))
        })
    }

    fn read_clips(&self, rows: &[Row]) -> Result<Vec<Clip>> {
        rows.iter().map(|row| rows::clip(row, &self.roots, &self.connections)).collect()
    }

    /// The clips with these ids, in any order.
    pub(crate) fn clips_by_id(&self, ids: &[ClipId]) -> Result<Vec<Clip>> {
        let ids: Vec<i64> = ids.iter().map(|id| id.cast_signed()).collect();
        let statement = format!("SELECT {CLIP} FROM earmark.clip c WHERE c.space = $1 AND c.id = ANY($2)");
        self.read_clips(&self.query(&statement, &[&self.space, &ids])?)
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
            let rows = self.query(&statement, &values.as_params())?;
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
        let vectors = self.sample(SPREAD_SAMPLE)?;
        Ok(Spread::of(&vectors.iter().map(|vector| cosine(query, vector)).collect::<Vec<f32>>()))
    }

    fn texts(&self, id: ClipId) -> Result<Vec<ClipText>> {
        let statement = "SELECT texts FROM earmark.clip WHERE space = $1 AND id = $2";
        let rows = self.query(statement, &[&self.space, &id.cast_signed()])?;
        Ok(rows.first().map(|row| rows::texts_of_json(row.get(0))).unwrap_or_default())
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
        self.read_clips(&self.query(&statement, &values.as_params())?)
    }

    fn segments(&self, id: ClipId) -> Result<Vec<Segment>> {
        if self.clip(id)?.is_none() {
            return Err(Error::UnknownClip { id });
        }
        let statement = format!(
            "SELECT start_s, end_s, vector FROM {} WHERE clip = $1 ORDER BY number",
            self.segments_table()
        );
        let rows = self.query(&statement, &[&id.cast_signed()])?;
        let segment = |row: &Row| {
            let vector = rows::of_bytes(row.get(2), self.dim(), &self.connections)?;
            Ok(Segment { start_s: row.get(0), end_s: row.get(1), vector })
        };
        rows.iter().map(segment).collect()
    }

    fn for_each_segment(&self, filter: &Filter, visit: &mut dyn FnMut(SegmentRef<'_>) -> bool) -> Result<()> {
        let clips = self.clips(filter)?;
        let statement = format!(
            "SELECT clip, number, start_s, end_s, vector FROM {} WHERE clip = ANY($1) ORDER BY clip, number",
            self.segments_table()
        );
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
            let ids: Vec<i64> = now.iter().map(|clip| clip.id.cast_signed()).collect();
            for row in self.query(&statement, &[&ids])? {
                let id = row.get::<_, i64>(0).cast_unsigned();
                let Ok(at) = now.binary_search_by_key(&id, |clip| clip.id) else { continue };
                let vector = rows::of_bytes(row.get(4), self.dim(), &self.connections)?;
                let segment = SegmentRef {
                    clip: &now[at],
                    segment: u32::try_from(row.get::<_, i64>(1)).unwrap_or(u32::MAX),
                    start_s: row.get(2),
                    end_s: row.get(3),
                    vector: &vector,
                };
                if !visit(segment) {
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

    fn failure(&self, path: &str) -> Result<Option<Failure>> {
        let at = self.roots.to_db(path);
        let statement = "SELECT root, path, size, mtime_ns, reason, kind, seen_unix_s FROM earmark.failure
                         WHERE space = $1 AND root = $2 AND path = $3";
        let rows = self.query(statement, &[&self.space, &at.root, &at.path])?;
        Ok(rows.first().map(|row| self.failure_of(row)))
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
            graphs: self.graph()?.into_iter().collect(),
            lost: 0,
        })
    }
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
