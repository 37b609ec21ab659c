//! Approximate search by pgvector: built on request, measured, and used only where it finds enough.
//!
//! There are two ways, both over the half-precision vectors; what they find is scored in full precision. HNSW
//! graphs are fast for sounds, however many there are; but a text lies outside the cloud of sounds, where their walks go astray.
//! Inverted lists (`ivfflat`: the vectors by the nearest of some centroids) find what texts ask for, too, and are built
//! in a fraction of the time. Both are measured as local graphs are, with texts and with sounds, against exact
//! search, and a search goes the faster way that finds enough for its kind. Filters lead to exact search, but for
//! [`SearchMode::Graph`], where pgvector goes on until enough that it finds passes the filter.

use std::time::Instant;

use deadpool_postgres::Object;
use earmark_index::{
    ENOUGH, Error, Figures, Filter, Hit, IndexReader as _, KindFigures, MEASURED_HITS, MEASURED_SOUNDS,
    Measured, Method, QueryKind, Result, SearchMode, SearchRequest, with_noise,
};
use futures_util::future::join3;
use tokio_postgres::{Client, Row};

use crate::connections::rows_of;
use crate::database::DatabaseLock;
use crate::filter::Ready;
use crate::index::PgIndex;
use crate::search::wanted_for;
use crate::values::{Half, Values};

/// Both ways, in the order in which they are built.
const METHODS: [Method; 2] = [Method::Hnsw, Method::InvertedLists];

/// Candidates of a graph that are tried (`hnsw.ef_search`), up to the most that pgvector allows.
const CANDIDATES: [u32; 5] = [40, 100, 200, 400, MOST_CANDIDATES];

/// The most candidates that pgvector keeps.
const MOST_CANDIDATES: u32 = 1000;

/// Shares of the lists that are tried (`ivfflat.probes`).
const SHARES: [f32; 7] = [0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6];

/// For so many hits and no more are lists used unasked.
const MOST_HITS: usize = 1000;

/// For more hits than were measured, so many times the lists. Of 1,000,000 segments in 1,000 lists, 2 % found 0.994 of
/// five hundred hits that texts asked for, 6 % found 0.998, and all that sounds asked for.
const MORE_LISTS: usize = 3;

/// Segments that are taken from the lists for each clip that is wanted: a clip may have several near each other.
const SEGMENTS_A_CLIP: usize = 8;

/// Elements of a half-precision vector that pgvector takes at most.
const MOST_ELEMENTS: usize = 4000;

/// Links of a vector, and candidates while the graph is built: pgvector's `m` and `ef_construction`, 16 and 64 unless
/// said otherwise. With 100 the graph finds more and takes a third longer.
const GRAPH: &str = "USING hnsw (half halfvec_ip_ops) WITH (m = 16, ef_construction = 100)";

/// Advisory locks of whoever builds: this and the number of the space. `graphs` in ASCII.
const BUILD_LOCK: i64 = 0x6772_6170_6873 << 8;

/// Memory for building, on the server. A graph that does not fit is built many times slower.
const BUILD_MEMORY: &str = "2GB";

/// A way of searching, and how far to go on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    method: Method,
    /// Candidates of a graph, or lists.
    breadth: usize,
}

impl Way {
    /// That which finds as much as `measured` did of [`MEASURED_HITS`] for `k` hits.
    fn of(method: Method, measured: Measured, k: usize) -> Self {
        let ef = measured.ef as usize;
        let breadth = match method {
            Method::Hnsw => ef.saturating_mul(k.div_ceil(MEASURED_HITS).max(1)),
            Method::InvertedLists if k > MEASURED_HITS => ef * MORE_LISTS,
            Method::InvertedLists => ef,
        };
        Self { method, breadth }
    }

    /// Whether pgvector goes so far, and it is worth it.
    fn is_usable(self, k: usize) -> bool {
        match self.method {
            Method::Hnsw => self.breadth <= MOST_CANDIDATES as usize,
            Method::InvertedLists => k <= MOST_HITS,
        }
    }

    /// As far as pgvector goes.
    fn bounded(self) -> Self {
        let breadth = match self.method {
            Method::Hnsw => self.breadth.min(MOST_CANDIDATES as usize),
            Method::InvertedLists => self.breadth,
        };
        Self { breadth, ..self }
    }

    /// How vectors are compared; each index serves one operator. For vectors of unit length both give the same order.
    fn operator(self) -> &'static str {
        match self.method {
            Method::Hnsw => "<#>",
            Method::InvertedLists => "<=>",
        }
    }

    /// Segments that are taken from the index for `k` hits.
    pub(crate) fn rows(self, k: usize, collapse: bool) -> usize {
        let wanted = wanted_for(k);
        match self.method {
            Method::Hnsw => self.breadth,
            Method::InvertedLists if collapse => wanted.saturating_mul(SEGMENTS_A_CLIP),
            Method::InvertedLists => wanted,
        }
    }

    /// Settings for one transaction; a sequential scan would be right and slow.
    fn settings(self) -> String {
        let breadth = self.breadth;
        let own = match self.method {
            Method::Hnsw => {
                format!("hnsw.ef_search = {breadth}; SET LOCAL hnsw.iterative_scan = relaxed_order")
            }
            Method::InvertedLists => {
                format!("ivfflat.probes = {breadth}; SET LOCAL ivfflat.iterative_scan = relaxed_order")
            }
        };
        format!("BEGIN; SET LOCAL {own}; SET LOCAL enable_seqscan = off")
    }
}

/// How an index over so many segments is made.
fn definition(method: Method, segments: usize) -> String {
    match method {
        Method::Hnsw => GRAPH.to_owned(),
        Method::InvertedLists => {
            format!("USING ivfflat (half halfvec_cosine_ops) WITH (lists = {})", lists_for(segments))
        }
    }
}

/// How many lists: twice what pgvector recommends. Of 1,000,000 segments with 2,000 lists, 40 of them found 0.998
/// of what texts asked for, and 80 all of it; with 1,000 lists, 60 found 0.995 and 200 no more. With fewer than
/// ten lists there would be little to leave out.
fn lists_for(segments: usize) -> usize {
    let recommended = if segments <= 1_000_000 { segments / 1000 } else { segments.isqrt() };
    (2 * recommended).max(10)
}

/// Whether an index with these options has too few or too many lists for so many segments. A graph grows with
/// the table; the centroids of lists stay what they were.
fn is_outgrown(options: &[String], segments: usize) -> bool {
    let lists = options.iter().find_map(|option| option.strip_prefix("lists=")?.parse::<usize>().ok());
    let wanted = lists_for(segments);
    lists.is_some_and(|lists| lists > wanted + wanted / 2 || wanted > lists + lists / 2)
}

/// What is tried of an index over so many segments.
fn ladder(method: Method, segments: usize) -> Vec<u32> {
    match method {
        Method::Hnsw => CANDIDATES.to_vec(),
        Method::InvertedLists => {
            let lists = lists_for(segments) as f32;
            let mut ladder: Vec<u32> = SHARES.iter().map(|share| (share * lists).ceil() as u32).collect();
            ladder.dedup();
            ladder
        }
    }
}

/// An index that was built: over how many segments, and what was measured.
type Built = (usize, Figures);

impl PgIndex {
    /// Builds the graph and the lists of this space, or what is missing of them, and measures them with `texts` (unit
    /// vectors) and with sounds. Others read and write meanwhile. Gives the segments that there were, and figures.
    ///
    /// # Errors
    /// [`Error::Database`]; [`Error::Graph`] for vectors that are too long; [`Error::GraphLocked`].
    pub fn build_graph(&self, texts: &[Vec<f32>]) -> Result<Vec<(usize, Figures)>> {
        if self.dim() > MOST_ELEMENTS {
            return Err(Error::Graph {
                dir: self.place().into(),
                what: format!("vectors have {} elements, pgvector takes {MOST_ELEMENTS} at most", self.dim()),
            });
        }
        let segments = self.stats()?.segments;
        // Until all is measured, nobody else builds.
        let (_alone, seconds) = self.build(segments)?;
        let measured = self.measure(&METHODS.map(|method| (method, segments)), texts)?;
        let mut built = Vec::new();
        for ((method, seconds), (text, sound)) in seconds.into_iter().zip(measured) {
            let mut figures = Figures::new(seconds, text, sound, texts.concat());
            figures.method = method;
            let count = i64::try_from(segments).unwrap_or(i64::MAX);
            self.query(
                "INSERT INTO earmark.graph (space, method, segments, figures) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (space, method) DO UPDATE SET segments = $3, figures = $4",
                &[&self.space(), &method.name(), &count, &figures.encode()],
            )?;
            built.push((segments, figures));
        }
        self.forget_built();
        Ok(built)
    }

    /// Builds the indexes over `segments` that are not there. Gives the lock on building, and how long each took.
    fn build(&self, segments: usize) -> Result<(DatabaseLock, Vec<(Method, f32)>)> {
        let (table, at) = (self.segments_table(), self.connections());
        let lock = i64::from(self.space()) + BUILD_LOCK;
        let mut seconds = Vec::new();
        // Not tried again where the connection is lost: the server may still be building.
        let client = at.own_connection(async |client| {
            if !client.query_one("SELECT pg_try_advisory_lock($1)", &[&lock]).await?.get::<_, bool>(0) {
                return Ok(());
            }
            client.batch_execute("SET statement_timeout = 0").await?;
            client.batch_execute(&format!("SET maintenance_work_mem = '{BUILD_MEMORY}'")).await?;
            for method in METHODS {
                let started = Instant::now();
                let name = self.index_name(method);
                // One whose building was cut short is there and of no use.
                let there = "SELECT i.indisvalid, coalesce(c.reloptions, '{}') FROM pg_index i
                             JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indexrelid = to_regclass($1)";
                let there = client.query_opt(there, &[&format!("earmark.{name}")]).await?;
                let is_of_use =
                    |row: Row| row.get(0) && !is_outgrown(&row.get::<_, Vec<String>>(1), segments);
                if there.is_some_and(|row| !is_of_use(row)) {
                    client.batch_execute(&format!("DROP INDEX CONCURRENTLY earmark.{name}")).await?;
                }
                let how = definition(method, segments);
                let build = format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} {how}");
                client.batch_execute(&build).await?;
                seconds.push((method, started.elapsed().as_secs_f32()));
            }
            Ok(())
        })?;
        let lock = DatabaseLock::of(at, client);
        if seconds.is_empty() {
            Err(Error::GraphLocked { dir: self.place().into() })
        } else {
            Ok((lock, seconds))
        }
    }

    /// What was measured of the indexes when they were built, with the segments that there were then.
    pub(crate) fn read_built(&self) -> Result<Vec<Built>> {
        let rows = self.query(
            "SELECT method, segments, figures FROM earmark.graph WHERE space = $1
             AND EXISTS (SELECT FROM pg_index WHERE indisvalid
                         AND indexrelid = to_regclass('earmark.segment_' || space || '_' || method))
             ORDER BY method",
            &[&self.space()],
        )?;
        let built = rows.iter().filter_map(|row| {
            let method = METHODS.into_iter().find(|method| method.name() == row.get::<_, &str>(0))?;
            let mut figures = Figures::decode(row.get(2), self.dim())?;
            figures.method = method;
            Some((usize::try_from(row.get::<_, i64>(1)).unwrap_or_default(), figures))
        });
        Ok(built.collect())
    }

    /// Measures the indexes as they are now, with the texts that they were measured with.
    pub(crate) fn measure_built(&self) -> Result<Vec<Built>> {
        let built = self.read_built()?;
        let Some((_, first)) = built.first() else { return Ok(Vec::new()) };
        let texts: Vec<Vec<f32>> = first.texts().chunks_exact(self.dim()).map(<[f32]>::to_vec).collect();
        let methods: Vec<(Method, usize)> =
            built.iter().map(|(segments, figures)| (figures.method, *segments)).collect();
        let measured = self.measure(&methods, &texts)?;
        let again = built.into_iter().zip(measured);
        Ok(again
            .map(|((segments, then), (text, sound))| (segments, then.measured_again(text, sound)))
            .collect())
    }

    /// How to search a space that has so many segments now; `None` for exact search.
    pub(crate) fn way(&self, request: &SearchRequest, is_open: bool, segments: usize) -> Result<Option<Way>> {
        if request.mode == SearchMode::Exact || request.mode == SearchMode::Auto && !is_open {
            return Ok(None);
        }
        let built = self.built()?;
        let of_kind = built.iter().map(|(then, figures)| (*then, figures.method, figures.of(request.kind)));
        if request.mode == SearchMode::Graph {
            if let Some(ef) = request.ef {
                let has_graph = built.iter().any(|(_, figures)| figures.method == Method::Hnsw);
                let graph = Way { method: Method::Hnsw, breadth: ef.max(request.k) };
                return Ok(has_graph.then(|| graph.bounded()));
            }
            let best = of_kind.filter_map(|(_, method, figures)| Some((method, figures.best()?)));
            let best =
                best.max_by(|(_, a), (_, b)| a.recall.total_cmp(&b.recall).then(b.ms.total_cmp(&a.ms)));
            return Ok(best.map(|(method, measured)| Way::of(method, measured, request.k).bounded()));
        }
        let enough = of_kind.filter_map(|(then, method, figures)| {
            // What was measured of a small index says nothing about a large one.
            if segments > then + then / 2 {
                return None;
            }
            let measured = figures.sufficient()?;
            let way = Way::of(method, measured, request.k);
            let ms = measured.ms * way.breadth as f32 / measured.ef.max(1) as f32;
            (way.is_usable(request.k) && ms < figures.scan_ms).then_some((way, ms))
        });
        Ok(enough.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(way, _)| way))
    }

    /// The hits that are found this way; fewer than are wanted where it finds fewer.
    pub(crate) fn approximate(
        &self,
        query: &[f32],
        request: &SearchRequest,
        admitted: &Ready<'_>,
        way: Way,
    ) -> Result<Vec<Hit>> {
        let wanted = wanted_for(request.k);
        let as_limit = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let mut values = Values::default();
        let of = values.add(Half::of(query));
        let from = self.admitted_segments(admitted, &mut values);
        let rows = values.add(as_limit(way.rows(request.k, request.collapse)));
        let near = format!(
            "SELECT s.clip, s.number, s.half <#> {of} AS distance FROM {from}
             ORDER BY s.half {} {of} LIMIT {rows}",
            way.operator()
        );
        let with = if request.collapse {
            let limit = values.add(as_limit(wanted));
            format!(
                "near AS MATERIALIZED ({near}),
                 best AS MATERIALIZED (SELECT clip, min(distance) AS distance FROM near
                                       GROUP BY clip ORDER BY distance LIMIT {limit})"
            )
        } else {
            format!("best AS MATERIALIZED ({near})")
        };
        let statement = self.select_candidates(&with, &of, request.collapse);
        let settings = way.settings();
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

    fn index_name(&self, method: Method) -> String {
        format!("segment_{}_{}", self.space(), method.name())
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

    /// Measures indexes, each over so many segments, with texts and with sounds.
    fn measure(
        &self,
        methods: &[(Method, usize)],
        texts: &[Vec<f32>],
    ) -> Result<Vec<(KindFigures, KindFigures)>> {
        let text = self.measure_kind(QueryKind::Text, methods, texts)?;
        let sound = self.measure_kind(QueryKind::Sound, methods, &self.sounds()?)?;
        Ok(text.into_iter().zip(sound).collect())
    }

    fn measure_kind(
        &self,
        kind: QueryKind,
        methods: &[(Method, usize)],
        queries: &[Vec<f32>],
    ) -> Result<Vec<KindFigures>> {
        let Some(first) = queries.first() else { return Ok(vec![KindFigures::default(); methods.len()]) };
        let open = Filter::default();
        let admitted = Ready::new(&open, self.roots(), self.space(), self.connections())?;
        let request = |mode| SearchRequest { k: MEASURED_HITS, kind, mode, ..SearchRequest::default() };
        let exact = request(SearchMode::Exact);
        // The first search reads what the others find in memory.
        self.exact(first, &exact, &admitted)?;
        let started = Instant::now();
        let truth =
            queries.iter().map(|query| self.exact(query, &exact, &admitted)).collect::<Result<Vec<_>>>()?;
        let scan_ms = mean_ms(started, queries.len());
        let of_method = |(method, segments): &(Method, usize)| {
            let mut figures = KindFigures { queries: queries.len() as u32, scan_ms, measured: Vec::new() };
            for breadth in ladder(*method, *segments) {
                let way = Way { method: *method, breadth: breadth as usize };
                let started = Instant::now();
                let (mut right, mut all) = (0, 0);
                for (query, truth) in queries.iter().zip(&truth) {
                    let found = self.approximate(query, &request(SearchMode::Graph), &admitted, way)?;
                    all += truth.len();
                    let is_found = |hit: &&Hit| found.iter().any(|one| one.clip.id == hit.clip.id);
                    right += truth.iter().filter(is_found).count();
                }
                let recall = right as f32 / all.max(1) as f32;
                let ms = mean_ms(started, queries.len());
                figures.measured.push(Measured { ef: breadth, recall, ms });
                if recall >= ENOUGH {
                    break;
                }
            }
            Ok(figures)
        };
        methods.iter().map(of_method).collect()
    }
}

fn mean_ms(started: Instant, count: usize) -> f32 {
    (started.elapsed().as_secs_f64() * 1e3 / count.max(1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_made_again_when_there_are_half_as_many_segments_more() {
        let options = |lists: usize| vec![format!("lists={lists}")];
        assert_eq!([0, 5_000, 1_000_000, 4_000_000].map(lists_for), [10, 10, 2000, 4000]);
        assert!(!is_outgrown(&options(2000), 1_000_000) && !is_outgrown(&options(1500), 1_000_000));
        assert!(is_outgrown(&options(1000), 1_000_000) && is_outgrown(&options(2000), 100_000));
        assert!(!is_outgrown(&["m=16".to_owned()], 1_000_000), "a graph grows by itself");
        assert_eq!(ladder(Method::InvertedLists, 1000), [1, 2, 3, 6]);
    }

    #[test]
    fn more_hits_need_more_and_none_overflow() {
        let measured = |ef| Measured { ef, recall: 1.0, ms: 1.0 };
        let breadth = |method, k| Way::of(method, measured(40), k).breadth;
        assert_eq!([1, 10, 11, 500].map(|k| breadth(Method::Hnsw, k)), [40, 40, 80, 2000]);
        assert_eq!([1, 10, 11, 500].map(|k| breadth(Method::InvertedLists, k)), [40, 40, 120, 120]);
        for method in METHODS {
            let way = Way::of(method, measured(40), usize::MAX);
            assert!(!way.is_usable(usize::MAX) && way.bounded().rows(usize::MAX, true) > 0);
        }
        assert!(Way::of(Method::Hnsw, measured(40), 250).is_usable(250));
        assert!(!Way::of(Method::Hnsw, measured(40), 251).is_usable(251));
    }
}
