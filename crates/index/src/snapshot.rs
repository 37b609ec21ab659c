//! [`Snapshot`]: an index opened for reading.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::codec::Stamp;
use crate::contain::contain;
use crate::error::{Error, Result, damaged};
use crate::filter::Filter;
use crate::filter::Matcher;
use crate::graph::{self, Figures, GraphSearch, Graphs};
use crate::interface::IndexReader;
use crate::names::{CurrentNames, NameMatches, NameQuery, Names, unusable};
use crate::open::{absent, check_identity};
use crate::published::layout::ClipView;
use crate::published::list::{self, List};
use crate::published::pieces::{Piece, Pieces};
use crate::published::segment::Segment as SegmentFile;
use crate::published::tombstones::Tombstones;
use crate::query::{Hit, SearchMode, SearchPath, SearchRequest, SearchResponse, SegmentRef, Spread};
use crate::report::{IndexEvent, Stats};
use crate::scan::codes::Coder;
use crate::scan::{Admitted, Scan, Scored};
use crate::stats::disk_bytes;
use crate::store::{Store, lock};
use crate::types::{Clip, ClipId, ClipText, Failure, Header, Identity, OpenOptions, Segment};
use crate::vectors::{check_unit, cosine};
use crate::writer::Writer;

/// How often the list is read again when files that it names are gone: a writer has replaced it meanwhile.
const RETRIES: usize = 20;

/// Segments that the spread of a query's scores is taken from: spread evenly over the index.
const SPREAD_SAMPLE: usize = 4096;

/// Filters whose answers a snapshot remembers.
const FILTERS: usize = 16;

/// An index as some commit left it, read from its published files. It stays as it is while others write; open
/// it again to see what they wrote, or use [`crate::LiveIndex`]. Opening takes no lock and needs no right to
/// write.
pub struct Snapshot {
    dir: PathBuf,
    pub(crate) list: List,
    pub(crate) pieces: Pieces,
    pub(crate) coder: Arc<Coder>,
    graphs: Graphs,
    /// See [`OpenOptions::once`].
    once: bool,
    filters: Mutex<Vec<(Filter, Arc<Passed>)>>,
    names: Arc<CurrentNames>,
    events: Mutex<Vec<IndexEvent>>,
}

/// What a filter let through.
struct Passed {
    admitted: Admitted,
    clips: usize,
    segments: usize,
}

impl Snapshot {
    /// Opens the index in `dir` as it is now; it must exist. `expect`: refuse vectors that anything else
    /// made. An index whose files are not published yet (an earlier earmark wrote it, or a writer was killed)
    /// or are damaged is published first, if this process may write there.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::ModelMismatch`], [`Error::Unpublished`], [`Error::Published`],
    /// [`Error::PublishedVersion`], [`Error::Io`]; those of [`Writer::open`] where it has to be published.
    pub fn open(dir: &Path, expect: Option<&Identity>, opts: &OpenOptions) -> Result<Self> {
        let mut snapshot = match Self::load_published(dir) {
            Ok(snapshot) => snapshot,
            Err(unusable) => Self::publish_first(dir, opts, unusable)?,
        };
        snapshot.once = opts.once;
        if let Some(identity) = expect {
            snapshot.check_identity(identity)?;
        }
        Ok(snapshot)
    }

    /// Opens what is published in `dir`, and mends nothing.
    ///
    /// # Errors
    /// [`Error::Unpublished`], [`Error::Published`], [`Error::PublishedVersion`], [`Error::Io`].
    pub fn load_published(dir: &Path) -> Result<Self> {
        Self::load(dir, None)?.ok_or_else(|| Error::Unpublished { dir: dir.to_path_buf() })
    }

    /// Publishes the index, whose files are `unusable`, and opens it.
    fn publish_first(dir: &Path, opts: &OpenOptions, unusable: Error) -> Result<Self> {
        if !matches!(
            unusable,
            Error::Published { .. } | Error::PublishedVersion { .. } | Error::Unpublished { .. }
        ) {
            return Err(unusable);
        }
        if !Store::exists(dir)? {
            return Err(if matches!(unusable, Error::Unpublished { .. }) { absent(dir) } else { unusable });
        }
        let events = match Writer::open(dir, None, opts) {
            Ok(writer) => writer.take_events(),
            // Perhaps it is just being published.
            Err(e @ Error::Locked { .. }) => return Self::load(dir, None)?.ok_or(e),
            Err(e) if e.is_not_writable() || matches!(e, Error::DiskFull { .. }) => return Err(unusable),
            Err(e) => return Err(e),
        };
        let snapshot = Self::load_published(dir)?;
        lock(&snapshot.events).splice(0..0, events);
        Ok(snapshot)
    }

    /// What is published in `dir`; None if nothing is. Files that `before` has open are not opened again.
    pub(crate) fn load(dir: &Path, before: Option<&Self>) -> Result<Option<Self>> {
        let Some(mut list) = List::read(dir)? else { return Ok(None) };
        for _ in 0..RETRIES {
            match Self::of_list(dir, list.clone(), before) {
                Err(Error::Io { source, path }) if source.kind() == std::io::ErrorKind::NotFound => {
                    match List::read(dir)? {
                        // Replaced, so the file may be gone.
                        Some(now) if now != list => list = now,
                        Some(_) => return Err(damaged(&path, "it is missing")),
                        None => return Ok(None),
                    }
                }
                opened => return opened.map(Some),
            }
        }
        Err(damaged(&list::path(dir), "it changes faster than it can be read"))
    }

    fn of_list(dir: &Path, list: List, before: Option<&Self>) -> Result<Self> {
        let dim = list.header.identity.dim;
        let before = before.filter(|before| before.list.header == list.header);
        let coder = before.map_or_else(|| Arc::new(Coder::new(dim)), |before| Arc::clone(&before.coder));
        let folder = list::folder(dir);
        let open = |listed: &list::Listed| {
            let known =
                before.and_then(|before| before.pieces.0.iter().find(|p| p.listed.name == listed.name));
            let known = known.filter(|piece| piece.listed.check == listed.check);
            let segment = match known {
                Some(piece) => Arc::clone(&piece.segment),
                None => Arc::new(SegmentFile::open(&folder, listed, dim, coder.plane_bytes())?),
            };
            let dead = match known.filter(|piece| piece.listed.tombstones == listed.tombstones) {
                Some(piece) => Arc::clone(&piece.dead),
                None if listed.tombstones == 0 => Arc::new(Tombstones::new(segment.rows())),
                None => {
                    let path = Tombstones::path(&folder, listed.name, listed.tombstones);
                    Arc::new(Tombstones::read(&path, segment.rows())?)
                }
            };
            Ok(Piece { segment, dead, listed: *listed })
        };
        let pieces = Pieces(list.segments.iter().map(open).collect::<Result<_>>()?);
        Ok(Self::new(dir, list, pieces, coder, before))
    }

    /// What a list names, opened. `before`: a state whose graphs are open.
    pub(crate) fn new(
        dir: &Path,
        list: List,
        pieces: Pieces,
        coder: Arc<Coder>,
        before: Option<&Self>,
    ) -> Self {
        let mut events = Vec::new();
        if list.lost > 0 {
            events.push(IndexEvent::BatchesLost { lost: list.lost });
        }
        let graphs = Graphs::open(
            &list::folder(dir),
            &list.segments,
            list.header.identity.dim,
            before.map(|before| &before.graphs),
            |reason| events.push(IndexEvent::GraphUnusable { reason }),
        );
        Self {
            dir: dir.to_path_buf(),
            graphs,
            list,
            pieces,
            coder,
            once: false,
            filters: Mutex::default(),
            names: before.map(|before| Arc::clone(&before.names)).unwrap_or_default(),
            events: Mutex::new(events),
        }
    }

    /// The commit that it shows.
    pub(crate) fn stamp(&self) -> Stamp {
        self.list.stamp
    }

    /// Takes what happened since the last call and is worth telling the user.
    pub fn take_events(&self) -> Vec<IndexEvent> {
        std::mem::take(&mut lock(&self.events))
    }

    /// Whether both show the same files, so that what was found out about one holds for the other.
    #[must_use]
    pub fn is_same_state(&self, other: &Self) -> bool {
        self.list == other.list
    }

    fn tell_once(&self, event: IndexEvent) {
        let mut events = lock(&self.events);
        if !events.contains(&event) {
            events.push(event);
        }
    }

    /// Refuses an `identity` other than that of the vectors in this index: what `expect` does on opening, for
    /// callers that learn only from the index which model they need.
    ///
    /// # Errors
    /// [`Error::ModelMismatch`].
    pub fn check_identity(&self, identity: &Identity) -> Result<()> {
        check_identity(&self.dir, &self.list.header, identity)
    }

    /// What the filter lets through.
    fn passed(&self, filter: &Filter, matcher: &Matcher<'_>) -> Result<Arc<Passed>> {
        let totals = &self.list.totals;
        if matcher.is_open() {
            let (clips, segments) = (totals.clips as usize, totals.segments as usize);
            return Ok(Arc::new(Passed { admitted: Admitted::All, clips, segments }));
        }
        if let Some((_, passed)) = lock(&self.filters).iter().find(|(known, _)| known == filter) {
            return Ok(Arc::clone(passed));
        }
        let mut bits: Vec<Vec<u64>> =
            self.pieces.0.iter().map(|piece| vec![0; piece.segment.rows().div_ceil(64)]).collect();
        let (mut clips, mut segments) = (0, 0);
        self.pieces.for_each_clip(|view| {
            if view.meta.is_some_and(|meta| matcher.admits(&meta)) {
                clips += 1;
                if let Some(place) = self.pieces.place(&view) {
                    segments += place.count;
                    let bits = &mut bits[place.piece];
                    (place.first..place.first + place.count)
                        .for_each(|row| bits[row / 64] |= 1 << (row % 64));
                }
            }
            Ok(true)
        })?;
        let passed = Arc::new(Passed { admitted: Admitted::Only(bits), clips, segments });
        let mut filters = lock(&self.filters);
        if filters.len() >= FILTERS {
            filters.remove(0);
        }
        filters.push((filter.clone(), Arc::clone(&passed)));
        Ok(passed)
    }

    /// The text side. Without one that can be read or made, what the published files say: names and tags.
    fn names(&self) -> Result<Arc<Names>> {
        let published = std::fs::metadata(list::path(&self.dir)).ok().and_then(|meta| meta.modified().ok());
        self.names.get(&self.dir, self.list.stamp, published, || {
            let clips = self.clips(&Filter::default())?;
            let clips =
                clips.iter().map(|clip| (clip.id, clip.meta.path.as_str(), clip.meta.tags.as_slice()));
            Names::in_memory(self.list.stamp, clips).map_err(|e| unusable(&self.dir, &e))
        })
    }

    /// A search without names, which cannot be read; the sound still can be searched.
    fn without_names(&self, reason: String) -> NameMatches {
        self.tell_once(IndexEvent::NamesUnusable { reason });
        NameMatches::default()
    }

    /// What graphs find; None where none is to be used, or they find fewer than `wanted`.
    fn by_graphs(
        &self,
        task: &Scan<'_>,
        request: &SearchRequest,
        wanted: usize,
    ) -> Result<Option<Vec<Scored>>> {
        let plan = self.graphs.plan(request, task.admitted);
        if !plan.has_walks() {
            return Ok(None);
        }
        let search = GraphSearch { task, graphs: &self.graphs, coder: &self.coder, kind: request.kind };
        match search.run(&plan) {
            // Graphs and codes only save time.
            Err(e @ Error::Published { .. }) => {
                self.tell_once(IndexEvent::GraphUnusable { reason: e.to_string() });
                Ok(None)
            }
            found => Ok(Some(found?).filter(|found| found.len() >= wanted)),
        }
    }

    /// The folder that it is in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Rows in the published segments, and what was measured of each graph when it was built with the rows
    /// that it covers, the largest first.
    #[must_use]
    pub fn stats_of_graphs(&self) -> (usize, Vec<(usize, Figures)>) {
        let mut graphs: Vec<_> = self.graphs.iter().map(|g| (g.points(), g.figures().clone())).collect();
        graphs.sort_by_key(|(rows, _)| std::cmp::Reverse(*rows));
        (self.pieces.rows(), graphs)
    }

    /// Measures each graph as it is now, with the queries that it was measured with when it was built: the
    /// rows that it covers, and what was found; the largest first.
    ///
    /// # Errors
    /// [`Error::Published`], [`Error::Io`].
    pub fn measure_graphs(&self) -> Result<Vec<(usize, Figures)>> {
        let mut measured = Vec::new();
        for (number, piece) in self.pieces.0.iter().enumerate() {
            let Some(graph) = self.graphs.get(number) else { continue };
            let then = graph.figures();
            let (text, sound) = graph::measure(piece, graph, &self.coder, &then.texts)?;
            measured.push((graph.points(), Figures { text, sound, ..then.clone() }));
        }
        measured.sort_by_key(|(rows, _)| std::cmp::Reverse(*rows));
        Ok(measured)
    }

    /// Rows that no graph covers.
    #[must_use]
    pub fn rows_without_graph(&self) -> usize {
        self.without_graph(0, false).map(|piece| piece.segment.rows()).sum()
    }

    /// How many of the oldest segments have graphs, finished or begun, and are at least twice as large as all
    /// after them.
    pub(crate) fn settled(&self) -> usize {
        let begun = graph::begun(&self.dir);
        let has_graph = |number: usize, piece: &Piece| {
            self.graphs.get(number).is_some() || begun == Some((piece.listed.name, piece.listed.check))
        };
        let mut after = self.pieces.rows();
        for (number, piece) in self.pieces.0.iter().enumerate() {
            let rows = piece.segment.rows();
            after -= rows;
            if !has_graph(number, piece) || rows < 2 * after {
                return number;
            }
        }
        self.pieces.0.len()
    }

    /// The pieces of at least so many rows without a graph; `all`: with one, too.
    pub(crate) fn without_graph(&self, least_rows: usize, all: bool) -> impl Iterator<Item = &Piece> {
        let pieces = self.pieces.0.iter().enumerate();
        pieces
            .filter(move |(number, piece)| {
                piece.segment.rows() >= least_rows && (all || self.graphs.get(*number).is_none())
            })
            .map(|(_, piece)| piece)
    }

    fn hits(&self, found: &[Scored]) -> Result<Vec<Hit>> {
        let mut clips: Vec<Arc<Clip>> = Vec::new();
        let mut hits = Vec::with_capacity(found.len());
        for scored in found {
            let clip = match clips.iter().find(|clip| clip.id == scored.clip) {
                Some(clip) => Arc::clone(clip),
                None => {
                    let clip = self.clip(scored.clip)?.ok_or_else(|| self.missing(scored.clip))?;
                    clips.push(Arc::new(clip));
                    Arc::clone(&clips[clips.len() - 1])
                }
            };
            let (start_s, end_s) = (scored.start_s, scored.end_s);
            hits.push(Hit { clip, segment: scored.segment, start_s, end_s, score: scored.score });
        }
        Ok(hits)
    }

    fn missing(&self, id: ClipId) -> Error {
        damaged(&list::folder(&self.dir), format!("rows of clip {id} are there, the clip is not"))
    }

    /// A clip's segments, as published.
    pub(crate) fn segments_of(&self, view: &ClipView<'_>) -> Result<Vec<Segment>> {
        if view.segments == 0 {
            return Ok(Vec::new());
        }
        let place = self.pieces.place(view).filter(|place| place.count == view.segments as usize);
        let place = place.ok_or_else(|| {
            damaged(&list::folder(&self.dir), format!("the rows of clip {} are missing", view.id))
        })?;
        let rows = place.first..place.first + place.count;
        rows.map(|row| {
            let (record, vector) = self.pieces.0[place.piece].segment.row(row)?;
            Ok(Segment { start_s: record.start_s, end_s: record.end_s, vector: vector.to_vec() })
        })
        .collect()
    }
}

impl IndexReader for Snapshot {
    fn header(&self) -> &Header {
        &self.list.header
    }

    fn search(&self, query: &[f32], request: &SearchRequest) -> Result<SearchResponse> {
        check_unit(query, self.list.header.identity.dim)?;
        let matcher = Matcher::new(&request.filter)?;
        let passed = self.passed(&request.filter, &matcher)?;
        let (k, collapse) = (request.k, request.collapse);
        let (pieces, admitted, once) = (&self.pieces, &passed.admitted, self.once);
        let task = Scan { pieces, admitted, query, k, collapse, once };
        let wanted = k.min(if collapse { passed.clips } else { passed.segments });
        let (mut found, path) = match self.by_graphs(&task, request, wanted)? {
            Some(found) => (found, SearchPath::Graph),
            None if request.mode == SearchMode::Exact => (task.exact()?, SearchPath::Exact),
            None => match task.by_codes(&self.coder) {
                // Codes only save time; the vectors may be sound.
                Err(e @ Error::Published { .. }) => {
                    let found = task.exact()?;
                    self.tell_once(IndexEvent::CodesDamaged { reason: e.to_string() });
                    (found, SearchPath::Exact)
                }
                found => (found?, SearchPath::Codes),
            },
        };
        let all = found.len();
        if let Some(min) = request.min_score {
            found.retain(|scored| scored.score >= min);
        }
        Ok(SearchResponse {
            hits: self.hits(&found)?,
            path,
            clips_admitted: passed.clips,
            segments_admitted: passed.segments,
            below_min_score: all - found.len(),
        })
    }

    fn named(&self, query: &NameQuery, filter: &Filter, k: usize) -> Result<NameMatches> {
        let matcher = Matcher::new(filter)?;
        let names = self.names()?;
        // Damage that opening does not see may make tantivy fail, or panic.
        let mut found = match contain(|| names.search(query)) {
            Ok(Ok(found)) => found,
            Ok(Err(e)) => self.without_names(e.to_string()),
            Err(panic) => self.without_names(panic),
        };
        let mut admitted = Vec::new();
        for one in std::mem::take(&mut found.matches) {
            if admitted.len() == k {
                break;
            }
            // The text side may be of another moment.
            let meta = self.pieces.find(one.clip)?.and_then(|view| view.meta);
            if meta.is_some_and(|meta| matcher.admits(&meta)) {
                admitted.push(one);
            }
        }
        found.matches = admitted;
        found.clips_admitted = self.passed(filter, &matcher)?.clips;
        Ok(found)
    }

    fn best_of(&self, query: &[f32], clips: &[ClipId]) -> Result<Vec<Hit>> {
        check_unit(query, self.list.header.identity.dim)?;
        let mut hits = Vec::with_capacity(clips.len());
        for id in clips {
            let Some(view) = self.pieces.find(*id)? else { continue };
            let (Some(clip), Some(place)) = (view.to_clip(), self.pieces.place(&view)) else { continue };
            let mut best: Option<Hit> = None;
            let clip = Arc::new(clip);
            for row in place.first..place.first + place.count {
                let (record, vector) = self.pieces.0[place.piece].segment.row(row)?;
                let score = cosine(query, vector);
                if best.as_ref().is_none_or(|best| score > best.score) {
                    let (segment, start_s, end_s) = (record.segment, record.start_s, record.end_s);
                    best = Some(Hit { clip: Arc::clone(&clip), segment, start_s, end_s, score });
                }
            }
            hits.extend(best);
        }
        Ok(hits)
    }

    fn spread(&self, query: &[f32]) -> Result<Spread> {
        check_unit(query, self.list.header.identity.dim)?;
        let rows = self.pieces.rows();
        let step = rows.div_ceil(SPREAD_SAMPLE).max(1);
        let mut scores = Vec::new();
        let mut before = 0_usize;
        for piece in &self.pieces.0 {
            let own = piece.segment.rows();
            let first = before.next_multiple_of(step) - before;
            for row in (first..own).step_by(step) {
                if !piece.dead.is_dead(row) {
                    scores.push(cosine(query, piece.segment.row(row)?.1));
                }
            }
            before += own;
        }
        Ok(Spread::of(&scores))
    }

    fn texts(&self, ids: &[ClipId]) -> Result<Vec<Vec<ClipText>>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let names = self.names()?;
        ids.iter().map(|id| names.texts(*id).map_err(|e| unusable(&self.dir, &e))).collect()
    }

    fn clip(&self, id: ClipId) -> Result<Option<Clip>> {
        Ok(self.pieces.find(id)?.and_then(ClipView::to_clip))
    }

    fn clip_by_path(&self, path: &str) -> Result<Option<Clip>> {
        Ok(self.pieces.find_path(path)?.and_then(ClipView::to_clip))
    }

    fn clips_by_hash(&self, hash: &[u8; 32]) -> Result<Vec<Clip>> {
        Ok(self.pieces.find_hash(hash)?.into_iter().filter_map(ClipView::to_clip).collect())
    }

    fn clips(&self, filter: &Filter) -> Result<Vec<Clip>> {
        let matcher = Matcher::new(filter)?;
        let mut clips = Vec::new();
        self.pieces.for_each_clip(|view| {
            if view.meta.is_some_and(|meta| matcher.admits(&meta)) {
                clips.extend(view.to_clip());
            }
            Ok(true)
        })?;
        Ok(clips)
    }

    fn segments(&self, id: ClipId) -> Result<Vec<Segment>> {
        let view = self.pieces.find(id)?.ok_or(Error::UnknownClip { id })?;
        self.segments_of(&view)
    }

    fn vectors(&self, segments: &[(ClipId, u32)]) -> Result<Vec<Vec<f32>>> {
        let vector = |(clip, number): &(ClipId, u32)| {
            let Some(view) = self.pieces.find(*clip)? else { return Ok(Vec::new()) };
            let Some(place) = self.pieces.place(&view) else { return Ok(Vec::new()) };
            let number = *number as usize;
            if number >= place.count {
                return Ok(Vec::new());
            }
            Ok(self.pieces.0[place.piece].segment.row(place.first + number)?.1.to_vec())
        };
        segments.iter().map(vector).collect()
    }

    fn for_each_segment(&self, filter: &Filter, visit: &mut dyn FnMut(SegmentRef<'_>) -> bool) -> Result<()> {
        let matcher = Matcher::new(filter)?;
        self.pieces.for_each_clip(|view| {
            if !view.meta.is_some_and(|meta| matcher.admits(&meta)) {
                return Ok(true);
            }
            let (Some(clip), Some(place)) = (view.to_clip(), self.pieces.place(&view)) else {
                return Ok(true);
            };
            for row in place.first..place.first + place.count {
                let (record, vector) = self.pieces.0[place.piece].segment.row(row)?;
                let (start_s, end_s) = (record.start_s, record.end_s);
                if !visit(SegmentRef { clip: &clip, segment: record.segment, start_s, end_s, vector }) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn failures(&self) -> Result<Vec<Failure>> {
        Ok(self.pieces.failures()?.into_values().collect())
    }

    fn failures_at(&self, paths: &[String]) -> Result<Vec<Failure>> {
        let mut failures = self.pieces.failures()?;
        Ok(paths.iter().filter_map(|path| failures.remove(path.as_str())).collect())
    }

    fn stats(&self) -> Result<Stats> {
        let totals = &self.list.totals;
        Ok(Stats {
            clips: totals.clips as usize,
            segments: totals.segments as usize,
            dead: self.pieces.dead(),
            disk_bytes: disk_bytes(&self.dir),
            duration_s: totals.duration_s,
            file_bytes: totals.bytes,
            failures: totals.failures as usize,
            commits: self.list.stamp.commit,
            graphs: self.stats_of_graphs().1,
            lost: self.list.lost,
        })
    }
}
