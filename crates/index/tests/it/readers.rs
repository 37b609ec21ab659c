//! Readers beside a writer, beside each other, and where nothing can be written.

use std::collections::HashSet;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use earmark_index::{
    Change, Error, Filter, IndexReader, IndexWriter, LiveIndex, OpenOptions, SearchMode, SearchRequest,
    Snapshot, Writer,
};

use crate::common::{Rng, expect_clean, filled, identity, put, search, search_at};

const DIM: usize = 32;

fn impatient() -> OpenOptions {
    OpenOptions { lock_wait: Duration::ZERO, ..OpenOptions::default() }
}

#[test]
fn readers_see_every_commit_while_the_writer_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path(), DIM, 20, 3);
    let query = Rng(1).clustered(DIM, 20);
    let before = Snapshot::open(dir.path(), Some(&identity(DIM)), &impatient()).unwrap();
    assert_eq!(search_at(dir.path(), &query, SearchMode::Auto), search(&index, &query, SearchMode::Exact));
    index.apply((1..=10).map(Change::Remove).collect()).unwrap();
    let after = Snapshot::open(dir.path(), None, &impatient()).unwrap();
    assert_eq!(before.stats().unwrap().clips, 20);
    assert_eq!(after.stats().unwrap().clips, 10);
    assert!(matches!(
        Writer::open(dir.path(), None, &impatient()),
        Err(Error::Locked { holder: Some(_), .. })
    ));
}

/// What `published/map.rs` relies on: files that are replaced or deleted stay whole for those who have them
/// open.
#[test]
fn a_reader_keeps_what_it_opened() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path(), DIM, 50, 4);
    let old = Snapshot::open(dir.path(), None, &impatient()).unwrap();
    let query = Rng(4).clustered(DIM, 20);
    let truth = old.search(&query, &SearchRequest::default()).unwrap().hits;
    // Not one of the files that it has open is left.
    let names = |dir: &std::path::Path| -> HashSet<_> {
        fs::read_dir(dir.join("published")).unwrap().map(|e| e.unwrap().file_name()).collect()
    };
    let opened = names(dir.path());
    index.rebuild().unwrap();
    index.apply((1..=40).map(Change::Remove).collect()).unwrap();
    let left: Vec<_> = names(dir.path()).intersection(&opened).cloned().collect();
    assert_eq!(left, ["list"]);
    assert_eq!(old.search(&query, &SearchRequest::default()).unwrap().hits, truth);
    let audit = old.audit().unwrap();
    assert!(audit.is_clean() && audit.clips == 50, "{audit:?}");
}

#[test]
fn a_live_index_keeps_up_with_other_writers_and_lets_them_write() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), DIM, 5, 2));
    let patient = OpenOptions { lock_wait: Duration::from_secs(20), ..OpenOptions::default() };
    let live = LiveIndex::open(dir.path(), None, &patient).unwrap();
    let clips = || live.reader().stats().unwrap().clips;
    assert_eq!(clips(), 5);
    // Somebody else writes.
    let other = Writer::open(dir.path(), None, &patient).unwrap();
    other.apply(vec![put("/other.wav", &mut Rng(1), DIM, 2)]).unwrap();
    let start = Instant::now();
    while clips() < 6 {
        assert!(start.elapsed() < Duration::from_secs(2), "it is not seen");
        thread::sleep(Duration::from_millis(20));
    }
    drop(other);
    // It writes itself, and sees that at once.
    live.write().unwrap().apply(vec![put("/own.wav", &mut Rng(2), DIM, 2)]).unwrap();
    assert_eq!(clips(), 7);
    // And the next one can.
    let other = Writer::open(dir.path(), None, &patient).unwrap();
    other.apply(vec![Change::RemoveAt("/own.wav".into())]).unwrap();
    expect_clean(&other);
}

/// Each answer is a state that was committed: clips come in pairs, and all pairs before a pair are there.
#[test]
fn many_readers_beside_a_writer_see_only_committed_states() {
    const COMMITS: usize = 150;
    let dir = tempfile::tempdir().unwrap();
    let index = Writer::create_or_open(dir.path(), &identity(DIM), &OpenOptions::default()).unwrap();
    let (done, opened) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for seed in 0..6 {
            let (dir, done, opened) = (dir.path(), &done, &opened);
            scope.spawn(move || {
                let mut rng = Rng(seed);
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let snapshot = Snapshot::open(dir, None, &impatient()).unwrap();
                    let paths: HashSet<String> = snapshot
                        .clips(&Filter::default())
                        .unwrap()
                        .into_iter()
                        .map(|c| c.meta.path)
                        .collect();
                    let commits = paths.len() / 2;
                    for i in 0..commits {
                        assert!(
                            paths.contains(&format!("/{i}-a.wav")) && paths.contains(&format!("/{i}-b.wav"))
                        );
                    }
                    assert!(commits >= last, "it went back");
                    last = commits;
                    let request = SearchRequest { k: 500, ..SearchRequest::default() };
                    let hits = snapshot.search(&rng.clustered(DIM, 20), &request).unwrap().hits;
                    assert_eq!(hits.len(), paths.len());
                    opened.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut rng = Rng(77);
        for i in 0..COMMITS {
            let pair = ["a", "b"].map(|side| put(&format!("/{i}-{side}.wav"), &mut rng, DIM, 5));
            index.apply(pair.to_vec()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    println!("{} snapshots", opened.load(Ordering::Relaxed));
    expect_clean(&index);
}

#[test]
fn a_store_that_was_never_published_is_published_when_it_is_first_read() {
    let dir = tempfile::tempdir().unwrap();
    let query = Rng(1).clustered(DIM, 20);
    let index = filled(dir.path(), DIM, 30, 3);
    let truth = search(&index, &query, SearchMode::Exact);
    drop(index);
    fs::remove_dir_all(dir.path().join("published")).unwrap();
    assert_eq!(search_at(dir.path(), &query, SearchMode::Auto), truth);
    assert!(dir.path().join("published/list").exists());
}

/// A writer that was killed between the store's commit and the published one, and one whose disk was full.
#[test]
fn what_was_not_published_is_published_by_the_next_writer() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path(), DIM, 30, 3);
    let list = dir.path().join("published/list");
    let aside = tempfile::tempdir().unwrap();
    copy_files(&dir.path().join("published"), aside.path());
    let mut rng = Rng(8);
    index
        .apply(vec![put("/new.wav", &mut rng, DIM, 2), Change::Remove(3), put("/4.wav", &mut rng, DIM, 1)])
        .unwrap();
    drop(index);
    // As if it had not come to that.
    fs::remove_dir_all(dir.path().join("published")).unwrap();
    copy_files(aside.path(), &dir.path().join("published"));
    let before = Snapshot::open(dir.path(), None, &impatient()).unwrap();
    assert_eq!(before.stats().unwrap().clips, 30);
    let names = fs::read_dir(list.parent().unwrap()).unwrap().count();
    let index = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
    assert_eq!(index.take_events(), [], "it went on from what was published");
    assert_eq!(index.snapshot().unwrap().stats().unwrap().clips, 30);
    assert!(index.snapshot().unwrap().clip_by_path("/new.wav").unwrap().is_some());
    assert!(fs::read_dir(list.parent().unwrap()).unwrap().count() > names, "all was written anew");
    expect_clean(&index);
}

fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
