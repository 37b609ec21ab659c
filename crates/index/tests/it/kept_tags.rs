//! Tags of removed clips come back with their sound.

use earmark_index::{Change, IndexReader, IndexWriter, OpenOptions, Writer};

use crate::common::{Rng, expect_clean, identity, meta, segment};

const DIM: usize = 4;

fn open(dir: &std::path::Path) -> Writer {
    Writer::create_or_open(dir, &identity(DIM), &OpenOptions::default()).unwrap()
}

fn put(path: &str, content: u8, tags: &[&str]) -> Change {
    let mut meta = meta(path);
    meta.content_hash = [content; 32];
    meta.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Change::Put { meta, segments: vec![segment(DIM, usize::from(content))], texts: Vec::new() }
}

fn remove(path: &str) -> Change {
    Change::RemoveAt(path.to_owned())
}

fn tags(index: &Writer, path: &str) -> Vec<String> {
    index.snapshot().unwrap().clip_by_path(path).unwrap().unwrap().meta.tags
}

#[test]
fn a_sound_that_is_found_again_has_its_tags_again_once() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    index.apply(vec![put("/a.wav", 1, &["wet", "mine"]), put("/b.wav", 2, &[])]).unwrap();
    index.apply(vec![remove("/a.wav"), remove("/b.wav")]).unwrap();
    expect_clean(&index);
    // In another run, under another name.
    drop(index);
    let index = open(dir.path());
    index.apply(vec![put("/new/a.wav", 1, &["found", "wet"]), put("/b.wav", 2, &["dry"])]).unwrap();
    assert_eq!(tags(&index, "/new/a.wav"), ["wet", "mine", "found"]);
    assert_eq!(tags(&index, "/b.wav"), ["dry"]);
    // They were given back; another copy is another clip.
    index.apply(vec![put("/copy.wav", 1, &[])]).unwrap();
    assert!(tags(&index, "/copy.wav").is_empty());
    expect_clean(&index);
}

#[test]
fn copies_get_their_own_tags_back_and_a_moved_one_those_of_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    index.apply(vec![put("/a.wav", 1, &["a"]), put("/b.wav", 1, &["b"]), put("/c.wav", 1, &["c"])]).unwrap();
    // All in one batch: removed, and one of them there again.
    let batch = vec![remove("/b.wav"), remove("/a.wav"), remove("/c.wav"), put("/a.wav", 1, &[])];
    index.apply(batch).unwrap();
    assert_eq!(tags(&index, "/a.wav"), ["a"]);
    expect_clean(&index);
    index.apply(vec![put("/elsewhere.wav", 1, &[]), put("/b.wav", 1, &[])]).unwrap();
    assert_eq!(tags(&index, "/elsewhere.wav"), ["c"]);
    assert_eq!(tags(&index, "/b.wav"), ["b"]);
    expect_clean(&index);
}

#[test]
fn a_clip_that_is_overwritten_by_a_move_leaves_its_tags_to_its_sound() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    let ids = index.apply(vec![put("/a.wav", 1, &["a"]), put("/b.wav", 2, &["b"])]).unwrap();
    let mut moved = meta("/b.wav");
    moved.content_hash = [1; 32];
    index.apply(vec![Change::Move { id: ids[0], meta: moved }]).unwrap();
    assert_eq!(tags(&index, "/b.wav"), ["a"]);
    index.apply(vec![put("/c.wav", 2, &[])]).unwrap();
    assert_eq!(tags(&index, "/c.wav"), ["b"]);
    expect_clean(&index);
}

#[test]
fn kept_tags_survive_a_store_that_is_written_anew_and_agree_after_anything() {
    let dir = tempfile::tempdir().unwrap();
    let mut index = open(dir.path());
    index.apply(vec![put("/first.wav", 200, &["first"]), remove("/first.wav")]).unwrap();
    let mut rng = Rng(5);
    for round in 0..60 {
        let mut changes = Vec::new();
        for _ in 0..1 + rng.next() % 6 {
            let path = format!("/{}.wav", rng.next() % 8);
            changes.push(match rng.next() % 3 {
                0 => remove(&path),
                _ => put(&path, (rng.next() % 4) as u8, &[&path]),
            });
        }
        index.apply(changes).unwrap();
        if round % 10 == 9 {
            expect_clean(&index);
            index.tidy().unwrap();
            index = open(dir.path());
        }
    }
    index.apply(vec![put("/again.wav", 200, &[])]).unwrap();
    assert_eq!(tags(&index, "/again.wav"), ["first"]);
    expect_clean(&index);
}
