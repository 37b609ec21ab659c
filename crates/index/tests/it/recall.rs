//! What a search by codes finds, held against the exact one.

use earmark_index::{
    Change, IndexReader, IndexWriter, OpenOptions, SearchMode, SearchPath, SearchRequest, Segment, Writer,
};

use crate::common::{Rng, filled, identity, meta, put, search, unit};

/// Sounds in a narrow cloud, and queries from outside of it, as texts are.
#[test]
fn codes_find_what_the_exact_search_finds_for_queries_inside_and_outside_the_cloud() {
    for dim in [24, 64, 160, 617] {
        let dir = tempfile::tempdir().unwrap();
        let index = filled(dir.path(), dim, 400, 5);
        let mut rng = Rng(99);
        for number in 0..40 {
            let query = if number % 2 == 0 {
                rng.clustered(dim, 20)
            } else {
                unit((0..dim).map(|_| (rng.unit() - 0.5).powi(3)).collect())
            };
            let truth = search(&index, &query, SearchMode::Exact);
            assert_eq!(search(&index, &query, SearchMode::Auto), truth, "{dim} elements, query {number}");
        }
    }
}

/// Many rows with nearly or exactly the same score are the worst there is for codes.
#[test]
fn codes_find_the_best_of_many_that_are_nearly_the_same() {
    const DIM: usize = 96;
    let dir = tempfile::tempdir().unwrap();
    let index = Writer::create_or_open(dir.path(), &identity(DIM), &OpenOptions::default()).unwrap();
    let mut rng = Rng(5);
    let centre = rng.clustered(DIM, 1);
    for batch in 0..8 {
        let near = |i: usize| {
            let mut vector = centre.clone();
            if !i.is_multiple_of(3) {
                vector[i % DIM] += 1e-4 * rng.unit();
            }
            let segments = vec![Segment { start_s: 0.0, end_s: 1.0, vector: unit(vector) }];
            Change::Put { meta: meta(&format!("/{batch}-{i}.wav")), segments, texts: Vec::new() }
        };
        index.apply((0..1000).map(near).collect()).unwrap();
    }
    let snapshot = index.snapshot().unwrap();
    for (k, collapse) in [(1, false), (10, true), (300, false), (7999, true)] {
        let request = |mode| SearchRequest { k, mode, collapse, ..SearchRequest::default() };
        let truth = snapshot.search(&centre, &request(SearchMode::Exact)).unwrap();
        let found = snapshot.search(&centre, &request(SearchMode::Auto)).unwrap();
        assert_eq!((truth.path, found.path), (SearchPath::Exact, SearchPath::Codes));
        assert_eq!(found.hits, truth.hits, "k {k}, collapse {collapse}");
    }
}

#[test]
fn what_scores_too_little_is_counted() {
    const DIM: usize = 64;
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path(), DIM, 50, 2);
    let query = Rng(1).clustered(DIM, 20);
    let all = search(&index, &query, SearchMode::Auto);
    let min_score = Some(all[3].score);
    let request = SearchRequest { min_score, collapse: false, ..SearchRequest::default() };
    let response = index.snapshot().unwrap().search(&query, &request).unwrap();
    assert_eq!((response.hits.as_slice(), response.below_min_score), (&all[..4], 6));
}

#[test]
fn few_files_are_left_of_many_commits_and_deaths() {
    const DIM: usize = 16;
    let dir = tempfile::tempdir().unwrap();
    let index = Writer::create_or_open(dir.path(), &identity(DIM), &OpenOptions::default()).unwrap();
    let mut rng = Rng(2);
    let mut most = 0;
    for i in 0..400 {
        index.apply(vec![put(&format!("/{}.wav", i % 90), &mut rng, DIM, 1 + i % 7)]).unwrap();
        most = most.max(std::fs::read_dir(dir.path().join("published")).unwrap().count());
    }
    assert!(most <= 40, "{most} files");
    let stats = index.snapshot().unwrap().stats().unwrap();
    assert_eq!(stats.clips, 90);
    assert!(stats.dead <= stats.segments, "{stats:?}");
    crate::common::expect_clean(&index);
}
