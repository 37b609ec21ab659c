//! `earmark classify`: any labels, files or the index.

use std::fs::File;
use std::process::Stdio;

use serde_json::Value;

use crate::sandbox::{Sandbox, heard_file, sample_arg};

const LABELS: &str = "dog bark, church bell, siren, rain";

#[test]
fn the_label_that_fits_wins_and_probabilities_sum_to_one() {
    let sandbox = Sandbox::new();
    let cases = [
        ("animals/dog-barking.wav", "dog bark"),
        ("music/church-bell.flac", "church bell"),
        ("alarms/siren-wail.mp3", "siren"),
        ("weather/rain.flac", "rain"),
    ];
    for (file, label) in cases {
        let answer =
            &sandbox.json(["classify", &sample_arg(file), "--labels", LABELS, "--json"])["results"][0];
        assert_eq!(answer["label"], label, "{file}: {answer}");
        let sum: f64 =
            answer["scores"].as_array().unwrap().iter().map(|s| s["probability"].as_f64().unwrap()).sum();
        assert!((sum + answer["none_probability"].as_f64().unwrap() - 1.0).abs() < 1e-4, "{sum}");
    }
}

#[test]
fn none_of_these_is_an_answer() {
    let sandbox = Sandbox::new();
    let file = sample_arg("music/church-bell.flac");
    let answer = &sandbox.json(["classify", &file, "--labels", "sneeze, dog bark", "--json"])["results"][0];
    assert_eq!(answer["label"], Value::Null, "{answer}");
    assert!(sandbox.ok(["classify", &file, "--labels", "sneeze, dog bark"]).contains("none of these"));
}

#[test]
fn multi_hears_several_things_at_once() {
    let sandbox = Sandbox::new();
    let file = sample_arg("events/evening-at-home.ogg");
    let labels = "telephone ringing, church bell, siren, speech, dog bark, rain";
    let answer = &sandbox.json([
        "classify",
        &file,
        "--labels",
        labels,
        "--multi",
        "--pooling",
        "max",
        "--json",
    ])["results"][0];
    let mut accepted: Vec<&str> =
        answer["accepted"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    accepted.sort_unstable();
    assert_eq!(accepted, ["church bell", "siren", "speech", "telephone ringing"], "{answer}");
    // The mean over the whole recording hears each for a small part of the time only.
    let mean = &sandbox.json(["classify", &file, "--labels", labels, "--multi", "--json"])["results"][0];
    let siren = |a: &Value| {
        let scores = a["scores"].as_array().unwrap();
        scores.iter().find(|s| s["label"] == "siren").unwrap()["probability"].as_f64().unwrap()
    };
    let attention =
        &sandbox.json(["classify", &file, "--labels", labels, "--multi", "--pooling", "attention", "--json"])
            ["results"][0];
    assert!(siren(answer) >= siren(attention) && siren(attention) > siren(mean));
}

#[test]
fn labels_come_from_files_with_prompts_and_templates_apply() {
    let sandbox = Sandbox::new();
    let file = sample_arg("music/church-bell.flac");
    sandbox.write("labels.txt", "bell: a church bell tolling; a big bell\ndog\n");
    sandbox.write("labels.csv", "label,prompt\nbell,a church bell tolling\nbell,a big bell\ndog,\n");
    sandbox.write("labels.json", r#"{"bell": ["a church bell tolling", "a big bell"], "dog": "dog"}"#);
    let answer = |args: &[&str]| {
        let args = [&["classify", file.as_str(), "--json"], args].concat();
        sandbox.json(args)["results"][0].clone()
    };
    let text = answer(&["--labels-file", "labels.txt"]);
    assert_eq!(text["label"], "bell");
    assert_eq!(text, answer(&["--labels-file", "labels.csv"]));
    assert_eq!(text, answer(&["--labels-file", "labels.json"]));
    let plain = answer(&["--labels", "bell, dog"]);
    let in_template =
        answer(&["--labels", "bell, dog", "--template", "the sound of a {}", "--template", "{}"]);
    assert_eq!(in_template["label"], "bell");
    assert_ne!(plain["scores"][0]["cosine"], in_template["scores"][0]["cosine"]);
}

#[test]
fn folders_standard_input_and_the_index_give_the_same_answers() {
    let sandbox = Sandbox::indexed(&["animals/dog-barking.wav", "alarms/siren-wail.mp3"]);
    let by_name = |answers: &Value| {
        let mut named: Vec<(String, Value)> = answers["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| (heard_file(a), a["label"].clone()))
            .collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        named
    };
    let folder = sandbox.json(["classify", "sounds", "--labels", LABELS, "--json"]);
    assert_eq!(
        by_name(&folder),
        [("dog-barking.wav".into(), "dog bark".into()), ("siren-wail.mp3".into(), "siren".into())]
    );
    let indexed = sandbox.json(["classify", "--indexed", "--labels", LABELS, "--json"]);
    assert_eq!(by_name(&indexed), by_name(&folder));

    let mut command = sandbox.command(["classify", "-", "--labels", LABELS, "--json"]);
    let sound = File::open(sandbox.path("sounds/siren-wail.mp3")).unwrap();
    let output = command.stdin(Stdio::from(sound)).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&answer["results"][0]["source"], &answer["results"][0]["label"]),
        (&"standard input".into(), &"siren".into())
    );
    let filtered = sandbox.fails(1, ["classify", "sounds", "--labels", LABELS, "--path", "*.wav"]);
    assert!(filtered.contains("--indexed"), "{filtered}");
}

#[test]
fn every_format_carries_the_same_answer() {
    let sandbox = Sandbox::new();
    let file = sample_arg("alarms/siren-wail.mp3");
    let classify = |format: &str| sandbox.ok(["classify", &file, "--labels", LABELS, format]);
    let line: Value = serde_json::from_str(classify("--jsonl").lines().next().unwrap()).unwrap();
    assert_eq!(line["label"], "siren");
    let table = classify("--csv");
    assert_eq!(table.lines().count(), 5, "a header and a row a label: {table}");
    assert!(table.lines().nth(1).unwrap().contains(",1,siren,"), "{table}");
    let top = sandbox.ok(["classify", &file, "--labels", LABELS, "--top", "2"]);
    assert_eq!(top.lines().count(), 4, "a verdict, two labels, and none of these: {top}");
}

#[test]
fn a_bad_file_among_good_ones_is_named_and_told_by_the_exit_code() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.wav", "no sound");
    let file = sample_arg("alarms/siren-wail.mp3");
    let run = sandbox.run(["classify", "gone.wav", &file, "bad.wav", "--labels", LABELS]);
    assert_eq!(run.code, Some(3), "{run:#?}");
    assert!(run.stderr.contains("bad.wav") && run.stderr.contains("gone.wav"), "{run:#?}");
    assert!(run.stdout.contains("siren"), "{run:#?}");
}

#[test]
fn labels_that_the_model_hardly_knows_are_warned_of() {
    let sandbox = Sandbox::new();
    let bell = sample_arg("music/church-bell.flac");
    for command in ["classify", "events"] {
        let ask = |labels: &str, more: &[&str]| {
            let args = [command, &bell, "--labels", labels];
            sandbox.run(args.iter().chain(more))
        };
        let run = ask("church bell, qwertyuiop, Hund bellt", &[]);
        assert!(run.stderr.contains("hardly knows `qwertyuiop`, `Hund bellt`"), "{command}: {run:?}");
        assert!(!ask("church bell, qwertyuiop", &["-q"]).stderr.contains("hardly"), "{command}");
        assert!(!ask("church bell, heavy rain", &[]).stderr.contains("hardly"), "{command}");
        let answer = ask("church bell, qwertyuiop", &["--json"]);
        let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
        let texts = &answer["texts"];
        assert_eq!((&texts[0]["text"], &texts[1]["text"]), (&"church bell".into(), &"qwertyuiop".into()));
        let known = |i: usize| texts[i]["familiarity"].as_f64().unwrap();
        assert!(known(0) > 0.9 && known(1) < 0.5, "{command}: {answer}");
    }
}
