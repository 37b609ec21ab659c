//! `earmark export` and `earmark import`, and taking clips out.

use std::fs;

use crate::sandbox::{Sandbox, result_names};

const SAMPLES: &[&str] = &["alarms/siren-wail.mp3", "music/church-bell.flac", "events/evening-at-home.ogg"];

#[test]
fn an_exported_index_comes_back_the_same() {
    let sandbox = Sandbox::indexed(SAMPLES);
    sandbox.ok(["export", "out"]);
    sandbox.ok(["import", "out", "--db", "second.earmark"]);
    let search = |db: &str| sandbox.json(["search", "siren", "--json", "--min-score", "-1", "--db", db]);
    assert_eq!(search("test.earmark")["hits"], search("second.earmark")["hits"]);
    sandbox.ok(["verify", "--db", "second.earmark"]);
    // NumPy's header says how many rows there are.
    let npy = fs::read(sandbox.path("out/vectors.npy")).unwrap();
    let header = String::from_utf8_lossy(&npy[..128]).into_owned();
    let rows = sandbox.json(["info", "--json"])["segments"].as_u64().unwrap();
    assert!(header.contains(&format!("({rows}, 623)")), "{header}");
    let error = sandbox.fails(1, ["export", "out"]);
    assert!(error.contains("out") && error.contains("empty folder"), "{error}");
}

#[test]
fn a_damaged_export_is_refused_by_file() {
    let sandbox = Sandbox::indexed(SAMPLES);
    sandbox.ok(["export", "out"]);
    let vectors = sandbox.path("out/vectors.npy");
    let bytes = fs::read(&vectors).unwrap();
    fs::write(&vectors, &bytes[..bytes.len() - 100]).unwrap();
    let error = sandbox.fails(1, ["import", "out", "--db", "second.earmark"]);
    assert!(error.contains("vectors.npy") && error.contains("row"), "{error}");
    assert!(!sandbox.path("second.earmark").exists(), "half an index was left");
    let error = sandbox.fails(1, ["import", "sounds", "--db", "third.earmark"]);
    assert!(error.contains("header.json") && error.contains("earmark export"), "{error}");
}

#[test]
fn removed_clips_are_gone_from_the_index_and_not_from_the_disk() {
    let sandbox = Sandbox::indexed(SAMPLES);
    let dry = sandbox.ok(["remove", "sounds/church-bell.flac", "--dry-run"]);
    assert_eq!(dry, "sounds/church-bell.flac\n");
    sandbox.ok(["remove", "sounds/church-bell.flac"]);
    assert!(sandbox.path("sounds/church-bell.flac").exists());
    let found = result_names(&sandbox.json(["search", "church bell", "--min-score", "-1", "--json"]));
    assert!(found.len() == 2 && !found.contains(&"church-bell.flac".to_owned()), "{found:?}");
    let error = sandbox.fails(1, ["remove", "sounds/church-bell.flac"]);
    assert!(error.contains("no such clip"), "{error}");
    sandbox.ok(["remove", "--path", "*.mp3"]);
    assert_eq!(sandbox.json(["list", "--json"])["items"].as_array().unwrap().len(), 1);
    sandbox.ok(["verify"]);
}

#[test]
fn a_rebuilt_index_finds_the_same() {
    let sandbox = Sandbox::indexed(SAMPLES);
    let search = || sandbox.json(["search", "siren", "--json", "--min-score", "-1"]);
    let before = search();
    sandbox.ok(["rebuild"]);
    assert_eq!(before, search());
    sandbox.ok(["verify"]);
}
