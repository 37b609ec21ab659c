//! `earmark index`: incremental, and honest about what it did.

use std::fs;

use serde_json::Value;

use crate::sandbox::{Sandbox, result_names};

const BELL: &str = "music/church-bell.flac";
const RAIN: &str = "weather/rain.flac";
const SIREN: &str = "alarms/siren-wail.mp3";

pub(super) fn counts(report: &Value) -> Vec<(&str, u64)> {
    ["added", "updated", "unchanged", "moved", "copied", "pruned", "excluded", "known_bad"]
        .into_iter()
        .map(|key| (key, report[key].as_u64().unwrap()))
        .filter(|(_, n)| *n > 0)
        .collect()
}

fn index(sandbox: &Sandbox, extra: &[&str]) -> Value {
    let mut args = vec!["index", "sounds", "--json"];
    args.extend(extra);
    let run = sandbox.run(args);
    assert!(matches!(run.code, Some(0 | 3)), "{run:#?}");
    serde_json::from_str(&run.stdout).unwrap()
}

/// ONNX Runtime's own builds would leave a device id and a queue of events for their maker in the cache folder.
#[test]
fn nothing_is_kept_for_anybodys_telemetry() {
    let sandbox = Sandbox::new();
    let file = crate::sandbox::sample_arg("alarms/siren-wail.mp3");
    let mut command = sandbox.command(["classify", &file, "--labels", "siren, dog"]);
    // What would stop it by itself, so that we are what stops it.
    let run = command.env_remove("ORT_DISABLE_TELEMETRY").env_remove("CI").output().unwrap();
    assert!(run.status.success(), "{run:?}");
    assert!(!sandbox.path("cache").exists());
}

#[test]
fn a_second_run_does_nothing_and_changes_are_followed() {
    let sandbox = Sandbox::new();
    for sample in [BELL, RAIN, SIREN] {
        sandbox.add_sample(sample);
    }
    assert_eq!(counts(&index(&sandbox, &[])), [("added", 3)]);
    assert_eq!(counts(&index(&sandbox, &[])), [("unchanged", 3)]);

    // Touched, but the same content.
    let rain = sandbox.path("sounds/rain.flac");
    fs::write(&rain, fs::read(&rain).unwrap()).unwrap();
    assert_eq!(counts(&index(&sandbox, &[])), [("unchanged", 3)]);

    // Replaced by another sound under the same name.
    fs::copy(sandbox.path("sounds/church-bell.flac"), &rain).unwrap();
    assert_eq!(counts(&index(&sandbox, &[])), [("updated", 1), ("unchanged", 2)]);
    let found = result_names(&sandbox.json(["search", "church bell", "--copies", "--json"]));
    assert!(found.contains(&"rain.flac".to_owned()), "{found:?}");
}

#[test]
fn moved_files_keep_their_clip_and_copies_are_not_encoded_again() {
    let sandbox = Sandbox::indexed(&[BELL, RAIN]);
    let id = |name: &str| {
        let list = sandbox.json(["list", "--json"]);
        let clip = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["path"].as_str().unwrap().ends_with(name))
            .cloned();
        clip.map(|c| c["id"].as_str().unwrap().to_owned())
    };
    let before = id("rain.flac").unwrap();
    fs::create_dir(sandbox.path("sounds/wet")).unwrap();
    fs::rename(sandbox.path("sounds/rain.flac"), sandbox.path("sounds/wet/drizzle.flac")).unwrap();
    fs::copy(sandbox.path("sounds/church-bell.flac"), sandbox.path("sounds/bell-again.flac")).unwrap();
    let report = index(&sandbox, &[]);
    assert_eq!(counts(&report), [("unchanged", 1), ("moved", 1), ("copied", 1)]);
    assert_eq!(report["audio_s"], 0.0, "something was encoded again");
    assert_eq!(id("wet/drizzle.flac"), Some(before));
    assert_eq!(id("sounds/rain.flac"), None);
    sandbox.ok(["verify", "--files"]);
}

#[test]
fn prune_removes_what_is_gone_and_only_that() {
    let more = ["animals/dog-barking.wav", SIREN];
    let sandbox = Sandbox::indexed(&[&[BELL, RAIN], &more[..]].concat());
    fs::remove_file(sandbox.path("sounds/rain.flac")).unwrap();
    assert_eq!(counts(&index(&sandbox, &[])), [("unchanged", 3)]);
    assert!(sandbox.ok(["list"]).contains("rain.flac"), "without --prune nothing is removed");
    assert_eq!(counts(&index(&sandbox, &["--prune"])), [("unchanged", 3), ("pruned", 1)]);
    assert!(!sandbox.ok(["list"]).contains("rain.flac"));
    sandbox.ok(["verify", "--files"]);
}

#[test]
fn bad_files_are_listed_remembered_and_never_stop_the_job() {
    let sandbox = Sandbox::new();
    sandbox.add_sample(BELL);
    sandbox.write("sounds/notes.wav", "this is no sound");
    sandbox.write("sounds/empty.wav", "");
    let run = sandbox.run(["index", "sounds"]);
    assert_eq!(run.code, Some(3), "{run:#?}");
    for name in ["notes.wav", "empty.wav"] {
        assert!(run.stderr.contains(&format!("failed: sounds/{name}: ")), "{run:#?}");
    }
    assert!(run.stderr.contains("1 added, 2 failed"), "{run:#?}");

    let again = sandbox.run(["index", "sounds"]);
    assert_eq!(again.code, Some(0), "known bad files are not failures of this run: {again:#?}");
    assert!(again.stderr.contains("2 known to be bad"), "{again:#?}");
    let failed = sandbox.json(["list", "--failed", "--json"]);
    assert_eq!(failed["items"].as_array().unwrap().len(), 2);
    assert_eq!(sandbox.run(["index", "sounds", "--retry-failed"]).code, Some(3));

    // Mended, it is taken up and no longer bad.
    fs::copy(sandbox.path("sounds/church-bell.flac"), sandbox.path("sounds/empty.wav")).unwrap();
    assert_eq!(counts(&index(&sandbox, &[])), [("unchanged", 1), ("copied", 1), ("known_bad", 1)]);
    assert_eq!(sandbox.json(["list", "--failed", "--json"])["items"].as_array().unwrap().len(), 1);
}

#[test]
fn vectors_are_the_same_on_any_number_of_threads() {
    let sandbox = Sandbox::new();
    for sample in [BELL, RAIN, SIREN, "events/dog-in-rain.wav", "voice/man-spanish.opus"] {
        sandbox.add_sample(sample);
    }
    let export = |threads: &str| {
        let (db, out) = (format!("{threads}.earmark"), format!("out-{threads}"));
        sandbox.ok(["index", "sounds", "--threads", threads, "--db", &db, "-q"]);
        sandbox.ok(["export", &out, "--db", &db]);
        let lines = fs::read_to_string(sandbox.path(&out).join("clips.jsonl")).unwrap();
        let vectors = fs::read(sandbox.path(&out).join("vectors.npy")).unwrap();
        // Clips are numbered in the order they finish, so rows are compared by path.
        let row_bytes = 623 * 4;
        let data = vectors.len() / row_bytes * row_bytes;
        let start = vectors.len() - data;
        let mut rows: Vec<(String, Vec<u8>)> = lines
            .lines()
            .map(|line| {
                let clip: Value = serde_json::from_str(line).unwrap();
                let first = start + clip["row"].as_u64().unwrap() as usize * row_bytes;
                let count = clip["segments"].as_array().unwrap().len();
                (
                    clip["path"].as_str().unwrap().to_owned(),
                    vectors[first..first + count * row_bytes].to_vec(),
                )
            })
            .collect();
        rows.sort();
        rows
    };
    let one = export("1");
    assert_eq!(one.len(), 5);
    assert_eq!(one, export("2"));
    assert_eq!(one, export("5"));
}

#[test]
fn a_good_file_that_goes_bad_is_not_found_by_what_it_was() {
    let sandbox = Sandbox::indexed(&[BELL, RAIN]);
    sandbox.write("sounds/rain.flac", "no sound any more");
    let run = sandbox.run(["index", "sounds"]);
    assert_eq!(run.code, Some(3), "{run:#?}");
    let list = sandbox.ok(["list"]);
    assert!(list.contains("church-bell.flac") && !list.contains("rain.flac"), "{list}");
    assert!(sandbox.ok(["list", "--failed"]).contains("rain.flac"));
    sandbox.ok(["verify", "--files"]);
}

#[test]
fn a_file_that_could_not_be_read_is_tried_again() {
    let sandbox = Sandbox::indexed(&[BELL]);
    let link = sandbox.path("sounds/later.wav");
    std::os::unix::fs::symlink("/proc/self/mem", &link).unwrap();
    assert_eq!(sandbox.run(["index", "sounds"]).code, Some(3));
    assert_eq!(sandbox.json(["list", "--failed", "--json"])["items"].as_array().unwrap().len(), 0);
    assert_eq!(sandbox.run(["index", "sounds"]).code, Some(3), "it was not tried again");
}

#[test]
fn a_folder_has_one_name_wherever_it_is_named_from() {
    let sandbox = Sandbox::indexed(&[BELL, RAIN]);
    fs::create_dir(sandbox.path("elsewhere")).unwrap();
    let run = |args: &[&str]| {
        let output = sandbox.command(args).current_dir(sandbox.path("elsewhere")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let report: Value = serde_json::from_str(&run(&["index", "../sounds", "--json"])).unwrap();
    assert_eq!(counts(&report), [("unchanged", 2)]);
    assert_eq!(run(&["list", "--path", "../sounds/*.flac"]).lines().count(), 2);
    run(&["remove", "../sounds/rain.flac"]);
    assert_eq!(sandbox.ok(["list"]).lines().count(), 1);
}

#[test]
fn tags_are_given_to_new_and_unchanged_clips() {
    let sandbox = Sandbox::indexed(&[BELL, RAIN]);
    sandbox.ok(["index", "sounds/rain.flac", "--tag", "wet"]);
    let tagged = sandbox.json(["list", "--with-tag", "wet", "--json"]);
    assert_eq!(tagged["items"].as_array().unwrap().len(), 1);
    assert_eq!(tagged["items"][0]["tags"][0], "wet");
    // A clip keeps its tags when its sound is replaced, and gets new ones besides.
    fs::copy(sandbox.path("sounds/church-bell.flac"), sandbox.path("sounds/rain.flac")).unwrap();
    sandbox.ok(["index", "sounds/rain.flac", "--tag", "loud"]);
    let tagged = sandbox.json(["list", "--with-tag", "wet", "--with-tag", "loud", "--json"]);
    assert_eq!(tagged["items"].as_array().unwrap().len(), 1);
}

#[test]
fn info_and_completions_print_what_they_promise() {
    let sandbox = Sandbox::indexed(&[BELL]);
    let info = sandbox.json(["info", "--json"]);
    assert_eq!((info["clips"].as_u64(), info["model"].as_str()), (Some(1), Some("mini")));
    let file = sandbox.json(["info", "sounds/church-bell.flac", "--json"]);
    assert_eq!((file["format"].as_str(), file["codec"].as_str()), (Some("flac"), Some("flac")));
    assert!(file["indexed"]["clip_id"].is_string(), "{file}");
    assert!(sandbox.ok(["completions", "bash"]).contains("earmark"));
    assert!(sandbox.ok(["models", "list"]).contains("bundled, the default"));
    assert!(sandbox.ok(["models", "show", "mini"]).contains("as the manifest says"));
}
