//! HNSW graphs: what they find, what happens when a build is cut off, and what a damaged one does.

use std::path::{Path, PathBuf};
use std::process::Command;

use earmark_index::{
    BuildOptions, BuildReport, Change, Error, Filter, GraphBuilder, Hit, IndexEvent, IndexReader,
    IndexWriter, QueryKind, SearchMode, SearchPath, SearchRequest, Snapshot, Writer,
};

use crate::common::{Rng, expect_clean, filled, put, unit};

const DIM: usize = 96;

/// Segments of the index that most tests use.
const SEGMENTS: usize = 6000;

fn options() -> BuildOptions {
    BuildOptions { least_rows: 1000, ..BuildOptions::default() }
}

/// Queries from outside of the cloud of sounds, as texts are.
fn texts(count: u64) -> Vec<Vec<f32>> {
    let text = |seed| {
        let mut rng = Rng(1_000_000 + seed);
        unit((0..DIM).map(|_| (rng.unit() - 0.5).powi(3)).collect())
    };
    (0..count).map(text).collect()
}

fn build(dir: &Path, opts: &BuildOptions) -> BuildReport {
    let snapshot = Snapshot::load_published(dir).unwrap();
    GraphBuilder::open(dir).unwrap().build(&snapshot, &texts(40), opts, &mut |_, _| true).unwrap()
}

fn indexed(dir: &Path) -> Writer {
    let index = filled(dir, DIM, SEGMENTS / 3, 3);
    index.compact().unwrap();
    index
}

fn graph_file(dir: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(dir.join("published")).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| path.extension().is_some_and(|e| e == "graph"))
}

fn find(index: &Snapshot, query: &[f32], kind: QueryKind, mode: SearchMode) -> (Vec<Hit>, SearchPath) {
    let request = SearchRequest { kind, mode, collapse: false, ..SearchRequest::default() };
    let response = index.search(query, &request).unwrap();
    (response.hits, response.path)
}

/// Share of the exact search's hits that the graph finds.
fn recall(index: &Snapshot, queries: &[Vec<f32>], kind: QueryKind) -> f64 {
    let (mut found, mut all) = (0, 0);
    for query in queries {
        let (truth, _) = find(index, query, kind, SearchMode::Exact);
        let (hits, path) = find(index, query, kind, SearchMode::Graph);
        assert_eq!(path, SearchPath::Graph);
        all += truth.len();
        // A hit's score is exact, whatever found it.
        found += truth.iter().filter(|hit| hits.contains(hit)).count();
    }
    found as f64 / all as f64
}

#[test]
fn a_graph_finds_what_texts_and_sounds_ask_for_and_says_how_much() {
    let dir = tempfile::tempdir().unwrap();
    indexed(dir.path());
    assert_eq!(build(dir.path(), &options()).rows, SEGMENTS);
    let index = Snapshot::load_published(dir.path()).unwrap();
    let mut rng = Rng(77);
    let sounds: Vec<Vec<f32>> = (0..60).map(|_| rng.clustered(DIM, 20)).collect();
    // Other texts than the graph was measured with.
    let asked: Vec<Vec<f32>> = texts(100).split_off(40);
    let (text, sound) = (recall(&index, &asked, QueryKind::Text), recall(&index, &sounds, QueryKind::Sound));
    assert!(text >= 0.97 && sound >= 0.97, "texts {text}, sounds {sound}");
    let stats = index.stats().unwrap();
    assert_eq!(stats.graph_rows(), SEGMENTS);
    let figures = &stats.graphs[0].1;
    assert_eq!((figures.text.queries, figures.sound.queries), (40, 100));
    let best = [&figures.text, &figures.sound].map(|kind| kind.best().unwrap().recall);
    assert!(best.iter().all(|recall| *recall >= 0.97), "{best:?}");
    // Measured again, with the same texts, it is the same graph.
    let again = index.audit().unwrap();
    assert!(again.is_clean(), "{again:?}");
    let same = |a: &earmark_index::KindFigures, b: &earmark_index::KindFigures| {
        a.measured.iter().zip(&b.measured).all(|(a, b)| (a.ef, a.recall) == (b.ef, b.recall))
    };
    assert!(same(&again.graphs[0].1.text, &figures.text) && same(&again.graphs[0].1.sound, &figures.sound));
}

#[test]
fn a_graph_gives_only_what_the_filter_lets_through_and_nothing_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let writer = indexed(dir.path());
    build(dir.path(), &options());
    let gone: Vec<u64> = (0..SEGMENTS as u64 / 3).step_by(5).collect();
    let paths = |id: &u64| writer.snapshot().unwrap().clip(*id).unwrap().map(|clip| Change::Remove(clip.id));
    writer.apply(gone.iter().filter_map(paths).collect()).unwrap();
    let index = Snapshot::load_published(dir.path()).unwrap();
    assert_eq!(index.stats().unwrap().graph_rows(), SEGMENTS, "the dead are still in the graph");
    for (number, query) in texts(20).iter().enumerate() {
        for kind in [QueryKind::Text, QueryKind::Sound] {
            let filter = Filter { path_glob: Some("*[13579].wav".into()), ..Filter::default() };
            let request = SearchRequest { kind, mode: SearchMode::Graph, filter, ..SearchRequest::default() };
            let response = index.search(query, &request).unwrap();
            assert_eq!(response.hits.len(), 10, "query {number}");
            for hit in &response.hits {
                assert!(!gone.contains(&hit.clip.id), "{:?} is gone", hit.clip);
                let name = hit.clip.meta.path.trim_end_matches(".wav");
                assert!(name.ends_with(['1', '3', '5', '7', '9']), "{name} does not pass");
            }
        }
    }
}

/// Where the graph finds fewer than there are, all rows are compared.
#[test]
fn no_hit_is_missing_because_a_graph_keeps_too_few_candidates() {
    let dir = tempfile::tempdir().unwrap();
    indexed(dir.path());
    build(dir.path(), &options());
    let index = Snapshot::load_published(dir.path()).unwrap();
    for (k, collapse, filter) in [
        (3000, false, Filter::default()),
        (SEGMENTS, false, Filter::default()),
        (SEGMENTS / 3, true, Filter::default()),
        (40, true, Filter { path_part: Some("/199".into()), ..Filter::default() }),
    ] {
        let request =
            |mode| SearchRequest { k, mode, collapse, filter: filter.clone(), ..SearchRequest::default() };
        let truth = index.search(&texts(1)[0], &request(SearchMode::Exact)).unwrap();
        let found = index.search(&texts(1)[0], &request(SearchMode::Graph)).unwrap();
        assert_eq!(found.hits.len(), truth.hits.len(), "{k}");
    }
}

#[test]
fn what_was_built_before_an_interruption_is_not_built_again() {
    let dir = tempfile::tempdir().unwrap();
    indexed(dir.path());
    let snapshot = Snapshot::load_published(dir.path()).unwrap();
    let builder = GraphBuilder::open(dir.path()).unwrap();
    assert!(matches!(GraphBuilder::open(dir.path()), Err(Error::GraphLocked { .. })));
    let stop_at = |rows| {
        builder.build(&snapshot, &texts(5), &options(), &mut |done, all| {
            assert_eq!(all, SEGMENTS);
            done < rows
        })
    };
    let first = stop_at(1).unwrap();
    assert!(first.is_stopped && first.graphs == 0 && graph_file(dir.path()).is_none(), "{first:?}");
    let second = stop_at(4000).unwrap();
    assert!(second.is_stopped && second.resumed > 0, "{second:?}");
    drop(builder);
    let last = build(dir.path(), &options());
    assert!(!last.is_stopped && last.rows == SEGMENTS && last.resumed > second.resumed, "{last:?}");
    let index = Snapshot::load_published(dir.path()).unwrap();
    assert!(recall(&index, &texts(40), QueryKind::Text) >= 0.97);
    assert_eq!(build(dir.path(), &options()).graphs, 0, "there is nothing left to build");
}

#[test]
fn a_merge_leaves_the_segment_alone_whose_graph_is_unfinished() {
    let dir = tempfile::tempdir().unwrap();
    let writer = indexed(dir.path());
    let snapshot = writer.snapshot().unwrap();
    let first = GraphBuilder::open(dir.path())
        .unwrap()
        .build(&snapshot, &texts(5), &options(), &mut |done, _| done < 4000)
        .unwrap();
    assert!(first.is_stopped);
    // What came since is merged with the next build, as the server and `rebuild --graph` do.
    let mut rng = Rng(70);
    for clip in 0..20 {
        writer.apply(vec![put(&format!("/later/{clip}.wav"), &mut rng, DIM, 3)]).unwrap();
    }
    writer.compact().unwrap();
    let last = build(dir.path(), &options());
    assert!(last.resumed >= 4000 && last.rows == SEGMENTS, "{last:?}");
    expect_clean(&writer);
}

#[test]
fn a_damaged_checkpoint_is_not_gone_on_from() {
    let dir = tempfile::tempdir().unwrap();
    indexed(dir.path());
    let snapshot = Snapshot::load_published(dir.path()).unwrap();
    let work = dir.path().join("graph");
    let files = || {
        let files = std::fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| !path.ends_with("lock")).collect::<Vec<_>>()
    };
    for number in 0..3 {
        let stopped =
            GraphBuilder::open(dir.path())
                .unwrap()
                .build(&snapshot, &[], &options(), &mut |done, _| done < 3000);
        assert!(stopped.unwrap().is_stopped);
        let mut kept = files();
        kept.sort();
        assert_eq!(kept.len(), 3, "{kept:?}");
        let mut bytes = std::fs::read(&kept[number]).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 4;
        std::fs::write(&kept[number], bytes).unwrap();
        assert_eq!(build(dir.path(), &options()).resumed, 0, "{:?}", kept[number]);
        assert!(files().is_empty(), "{:?}", files());
        std::fs::remove_file(graph_file(dir.path()).unwrap()).unwrap();
    }
}

/// Not a test: the process that dies.
#[test]
#[ignore = "run by the test below"]
fn child() {
    let Ok(dir) = std::env::var("EARMARK_GRAPH_DIR") else { return };
    let every_chunk = BuildOptions { checkpoint_every: std::time::Duration::ZERO, ..options() };
    build(Path::new(&dir), &every_chunk);
    println!("built");
}

#[test]
fn a_build_that_dies_at_any_step_leaves_an_index_that_is_right_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let writer = indexed(dir.path());
    let steps = ["checkpoint-files:1", "checkpoint:1", "checkpoint-files:1", "graph-measured:1", "graph:1"];
    for step in steps {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["graph::child", "--exact", "--ignored", "--nocapture"])
            .env("EARMARK_GRAPH_DIR", dir.path())
            .env("EARMARK_DIE_AT", step)
            .output()
            .unwrap();
        assert!(!child.status.success(), "it did not die at {step}");
        let index = Snapshot::load_published(dir.path()).unwrap();
        assert!(index.take_events().is_empty(), "{step}");
        for query in texts(5) {
            let truth = find(&index, &query, QueryKind::Text, SearchMode::Exact).0;
            assert_eq!(
                find(&index, &query, QueryKind::Text, SearchMode::Auto).0.len(),
                truth.len(),
                "{step}"
            );
        }
    }
    assert!(graph_file(dir.path()).is_some(), "the last step comes after the graph");
    build(dir.path(), &options());
    expect_clean(&writer);
}

#[test]
fn a_damaged_graph_costs_time_and_no_hits() {
    let dir = tempfile::tempdir().unwrap();
    indexed(dir.path());
    build(dir.path(), &options());
    let path = graph_file(dir.path()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let query = &texts(1)[0];
    let truth = {
        let index = Snapshot::load_published(dir.path()).unwrap();
        assert!(index.take_events().is_empty());
        find(&index, query, QueryKind::Text, SearchMode::Exact).0
    };
    let mut noticed = 0;
    let mut at = 0;
    while at < whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        let is_padding = whole[at] == 0 && bytes.len() > 200 && at > 128 && at < 192;
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let index = Snapshot::load_published(dir.path()).unwrap();
        for kind in [QueryKind::Text, QueryKind::Sound] {
            let (hits, _) = find(&index, query, kind, SearchMode::Graph);
            assert!(hits.iter().all(|hit| hit.score <= truth[0].score), "byte {at}");
            assert_eq!(hits.len(), truth.len(), "byte {at}");
        }
        let events = index.take_events();
        if events.iter().any(|event| matches!(event, IndexEvent::GraphUnusable { .. })) {
            assert_eq!(find(&index, query, QueryKind::Text, SearchMode::Auto).0, truth, "byte {at}");
            noticed += 1;
        } else if !is_padding {
            // A block of links that these searches did not read.
            assert!(index.audit().unwrap().problems.len() == 1, "byte {at} is nobody's");
        }
        at += 1 + whole.len() / 200;
    }
    assert!(noticed > 20, "{noticed}");
    for length in [0, 7, 127, 200, whole.len() - 1] {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, &whole[..length]).unwrap();
        let index = Snapshot::load_published(dir.path()).unwrap();
        assert_eq!(find(&index, query, QueryKind::Text, SearchMode::Graph).0, truth, "{length} bytes");
        assert_eq!(index.take_events().len(), 1, "{length} bytes");
    }
}

/// A graph goes with its segment, and what is not in a graph is found all the same.
#[test]
fn new_segments_are_found_beside_a_graph_and_a_merge_removes_it() {
    let dir = tempfile::tempdir().unwrap();
    let writer = indexed(dir.path());
    build(dir.path(), &options());
    let path = graph_file(dir.path()).unwrap();
    let mut rng = Rng(123);
    for i in 0..30 {
        writer.apply(vec![put(&format!("/new-{i}.wav"), &mut rng, DIM, 2)]).unwrap();
    }
    assert!(path.exists(), "a commit must not remove the graph");
    let index = Snapshot::load_published(dir.path()).unwrap();
    for i in 0..30 {
        let clip = index.clip_by_path(&format!("/new-{i}.wav")).unwrap().unwrap();
        let vector = &index.segments(clip.id).unwrap()[0].vector;
        let (hits, path) = find(&index, vector, QueryKind::Sound, SearchMode::Graph);
        assert_eq!((hits[0].clip.id, path), (clip.id, SearchPath::Graph));
    }
    // Sixty rows are no reason to build the graph of 6000 again; four thousand are.
    writer.compact().unwrap();
    assert!(path.exists());
    assert_eq!(Snapshot::load_published(dir.path()).unwrap().rows_without_graph(), 60);
    writer.apply((0..80).map(|i| put(&format!("/more-{i}.wav"), &mut rng, DIM, 50)).collect()).unwrap();
    writer.compact().unwrap();
    assert!(graph_file(dir.path()).is_none(), "the graph of a segment that is no more is left");
    assert_eq!(build(dir.path(), &options()).rows, SEGMENTS + 60 + 4000);
    expect_clean(&writer);
}

#[test]
fn texts_of_another_length_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    indexed(dir.path());
    let snapshot = Snapshot::load_published(dir.path()).unwrap();
    let builder = GraphBuilder::open(dir.path()).unwrap();
    let refused = builder.build(&snapshot, &[vec![1.0; 3]], &options(), &mut |_, _| true);
    assert!(matches!(refused, Err(Error::DimMismatch { .. })), "{refused:?}");
    drop(builder);
    let small = BuildOptions { least_rows: SEGMENTS + 1, ..options() };
    assert_eq!(build(dir.path(), &small).graphs, 0, "so few need none");
}

/// Checksums are no signature: links may lead out of the segment all the same.
#[test]
fn a_graph_that_leads_to_rows_that_are_not_there_is_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    indexed(dir.path());
    build(dir.path(), &options());
    let path = graph_file(dir.path()).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // The cover is the second part; lengths are at 56, checksums at 96, that of the header at 128.
    let u64_at = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let from = (136_usize.next_multiple_of(64) + u64_at(&bytes, 56)).next_multiple_of(64);
    let cover = from..from + u64_at(&bytes, 64);
    bytes[cover.clone()].fill(0xf0);
    for (at, sum) in [(104, cover), (128, 0..128)] {
        let sum = xxhash_rust::xxh3::xxh3_64(&bytes[sum]);
        bytes[at..at + 8].copy_from_slice(&sum.to_le_bytes());
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let index = Snapshot::load_published(dir.path()).unwrap();
    let query = &texts(1)[0];
    let (truth, _) = find(&index, query, QueryKind::Text, SearchMode::Exact);
    assert_eq!(find(&index, query, QueryKind::Text, SearchMode::Graph).0, truth);
    assert!(index.take_events().iter().any(|event| matches!(event, IndexEvent::GraphUnusable { .. })));
    assert!(!index.audit().unwrap().is_clean());
}
