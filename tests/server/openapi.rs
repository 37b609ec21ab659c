//! The OpenAPI document is what it was, and covers what there is.

use std::path::PathBuf;

use serde_json::Value;

fn snapshot() -> PathBuf {
    crate::sandbox::repo().join("tests/server/openapi.json")
}

/// A change of the API is a change of this file, for people to see in review. `EARMARK_UPDATE=1` writes it.
#[test]
fn the_document_is_the_one_in_the_repository() {
    let now = format!("{}\n", earmark_server::openapi().to_pretty_json().unwrap());
    if std::env::var_os("EARMARK_UPDATE").is_some() {
        std::fs::write(snapshot(), &now).unwrap();
    }
    let kept = std::fs::read_to_string(snapshot()).unwrap_or_default();
    if kept != now {
        let differs = kept.lines().zip(now.lines()).position(|(a, b)| a != b).unwrap_or(0);
        panic!(
            "the API's document differs from tests/server/openapi.json from line {} on; EARMARK_UPDATE=1 writes it anew",
            differs + 1
        );
    }
}

#[test]
fn every_operation_says_what_it_is_and_how_it_fails() {
    let document = serde_json::to_value(earmark_server::openapi()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            let responses = operation["responses"].as_object().unwrap();
            assert!(operation["summary"].is_string(), "{method} {path}");
            let problem =
                &responses.get("default").unwrap_or(&Value::Null)["content"]["application/problem+json"];
            assert!(path == "/healthz" || !problem.is_null(), "{method} {path} documents no problems");
        }
    }
    assert!(operations >= 29, "{operations} operations");
}
