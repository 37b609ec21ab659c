//! What leaves an index, what does not, and what comes back.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use super::index::counts;
use crate::sandbox::{Run, Sandbox};

/// `count` clips in `folder`, all tagged `mine`.
fn library(folder: &str, count: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    for number in 0..count {
        sandbox.add_tone(&format!("{folder}/{number:02}.wav"), number);
    }
    sandbox.ok(["index", "sounds", "--tag", "mine", "-q"]);
    sandbox
}

fn tagged(sandbox: &Sandbox) -> usize {
    sandbox.json(["list", "--with-tag", "mine", "--json"])["items"].as_array().unwrap().len()
}

fn report(sandbox: &Sandbox, args: &[&str]) -> Value {
    let run = sandbox.run([&["index", "sounds", "--json"], args].concat());
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:#?}"))
}

/// A prune that is refused, says so, and removes nothing.
fn refused(sandbox: &Sandbox, root: &str, says: &[&str]) -> Run {
    let before = sandbox.ok(["list", "--json"]);
    let run = sandbox.run(["index", root, "--prune", "-q"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    for words in says.iter().chain(&["--prune=all", "nothing was removed"]) {
        assert!(run.stderr.contains(words), "{words}: {run:#?}");
    }
    assert_eq!(sandbox.ok(["list", "--json"]), before);
    run
}

#[test]
fn a_drive_that_is_not_mounted_empties_no_index() {
    let sandbox = library("sounds", 8);
    // As an unmounted drive leaves it: an empty folder.
    fs::rename(sandbox.path("sounds"), sandbox.path("drive")).unwrap();
    fs::create_dir(sandbox.path("sounds")).unwrap();
    let root = sandbox.path("sounds").display().to_string();
    refused(&sandbox, "sounds", &[&root, "is empty", "8 of its 8 clips"]);
    // No folder at all, or a link to nothing.
    fs::remove_dir(sandbox.path("sounds")).unwrap();
    refused(&sandbox, "sounds", &[&root, "is not there", "8 of its 8 clips"]);
    symlink(sandbox.path("not-mounted"), sandbox.path("sounds")).unwrap();
    refused(&sandbox, "sounds", &[&root, "is not there"]);
    sandbox.fails(1, ["index", "sounds"]);
    // There again, nothing has happened.
    fs::remove_file(sandbox.path("sounds")).unwrap();
    fs::rename(sandbox.path("drive"), sandbox.path("sounds")).unwrap();
    assert_eq!(counts(&report(&sandbox, &["--prune"])), [("unchanged", 8)]);
    assert_eq!(tagged(&sandbox), 8);
}

#[test]
fn a_drive_that_is_not_mounted_below_a_root_empties_no_index() {
    let sandbox = library("sounds", 20);
    sandbox.add_tone("sounds/usb/a/b.wav", 100);
    report(&sandbox, &[]);
    fs::remove_dir_all(sandbox.path("sounds/usb")).unwrap();
    fs::create_dir(sandbox.path("sounds/usb")).unwrap();
    let usb = sandbox.path("sounds/usb").display().to_string();
    refused(&sandbox, "sounds", &[&usb, "is empty", "1 of its 21 clips"]);
    fs::remove_dir(sandbox.path("sounds/usb")).unwrap();
    symlink("not-mounted", sandbox.path("sounds/usb")).unwrap();
    refused(&sandbox, "sounds", &[&usb, "leads nowhere"]);
    // A folder that is gone was deleted.
    fs::remove_file(sandbox.path("sounds/usb")).unwrap();
    assert_eq!(counts(&report(&sandbox, &["--prune"])), [("unchanged", 20), ("pruned", 1)]);
}

#[test]
fn more_than_a_quarter_goes_only_when_told() {
    let sandbox = library("sounds", 8);
    for name in ["00", "01"] {
        fs::remove_file(sandbox.path(&format!("sounds/{name}.wav"))).unwrap();
    }
    // A quarter, and no more.
    assert_eq!(counts(&report(&sandbox, &["--prune"])), [("unchanged", 6), ("pruned", 2)]);
    for name in ["02", "03"] {
        fs::remove_file(sandbox.path(&format!("sounds/{name}.wav"))).unwrap();
    }
    refused(&sandbox, "sounds", &["more than a quarter", "2 of its 6 clips"]);
    // What is new is taken up all the same, and the report has the reason.
    sandbox.add_tone("sounds/new.wav", 50);
    let refusal = report(&sandbox, &["--prune"]);
    assert_eq!(counts(&refusal), [("added", 1), ("unchanged", 4)]);
    assert_eq!(
        (&refusal["prune_refused"][0]["gone"], &refusal["prune_refused"][0]["clips"]),
        (&2.into(), &7.into())
    );
    // One root that speaks against it is enough.
    sandbox.add_tone("other/a.wav", 60);
    sandbox.ok(["index", "other", "-q"]);
    let both = sandbox.run(["index", "other", "sounds", "--prune"]);
    assert_eq!(both.code, Some(1), "{both:#?}");
    assert_eq!(counts(&report(&sandbox, &["--prune=all"])), [("unchanged", 5), ("pruned", 2)]);
    sandbox.ok(["verify", "--files"]);
    assert_eq!(sandbox.run(["index", "sounds", "--prune=some"]).code, Some(2));
}

#[test]
fn moved_files_do_not_count_as_gone() {
    let sandbox = library("sounds", 6);
    fs::create_dir(sandbox.path("sounds/new")).unwrap();
    for number in 0..6 {
        let name = format!("{number:02}.wav");
        fs::rename(sandbox.path("sounds").join(&name), sandbox.path("sounds/new").join(&name)).unwrap();
    }
    let dry = sandbox.ok(["index", "sounds", "--prune", "--dry-run"]);
    assert!(dry.contains("move      sounds/00.wav -> sounds/new/00.wav") && !dry.contains("prune"), "{dry}");
    assert_eq!(counts(&report(&sandbox, &["--prune"])), [("moved", 6)]);
    assert_eq!(tagged(&sandbox), 6);
}

#[test]
fn a_dry_run_lists_what_would_be_done_and_does_nothing() {
    let sandbox = Sandbox::new();
    for number in 0..6 {
        sandbox.add_tone(&format!("sounds/{number}.wav"), number);
    }
    // Without an index.
    assert_eq!(sandbox.ok(["index", "sounds", "--dry-run", "-q"]).lines().count(), 6);
    assert!(!sandbox.db().exists());
    sandbox.ok(["index", "sounds", "-q"]);
    let before = sandbox.ok(["list", "--json"]);
    fs::remove_file(sandbox.path("sounds/0.wav")).unwrap();
    sandbox.add_tone("sounds/1.wav", 77);
    fs::rename(sandbox.path("sounds/2.wav"), sandbox.path("sounds/two.wav")).unwrap();
    fs::copy(sandbox.path("sounds/3.wav"), sandbox.path("sounds/three.wav")).unwrap();
    sandbox.add_tone("sounds/new.wav", 78);
    sandbox.write("sounds/.earmarkignore", "4.wav\n");
    let run = sandbox.run(["index", "sounds", "--prune", "--dry-run", "--tag", "x"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let expected = "add       sounds/new.wav\nupdate    sounds/1.wav\ncopy      sounds/three.wav\n\
                    tag       sounds/3.wav\ntag       sounds/5.wav\nprune     sounds/0.wav\n\
                    exclude   sounds/4.wav\n\
                    move      sounds/2.wav -> sounds/two.wav\n";
    assert_eq!(run.stdout, expected);
    assert!(run.stderr.contains("1 added") && run.stderr.contains("nothing was done"), "{run:#?}");
    assert_eq!(sandbox.ok(["list", "--json"]), before);
    // It says what the run then does.
    let json = sandbox.json(["index", "sounds", "--prune", "--dry-run", "--json"]);
    let real = report(&sandbox, &["--prune"]);
    for what in ["added", "updated", "moved", "copied", "pruned", "excluded"] {
        assert_eq!(json[what].as_array().unwrap().len() as u64, real[what].as_u64().unwrap(), "{what}");
    }
    // What would be refused is refused here too.
    fs::remove_file(sandbox.path("sounds/5.wav")).unwrap();
    fs::remove_file(sandbox.path("sounds/1.wav")).unwrap();
    let run = sandbox.run(["index", "sounds", "--prune", "--dry-run"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("prune     sounds/1.wav") && run.stderr.contains("--prune=all"), "{run:#?}");
}

#[test]
fn what_is_excluded_now_leaves_and_has_its_tags_when_it_comes_back() {
    let sandbox = library("sounds/drafts", 4);
    sandbox.add_tone("sounds/kept.wav", 50);
    sandbox.write("sounds/drafts/bad.wav", "no sound");
    sandbox.run(["index", "sounds", "--tag", "mine", "-q"]);
    assert_eq!(tagged(&sandbox), 5);
    // An ignore file.
    sandbox.write("sounds/.earmarkignore", "drafts/\n");
    let run = sandbox.run(["index", "sounds"]);
    assert!(run.stderr.contains("4 removed, since they are excluded"), "{run:#?}");
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(tagged(&sandbox), 1);
    assert!(sandbox.json(["list", "--failed", "--json"])["items"].as_array().unwrap().is_empty());
    fs::remove_file(sandbox.path("sounds/.earmarkignore")).unwrap();
    assert_eq!(counts(&report(&sandbox, &[])), [("added", 4), ("unchanged", 1)]);
    assert_eq!(tagged(&sandbox), 5);
    // A glob, and one that was a mistake. More than a quarter, since it was said outright.
    assert_eq!(counts(&report(&sandbox, &["--exclude", "*/drafts/*"]))[1], ("excluded", 4));
    assert_eq!(counts(&report(&sandbox, &["--exclude", "*"])), [("excluded", 1)]);
    assert!(sandbox.json(["list", "--json"])["items"].as_array().unwrap().is_empty());
    assert_eq!(counts(&report(&sandbox, &[]))[0], ("added", 5));
    assert_eq!(tagged(&sandbox), 5);
    sandbox.ok(["verify", "--files"]);
}

#[test]
fn what_a_run_does_not_look_at_is_not_excluded() {
    let sandbox = Sandbox::new();
    for (number, name) in
        ["sounds/.hidden.wav", "sounds/odd.bin", "sounds/a.wav", "other/b.wav"].iter().enumerate()
    {
        sandbox.add_tone(name, number);
    }
    sandbox.ok(["index", "sounds", "other", "--hidden", "--all-files", "-q"]);
    assert_eq!(counts(&report(&sandbox, &[])), [("unchanged", 1)]);
    // A drive that is gone, without --prune, with a rule.
    fs::rename(sandbox.path("sounds/a.wav"), sandbox.path("a.wav")).unwrap();
    assert_eq!(counts(&report(&sandbox, &["--exclude", "*/a.wav"])), []);
    assert_eq!(sandbox.json(["list", "--json"])["items"].as_array().unwrap().len(), 4);
}

#[test]
fn a_removed_clip_has_its_tags_when_its_sound_is_found_again() {
    let sandbox = library("sounds", 4);
    sandbox.ok(["remove", "sounds/00.wav", "sounds/01.wav"]);
    assert_eq!(tagged(&sandbox), 2);
    sandbox.ok(["verify"]);
    // At its place, and at another.
    fs::rename(sandbox.path("sounds/01.wav"), sandbox.path("sounds/new.wav")).unwrap();
    assert_eq!(counts(&report(&sandbox, &[])), [("added", 2), ("unchanged", 2)]);
    assert_eq!(tagged(&sandbox), 4);
    // Pruned, all of them.
    fs::rename(sandbox.path("sounds"), sandbox.path("away")).unwrap();
    assert_eq!(counts(&report(&sandbox, &["--prune=all"])), [("pruned", 4)]);
    fs::rename(sandbox.path("away"), sandbox.path("sounds")).unwrap();
    assert_eq!(counts(&report(&sandbox, &[])), [("added", 4)]);
    assert_eq!(tagged(&sandbox), 4);
    // A good file that goes bad for a while.
    let good = fs::read(sandbox.path("sounds/new.wav")).unwrap();
    sandbox.write("sounds/new.wav", "no sound");
    sandbox.run(["index", "sounds", "-q"]);
    assert_eq!(tagged(&sandbox), 3);
    fs::write(sandbox.path("sounds/new.wav"), good).unwrap();
    report(&sandbox, &[]);
    assert_eq!(tagged(&sandbox), 4);
    sandbox.ok(["verify", "--files"]);
}

#[test]
fn tags_of_removed_clips_are_kept_for_a_year() {
    let sandbox = library("sounds", 2);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let ago = |days: u64| (now - days * 24 * 3600).to_string();
    for (name, days) in [("sounds/00.wav", 400), ("sounds/01.wav", 300)] {
        let output = sandbox.command(["remove", name]).env("EARMARK_CLOCK", ago(days)).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    report(&sandbox, &[]);
    assert_eq!(tagged(&sandbox), 1);
    sandbox.ok(["verify"]);
}
