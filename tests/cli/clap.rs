//! The whole program on a CLAP of the user's own, against a Python script that does the same job with `transformers`
//! and ONNX Runtime (tests/fixtures/models/reference.py).

use serde_json::Value;

use crate::sandbox::{Sandbox, file_name, repo, result_names};

/// Largest difference of a cosine or a probability, of clips that are resampled too; and of a time, seconds.
const TOLERANCE: f64 = 1e-3;

fn golden(name: &str) -> Value {
    let path = repo().join("tests/fixtures/models/golden").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The fixture clips in `sounds/`, and a tiny model in the user's config folder.
fn sandbox(model: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.copy_fixtures("clips", "sounds");
    sandbox.add_tiny(model);
    sandbox
}

fn close(ours: &Value, reference: &Value, what: &str) {
    let (ours, reference) = (ours.as_f64().unwrap(), reference.as_f64().unwrap());
    assert!((ours - reference).abs() <= TOLERANCE, "{what}: {ours}, the reference says {reference}");
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

#[test]
fn index_search_classify_and_events_agree_with_the_python_reference() {
    let reference = golden("reference.json");
    let sandbox = sandbox("tiny-clap");
    sandbox.ok(["--model", "tiny-clap", "index", "sounds"]);
    segments_cover_what_the_reference_says(&sandbox, &reference);
    for query in reference["search"].as_array().unwrap() {
        let words = query["query"].as_str().unwrap();
        let document = sandbox.json(["search", words, "--top", "20", "--json"]);
        let expected = query["results"].as_array().unwrap();
        let names: Vec<&str> = expected.iter().map(|hit| hit["file"].as_str().unwrap()).collect();
        assert_eq!(result_names(&document), names, "ranking for `{words}`");
        for (ours, hit) in document["hits"].as_array().unwrap().iter().zip(expected) {
            for key in ["score", "start_s", "end_s"] {
                close(&ours[key], &hit[key], &format!("`{words}`, {}, {key}", hit["file"]));
            }
        }
    }
    classify_agrees(&sandbox, &reference);
    events_agree(&sandbox, &reference);
}

/// One vector a window: every segment is where the reference has it.
fn segments_cover_what_the_reference_says(sandbox: &Sandbox, reference: &Value) {
    let document = sandbox.json(["search", "rain", "--segments", "--top", "100", "--json"]);
    let mut ours: Vec<(String, String)> = document["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| {
            let times = (hit["start_s"].as_f64().unwrap(), hit["end_s"].as_f64().unwrap());
            (file_name(&hit["clip"]["path"]), format!("{:.2} to {:.2}", times.0, times.1))
        })
        .collect();
    let mut expected = Vec::new();
    for clip in reference["index"].as_array().unwrap() {
        for segment in clip["segments"].as_array().unwrap() {
            let times = (segment[0].as_f64().unwrap(), segment[1].as_f64().unwrap());
            let file = clip["file"].as_str().unwrap().to_owned();
            expected.push((file, format!("{:.2} to {:.2}", times.0, times.1)));
        }
    }
    ours.sort();
    expected.sort();
    assert_eq!(ours, expected);
}

fn classify_agrees(sandbox: &Sandbox, reference: &Value) {
    let labels = strings(&reference["labels"]).join(",");
    for template in ["{}", "This is a sound of {}."] {
        let command = ["--model", "tiny-clap", "classify", "sounds", "--json", "--labels", &labels];
        let answers = sandbox.json(command.iter().chain(&["--template", template]));
        let cases = reference["classify"].as_array().unwrap().iter().filter(|c| c["template"] == template);
        let mut compared = 0;
        for expected in cases {
            let file = expected["file"].as_str().unwrap();
            let answer = answers["results"]
                .as_array()
                .unwrap()
                .iter()
                .find(|a| file_name(&a["source"]) == file)
                .unwrap();
            let scores = |v: &Value| v["scores"].as_array().unwrap().clone();
            assert_eq!(scores(answer).len(), scores(expected).len(), "{file}");
            for (ours, score) in scores(answer).iter().zip(&scores(expected)) {
                assert_eq!(ours["label"], score["label"], "{file}: order of labels");
                close(&ours["probability"], &score["probability"], &format!("{file}, {}", score["label"]));
                close(&ours["cosine"], &score["cosine"], &format!("{file}, {}", score["label"]));
            }
            assert_eq!(answer["label"], expected["scores"][0]["label"]);
            assert_eq!(answers["calibrated"], false, "random weights are not calibrated");
            compared += 1;
        }
        assert_eq!(compared, answers["results"].as_array().unwrap().len());
    }
}

fn events_agree(sandbox: &Sandbox, reference: &Value) {
    let labels = strings(&reference["event_labels"]).join(",");
    for expected in reference["events"].as_array().unwrap() {
        let file = format!("sounds/{}", expected["file"].as_str().unwrap());
        let document = sandbox.json(["--model", "tiny-clap", "events", &file, "--labels", &labels, "--json"]);
        let (ours, events) = (document["events"].as_array().unwrap(), expected["events"].as_array().unwrap());
        assert_eq!(ours.len(), events.len(), "{file}: {document}");
        for (ours, event) in ours.iter().zip(events) {
            assert_eq!(ours["label"], event["label"], "{file}");
            for key in ["onset_s", "offset_s", "score"] {
                close(&ours[key], &event[key], &format!("{file}, {}, {key}", event["label"]));
            }
        }
    }
}

#[test]
fn tag_gives_the_reference_classes_of_a_tagger() {
    let sandbox = sandbox("tiny-ast");
    let reference = golden("tiny-ast.json");
    let classes = strings(&reference["classes"]);
    let answers = sandbox.json(["--model", "tiny-ast", "tag", "sounds", "--top", "10", "--json"]);
    for expected in reference["clips"].as_array().unwrap() {
        let file = expected["file"].as_str().unwrap();
        let answer =
            answers["results"].as_array().unwrap().iter().find(|a| file_name(&a["source"]) == file).unwrap();
        let tags = answer["tags"].as_array().unwrap();
        assert_eq!(tags.len(), classes.len());
        for tag in tags {
            let class = classes.iter().position(|c| tag["class"] == *c).unwrap();
            let score = &expected["class_scores"][class];
            close(&tag["score"], score, &format!("{file}, {}", tag["class"]));
            assert_eq!(
                tag["heard"],
                tag["score"].as_f64().unwrap() >= 0.5,
                "{file}: the manifest's threshold"
            );
        }
    }
}

/// tiny-clap has no prompt of its own, so that a template shows.
#[test]
fn words_are_searched_in_templates_or_as_they_are() {
    let sandbox = sandbox("tiny-clap");
    sandbox.ok(["--model", "tiny-clap", "index", "sounds"]);
    let search = |args: &[&str]| {
        let all = [&["search"], args, &["--top", "20", "--min-score=-1", "--json"]].concat();
        sandbox.json(all)["hits"].clone()
    };
    let plain = search(&["rain"]);
    assert_eq!(search(&["rain", "--no-prompt"]), plain);
    assert_eq!(search(&["rain", "--template", "{}"]), plain);
    let sentence = search(&["This is a sound of rain."]);
    assert_ne!(sentence, plain);
    let template = "This is a sound of {}.";
    assert_eq!(search(&["rain", "--template", template]), sentence);
    // Typed with the template, words are not put into it again.
    assert_eq!(search(&["This is a sound of rain.", "--template", template]), sentence);
    let both = search(&["rain", "--template", template, "--template", "{}"]);
    assert!(both != sentence && both != plain);
    let refused = sandbox.fails(1, ["search", "rain", "--template", "a sound"]);
    assert!(refused.contains("`a sound` has no `{}`"), "{refused}");

    let long = "a dog barks and ".repeat(40);
    let document = sandbox.json(["search", &long, "--min-score=-1", "--json"]);
    assert_eq!(document["texts"][0]["cut"], true, "{document}");
    assert_eq!(sandbox.json(["search", "rain", "--json"])["texts"], serde_json::json!([]));
}
