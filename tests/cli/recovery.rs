//! Nothing acknowledged is lost: kills, Ctrl-C, full disks.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::sandbox::{Run, Sandbox, sample};

/// Enough sound that a run can be stopped in the middle: copies that differ in one byte, so that each is encoded.
pub(crate) fn library(copies: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    let rain = fs::read(sample("events/dog-in-rain.wav")).unwrap();
    for copy in 0..copies {
        let mut bytes = rain.clone();
        let last = bytes.len() - 1;
        bytes[last] = copy as u8;
        sandbox.write(&format!("sounds/{copy:03}.wav"), bytes);
    }
    sandbox
}

fn start(sandbox: &Sandbox) -> Child {
    let mut command = sandbox.command(["index", "sounds", "-q"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub(crate) fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Starts a run for each delay and kills it then; `after` looks at what a kill has left. At least one must be killed.
pub(crate) fn killed_in_the_middle(delays_ms: [u64; 4], start: impl Fn() -> Child, after: impl Fn()) {
    let mut killed = 0;
    for delay_ms in delays_ms {
        let mut child = start();
        sleep(Duration::from_millis(delay_ms));
        let running = child.try_wait().unwrap().is_none();
        if running {
            signal(&child, "-KILL");
        }
        child.wait().unwrap();
        if running {
            killed += 1;
            after();
        }
    }
    assert!(killed > 0, "the runs were over before they could be killed");
}

fn clips(sandbox: &Sandbox) -> usize {
    sandbox.json(["list", "--json"])["items"].as_array().unwrap().len()
}

#[test]
fn killed_at_any_time_a_run_goes_on_with_nothing_lost_or_doubled() {
    const COPIES: usize = 60;
    let sandbox = library(COPIES);
    killed_in_the_middle(
        [50, 400, 900, 1500],
        || start(&sandbox),
        || {
            // A kill before the first batch leaves no index, or an empty one; what is there must be sound.
            if sandbox.db().exists() && sandbox.run(["info"]).code == Some(0) {
                sandbox.ok(["verify"]);
            }
        },
    );
    let report = sandbox.json(["index", "sounds", "--json"]);
    assert_eq!(report["failed"].as_array().unwrap().len(), 0);
    assert_eq!(clips(&sandbox), COPIES);
    sandbox.ok(["verify", "--files"]);
}

#[test]
fn ctrl_c_finishes_the_batch_and_the_next_run_goes_on() {
    const COPIES: usize = 120;
    let sandbox = library(COPIES);
    let child = start(&sandbox);
    sleep(Duration::from_millis(700));
    signal(&child, "-INT");
    let run: Run = child.wait_with_output().unwrap().into();
    // A fast machine may have been done already.
    if run.code != Some(0) {
        assert_eq!(run.code, Some(130), "{run:#?}");
        assert!(run.stderr.contains("goes on from here"), "{run:#?}");
        assert!(clips(&sandbox) < COPIES);
    }
    sandbox.ok(["verify"]);
    let before = clips(&sandbox) as u64;
    let report = sandbox.json(["index", "sounds", "--json"]);
    assert_eq!(report["unchanged"].as_u64(), Some(before), "what was finished was done again");
    assert_eq!(clips(&sandbox), COPIES);
}

/// A small file system of its own; `None` where this user may not mount one.
pub(crate) struct Tmpfs<'a>(&'a Sandbox);

impl<'a> Tmpfs<'a> {
    pub(crate) fn mount(sandbox: &'a Sandbox, size: &str) -> Option<Self> {
        fs::create_dir(sandbox.path("small")).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(sandbox.path("small"));
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|s| s.success());
        if !mounted {
            eprintln!("skipped: mounting a tmpfs needs root");
        }
        mounted.then_some(Self(sandbox))
    }

    pub(crate) fn remount(&self, how: &str) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{how}")]).arg(self.0.path("small"));
        assert!(mount.status().unwrap().success());
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path("small")).status();
    }
}

#[test]
fn a_full_disk_is_told_plainly_and_costs_nothing_acknowledged() {
    let sandbox = library(40);
    let Some(disk) = Tmpfs::mount(&sandbox, "3m") else { return };
    sandbox.ok(["index", "sounds/000.wav", "sounds/001.wav", "--db", "small/db"]);
    let room = Command::new("sh")
        .args(["-c", "head -c 100000000 /dev/zero > small/filler"])
        .current_dir(sandbox.path(""))
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!room.success(), "the disk is not full");
    let run = sandbox.run(["index", "sounds", "--db", "small/db", "-q"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.contains("no space left") && run.stderr.contains("small/db"), "{run:#?}");

    fs::remove_file(sandbox.path("small/filler")).unwrap();
    disk.remount("size=60m");
    sandbox.ok(["verify", "--db", "small/db"]);
    sandbox.ok(["index", "sounds", "--db", "small/db"]);
    assert_eq!(sandbox.json(["list", "--json", "--db", "small/db"])["items"].as_array().unwrap().len(), 40);
    sandbox.ok(["verify", "--db", "small/db"]);
}

#[test]
fn an_export_that_does_not_fit_leaves_nothing_that_blocks_the_next() {
    let sandbox = Sandbox::new();
    for number in 0..60 {
        sandbox.add_tone(&format!("sounds/{number}.wav"), number);
    }
    sandbox.ok(["index", "sounds", "-q"]);
    let Some(disk) = Tmpfs::mount(&sandbox, "64k") else { return };
    let entries = |dir: &str| fs::read_dir(sandbox.path(dir)).unwrap().count();
    // A new folder, one that is there, and one that cannot be replaced by another.
    fs::create_dir(sandbox.path("small/empty")).unwrap();
    for dir in ["small/new", "small/empty", "small"] {
        if dir == "small" {
            fs::remove_dir(sandbox.path("small/empty")).unwrap();
        }
        let error = sandbox.fails(1, ["export", dir]);
        assert!(error.contains("No space left") && error.contains(dir), "{error}");
        assert!(!sandbox.path("small/new").exists());
    }
    assert_eq!(entries("small"), 0);
    disk.remount("size=10m");
    sandbox.ok(["export", "small/new"]);
    assert_eq!(entries("small/new"), 3);
    sandbox.ok(["import", "small/new", "--db", "second.earmark"]);
    sandbox.ok(["verify", "--db", "second.earmark"]);
    assert_eq!(
        sandbox.json(["list", "--json", "--db", "second.earmark"])["items"].as_array().unwrap().len(),
        60
    );
}

#[test]
fn an_export_that_was_killed_does_not_block_the_next() {
    let sandbox = Sandbox::new();
    sandbox.add_tone("sounds/a.wav", 1);
    sandbox.ok(["index", "sounds", "-q"]);
    // As a kill leaves it while files are written, and while they get their names.
    for left in [&["vectors.npy"][..], &["vectors.npy", "clips.jsonl"], &["header.json", "lock"]] {
        let unfinished = |name: &str| format!("out/.earmark-export/{name}");
        for name in ["vectors.npy", "clips.jsonl", "header.json", "lock"] {
            let has_its_name = left.contains(&name) && name.ends_with(['y', 'l']);
            sandbox.write(&if has_its_name { format!("out/{name}") } else { unfinished(name) }, "half");
        }
        sandbox.ok(["export", "out"]);
        assert_eq!(fs::read_dir(sandbox.path("out")).unwrap().count(), 3);
        sandbox.ok(["import", "out", "--db", "second.earmark"]);
        fs::remove_dir_all(sandbox.path("out")).unwrap();
    }
    // What is not an export's stays, and so does a whole export.
    sandbox.write("out/.earmark-export/lock", "");
    sandbox.write("out/mine.txt", "mine");
    assert!(sandbox.fails(1, ["export", "out"]).contains("empty folder"));
    assert!(sandbox.path("out/mine.txt").exists());
    sandbox.ok(["export", "whole"]);
    sandbox.write("whole/.earmark-export/lock", "");
    assert!(sandbox.fails(1, ["export", "whole"]).contains("empty folder"));
    sandbox.ok(["import", "whole", "--db", "third.earmark"]);
}

#[test]
fn a_read_only_index_can_be_searched_and_not_changed() {
    let sandbox = library(2);
    let Some(disk) = Tmpfs::mount(&sandbox, "60m") else { return };
    sandbox.ok(["index", "sounds/000.wav", "--db", "small/db"]);
    disk.remount("ro");
    let search = sandbox.run(["search", "rain", "--db", "small/db"]);
    assert_eq!(search.code, Some(0), "{search:#?}");
    assert!(search.stdout.contains("000.wav") && search.stderr.is_empty(), "{search:#?}");
    sandbox.ok(["verify", "--db", "small/db"]);
    for args in [["index", "sounds"], ["remove", "sounds"]] {
        let error = sandbox.fails(1, args.iter().chain(&["--db", "small/db"]));
        assert!(error.contains("read-only") && error.contains("small/db"), "{args:?}: {error}");
    }
}

/// What the store loses, the published files still have: here the store of an earlier day comes back from a backup.
#[test]
fn clips_that_the_store_lost_come_back_and_verify_says_so() {
    const COPIES: usize = 40;
    let sandbox = library(COPIES);
    sandbox.ok(["index", "sounds/000.wav", "sounds/001.wav"]);
    let spaces = fs::read_dir(sandbox.db().join("spaces")).unwrap();
    let space = spaces.map(|e| e.unwrap().path()).find(|p| p.join("store").exists()).unwrap();
    let copy = |from: &str, to: &str| {
        let _ = fs::remove_dir_all(space.join(to));
        fs::create_dir_all(space.join(to)).unwrap();
        for entry in
            fs::read_dir(space.join(from)).unwrap().map(Result::unwrap).filter(|e| e.path().is_file())
        {
            fs::copy(entry.path(), space.join(to).join(entry.file_name())).unwrap();
        }
    };
    copy("store", "backup");
    sandbox.ok(["index", "sounds"]);
    sandbox.ok(["verify"]);
    copy("backup", "store");
    assert_eq!(clips(&sandbox), COPIES, "readers lost something");
    let verified = sandbox.run(["verify"]);
    assert_eq!(verified.code, Some(1), "{verified:#?}");
    assert!(verified.stdout.contains("not clean") && verified.stdout.contains("put back"), "{verified:#?}");
    sandbox.ok(["verify"]);
    assert_eq!(clips(&sandbox), COPIES);
}

#[test]
fn a_clock_before_1970_is_named_by_writers_and_no_matter_to_readers() {
    let sandbox = Sandbox::indexed(&["animals/dog-barking.wav"]);
    let sound = sandbox.add_sample("weather/rain.flac");
    let run = |args: &[&str]| sandbox.command(args).env("EARMARK_CLOCK", "-86400").output().unwrap();
    for args in [&["index", sound.to_str().unwrap()][..], &["rebuild"], &["remove", "."]] {
        let output = run(args);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && told.contains("clock of this machine"), "{told}");
        assert!(!told.contains("panicked"), "{told}");
    }
    assert!(run(&["search", "dog"]).status.success());
    assert!(run(&["info"]).status.success());
    sandbox.ok(["index", sound.to_str().unwrap()]);
}

#[test]
fn a_store_that_may_not_be_looked_at_is_not_called_gone() {
    let sandbox = Sandbox::indexed(&["animals/dog-barking.wav"]);
    let space = std::fs::read_dir(sandbox.db().join("spaces")).unwrap().next().unwrap().unwrap().path();
    let (store, kept) = (space.join("store"), space.join("kept"));
    let mode = |mode| std::fs::set_permissions(&store, std::os::unix::fs::PermissionsExt::from_mode(mode));
    // Root may look anywhere; a link to itself fails in the same way for everybody.
    mode(0o000).unwrap();
    let with_mode = std::fs::metadata(store.join("db")).is_err();
    if !with_mode {
        mode(0o755).unwrap();
        std::fs::rename(&store, &kept).unwrap();
        std::os::unix::fs::symlink("store", &store).unwrap();
    }
    for args in [&["rebuild"][..], &["remove", "--path", "*"]] {
        let told = sandbox.fails(1, args);
        assert!(told.contains("store") && !told.contains("gone") && !told.contains("delete"), "{told}");
    }
    sandbox.ok(["search", "dog"]);
    if with_mode {
        mode(0o755).unwrap();
    } else {
        std::fs::remove_file(&store).unwrap();
        std::fs::rename(&kept, &store).unwrap();
    }
    sandbox.ok(["rebuild"]);
}
