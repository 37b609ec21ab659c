//! Files by any name: bytes that are not UTF-8, and several names for one folder.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::index::counts;
use crate::sandbox::Sandbox;

fn index(sandbox: &Sandbox, args: &[&str]) -> Value {
    sandbox.json([&["index", "--json"], args].concat())
}

fn paths(sandbox: &Sandbox) -> Vec<String> {
    let list = sandbox.json(["list", "--json"]);
    let root = format!("{}/", sandbox.path("").canonicalize().unwrap().display());
    let path = |clip: &Value| clip["path"].as_str().unwrap().replace(&root, "");
    list["items"].as_array().unwrap().iter().map(path).collect()
}

/// A tone under a name of any bytes.
fn tone(sandbox: &Sandbox, name: &[u8], number: usize) -> PathBuf {
    let plain = sandbox.add_tone("tone.wav", number);
    let path = sandbox.path("sounds").join(OsStr::from_bytes(name));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::rename(plain, &path).unwrap();
    path
}

#[test]
fn names_that_are_not_utf8_work_in_every_command() {
    let sandbox = Sandbox::new();
    // Latin-1, in a folder that is no better; half a character; a name that looks like an escape; a newline.
    tone(&sandbox, b"caf\xe9.wav", 1);
    tone(&sandbox, b"\xff\xfe/\xe2\x82.wav", 2);
    tone(&sandbox, br"caf\xe9.wav", 3);
    tone(&sandbox, b"new\nline.wav", 4);
    tone(&sandbox, br"back\slash.wav", 5);
    assert_eq!(counts(&index(&sandbox, &["sounds"])), [("added", 5)]);
    assert_eq!(counts(&index(&sandbox, &["sounds"])), [("unchanged", 5)]);
    let expected = [
        r"sounds/\xff\xfe/\xe2\x82.wav",
        r"sounds/back\slash.wav",
        r"sounds/caf\x5cxe9.wav",
        r"sounds/caf\xe9.wav",
        "sounds/new\nline.wav",
    ];
    assert_eq!(paths(&sandbox), expected);
    sandbox.ok(["verify", "--files"]);

    // Typed as it is shown, and as it is.
    let shown = r"sounds/\xff\xfe/\xe2\x82.wav";
    let mut raw = OsString::from_vec(b"sounds/\xff\xfe/\xe2\x82.wav".to_vec());
    for file in [OsString::from(shown), raw.clone()] {
        let args = [OsStr::new("info"), &file, OsStr::new("--json")];
        let info = sandbox.json(args);
        assert!(info["indexed"]["clip_id"].is_string(), "{info}");
        assert!(info["file"].as_str().unwrap().ends_with(shown), "{info}");
        let like = [OsStr::new("search"), OsStr::new("--like"), &file, OsStr::new("--json")];
        let found = sandbox.json(like);
        let hits = found["hits"].as_array().unwrap();
        let itself = |hit: &Value| hit["clip"]["path"].as_str().unwrap().ends_with(shown);
        assert!(!hits.iter().any(itself), "the example is not left out: {found}");
        let events = [OsStr::new("events"), &file, OsStr::new("--labels"), OsStr::new("beep")];
        sandbox.ok(events);
    }
    let classified = sandbox.ok(["classify", shown, "--labels", "beep, dog", "--json"]);
    assert!(classified.contains(r"\\xe2\\x82.wav"), "{classified}");
    let table = sandbox.ok(["list"]);
    assert!(table.contains(r"sounds/caf\xe9.wav") && table.contains(r"new\nline.wav"), "{table}");
    // For other programs, the name itself.
    let output = sandbox.command(["list", "--paths0"]).output().unwrap();
    assert!(output.stdout.split(|b| *b == 0).any(|path| path.ends_with(b"/caf\xe9.wav")));
    assert!(output.stdout.split(|b| *b == 0).any(|path| path.ends_with(br"/caf\xe9.wav")));

    // An escape that is a file as it is typed is that file.
    sandbox.ok(["remove", r"sounds/caf\xe9.wav"]);
    assert_eq!(paths(&sandbox).len(), 4);
    assert!(!paths(&sandbox).contains(&r"sounds/caf\x5cxe9.wav".to_owned()));
    sandbox.ok(["remove", r"sounds/\xff\xfe"]);
    assert_eq!(paths(&sandbox).len(), 3);
    raw = OsString::from_vec(b"sounds/\xff\xfe".to_vec());
    assert_eq!(counts(&sandbox.json([OsStr::new("index"), &raw, OsStr::new("--json")])), [("added", 1)]);

    // Moves, changes and deletions are followed, and exports come back.
    fs::rename(
        sandbox.path("sounds").join(OsStr::from_bytes(b"caf\xe9.wav")),
        sandbox.path("sounds/cafe.wav"),
    )
    .unwrap();
    assert_eq!(index(&sandbox, &["sounds"])["moved"], 1);
    sandbox.ok(["export", "out"]);
    sandbox.ok(["import", "out", "--db", "second.earmark"]);
    assert_eq!(sandbox.ok(["list", "--json", "--db", "second.earmark"]).matches(r"\\xe2\\x82").count(), 2);
    sandbox.ok(["verify", "--files", "--db", "second.earmark"]);
    fs::remove_file(sandbox.path("sounds").join(OsStr::from_bytes(b"\xff\xfe/\xe2\x82.wav"))).unwrap();
    fs::remove_dir(sandbox.path("sounds").join(OsStr::from_bytes(b"\xff\xfe"))).unwrap();
    assert_eq!(index(&sandbox, &["sounds", "--prune"])["pruned"], 1);
    sandbox.ok(["verify", "--files"]);
}

#[test]
fn a_bad_file_whose_name_is_not_utf8_is_remembered() {
    let sandbox = Sandbox::new();
    sandbox.add_tone("sounds/a.wav", 1);
    let bad = sandbox.path("sounds").join(OsStr::from_bytes(b"b\xe4d.wav"));
    fs::write(&bad, "no sound").unwrap();
    // So large that it is not read at once.
    let large = fs::File::create(sandbox.path("sounds").join(OsStr::from_bytes(b"l\xe4rge.wav"))).unwrap();
    large.set_len(40 << 20).unwrap();
    let run = sandbox.run(["index", "sounds"]);
    assert_eq!(run.code, Some(3), "{run:#?}");
    for name in [r"b\xe4d.wav", r"l\xe4rge.wav"] {
        assert!(run.stderr.contains(&format!("failed: sounds/{name}: ")), "{run:#?}");
        assert_eq!(run.stderr.matches("wav: ").count(), 2, "a path is said twice: {run:#?}");
    }
    assert_eq!(sandbox.run(["index", "sounds"]).code, Some(0));
    let failed = sandbox.json(["list", "--failed", "--json"]);
    for (failure, name) in failed["items"].as_array().unwrap().iter().zip([r"b\xe4d.wav", r"l\xe4rge.wav"]) {
        assert!(failure["path"].as_str().unwrap().ends_with(name), "{failed}");
    }
}

#[test]
fn reembedding_finds_files_by_any_name() {
    let sandbox = Sandbox::new();
    tone(&sandbox, b"caf\xe9.wav", 1);
    tone(&sandbox, br"caf\xe9.wav", 2);
    sandbox.ok(["index", "sounds", "-q"]);
    sandbox.add_model("other", "other", |manifest| manifest);
    let report = sandbox.json(["reembed", "--model", "other", "--json"]);
    assert_eq!(
        (report["embedded"].as_u64(), report["switched"].as_bool()),
        (Some(2), Some(true)),
        "{report}"
    );
}

#[test]
fn a_folder_that_two_links_lead_to_is_indexed_once() {
    let sandbox = Sandbox::new();
    sandbox.add_tone("sounds/z/a.wav", 1);
    sandbox.add_tone("out/b.wav", 2);
    symlink("z", sandbox.path("sounds/a-link")).unwrap();
    symlink(sandbox.path("out"), sandbox.path("sounds/one")).unwrap();
    symlink(sandbox.path("out"), sandbox.path("sounds/two")).unwrap();
    symlink("..", sandbox.path("sounds/z/loop")).unwrap();
    assert_eq!(counts(&index(&sandbox, &["sounds"])), [("added", 2)]);
    assert_eq!(paths(&sandbox), ["sounds/one/b.wav", "sounds/z/a.wav"]);
    assert_eq!(counts(&index(&sandbox, &["sounds"])), [("unchanged", 2)]);

    // By other names, in other runs, and when the sound has changed.
    assert_eq!(counts(&index(&sandbox, &["sounds/two", "sounds/a-link", "out"])), [("unchanged", 2)]);
    sandbox.add_tone("out/b.wav", 3);
    assert_eq!(counts(&index(&sandbox, &["out"])), [("updated", 1)]);
    assert_eq!(paths(&sandbox), ["sounds/one/b.wav", "sounds/z/a.wav"]);
    let tagged = index(&sandbox, &["out", "--tag", "x"]);
    assert_eq!(tagged["retagged"], 1, "{tagged}");

    // A link that came later is no new place, and one that is known is not lost.
    symlink("z", sandbox.path("sounds/0-link")).unwrap();
    assert_eq!(counts(&index(&sandbox, &["sounds", "--prune"])), [("unchanged", 2)]);
    sandbox.ok(["verify", "--files"]);
}

#[test]
fn a_file_known_by_a_link_is_not_doubled_by_its_own_name() {
    let sandbox = Sandbox::new();
    let file = sandbox.add_tone("out/b.wav", 1);
    fs::create_dir(sandbox.path("sounds")).unwrap();
    symlink(&file, sandbox.path("sounds/link.wav")).unwrap();
    assert_eq!(counts(&index(&sandbox, &["sounds"])), [("added", 1)]);
    assert_eq!(counts(&index(&sandbox, &["out"])), [("unchanged", 1)]);
    assert_eq!(paths(&sandbox), ["sounds/link.wav"]);
    // A copy, and a second name on the disk, are files of their own.
    fs::copy(&file, sandbox.path("out/copy.wav")).unwrap();
    fs::hard_link(&file, sandbox.path("out/hard.wav")).unwrap();
    assert_eq!(index(&sandbox, &["out"])["copied"], 2);
}

/// Mounting needs root: without it this test says so and passes.
#[test]
fn a_folder_that_is_mounted_twice_is_indexed_once() {
    let sandbox = Sandbox::new();
    sandbox.add_tone("sounds/real/in/a.wav", 1);
    fs::create_dir(sandbox.path("sounds/also")).unwrap();
    let (real, also) = (sandbox.path("sounds/real"), sandbox.path("sounds/also"));
    let mounted = Command::new("mount").arg("--bind").args([&real, &also]).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: mounting needs root");
        return;
    }
    let first = counts(&index(&sandbox, &["sounds"])).len();
    let listed = paths(&sandbox);
    let again = index(&sandbox, &["sounds/real", "sounds/also"]);
    let each = [index(&sandbox, &["sounds/real"]), index(&sandbox, &["sounds/also"])];
    assert!(Command::new("umount").arg(&also).status().unwrap().success());
    assert_eq!((first, listed.len()), (1, 1), "{listed:?}");
    assert_eq!(counts(&again), [("unchanged", 1)]);
    assert!(each.iter().all(|report| counts(report) == [("unchanged", 1)]), "{each:?}");
}
