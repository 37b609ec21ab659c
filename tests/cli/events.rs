//! `earmark events`: when something is heard.

use serde_json::Value;

use crate::sandbox::{Sandbox, repo, sample_arg};

/// How far an onset or end may be off, seconds: what the product promises.
const PROMISE_S: f64 = 0.5;

/// What was put into a recording: start, end, label.
fn truth(recording: &str) -> Vec<(f64, f64, String)> {
    let mut reader = csv::Reader::from_path(repo().join("index-data/events.csv")).unwrap();
    reader
        .records()
        .map(Result::unwrap)
        .filter(|r| r[0].ends_with(recording))
        .map(|r| (r[1].parse().unwrap(), r[2].parse().unwrap(), r[3].to_owned()))
        .collect()
}

fn events(document: &Value, label: &str) -> Vec<(f64, f64)> {
    document["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["label"] == label)
        .map(|e| (e["onset_s"].as_f64().unwrap(), e["offset_s"].as_f64().unwrap()))
        .collect()
}

#[test]
fn a_bark_in_the_rain_comes_out_where_it_is() {
    let sandbox = Sandbox::new();
    let file = sample_arg("events/dog-in-rain.wav");
    let document = sandbox.json(["events", &file, "--labels", "dog bark, rain", "--json"]);
    let barks = events(&document, "dog bark");
    let [(onset, offset)] = barks[..] else { panic!("one bark, not {barks:?}") };
    let (start, end, _) = truth("dog-in-rain.wav").remove(0);
    assert!((onset - start).abs() < PROMISE_S && (offset - end).abs() < PROMISE_S, "{onset} to {offset}");
    let rain: f64 = events(&document, "rain").iter().map(|(a, b)| b - a).sum();
    assert!(rain > 6.0, "it rains throughout: {document}");
}

#[test]
fn each_event_of_an_evening_is_found_once_and_in_its_place() {
    let sandbox = Sandbox::new();
    let file = sample_arg("events/evening-at-home.ogg");
    let truth = truth("evening-at-home.ogg");
    let labels: Vec<&str> = truth.iter().map(|t| t.2.as_str()).collect();
    let document = sandbox.json(["events", &file, "--labels", &labels.join(","), "--json"]);
    for (start, end, label) in &truth {
        let found = events(&document, label);
        assert_eq!(found.len(), 1, "{label}: {found:?}");
        assert!((found[0].0 - start).abs() < PROMISE_S, "{label} begins at {start}: {found:?}");
        // The bell rings out into silence; where it ends is a matter of taste.
        let tolerance = if label == "church bell" { 2.0 * PROMISE_S } else { PROMISE_S };
        assert!((found[0].1 - end).abs() < tolerance, "{label} ends at {end}: {found:?}");
    }
}

#[test]
fn every_format_carries_the_same_events() {
    let sandbox = Sandbox::new();
    let file = sample_arg("events/dog-in-rain.wav");
    let run = |format: &str| sandbox.ok(["events", &file, "--labels", "dog bark", format]);
    let json: Value = serde_json::from_str(&run("--json")).unwrap();
    let onset = json["events"][0]["onset_s"].as_f64().unwrap();
    let line: Value = serde_json::from_str(run("--jsonl").lines().next().unwrap()).unwrap();
    assert_eq!(line["onset_s"], json["events"][0]["onset_s"]);
    assert!(run("--csv").lines().nth(1).unwrap().starts_with(&format!("{onset:.3},")));
    let audacity = run("--audacity");
    let fields: Vec<&str> = audacity.lines().next().unwrap().split('\t').collect();
    assert_eq!((fields.len(), fields[2]), (3, "dog bark"));
    assert!((fields[0].parse::<f64>().unwrap() - onset).abs() < 1e-5);
}

#[test]
fn nothing_heard_is_an_answer_and_settings_are_checked() {
    let sandbox = Sandbox::new();
    let file = sample_arg("events/dog-in-rain.wav");
    let run = sandbox.run(["events", &file, "--labels", "church bell"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""));
    assert!(run.stderr.contains("nothing heard"), "{run:#?}");
    for (setting, value) in [("--threshold", "1.5"), ("--release", "0.9"), ("--hop", "0")] {
        let error = sandbox.fails(1, ["events", &file, "--labels", "dog", setting, value]);
        assert!(error.contains(setting), "{error}");
    }
}
