//! What people get wrong in a manifest of their own: `models check` names each, and fails.

use std::fs;
use std::path::PathBuf;

use crate::sandbox::{Sandbox, repo};

/// The tiny CLAP as a model of the user's own, with vectors that are known of it.
struct Own {
    sandbox: Sandbox,
    folder: PathBuf,
}

impl Own {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.add_tiny("tiny-clap");
        let folder = sandbox.path("config/earmark/models/tiny-clap");
        let goldens = repo().join("tests/fixtures/models/golden/tiny-clap-signals.json");
        fs::copy(goldens, folder.join("goldens.json")).unwrap();
        let own = Self { sandbox, folder };
        own.edit(
            "[[files]]",
            "[self_test]\ngoldens = \"goldens.json\"\n\n[[files]]\npath = \"goldens.json\"\n\n[[files]]",
        );
        own.sandbox.ok(["models", "check", "--write", "tiny-clap"]);
        own
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.folder.join("manifest.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "the manifest has no `{from}`");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// What `models check` says, which must be that something is wrong; in lines that are.
    fn wrong(&self, named: &str) -> String {
        let run = self.sandbox.run(["models", "check", named]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        let wrong: Vec<&str> =
            run.stdout.lines().filter(|line| line.trim_start().starts_with("wrong")).collect();
        assert!(!wrong.is_empty(), "{run:#?}");
        wrong.join("\n")
    }
}

#[test]
fn a_model_without_mistakes_passes_with_its_known_vectors() {
    let own = Own::new();
    let said = own.sandbox.ok(["models", "check", "tiny-clap"]);
    assert_eq!(said.matches("ok     known vectors").count(), 3, "{said}");
}

#[test]
fn each_mistake_is_named() {
    // What is written, what it should not have been, and what is said of it.
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "input = \"input_features\"",
            "input = \"features\"",
            &["`audio.input`", "input_features", "features"],
        ),
        ("output = \"text_embeds\"", "output = \"embeds\"", &["`text.output`", "text_embeds"]),
        ("dim = 32", "dim = 64", &["output", "[1, 64]", "[1, 32]"]),
        (
            "input_shape = [\"batch\", 1, \"frames\", \"mels\"]",
            "input_shape = [\"batch\", \"frames\", \"mels\"]",
            &["`audio.input`", "[?, 1,", "[?, 1001, 64]"],
        ),
        ("n_mels = 64", "n_mels = 128", &["`audio.input`", "64]", "128]"]),
        ("sample_rate = 48000", "sample_rate = 44100", &["known vectors", "`front_end.sample_rate` = 48000"]),
        (
            "{ type = \"db\", floor = 1e-10 }",
            "{ type = \"ln\", floor = 1e-10 }",
            &["known vectors", "`front_end.log`, type \"db\""],
        ),
        (
            "mel_scale = \"slaney\"",
            "mel_scale = \"htk\"",
            &["known vectors", "`front_end.mel_scale` = \"slaney\""],
        ),
        (
            "mel_scale = \"slaney\"\nmel_norm = \"slaney\"",
            "mel_scale = \"htk\"\nmel_norm = \"none\"",
            &["`front_end.mel_scale` = \"slaney\" and `front_end.mel_norm` = \"slaney\""],
        ),
        ("hop_length = 480", "hop_lenght = 480", &["hop_lenght"]),
        (
            "input_ids = \"input_ids\"",
            "input_ids = \"input_ids\"\nattention_mask = \"attention_mask\"",
            &["`text.attention_mask`", "one of the graph's inputs: input_ids"],
        ),
    ];
    let own = Own::new();
    for (right, mistake, said) in cases {
        own.edit(right, mistake);
        let wrong = own.wrong("tiny-clap");
        for part in *said {
            assert!(wrong.contains(part), "{mistake}: no {part:?} in: {wrong}");
        }
        own.edit(mistake, right);
    }
    own.sandbox.ok(["models", "check", "tiny-clap"]);
}

#[test]
fn a_missing_tokenizer_is_named_and_the_rest_is_tried_all_the_same() {
    let own = Own::new();
    fs::remove_file(own.folder.join("tokenizer.json")).unwrap();
    let run = own.sandbox.run(["models", "check", "tiny-clap"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("wrong  tokenizer.json is missing"), "{run:#?}");
    assert!(
        run.stdout.contains("ok     audio graph") && run.stdout.contains("wrong  text graph"),
        "{run:#?}"
    );
}

#[test]
fn a_model_with_a_recipe_that_lacks_its_tokenizer_is_not_taken_for_one_that_is_still_to_be_made() {
    let own = Own::new();
    let export =
        "[export]\nrecipe = \"export.py\"\nrequirements = \"r.txt\"\ncheckpoint = \"mine\"\n\n[[files]]";
    own.edit("[[files]]", export);
    fs::remove_file(own.folder.join("tokenizer.json")).unwrap();
    for entry in fs::read_dir(&own.folder).unwrap().map(Result::unwrap) {
        own.sandbox
            .write(&format!("elsewhere/{}", entry.file_name().display()), fs::read(entry.path()).unwrap());
    }
    for named in ["tiny-clap", "elsewhere"] {
        assert!(own.wrong(named).contains("tokenizer.json is missing"), "{named}");
    }
}

#[test]
fn a_folder_of_another_name_than_the_id_is_named() {
    let own = Own::new();
    fs::rename(&own.folder, own.folder.with_file_name("my-clap")).unwrap();
    let wrong = own.wrong("my-clap");
    assert!(wrong.contains("`my-clap`") && wrong.contains("`tiny-clap`"), "{wrong}");
    // By its path too; elsewhere the folder's name says nothing.
    own.wrong(own.folder.with_file_name("my-clap").to_str().unwrap());
    own.sandbox.copy_fixtures("tiny-clap", "elsewhere");
    own.sandbox.ok(["models", "check", "elsewhere"]);
}

#[test]
fn missing_checksums_are_refused_written_on_request_and_the_rest_is_tried() {
    let own = Own::new();
    let path = own.folder.join("manifest.toml");
    let text = fs::read_to_string(&path).unwrap();
    let kept = text.lines().filter(|line| !line.starts_with("bytes = ") && !line.starts_with("sha256 = "));
    fs::write(&path, kept.collect::<Vec<_>>().join("\n")).unwrap();
    let run = own.sandbox.run(["models", "check", "tiny-clap"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(
        run.stdout.contains("--write tiny-clap") && run.stdout.contains("ok     known vectors"),
        "{run:#?}"
    );
    // As `index` sees it.
    own.sandbox.add_tone("sounds/a.wav", 1);
    let refused = own.sandbox.fails(1, ["--model", "tiny-clap", "index", "sounds"]);
    assert!(refused.contains("bytes and sha256"), "{refused}");
    own.sandbox.ok(["models", "check", "--write", "tiny-clap"]);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), text.lines().count());
    own.sandbox.ok(["--model", "tiny-clap", "index", "sounds"]);
}

#[test]
fn where_no_vectors_are_known_the_risk_is_said() {
    let sandbox = Sandbox::new();
    sandbox.add_tiny("tiny-clap");
    let said = sandbox.ok(["models", "check", "tiny-clap"]);
    assert!(said.contains("note   known vectors") && said.contains("find nothing"), "{said}");
}

#[test]
fn a_file_that_is_no_graph_is_told_in_our_words_first() {
    let own = Own::new();
    fs::write(own.folder.join("text.onnx"), "no graph").unwrap();
    let wrong = own.wrong("tiny-clap");
    assert!(wrong.contains("text.onnx cannot be opened") && wrong.contains("; ONNX Runtime says"), "{wrong}");
    assert!(wrong.contains("expected 459409 bytes, got 8 bytes"), "{wrong}");
}
