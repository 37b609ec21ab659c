//! The same changes made here and in a local index give the same index, and the same answers.

#![allow(clippy::unwrap_used)]

use crate::common::{Numbers, identity, meta, new_index, text};
use earmark_index::{
    Change, Clip, Error, Failure, Filter, Hit, IndexReader, IndexWriter, Method, NameQuery, OpenOptions,
    SearchMode, SearchRequest, Segment, Writer,
};

const DIM: usize = 24;

fn change(numbers: &mut Numbers) -> impl Fn(&dyn IndexReader) -> Change + use<> {
    let path = format!("/sounds/{}/Dog_Bark{:02}.wav", ["a", "b_rain"][numbers.below(2)], numbers.below(12));
    let segments = {
        let n = numbers.below(4);
        numbers.segments(n, DIM)
    };
    let tags: Vec<String> =
        ["night", "wet dog", "Straße"][..numbers.below(4)].iter().map(|t| (*t).into()).collect();
    let kind = numbers.below(10);
    let other = format!("/sounds/a/moved{}.flac", numbers.below(3));
    move |index| {
        let mut given = meta(&path);
        given.tags = tags.clone();
        given.format = if kind.is_multiple_of(2) { "wav".into() } else { "flac".into() };
        given.decoder = (kind == 3).then(|| "ffmpeg 5.1".into());
        let there = index.clip_by_path(&path).unwrap();
        match (kind, there) {
            (0, Some(clip)) => Change::Remove(clip.id),
            (1, _) => Change::RemoveAt(path.clone()),
            (2, Some(clip)) => Change::SetTags { id: clip.id, tags: tags.clone() },
            (3, Some(clip)) => {
                Change::Move { id: clip.id, meta: earmark_index::ClipMeta { path: other.clone(), ..given } }
            }
            (4, _) => Change::AddTags { path: path.clone(), tags: tags.clone() },
            (5, _) => Change::Fail(Failure {
                path: path.clone(),
                size: 3,
                mtime_ns: 4,
                reason: "no sound \u{e9}".into(),
                kind: "malformed".into(),
                seen_unix_s: 5,
            }),
            (6, _) => Change::ClearFailure(path.clone()),
            _ => Change::Put {
                meta: given,
                segments: segments.clone(),
                texts: vec![text("title", "A Wooden Door"), text("artist", "O'Neil \\ \"x\"")],
            },
        }
    }
}

/// Without ids, which differ.
fn plain(clip: &Clip) -> Clip {
    Clip { id: 0, ..clip.clone() }
}

fn shown(hits: &[Hit]) -> Vec<(String, u32, f64, u32)> {
    hits.iter().map(|hit| (hit.clip.meta.path.clone(), hit.segment, hit.end_s, hit.score.to_bits())).collect()
}

fn filters() -> Vec<Filter> {
    let some = |set: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        set(&mut filter);
        filter
    };
    vec![
        Filter::default(),
        some(&|f| f.tags = vec!["wet dog".into()]),
        some(&|f| f.formats = vec!["FLAC".into()]),
        some(&|f| f.path_within = Some("/sounds/a".into())),
        some(&|f| f.path_part = Some("bark1".into())),
        some(&|f| (f.path_part, f.path_ignores_case) = (Some("bark1".into()), true)),
        some(&|f| f.path_glob = Some("*0?.wav".into())),
        some(&|f| f.path_glob = Some("/sounds/**/Dog*".into())),
        some(&|f| f.min_duration_s = Some(2.0)),
        some(&|f| f.indexed_since_unix_s = Some(1_600_000_000)),
    ]
}

fn assert_same(local: &dyn IndexReader, remote: &dyn IndexReader, numbers: &mut Numbers) {
    assert_eq!(local.failures().unwrap(), remote.failures().unwrap());
    for filter in filters() {
        let by_path = |index: &dyn IndexReader| {
            let mut clips: Vec<Clip> = index.clips(&filter).unwrap().iter().map(plain).collect();
            clips.sort_by(|a, b| a.meta.path.cmp(&b.meta.path));
            clips
        };
        let clips = by_path(local);
        assert_eq!(clips, by_path(remote), "{filter:?}");
        for (mode, k) in [(SearchMode::Exact, 3), (SearchMode::Auto, 100)] {
            for collapse in [true, false] {
                let query = numbers.unit(DIM);
                let request = SearchRequest {
                    k,
                    mode,
                    collapse,
                    filter: filter.clone(),
                    min_score: Some(0.3),
                    ..Default::default()
                };
                let (one, other) =
                    (local.search(&query, &request).unwrap(), remote.search(&query, &request).unwrap());
                assert_eq!(shown(&one.hits), shown(&other.hits), "{request:?}");
                assert_eq!(
                    (one.clips_admitted, one.segments_admitted, one.below_min_score),
                    (other.clips_admitted, other.segments_admitted, other.below_min_score)
                );
            }
        }
        for words in
            ["dog", "rain dogs", "bar", "\"wooden door\"", "dog -wet", "o'neil", "strasse night", "moved 2"]
        {
            let query = NameQuery::parse(words);
            let named = |index: &dyn IndexReader| {
                let found = index.named(&query, &filter, 100).unwrap();
                let mut all: Vec<(String, u32, usize)> = found
                    .matches
                    .iter()
                    .map(|one| {
                        let clip = index.clip(one.clip).unwrap().unwrap();
                        (clip.meta.path, one.coverage.to_bits(), one.words.len())
                    })
                    .collect();
                all.sort();
                (all, found.clips_admitted)
            };
            assert_eq!(named(local), named(remote), "{words} {filter:?}");
        }
        let mut each = Vec::new();
        let collect = |index: &dyn IndexReader| {
            let mut all = Vec::new();
            index
                .for_each_segment(&filter, &mut |one| {
                    all.push((one.clip.meta.path.clone(), one.segment, one.vector.to_vec()));
                    true
                })
                .unwrap();
            all.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
            all
        };
        each.push(collect(local));
        assert_eq!(each[0], collect(remote));
    }
    for clip in local.clips(&Filter::default()).unwrap() {
        let there = remote.clip_by_path(&clip.meta.path).unwrap().unwrap();
        assert_eq!(local.segments(clip.id).unwrap(), remote.segments(there.id).unwrap());
        let mut texts = local.texts(&[clip.id]).unwrap().remove(0);
        let mut others = remote.texts(&[there.id]).unwrap().remove(0);
        texts.sort_by(|a, b| a.name.cmp(&b.name));
        others.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(texts, others);
    }
    let query = numbers.unit(DIM);
    let (one, other) = (local.spread(&query).unwrap(), remote.spread(&query).unwrap());
    assert_eq!(one.sampled, other.sampled);
    assert!((one.mean - other.mean).abs() < 5e-4 && (one.deviation - other.deviation).abs() < 5e-4);
    let (one, other) = (local.stats().unwrap(), remote.stats().unwrap());
    assert_eq!((one.clips, one.segments, one.failures), (other.clips, other.segments, other.failures));
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn the_same_changes_make_the_same_index() {
    let folder = tempfile::tempdir().unwrap();
    let local = Writer::create_or_open(folder.path(), &identity(DIM), &OpenOptions::default()).unwrap();
    let (_database, remote) = new_index(DIM);
    let mut numbers = Numbers(1);
    for batch in 0..60 {
        let changes: Vec<_> = (0..1 + numbers.below(6)).map(|_| change(&mut numbers)).collect();
        for change in changes {
            let apply = |writer: &dyn IndexWriter| {
                writer.apply(vec![change(&*writer.reader().unwrap())]).map(|ids| ids.len())
            };
            assert_eq!(apply(&local).unwrap(), apply(&remote).unwrap());
        }
        if batch % 20 == 19 {
            // The text side of a local index is a little behind until its writer ends.
            local.rebuild().unwrap();
            assert_same(&*local.reader().unwrap(), &remote, &mut numbers);
        }
    }
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn a_graph_finds_nearly_all_and_exact_search_stays_exact() {
    let folder = tempfile::tempdir().unwrap();
    let local = Writer::create_or_open(folder.path(), &identity(DIM), &OpenOptions::default()).unwrap();
    let (_database, remote) = new_index(DIM);
    let mut numbers = Numbers(4);
    let puts: Vec<Change> = (0..600)
        .map(|n| Change::Put {
            meta: meta(&format!("/sounds/{n}.wav")),
            segments: (0..5)
                .map(|n| Segment { start_s: n.into(), end_s: 9.0, vector: numbers.any_unit(DIM) })
                .collect(),
            texts: Vec::new(),
        })
        .collect();
    for some in puts.chunks(100) {
        local.apply(some.to_vec()).unwrap();
        remote.apply(some.to_vec()).unwrap();
    }
    let texts: Vec<Vec<f32>> = (0..20).map(|_| numbers.any_unit(DIM)).collect();
    let built = remote.build_graph(&texts).unwrap();
    assert_eq!(
        built.iter().map(|(_, one)| one.method).collect::<Vec<_>>(),
        [Method::Hnsw, Method::InvertedLists]
    );
    for (segments, figures) in built {
        assert_eq!((segments, figures.text.queries, figures.sound.queries), (3000, 20, 100));
        let kinds = [&figures.text, &figures.sound];
        let recalls = kinds.map(|kind| kind.measured.iter().map(|one| one.recall).fold(0.0, f32::max));
        assert!(recalls.iter().all(|recall| *recall > 0.9), "{figures:?}");
    }
    assert_eq!(remote.stats().unwrap().graphs.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [3000, 3000]);
    remote.build_graph(&texts).unwrap();
    let reader = local.reader().unwrap();
    let (mut right, mut all) = (0, 0);
    for filter in [Filter::default(), Filter { path_part: Some("7".into()), ..Filter::default() }] {
        for collapse in [true, false] {
            for _ in 0..20 {
                let query = numbers.any_unit(DIM);
                let request = |mode| SearchRequest {
                    mode,
                    collapse,
                    filter: filter.clone(),
                    ..SearchRequest::default()
                };
                let exact = reader.search(&query, &request(SearchMode::Exact)).unwrap();
                let same = remote.search(&query, &request(SearchMode::Exact)).unwrap();
                assert_eq!(shown(&exact.hits), shown(&same.hits));
                let by_graph = remote.search(&query, &request(SearchMode::Graph)).unwrap();
                assert_eq!((by_graph.path, by_graph.hits.len()), (earmark_index::SearchPath::Graph, 10));
                let found = shown(&by_graph.hits);
                right += shown(&exact.hits).iter().filter(|hit| found.contains(hit)).count();
                all += exact.hits.len();
            }
        }
    }
    assert!(right as f64 / all as f64 > 0.9, "{right} of {all}");
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn bad_changes_are_refused_whole() {
    let (_database, index) = new_index(DIM);
    let mut numbers = Numbers(2);
    let good = Change::Put { meta: meta("/a.wav"), segments: numbers.segments(2, DIM), texts: Vec::new() };
    for bad in [
        Change::Remove(77),
        Change::SetTags { id: 77, tags: Vec::new() },
        Change::Put { meta: meta("/b.wav"), segments: numbers.segments(1, DIM + 1), texts: Vec::new() },
    ] {
        let error = index.apply(vec![good.clone(), bad]).unwrap_err();
        assert!(matches!(error, Error::UnknownClip { id: 77 } | Error::DimMismatch { .. }), "{error}");
        assert_eq!(index.stats().unwrap().clips, 0);
    }
    assert!(matches!(index.search(&[1.0], &SearchRequest::default()), Err(Error::DimMismatch { .. })));
    let bad = Filter { path_glob: Some("a[".into()), ..Filter::default() };
    assert!(matches!(index.clips(&bad), Err(Error::BadFilter { .. })));
}
