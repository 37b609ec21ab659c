//! `earmark fit`, `adapt` and `labels`: what is learned, where it is used, what is refused.

use std::fs;

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, repo, sample_arg};

/// Kinds of sample sounds that have names which say what they are.
const KINDS: [&str; 3] = ["alarms", "animals", "voice"];

/// The sample sounds of these kinds in `set/`, a folder a kind.
fn labelled() -> Sandbox {
    let sandbox = Sandbox::new();
    for kind in KINDS {
        for entry in fs::read_dir(repo().join("index-data/sounds").join(kind)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            sandbox.write(&format!("set/{kind}/{name}"), fs::read(entry.path()).unwrap());
        }
    }
    sandbox
}

/// As [`labelled`], with the set `kinds` fitted.
fn fitted() -> Sandbox {
    let sandbox = labelled();
    sandbox.ok(["fit", "set", "--save", "kinds"]);
    sandbox
}

fn label(answer: &Value) -> &str {
    answer["label"].as_str().unwrap_or("none")
}

#[test]
fn a_fitted_set_is_used_by_classify_the_index_and_events() {
    let sandbox = labelled();
    let report = sandbox.json(["fit", "set", "--save", "kinds", "--json"]);
    assert_eq!(
        (&report["clips"], &report["held_out"], &report["from_index"]),
        (&json!(20), &json!(20), &json!(0))
    );
    let right = |of: &str| report[of]["accuracy"]["value"].as_f64().unwrap();
    assert!(right("fitted") >= 0.85 && right("zero_shot") > 0.3, "{report}");
    assert_eq!(report["saved"], "kinds");
    let answers = |of: &str| report["answers"][of]["value"].as_f64().unwrap();
    assert!(answers("right") >= 0.6 && answers("right") <= right("fitted"), "{report}");
    assert!(answers("right") + answers("none") <= 1.0, "{report}");
    let words = |of: &str| report["zero_shot_answers"][of]["value"].as_f64().unwrap();
    assert!(words("right") <= right("zero_shot") && words("right") <= answers("right"), "{report}");
    let refused = report["unknown_refused"]["value"].as_f64().unwrap();
    assert!(refused > 0.4, "of 20 clips without their own label: {report}");

    let siren = &sandbox.json(["classify", "set/alarms/siren-wail.mp3", "--label-set", "kinds", "--json"])["results"]
        [0];
    assert_eq!(label(siren), "alarms");
    let sum: f64 =
        siren["scores"].as_array().unwrap().iter().map(|s| s["probability"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-4, "{siren}");
    let rain = &sandbox.json([
        "classify",
        &sample_arg("weather/rain.flac"),
        "--label-set",
        "kinds",
        "--json",
    ])["results"][0];
    assert_eq!(label(rain), "none", "rain is none of the kinds: {rain}");

    sandbox.ok(["index", "set"]);
    let indexed = sandbox.json(["classify", "--indexed", "--label-set", "kinds", "--json"]);
    let hits = |a: &&Value| a["path"].as_str().unwrap().contains(&format!("/{}/", label(a)));
    assert!(indexed["results"].as_array().unwrap().iter().filter(hits).count() >= 18, "{indexed}");

    let evening = sample_arg("events/evening-at-home.ogg");
    let events = sandbox.json(["events", &evening, "--label-set", "kinds", "--json"]);
    let at = |second: f64, wanted: &str| {
        events["events"].as_array().unwrap().iter().any(|e| {
            let range = e["onset_s"].as_f64().unwrap()..e["offset_s"].as_f64().unwrap();
            range.contains(&second) && e["label"] == wanted
        })
    };
    assert!(at(12.5, "alarms") && at(17.5, "voice"), "a siren, then a woman: {events}");

    let listed = sandbox.json(["labels", "list", "--json"]);
    assert_eq!(listed[0]["made"]["fit"]["clips"], 20, "{listed}");
    let fit = &listed[0]["made"]["fit"];
    assert_eq!(
        [&fit["accuracy"], &fit["answered"], &fit["zero_shot_accuracy"], &fit["zero_shot_answered"]],
        [
            &report["fitted"]["accuracy"]["value"],
            &report["answers"]["right"]["value"],
            &report["zero_shot"]["accuracy"]["value"],
            &report["zero_shot_answers"]["right"]["value"]
        ]
    );
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let shown = sandbox.ok(["labels", "show", "kinds"]);
    assert!(shown.contains("fitted to 20 clips with mini"), "{shown}");
    let told = sandbox.ok(["fit", "set"]);
    for text in [&shown, &told] {
        for figures in [
            ("fitted", right("fitted"), answers("right")),
            ("words alone", right("zero_shot"), words("right")),
        ] {
            let (name, best, answered) = (figures.0, percent(figures.1), percent(figures.2));
            let line = |line: &&str| line.trim_start().starts_with(&format!("{name}  "));
            let line = text.lines().find(line).unwrap_or_else(|| panic!("no {name} in {text}"));
            assert!(line.contains(&best) && line.contains(&answered), "{line}: {best}, {answered}");
        }
        assert!(text.contains(&percent(refused)), "{text}");
    }
    sandbox.ok(["labels", "delete", "kinds"]);
    assert_eq!(sandbox.json(["labels", "list", "--json"]), json!([]));
    assert_eq!(fs::read_dir(sandbox.db().join("label-sets")).unwrap().count(), 0, "its head is gone too");
}

#[test]
fn the_indexs_vectors_and_any_number_of_threads_give_the_same_fit() {
    let sandbox = labelled();
    let fit = |threads: &str| {
        let mut report = sandbox.json(["fit", "set", "--save", "kinds", "--threads", threads, "--json"]);
        let from_index = report.as_object_mut().unwrap().remove("from_index").unwrap();
        let set = sandbox.json(["labels", "show", "kinds", "--json"]);
        (report, set, from_index)
    };
    let (report, set, _) = fit("1");
    sandbox.ok(["index", "set"]);
    assert_eq!(fit("3"), (report, set, json!(20)));
}

#[test]
fn the_audit_names_a_wrong_label_and_a_table_is_read_too() {
    let sandbox = labelled();
    let mut table = "file,label\n".to_owned();
    for kind in KINDS {
        for entry in fs::read_dir(sandbox.path("set").join(kind)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let given = if name == "dog-barking.wav" { "voice" } else { kind };
            table.push_str(&format!("set/{kind}/{name},{given}\n"));
        }
    }
    sandbox.write("labels.csv", &table);
    let report = sandbox.json(["fit", "labels.csv", "--audit", "--json"]);
    assert_eq!((&report["folds"], &report["own_folds"]), (&json!(5), &json!(false)));
    let doubtful = report["doubtful"].as_array().unwrap();
    let dog = doubtful.iter().find(|d| d["file"].as_str().unwrap().ends_with("dog-barking.wav"));
    assert_eq!(dog.map(|d| &d["rather"]), Some(&json!("animals")), "{doubtful:?}");
    assert!(report["saved"].is_null() && !sandbox.db().exists(), "nothing is saved unless it is asked for");
    assert!(sandbox.ok(["fit", "labels.csv", "--audit"]).contains("dog-barking.wav"));

    let fold = |(i, line): (usize, &str)| {
        format!("{line},{}\n", if i == 0 { "fold".to_owned() } else { (i % 3).to_string() })
    };
    sandbox.write("folds.csv", table.lines().enumerate().map(fold).collect::<String>());
    let report = sandbox.json(["fit", "folds.csv", "--json"]);
    assert_eq!((&report["folds"], &report["own_folds"]), (&json!(3), &json!(true)));
}

#[test]
fn a_bad_clip_is_named_and_a_class_with_one_clip_is_learned_but_never_held_out() {
    let sandbox = labelled();
    sandbox.write("set/voice/bad.wav", "no sound");
    sandbox.write("set/rain/rain.flac", fs::read(sample_arg("weather/rain.flac")).unwrap());
    let run = sandbox.run(["fit", "set", "--save", "kinds", "--json"]);
    assert_eq!(run.code, Some(3), "{run:#?}");
    assert!(run.stderr.contains("bad.wav"), "{run:#?}");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["clips"], &report["held_out"]), (&json!(21), &json!(20)));
    assert!(
        report["labels"].as_array().unwrap().iter().any(|l| l["label"] == "rain" && l["recall"].is_null())
    );
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    let sandbox = fitted();
    let siren = sample_arg("alarms/siren-wail.mp3");
    let classify = |more: &[&str]| {
        sandbox.fails(1, [&["classify", siren.as_str(), "--label-set", "kinds"], more].concat())
    };
    assert!(classify(&["--template", "a {}"]).contains("--template: `kinds` was fitted to clips"));
    let unknown = sandbox.fails(1, ["classify", &siren, "--label-set", "kind"]);
    assert!(unknown.contains("`kind`") && unknown.contains("there are: kinds"), "{unknown}");
    sandbox.add_model("other", "other", |manifest| {
        manifest.replace("hop_samples = 80000", "hop_samples = 40000")
    });
    let other = classify(&["--model", "other"]);
    assert!(other.contains("model `mini`") && other.contains("--model mini"), "{other}");
    sandbox.write("one.csv", format!("file,label\n{siren},alarm\n"));
    assert!(sandbox.fails(1, ["fit", "one.csv"]).contains("at least two classes"));
    assert!(sandbox.fails(1, ["fit", "set", "--save", "a/b"]).contains("without slashes"));
    sandbox.fails(2, ["classify", &siren, "--label-set", "kinds", "--labels", "dog"]);
    let save = ["labels", "save", "kinds", "--labels", "dog"];
    assert!(sandbox.fails(1, save).contains("was fitted to clips; --replace"));
    sandbox.ok([&save[..], &["--replace"]].concat());
    sandbox.ok(save);

    sandbox.write("set/gone/bad.wav", "no sound");
    let gone = sandbox.fails(1, ["fit", "set"]);
    assert!(gone.contains("bad.wav") && gone.contains("no clip of `gone`"), "{gone}");

    sandbox.write("two/alarm/a.mp3", fs::read(&siren).unwrap());
    sandbox.write("two/dog/b.wav", fs::read(sample_arg("animals/dog-barking.wav")).unwrap());
    sandbox.ok(["fit", "two", "--save", "two"]);
    let told = sandbox.run(["classify", &siren, "--label-set", "two"]).stderr;
    assert!(told.contains("of this label set are uncalibrated"), "{told}");
}

#[test]
fn damaged_files_are_refused_and_older_ones_read() {
    let sandbox = fitted();
    let siren = sample_arg("alarms/siren-wail.mp3");
    let list = sandbox.db().join("label-sets.json");
    let head = fs::read_dir(sandbox.db().join("label-sets")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&head).unwrap();
    for damage in [
        whole[..whole.len() / 2].to_vec(),
        whole.iter().map(|b| if *b == b'7' { b'8' } else { *b }).collect(),
    ] {
        fs::write(&head, damage).unwrap();
        let told = sandbox.fails(1, ["classify", &siren, "--label-set", "kinds"]);
        assert!(told.contains("checksum") && told.contains("earmark fit"), "{told}");
    }
    fs::remove_file(&head).unwrap();
    assert!(sandbox.fails(1, ["classify", &siren, "--label-set", "kinds"]).contains("earmark fit"));

    let written = fs::read_to_string(&list).unwrap();
    fs::write(&list, &written[..written.len() / 2]).unwrap();
    assert!(sandbox.fails(1, ["labels"]).contains("damaged"));
    fs::write(&list, written.replace("\"version\": 3", "\"version\": 4")).unwrap();
    assert!(sandbox.fails(1, ["labels"]).contains("version 3 or older, got 4"));
    // As the server of earlier versions wrote it, which made no note of it.
    fs::remove_file(sandbox.db().join("label-sets.known")).unwrap();
    fs::write(
        &list,
        r#"{"mine": {"labels": ["siren", {"name": "dog", "prompts": ["a dog barking"]}], "templates": []}}"#,
    )
    .unwrap();
    let answer = sandbox.json(["classify", &siren, "--label-set", "mine", "--json"]);
    assert_eq!(label(&answer["results"][0]), "siren");
}

#[test]
fn a_list_that_was_deleted_is_missed_everywhere() {
    let sandbox = fitted();
    sandbox.ok(["index", &sample_arg("weather/rain.flac")]);
    fs::remove_file(sandbox.db().join("label-sets.json")).unwrap();
    for (code, args) in [(1, &["labels"][..]), (1, &["labels", "save", "new", "--labels", "a, b"])] {
        let told = sandbox.fails(code, args);
        assert!(told.contains("kinds") && told.contains("labels accept"), "{told}");
    }
    assert!(sandbox.ok(["info"]).contains("labels accept"));
    let verified = sandbox.run(["verify"]);
    assert!(verified.stdout.contains("label-sets.json: it is gone") && verified.code == Some(1));
    sandbox.ok(["labels", "accept"]);
    assert!(sandbox.ok(["verify"]).contains("\nclean"));
}

#[test]
fn a_set_of_an_older_earmark_always_answers_and_says_so() {
    let sandbox = fitted();
    let rain = sample_arg("weather/rain.flac");
    let classify =
        || sandbox.json(["classify", &rain, "--label-set", "kinds", "--json"])["results"][0].clone();
    assert_eq!(label(&classify()), "none");
    // As version 2 wrote it: heads without a limit, in files named by their hash.
    let folder = sandbox.db().join("label-sets");
    let head = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let mut content: Value = serde_json::from_slice(&fs::read(&head).unwrap()).unwrap();
    content["head"].as_object_mut().unwrap().remove("limit").unwrap();
    let content = serde_json::to_vec(&content).unwrap();
    let name = blake3::hash(&content).to_hex()[..32].to_owned();
    fs::write(folder.join(format!("{name}.json")), &content).unwrap();
    let list = sandbox.db().join("label-sets.json");
    let mut sets: Value = serde_json::from_slice(&fs::read(&list).unwrap()).unwrap();
    sets["version"] = json!(2);
    let made = &mut sets["sets"]["kinds"]["made"];
    made["file"] = json!(name);
    for newer in ["answered", "unknown_refused", "zero_shot_answered"] {
        made["fit"].as_object_mut().unwrap().remove(newer).unwrap();
    }
    fs::write(&list, sets.to_string()).unwrap();
    fs::remove_file(sandbox.db().join("label-sets.known")).unwrap();
    assert_ne!(label(&classify()), "none");
    let shown = sandbox.ok(["labels", "show", "kinds"]);
    assert!(shown.contains("so it always answers: fit it again"), "{shown}");
}

#[test]
fn a_threshold_stands_in_for_the_limit_of_a_set_and_for_its_labels_own() {
    let sandbox = fitted();
    let (siren, rain) = (sample_arg("alarms/siren-wail.mp3"), sample_arg("weather/rain.flac"));
    let classify = |file: &str, more: &[&str]| {
        let args = [&["classify", file, "--label-set", "kinds", "--json"], more].concat();
        sandbox.json(args)["results"][0].clone()
    };
    let best = |answer: &Value| answer["scores"][0]["probability"].as_f64().unwrap();
    assert_eq!(label(&classify(&rain, &[])), "none");
    let any = classify(&rain, &["--threshold", "0"]);
    assert_ne!(label(&any), "none", "{any}");
    let (below, above) = ((best(&any) - 0.01).to_string(), (best(&any) + 0.01).to_string());
    assert_ne!(label(&classify(&rain, &["--threshold", &below])), "none");
    assert_eq!(label(&classify(&rain, &["--threshold", &above])), "none");
    assert_eq!(label(&classify(&siren, &["--threshold", "1"])), "none");

    let multi = |least: &str| classify(&siren, &["--multi", "--threshold", least])["accepted"].clone();
    assert_eq!((multi("0").as_array().unwrap().len(), multi("1")), (3, json!([])));
    let words = |more: &[&str]| {
        let args = [&["classify", siren.as_str(), "--labels", "sneeze, dog bark", "--json"], more].concat();
        label(&sandbox.json(args)["results"][0]).to_owned()
    };
    assert_eq!((words(&[]).as_str(), words(&["--threshold", "0"]) == "none"), ("none", false));
}

#[test]
fn clips_of_a_recording_are_held_out_together() {
    let sandbox = labelled();
    let mut table = "file,label,recording\n".to_owned();
    for kind in KINDS {
        for (i, entry) in fs::read_dir(sandbox.path("set").join(kind)).unwrap().enumerate() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            table.push_str(&format!("set/{kind}/{name},{kind},{}\n", i % 3));
        }
    }
    sandbox.write("labels.csv", &table);
    let report = sandbox.json(["fit", "labels.csv", "--group-by", "recording", "--json"]);
    assert_eq!(
        (&report["folds"], &report["own_folds"], &report["group_by"]),
        (&json!(3), &json!(false), &json!("column `recording`"))
    );
    let told = sandbox.ok(["fit", "set", "--group-by", "^(.)"]);
    assert!(told.contains("clips of a recording together by pattern `^(.)`"), "{told}");
    assert!(sandbox.fails(1, ["fit", "set", "--group-by", "take"]).contains("no table with one"));
    assert!(sandbox.fails(2, ["fit", "set", "--group-by", "(a)(b)"]).contains("one pair of parentheses"));
}

#[test]
fn words_are_saved_adapted_to_a_place_and_what_they_were_again() {
    let sandbox = labelled();
    sandbox.ok(["labels", "save", "words", "--labels", "siren, dog, person talking"]);
    let siren = sample_arg("alarms/siren-wail.mp3");
    let classify = || sandbox.json(["classify", &siren, "--label-set", "words", "--json"]);
    let before = classify();
    assert_eq!(
        before,
        sandbox.json(["classify", &siren, "--labels", "siren, dog, person talking", "--json"])
    );
    sandbox.ok(["adapt", "words", "set"]);
    let adapted = classify();
    assert_eq!(label(&adapted["results"][0]), "siren");
    assert_ne!(adapted["results"], before["results"]);
    assert!(sandbox.ok(["labels"]).contains("adapted to"));
    sandbox.ok(["adapt", "words", "--undo"]);
    assert_eq!(classify(), before);
    let few = sandbox.fails(1, ["adapt", "words", "set/voice"]);
    assert!(few.contains("at least 10 pieces"), "{few}");
}

#[test]
fn a_place_where_it_always_rains_is_warned_of() {
    let sandbox = Sandbox::new();
    for i in 0..10 {
        sandbox.write(&format!("place/{i}.flac"), fs::read(sample_arg("weather/rain.flac")).unwrap());
    }
    sandbox.ok(["labels", "save", "words", "--labels", "rain, dog, siren"]);
    let run = sandbox.run(["adapt", "words", "place"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stderr.contains("`rain` was the answer for"), "{run:#?}");
    assert!(run.stdout.contains("pieces before") && run.stdout.contains("rain"), "{run:#?}");
}

#[test]
fn a_fitted_set_is_adapted_and_what_it_was_again() {
    let sandbox = fitted();
    let classify = || sandbox.json(["classify", "set", "--label-set", "kinds", "--json"]);
    let before = classify();
    sandbox.ok(["adapt", "kinds", "set"]);
    let same_place = classify();
    let labels = |answers: &Value| -> Vec<String> {
        answers["results"].as_array().unwrap().iter().map(|a| label(a).to_owned()).collect()
    };
    assert_eq!(labels(&same_place), labels(&before), "the place that it was learned in moves nothing much");
    sandbox.ok(["adapt", "kinds", "set/alarms", "set/animals"]);
    assert_ne!(classify(), before);
    sandbox.ok(["adapt", "kinds", "--undo"]);
    assert_eq!(classify(), before);
    assert_eq!(fs::read_dir(sandbox.db().join("label-sets")).unwrap().count(), 1);
}

#[test]
fn label_sets_that_were_saved_first_do_not_keep_an_index_away() {
    let sandbox = Sandbox::new();
    sandbox.ok(["labels", "save", "words", "--labels", "siren"]);
    sandbox.add_sample("alarms/siren-wail.mp3");
    sandbox.ok(["index", "sounds"]);
    assert!(sandbox.ok(["labels"]).contains("words"));
}
