//! `earmark reembed`: another model beside the old one, never instead of it before all is done.

use std::fs;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::recovery::{killed_in_the_middle, library, signal};
use super::spaces::{add_second_model, current, size, spaces};
use crate::sandbox::{Run, Sandbox, result_names};

const BELL: &str = "music/church-bell.flac";
const RAIN: &str = "weather/rain.flac";

/// A library that takes some seconds to embed, indexed with `mini`, and a second model to embed it with.
fn indexed_library(copies: usize) -> Sandbox {
    let sandbox = library(copies);
    sandbox.ok(["index", "sounds", "-q"]);
    add_second_model(&sandbox);
    sandbox
}

fn start(sandbox: &Sandbox) -> Child {
    let mut command = sandbox.command(["reembed", "--model", "second"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn clips_and_their_tags_go_into_the_new_space_which_becomes_current() {
    let sandbox = Sandbox::indexed(&[BELL, RAIN]);
    add_second_model(&sandbox);
    sandbox.ok(["index", "sounds/rain.flac", "--tag", "wet"]);
    let mini = current(&sandbox);
    let kept = sandbox.json(["reembed", "--model", "second", "--no-switch", "--json"]);
    assert_eq!((kept["embedded"].as_u64(), kept["switched"].as_bool()), (Some(2), Some(false)));
    assert_eq!(current(&sandbox), mini);

    // What is there is not done again, but tags and clips that are new go along.
    sandbox.ok(["index", "sounds/church-bell.flac", "--tag", "loud"]);
    let run = sandbox.run(["reembed", "--model", "second"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stderr.contains("0 of 2 clips embedded, 2 were there already"), "{run:#?}");
    for command in [format!("spaces use {mini}"), format!("spaces drop {mini}")] {
        assert!(run.stderr.contains(&command), "{run:#?}");
    }
    assert_eq!(sandbox.json(["search", "bell", "--json"])["model"], "second");
    for (tag, name) in [("wet", "rain.flac"), ("loud", "church-bell.flac")] {
        let tagged = sandbox.json(["list", "--with-tag", tag, "--json"]);
        assert!(tagged["total"] == 1 && tagged["items"][0]["path"].as_str().unwrap().ends_with(name));
    }
    sandbox.ok(["verify", "--files"]);
    let again = sandbox.run(["reembed"]);
    assert!(again.code == Some(0) && again.stderr.contains("nothing to do"), "{again:#?}");
    sandbox.ok(["spaces", "use", &mini]);
    assert_eq!(sandbox.json(["search", "bell", "--json"])["model"], "mini");
}

#[test]
fn clips_taken_out_of_the_old_space_since_an_earlier_run_are_told_of() {
    let sandbox = Sandbox::indexed(&[BELL, RAIN]);
    add_second_model(&sandbox);
    sandbox.ok(["reembed", "--model", "second", "--no-switch"]);
    sandbox.ok(["remove", "--model", "mini", "sounds/rain.flac"]);
    let run = sandbox.run(["reembed", "--model", "second"]);
    assert!(run.code == Some(0) && run.stderr.contains("1 more in `second-"), "{run:#?}");
    assert_eq!(sandbox.json(["list", "--json"])["items"].as_array().unwrap().len(), 2, "they stay");
}

#[test]
fn a_new_version_of_the_model_asks_for_a_reembedding() {
    let sandbox = Sandbox::new();
    sandbox.add_sample(BELL);
    add_second_model(&sandbox);
    sandbox.ok(["index", "sounds", "--model", "second"]);
    let old = current(&sandbox);
    sandbox.add_model("second-folder", "second", |m| m.replace("hop_samples = 80000", "hop_samples = 20000"));
    for args in [&["search", "bell"][..], &["index", "sounds"], &["index", "sounds", "--model", "second"]] {
        let error = sandbox.fails(1, args);
        assert!(error.contains("`earmark reembed`"), "{args:?}: {error}");
    }
    assert_eq!(spaces(&sandbox).len(), 1);
    // The list needs no model.
    assert!(sandbox.ok(["list"]).contains("church-bell.flac"));

    sandbox.ok(["reembed"]);
    assert_ne!(current(&sandbox), old);
    assert_eq!(result_names(&sandbox.json(["search", "bell", "--json"])), ["church-bell.flac"]);
    let error = sandbox.fails(1, ["spaces", "drop", "second"]);
    assert!(error.contains("several spaces of `second`") && error.contains(&old), "{error}");
    sandbox.ok(["spaces", "drop", &old]);
    assert_eq!(spaces(&sandbox).len(), 1);
}

#[test]
fn files_that_are_gone_keep_the_old_space_current_unless_told_otherwise() {
    let sandbox = Sandbox::indexed(&[BELL, RAIN]);
    add_second_model(&sandbox);
    let mini = current(&sandbox);
    fs::remove_file(sandbox.path("sounds/rain.flac")).unwrap();
    let run = sandbox.run(["reembed", "--model", "second"]);
    assert_eq!(run.code, Some(3), "{run:#?}");
    for said in ["failed: sounds/rain.flac: ", "not switched: 1 of 2 clips", "--partial"] {
        assert!(run.stderr.contains(said), "{said}: {run:#?}");
    }
    assert_eq!(current(&sandbox), mini);
    assert_eq!(
        sandbox.json(["list", "--json"])["items"].as_array().unwrap().len(),
        2,
        "the old space lost a clip"
    );

    let run = sandbox.run(["reembed", "--model", "second", "--partial"]);
    assert!(run.code == Some(3) && run.stderr.contains("failed: sounds/rain.flac"), "{run:#?}");
    assert!(current(&sandbox).starts_with("second-"));
    assert_eq!((size(&sandbox, "mini").0, size(&sandbox, "second").0), (2, 1));
}

#[test]
fn a_library_that_is_not_mounted_is_no_reason_to_switch_to_nothing() {
    let sandbox = Sandbox::indexed(&[BELL, RAIN]);
    add_second_model(&sandbox);
    fs::rename(sandbox.path("sounds"), sandbox.path("away")).unwrap();
    let run = sandbox.run(["reembed", "--model", "second", "--partial"]);
    assert!(run.code == Some(3) && run.stderr.contains("not switched: 2 of 2"), "{run:#?}");
    assert!(current(&sandbox).starts_with("mini-"));
    // A space that holds them already lacks nothing.
    fs::rename(sandbox.path("away"), sandbox.path("sounds")).unwrap();
    sandbox.ok(["reembed", "--model", "second", "--no-switch"]);
    fs::rename(sandbox.path("sounds"), sandbox.path("away")).unwrap();
    sandbox.ok(["reembed", "--model", "second"]);
    assert!(current(&sandbox).starts_with("second-"));
}

#[test]
fn killed_at_any_time_the_old_space_is_whole_and_current_and_the_next_run_goes_on() {
    const COPIES: usize = 60;
    let sandbox = indexed_library(COPIES);
    let mini = current(&sandbox);
    killed_in_the_middle(
        [30, 300, 700, 1100],
        || start(&sandbox),
        || {
            assert_eq!(current(&sandbox), mini);
            assert_eq!(size(&sandbox, "mini").0, COPIES as u64);
        },
    );
    let before = spaces(&sandbox).iter().find(|s| s["model"] == "second").map(|s| s["clips"].clone());
    let report = sandbox.json(["reembed", "--model", "second", "--json"]);
    assert_eq!(report["unchanged"], before.unwrap_or(0.into()), "what was finished was done again");
    assert_eq!(report["embedded"].as_u64().unwrap() + report["unchanged"].as_u64().unwrap(), COPIES as u64);
    assert_eq!(current(&sandbox), report["to"].as_str().unwrap());
    assert_eq!(size(&sandbox, "second").0, COPIES as u64);
    sandbox.ok(["verify", "--files"]);
}

#[test]
fn ctrl_c_keeps_what_is_finished_and_does_not_switch() {
    let sandbox = indexed_library(120);
    let child = start(&sandbox);
    sleep(Duration::from_millis(700));
    signal(&child, "-INT");
    let run: Run = child.wait_with_output().unwrap().into();
    // A fast machine may have been done already.
    if run.code != Some(0) {
        assert_eq!(run.code, Some(130), "{run:#?}");
        assert!(run.stderr.contains("goes on from here"), "{run:#?}");
        assert!(current(&sandbox).starts_with("mini-"));
        assert!(size(&sandbox, "second").0 < 120);
    }
}

#[test]
fn the_old_space_is_in_use_meanwhile_and_what_is_added_there_is_not_lost() {
    let sandbox = indexed_library(60);
    sandbox.write("more/bell.flac", fs::read(crate::sandbox::sample(BELL)).unwrap());
    let mut child = start(&sandbox);
    sleep(Duration::from_millis(300));
    let search = sandbox.json(["search", "rain", "--copies", "--json"]);
    assert_eq!((search["model"].as_str(), result_names(&search).len()), (Some("mini"), 10));
    sandbox.ok(["index", "more", "--tag", "late"]);
    if child.try_wait().unwrap().is_some() {
        // A fast machine was done before the clip was added.
        return;
    }
    let run: Run = child.wait_with_output().unwrap().into();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stderr.contains("61 of 61 clips embedded"), "{run:#?}");
    assert!(current(&sandbox).starts_with("second-"));
    let late = sandbox.json(["list", "--with-tag", "late", "--json"]);
    assert_eq!(late["total"], 1);
}

#[test]
fn a_damaged_model_is_told_before_anything_is_made() {
    let sandbox = Sandbox::indexed(&[BELL]);
    add_second_model(&sandbox);
    fs::write(sandbox.path("config/earmark/models/second-folder/audio.onnx"), "x").unwrap();
    for args in [&["reembed"][..], &["index", "sounds"]] {
        let error = sandbox.fails(1, args.iter().chain(&["--model", "second"]));
        assert!(error.contains("audio.onnx"), "{args:?}: {error}");
    }
    assert_eq!(spaces(&sandbox).len(), 1);
}
