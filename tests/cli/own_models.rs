//! Models that people bring: made of a known one, in several precisions, or as other programs keep them.

use std::fs;
use std::path::PathBuf;

use crate::hub_server::{COMMIT, Remote, Server};
use crate::sandbox::{Run, Sandbox, repo};

const FILES: [&str; 3] = ["audio.onnx", "text.onnx", "tokenizer.json"];

fn fixture(file: &str) -> PathBuf {
    repo().join("tests/fixtures/models/tiny-clap").join(file)
}

/// The manifest of the tiny CLAP, without checksums, with these lines in place of its id's.
fn manifest(id_lines: &str) -> String {
    let text = fs::read_to_string(fixture("manifest.toml")).unwrap();
    let kept = text.lines().filter(|line| !line.starts_with("bytes = ") && !line.starts_with("sha256 = "));
    kept.collect::<Vec<_>>().join("\n").replace("id = \"tiny-clap\"", id_lines)
}

#[test]
fn a_folder_among_ones_own_models_stays_where_it_is() {
    let sandbox = Sandbox::new();
    sandbox.add_tiny("tiny-clap");
    let folder = sandbox.path("config/earmark/models/tiny-clap");
    let commented = manifest("# mine\nid = \"tiny-clap\"");
    fs::write(folder.join("manifest.toml"), &commented).unwrap();
    let run = sandbox.run(["models", "import", "config/earmark/models/tiny-clap"]);
    assert!(run.code == Some(0) && run.stderr.contains("config/earmark/models/tiny-clap"), "{run:#?}");
    assert!(!sandbox.path("data/earmark/models/tiny-clap").exists(), "no copy that hides it");
    let written = fs::read_to_string(folder.join("manifest.toml")).unwrap();
    assert!(written.contains("# mine") && written.matches("sha256 = ").count() == 3, "{written}");
    sandbox.add_tone("sounds/a.wav", 1);
    sandbox.ok(["--model", "tiny-clap", "index", "sounds"]);

    // A link among them to a folder elsewhere is as good.
    #[cfg(unix)]
    {
        fs::rename(&folder, sandbox.path("elsewhere")).unwrap();
        std::os::unix::fs::symlink(sandbox.path("elsewhere"), &folder).unwrap();
        sandbox.ok(["models", "import", "config/earmark/models/tiny-clap"]);
        assert!(!sandbox.path("data/earmark/models/tiny-clap").exists());
    }

    // What fails its test is as it was.
    fs::write(folder.join("manifest.toml"), &commented).unwrap();
    fs::copy(repo().join("tests/fixtures/broken/nan-audio.onnx"), folder.join("audio.onnx")).unwrap();
    sandbox.fails(1, ["models", "import", "config/earmark/models/tiny-clap"]);
    assert_eq!(fs::read_to_string(folder.join("manifest.toml")).unwrap(), commented);
}

#[test]
fn what_one_made_of_a_known_model_gets_another_name() {
    let sandbox = Sandbox::new();
    sandbox.copy_fixtures("tiny-clap", "usb");
    // Another audio graph than the manifest means: that of the tiny AST, whose tensors are not these.
    let other = fs::read(fixture("audio.onnx")).unwrap();
    let mut mine = other.clone();
    // A byte in the middle of a weight.
    mine[400_000] ^= 1;
    fs::write(sandbox.path("usb/audio.onnx"), mine).unwrap();
    let refused = sandbox.fails(1, ["models", "import", "usb"]);
    assert!(refused.contains("made by yourself?") && refused.contains("--as-new NAME"), "{refused}");
    let run = sandbox.run(["models", "import", "usb", "--as-new", "my-clap"]);
    assert!(run.code == Some(0) && run.stderr.contains("installed my-clap"), "{run:#?}");
    sandbox.ok(["models", "verify", "my-clap"]);
    sandbox.add_tone("sounds/a.wav", 1);
    sandbox.ok(["--model", "my-clap", "index", "sounds"]);
    let bad = sandbox.fails(1, ["models", "import", "usb", "--as-new", "My Clap"]);
    assert!(bad.contains("the new name `My Clap`") && bad.contains("`id`"), "{bad}");
    // No model takes another's name, whether it is here or only known.
    for name in ["my-clap", "mini", "clap-htsat-fused"] {
        let taken = sandbox.fails(1, ["models", "import", "usb", "--as-new", name]);
        assert!(taken.contains(&format!("there is a model `{name}` already")), "{taken}");
        let args = ["models", "export", "clap-htsat-fused", "--as-new", name];
        assert!(sandbox.fails(1, args).contains("already"), "{name}");
    }
    fs::remove_file(sandbox.path("usb/manifest.toml")).unwrap();
    let bare = sandbox.fails(1, ["models", "import", "usb", "--as-new", "other"]);
    assert!(bare.contains("--as NAME --as-new NEW"), "{bare}");
}

/// A family in two precisions, of which the hub has both in one repository.
fn family() -> (Sandbox, Server) {
    let (sandbox, server) = (Sandbox::new(), Server::start());
    for (id, precision, suffix) in [("tiny", "fp32", ""), ("tiny-int8", "int8", "_quantized")] {
        let mut text = manifest(&format!("id = \"{id}\"\nprecision = \"{precision}\""));
        for file in FILES {
            let hub_path = file.replace(".onnx", &format!("{suffix}.onnx"));
            text = text.replace(
                &format!("path = \"{file}\""),
                &format!("hub_path = \"{hub_path}\"\npath = \"{file}\""),
            );
            let bytes = fs::read(fixture(file)).unwrap();
            let etag = earmark_hub::sha256_of_file(&fixture(file)).unwrap();
            server.add("org/tiny", &hub_path, Remote { bytes, etag, linked: true });
        }
        let hub = format!("[hub]\nrepo = \"org/tiny\"\nrevision = \"{COMMIT}\"\n\n[[files]]");
        sandbox
            .write(&format!("config/earmark/models/{id}/manifest.toml"), text.replacen("[[files]]", &hub, 1));
    }
    (sandbox, server)
}

#[test]
fn a_precision_is_pulled_or_picked_and_sums_that_nobody_pins_are_the_hubs() {
    let (sandbox, server) = family();
    let pull = |args: &[&str]| -> Run {
        sandbox.command(args).env("HF_ENDPOINT", server.url()).output().unwrap().into()
    };
    let pulled = pull(&["models", "pull", "tiny", "--precision", "int8"]);
    assert!(pulled.code == Some(0) && pulled.stderr.contains("installed tiny-int8"), "{pulled:#?}");
    let installed = sandbox.path("data/earmark/models/tiny-int8/manifest.toml");
    assert_eq!(fs::read_to_string(installed).unwrap().matches("sha256 = ").count(), 3);
    assert!(
        server.requests().iter().all(|asked| !asked.path.ends_with("/audio.onnx")),
        "{:?}",
        server.requests()
    );
    let refused = pull(&["models", "pull", "tiny", "--precision", "fp16"]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("fp32 (tiny), int8 (tiny-int8)"),
        "{refused:#?}"
    );
    let unknown = pull(&["models", "pull", "tiny", "--precision", "fp8"]);
    assert!(unknown.code == Some(2) && unknown.stderr.contains("fp32, fp16 or int8"), "{unknown:#?}");

    // From a folder as the hub has it.
    for file in FILES {
        let bytes = fs::read(fixture(file)).unwrap();
        sandbox.write(&format!("usb/{}", file.replace(".onnx", "_quantized.onnx")), &bytes);
        sandbox
            .write(&format!("usb/{file}"), if file == "audio.onnx" { b"not this".to_vec() } else { bytes });
    }
    sandbox.ok(["models", "remove", "tiny-int8"]);
    sandbox.ok(["models", "import", "usb", "--as", "tiny", "--precision", "int8"]);
    sandbox.ok(["models", "verify", "tiny-int8"]);
    let nameless = sandbox.fails(1, ["models", "import", "usb", "--precision", "int8"]);
    assert!(nameless.contains("--as NAME"), "{nameless}");
}

#[test]
fn a_model_of_another_program_is_recognised_wherever_it_is_given() {
    let sandbox = Sandbox::new();
    sandbox.write("my-clap/config.json", "{\"model_type\": \"clap\", \"audio_config\": {}}");
    sandbox.write("my-clap/model.safetensors", "");
    sandbox.write("630k-audioset-fusion-best.pt", b"PK\x03\x04");
    sandbox.add_tone("sounds/a.wav", 1);
    let cases: [(&[&str], &str); 3] = [
        (
            &["--model", "my-clap", "index", "sounds"],
            "models export clap-htsat-unfused-fp32 --run --as-new my-clap",
        ),
        (&["models", "import", "my-clap"], "models export clap-htsat-unfused-fp32 --run --as-new my-clap"),
        (
            &["--model", "630k-audioset-fusion-best.pt", "classify", "sounds/a.wav", "--labels", "rain"],
            "models export clap-htsat-fused --run",
        ),
    ];
    for (args, command) in cases {
        let error = sandbox.fails(1, args);
        assert!(error.contains(command) && error.contains("-- --checkpoint '/"), "{args:?}: {error}");
    }
    // A model whose recipe has another name points there.
    let error = sandbox.fails(1, ["models", "export", "clap-htsat-unfused"]);
    assert!(error.contains("models export clap-htsat-unfused-fp32"), "{error}");
}

#[test]
fn what_is_only_kept_to_save_time_is_listed_and_goes() {
    let sandbox = Sandbox::new();
    let own = |args: &[&str]| -> Run {
        let graphs = sandbox.path("graphs");
        sandbox.command(args).env("EARMARK_GRAPH_CACHE", graphs).output().unwrap().into()
    };
    sandbox.add_tone("sounds/a.wav", 1);
    assert_eq!(own(&["index", "sounds"]).code, Some(0));
    // Nothing rains there.
    assert_eq!(own(&["search", "rain", "--by", "sound"]).code, Some(1));
    sandbox.write("cache/earmark/export/x/venv/big", vec![0; 1 << 20]);
    let listed = own(&["models", "list"]);
    for said in ["optimised graphs: ", "left by exports: 1048 kB", "models clean"] {
        assert!(listed.stdout.contains(said), "no {said:?} in {listed:#?}");
    }
    let verified = own(&["models", "verify", "mini"]);
    assert_eq!(verified.stdout.matches("optimised and kept").count(), 2, "{verified:#?}");
    let cleaned = own(&["models", "clean"]);
    assert!(cleaned.code == Some(0) && cleaned.stderr.matches("removed").count() == 2, "{cleaned:#?}");
    assert!(!sandbox.path("graphs").exists() && !sandbox.path("cache/earmark/export").exists());
    assert!(own(&["models", "clean"]).stderr.contains("nothing to remove"));
    // Nothing rains there.
    assert_eq!(own(&["search", "rain", "--by", "sound"]).code, Some(1));
}
