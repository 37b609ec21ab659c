//! The bytes of published files: an index of version 1 is committed, and must be read for as long as there is
//! that version.

use std::fs;
use std::path::{Path, PathBuf};

use earmark_index::{
    Change, Failure, Filter, IndexReader, IndexWriter, OpenOptions, SearchMode, SearchRequest, Segment,
    Snapshot, Writer,
};

use crate::common::{identity, meta, unit};

const DIM: usize = 5;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format-1")
}

fn vector(number: usize) -> Vec<f32> {
    unit((0..DIM).map(|i| ((number * 7 + i * 3) % 11) as f32 - 4.5).collect())
}

fn put(number: usize, segments: usize) -> Change {
    let segment = |i: usize| Segment {
        start_s: i as f64 * 5.0,
        end_s: i as f64 * 5.0 + 4.5,
        vector: vector(number * 10 + i),
    };
    let mut meta = meta(&format!("/l\u{e4}rm/{number}.wav"));
    meta.tags = vec!["rain".into(), "n\u{f6}isy".into()];
    meta.content_hash = [number as u8; 32];
    Change::Put { meta, segments: (0..segments).map(segment).collect(), texts: Vec::new() }
}

fn changes() -> [Vec<Change>; 3] {
    let failure = Failure {
        path: "/bad.wav".into(),
        size: 7,
        mtime_ns: -1,
        reason: "no sound in it".into(),
        kind: "empty".into(),
        seen_unix_s: 1_700_000_000,
    };
    [
        vec![put(1, 9), put(2, 0), put(3, 2), Change::Fail(failure)],
        vec![put(4, 1), Change::RemoveAt("/l\u{e4}rm/3.wav".into())],
        vec![Change::AddTags { path: "/l\u{e4}rm/1.wav".into(), tags: vec!["new".into()] }],
    ]
}

/// Not a test: writes the committed index. For a new version, into another folder.
#[test]
#[ignore = "writes the fixture"]
fn write_the_fixture() {
    let dir = tempfile::tempdir().unwrap();
    let index = Writer::create_or_open(dir.path(), &identity(DIM), &OpenOptions::default()).unwrap();
    for batch in changes() {
        index.apply(batch).unwrap();
    }
    let target = fixture().join("published");
    let _ = fs::remove_dir_all(&target);
    fs::create_dir_all(&target).unwrap();
    for entry in fs::read_dir(dir.path().join("published")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), target.join(entry.file_name())).unwrap();
    }
}

#[test]
fn the_committed_index_of_version_1_is_read() {
    let names = fs::read_dir(fixture().join("published")).unwrap().map(|e| e.unwrap().path());
    let mut kinds: Vec<String> =
        names.map(|p| p.extension().unwrap_or_default().display().to_string()).collect();
    kinds.sort();
    assert_eq!(kinds, ["", "dead", "segment", "segment", "segment"]);

    let old = Snapshot::load_published(&fixture()).unwrap();
    let audit = old.audit().unwrap();
    assert!(audit.is_clean(), "{audit:?}");
    assert_eq!(old.header().identity, identity(DIM));
    // All is as an index of today has it.
    let dir = tempfile::tempdir().unwrap();
    let index = Writer::create_or_open(dir.path(), &identity(DIM), &OpenOptions::default()).unwrap();
    for batch in changes() {
        index.apply(batch).unwrap();
    }
    let new = index.snapshot().unwrap();
    let all = Filter::default();
    assert_eq!(old.clips(&all).unwrap(), new.clips(&all).unwrap());
    assert_eq!(old.failures().unwrap(), new.failures().unwrap());
    for clip in old.clips(&all).unwrap() {
        assert_eq!(old.segments(clip.id).unwrap(), new.segments(clip.id).unwrap());
        assert_eq!(old.clip_by_path(&clip.meta.path).unwrap(), Some(clip));
    }
    for number in 0..20 {
        for mode in [SearchMode::Auto, SearchMode::Exact] {
            let request = SearchRequest { mode, collapse: false, ..SearchRequest::default() };
            let query = vector(number);
            assert_eq!(
                old.search(&query, &request).unwrap().hits,
                new.search(&query, &request).unwrap().hits
            );
        }
    }
    assert_eq!(old.stats().unwrap().dead, 2);
}
