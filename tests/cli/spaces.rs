//! Several models side by side in one index: `--model`, `earmark spaces`, and indexes from before there were spaces.

use std::fs;

use serde_json::Value;

use super::recovery::Tmpfs;
use crate::sandbox::{Sandbox, repo, result_names};

const BELL: &str = "music/church-bell.flac";
const RAIN: &str = "weather/rain.flac";
const SIREN: &str = "alarms/siren-wail.mp3";

/// Adds a model that hears as `mini` does, but cuts sounds into other segments.
pub(crate) fn add_second_model(sandbox: &Sandbox) {
    sandbox.add_model("second-folder", "second", |m| m.replace("_samples = 80000", "_samples = 40000"));
}

/// The spaces as `earmark spaces list --json` tells of them.
pub(crate) fn spaces(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.json(["spaces", "list", "--json"]).as_array().unwrap().clone()
}

/// The name of the current space.
pub(crate) fn current(sandbox: &Sandbox) -> String {
    let spaces = spaces(sandbox);
    let mut current = spaces.iter().filter(|space| space["current"] == true);
    let name = current.next().unwrap()["name"].as_str().unwrap().to_owned();
    assert!(current.next().is_none());
    name
}

/// Clips and segments of a model's space.
pub(crate) fn size(sandbox: &Sandbox, model: &str) -> (u64, u64) {
    let spaces = spaces(sandbox);
    let space = spaces.iter().find(|space| space["model"] == model).unwrap();
    (space["clips"].as_u64().unwrap(), space["segments"].as_u64().unwrap())
}

fn both() -> Sandbox {
    let sandbox = Sandbox::indexed(&[BELL, RAIN]);
    add_second_model(&sandbox);
    let run = sandbox.run(["index", "sounds", "--model", "second"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stderr.contains("beside the current one, `mini-"), "{run:#?}");
    sandbox
}

#[test]
fn two_models_stand_side_by_side_and_each_is_searched() {
    let sandbox = both();
    assert!(current(&sandbox).starts_with("mini-"), "another model's index took over");
    let (mini, second) = (size(&sandbox, "mini"), size(&sandbox, "second"));
    assert_eq!((mini.0, second.0), (2, 2));
    assert!(second.1 > mini.1, "the second model cuts finer: {mini:?} {second:?}");

    let search = |extra: &[&str]| sandbox.json([&["search", "church bell", "--json"], extra].concat());
    for (extra, model) in
        [(&[][..], "mini"), (&["--model", "second"], "second"), (&["--model", "second-folder"], "second")]
    {
        let found = search(extra);
        assert_eq!(found["model"], model);
        assert_eq!(result_names(&found)[0], "church-bell.flac");
    }
    let info = sandbox.json(["info", "--json", "--model", "second"]);
    assert_eq!((info["model"].as_str(), info["segments"].as_u64()), (Some("second"), Some(second.1)));
    assert_eq!(info["spaces"].as_array().unwrap().len(), 2);
    assert!(sandbox.ok(["info"]).contains("(also: second-"));

    // Each is kept up by itself.
    sandbox.add_sample(SIREN);
    assert_eq!(sandbox.json(["index", "sounds", "--json"])["added"], 1);
    assert_eq!((size(&sandbox, "mini").0, size(&sandbox, "second").0), (3, 2));
    assert_eq!(sandbox.json(["index", "sounds", "--json", "--model", "second"])["added"], 1);
    sandbox.ok(["verify", "--model", "second"]);
    let verified = sandbox.json(["verify", "--all", "--json"]);
    let clean = |space: &Value| space["clean"] == true && space["clips"] == 3;
    assert!(verified.as_array().unwrap().len() == 2 && verified.as_array().unwrap().iter().all(clean));
}

#[test]
fn a_model_without_a_space_is_told_with_those_there_are() {
    let sandbox = Sandbox::indexed(&[BELL]);
    add_second_model(&sandbox);
    for args in
        [&["search", "bell"][..], &["list"], &["export", "out"], &["classify", "--indexed", "--labels", "x"]]
    {
        let error = sandbox.fails(1, args.iter().chain(&["--model", "second"]));
        assert!(error.contains("no vectors of `second`") && error.contains("mini-"), "{args:?}: {error}");
        assert!(error.contains("earmark reembed --model"), "{args:?}: {error}");
    }
    assert_eq!(spaces(&sandbox).len(), 1, "asking for a space made it");
}

#[test]
fn the_current_space_can_be_chosen_and_others_dropped() {
    let sandbox = both();
    let mini = current(&sandbox);
    let error = sandbox.fails(1, ["spaces", "drop", "mini"]);
    assert!(error.contains("is the current space") && error.contains("spaces use"), "{error}");
    let error = sandbox.fails(1, ["spaces", "use", "third"]);
    assert!(error.contains("no vectors of `third`") && error.contains(&mini), "{error}");

    sandbox.ok(["spaces", "use", "second-folder"]);
    assert_eq!(sandbox.json(["search", "bell", "--json"])["model"], "second");
    let listed = sandbox.ok(["spaces"]);
    let starred: Vec<&str> = listed.lines().filter(|line| line.starts_with('*')).collect();
    assert!(starred.len() == 1 && starred[0].contains("second-"), "{listed}");

    // By its own name a space is found even without its model.
    fs::remove_dir_all(sandbox.path("config")).unwrap();
    sandbox.ok(["spaces", "use", &mini]);
    sandbox.ok(["spaces", "drop", "second"]);
    assert_eq!(spaces(&sandbox).len(), 1);
    assert_eq!(fs::read_dir(sandbox.db().join("spaces")).unwrap().count(), 1);
    assert_eq!(sandbox.json(["list", "--json"])["items"].as_array().unwrap().len(), 2);
    assert!(sandbox.path("sounds/rain.flac").exists());
}

#[test]
fn clips_are_taken_out_of_every_space_unless_one_is_named() {
    let sandbox = both();
    sandbox.ok(["remove", "sounds/rain.flac", "--model", "second"]);
    assert_eq!((size(&sandbox, "mini").0, size(&sandbox, "second").0), (2, 1));
    sandbox.ok(["index", "sounds", "--model", "second"]);
    sandbox.ok(["remove", "sounds/rain.flac"]);
    assert_eq!((size(&sandbox, "mini").0, size(&sandbox, "second").0), (1, 1));
    // One that only another space has is found there.
    sandbox.ok(["remove", "sounds/church-bell.flac", "--model", "mini"]);
    sandbox.ok(["remove", "sounds/church-bell.flac"]);
    assert_eq!((size(&sandbox, "mini").0, size(&sandbox, "second").0), (0, 0));
}

#[test]
fn an_export_comes_back_into_its_own_models_space() {
    let sandbox = both();
    sandbox.ok(["export", "out", "--model", "second"]);
    let before = size(&sandbox, "second");
    sandbox.ok(["spaces", "drop", "second"]);
    let run = sandbox.run(["import", "out"]);
    assert!(run.code == Some(0) && run.stderr.contains("space `second-"), "{run:#?}");
    assert_eq!(size(&sandbox, "second"), before);
    assert!(current(&sandbox).starts_with("mini-"));

    // Half a space is worse than none.
    sandbox.ok(["spaces", "drop", "second"]);
    sandbox.write("out/vectors.npy", &fs::read(sandbox.path("out/vectors.npy")).unwrap()[..400]);
    sandbox.fails(1, ["import", "out"]);
    assert_eq!(spaces(&sandbox).len(), 1);
}

#[test]
fn an_index_from_before_there_were_spaces_is_taken_over() {
    let sandbox = Sandbox::new();
    let old = repo().join("crates/index/tests/old-layout");
    for file in ["last-commit", "store/conf", "store/db"] {
        sandbox.write(&format!("test.earmark/{file}"), fs::read(old.join(file)).unwrap());
    }
    // The fixture's README says why.
    let db = fs::File::options().write(true).open(sandbox.path("test.earmark/store/db")).unwrap();
    db.set_len(524_287).unwrap();
    drop(db);
    let listed = sandbox.ok(["list", "--with-tag", "old"]);
    assert!(listed.contains("church-bell.flac") && listed.contains("siren-wail.mp3"), "{listed}");
    sandbox.ok(["verify"]);
    let name = current(&sandbox);
    assert!(name.starts_with("mini-") && sandbox.db().join("spaces").join(name).join("store").is_dir());
    assert!(!sandbox.db().join("store").exists());
}

#[test]
fn a_lost_note_of_the_current_space_is_told_with_the_remedy() {
    let sandbox = both();
    let name = current(&sandbox);
    fs::write(sandbox.db().join("current"), "x").unwrap();
    let error = sandbox.fails(1, ["search", "bell"]);
    assert!(error.contains("lost its current space `x`") && error.contains("spaces use"), "{error}");
    let list = sandbox.run(["spaces"]);
    assert!(
        list.code == Some(0) && list.stdout.contains(&name) && list.stderr.contains("spaces use"),
        "{list:#?}"
    );
    assert_eq!(sandbox.json(["search", "bell", "--json", "--model", "second"])["model"], "second");
    sandbox.ok(["spaces", "use", "mini"]);
    assert_eq!(current(&sandbox), name);
}

#[test]
fn spaces_on_a_read_only_disk_can_be_searched_and_not_changed() {
    let sandbox = Sandbox::new();
    let Some(disk) = Tmpfs::mount(&sandbox, "60m") else { return };
    sandbox.add_sample(BELL);
    add_second_model(&sandbox);
    let on_disk = |args: &[&str]| sandbox.run(args.iter().chain(&["--db", "small/db"]));
    for model in ["mini", "second"] {
        assert_eq!(on_disk(&["index", "sounds", "--model", model]).code, Some(0));
    }
    disk.remount("ro");
    for model in ["mini", "second"] {
        let run = on_disk(&["search", "bell", "--model", model]);
        assert!(run.code == Some(0) && run.stdout.contains("church-bell.flac"), "{run:#?}");
    }
    let list = on_disk(&["spaces"]);
    assert!(
        list.code == Some(0) && list.stdout.contains("mini-") && list.stdout.contains("second-"),
        "{list:#?}"
    );
    for args in
        [&["spaces", "use", "second"][..], &["spaces", "drop", "second"], &["reembed", "--model", "second"]]
    {
        let run = on_disk(args);
        assert!(run.code == Some(1) && run.stderr.contains("read-only"), "{args:?}: {run:#?}");
    }
}
