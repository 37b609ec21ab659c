//! What is kept, and what a kill or another process may leave.

use std::fs;
use std::sync::Barrier;

use super::*;
use crate::labels::LabelSet;
use crate::readout::{Line, NoneOfThese};

fn words(list: &str) -> SavedSet {
    SavedSet::of(&LabelSet::from_list(list).unwrap(), Vec::new())
}

fn identity() -> Identity {
    Identity { model_id: "m".to_owned(), manifest_hash: "h".to_owned(), pipeline_version: 1, dim: 2 }
}

fn place(mean: f32) -> Surroundings {
    Surroundings { pieces: 12, mean: vec![mean, 0.2], spread: vec![0.1, 0.1] }
}

fn head() -> Head {
    let line = Line { scale: 1.0, bias: 0.0, independent_scale: 1.0, independent_bias: 0.0, threshold: 0.5 };
    Head {
        labels: vec!["a".to_owned(), "b".to_owned()],
        vectors: vec![vec![1.0, 0.0], vec![0.0, 1.0]],
        lines: vec![line; 2],
        limit: Some(1.5),
        calibrated: true,
        place: place(0.5),
    }
}

fn summary() -> FitSummary {
    FitSummary {
        method: "linear".to_owned(),
        text_weight: 0.0,
        clips: 4,
        held_out: 4,
        accuracy: Some(1.0),
        answered: Some(0.75),
        unknown_refused: Some(0.5),
        zero_shot_accuracy: None,
        zero_shot_answered: None,
        ece: None,
    }
}

fn contents(sets: &LabelSets) -> usize {
    fs::read_dir(files::content_path(&sets.kept, "x").with_file_name("")).map_or(0, Iterator::count)
}

#[test]
fn what_was_made_goes_with_its_set_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let sets = LabelSets::new(&dir.path().join("new"), 2);
    assert!(sets.all().unwrap().is_empty());
    assert!(sets.put_fitted("s", words("a, b"), identity(), head(), summary()).unwrap());
    let made = sets.get("s").unwrap().made.unwrap();
    assert_eq!(files::read_content(&sets.kept, "s", &made).unwrap().head, Some(head()));

    let adapt = || AdaptSummary { from: "there".to_owned(), pieces: 12 };
    sets.adapt("s", &identity(), place(0.7), adapt()).unwrap();
    sets.adapt("s", &identity(), place(0.9), adapt()).unwrap();
    let adapted = sets.get("s").unwrap().made.unwrap();
    let content = files::read_content(&sets.kept, "s", &adapted).unwrap();
    assert_eq!((content.head, content.place), (Some(head()), Some(place(0.9))));
    let elsewhere = Identity { manifest_hash: "other".to_owned(), ..identity() };
    assert!(sets.adapt("s", &elsewhere, place(0.7), adapt()).is_err());
    assert!(sets.undo_adapt("s").unwrap());
    assert_eq!(sets.get("s").unwrap().made.unwrap(), made, "to the byte what it was");
    assert!(!sets.undo_adapt("s").unwrap());

    assert_eq!(contents(&sets), 1);
    assert!(!sets.put("s", words("c")).unwrap());
    assert_eq!((contents(&sets), sets.get("s").unwrap().made), (0, None));
}

#[test]
fn a_set_of_version_2_is_read_answers_always_and_is_written_as_version_3() {
    let dir = tempfile::tempdir().unwrap();
    let sets = LabelSets::new(dir.path(), 9);
    let (old_head, mut old_summary) = (Head { limit: None, ..head() }, summary());
    (old_summary.answered, old_summary.unknown_refused) = (None, None);
    sets.put_fitted("old", words("a, b"), identity(), old_head.clone(), old_summary.clone()).unwrap();
    let list = dir.path().join("label-sets.json");
    let written = fs::read_to_string(&list).unwrap();
    assert!(written.contains("\"version\": 3") && !written.contains("answered"), "{written}");
    fs::write(&list, written.replace("\"version\": 3", "\"version\": 2")).unwrap();
    // That version made no note of it.
    fs::remove_file(dir.path().join("label-sets.known")).unwrap();
    let made = sets.get("old").unwrap().made.unwrap();
    let content = files::read_content(&sets.kept, "old", &made).unwrap();
    assert_eq!((content.head.as_ref(), made.fit.as_ref()), (Some(&old_head), Some(&old_summary)));
    assert_eq!(old_head.encoded(None, "m").unwrap().readout.none, NoneOfThese::Never);
    assert_eq!(head().encoded(None, "m").unwrap().readout.none, NoneOfThese::BelowLimit(1.5));
    sets.put("new", words("c")).unwrap();
    assert!(fs::read_to_string(&list).unwrap().contains("\"version\": 3"));
    assert!(sets.get("old").unwrap().is_fitted());
    fs::write(&list, r#"{"version": 4, "sets": {}}"#).unwrap();
    assert!(sets.all().unwrap_err().to_string().contains("expected version 3 or older, got 4"));
}

#[test]
fn a_kill_between_the_two_writes_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sets = LabelSets::new(dir.path(), 9);
    sets.put("s", words("a, b")).unwrap();
    files::write_content(&sets.kept, &Content { head: Some(head()), place: None }).unwrap();
    fs::write(dir.path().join("label-sets/.tmpkilled"), "half").unwrap();
    assert_eq!(sets.get("s").unwrap(), words("a, b"));
    sets.put("t", words("c")).unwrap();
    assert_eq!((contents(&sets), sets.all().unwrap().len()), (0, 2));
}

#[test]
fn writers_at_the_same_time_all_get_their_sets_in() {
    let dir = tempfile::tempdir().unwrap();
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for i in 0..8 {
            let start = &start;
            let sets = LabelSets::new(dir.path(), 100);
            scope.spawn(move || {
                start.wait();
                sets.put(&format!("set {i}"), words("a")).unwrap();
            });
        }
    });
    assert_eq!(LabelSets::new(dir.path(), 100).all().unwrap().len(), 8);
}

#[test]
fn a_reader_gets_a_set_that_others_change_all_the_time() {
    let dir = tempfile::tempdir().unwrap();
    let sets = LabelSets::new(dir.path(), 9);
    sets.put_fitted("s", words("a, b"), identity(), head(), summary()).unwrap();
    let old = sets.get("s").unwrap();
    sets.adapt("s", &identity(), place(0.7), AdaptSummary { from: "there".to_owned(), pieces: 12 }).unwrap();
    let read = |set: &SavedSet| files::read_content(&sets.kept, "s", set.made.as_ref().unwrap());
    assert!(matches!(read(&old), Err(EngineError::LabelSetChanged { .. })));

    // The first time what was read is old by the time that it is used.
    let mut stale = Some(old);
    let content = unless_changed(|| {
        let set = stale.take().map_or_else(|| sets.get("s"), Ok)?;
        read(&set)
    });
    assert_eq!(content.unwrap().place, Some(place(0.7)));

    // A file that is still named is not waited for.
    let made = sets.get("s").unwrap();
    fs::remove_file(files::content_path(&sets.kept, &made.made.as_ref().unwrap().file)).unwrap();
    assert!(matches!(read(&made), Err(EngineError::LabelSets { .. })));
}

#[test]
fn limits_names_and_numbers_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let sets = LabelSets::new(dir.path(), 1);
    sets.put("s", words("a")).unwrap();
    assert!(matches!(sets.put("t", words("a")), Err(EngineError::TooManyLabelSets { most: 1 })));
    assert!(matches!(sets.get("t"), Err(EngineError::NoSuchLabelSet { .. })));
    let long = SavedLabel::Prompts { name: "a".to_owned(), prompts: vec!["x".repeat(9 << 20)] };
    let large = SavedSet { labels: vec![long], ..words("a") };
    assert!(matches!(sets.put("s", large), Err(EngineError::LabelSetsTooLarge { .. })));
    assert_eq!(sets.get("s").unwrap().labels, words("a").labels, "the old one stays");
    for name in ["", ".", "..", " s", "a/b", "a\\b", "a\nb", &"x".repeat(101)] {
        assert!(check_name(name).is_err(), "{name:?}");
    }
    let broken = |edit: fn(&mut Head)| {
        let mut head = head();
        edit(&mut head);
        head.problem(2)
    };
    assert_eq!(head().problem(2), None);
    assert!(head().problem(3).unwrap().contains("vectors of 3 numbers, got 2"));
    assert!(broken(|h| h.vectors[1][0] = f32::NAN).unwrap().contains("not finite"));
    assert!(broken(|h| h.lines[0].bias = f32::INFINITY).unwrap().contains("not finite"));
    assert!(broken(|h| h.limit = Some(f32::NAN)).unwrap().contains("not finite"));
    assert!(broken(|h| h.place.spread[0] = -1.0).is_some());
    assert!(broken(|h| h.lines.truncate(1)).unwrap().contains("1 readings"));
}

#[test]
fn a_list_that_is_gone_or_foreign_is_refused_until_it_is_accepted_or_back() {
    let dir = tempfile::tempdir().unwrap();
    let sets = LabelSets::new(dir.path(), 9);
    sets.put("rain", words("a, b")).unwrap();
    sets.put("night", words("c")).unwrap();
    let path = dir.path().join("label-sets.json");
    let ours = fs::read(&path).unwrap();

    fs::remove_file(&path).unwrap();
    let error = sets.all().unwrap_err().to_string();
    assert!(error.contains("gone") && error.contains("night, rain") && error.contains("accept"), "{error}");
    assert!(sets.put("new", words("d")).is_err(), "nothing is written over what may come back");
    fs::write(&path, &ours).unwrap();
    assert_eq!(sets.all().unwrap().len(), 2);

    let other = tempfile::tempdir().unwrap();
    LabelSets::new(other.path(), 9).put("theirs", words("x")).unwrap();
    fs::copy(other.path().join("label-sets.json"), &path).unwrap();
    let error = sets.get("theirs").unwrap_err().to_string();
    assert!(error.contains("not the file that earmark wrote") && error.contains("accept"), "{error}");
    assert_eq!(sets.accept().unwrap(), ["theirs"]);
    assert_eq!(sets.all().unwrap().len(), 1);

    fs::remove_file(&path).unwrap();
    assert!(sets.accept().unwrap().is_empty());
    assert!(sets.all().unwrap().is_empty());
}

#[test]
fn a_kill_between_the_note_and_the_list_leaves_a_list_that_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let sets = LabelSets::new(dir.path(), 9);
    sets.put("rain", words("a, b")).unwrap();
    let (path, note) = (dir.path().join("label-sets.json"), dir.path().join("label-sets.known"));
    let (old, first) = (fs::read(&path).unwrap(), fs::read_to_string(&note).unwrap());
    sets.put("night", words("c")).unwrap();
    let (new, second) = (fs::read(&path).unwrap(), fs::read_to_string(&note).unwrap());
    let hash = |note: &str| note.split('"').nth(3).unwrap().to_owned();
    let between = second.replace(&hash(&second), &format!("{}\",\"{}", hash(&first), hash(&second)));
    fs::write(&note, between).unwrap();
    for list in [old, new] {
        fs::write(&path, list).unwrap();
        sets.all().unwrap();
    }
    // An index from before there was a note.
    fs::remove_file(&note).unwrap();
    assert_eq!(sets.all().unwrap().len(), 2);
}
