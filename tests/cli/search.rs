//! `earmark search`: by words, by example, by both, in every format.

use std::process::Stdio;

use serde_json::json;

use crate::sandbox::{Sandbox, result_names, sample};

const SAMPLES: &[&str] = &[
    "alarms/siren-wail.mp3",
    "alarms/siren-two-tone.ogg",
    "animals/dog-barking.wav",
    "music/church-bell.flac",
    "weather/ocean-waves.mp3",
    "weather/rain.flac",
    "voice/woman-english.flac",
];

fn library() -> Sandbox {
    Sandbox::indexed(SAMPLES)
}

#[test]
fn words_find_the_sound_they_describe() {
    let sandbox = library();
    let cases = [
        ("a dog barking", "dog-barking.wav"),
        ("church bell", "church-bell.flac"),
        ("waves at the beach", "ocean-waves.mp3"),
        ("someone talking", "woman-english.flac"),
    ];
    for (words, expected) in cases {
        let found = result_names(&sandbox.json(["search", words, "--json"]));
        assert_eq!(found.first().map(String::as_str), Some(expected), "{words}: {found:?}");
    }
}

#[test]
fn an_example_finds_itself_first_and_its_like_next() {
    let sandbox = library();
    let found = result_names(&sandbox.json(["search", "--like", "sounds/siren-wail.mp3", "--json"]));
    assert_eq!(found[..2], ["siren-wail.mp3", "siren-two-tone.ogg"]);
}

#[test]
fn a_stretch_of_an_example_is_what_is_searched_for() {
    let sandbox = library();
    let scene = sample("events/evening-at-home.ogg");
    let best = |from: &str, to: &str| {
        let args = ["search", "--like", scene.to_str().unwrap(), "--from", from, "--to", to, "--json"];
        result_names(&sandbox.json(args)).remove(0)
    };
    assert_eq!(best("5.5s", "8s"), "church-bell.flac");
    assert_eq!(best("16s", "19s"), "woman-english.flac");
    let error = sandbox.fails(1, ["search", "--like", scene.to_str().unwrap(), "--from", "1:00"]);
    assert!(
        error.contains("evening-at-home.ogg") && error.contains("20."),
        "the length is not named: {error}"
    );
}

#[test]
fn not_and_weights_turn_the_query() {
    let sandbox = library();
    let score_of = |args: &[&str], name: &str| {
        let document = sandbox.json(args);
        let results = document["hits"].as_array().unwrap();
        let hit = results.iter().find(|r| r["clip"]["path"].as_str().unwrap().ends_with(name)).unwrap();
        hit["score"].as_f64().unwrap()
    };
    let base = ["search", "rain", "--min-score", "-1", "--json"];
    let plain = score_of(&base, "rain.flac");
    let both = [&base[..], &["--like", "sounds/church-bell.flac"]].concat();
    assert!(score_of(&both, "church-bell.flac") > score_of(&base, "church-bell.flac") + 0.2);
    let not = [&base[..], &["--not", "rain on a roof"]].concat();
    assert!(score_of(&not, "rain.flac") < plain - 0.02, "{plain}");
    let only_not = sandbox.fails(1, ["search", "--not", "rain"]);
    assert!(only_not.contains("nothing to look for"), "{only_not}");
}

#[test]
fn filters_apply_inside_the_search() {
    let sandbox = library();
    let names = |extra: &[&str]| {
        let args = [&["search", "siren", "--min-score", "-1", "--json"], extra].concat();
        result_names(&sandbox.json(args))
    };
    assert_eq!(names(&["--path", "*.wav"]), ["dog-barking.wav"]);
    assert_eq!(names(&["--path", "sounds/*.ogg"]), ["siren-two-tone.ogg"]);
    assert_eq!(names(&["--in-format", "mp3"]).len(), 2);
    assert_eq!(names(&["--in-format", "oga"]), ["siren-two-tone.ogg"]);
    assert_eq!(names(&["-k", "3"]).len(), 3);
    assert_eq!(names(&["--since", "1h"]).len(), SAMPLES.len());
    let run = sandbox.run(["search", "siren", "--min-duration", "1h"]);
    assert!(run.stderr.contains("none of the 7 clips in the index passes the filters"), "{run:#?}");
    let error = sandbox.fails(1, ["search", "siren", "--path", "a["]);
    assert!(error.contains("a["), "{error}");
}

#[test]
fn the_graph_and_the_scan_agree() {
    let sandbox = library();
    let names = |mode: &str| {
        result_names(&sandbox.json(["search", "siren", "--mode", mode, "--min-score", "-1", "--json"]))
    };
    assert_eq!(names("exact"), names("graph"));
}

#[test]
fn every_format_carries_the_same_hits() {
    let sandbox = library();
    let search = |format: &str| sandbox.ok(["search", "siren", "-k", "2", format]);
    let names = result_names(&serde_json::from_str(&search("--json")).unwrap());
    assert_eq!(names.len(), 2);
    let lines = search("--jsonl");
    let parsed: Vec<serde_json::Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(parsed.len(), 2);
    let mut reader = csv::Reader::from_reader(search("--csv").as_bytes().to_vec().leak() as &[u8]);
    assert_eq!(reader.headers().unwrap().get(2), Some("path"));
    assert_eq!(reader.records().count(), 2);
    let paths = search("--paths0");
    assert_eq!(paths.matches('\0').count(), 2);
    assert!(paths.split('\0').next().unwrap().ends_with(&names[0]));
    let playlist = search("--m3u");
    assert!(
        playlist.starts_with("#EXTM3U\n") && playlist.lines().any(|l| l.ends_with(&names[0])),
        "{playlist}"
    );
    assert!(sandbox.ok(["search", "siren", "-k", "1"]).contains(&names[0]));
    for two in [["--json", "--csv"], ["--json", "--paths0"], ["--m3u", "--paths0"], ["--m3u", "--jsonl"]] {
        sandbox.fails(2, ["search", "siren"].iter().chain(&two));
    }
}

#[test]
fn explain_names_the_shared_sound_classes() {
    let sandbox = library();
    let document = sandbox.json(["search", "siren", "--explain", "--json", "-k", "1"]);
    let shared = document["hits"][0]["shares"].as_array().unwrap();
    let named: Vec<&str> = shared.iter().map(|s| s["class"].as_str().unwrap()).collect();
    assert!(named.iter().any(|n| n.to_lowercase().contains("siren")), "{named:?}");
    let total: f64 = shared.iter().map(|s| s["share"].as_f64().unwrap()).sum();
    let score = document["hits"][0]["score"].as_f64().unwrap();
    assert!(total > score * 0.5 && total < score * 1.1, "{total} of {score}");
}

#[test]
fn what_an_example_shares_beyond_classes_is_explained_as_one() {
    let sandbox = library();
    let document = sandbox.json(["search", "--like", "sounds/siren-wail.mp3", "--explain", "--json"]);
    let shared = document["hits"][0]["shares"].as_array().unwrap();
    assert_eq!(shared.iter().filter(|s| s["class"] == "timbre").count(), 1, "{shared:?}");
}

#[test]
fn nothing_matches_is_an_answer_with_a_reason() {
    let sandbox = library();
    let run = sandbox.run(["search", "siren", "--min-score", "0.999"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""));
    assert!(run.stderr.contains("nothing matches"), "{run:#?}");
    let document = sandbox.json(["search", "siren", "--min-score", "0.999", "--json"]);
    assert!(document["below_min_score"].as_u64() > Some(0) && document["hits"] == json!([]), "{document}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let sandbox = library();
    for format in ["--json", "--jsonl", "--csv", "--paths0"] {
        let mut command = sandbox.command(["list", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{format}: {output:?}");
    }
}

#[test]
fn several_words_need_no_quotes() {
    let sandbox = library();
    let quoted = sandbox.json(["search", "church bell", "--json"]);
    assert_eq!(quoted, sandbox.json(["search", "church", "bell", "--json"]));
}

#[test]
fn words_that_the_model_hardly_knows_are_warned_of() {
    let sandbox = Sandbox::indexed(&["music/church-bell.flac"]);
    for strange in ["qwertyuiop", "Hund bellt"] {
        let run = sandbox.run(["search", strange]);
        assert!(run.stderr.contains(&format!("hardly knows `{strange}`")), "{run:?}");
        assert!(!sandbox.run(["search", strange, "-q"]).stderr.contains("hardly"), "{strange}");
        let answer = sandbox.json(["search", strange, "--json"]);
        assert!(answer["texts"][0]["familiarity"].as_f64() < Some(0.5), "{answer}");
    }
    let run = sandbox.run(["search", "heavy rain on a roof"]);
    assert!(!run.stderr.contains("hardly"), "{run:?}");
}
