//! HNSW graphs by pgvector: built on request, measured, and used only where they find enough.
//!
//! A graph is over the half-precision vectors; what it finds is scored in full precision. It is measured as those of a
//! local index are, with texts and with sounds, against exact search. Filters lead to exact search, but for
//! [`SearchMode::Graph`], where pgvector goes on until enough that it finds passes the filter.

use std::time::Instant;

use deadpool_postgres::Object;
use earmark_index::{
    ENOUGH, Error, Figures, Hit, IndexReader as _, KindFigures, MEASURED_HITS, MEASURED_SOUNDS, Measured,
    QueryKind, Result, SearchMode, SearchRequest, with_noise,
};
use futures_util::future::join3;
use tokio_postgres::Client;

use crate::connections::rows_of;
use crate::filter::Ready;
use crate::index::PgIndex;
use crate::values::{Half, Values};

/// Candidates that are tried (`hnsw.ef_search`), up to the most that pgvector allows.
const LADDER: [u32; 5] = [40, 100, 200, 400, 1000];

/// The most candidates that pgvector keeps.
const MOST_CANDIDATES: usize = 1000;

/// Elements of a half-precision vector that pgvector builds a graph over at most.
const MOST_ELEMENTS: usize = 4000;

/// Links of a vector, and candidates while the graph is built: pgvector's `m` and `ef_construction`, 16 and 64 unless
/// said otherwise. With 100 the graph finds more and takes a third longer.
const BUILD: &str = "m = 16, ef_construction = 100";

/// Advisory locks of whoever builds a graph: this and the number of the space. `graphs` in ASCII.
const BUILD_LOCK: i64 = 0x6772_6170_6873 << 8;

/// Memory for building, on the server. A graph that does not fit is built many times slower.
const BUILD_MEMORY: &str = "2GB";

impl PgIndex {
    /// Builds the graph of this space, or the missing part of one, and measures it with `texts` (unit vectors) and with
    /// sounds. Others read and write meanwhile.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Graph`] for vectors that are too long.
    pub fn build_graph(&self, texts: &[Vec<f32>]) -> Result<Figures> {
        if self.dim() > MOST_ELEMENTS {
            return Err(Error::Graph {
                dir: self.place().into(),
                what: format!("vectors have {} elements, pgvector takes {MOST_ELEMENTS} at most", self.dim()),
            });
        }
        let started = Instant::now();
        let name = self.graph_name();
        let table = self.segments_table();
        let at = self.connections();
        let build = format!(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} USING hnsw (half halfvec_ip_ops) WITH ({BUILD})"
        );
        let lock = i64::from(self.space()) + BUILD_LOCK;
        let mut is_alone = false;
        // Not tried again where the connection is lost: the server may still be building.
        let client = at.own_connection(async |client| {
            is_alone = client.query_one("SELECT pg_try_advisory_lock($1)", &[&lock]).await?.get(0);
            if !is_alone {
                return Ok(());
            }
            client.batch_execute("SET statement_timeout = 0").await?;
            client.batch_execute(&format!("SET maintenance_work_mem = '{BUILD_MEMORY}'")).await?;
            // One whose building was cut short is there and of no use.
            let broken = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid";
            if client.query_opt(broken, &[&format!("earmark.{name}")]).await?.is_some() {
                client.batch_execute(&format!("DROP INDEX CONCURRENTLY earmark.{name}")).await?;
            }
            client.batch_execute(&build).await
        })?;
        // What was set, and the lock, end with it.
        at.close(client);
        if !is_alone {
            return Err(Error::GraphLocked { dir: self.place().into() });
        }
        let seconds = started.elapsed().as_secs_f32();
        let text = self.measure(QueryKind::Text, texts)?;
        let sound = self.measure(QueryKind::Sound, &self.sounds()?)?;
        let figures = Figures::new(seconds, text, sound, texts.concat());
        let segments = i64::try_from(self.stats()?.segments).unwrap_or(i64::MAX);
        self.query(
            "INSERT INTO earmark.graph VALUES ($1, $2, $3)
             ON CONFLICT (space) DO UPDATE SET segments = $2, figures = $3",
            &[&self.space(), &segments, &figures.encode()],
        )?;
        self.forget_graph();
        Ok(figures)
    }

    /// What was measured of the graph when it was built, with the segments that there were then; `None` without one.
    pub(crate) fn read_graph(&self) -> Result<Option<(usize, Figures)>> {
        let rows = self.query(
            "SELECT segments, figures FROM earmark.graph WHERE space = $1 AND to_regclass($2) IS NOT NULL",
            &[&self.space(), &format!("earmark.{}", self.graph_name())],
        )?;
        Ok(rows.first().and_then(|row| {
            let segments = usize::try_from(row.get::<_, i64>(0)).unwrap_or_default();
            Some((segments, Figures::decode(row.get(1), self.dim())?))
        }))
    }

    /// Measures the graph as it is now, with the texts that it was measured with.
    pub(crate) fn measure_graph(&self) -> Result<Option<(usize, Figures)>> {
        let Some((segments, then)) = self.read_graph()? else { return Ok(None) };
        let texts: Vec<Vec<f32>> = then.texts().chunks_exact(self.dim()).map(<[f32]>::to_vec).collect();
        let text = self.measure(QueryKind::Text, &texts)?;
        let sound = self.measure(QueryKind::Sound, &self.sounds()?)?;
        Ok(Some((segments, then.measured_again(text, sound))))
    }

    /// How many candidates a search keeps in the graph of a space that has so many segments now; `None` for exact
    /// search.
    pub(crate) fn candidates_in_graph(
        &self,
        request: &SearchRequest,
        is_open: bool,
        segments: usize,
    ) -> Result<Option<usize>> {
        if request.mode == SearchMode::Exact || request.mode == SearchMode::Auto && !is_open {
            return Ok(None);
        }
        let Some((measured, figures)) = self.graph()? else { return Ok(None) };
        // What was measured of a small graph says nothing about a large one.
        if request.mode == SearchMode::Auto && segments > measured + measured / 2 {
            return Ok(None);
        }
        let figures = figures.of(request.kind);
        let more = request.k.div_ceil(MEASURED_HITS).max(1);
        let wanted = match (request.mode, request.ef) {
            (SearchMode::Graph, Some(ef)) => Some(ef.max(request.k)),
            (SearchMode::Graph, None) => figures.best().map(|best| best.ef as usize * more),
            _ => figures.sufficient().filter(|m| m.ms < figures.scan_ms).map(|m| m.ef as usize * more),
        };
        Ok(wanted.map(|wanted| match request.mode {
            SearchMode::Graph => wanted.min(MOST_CANDIDATES),
            _ => wanted,
        }))
        .map(|wanted| wanted.filter(|wanted| *wanted <= MOST_CANDIDATES))
    }

    /// The hits among `ef` candidates of the graph; fewer than are wanted where it finds fewer.
    pub(crate) fn by_graph(
        &self,
        query: &[f32],
        request: &SearchRequest,
        admitted: &Ready<'_>,
        ef: usize,
    ) -> Result<Vec<Hit>> {
        let mut values = Values::default();
        let of = values.add(Half::of(query));
        let from = self.admitted_segments(admitted, &mut values);
        let limit = values.add(i64::try_from(ef).unwrap_or(i64::MAX));
        let near = format!(
            "SELECT s.clip, s.number, s.half <#> {of} AS distance FROM {from} ORDER BY s.half <#> {of} LIMIT {limit}"
        );
        let with = match request.collapse {
            true => format!(
                "near AS MATERIALIZED ({near}),
                 best AS MATERIALIZED (SELECT clip, min(distance) AS distance FROM near GROUP BY clip)"
            ),
            false => format!("best AS MATERIALIZED ({near})"),
        };
        let statement = self.select_candidates(&with, &of, request.collapse);
        // Only for this transaction; a sequential scan would be right and slow.
        let settings = format!(
            "BEGIN; SET LOCAL hnsw.ef_search = {ef}; SET LOCAL hnsw.iterative_scan = relaxed_order;
             SET LOCAL enable_seqscan = off"
        );
        let at = self.connections();
        let rows = at.run(async |client: &mut Object| {
            let client: &Client = client;
            // Sent together: one round trip. A commit after an error rolls back.
            let values = values.all();
            let (begun, rows, ended) = join3(
                client.batch_execute(&settings),
                rows_of(client, &statement, &values),
                client.batch_execute("COMMIT"),
            )
            .await;
            begun.and(rows).and_then(|rows| ended.map(|()| rows)).map_err(|e| at.trouble(&e))
        })?;
        self.hits(self.read_candidates(query, rows, request.collapse)?, request.k)
    }

    fn graph_name(&self) -> String {
        format!("segment_{}_hnsw", self.space())
    }

    /// Stored vectors with noise, spread evenly.
    fn sounds(&self) -> Result<Vec<Vec<f32>>> {
        let vectors = self.sample(MEASURED_SOUNDS)?;
        Ok(vectors
            .iter()
            .zip(0..)
            .take(MEASURED_SOUNDS)
            .map(|(vector, seed)| with_noise(vector, seed))
            .collect())
    }

    fn measure(&self, kind: QueryKind, queries: &[Vec<f32>]) -> Result<KindFigures> {
        let mut figures = KindFigures { queries: queries.len() as u32, ..KindFigures::default() };
        let Some(first) = queries.first() else { return Ok(figures) };
        let open = earmark_index::Filter::default();
        let admitted = Ready::new(&open, self.roots(), self.space(), self.connections())?;
        let request = |mode| SearchRequest { k: MEASURED_HITS, kind, mode, ..SearchRequest::default() };
        let exact = request(SearchMode::Exact);
        // The first search reads what the others find in memory.
        self.exact(first, &exact, &admitted)?;
        let started = Instant::now();
        let truth =
            queries.iter().map(|query| self.exact(query, &exact, &admitted)).collect::<Result<Vec<_>>>()?;
        figures.scan_ms = mean_ms(started, queries.len());
        for ef in LADDER {
            let started = Instant::now();
            let (mut right, mut all) = (0, 0);
            for (query, truth) in queries.iter().zip(&truth) {
                let found = self.by_graph(query, &request(SearchMode::Graph), &admitted, ef as usize)?;
                all += truth.len();
                let is_found = |hit: &&Hit| found.iter().any(|one| one.clip.id == hit.clip.id);
                right += truth.iter().filter(is_found).count();
            }
            let recall = right as f32 / all.max(1) as f32;
            figures.measured.push(Measured { ef, recall, ms: mean_ms(started, queries.len()) });
            if recall >= ENOUGH {
                break;
            }
        }
        Ok(figures)
    }
}

fn mean_ms(started: Instant, count: usize) -> f32 {
    (started.elapsed().as_secs_f64() * 1e3 / count.max(1) as f64) as f32
}
