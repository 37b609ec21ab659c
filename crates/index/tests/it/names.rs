//! Names, tags and metadata of clips: found as they are in the store, at every moment of an index's life.

use std::fs;
use std::path::Path;

use earmark_index::{
    Change, ClipText, Filter, IndexReader, IndexWriter, NameField, NameQuery, OpenOptions, Snapshot, Writer,
};

use crate::common::{filled, identity, meta, segment};
use crate::disk::Mount;

const DIM: usize = 4;

fn put(path: &str, tags: &[&str], texts: &[(&str, &str)]) -> Change {
    let mut meta = meta(path);
    meta.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    let text = |(name, text): &(&str, &str)| ClipText { name: (*name).to_owned(), text: (*text).to_owned() };
    Change::Put { meta, segments: vec![segment(DIM, 0)], texts: texts.iter().map(text).collect() }
}

fn open(dir: &Path) -> Snapshot {
    Snapshot::open(dir, None, &OpenOptions::default()).unwrap()
}

/// The paths that a query finds, the best first.
fn found(index: &Snapshot, query: &str) -> Vec<String> {
    let found = index.named(&NameQuery::parse(query), &Filter::default(), 100).unwrap();
    found.matches.iter().map(|one| index.clip(one.clip).unwrap().unwrap().meta.path).collect()
}

fn library(dir: &Path) -> Writer {
    let index = Writer::create_or_open(dir, &identity(DIM), &OpenOptions::default()).unwrap();
    index
        .apply(vec![
            put("/lib/drums/BD_Kick01.wav", &[], &[]),
            put("/lib/drums/kickRoll.wav", &["loud"], &[]),
            put("/lib/sfx/doorSlam2.wav", &[], &[("description", "a heavy wooden door is shut")]),
            put("/lib/sfx/car_door.wav", &["vehicle"], &[]),
            put("/lib/animals/dog-barking.wav", &[], &[("keywords", "Hund; chien")]),
            put("/lib/animals/barks.wav", &[], &[]),
        ])
        .unwrap();
    index
}

#[test]
fn words_are_found_in_names_tags_folders_and_metadata() {
    let dir = tempfile::tempdir().unwrap();
    drop(library(dir.path()));
    let index = open(dir.path());
    assert_eq!(found(&index, "kick"), ["/lib/drums/BD_Kick01.wav", "/lib/drums/kickRoll.wav"]);
    assert_eq!(found(&index, "dog barks")[0], "/lib/animals/dog-barking.wav");
    assert_eq!(found(&index, "barking"), ["/lib/animals/dog-barking.wav", "/lib/animals/barks.wav"]);
    assert_eq!(found(&index, "vehicle"), ["/lib/sfx/car_door.wav"]);
    assert_eq!(found(&index, "wooden door")[0], "/lib/sfx/doorSlam2.wav");
    assert_eq!(found(&index, "chien"), ["/lib/animals/dog-barking.wav"]);
    assert_eq!(found(&index, "drums"), ["/lib/drums/BD_Kick01.wav", "/lib/drums/kickRoll.wav"]);
    assert_eq!(found(&index, "doorslam"), ["/lib/sfx/doorSlam2.wav"]);
    assert_eq!(found(&index, "veh"), ["/lib/sfx/car_door.wav"], "the beginning of a word");
    assert!(found(&index, "violin").is_empty() && found(&index, "").is_empty());
    let texts = index.texts(&[3]).unwrap().remove(0);
    assert_eq!(texts, [ClipText { name: "description".into(), text: "a heavy wooden door is shut".into() }]);
}

#[test]
fn phrases_are_kept_together_and_words_left_out() {
    let dir = tempfile::tempdir().unwrap();
    drop(library(dir.path()));
    let index = open(dir.path());
    assert_eq!(found(&index, "\"car door\""), ["/lib/sfx/car_door.wav"]);
    assert_eq!(found(&index, "\"door car\""), Vec::<String>::new());
    assert_eq!(found(&index, "door -car"), ["/lib/sfx/doorSlam2.wav"]);
    assert_eq!(found(&index, "door -\"heavy wooden\""), ["/lib/sfx/car_door.wav"]);
    let query = NameQuery::parse("anything -car");
    let ruled = index.named(&query, &Filter::default(), 10).unwrap();
    assert!(ruled.admits(3) && !ruled.admits(4), "what no word was found of is left out too");
}

#[test]
fn a_match_says_which_words_stand_where() {
    let dir = tempfile::tempdir().unwrap();
    drop(library(dir.path()));
    let query = NameQuery::parse("wooden door slam");
    let found = open(dir.path()).named(&query, &Filter::default(), 10).unwrap();
    let fields: Vec<(usize, NameField)> = found.matches[0].words.iter().map(|w| (w.word, w.field)).collect();
    assert_eq!(fields, [(0, NameField::Metadata), (1, NameField::Name), (2, NameField::Name)]);
    assert!(found.matches[0].coverage > 0.9 && found.matches[1].coverage < 0.5, "{found:?}");
}

#[test]
fn names_follow_every_change() {
    let dir = tempfile::tempdir().unwrap();
    let index = library(dir.path());
    let moved = Change::Move { id: 1, meta: meta("/lib/drums/snare.wav") };
    index.apply(vec![moved, Change::Remove(2)]).unwrap();
    index.apply(vec![Change::SetTags { id: 3, tags: vec!["oak".into()] }]).unwrap();
    drop(index);
    let after = open(dir.path());
    assert!(found(&after, "kick").is_empty());
    assert_eq!(found(&after, "snare"), ["/lib/drums/snare.wav"]);
    assert_eq!(found(&after, "oak"), ["/lib/sfx/doorSlam2.wav"]);
    assert_eq!(found(&after, "heavy"), ["/lib/sfx/doorSlam2.wav"], "tags leave the metadata as it is");
}

#[test]
fn an_index_without_a_text_side_gets_one() {
    let dir = tempfile::tempdir().unwrap();
    drop(library(dir.path()));
    fs::remove_dir_all(dir.path().join("names")).unwrap();
    assert_eq!(found(&open(dir.path()), "heavy"), ["/lib/sfx/doorSlam2.wav"]);
    assert!(dir.path().join("names/meta.json").exists(), "it is kept");
}

#[test]
fn a_damaged_text_side_is_made_again() {
    for name in ["meta.json", ".managed.json"] {
        let dir = tempfile::tempdir().unwrap();
        drop(library(dir.path()));
        fs::write(dir.path().join("names").join(name), b"not json").unwrap();
        assert_eq!(found(&open(dir.path()), "oak heavy"), ["/lib/sfx/doorSlam2.wav"], "{name}");
    }
    let dir = tempfile::tempdir().unwrap();
    drop(library(dir.path()));
    for entry in fs::read_dir(dir.path().join("names")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension != "json") {
            fs::write(&path, b"").unwrap();
        }
    }
    assert_eq!(found(&open(dir.path()), "heavy"), ["/lib/sfx/doorSlam2.wav"]);
}

#[test]
fn an_audit_finds_a_flipped_bit_and_a_rebuild_mends_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(library(dir.path()));
    let files = fs::read_dir(dir.path().join("names")).unwrap().map(|entry| entry.unwrap().path());
    let file = files.into_iter().find(|path| path.extension().is_some_and(|e| e == "term")).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[3] ^= 1;
    fs::write(&file, bytes).unwrap();
    let index = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
    let problems = index.audit().unwrap().problems;
    assert!(problems.iter().any(|problem| problem.contains("names/")), "{problems:?}");
    index.rebuild().unwrap();
    assert!(index.audit().unwrap().is_clean());
}

#[test]
fn a_rebuild_forgets_what_was_not_committed_yet() {
    let dir = tempfile::tempdir().unwrap();
    let index = library(dir.path());
    index.apply(vec![Change::Remove(1)]).unwrap();
    index.rebuild().unwrap();
    assert!(index.audit().unwrap().is_clean());
    drop(index);
    assert_eq!(found(&open(dir.path()), "kick"), ["/lib/drums/kickRoll.wav"]);
}

#[test]
fn one_of_an_earlier_state_is_brought_up_to_date_by_the_next_writer() {
    let dir = tempfile::tempdir().unwrap();
    drop(library(dir.path()));
    let kept = tempfile::tempdir().unwrap();
    let (now, then) = (dir.path().join("names"), kept.path().join("names"));
    fs::rename(&now, &then).unwrap();
    let index = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
    index.apply(vec![put("/lib/new/violin.wav", &[], &[])]).unwrap();
    drop(index);
    fs::remove_dir_all(&now).unwrap();
    fs::rename(&then, &now).unwrap();
    drop(Writer::open(dir.path(), None, &OpenOptions::default()).unwrap());
    assert_eq!(found(&open(dir.path()), "violin"), ["/lib/new/violin.wav"]);
}

#[test]
fn names_are_searched_on_a_read_only_disk_with_and_without_a_text_side() {
    let Some(mount) = Mount::new("size=64m") else { return };
    drop(library(mount.path()));
    mount.remount("ro");
    assert_eq!(found(&open(mount.path()), "heavy"), ["/lib/sfx/doorSlam2.wav"]);
    mount.remount("rw");
    fs::remove_dir_all(mount.path().join("names")).unwrap();
    mount.remount("ro");
    let index = open(mount.path());
    assert_eq!(found(&index, "slam"), ["/lib/sfx/doorSlam2.wav"]);
    assert!(found(&index, "heavy").is_empty(), "metadata is not in the published files");
}

#[test]
fn a_reader_beside_a_writer_sees_what_was_there_and_soon_what_is() {
    let dir = tempfile::tempdir().unwrap();
    let index = library(dir.path());
    // Nothing is committed of the text side yet, or only that it is empty.
    assert!(found(&open(dir.path()), "kick").len() <= 2);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    index.apply(vec![put("/lib/new/violin.wav", &[], &[])]).unwrap();
    assert_eq!(found(&open(dir.path()), "violin"), ["/lib/new/violin.wav"]);
    assert_eq!(found(&open(dir.path()), "kick").len(), 2);
}

#[test]
fn best_stretches_and_the_spread_of_scores_are_those_of_the_vectors() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path(), 16, 50, 3);
    let snapshot = index.snapshot().unwrap();
    let query = snapshot.segments(7).unwrap()[1].vector.clone();
    let best = snapshot.best_of(&query, &[7, 9999, 8]).unwrap();
    assert_eq!(best.len(), 2);
    assert_eq!((best[0].clip.id, best[0].segment), (7, 1));
    assert!((best[0].score - 1.0).abs() < 1e-5);
    let spread = snapshot.spread(&query).unwrap();
    let mut scores = Vec::new();
    snapshot
        .for_each_segment(&Filter::default(), &mut |segment| {
            scores.push(segment.vector.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>());
            true
        })
        .unwrap();
    let mean = scores.iter().sum::<f32>() / scores.len() as f32;
    assert_eq!(spread.sampled, 150);
    assert!((spread.mean - mean).abs() < 1e-5 && spread.deviation > 0.0, "{spread:?}, mean {mean}");
}
