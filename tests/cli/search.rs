//! `earmark search`: by words, by example, by both, in every format.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

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
fn an_example_finds_its_like_and_neither_itself_nor_a_copy() {
    let sandbox = library();
    fs::copy(sandbox.path("sounds/siren-wail.mp3"), sandbox.path("sounds/copy.mp3")).unwrap();
    sandbox.ok(["index", "sounds"]);
    let like = ["search", "--like", "sounds/siren-wail.mp3", "--json"];
    let found = result_names(&sandbox.json(like));
    assert_eq!(found[0], "siren-two-tone.ogg");
    assert!(!found.iter().any(|name| name == "siren-wail.mp3" || name == "copy.mp3"), "{found:?}");
    let found = result_names(&sandbox.json(like.iter().chain(&["--except", "sounds/siren-two-tone.ogg"])));
    assert!(!found.contains(&"siren-two-tone.ogg".to_owned()), "{found:?}");
    let error = sandbox.fails(1, like.iter().chain(&["--except", "nowhere.wav"]));
    assert!(error.contains("--except") && error.contains("nowhere.wav"), "{error}");
}

/// A library in which names and sounds disagree.
fn misnamed() -> Sandbox {
    let sandbox = Sandbox::new();
    for (sample_name, name) in [
        ("weather/rain.flac", "kick_drum01.flac"),
        ("animals/dog-barking.wav", "animals/FIDO-take2.wav"),
        ("music/church-bell.flac", "doorBellOld.flac"),
        ("voice/woman-english.flac", "interview.flac"),
    ] {
        let to = sandbox.path("sounds").join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(sample(sample_name), to).unwrap();
    }
    sandbox.ok(["index", "sounds"]);
    sandbox
}

#[test]
fn names_count_beside_sounds_and_each_hit_says_why() {
    let sandbox = misnamed();
    let search = |args: &[&str]| sandbox.json([&["search", "--json"], args].concat());
    let names = |args: &[&str]| result_names(&search(args));
    assert_eq!(names(&["kick drum", "--by", "name"]), ["kick_drum01.flac"]);
    assert_eq!(names(&["kick drum"])[0], "kick_drum01.flac");
    assert_ne!(names(&["kick drum", "--by", "sound", "--min-score=-1"])[0], "kick_drum01.flac");
    assert_eq!(names(&["a dog barking"])[0], "FIDO-take2.wav", "a clear sound with no word in its name");
    assert_eq!(names(&["doorbell", "--by", "name"]), ["doorBellOld.flac"]);
    assert_eq!(names(&["\"door bell\"", "--by", "name"]), ["doorBellOld.flac"]);
    assert!(names(&["\"bell door\"", "--by", "name"]).is_empty());
    assert!(names(&["bell -old", "--by", "name"]).is_empty());
    assert!(!names(&["church bell -doorbell"]).contains(&"doorBellOld.flac".to_owned()));

    let document = search(&["kick drum", "-k", "1"]);
    let hit = &document["hits"][0];
    assert_eq!(hit["reasons"][0], json!({ "by": "name", "text": "kick drum" }));
    assert_eq!((hit["weak"].as_bool(), hit["missing"].as_bool()), (Some(false), Some(false)));
    let document = search(&["a dog barking", "-k", "1"]);
    let reason = document["hits"][0]["reasons"].as_array().unwrap().last().unwrap().clone();
    assert!(reason["by"] == "sound" && !reason["text"].as_str().unwrap().is_empty(), "{document}");
    let table = sandbox.ok(["search", "kick drum", "-k", "1"]);
    assert!(table.contains("(name: kick drum"), "{table}");
}

#[test]
fn a_search_that_nothing_fits_says_how_unlikely_its_hits_are() {
    let sandbox = library();
    for words in ["asdfgh qwerty", "Hund bellt"] {
        let document = sandbox.json(["search", words, "--json", "--min-score=-1"]);
        for hit in document["hits"].as_array().unwrap() {
            assert!(hit["weak"] == true && hit["probability"].as_f64() < Some(0.1), "{words}: {hit}");
        }
    }
    let document = sandbox.json(["search", "a dog barking", "-k", "1", "--json"]);
    assert!(document["hits"][0]["probability"].as_f64() > Some(0.9), "{document}");
    let example = sandbox.json(["search", "--like", "sounds/rain.flac", "-k", "1", "--json"]);
    assert!(example["hits"][0].get("probability").is_none(), "calibrated for words only");
}

#[test]
fn copies_of_a_sound_are_one_hit_with_a_count() {
    let sandbox = library();
    for copy in ["b.wav", "c.wav"] {
        fs::copy(sandbox.path("sounds/dog-barking.wav"), sandbox.path("sounds").join(copy)).unwrap();
    }
    sandbox.ok(["index", "sounds"]);
    let search = |args: &[&str]| sandbox.json([&["search", "a dog barking", "--json"], args].concat());
    let document = search(&[]);
    assert_eq!(
        (result_names(&document)[0].as_str(), &document["hits"][0]["copies"]),
        ("dog-barking.wav", &json!(2))
    );
    assert!(!result_names(&document).contains(&"b.wav".to_owned()), "{document}");
    let all = result_names(&search(&["--copies"]));
    assert!(all.contains(&"b.wav".to_owned()) && all.contains(&"c.wav".to_owned()), "{all:?}");
    assert!(sandbox.ok(["search", "a dog barking", "-k", "1"]).contains("2 more copies"));
    let without = result_names(&search(&["--except", "sounds/b.wav", "--min-score=-1"]));
    assert!(
        !without.iter().any(|name| ["dog-barking.wav", "b.wav", "c.wav"].contains(&name.as_str())),
        "{without:?}"
    );
}

#[test]
fn hits_are_put_in_the_order_asked_for() {
    let sandbox = library();
    let search = |order: &str| {
        let document = sandbox.json(["search", "siren", "--min-score=-1", "--sort", order, "--json"]);
        let hits = document["hits"].as_array().unwrap().clone();
        assert_eq!(hits.len(), SAMPLES.len());
        hits
    };
    let names = |order: &str| {
        let named = |hit: &Value| hit["clip"]["name"].as_str().unwrap().to_owned();
        search(order).iter().map(named).collect::<Vec<_>>()
    };
    assert!(names("name").is_sorted() && !names("score").is_sorted());
    assert!(search("duration").iter().map(|hit| hit["clip"]["duration_s"].as_f64().unwrap()).is_sorted());
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    fs::File::options()
        .append(true)
        .open(sandbox.path("sounds/rain.flac"))
        .unwrap()
        .set_modified(later)
        .unwrap();
    sandbox.ok(["index", "sounds"]);
    assert_eq!(names("date")[0], "rain.flac");
}

#[test]
fn diverse_hits_begin_with_the_best_and_are_less_alike() {
    let sandbox = library();
    let names = |diversity: &str| {
        let args = ["search", "siren", "--min-score=-1", "-k", "2", "--diversity", diversity, "--json"];
        result_names(&sandbox.json(args))
    };
    let (best, diverse) = (names("0"), names("1"));
    assert_eq!(best[0], diverse[0]);
    assert!(best[1].contains("siren") && !diverse[1].contains("siren"), "{best:?} {diverse:?}");
    assert!(sandbox.fails(1, ["search", "siren", "--diversity", "2"]).contains("--diversity"));
}

#[test]
fn tags_are_given_to_and_taken_from_what_was_found() {
    let sandbox = library();
    sandbox.ok(["search", "a dog barking", "-k", "1", "--add-tag", "pet", "--add-tag", "loud"]);
    let tagged = sandbox.json(["list", "--with-tag", "pet", "--json"]);
    assert_eq!(tagged["items"].as_array().unwrap().len(), 1, "{tagged}");
    let found = sandbox.json(["search", "pet", "--by", "name", "--remove-tag", "pet", "--json"]);
    assert_eq!(found["hits"][0]["clip"]["tags"], json!(["loud"]), "{found}");
    assert!(sandbox.run(["search", "pet", "--by", "name"]).code == Some(1));
}

#[test]
fn a_hit_whose_file_is_gone_is_marked() {
    let sandbox = library();
    fs::remove_file(sandbox.path("sounds/dog-barking.wav")).unwrap();
    let document = sandbox.json(["search", "a dog barking", "-k", "1", "--json"]);
    assert_eq!(document["hits"][0]["missing"], true, "{document}");
    assert!(sandbox.ok(["search", "a dog barking", "-k", "1"]).contains("file missing"));
}

#[test]
fn a_path_is_a_part_a_folder_or_a_pattern() {
    let sandbox = misnamed();
    let names = |path: &str| {
        let mut names =
            result_names(&sandbox.json(["search", "sound", "--min-score=-1", "--path", path, "--json"]));
        names.sort();
        names
    };
    assert_eq!(names("animals/"), ["FIDO-take2.wav"]);
    assert_eq!(names("fido"), ["FIDO-take2.wav"], "capitals do not matter");
    assert!(names("Fido").is_empty(), "but for those that are asked for");
    assert_eq!(names(sandbox.path("sounds/animals").to_str().unwrap()), ["FIDO-take2.wav"]);
    assert_eq!(names("./sounds/animals"), ["FIDO-take2.wav"]);
    assert!(names(sandbox.path("sounds/anim").to_str().unwrap()).is_empty(), "no folder has that name");
    assert_eq!(names("kick*"), ["kick_drum01.flac"]);
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
    let base = ["search", "rain", "--by", "sound", "--min-score", "-1", "--json"];
    let plain = score_of(&base, "rain.flac");
    let both = [&base[..], &["--like", "sounds/siren-wail.mp3"]].concat();
    assert!(score_of(&both, "siren-two-tone.ogg") > score_of(&base, "siren-two-tone.ogg") + 0.2);
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
    assert_eq!(reader.headers().unwrap().get(3), Some("path"));
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
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
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
        let run = sandbox.run(["search", strange, "--min-score=-1"]);
        assert!(run.stderr.contains(&format!("hardly knows `{strange}`")), "{run:?}");
        assert!(!sandbox.run(["search", strange, "-q"]).stderr.contains("hardly"), "{strange}");
        let answer = sandbox.json(["search", strange, "--json"]);
        assert!(answer["texts"][0]["familiarity"].as_f64() < Some(0.5), "{answer}");
    }
    let run = sandbox.run(["search", "heavy rain on a roof"]);
    assert!(!run.stderr.contains("hardly"), "{run:?}");
}
