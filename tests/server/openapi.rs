//! The OpenAPI document is what it was, and covers what there is.

use std::path::PathBuf;

use axum::http::Method;
use serde_json::{Value, json};

use super::{Answer, Server, sound};

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
    let (mut operations, mut ids) = (0, std::collections::HashSet::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            // Generators name functions by it.
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(ids.insert(id.clone()), "{id} twice");
            let responses = operation["responses"].as_object().unwrap();
            assert!(operation["summary"].is_string(), "{method} {path}");
            let problem =
                &responses.get("default").unwrap_or(&Value::Null)["content"]["application/problem+json"];
            assert!(path == "/healthz" || !problem.is_null(), "{method} {path} documents no problems");
        }
    }
    assert!(operations >= 29, "{operations} operations");
}

/// What every operation is asked here, with the status it must answer; a new operation must be added.
struct Asked<'a> {
    clip: &'a str,
    job: &'a str,
}

impl Asked<'_> {
    async fn answer(&self, server: &Server, method: &str, path: &str) -> Answer {
        let bark = || [("file", "bark.wav", sound("animals/dog-barking.wav"))];
        let labels = json!({"labels": ["dog", "rain"]});
        let filled = path
            .replace("{name}", "set")
            .replace("{id}", if path.starts_with("/v1/jobs") { self.job } else { self.clip });
        match (method, path) {
            ("post", "/v1/search") => server.post(path, json!({"query": [{"text": "a dog"}]})).await,
            ("post", "/v1/classify" | "/v1/events") => server.upload(path, labels, &bark()).await,
            ("post", "/v1/clips") => server.upload(path, json!({"tags": ["new"]}), &bark()).await,
            ("post", "/v1/tag") => server.upload(path, json!({}), &bark()).await,
            ("post", "/v1/embeddings") => server.post(path, json!({"input": "a dog"})).await,
            ("post", "/v1/jobs") => server.post(path, json!({"root": "sounds"})).await,
            ("patch", "/v1/clips/{id}") => server.json(Method::PATCH, &filled, json!({"tags": ["a"]})).await,
            ("put", "/v1/labelsets/{name}") => server.json(Method::PUT, &filled, labels).await,
            ("delete", _) => server.delete(&filled).await,
            ("get", _) => server.get(&filled).await,
            _ => panic!("no request for {method} {path}: add one"),
        }
    }
}

#[tokio::test]
async fn every_operation_of_the_document_answers() {
    let document = serde_json::to_value(earmark_server::openapi()).unwrap();
    let mut operations: Vec<(&str, &str, &Value)> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        operations
            .extend(item.as_object().unwrap().iter().map(|(method, o)| (method.as_str(), path.as_str(), o)));
    }
    // What is made before it is read, and deleted last; a job that is done cannot be cancelled.
    let order = ["put", "post", "patch", "get", "delete"];
    operations
        .sort_by_key(|(method, ..)| order.iter().position(|m| m == method).expect("a method known here"));
    let server = Server::new();
    let clip = server.clip("rain.flac").await;
    let started = server.post("/v1/jobs", json!({"root": "sounds"})).await.ok();
    let asked = Asked { clip: &clip, job: started["id"].as_str().unwrap() };
    server.get(&format!("/v1/jobs/{}/events", asked.job)).await;
    for (method, path, operation) in operations {
        let answer = asked.answer(&server, method, path).await;
        let status = answer.status.as_str();
        if (method, path) == ("delete", "/v1/jobs/{id}") {
            answer.problem(409);
            continue;
        }
        assert!(answer.status.is_success(), "{method} {path}: {status} {}", answer.text());
        let documented = &operation["responses"][status];
        assert!(documented.is_object(), "{method} {path} answers {status}, which its document does not say");
        let media = answer.header("content-type").split(';').next().unwrap();
        let content = documented["content"].as_object();
        assert!(
            content.map_or(answer.bytes.is_empty(), |content| {
                content.keys().any(|kind| {
                    kind == media || kind == "*/*" || kind == "audio/*" && media.starts_with("audio/")
                })
            }),
            "{method} {path} answers {media}, its document says {documented}"
        );
    }
}
