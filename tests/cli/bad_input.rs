//! What can be wrong with what people give: a clear error that names it, and the remedy.

use std::fs;

use earmark_index::{Collection, Identity, OpenOptions, Writer};

use crate::sandbox::{Sandbox, audio_fixture, sample};

const BELL: &str = "music/church-bell.flac";

#[test]
fn a_missing_path_is_named() {
    let sandbox = Sandbox::indexed(&[BELL]);
    let cases: [(i32, &[&str]); 5] = [
        (1, &["index", "gone.wav"]),
        (3, &["classify", "gone.wav", "--labels", "dog"]),
        (1, &["search", "--like", "gone.wav"]),
        (1, &["events", "gone.wav", "--labels", "dog"]),
        (1, &["info", "gone.wav"]),
    ];
    for (code, args) in cases {
        let error = sandbox.fails(code, args);
        assert!(error.contains("gone.wav") && error.contains("No such file"), "{args:?}: {error}");
    }
}

#[test]
fn an_empty_folder_holds_no_sounds() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("empty")).unwrap();
    let run = sandbox.run(["index", "empty"]);
    assert_eq!(run.code, Some(0));
    assert!(run.stderr.contains("no sound files found"), "{run:#?}");
    let error = sandbox.fails(3, ["classify", "empty", "--labels", "dog"]);
    assert!(error.contains("empty") && error.contains("no sound files"), "{error}");
    let search = sandbox.run(["search", "dog"]);
    assert!(search.stderr.contains("the index is empty"), "{search:#?}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_unreadable_file_is_named_and_the_rest_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.add_sample(BELL);
    // Reading this fails for root too.
    std::os::unix::fs::symlink("/proc/self/mem", sandbox.path("sounds/locked.wav")).unwrap();
    let run = sandbox.run(["index", "sounds"]);
    assert_eq!(run.code, Some(3), "{run:#?}");
    assert!(run.stderr.contains("failed: sounds/locked.wav") && run.stderr.contains("1 added"), "{run:#?}");
}

#[test]
fn files_that_are_not_what_they_seem_are_named_with_the_reason() {
    let sandbox = Sandbox::new();
    let cases = [
        ("bad_text.wav", "unsupported"),
        ("bad_zip.wav", "unsupported"),
        ("bad_zero_bytes.wav", "empty"),
        ("bad_no_samples.wav", "empty"),
        ("bad_nan.wav", "finite"),
    ];
    for (fixture, reason) in cases {
        fs::copy(audio_fixture(fixture), sandbox.path(fixture)).unwrap();
        let run = sandbox.run(["classify", fixture, "--labels", "dog"]);
        assert_eq!(run.code, Some(3), "{run:#?}");
        assert!(run.stderr.contains(fixture) && run.stderr.contains(reason), "{fixture}: {}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    }
}

#[test]
fn a_truncated_file_is_indexed_as_far_as_it_goes_with_a_warning() {
    let sandbox = Sandbox::new();
    for fixture in ["bad_truncated.flac", "bad_truncated.wav", "bad_truncated.mp3"] {
        sandbox.write(&format!("sounds/{fixture}"), fs::read(audio_fixture(fixture)).unwrap());
    }
    let report = sandbox.json(["index", "sounds", "--json"]);
    assert_eq!(report["added"], 3, "{report}");
    let run = sandbox.run(["index", "sounds", "--force"]);
    for fixture in ["bad_truncated.flac", "bad_truncated.wav", "bad_truncated.mp3"] {
        assert!(run.stderr.contains(&format!("warning: sounds/{fixture}: ends before")), "{run:#?}");
    }
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_instead_of_read_for_ever() {
    let sandbox = Sandbox::new();
    let pipe = sandbox.path("pipe.wav");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.to_str().unwrap(), "/dev/zero"] {
        let error = sandbox.fails(1, ["index", path]);
        assert!(error.contains(path) && error.contains("device, pipe or socket"), "{error}");
    }
    assert!(!sandbox.db().exists(), "an index was made for nothing");
}

#[cfg(unix)]
#[test]
fn odd_file_names_are_shown_safely() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    let bell = fs::read(sample(BELL)).unwrap();
    sandbox.write("sounds/two\nlines \u{1b}[31m.flac", &bell);
    sandbox.write("sounds/plain.flac", &bell);
    fs::write(sandbox.path("sounds").join(std::ffi::OsStr::from_bytes(b"caf\xe9.flac")), &bell).unwrap();
    let run = sandbox.run(["index", "sounds"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let found = sandbox.ok(["search", "church bell", "--copies"]);
    assert_eq!(found.lines().count(), 3, "{found}");
    assert!(found.contains("two\\nlines") && !found.contains('\u{1b}'), "{found}");
    assert!(found.contains(r"caf\xe9.flac"), "{found}");
    assert_eq!(sandbox.ok(["search", "church bell", "--copies", "--paths0"]).matches('\0').count(), 3);
    let playlist = sandbox.run(["search", "church bell", "--copies", "--m3u"]);
    assert_eq!(playlist.stdout.lines().count(), 9, "{playlist:#?}");
    assert!(playlist.stderr.contains("left out"), "{playlist:#?}");
}

#[test]
fn numbers_out_of_range_are_refused_by_option() {
    let sandbox = Sandbox::indexed(&[BELL]);
    let cases: [&[&str]; 11] = [
        &["search", "bell", "--in-format", "banana"],
        &["search", "bell", "--with-tag", " "],
        &["index", "sounds", "--tag", "a,b"],
        &["search", "bell", "-k", "0"],
        &["search", "bell", "--min-score", "nan"],
        &["search", "bell", "--text-weight", "inf"],
        &["search", "bell", "--not-weight=-3"],
        &["search", "bell", "--min-duration", "soon"],
        &["search", "bell", "--since", "yesterday"],
        &["classify", "sounds", "--labels", "dog", "--multi", "--threshold", "2"],
        &["classify", "sounds", "--labels", "dog", "--top", "0"],
    ];
    for args in cases {
        let error = sandbox.fails(2, args);
        assert!(error.contains("expected"), "{args:?}: {error}");
    }
}

#[test]
fn commands_that_need_an_index_say_so() {
    let sandbox = Sandbox::new();
    let cases: [&[&str]; 6] =
        [&["info"], &["list"], &["verify"], &["rebuild"], &["export", "out"], &["remove", "sounds"]];
    for args in cases {
        let error = sandbox.fails(1, args);
        assert!(error.contains("there is no index"), "{args:?}: {error}");
    }
    assert!(!sandbox.path("out").exists());
    let error = sandbox.fails(1, ["models", "show", "huge"]);
    assert!(error.contains("unknown model `huge`"), "{error}");
}

#[test]
fn an_empty_standard_input_is_told() {
    let sandbox = Sandbox::new();
    let error = sandbox.fails(3, ["classify", "-", "--labels", "dog"]);
    assert!(error.contains("standard input") && error.contains("empty"), "{error}");
}

#[test]
fn label_lists_are_checked_before_anything_is_decoded() {
    let sandbox = Sandbox::new();
    let file = sample(BELL);
    let file = file.to_str().unwrap();
    sandbox.write("none.txt", "# nothing here\n");
    sandbox.write("twice.csv", "label\ndog\nrain\nDog\n");
    let cases: [(&[&str], &str); 6] = [
        (&["--labels", ""], "empty"),
        (&["--labels", "dog,,cat"], "empty"),
        (&["--labels", "dog, rain, dog"], "`dog` is there twice"),
        (&["--labels-file", "none.txt"], "none.txt: the list is empty"),
        (&["--labels-file", "twice.csv"], "twice.csv: `Dog` is there twice"),
        (&["--labels", "dog", "--template", "no place"], "`no place`"),
    ];
    for (labels, expected) in cases {
        for command in ["classify", "events"] {
            let error = sandbox.fails(1, [&[command, file], labels].concat());
            assert!(error.contains(expected), "{labels:?}: {error}");
        }
    }
    sandbox.fails(2, ["classify", file]);
    sandbox.fails(2, ["classify", "--labels", "dog"]);
}

#[test]
fn an_index_gets_a_folder_of_its_own() {
    let sandbox = Sandbox::new();
    sandbox.add_sample(BELL);
    let error = sandbox.fails(1, ["index", "sounds", "--db", "sounds"]);
    assert!(error.contains("sounds is no index, and not empty"), "{error}");
    assert_eq!(fs::read_dir(sandbox.path("sounds")).unwrap().count(), 1);
    let error = sandbox.fails(1, ["index", "sounds", "--db", "sounds/church-bell.flac"]);
    assert!(error.contains("is a file"), "{error}");
    fs::create_dir(sandbox.path("empty")).unwrap();
    sandbox.ok(["index", "sounds", "--db", "empty"]);
}

#[test]
fn an_unknown_model_is_refused_with_those_there_are() {
    let sandbox = Sandbox::new();
    sandbox.add_sample(BELL);
    let error = sandbox.fails(1, ["index", "sounds", "--model", "huge"]);
    assert!(error.contains("unknown model `huge`") && error.contains("mini"), "{error}");
    assert!(!sandbox.db().exists(), "an index was made for a model that does not exist");
    sandbox.ok(["index", "sounds"]);
    let error = sandbox.fails(1, ["search", "bell", "--model", "huge"]);
    assert!(error.contains("unknown model `huge`") && !error.contains("was made with"), "{error}");
}

#[test]
fn an_index_made_with_another_model_is_not_mixed() {
    let sandbox = Sandbox::new();
    sandbox.add_sample(BELL);
    // With another hop, so that its vectors are others.
    sandbox.add_model("a-folder", "own", |m| m.replace("hop_samples = 80000", "hop_samples = 40000"));
    sandbox.ok(["index", "sounds", "--model", "a-folder"]);
    // Without a name the model that made the index is used, which the index knows by the id in its manifest.
    assert!(sandbox.ok(["search", "church bell"]).contains("church-bell.flac"));
    assert_eq!(sandbox.json(["index", "sounds", "--json"])["unchanged"], 1);
    let error = sandbox.fails(1, ["search", "bell", "--model", "mini"]);
    assert!(error.contains("no vectors of `mini`") && error.contains("only of: own-"), "{error}");
    // A damaged file of the model is refused before it is run.
    fs::write(sandbox.path("config/earmark/models/a-folder/text.onnx"), "x").unwrap();
    let error = sandbox.fails(1, ["search", "bell"]);
    assert!(error.contains("text.onnx") && error.contains("bytes"), "{error}");
}

#[test]
fn an_index_that_is_being_written_can_be_read_and_says_who_writes() {
    let sandbox = Sandbox::indexed(&[BELL]);
    let collection = Collection::open(&sandbox.db(), &OpenOptions::default()).unwrap();
    let held = Writer::open(&collection.current().unwrap().path, None, &OpenOptions::default()).unwrap();
    for args in
        [vec!["index", "sounds"], vec!["remove", "sounds"], vec!["rebuild"], vec!["rebuild", "--wait=0.1"]]
    {
        let error = sandbox.fails(1, args);
        let writer = format!("(process {}, for ", std::process::id());
        assert!(error.contains("is being written by `it") && error.contains(&writer), "{error}");
        assert!(error.contains("--wait"), "{error}");
    }
    let reads: [&[&str]; 7] = [
        &["search", "bell"],
        &["list"],
        &["info"],
        &["export", "out"],
        &["verify"],
        &["classify", "--indexed", "--labels", "bell, rain"],
        &["spaces"],
    ];
    for args in reads {
        sandbox.ok(args);
    }
    let verified = sandbox.run(["verify"]);
    assert!(verified.stdout.contains("only what readers see was checked: "), "{verified:#?}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| sandbox.run(["rebuild", "--wait"]));
        std::thread::sleep(std::time::Duration::from_millis(1500));
        drop(held);
        let run = waiting.join().unwrap();
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(run.stderr.contains("waiting: the index"), "{run:#?}");
    });
}

#[test]
fn an_index_of_another_format_or_none_at_all_is_told() {
    let sandbox = Sandbox::new();
    let error = sandbox.fails(1, ["search", "bell"]);
    assert!(error.contains("there is no index") && error.contains("earmark index"), "{error}");
    let other = Identity {
        model_id: "vanished".to_owned(),
        manifest_hash: "0".repeat(64),
        pipeline_version: 1,
        dim: 4,
    };
    let collection = Collection::open_or_new(&sandbox.db(), &OpenOptions::default()).unwrap();
    collection.make(&other).unwrap();
    let error = sandbox.fails(1, ["search", "bell"]);
    assert!(error.contains("vanished") && error.contains("unknown model"), "{error}");
}

#[test]
fn a_missing_or_wrong_runtime_is_a_clear_error() {
    let sandbox = Sandbox::indexed(&[BELL]);
    let error = sandbox.fails(1, ["search", "bell", "--onnxruntime", "gone.so"]);
    assert!(error.contains("gone.so") && error.contains("no such file"), "{error}");
    sandbox.write("wrong.so", "not a library");
    let error = sandbox.fails(1, ["search", "bell", "--onnxruntime", "wrong.so"]);
    assert!(error.contains("wrong.so") && error.contains("1.20"), "{error}");
}

#[test]
fn a_device_that_this_onnx_runtime_does_not_offer_is_refused_with_those_there_are() {
    let sandbox = Sandbox::indexed(&[BELL]);
    let bell = sandbox.path("sounds").join("church-bell.flac");
    let classify = |device: &str| {
        let bell = bell.display().to_string();
        ["classify", bell.as_str(), "--labels", "bell, dog", "--device", device].map(str::to_owned)
    };
    let error = sandbox.fails(1, classify("cuda"));
    for part in ["does not offer `cuda`, only cpu", "setup --gpu", "--device auto"] {
        assert!(error.contains(part), "no {part:?} in: {error}");
    }
    let error = sandbox.fails(2, classify("gpu"));
    assert!(error.contains("auto, cpu, cuda"), "{error}");
    // For `auto` the processor does, and that is said.
    let run = sandbox.run(classify("auto"));
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("bell"), "{run:#?}");
    assert!(run.stderr.contains("audio runs on `cpu`") && run.stderr.contains("offers no other"), "{run:#?}");
}
