//! How much the graph finds, measured against the exact scan.

use earmark_index::{
    Change, GraphState, Index, IndexEvent, OpenOptions, SearchMode, SearchPath, SearchRequest,
};

use crate::common::{Rng, filled, identity, put, search};

const DIM: usize = 64;

/// Stated bound. Measured on this data: 0.99 and above; hnsw_rs' parallel insertion varies from run to run.
const MIN_RECALL_AT_10: f64 = 0.95;

fn recall_at_10(index: &Index, queries: usize) -> f64 {
    let mut rng = Rng(99);
    let (mut found, mut all) = (0, 0);
    for _ in 0..queries {
        let query = rng.clustered(DIM, 20);
        let truth = search(index, &query, SearchMode::Exact);
        let hits = search(index, &query, SearchMode::Graph);
        assert_eq!(hits.len(), truth.len());
        found += truth.iter().filter(|hit| hits.contains(hit)).count();
        all += truth.len();
    }
    found as f64 / all as f64
}

#[test]
fn the_graph_finds_most_through_build_reload_growth_and_deaths() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path(), DIM, 800, 5);
    let built = recall_at_10(&index, 100);
    assert!(built >= MIN_RECALL_AT_10, "built: {built}");
    let events = index.take_events();
    assert!(matches!(events[..], [IndexEvent::GraphBuilt { .. }]), "{events:?}");
    let audit = index.audit().unwrap();
    assert!(audit.is_clean(), "{audit:?}");
    assert!(audit.exact_found >= 1000, "{audit:?}");
    assert!(audit.graph_found * 1000 >= audit.graph_searched * 995, "{audit:?}");
    drop(index);

    let opts = OpenOptions { graph_min_rows: 1000, ..OpenOptions::default() };
    let index = Index::open(dir.path(), Some(&identity(DIM)), &opts).unwrap();
    let reloaded = recall_at_10(&index, 100);
    assert!(reloaded >= MIN_RECALL_AT_10, "reloaded: {reloaded}");
    assert_eq!(index.take_events(), []);

    // New rows are found at once, though the graph does not have them, and the graph grows by them later.
    let mut rng = Rng(5);
    index.apply((0..200).map(|i| put(&format!("/new{i}.wav"), &mut rng, DIM, 5)).collect()).unwrap();
    let lagging = recall_at_10(&index, 100);
    assert!(lagging >= MIN_RECALL_AT_10, "lagging: {lagging}");
    index.refresh_graph().unwrap();
    let events = index.take_events();
    assert!(matches!(events[..], [IndexEvent::GraphBuilt { inserted: 500..=1100, .. }]), "{events:?}");
    let grown = recall_at_10(&index, 100);
    assert!(grown >= MIN_RECALL_AT_10, "grown: {grown}");

    // A tenth dies: tombstones. Then more than a fifth: a new graph.
    index.apply((1..=100).map(Change::Remove).collect()).unwrap();
    index.refresh_graph().unwrap();
    assert!(matches!(index.stats().unwrap().graph, GraphState::Ready { dead: 400..=500, .. }));
    let thinned = recall_at_10(&index, 100);
    assert!(thinned >= MIN_RECALL_AT_10, "thinned: {thinned}");
    index.apply((101..=300).map(Change::Remove).collect()).unwrap();
    index.refresh_graph().unwrap();
    assert!(matches!(index.stats().unwrap().graph, GraphState::Ready { dead: 0, rows: 3300..=3500 }));
    let anew = recall_at_10(&index, 100);
    assert!(anew >= MIN_RECALL_AT_10, "anew: {anew}");
    assert!(index.audit().unwrap().is_clean());
    println!(
        "recall@10: built {built}, reloaded {reloaded}, lagging {lagging}, grown {grown}, thinned {thinned}, anew {anew}"
    );
}

#[test]
fn the_mode_is_chosen_by_size_and_selectivity() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), DIM, 400, 5));
    let opts = OpenOptions { graph_min_rows: 1000, ..OpenOptions::default() };
    let index = Index::open(dir.path(), None, &opts).unwrap();
    let query = Rng(1).clustered(DIM, 20);
    let path = |mode, glob: Option<&str>, k| {
        let mut request = SearchRequest { mode, k, ..SearchRequest::default() };
        request.filter.path_glob = glob.map(str::to_string);
        let response = index.search(&query, &request).unwrap();
        assert_eq!(response.hits.len(), k.min(response.clips_admitted));
        response.path
    };
    assert_eq!(path(SearchMode::Auto, None, 5), SearchPath::Exact, "no graph yet");
    index.refresh_graph().unwrap();
    assert_eq!(path(SearchMode::Auto, None, 5), SearchPath::Graph);
    assert_eq!(path(SearchMode::Exact, None, 5), SearchPath::Exact);
    assert_eq!(path(SearchMode::Auto, Some("*7.wav"), 5), SearchPath::Exact, "few are admitted");
    assert_eq!(path(SearchMode::Graph, Some("1*.wav"), 5), SearchPath::Graph);
    assert_eq!(path(SearchMode::Graph, Some("17*.wav"), 5), SearchPath::Exact, "very few are admitted");
    assert_eq!(path(SearchMode::Graph, None, 300), SearchPath::Exact, "k is most of the index");
}
