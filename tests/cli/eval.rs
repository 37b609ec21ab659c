//! `earmark eval`: the layouts of benchmarks with sounds missing and broken, where vectors come from, prompts, folds, reports.

use std::fs;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::cli::recovery::{killed_in_the_middle, library, signal};
use crate::sandbox::{Run, Sandbox, repo, sample, sample_arg};

const DOG: &str = "animals/dog-barking.wav";
const BELL: &str = "music/church-bell.flac";
const RAIN: &str = "weather/rain.flac";

/// A sound in a dataset that is laid out in the sandbox's folder `set`.
fn put(sandbox: &Sandbox, place: &str, from: &str) {
    sandbox.write(&format!("set/{place}"), fs::read(sample(from)).unwrap());
}

fn broken(sandbox: &Sandbox, place: &str) {
    sandbox.write(&format!("set/{place}"), b"RIFF\x10\0\0\0WAVEno sound");
}

fn top1(report: &Value) -> f64 {
    report["results"]["accuracy"]["top1"]["value"].as_f64().unwrap()
}

/// What was not evaluated: the names of the files.
fn skipped(report: &Value) -> Vec<String> {
    let name = |entry: &Value| entry["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    report["skipped"].as_array().unwrap().iter().map(name).collect()
}

/// ESC-50's own table, with a row for a file that is broken and one for a file that is not there.
fn esc50(sandbox: &Sandbox) {
    let table = "filename,fold,target,category,esc10,src_file,take
1-a.wav,1,0,dog,True,1,A
1-b.wav,1,46,church_bells,False,1,B
2-a.wav,2,0,dog,True,2,A
2-b.wav,2,46,church_bells,False,2,B
3-broken.wav,3,0,dog,True,3,A
4-gone.wav,4,0,dog,True,4,A
";
    sandbox.write("set/meta/esc50.csv", table);
    for fold in [1, 2] {
        put(sandbox, &format!("audio/{fold}-a.wav"), DOG);
        put(sandbox, &format!("audio/{fold}-b.flac"), BELL);
    }
    broken(sandbox, "audio/3-broken.wav");
}

#[test]
fn esc50_is_told_by_its_files_and_what_is_missing_or_broken_is_named() {
    let sandbox = Sandbox::new();
    esc50(&sandbox);
    let report = sandbox.json(["eval", "set", "--json"]);
    let protocol = &report["protocol"];
    assert_eq!((&protocol["layout"], &protocol["model"]), (&"esc50".into(), &"mini".into()));
    assert_eq!((&protocol["clips"], &protocol["clips_in_dataset"]), (&4.into(), &6.into()));
    assert!((top1(&report) - 1.0).abs() < 1e-9, "{report:#}");
    assert_eq!(report["results"]["classes"][0]["name"], "church_bells");
    assert_eq!(skipped(&report), ["4-gone.wav", "3-broken.wav"]);
    assert!(report["skipped"][1]["reason"].as_str().is_some_and(|reason| reason.len() > 10), "{report:#}");
    // The second run knows that the file is bad, and still says so.
    assert_eq!(sandbox.json(["eval", "set", "--json"]), report);
    let told = sandbox.fails(3, ["eval", "set", "--strict"]);
    assert!(told.contains("2 of the clips of set could not be evaluated"), "{told}");
}

#[test]
fn folds_are_the_datasets_own_and_each_clip_is_scored_by_what_has_not_seen_it() {
    let sandbox = Sandbox::new();
    esc50(&sandbox);
    let report = sandbox.json(["eval", "set", "--folds", "own", "--json"]);
    assert_eq!(
        (&report["protocol"]["folds"], &report["protocol"]["fold_choice"]),
        (&2.into(), &"own".into())
    );
    assert!(report["protocol"]["fitted"].as_str().unwrap().contains("what `fit` learns"), "{report:#}");
    assert_eq!(report["results"]["folds"], serde_json::json!([1.0, 1.0]));
    assert_eq!(report["prompts"][0]["metric"], "top-1, zero-shot");

    // With all dogs in one fold, no fit for it has heard a dog.
    let table = fs::read_to_string(sandbox.path("set/meta/esc50.csv")).unwrap();
    sandbox.write("set/meta/esc50.csv", table.replace("2-a.wav,2", "2-a.wav,1"));
    let apart = sandbox.json(["eval", "set", "--folds", "own", "--json"]);
    assert!((top1(&apart) - 0.5).abs() < 1e-9, "{apart:#}");
    assert_eq!(apart["protocol"]["untaught"], 2, "{apart:#}");
    let told = sandbox.fails(1, ["eval", &sample_arg(""), "--folds", "own"]);
    assert!(told.contains("--folds 5"), "{told}");
}

#[test]
fn copies_are_held_out_together_and_the_only_sound_of_a_class_teaches_alone() {
    let sandbox = Sandbox::new();
    // Four sounds, each there twice: parted by clips there would be eight folds.
    for (class, from) in [("a", DOG), ("a", BELL), ("b", RAIN), ("b", "music/violin.m4a")] {
        let (name, end) = from.rsplit_once('/').unwrap().1.rsplit_once('.').unwrap();
        for copy in 0..2 {
            put(&sandbox, &format!("{class}/{name}-{copy}.{end}"), from);
        }
    }
    put(&sandbox, "c/crow.flac", "animals/cat-meowing.flac");
    for seed in ["0", "1"] {
        let args = ["eval", "set", "--folds", "8", "--seed", seed, "--json"];
        let report = sandbox.json(args);
        let protocol = &report["protocol"];
        assert_eq!((&protocol["folds"], &protocol["clips"]), (&4.into(), &8.into()), "{report:#}");
        assert_eq!(skipped(&report), ["crow.flac"]);
    }
}

#[test]
fn gtzan_is_evaluated_without_its_broken_file() {
    let sandbox = Sandbox::new();
    put(&sandbox, "genres_original/rock/rock.00000.mp3", "music/drum-beat.mp3");
    put(&sandbox, "genres_original/classical/classical.00000.m4a", "music/violin.m4a");
    broken(&sandbox, "genres_original/jazz/jazz.00054.wav");
    let report = sandbox.json(["eval", "set", "--template", "{} music", "--json"]);
    assert_eq!((&report["protocol"]["layout"], &report["protocol"]["clips"]), (&"gtzan".into(), &2.into()));
    assert_eq!(report["protocol"]["prompts"], serde_json::json!(["{} music"]));
    assert_eq!(skipped(&report), ["jazz.00054.wav"]);
}

#[test]
fn several_labels_a_clip_are_ranked_by_class() {
    let sandbox = Sandbox::new();
    sandbox.write("set/FSD50K.ground_truth/vocabulary.csv", "0,Bell,/m/1\n1,Dog,/m/2\n2,Rain,/m/3\n");
    let table = "fname,labels,mids\n1,Dog,x\n2,Bell,x\n3,\"Rain,Dog\",x\n4,Rain,x\n5,Bell,x\n6,Bell,x\n";
    sandbox.write("set/FSD50K.ground_truth/eval.csv", table);
    for (name, from) in
        [("1.wav", DOG), ("2.flac", BELL), ("3.wav", "events/dog-in-rain.wav"), ("4.flac", RAIN)]
    {
        put(&sandbox, &format!("FSD50K.eval_audio/{name}"), from);
    }
    broken(&sandbox, "FSD50K.eval_audio/5.wav");
    let report = sandbox.json(["eval", "set", "--json"]);
    assert_eq!(report["results"]["task"], "multi_label");
    assert!(report["results"]["macro_map"]["value"].as_f64().unwrap() > 0.9, "{report:#}");
    assert_eq!(skipped(&report), ["6", "5.wav"]);
    assert!(sandbox.fails(1, ["eval", "set", "--folds", "2"]).contains("one label a clip"));
}

#[test]
fn captions_find_clips_and_clips_find_captions() {
    let sandbox = Sandbox::new();
    let table = "audiocap_id,youtube_id,start_time,caption
1,aaaaaaaaaaa,30,A dog barks
2,aaaaaaaaaaa,30,A small dog is barking loudly
3,bbbbbbbbbbb,0,A church bell tolls
4,ccccccccccc,0,Rain falls
5,ddddddddddd,0,A siren
";
    sandbox.write("set/test.csv", table);
    put(&sandbox, "test/aaaaaaaaaaa_30.wav", DOG);
    put(&sandbox, "test/Ybbbbbbbbbbb.flac", BELL);
    broken(&sandbox, "test/ccccccccccc_0.wav");
    let report = sandbox.json(["eval", "set", "--json"]);
    let results = &report["results"];
    assert_eq!((&results["task"], &results["captions"]), (&"retrieval".into(), &3.into()));
    assert_eq!(results["text_to_audio"]["r1"]["value"], 1.0);
    assert_eq!(results["audio_to_text"]["r1"]["value"], 1.0);
    assert_eq!(skipped(&report), ["ddddddddddd_0", "ccccccccccc_0.wav"]);
}

#[test]
fn events_are_held_against_labelled_ones() {
    let sandbox = Sandbox::new();
    put(&sandbox, "home.ogg", "events/evening-at-home.ogg");
    broken(&sandbox, "broken.wav");
    let table = "file,onset,offset,label
home.ogg,2.0,3.3,telephone ringing
home.ogg,5.5,9.15,church bell
home.ogg,11.0,14.2,siren
home.ogg,16.0,1e300,speech
broken.wav,0,1,siren
gone.wav,0,1,siren
bad.wav,0,1,siren
bad.wav,2,1,siren
";
    sandbox.write("set/events.csv", table);
    sandbox.write("prompts.txt", "the sound of {}\n");
    let report = sandbox.json(["eval", "set", "--prompts", "prompts.txt", "--json"]);
    let results = &report["results"];
    assert_eq!((&results["task"], &report["protocol"]["clips"]), (&"events".into(), &1.into()));
    assert!(results["segment_f1"].as_f64().unwrap() > 0.85, "{report:#}");
    assert_eq!(results["classes"].as_array().unwrap().len(), 4);
    assert_eq!(
        report["prompts"].as_array().unwrap().len(),
        2,
        "the model's own prompt, and the one to compare"
    );
    assert_eq!(skipped(&report), ["gone.wav", "bad.wav", "broken.wav"]);
    assert_eq!(report["protocol"]["clips_in_dataset"], 4, "recordings, not rows");
    assert!(report["beside"][0]["reason"].as_str().unwrap().contains("1 event goes on beyond"), "{report:#}");

    // What was found is kept, and comes to the same.
    assert_eq!(sandbox.json(["eval", "set", "--prompts", "prompts.txt", "--json"]), report);
    let kept = fs::read_dir(sandbox.path("cache/earmark/eval/events")).unwrap();
    for file in kept.map(|entry| entry.unwrap().path()) {
        let mut line: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        line["found"] = serde_json::json!([[], []]);
        fs::write(&file, line.to_string()).unwrap();
    }
    let forged = sandbox.json(["eval", "set", "--prompts", "prompts.txt", "--json"]);
    assert_eq!(forged["results"]["segment_f1"], 0.0, "it was encoded again");
}

#[test]
fn prompts_are_compared_on_the_same_clips_best_first() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "prompts.txt",
        "the sound of {}\nthe sound of {} | a recording of {}\na church bell tolls, {}\n",
    );
    let captions = repo().join("index-data/captions.csv");
    let args = ["eval", captions.to_str().unwrap(), "--task", "label", "--prompts", "prompts.txt", "--json"];
    let report = sandbox.json(args);
    let prompts = report["prompts"].as_array().unwrap();
    let values: Vec<f64> = prompts.iter().map(|p| p["value"]["value"].as_f64().unwrap()).collect();
    assert_eq!(values.len(), 4);
    assert!(values.is_sorted_by(|a, b| a >= b) && values[3] < values[0], "{prompts:#?}");
    let own = prompts.iter().find(|p| p["templates"] == serde_json::json!(["{}"])).unwrap();
    assert_eq!(own["value"]["value"], report["results"]["accuracy"]["top1"]["value"]);
    assert!(report["results"]["accuracy"]["top1"]["value"].as_f64().unwrap() > 0.8, "{report:#}");
    sandbox.write("bad.txt", "the sound\n");
    assert!(
        sandbox.fails(1, ["eval", captions.to_str().unwrap(), "--prompts", "bad.txt"]).contains("no `{}`")
    );
}

#[test]
fn the_indexs_vectors_are_used_and_give_the_same_figures() {
    let sandbox = Sandbox::new();
    for (class, name) in [("dog", DOG), ("bell", BELL), ("evening", "events/evening-at-home.ogg")] {
        put(&sandbox, &format!("{class}/1.{}", name.rsplit('.').next().unwrap()), name);
    }
    let without = sandbox.json(["eval", "set", "--json"]);
    sandbox.ok(["index", "set/dog", "set/evening"]);
    fs::remove_dir_all(sandbox.path("cache")).unwrap();
    let with = sandbox.json(["eval", "set", "--json"]);
    assert_eq!((&without["protocol"]["from_index"], &with["protocol"]["from_index"]), (&0.into(), &2.into()));
    assert_eq!(with["results"], without["results"]);
    // Not for a file that is another one now, and not from another model's space.
    put(&sandbox, "dog/1.wav", RAIN);
    let changed = sandbox.json(["eval", "set", "--json"]);
    assert_eq!(changed["protocol"]["from_index"], 1);
    assert_ne!(changed["results"], with["results"]);
    let other = sandbox.json(["eval", "set", "--model", "yamnet", "--json"]);
    assert_eq!(other["protocol"]["from_index"], 0);
}

#[test]
fn the_protocol_says_what_classes_were_asked_as() {
    let sandbox = Sandbox::new();
    put(&sandbox, "dog/1.wav", DOG);
    put(&sandbox, "bell/2.flac", BELL);
    sandbox.write("names.tsv", "dog\ta church bell\nbell\ta dog barking\n");
    let report = sandbox.json(["eval", "set", "--names", "names.tsv", "--json"]);
    let (protocol, classes) = (&report["protocol"], &report["results"]["classes"]);
    assert!(protocol["names"]["path"].as_str().unwrap().ends_with("/names.tsv"), "{report:#}");
    assert_eq!(protocol["names"]["hash"].as_str().unwrap().len(), 64);
    assert_eq!(
        (&classes[0]["text"], &classes[1]["text"]),
        (&"a dog barking".into(), &"a church bell".into())
    );
    assert_eq!((&protocol["task"], &protocol["fold_choice"]), (&"one label a clip".into(), &Value::Null));
    let plain = sandbox.json(["eval", "set", "--json"]);
    assert_eq!(
        (&plain["protocol"]["names"], &plain["results"]["classes"][0]["text"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn beside_the_best_label_stands_what_classify_answers() {
    let sandbox = Sandbox::new();
    put(&sandbox, "dog/1.wav", DOG);
    put(&sandbox, "sneeze/2.flac", BELL);
    let report = sandbox.json(["eval", "set", "--json"]);
    let said = sandbox.json(["classify", "set", "--labels", "dog, sneeze", "--json"]);
    let (mut right, mut none) = (0.0, 0.0);
    for answer in said["results"].as_array().unwrap() {
        let accepted = answer["accepted"].as_array().unwrap();
        let class = answer["source"].as_str().unwrap().rsplit('/').nth(1).unwrap();
        right += f64::from(u8::from(accepted.iter().any(|label| label == class))) / 2.0;
        none += f64::from(u8::from(accepted.is_empty())) / 2.0;
    }
    assert!(none > 0.0, "the bell is none of these: {said:#}");
    let answers = &report["results"]["answers"];
    assert_eq!((&answers["right"]["value"], &answers["none"]), (&right.into(), &none.into()), "{report:#}");
}

#[test]
fn a_saved_set_is_scored_on_other_clips_beside_the_words() {
    let sandbox = Sandbox::new();
    put(&sandbox, "dog/1.wav", DOG);
    put(&sandbox, "bell/2.flac", BELL);
    sandbox.ok(["labels", "save", "mine", "--labels", "rain, bell, dog"]);
    let report = sandbox.json(["eval", "set", "--label-set", "mine", "--json"]);
    let results = &report["results"];
    let names: Vec<&str> =
        results["classes"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bell", "dog", "rain"], "the dataset's classes, then the set's other labels");
    assert_eq!((top1(&report), &results["classes"][2]["support"]), (1.0, &0.into()));
    assert!(results["answers"]["right"]["value"].as_f64().is_some(), "{report:#}");
    let metrics: Vec<&str> =
        report["prompts"].as_array().unwrap().iter().map(|p| p["metric"].as_str().unwrap()).collect();
    assert_eq!(metrics, ["top-1, zero-shot", "answered rightly, zero-shot"]);
    assert_eq!(report["protocol"]["label_set"], "`mine`, of words");
    assert!(sandbox.ok(["eval", "set", "--label-set", "mine"]).contains("label set `mine`, of words"));

    // A set is found by the words of a class too, but no two classes are one label.
    sandbox.write("names.tsv", "bell\tchurch bell\n");
    sandbox.ok(["labels", "save", "texts", "--labels", "church bell, dog"]);
    let by_text = sandbox.json(["eval", "set", "--names", "names.tsv", "--label-set", "texts", "--json"]);
    assert_eq!(by_text["results"]["classes"][0]["name"], "bell");
    sandbox.ok(["labels", "save", "other", "--labels", "dog, siren"]);
    let told = sandbox.fails(1, ["eval", "set", "--label-set", "other"]);
    assert!(told.contains("has none for: bell; its other labels: siren"), "{told}");
    assert!(sandbox.fails(1, ["eval", "set", "--label-set", "none"]).contains("there are: mine"));
    sandbox.fails(2, ["eval", "set", "--label-set", "mine", "--folds", "2"]);
}

#[test]
fn a_fitted_set_answers_on_other_clips_as_classify_does() {
    let sandbox = Sandbox::new();
    for (place, from) in [("dog/1.wav", DOG), ("dog/2.wav", "events/dog-in-rain.wav"), ("bell/1.flac", BELL)]
    {
        put(&sandbox, place, from);
        sandbox.write(&format!("learn/{place}"), fs::read(sample(from)).unwrap());
    }
    sandbox.write("learn/bell/2.wav", fs::read(sample("alarms/beep.wav")).unwrap());
    sandbox.ok(["fit", "learn", "--save", "kinds"]);
    let report = sandbox.json(["eval", "set", "--label-set", "kinds", "--json"]);
    let said = sandbox.json(["classify", "set", "--label-set", "kinds", "--json"]);
    let right = |answer: &&Value| {
        let class = answer["source"].as_str().unwrap().rsplit('/').nth(1).unwrap();
        answer["label"] == class
    };
    let right = said["results"].as_array().unwrap().iter().filter(right).count() as f64 / 3.0;
    let answered = report["results"]["answers"]["right"]["value"].as_f64().unwrap();
    assert!((answered - right).abs() < 1e-9, "{report:#}\n{said:#}");
    let made = report["protocol"]["label_set"].as_str().unwrap();
    assert!(made.contains("`kinds`, fitted to 4 clips with mini"), "{made}");
    assert_eq!(report["protocol"]["prompts"], serde_json::json!([]));

    sandbox.write("set/events/t.csv", "file,onset,offset,label\nx.wav,0,1,dog\n");
    put(&sandbox, "events/x.wav", DOG);
    let told = sandbox.fails(1, ["eval", "set/events", "--label-set", "kinds"]);
    assert!(told.contains("expected a dataset with labels"), "{told}");
}

#[test]
fn folds_keep_the_clips_of_a_recording_together() {
    let sandbox = Sandbox::new();
    let mut table = "file,label,Source\n".to_owned();
    for (name, label, from) in [
        ("1-a.wav", "dog", DOG),
        ("2-a.wav", "dog", "events/dog-in-rain.wav"),
        ("1-b.flac", "bell", BELL),
        ("2-b.wav", "bell", "alarms/beep.wav"),
    ] {
        put(&sandbox, name, from);
        table.push_str(&format!("{name},{label},{}\n", &name[..1]));
    }
    sandbox.write("set/labels.csv", table);
    let args = ["eval", "set", "--folds", "3", "--group-by"];
    let by = |group: &str| sandbox.json([&args[..], &[group, "--json"]].concat());
    let report = by("source");
    assert_eq!(
        (&report["protocol"]["folds"], &report["protocol"]["group_by"]),
        (&2.into(), &"column `source`".into()),
        "the files of source 1 and those of source 2: {report:#}"
    );
    assert_eq!(by(r"^(\d)-")["results"], report["results"]);
    let told = sandbox.ok([&args[..], &["source"]].concat());
    assert!(told.contains("clips of a recording together by column `source`"), "{told}");
    let own = sandbox.fails(1, ["eval", "set", "--folds", "own", "--group-by", "source"]);
    assert!(own.contains("--group-by parts random folds"), "{own}");
    assert!(sandbox.fails(2, ["eval", "set", "--group-by", "source"]).contains("--folds"));
}

fn start(sandbox: &Sandbox) -> Child {
    let mut command = sandbox.command(["eval", "sounds", "--kind", "text-files", "-q"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn cut_short_in_any_way_a_run_goes_on_and_comes_to_the_same() {
    const COPIES: usize = 120;
    let sandbox = library(COPIES);
    for copy in 0..COPIES {
        sandbox.write(&format!("sounds/{copy:03}.txt"), format!("dog number {copy} in the rain"));
    }
    let child = start(&sandbox);
    sleep(Duration::from_millis(700));
    signal(&child, "-INT");
    let run: Run = child.wait_with_output().unwrap().into();
    assert_eq!(run.code, Some(130), "{run:#?}");
    assert!(run.stderr.contains("goes on from here"), "{run:#?}");
    killed_in_the_middle([100, 300, 500, 700], || start(&sandbox), || {});
    let report = sandbox.json(["eval", "sounds", "--kind", "text-files", "--json"]);
    assert_eq!(report["protocol"]["clips"], COPIES);
    fs::remove_dir_all(sandbox.path("cache")).unwrap();
    assert_eq!(sandbox.json(["eval", "sounds", "--kind", "text-files", "--json"]), report);
}

#[test]
fn a_sample_is_the_seeds_alone_and_the_report_says_so() {
    let sandbox = Sandbox::new();
    let captions = repo().join("index-data/captions.csv");
    let sampled = |seed: &str| {
        let args = ["eval", captions.to_str().unwrap(), "--limit", "10", "--seed", seed, "--json"];
        sandbox.json(args)
    };
    let first = sampled("1");
    assert_eq!((&first["protocol"]["clips"], &first["protocol"]["seed"]), (&10.into(), &1.into()));
    assert_eq!(first, sampled("1"));
    assert_ne!(first["results"]["worst"], sampled("2")["results"]["worst"]);
}

#[test]
fn the_committed_mapping_names_sounds_and_reports_are_written() {
    let sandbox = Sandbox::new();
    put(&sandbox, "bd_808.wav", DOG);
    put(&sandbox, "misc_crow.flac", "animals/cat-meowing.flac");
    let mapping = repo().join("tests/fixtures/eval/sonic-pi-samples.csv");
    let table = sandbox.ok(["eval", "set", "--mapping", mapping.to_str().unwrap(), "--out", "report"]);
    assert!(table.contains("1 of 165") && table.contains("mini"), "{table}");
    let json: Value = serde_json::from_slice(&fs::read(sandbox.path("report/report.json")).unwrap()).unwrap();
    assert_eq!((&json["protocol"]["clips"], &json["protocol"]["layout"]), (&1.into(), &"mapping".into()));
    let page = fs::read_to_string(sandbox.path("report/report.html")).unwrap();
    assert!(page.contains("misc_crow.flac") && page.contains("</html>"));
}

#[test]
fn a_model_without_words_is_evaluated_by_what_is_fitted_to_it() {
    let sandbox = Sandbox::new();
    sandbox.add_tiny("tiny-whisper");
    for (place, name) in [("dog/1.wav", DOG), ("dog/2.wav", "events/dog-in-rain.wav"), ("bell/1.flac", BELL)]
    {
        put(&sandbox, place, name);
    }
    let report = sandbox.json(["eval", "set", "--model", "tiny-whisper", "--folds", "2", "--json"]);
    assert_eq!(
        (&report["protocol"]["model"], &report["prompts"]),
        (&"tiny-whisper".into(), &serde_json::json!([]))
    );
    assert!(sandbox.fails(1, ["eval", "set", "--model", "tiny-whisper"]).contains("no text side"));
}

#[test]
fn nothing_to_evaluate_is_an_error_that_says_why() {
    let sandbox = Sandbox::new();
    broken(&sandbox, "dog/1.wav");
    broken(&sandbox, "cat/2.wav");
    let told = sandbox.fails(1, ["eval", "set"]);
    assert!(told.contains("none of its clips can be used") && told.contains("2.wav"), "{told}");
    put(&sandbox, "events/dog.wav", DOG);
    put(&sandbox, "events/bell.flac", BELL);
    sandbox.write(
        "set/events/t.csv",
        "file,onset,offset,label\ndog.wav,2,1,dog\ndog.wav,0,1,dog\nbell.flac,,,\n",
    );
    let told = sandbox.fails(1, ["eval", "set/events"]);
    assert!(told.contains("no recording with a labelled event is left; dog.wav"), "{told}");
    assert!(sandbox.fails(1, ["eval", "nowhere"]).contains("nowhere"));
    assert!(sandbox.fails(2, ["eval", "set", "--kind", "esc51"]).contains("esc50"));
}
