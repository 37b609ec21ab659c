//! Random histories, held against a model that keeps everything in a map and compares everything with
//! everything.

use std::collections::BTreeMap;

use earmark_index::*;
use proptest::prelude::*;

use crate::common::{expect_clean, identity, unit};

const DIM: usize = 19;
const PATHS: usize = 12;

#[derive(Debug, Clone)]
enum Op {
    Batch(Vec<Step>),
    Reopen,
    Rebuild,
    Search(Vec<f32>, Box<SearchRequest>),
}

#[derive(Debug, Clone)]
enum Step {
    Put(usize, u8, Vec<Vec<f32>>),
    Remove(usize),
    Move(usize, usize, u8),
    Tag(usize, u8),
    AddTags(usize, u8),
    RemoveAt(usize),
    Fail(usize),
    Clear(usize),
}

/// Vectors of few distinct values, so that equal scores are common.
fn vector() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(0u8..3, DIM).prop_map(|mut v| {
        v[0] += 1;
        unit(v.into_iter().map(f32::from).collect())
    })
}

fn step() -> impl Strategy<Value = Step> {
    let path = 0..PATHS;
    prop_oneof![
        6 => (path.clone(), 0u8..4, prop::collection::vec(vector(), 0..60))
            .prop_map(|(path, tags, vectors)| Step::Put(path, tags, vectors)),
        2 => path.clone().prop_map(Step::Remove),
        1 => path.clone().prop_map(Step::RemoveAt),
        1 => (path.clone(), path.clone(), 0u8..4).prop_map(|(from, to, tags)| Step::Move(from, to, tags)),
        1 => (path.clone(), 0u8..4).prop_map(|(path, tags)| Step::Tag(path, tags)),
        1 => (path.clone(), 0u8..4).prop_map(|(path, tags)| Step::AddTags(path, tags)),
        1 => path.clone().prop_map(Step::Fail),
        1 => path.prop_map(Step::Clear),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    (
        prop::option::of(prop_oneof![Just("*[0-5].wav"), Just("/lib/a/**"), Just("/lib/*/1*"), Just("none")]),
        prop::option::of(Just("/lib/b")),
        0u8..8,
        prop::option::of(Just("MP3")),
        prop::option::of(0.0..20.0f64),
        prop::option::of(10.0..40.0f64),
        prop::option::of(0..8i64),
    )
        .prop_map(|(glob, prefix, tags, format, min, max, since)| Filter {
            path_glob: glob.map(str::to_string),
            path_part: prefix.map(str::to_string),
            tags: if tags < 3 { tag_list(tags) } else { vec![] },
            formats: format.into_iter().map(str::to_string).collect(),
            min_duration_s: min,
            max_duration_s: max,
            indexed_since_unix_s: since,
            ..Filter::default()
        })
}

fn request() -> impl Strategy<Value = SearchRequest> {
    let mode = prop_oneof![Just(SearchMode::Auto), Just(SearchMode::Exact), Just(SearchMode::Graph)];
    let filter = prop_oneof![2 => Just(Filter::default()), 3 => filter()];
    (0usize..30, filter, mode, prop::option::of(0.3f32..0.9), any::<bool>()).prop_map(
        |(k, filter, mode, min_score, collapse)| SearchRequest {
            k,
            kind: QueryKind::default(),
            filter,
            mode,
            min_score,
            collapse,
            ef: None,
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => prop::collection::vec(step(), 1..6).prop_map(Op::Batch),
        1 => Just(Op::Reopen),
        1 => Just(Op::Rebuild),
        6 => (vector(), request()).prop_map(|(query, request)| Op::Search(query, Box::new(request))),
    ]
}

fn path(number: usize) -> String {
    format!("/lib/{}/{number}.wav", if number.is_multiple_of(2) { "a" } else { "b" })
}

fn tag_list(bits: u8) -> Vec<String> {
    ["x", "y"].iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, t)| t.to_string()).collect()
}

fn union(old: &[String], new: &[String]) -> Vec<String> {
    let new = new.iter().filter(|tag| !old.contains(tag));
    old.iter().chain(new).cloned().collect()
}

fn meta(number: usize, tags: u8) -> ClipMeta {
    ClipMeta {
        tags: tag_list(tags),
        content_hash: [number as u8 % 3; 32],
        duration_s: 3.0 * number as f64,
        format: if number.is_multiple_of(3) { "mp3" } else { "wav" }.into(),
        decoder: number.is_multiple_of(7).then(|| "ffmpeg 5.1.9".to_owned()),
        indexed_unix_s: number as i64,
        ..crate::common::meta(&path(number))
    }
}

/// What the index should hold.
#[derive(Default)]
struct Model {
    clips: BTreeMap<ClipId, (ClipMeta, Vec<Vec<f32>>)>,
    failures: BTreeMap<String, Failure>,
    next: ClipId,
    /// What removed clips were tagged with, in the order of removals.
    kept: Vec<ClipMeta>,
}

impl Model {
    fn at(&self, path: &str) -> Option<ClipId> {
        self.clips.iter().find(|(_, (meta, _))| meta.path == path).map(|(id, _)| *id)
    }

    fn remove(&mut self, id: ClipId) {
        let removed = self.clips.remove(&id).map(|(meta, _)| meta);
        self.kept.extend(removed.filter(|meta| !meta.tags.is_empty()));
    }

    /// The tags for a new clip: of a removed one with its content, at its path if there was one.
    fn take_kept(&mut self, new: &ClipMeta) -> Vec<String> {
        let same = |kept: &ClipMeta| kept.content_hash == new.content_hash;
        let at_path = self.kept.iter().rposition(|kept| same(kept) && kept.path == new.path);
        let found = at_path.or_else(|| self.kept.iter().rposition(same));
        found.map(|at| self.kept.remove(at).tags).unwrap_or_default()
    }

    /// Takes the step and gives the change that says the same to the index; None if it would be refused.
    fn take(&mut self, step: &Step) -> Option<Change> {
        match step {
            Step::Put(number, tags, vectors) => {
                let mut meta = meta(*number, *tags);
                let change =
                    Change::Put { meta: meta.clone(), segments: segments(vectors), texts: Vec::new() };
                let id = self.at(&meta.path).unwrap_or_else(|| {
                    meta.tags = union(&self.take_kept(&meta), &meta.tags);
                    self.next += 1;
                    self.next
                });
                if let Some((old, _)) = self.clips.get(&id) {
                    meta.tags = union(&old.tags, &meta.tags);
                }
                self.failures.remove(&meta.path);
                self.clips.insert(id, (meta, vectors.clone()));
                Some(change)
            }
            Step::Remove(number) => {
                let id = self.at(&path(*number))?;
                self.remove(id);
                Some(Change::Remove(id))
            }
            Step::RemoveAt(number) => {
                if let Some(id) = self.at(&path(*number)) {
                    self.remove(id);
                }
                Some(Change::RemoveAt(path(*number)))
            }
            Step::AddTags(number, tags) => {
                if let Some(id) = self.at(&path(*number)) {
                    let meta = &mut self.clips.get_mut(&id).unwrap().0;
                    meta.tags = union(&meta.tags, &tag_list(*tags));
                }
                Some(Change::AddTags { path: path(*number), tags: tag_list(*tags) })
            }
            Step::Move(from, to, tags) => {
                let mut meta = meta(*to, *tags);
                let Some(id) = self.at(&path(*from)) else {
                    return Some(Change::Move { id: self.next + 1000, meta });
                };
                let change = Change::Move { id, meta: meta.clone() };
                if let Some(other) = self.at(&meta.path).filter(|other| *other != id) {
                    self.remove(other);
                }
                self.failures.remove(&meta.path);
                let clip = self.clips.get_mut(&id).unwrap();
                meta.tags = union(&clip.0.tags, &meta.tags);
                clip.0 = meta;
                Some(change)
            }
            Step::Tag(number, tags) => {
                let id = self.at(&path(*number))?;
                self.clips.get_mut(&id).unwrap().0.tags = tag_list(*tags);
                Some(Change::SetTags { id, tags: tag_list(*tags) })
            }
            Step::Fail(number) => {
                let failure = Failure {
                    path: path(*number),
                    size: 1,
                    mtime_ns: 2,
                    reason: "bad".into(),
                    kind: "malformed".into(),
                    seen_unix_s: 3,
                };
                self.failures.insert(failure.path.clone(), failure.clone());
                Some(Change::Fail(failure))
            }
            Step::Clear(number) => {
                self.failures.remove(&path(*number));
                Some(Change::ClearFailure(path(*number)))
            }
        }
    }

    /// Clip, segment and score of what should be found.
    fn search(&self, query: &[f32], request: &SearchRequest) -> Vec<(ClipId, u32, f32)> {
        let mut all = Vec::new();
        for (id, (meta, vectors)) in &self.clips {
            if admits(&request.filter, meta) {
                let scored = (0u32..).zip(vectors).map(|(i, v)| (*id, i, dot(query, v).clamp(-1.0, 1.0)));
                all.extend(scored.filter(|(_, _, score)| request.min_score.is_none_or(|min| *score >= min)));
            }
        }
        all.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)).then(a.1.cmp(&b.1)));
        if request.collapse {
            let mut seen = std::collections::HashSet::new();
            all.retain(|(id, ..)| seen.insert(*id));
        }
        all.truncate(request.k);
        all
    }
}

fn admits(filter: &Filter, meta: &ClipMeta) -> bool {
    let number: usize = meta.path[7..meta.path.len() - 4].parse().unwrap();
    let glob = match filter.path_glob.as_deref() {
        None => true,
        Some("*[0-5].wav") => number % 10 <= 5,
        Some("/lib/a/**") => number.is_multiple_of(2),
        Some("/lib/*/1*") => number.to_string().starts_with('1'),
        _ => false,
    };
    glob && filter.path_part.as_ref().is_none_or(|p| meta.path.contains(p.as_str()))
        && filter.tags.iter().all(|tag| meta.tags.contains(tag))
        && (filter.formats.is_empty() || meta.format == "mp3")
        && filter.min_duration_s.is_none_or(|min| min <= meta.duration_s)
        && filter.max_duration_s.is_none_or(|max| max >= meta.duration_s)
        && filter.indexed_since_unix_s.is_none_or(|since| since <= meta.indexed_unix_s)
}

/// The dot product with the additions in the order that the crate documents: sixteen running sums, then the
/// rest.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let full = a.len() / 16 * 16;
    for i in 0..full {
        sums[i % 16] += a[i] * b[i];
    }
    let rest: f32 = (full..a.len()).map(|i| a[i] * b[i]).sum();
    sums.iter().sum::<f32>() + rest
}

fn segments(vectors: &[Vec<f32>]) -> Vec<Segment> {
    let segment =
        |(i, v): (usize, &Vec<f32>)| Segment { start_s: i as f64, end_s: i as f64 + 1.0, vector: v.clone() };
    vectors.iter().enumerate().map(segment).collect()
}

fn check_search(index: &Writer, model: &Model, query: &[f32], request: &SearchRequest) {
    let expected = model.search(query, request);
    let response = index.snapshot().unwrap().search(query, request).unwrap();
    let found: Vec<_> = response.hits.iter().map(|h| (h.clip.id, h.segment, h.score)).collect();
    assert_eq!(found, expected, "{:?}", response.path);
    let unbounded = model.search(query, &SearchRequest { min_score: None, ..request.clone() });
    assert_eq!(response.below_min_score, unbounded.len() - expected.len());
    for hit in &response.hits {
        assert_eq!(hit.clip.meta, model.clips[&hit.clip.id].0);
        assert_eq!(hit.start_s, f64::from(hit.segment));
    }
}

fn check_all(index: &Writer, model: &Model) {
    expect_clean(index);
    let index = index.snapshot().unwrap();
    let clips = index.clips(&Filter::default()).unwrap();
    let clip = |(id, (meta, vectors)): (&ClipId, &(ClipMeta, Vec<Vec<f32>>))| Clip {
        id: *id,
        meta: meta.clone(),
        segments: vectors.len() as u32,
    };
    let expected: Vec<_> = model.clips.iter().map(clip).collect();
    assert_eq!(clips, expected);
    for (id, (meta, vectors)) in &model.clips {
        assert_eq!(index.segments(*id).unwrap(), segments(vectors));
        assert_eq!(index.clip_by_path(&meta.path).unwrap().unwrap().id, *id);
    }
    for hash in 0..3 {
        let same: Vec<_> = expected.iter().filter(|c| c.meta.content_hash == [hash; 32]).cloned().collect();
        assert_eq!(index.clips_by_hash(&[hash; 32]).unwrap(), same);
    }
    assert_eq!(index.failures().unwrap(), model.failures.values().cloned().collect::<Vec<_>>());
    for failure in model.failures.values() {
        let at_path = index.failures_at(std::slice::from_ref(&failure.path)).unwrap();
        assert_eq!(at_path.first(), Some(failure));
    }
    let mut visited = 0;
    index
        .for_each_segment(&Filter::default(), &mut |s| {
            assert_eq!(model.clips[&s.clip.id].1[s.segment as usize], s.vector);
            visited += 1;
            true
        })
        .unwrap();
    assert_eq!(visited, index.stats().unwrap().segments);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn histories_agree_with_the_model(ops in prop::collection::vec(op(), 1..30)) {
        let dir = tempfile::tempdir().unwrap();
        let opts = OpenOptions::default();
        let mut index = Writer::create_or_open(dir.path(), &identity(DIM), &opts).unwrap();
        let mut model = Model::default();
        for op in &ops {
            match op {
                Op::Batch(steps) => {
                    let changes: Vec<_> = steps.iter().filter_map(|step| model.take(step)).collect();
                    index.apply(changes).unwrap();
                }
                Op::Reopen => {
                    drop(index);
                    index = Writer::create_or_open(dir.path(), &identity(DIM), &opts).unwrap();
                }
                Op::Rebuild => drop(index.rebuild().unwrap()),
                Op::Search(query, request) => check_search(&index, &model, query, request),
            }
        }
        check_all(&index, &model);
        let events = index.take_events();
        prop_assert!(!events.iter().any(|e| matches!(e, IndexEvent::NotPublished { .. })), "{:?}", events);
    }
}
