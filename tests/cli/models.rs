//! `earmark models`: getting models, trying them, taking them away. The hub is on this machine, and the model is the tiny
//! CLAP of the fixtures.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::hub_server::{COMMIT, Fault, Remote, Server};
use crate::sandbox::{Run, Sandbox, repo};

const MODEL: &str = "tiny-clap";
const FILES: [&str; 3] = ["audio.onnx", "text.onnx", "tokenizer.json"];

fn fixture(name: &str) -> PathBuf {
    repo().join("tests/fixtures/models").join(MODEL).join(name)
}

fn broken(name: &str) -> PathBuf {
    repo().join("tests/fixtures/broken").join(name)
}

fn manifest() -> String {
    std::fs::read_to_string(fixture("manifest.toml")).unwrap()
}

/// The manifest with `[hub]`, and each file under `onnx/` there.
fn manifest_with_hub() -> String {
    let mut text = manifest();
    for file in FILES {
        text = text.replace(
            &format!("[[files]]\npath = \"{file}\""),
            &format!("[[files]]\nhub_path = \"onnx/{file}\"\npath = \"{file}\""),
        );
    }
    text.replacen(
        "[[files]]",
        &format!("[hub]\nrepo = \"org/tiny\"\nrevision = \"{COMMIT}\"\n\n[[files]]"),
        1,
    )
}

/// A manifest without checksums, as of a model that nobody publishes in our form.
fn manifest_without_checksums() -> String {
    let lines = manifest();
    let kept = lines.lines().filter(|l| !l.starts_with("bytes = ") && !l.starts_with("sha256 = "));
    kept.collect::<Vec<_>>().join("\n")
}

/// A sandbox in which the tiny model is known but not there.
fn knowing(manifest: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("config/earmark/models/tiny-clap/manifest.toml", manifest);
    sandbox
}

fn hub() -> Server {
    let server = Server::start();
    for file in FILES {
        let bytes = std::fs::read(fixture(file)).unwrap();
        let digest = manifest();
        let entry = digest.split("[[files]]").skip(1).find(|e| e.contains(file)).unwrap();
        let etag = entry.split("sha256 = \"").nth(1).unwrap()[..64].to_owned();
        server.add("org/tiny", &format!("onnx/{file}"), Remote { bytes, etag, linked: true });
    }
    server
}

fn run(sandbox: &Sandbox, endpoint: &str, args: &[&str]) -> Run {
    sandbox.command(args).env("HF_ENDPOINT", endpoint).output().unwrap().into()
}

fn installed(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("data/earmark/models").join(MODEL)
}

/// The model's row in the list.
fn row(sandbox: &Sandbox) -> serde_json::Value {
    let rows = sandbox.json(["models", "list", "--json"]);
    rows.as_array().unwrap().iter().find(|r| r["name"] == MODEL).unwrap().clone()
}

fn copy_model(to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in FILES {
        std::fs::copy(fixture(file), to.join(file)).unwrap();
    }
}

#[test]
fn a_pulled_model_is_tried_installed_used_and_removed() {
    let sandbox = knowing(&manifest_with_hub());
    let server = hub();
    let pulled = run(&sandbox, &server.url(), &["models", "pull", MODEL]);
    assert_eq!(pulled.code, Some(0), "{pulled:#?}");
    for said in ["installed tiny-clap", "audio spread", "text spread"] {
        assert!(pulled.stderr.contains(said), "{pulled:#?}");
    }
    let listed = row(&sandbox);
    assert_eq!(listed["state"], "installed");
    assert!(listed["disk_bytes"].as_u64().unwrap() > 1_000_000, "{listed}");
    assert!(
        sandbox.path("cache/huggingface/hub/models--org--tiny/blobs").is_dir(),
        "shared with the hub's tools"
    );

    sandbox.add_sample("alarms/siren-wail.mp3");
    sandbox.ok(["--model", MODEL, "index", "sounds"]);
    let found = sandbox.json(["search", "--json", "--min-score", "-1", "a", "siren"]);
    assert_eq!(crate::sandbox::result_names(&found), ["siren-wail.mp3"]);

    let asked = server.requests().len();
    let again = run(&sandbox, &server.url(), &["models", "pull", MODEL]);
    assert!(again.code == Some(0) && again.stderr.contains("is installed"), "{again:#?}");
    sandbox.ok(["models", "remove", MODEL]);
    assert!(!installed(&sandbox).exists());
    let offline = sandbox.command(["models", "pull", MODEL]).env("HF_HUB_OFFLINE", "1").output().unwrap();
    assert_eq!(Run::from(offline).code, Some(0), "the cache has it all");
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn a_download_that_is_cut_or_wrong_installs_nothing() {
    let sandbox = knowing(&manifest_with_hub());
    let server = hub();
    let length = fixture("audio.onnx").metadata().unwrap().len() as usize;
    let to_store = |file: &str| Fault::Redirect(format!("/store/org/tiny/resolve/x/onnx/{file}"));
    server.faults([to_store("audio.onnx"), Fault::Instead(vec![0; length])]);
    let wrong = run(&sandbox, &server.url(), &["models", "pull", MODEL]);
    assert!(wrong.code == Some(1) && wrong.stderr.matches("sha256").count() == 2, "{wrong:#?}");
    assert!(!installed(&sandbox).exists());

    server.faults([to_store("audio.onnx"), Fault::CutAfter(length / 2)]);
    let resumed = run(&sandbox, &server.url(), &["models", "pull", MODEL]);
    assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    assert!(server.ranges().contains(&Some(format!("bytes={}-", length / 2))));
    assert!(resumed.stderr.contains("another try"), "{resumed:#?}");
}

#[test]
fn a_hub_that_is_not_there_is_named_with_what_to_do() {
    let sandbox = knowing(&manifest_with_hub());
    let offline = sandbox.command(["models", "pull", MODEL]).env("HF_HUB_OFFLINE", "1").output().unwrap();
    let offline = Run::from(offline);
    assert!(offline.code == Some(1) && offline.stderr.contains("HF_HUB_OFFLINE"), "{offline:#?}");
    let server = Server::start();
    let missing = run(&sandbox, &server.url(), &["models", "pull", MODEL]);
    assert!(missing.code == Some(1) && missing.stderr.contains("no such file"), "{missing:#?}");
    let mistyped = run(&sandbox, "hub.test", &["models", "pull", MODEL]);
    assert!(mistyped.code == Some(1) && mistyped.stderr.contains("HF_ENDPOINT"), "{mistyped:#?}");
    let unknown = sandbox.fails(1, ["models", "pull", "nothing"]);
    assert!(unknown.contains("unknown model `nothing`"), "{unknown}");
    let bundled = sandbox.fails(1, ["models", "pull", "mini"]);
    assert!(bundled.contains("part of this program"), "{bundled}");
}

#[test]
fn models_that_cannot_be_trusted_are_not_installed() {
    for (file, graph, said) in [
        ("text.onnx", "dead-text.onnx", "text spread"),
        ("audio.onnx", "nan-audio.onnx", "not finite"),
        ("audio.onnx", "narrow-audio.onnx", "31"),
    ] {
        let sandbox = knowing(&manifest_without_checksums());
        let folder = sandbox.path("usb");
        copy_model(&folder);
        std::fs::copy(broken(graph), folder.join(file)).unwrap();
        let error = sandbox.fails(1, ["models", "import", "usb", "--as", MODEL]);
        assert!(error.contains("failed its self-test") && error.contains(said), "{graph}: {error}");
        assert!(!installed(&sandbox).exists());
    }
}

#[test]
fn a_vector_that_is_not_the_known_one_is_told_by_how_much() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("usb");
    copy_model(&folder);
    let vector = vec!["1.0"; 32].join(",");
    let goldens = format!("{{\"audio\":[{{\"signal\":\"noise\",\"cosine\":0.999,\"vector\":[{vector}]}}]}}");
    std::fs::write(folder.join("goldens.json"), goldens).unwrap();
    let manifest = manifest_without_checksums().replacen(
        "[[files]]",
        "[self_test]\ngoldens = \"goldens.json\"\n\n[[files]]\npath = \"goldens.json\"\n\n[[files]]",
        1,
    );
    std::fs::write(folder.join("manifest.toml"), manifest).unwrap();
    let error = sandbox.fails(1, ["models", "import", "usb"]);
    assert!(error.contains("known vectors") && error.contains("cosine"), "{error}");
}

#[test]
fn files_are_recognised_by_content_and_kept_until_all_are_there() {
    let sandbox = knowing(&manifest());
    std::fs::create_dir_all(sandbox.path("usb/deep/er")).unwrap();
    std::fs::copy(fixture("audio.onnx"), sandbox.path("usb/deep/er/download (1)")).unwrap();
    std::fs::copy(fixture("tokenizer.json"), sandbox.path("usb/t")).unwrap();
    sandbox.write("usb/holiday.jpg", b"not a model");
    let kept = sandbox.run(["models", "import", "usb"]);
    assert!(kept.code == Some(0) && kept.stderr.contains("still missing: text.onnx"), "{kept:#?}");
    assert!(!installed(&sandbox).exists());

    let text = fixture("text.onnx");
    let whole = sandbox.run(["models", "import", text.to_str().unwrap()]);
    assert!(whole.code == Some(0) && whole.stderr.contains("installed tiny-clap"), "{whole:#?}");
    assert_eq!(row(&sandbox)["state"], "installed");
    assert!(!sandbox.path("data/earmark/models/.partial/tiny-clap").exists());

    let stranger = sandbox.fails(1, ["models", "import", "usb/holiday.jpg"]);
    assert!(stranger.contains("1 files looked at") && stranger.contains("--as NAME"), "{stranger}");
}

#[cfg(unix)]
#[test]
fn archives_are_imported_and_what_leads_out_of_them_is_not() {
    for archive in ["model.tar", "model.tar.gz"] {
        let sandbox = Sandbox::new();
        let folder = sandbox.path("packed/tiny");
        copy_model(&folder);
        std::fs::write(folder.join("manifest.toml"), manifest()).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap();
        sandbox.write("packed/evil", "x");
        let flags = if archive.ends_with("gz") { "-czPf" } else { "-cPf" };
        // The second name leads out of any folder that it is unpacked into.
        let tar = Command::new("tar")
            .current_dir(sandbox.path("packed"))
            .args([flags, "../packed.archive", "tiny", "--transform", "s,^evil,../../../evil,", "evil"])
            .status();
        assert!(tar.unwrap().success());
        std::fs::rename(sandbox.path("packed.archive"), sandbox.path(archive)).unwrap();
        sandbox.ok(["models", "import", archive]);
        assert_eq!(row(&sandbox)["state"], "installed");
        let names: Vec<_> =
            std::fs::read_dir(installed(&sandbox)).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(!sandbox.path("data/earmark/evil").exists() && !sandbox.path("data/evil").exists());

        let bytes = std::fs::read(sandbox.path(archive)).unwrap();
        sandbox.write("cut.tar", &bytes[..bytes.len() / 2]);
        let cut = sandbox.fails(1, ["models", "import", "cut.tar"]);
        assert!(cut.contains("not a usable tar archive"), "{cut}");
        sandbox.ok(["models", "verify", MODEL]);
    }
}

#[test]
fn checksums_that_nobody_publishes_are_filled_in_once_and_held_to() {
    let sandbox = knowing(&manifest_without_checksums());
    copy_model(&sandbox.path("usb"));
    let refused = sandbox.fails(1, ["models", "import", "usb"]);
    assert!(refused.contains("--as NAME"), "{refused}");
    let imported = sandbox.run(["models", "import", "usb", "--as", MODEL]);
    assert!(imported.code == Some(0) && imported.stderr.contains("remembered from now on"), "{imported:#?}");
    let filled = std::fs::read_to_string(installed(&sandbox).join("manifest.toml")).unwrap();
    let known = manifest();
    for line in known.lines().filter(|l| l.starts_with("sha256 = ") || l.starts_with("bytes = ")) {
        assert!(filled.contains(line), "no {line} in {filled}");
    }
    std::fs::remove_file(sandbox.path("usb/audio.onnx")).unwrap();
    let incomplete = sandbox.fails(1, ["models", "import", "usb", "--as", MODEL]);
    assert!(incomplete.contains("audio.onnx not found in usb"), "{incomplete}");
    sandbox.ok(["models", "verify", MODEL]);
}

#[test]
fn verify_finds_damage_and_pull_mends_it() {
    let sandbox = knowing(&manifest_with_hub());
    let server = hub();
    assert_eq!(run(&sandbox, &server.url(), &["models", "pull", MODEL]).code, Some(0));
    sandbox.ok(["models", "verify", MODEL]);
    // Replaced, not written into: the file is the hub cache's too.
    let path = installed(&sandbox).join("text.onnx");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let found = sandbox.run(["models", "verify"]);
    assert_eq!(found.code, Some(1));
    assert!(found.stdout.contains("text.onnx is not the file that the manifest describes"), "{found:#?}");
    assert_eq!(run(&sandbox, &server.url(), &["models", "pull", MODEL]).code, Some(0));
    sandbox.ok(["models", "verify", MODEL]);
}

#[test]
fn only_what_was_installed_is_removed() {
    let sandbox = knowing(&manifest());
    for (name, said) in [
        ("mini", "part of this program"),
        (MODEL, "a folder of your own"),
        ("nothing", "unknown model"),
        ("../../config", "unknown model"),
        (".", "unknown model"),
    ] {
        let error = sandbox.fails(1, ["models", "remove", name]);
        assert!(error.contains(said), "{name}: {error}");
    }
    assert!(sandbox.path("config/earmark/models/tiny-clap/manifest.toml").is_file());
}

#[test]
fn check_says_all_that_is_wrong_with_a_manifest_one_field_a_line() {
    let sandbox = Sandbox::new();
    let bad = manifest().replace("dim = 32", "dim = 0").replace("prompt = \"{}\"", "prompt = \"a\"");
    sandbox.write("mine/manifest.toml", bad);
    let found = sandbox.run(["models", "check", "mine"]);
    assert_eq!(found.code, Some(1));
    for field in ["wrong  `dim`: expected", "wrong  `text.prompt`: expected"] {
        assert!(found.stdout.contains(field), "{found:#?}");
    }
    // Files that nobody can bring are wrong; those of a hub are only not here.
    sandbox.write("mine/manifest.toml", manifest());
    let found = sandbox.run(["models", "check", "mine/manifest.toml"]);
    assert!(found.code == Some(1) && found.stdout.contains("wrong  audio.onnx is missing"), "{found:#?}");
    sandbox.write("mine/manifest.toml", manifest_with_hub());
    let found = sandbox.ok(["models", "check", "mine"]);
    assert!(found.contains("note   audio.onnx is not here"), "{found}");
    // With its files it is tried.
    copy_model(&sandbox.path("mine"));
    let found = sandbox.ok(["models", "check", "mine"]);
    assert!(found.contains("ok     audio graph") && found.contains("ok     text spread"), "{found}");
    std::fs::copy(broken("nan-audio.onnx"), sandbox.path("mine/audio.onnx")).unwrap();
    assert_eq!(sandbox.run(["models", "check", "mine"]).code, Some(1));
}

#[test]
fn every_manifest_that_is_known_passes_the_check() {
    let sandbox = Sandbox::new();
    let found = sandbox.run(["models", "check"]);
    assert_eq!(found.code, Some(0), "{found:#?}");
    let rows = sandbox.json(["models", "list", "--json"]);
    for row in rows.as_array().unwrap() {
        assert!(row["problem"].is_null() && row["kind"].is_string() && row["licence"].is_string(), "{row}");
        assert!(found.stdout.contains(row["name"].as_str().unwrap()), "{row}");
        // So do their folders in the checkout, where ced-tiny has no graph of its own: it shares mini's.
        let folder = repo().join("models").join(row["name"].as_str().unwrap());
        let found = sandbox.run(["models", "check", folder.to_str().unwrap()]);
        assert_eq!(found.code, Some(0), "{found:#?}");
    }
}

#[test]
fn an_export_recipe_is_told_step_by_step_or_run() {
    let export = "[export]\nrecipe = \"export.py\"\nrequirements = \"requirements.txt\"\ncheckpoint = \"thin air\"\n\
                  extra = [\"shared.py\"]\n\n[[files]]";
    let sandbox = knowing(&manifest_without_checksums().replacen("[[files]]", export, 1));
    let own = |name: &str| format!("config/earmark/models/tiny-clap/{name}");
    sandbox.write(&own("requirements.txt"), "# nothing\n");
    sandbox.write(&own("shared.py"), format!("SOURCE = {:?}\n", fixture("")));
    sandbox.write(
        &own("export.py"),
        "import pathlib, shutil, sys\nfrom shared import SOURCE\nassert sys.argv[1::2] == ['--out', '--checkpoint']\n\
         shutil.copytree(SOURCE, sys.argv[2], dirs_exist_ok=True)\n",
    );
    let told = sandbox.ok(["models", "export", MODEL, "--out", "made here"]);
    let last = told.lines().last().unwrap();
    assert!(told.contains("thin air") && last.starts_with("earmark models import '"), "{told}");
    assert!(sandbox.path("made here/shared.py").is_file());
    let Ok(python) = Command::new("python3").args(["-c", "import venv, ensurepip"]).status() else { return };
    if !python.success() {
        return;
    }
    sandbox.ok(["models", "export", MODEL, "--out", "made here", "--run", "--", "--checkpoint", "x"]);
    assert_eq!(row(&sandbox)["state"], "installed");

    let none = sandbox.fails(1, ["models", "export", "mini"]);
    assert!(none.contains("no export recipe"), "{none}");
}
