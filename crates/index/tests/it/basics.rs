//! The index by its public verbs.

use std::time::Duration;

use earmark_index::{
    Change, Error, Filter, IndexReader, IndexWriter, OpenOptions, SearchMode, SearchRequest, Segment,
    Snapshot, Writer,
};

use crate::common::{Rng, expect_clean, identity, meta, put, segment};

#[test]
fn put_find_replace_move_remove() {
    let dir = tempfile::tempdir().unwrap();
    let opts = OpenOptions { lock_wait: Duration::ZERO, ..OpenOptions::default() };
    let index = Writer::create_or_open(dir.path(), &identity(4), &opts).unwrap();
    let put = |path: &str, axis: usize| Change::Put {
        meta: meta(path),
        segments: vec![segment(4, axis), segment(4, axis + 1)],
        texts: Vec::new(),
    };
    let ids = index.apply(vec![put("/a.wav", 0), put("/b.wav", 2)]).unwrap();
    assert_eq!(ids, [1, 2]);
    let query = segment(4, 2).vector;
    let hits = index.snapshot().unwrap().search(&query, &SearchRequest::default()).unwrap().hits;
    assert_eq!(hits[0].clip.id, 2);
    assert_eq!(hits[0].score, 1.0);
    assert_eq!(hits.len(), 2, "one hit a clip");

    index.apply(vec![Change::SetTags { id: 2, tags: vec!["dog".into()] }]).unwrap();
    assert_eq!(index.apply(vec![put("/b.wav", 0)]).unwrap(), [2]);
    assert_eq!(index.snapshot().unwrap().clip(2).unwrap().unwrap().meta.tags, ["dog"]);
    let hits = index.snapshot().unwrap().search(&query, &SearchRequest::default()).unwrap().hits;
    assert!(hits[0].score < 0.5);

    index.apply(vec![Change::Move { id: 1, meta: meta("/c.wav") }]).unwrap();
    assert!(index.snapshot().unwrap().clip_by_path("/a.wav").unwrap().is_none());
    assert_eq!(index.snapshot().unwrap().clip_by_path("/c.wav").unwrap().unwrap().id, 1);
    expect_clean(&index);

    index.apply(vec![Change::Remove(1)]).unwrap();
    assert!(matches!(index.apply(vec![Change::Remove(1)]), Err(Error::UnknownClip { id: 1 })));
    let filter = Filter { tags: vec!["dog".into()], ..Filter::default() };
    let request = SearchRequest { filter, collapse: false, ..SearchRequest::default() };
    assert_eq!(index.snapshot().unwrap().search(&query, &request).unwrap().hits.len(), 2);
    let stats = index.snapshot().unwrap().stats().unwrap();
    assert_eq!((stats.clips, stats.segments), (1, 2));

    assert!(matches!(Writer::open(dir.path(), None, &opts), Err(Error::Locked { .. })));
    drop(index);
    let other = earmark_index::Identity { model_id: "other".into(), ..identity(4) };
    let error = Writer::open(dir.path(), Some(&other), &opts).err().unwrap();
    assert!(matches!(error, Error::ModelMismatch { .. }), "{error}");
    let index = Writer::open(dir.path(), Some(&identity(4)), &opts).unwrap();
    assert_eq!(index.snapshot().unwrap().segments(2).unwrap().len(), 2);
    expect_clean(&index);
}

#[test]
fn no_index_is_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let error = Writer::open(dir.path(), None, &OpenOptions::default()).err().unwrap();
    assert!(matches!(error, Error::NotFound { .. }));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let index = Writer::create_or_open(dir.path(), &identity(4), &OpenOptions::default()).unwrap();
    let put = |vector: Vec<f32>, start_s: f64| {
        let good = Change::Put { meta: meta("/good.wav"), segments: vec![segment(4, 0)], texts: Vec::new() };
        let bad = Segment { start_s, end_s: 1.0, vector };
        index
            .apply(vec![good, Change::Put { meta: meta("/bad.wav"), segments: vec![bad], texts: Vec::new() }])
            .unwrap_err()
    };
    let axis = vec![1.0, 0.0, 0.0, 0.0];
    assert!(matches!(put(vec![1.0], 0.0), Error::DimMismatch { expected: 4, received: 1 }));
    assert!(matches!(put(vec![1.0, 1.0, 0.0, 0.0], 0.0), Error::NotUnit { .. }));
    assert!(matches!(put(vec![0.0; 4], 0.0), Error::NotUnit { .. }));
    assert!(matches!(put(vec![f32::NAN, 1.0, 0.0, 0.0], 0.0), Error::NonFinite));
    assert!(matches!(put(axis.clone(), 2.0), Error::BadSegment { .. }));
    assert!(matches!(put(axis.clone(), f64::NAN), Error::BadSegment { .. }));
    let long = Change::Put { meta: meta(&"x".repeat(20_000)), segments: vec![], texts: Vec::new() };
    assert!(matches!(index.apply(vec![long]), Err(Error::Limit { .. })));
    let request = SearchRequest::default();
    assert!(matches!(index.snapshot().unwrap().search(&[1.0], &request), Err(Error::DimMismatch { .. })));
    assert!(matches!(index.snapshot().unwrap().search(&[f32::INFINITY; 4], &request), Err(Error::NonFinite)));
    let filter = Filter { path_glob: Some("a[".into()), ..Filter::default() };
    assert!(matches!(index.snapshot().unwrap().clips(&filter), Err(Error::BadFilter { .. })));
    let request = SearchRequest { filter, ..request };
    assert!(matches!(index.snapshot().unwrap().search(&axis, &request), Err(Error::BadFilter { .. })));
    let request = SearchRequest::default();
    assert_eq!(index.snapshot().unwrap().clips(&Filter::default()).unwrap().len(), 0);
    assert_eq!(index.snapshot().unwrap().search(&axis, &request).unwrap().hits, []);
    let nowhere = SearchRequest { k: usize::MAX, mode: SearchMode::Graph, ..request };
    assert_eq!(index.snapshot().unwrap().search(&axis, &nowhere).unwrap().hits, []);
    expect_clean(&index);
}

#[test]
fn changes_of_one_batch_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let index = Writer::create_or_open(dir.path(), &identity(4), &OpenOptions::default()).unwrap();
    let put = |path: &str, axis| Change::Put {
        meta: meta(path),
        segments: vec![segment(4, axis)],
        texts: Vec::new(),
    };
    let ids = index
        .apply(vec![
            put("/a.wav", 0),
            put("/a.wav", 1),
            put("/b.wav", 2),
            Change::Move { id: 1, meta: meta("/b.wav") },
            put("/c.wav", 3),
            Change::Remove(3),
        ])
        .unwrap();
    assert_eq!(ids, [1, 1, 2, 1, 3, 3]);
    let clips: Vec<_> = index.snapshot().unwrap().clips(&Filter::default()).unwrap();
    assert_eq!(clips.iter().map(|c| (c.id, c.meta.path.as_str())).collect::<Vec<_>>(), [(1, "/b.wav")]);
    assert_eq!(index.snapshot().unwrap().segments(1).unwrap(), [segment(4, 1)]);
    // Ids are never reused.
    assert_eq!(index.apply(vec![put("/d.wav", 0)]).unwrap(), [4]);
    expect_clean(&index);
}

#[test]
fn searches_and_changes_run_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let index = Writer::create_or_open(dir.path(), &identity(16), &OpenOptions::default()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut rng = Rng(1);
            for i in 0..60 {
                index.apply(vec![put(&format!("/{}.wav", i % 50), &mut rng, 16, 40)]).unwrap();
            }
        });
        for seed in 0..2 {
            let index = &index;
            scope.spawn(move || {
                let mut rng = Rng(seed);
                for mode in [SearchMode::Auto, SearchMode::Exact].iter().cycle().take(60) {
                    let request = SearchRequest { mode: *mode, ..SearchRequest::default() };
                    let snapshot = index.snapshot().unwrap();
                    let hits = snapshot.search(&rng.clustered(16, 20), &request).unwrap().hits;
                    assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
                    assert_eq!(hits.len(), snapshot.stats().unwrap().clips.min(10));
                }
            });
        }
    });
    expect_clean(&index);
    assert_eq!(index.snapshot().unwrap().stats().unwrap().segments, 2000);
}

#[test]
fn the_lock_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let opts = OpenOptions { lock_wait: Duration::from_secs(20), ..OpenOptions::default() };
    let index = Writer::create_or_open(dir.path(), &identity(4), &opts).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Writer::open(dir.path(), None, &opts).map(drop));
        std::thread::sleep(Duration::from_millis(50));
        drop(index);
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn another_format_version_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let opts = OpenOptions::default();
    drop(Writer::create_or_open(dir.path(), &identity(4), &opts).unwrap());
    let store = sled::open(dir.path().join("store")).unwrap();
    // A record version, a format version, and things to come.
    store.insert("mheader", &[1, 9, 1, 2, 3]).unwrap();
    drop(store);
    // What is published is of a version that can be read.
    Snapshot::open(dir.path(), None, &opts).unwrap();
    for opened in
        [Writer::open(dir.path(), None, &opts), Writer::create_or_open(dir.path(), &identity(4), &opts)]
    {
        let error = opened.err().unwrap();
        assert!(matches!(error, Error::FormatVersion { received: 9, .. }), "{error}");
    }
}
