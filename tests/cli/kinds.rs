//! What models of each kind can do, and what those that cannot are told; tags.

use crate::sandbox::{Sandbox, result_names, sample_arg};

#[test]
fn a_model_without_a_text_side_searches_by_example_and_says_what_it_cannot() {
    let sandbox = Sandbox::new();
    sandbox.add_tiny("tiny-whisper");
    let dog = sample_arg("animals/dog-barking.wav");
    for name in ["animals/dog-barking.wav", "animals/cat-meowing.flac", "music/church-bell.flac"] {
        sandbox.add_sample(name);
    }
    sandbox.ok(["index", "sounds", "--model", "tiny-whisper"]);
    let hits = sandbox.json(["search", "--like", &dog, "--json"]);
    // The example itself is left out.
    let names = result_names(&hits);
    assert!(!names.is_empty() && !names.contains(&"dog-barking.wav".to_owned()), "{names:?}");

    let text = "kind `audio`, which has no text side; search by example";
    for args in [
        vec!["search", "dog"],
        vec!["classify", &dog, "--labels", "dog, cat", "--model", "tiny-whisper"],
        vec!["classify", "--indexed", "--labels", "dog, cat"],
        vec!["events", &dog, "--labels", "dog", "--model", "tiny-whisper"],
    ] {
        let run = sandbox.run(&args);
        let code = if args[0] == "search" { 2 } else { 1 };
        assert_eq!((run.code, run.stderr.contains(text)), (Some(code), true), "{args:?}: {run:?}");
    }
    let run = sandbox.run(["tag", &dog, "--model", "tiny-whisper"]);
    assert!(run.stderr.contains("no classes of its own") && run.stderr.contains("classify"), "{run:?}");
}

#[test]
fn a_tagger_finds_sounds_by_free_text_too() {
    let sandbox = Sandbox::new();
    for name in ["animals/dog-barking.wav", "animals/cat-meowing.flac", "music/church-bell.flac"] {
        sandbox.add_sample(name);
    }
    sandbox.ok(["index", "sounds", "--model", "yamnet"]);
    for (words, file) in
        [("a puppy that barks", "dog-barking.wav"), ("bells of a church", "church-bell.flac")]
    {
        let hits = sandbox.json(["search", words, "--json"]);
        assert_eq!(result_names(&hits)[0], file, "{words}");
    }
    let run =
        sandbox.run(["classify", "sounds/dog-barking.wav", "--labels", "dog, cat", "--model", "yamnet"]);
    assert!(run.stdout.contains(": dog") && run.stderr.contains("uncalibrated"), "{run:?}");
}

#[test]
fn tags_are_a_taggers_own_classes_in_every_format() {
    let sandbox = Sandbox::new();
    let (dog, ring) = (sample_arg("animals/dog-barking.wav"), sample_arg("events/dog-in-rain.wav"));
    let answers = sandbox.json(["tag", &dog, "--top", "3", "--json"]);
    let tags = answers["results"][0]["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 3);
    assert!(tags.iter().any(|tag| tag["class"] == "Dog" && tag["heard"] == true), "{answers}");
    assert!(tags.is_sorted_by_key(|tag| -tag["score"].as_f64().unwrap()), "{answers}");

    let windows = sandbox.json(["tag", &ring, "--model", "yamnet", "--windows", "--top", "1", "--json"]);
    let bark = windows["results"][0]["windows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|w| w["tags"][0]["class"] == "Animal")
        .unwrap();
    let (start, end) = (bark["start_s"].as_f64().unwrap(), bark["end_s"].as_f64().unwrap());
    assert!(start < 2.8 && end > 2.3, "{bark}");

    let csv = sandbox.ok(["tag", &dog, &ring, "--csv", "--top", "2"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "file,start_s,end_s,rank,class,score,heard");
    assert_eq!(lines.len(), 5);
    let strict = sandbox.ok(["tag", &dog, "--threshold", "0.99"]);
    assert!(strict.contains("nothing for certain (nearest: "), "{strict}");
}

#[test]
fn a_joint_model_is_no_tagger_and_a_bad_file_does_not_stop_the_others() {
    let sandbox = Sandbox::new();
    let dog = sample_arg("animals/dog-barking.wav");
    let run = sandbox.run(["tag", &dog, "--model", "mini"]);
    assert!(
        run.code == Some(1) && run.stderr.contains("kind `joint`, which has no classes of its own"),
        "{run:?}"
    );
    sandbox.write("noise.wav", b"this is no sound");
    let run = sandbox.run(["tag", "noise.wav", &dog, "absent.wav", "--jsonl"]);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert_eq!(run.stdout.lines().count(), 3, "bad files have their errors in their places");
    assert!(run.stderr.contains("noise.wav") && run.stderr.contains("absent.wav"), "{run:?}");
}

#[test]
fn a_known_model_that_is_not_here_says_how_to_get_it() {
    let sandbox = Sandbox::new();
    let dog = sample_arg("animals/dog-barking.wav");
    for (model, remedy) in
        [("clap-htsat-unfused", "models pull clap-htsat-unfused"), ("beats", "models export beats")]
    {
        let run = sandbox.run(["classify", &dog, "--labels", "dog", "--model", model]);
        assert!(run.code == Some(1) && run.stderr.contains(remedy), "{run:?}");
    }
}
