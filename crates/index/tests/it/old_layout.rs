//! Indexes from before there were spaces: `tests/old-layout` was written by the earmark of that time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use earmark_index::{Collection, Error, Filter, IndexReader, OpenOptions, Snapshot, Writer};

use crate::disk::Mount;

/// The length of sled's file, whose trailing zeros the fixture has not got.
const DB_BYTES: u64 = 524_287;

/// The name of the fixture's space.
const NAME: &str = "mini-94591703";

/// What is moved, the store last.
const MOVED: [&str; 2] = ["last-commit", "store"];

/// What earlier versions derived from the store, which is deleted.
const DELETED: [&str; 3] = ["graph-0123.hnsw.data", "graph.manifest", "vectors.flat"];

fn options() -> OpenOptions {
    OpenOptions { lock_wait: Duration::from_secs(20), ..OpenOptions::default() }
}

/// Writes the old index into `dir`, with a file for each derived one that it may have and one that is not
/// earmark's.
fn old_index(dir: &Path) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old-layout");
    fs::create_dir_all(dir.join("store")).unwrap();
    for name in ["last-commit", "store/conf", "store/db"] {
        fs::write(dir.join(name), fs::read(fixture.join(name)).unwrap()).unwrap();
    }
    fs::File::options().write(true).open(dir.join("store/db")).unwrap().set_len(DB_BYTES).unwrap();
    for name in DELETED.iter().chain(&["notes.txt"]) {
        fs::write(dir.join(name), name).unwrap();
    }
}

/// Opens `dir`, and expects to find there all that the old index held.
fn expect_everything(dir: &Path) -> PathBuf {
    let collection = Collection::open(dir, &options()).unwrap();
    let space = collection.current().unwrap();
    assert_eq!(space.name, NAME);
    assert_eq!(collection.spaces().unwrap().len(), 1);
    let index = Snapshot::open(&space.path, None, &options()).unwrap();
    let clips = index.clips(&Filter::default()).unwrap();
    let paths: Vec<&str> = clips.iter().map(|clip| clip.meta.path.as_str()).collect();
    assert_eq!(paths, ["/library/church-bell.flac", "/library/siren-wail.mp3"]);
    for clip in &clips {
        assert_eq!(clip.meta.tags, ["old"]);
        assert_eq!(index.segments(clip.id).unwrap()[0].vector.len(), 521);
    }
    assert!(index.audit().unwrap().is_clean());
    crate::common::expect_clean(&Writer::open(&space.path, None, &options()).unwrap());
    let lost =
        index.take_events().into_iter().any(|e| matches!(e, earmark_index::IndexEvent::BatchesLost { .. }));
    assert!(!lost, "the last commit is not the one that was noted");
    space.path
}

/// Expects that nothing is left of the old layout, and only that.
fn expect_moved(dir: &Path) {
    let space = expect_everything(dir);
    let mut left: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    left.retain(|name| name != "current");
    assert_eq!(left, ["lock", "notes.txt", "spaces"]);
    assert_eq!(fs::read_dir(dir.join("spaces")).unwrap().count(), 1);
    assert!(space.join("last-commit").exists());
    let derived = fs::read_dir(&space).unwrap().map(|e| e.unwrap().file_name());
    assert!(derived.into_iter().all(|name| !DELETED.contains(&name.to_str().unwrap())));
}

#[test]
fn an_old_index_becomes_a_space() {
    let dir = tempfile::tempdir().unwrap();
    old_index(dir.path());
    expect_moved(dir.path());
    assert_eq!(fs::read_to_string(dir.path().join("current")).unwrap().trim(), NAME);
    expect_moved(dir.path());
}

/// Each step of the move, and a crash right after it.
#[test]
fn a_crash_at_any_step_of_the_move_is_picked_up() {
    for steps in 0..=MOVED.len() + 1 {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        old_index(dir);
        let incoming = dir.join("spaces/.incoming");
        fs::create_dir_all(&incoming).unwrap();
        fs::write(dir.join("lock"), "").unwrap();
        for name in MOVED.iter().take(steps) {
            fs::rename(dir.join(name), incoming.join(name)).unwrap();
        }
        if steps > 0 {
            DELETED.iter().for_each(|name| fs::remove_file(dir.join(name)).unwrap());
        }
        if steps > MOVED.len() {
            fs::rename(&incoming, dir.join("spaces").join(NAME)).unwrap();
        }
        expect_moved(dir);
    }
}

#[test]
fn an_old_index_in_use_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    old_index(dir.path());
    // As an earmark of that time does.
    let used = sled::open(dir.path().join("store")).unwrap();
    let impatient = OpenOptions { lock_wait: Duration::ZERO, ..options() };
    assert!(matches!(Collection::open(dir.path(), &impatient), Err(Error::Locked { .. })));
    assert!(dir.path().join("store/db").exists() && dir.path().join("last-commit").exists());
    drop(used);
    expect_moved(dir.path());
}

#[test]
fn an_old_index_beside_a_space_of_its_model_is_not_mixed_with_it() {
    let dir = tempfile::tempdir().unwrap();
    old_index(dir.path());
    expect_moved(dir.path());
    old_index(dir.path());
    let error = Collection::open(dir.path(), &options()).unwrap_err();
    assert!(matches!(error, Error::TwoStores { .. }), "{error}");
    assert!(dir.path().join("store/db").exists());
    fs::remove_dir_all(dir.path().join("spaces")).unwrap();
    expect_moved(dir.path());
}

#[test]
fn an_old_index_beside_another_models_space_joins_it_and_takes_nothing_over() {
    let dir = tempfile::tempdir().unwrap();
    let collection = Collection::open_or_new(dir.path(), &options()).unwrap();
    let other = collection.make(&crate::common::identity(4)).unwrap();
    old_index(dir.path());
    let collection = Collection::open(dir.path(), &options()).unwrap();
    assert_eq!(collection.current().unwrap(), other);
    collection.switch(&collection.find("mini").unwrap()).unwrap();
    collection.drop_space(&other).unwrap();
    expect_moved(dir.path());
}

#[test]
fn an_old_index_whose_maker_was_killed_at_once_is_none() {
    let dir = tempfile::tempdir().unwrap();
    // What sled writes before there is a header.
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old-layout/store/conf");
    fs::create_dir(dir.path().join("store")).unwrap();
    fs::copy(fixture, dir.path().join("store/conf")).unwrap();
    fs::write(dir.path().join("store/db"), "").unwrap();
    assert!(matches!(Collection::open(dir.path(), &options()), Err(Error::NotFound { .. })));
    assert!(!dir.path().join("store").exists());
}

#[test]
fn an_old_index_whose_store_is_damaged_is_left_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    old_index(dir.path());
    let db = dir.path().join("store/db");
    let mut bytes = fs::read(&db).unwrap();
    bytes[20] ^= 0xff;
    fs::write(&db, bytes).unwrap();
    for _ in 0..2 {
        assert!(matches!(Collection::open(dir.path(), &options()), Err(Error::Corrupt { .. })));
        assert!(db.exists(), "the store is deleted");
    }
}

#[test]
fn an_index_whose_store_is_gone_is_told_from_one_that_never_was() {
    let dir = tempfile::tempdir().unwrap();
    old_index(dir.path());
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    assert!(matches!(Collection::open(dir.path(), &options()), Err(Error::Corrupt { .. })));
    let incoming = dir.path().join("spaces/.incoming");
    fs::create_dir_all(&incoming).unwrap();
    fs::rename(dir.path().join("last-commit"), incoming.join("last-commit")).unwrap();
    assert!(matches!(Collection::open(dir.path(), &options()), Err(Error::Corrupt { .. })));
}

#[test]
fn on_a_read_only_disk_an_old_index_says_what_to_do() {
    for half_moved in [false, true] {
        let Some(disk) = Mount::new("size=20m") else { return };
        old_index(disk.path());
        if half_moved {
            let incoming = disk.path().join("spaces/.incoming");
            fs::create_dir_all(&incoming).unwrap();
            for name in MOVED {
                fs::rename(disk.path().join(name), incoming.join(name)).unwrap();
            }
            DELETED.iter().for_each(|name| fs::remove_file(disk.path().join(name)).unwrap());
        }
        disk.remount("ro");
        let error = Collection::open(disk.path(), &options()).unwrap_err();
        assert!(matches!(error, Error::Unpublished { .. }), "{error}");
        disk.remount("rw");
        expect_moved(disk.path());
    }
}
