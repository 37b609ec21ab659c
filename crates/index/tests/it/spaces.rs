//! Several models side by side.

use std::fs;
use std::thread;
use std::time::Duration;

use earmark_index::{
    Collection, Error, Identity, IndexReader, IndexWriter, OpenOptions, Snapshot, Space, Writer,
};

use crate::common::{Rng, identity, put};

const DIM: usize = 8;

fn options() -> OpenOptions {
    // Long enough for sled's threads to let go of a store that was just closed.
    OpenOptions { lock_wait: Duration::from_secs(20), ..OpenOptions::default() }
}

fn of_model(model_id: &str, manifest: &str) -> Identity {
    Identity { model_id: model_id.into(), manifest_hash: manifest.into(), ..identity(DIM) }
}

/// Makes a space with `clips` clips in it.
fn filled(collection: &Collection, identity: &Identity, clips: usize) -> Space {
    let space = collection.make(identity).unwrap();
    let index = Writer::open(&space.path, Some(identity), &options()).unwrap();
    let mut rng = Rng(1);
    index.apply((0..clips).map(|i| put(&format!("/{i}.wav"), &mut rng, DIM, 2)).collect()).unwrap();
    space
}

fn clips(space: &Space) -> usize {
    Snapshot::open(&space.path, None, &options()).unwrap().stats().unwrap().clips
}

fn names(collection: &Collection) -> Vec<String> {
    collection.spaces().unwrap().into_iter().map(|space| space.name).collect()
}

#[test]
fn the_first_space_is_current_and_others_stand_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("db");
    assert!(matches!(Collection::open(&dir, &options()), Err(Error::NotFound { .. })));
    let collection = Collection::open_or_new(&dir, &options()).unwrap();
    assert!(!dir.exists(), "nothing is made before there is something to keep");

    let (one, two) = (of_model("one", "a"), of_model("two", "a"));
    let first = filled(&collection, &one, 3);
    let second = filled(&collection, &two, 5);
    assert_eq!(collection.make(&one).unwrap(), first, "a space is made once");
    let collection = Collection::open(&dir, &options()).unwrap();
    assert_eq!(collection.current().unwrap(), first);
    assert_eq!((clips(&first), clips(&second)), (3, 5));
    assert_eq!(collection.space_of(&two).unwrap(), Some(second.clone()));

    collection.switch(&second).unwrap();
    assert_eq!(collection.current().unwrap(), second);
    let refused = collection.drop_space(&second);
    assert!(matches!(refused, Err(Error::CurrentSpace { .. })), "{refused:?}");
    collection.drop_space(&first).unwrap();
    assert_eq!(names(&collection), [second.name.as_str()]);
    assert_eq!(fs::read_dir(dir.join("spaces")).unwrap().count(), 1, "the dropped one is still on the disk");
}

#[test]
fn spaces_go_by_their_models_name_while_that_is_clear() {
    let dir = tempfile::tempdir().unwrap();
    let collection = Collection::open_or_new(dir.path(), &options()).unwrap();
    let old = filled(&collection, &of_model("one", "a"), 1);
    assert_eq!(collection.find("one").unwrap(), old);
    assert_eq!(collection.find(&old.name).unwrap(), old);
    let new = filled(&collection, &of_model("one", "b"), 1);
    assert_ne!(old, new);
    let error = collection.find("one").unwrap_err();
    assert!(matches!(error, Error::AmbiguousSpace { .. }), "{error}");
    assert!(error.to_string().contains(&old.name) && error.to_string().contains(&new.name), "{error}");
    // Not the name of the model but of part of it.
    filled(&collection, &of_model("one-large", "a"), 1);
    assert!(matches!(collection.find("one-large"), Ok(space) if space.is_of_model("one-large")));
    let error = collection.find("on").unwrap_err();
    assert!(matches!(error, Error::UnknownSpace { .. }) && error.to_string().contains(&old.name), "{error}");
}

#[test]
fn without_a_note_the_only_space_is_current_and_of_several_none() {
    let dir = tempfile::tempdir().unwrap();
    let collection = Collection::open_or_new(dir.path(), &options()).unwrap();
    let first = filled(&collection, &of_model("one", "a"), 1);
    let note = dir.path().join("current");
    // A crash came between making the first space and noting it.
    fs::remove_file(&note).unwrap();
    assert_eq!(collection.current().unwrap(), first);
    let second = filled(&collection, &of_model("two", "a"), 1);
    assert_eq!(collection.current().unwrap(), first, "a second space took over");

    fs::remove_file(&note).unwrap();
    assert!(matches!(collection.current(), Err(Error::NoCurrentSpace { gone: None, .. })));
    assert!(matches!(collection.drop_space(&first), Err(Error::NoCurrentSpace { .. })));
    for lost in ["gone-00000000", "", "../x", "\u{fffd}"] {
        fs::write(&note, lost).unwrap();
        let error = collection.current().unwrap_err();
        assert!(error.to_string().contains(&format!("there are: {}", first.name)), "{error}");
    }
    collection.switch(&second).unwrap();
    assert_eq!(collection.current().unwrap(), second);
}

#[test]
fn a_space_that_is_being_written_is_not_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let collection =
        Collection::open_or_new(dir.path(), &OpenOptions { lock_wait: Duration::ZERO, ..options() }).unwrap();
    let opened = Collection::open_or_new(dir.path(), &options()).unwrap();
    filled(&opened, &of_model("one", "a"), 1);
    let beside = filled(&opened, &of_model("two", "a"), 4);
    let used = Writer::open(&beside.path, None, &options()).unwrap();
    assert!(matches!(collection.drop_space(&beside), Err(Error::Locked { .. })));
    drop(used);
    assert_eq!(clips(&beside), 4);
}

#[test]
fn what_a_crash_left_half_made_or_half_deleted_is_no_space() {
    let dir = tempfile::tempdir().unwrap();
    let collection = Collection::open_or_new(dir.path(), &options()).unwrap();
    let spaces = dir.path().join("spaces");
    for left in [".new", ".dropped-0000000000000001"] {
        fs::create_dir_all(spaces.join(left).join("store")).unwrap();
        fs::write(spaces.join(left).join("store/db"), "").unwrap();
    }
    assert!(matches!(Collection::open(dir.path(), &options()), Err(Error::NotFound { .. })));
    let space = filled(&collection, &of_model("one", "a"), 2);
    assert_eq!(names(&collection), [space.name.as_str()]);
    assert_eq!(fs::read_dir(&spaces).unwrap().count(), 1, "it was not cleared away");
}

#[test]
fn no_space_goes_away_between_being_found_and_being_opened() {
    let dir = tempfile::tempdir().unwrap();
    let collection = Collection::open_or_new(dir.path(), &options()).unwrap();
    let first = filled(&collection, &of_model("one", "a"), 2);
    let second = filled(&collection, &of_model("two", "a"), 2);
    let hold = collection.hold().unwrap();
    let found = collection.current().unwrap();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            collection.switch(&second).unwrap();
            collection.drop_space(&first).unwrap();
        });
        thread::sleep(Duration::from_millis(100));
        assert_eq!(collection.current().unwrap(), found);
        assert_eq!(clips(&found), 2);
        drop(hold);
        other.join().unwrap();
    });
    assert_eq!(names(&collection), [second.name.as_str()]);
}
