//! The OpenAPI document is what it was, and covers what there is.

use std::path::PathBuf;

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
    assert!(document["servers"].as_array().is_some_and(|servers| !servers.is_empty()));
    let (mut operations, mut ids) = (0, std::collections::HashSet::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            // Generators name functions by it.
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(ids.insert(id.clone()), "{id} twice");
            assert!(operation["summary"].is_string(), "{id}");
            assert!(
                operation["description"].as_str().is_some_and(|text| text.len() > 10),
                "{id} says too little"
            );
            let bodies = operation["requestBody"]["content"].as_object().map_or(0, |content| content.len());
            assert!(bodies <= 1, "{id} takes {bodies} kinds of body; generators understand one");
            let responses = operation["responses"].as_object().unwrap();
            let problems = responses.iter().filter(|(status, _)| status.starts_with(['4', '5']));
            for (status, response) in problems.clone() {
                let name = response["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
                let problem =
                    &document["components"]["responses"][&name]["content"]["application/problem+json"];
                assert_eq!(problem["example"]["status"].to_string(), *status, "{id}: {name}");
            }
            assert!(path == "/healthz" || problems.count() > 1, "{method} {path} documents no problems");
            for (status, response) in responses {
                let content = response["content"].as_object();
                for (media, content) in content.into_iter().flatten().filter(|(media, _)| is_shown(media)) {
                    let example = &content["example"];
                    let missing = "has no example; EARMARK_UPDATE=1 writes one";
                    assert!(!example.is_null(), "{id}, {status}, {media} {missing}");
                }
            }
        }
    }
    assert!(operations >= 36, "{operations} operations");
}

/// Whether an answer of this media type can be an example.
fn is_shown(media: &str) -> bool {
    media == "application/json" || media == "application/openmetrics-text" || media.starts_with("text/")
}

/// What every operation is asked here, with the status it must answer; a new operation must be added.
struct Asked<'a> {
    clip: &'a str,
    job: &'a str,
}

impl Asked<'_> {
    /// The request's JSON, if it has a body.
    fn request(&self, method: &str, path: &str) -> Value {
        let ids = json!([self.clip]);
        match (method, path) {
            ("post", "/v1/search") => {
                json!({"query": [{"text": "a dog barks"}, {"text": "rain", "weight": -0.5}], "k": 2, "explain": true})
            }
            ("post", "/v1/search/files") => json!({"query": [{"file": "bark.wav"}], "k": 2}),
            ("post", "/v1/classify") => json!({"clip_ids": ids, "labels": ["dog", "rain"]}),
            ("post", "/v1/classify/files" | "/v1/events/file" | "/v1/labelsets/{name}") => {
                json!({"labels": ["dog", "rain"]})
            }
            ("put", _) => {
                json!({"labels": ["dog", {"name": "rain", "prompts": ["rain falling", "heavy rain"]}]})
            }
            ("post", "/v1/events") => json!({"clip_id": self.clip, "labels": ["dog", "rain"]}),
            ("post", "/v1/tag") => json!({"clip_ids": ids, "top": 3}),
            ("post", "/v1/duplicates") => json!({"keep": ["length", "format"]}),
            ("post", "/v1/describe") => json!({"clip_ids": ids}),
            ("post", "/v1/tag/files" | "/v1/describe/files" | "/v1/embeddings/files") => json!({}),
            ("post", "/v1/clips") => json!({"tags": ["new"]}),
            ("post", "/v1/embeddings") => json!({"input": "a dog barks"}),
            ("post", "/v1/jobs") => json!({"root": "sounds"}),
            ("patch", "/v1/clips/{id}") => json!({"tags": ["field", "wet"]}),
            ("get" | "delete", _) => Value::Null,
            _ => panic!("no request for {method} {path}: add one"),
        }
    }

    async fn answer(&self, server: &Server, method: &str, path: &str) -> Answer {
        let request = self.request(method, path);
        let filled = path
            .replace("{name}", "set")
            .replace("{id}", if path.starts_with("/v1/jobs") { self.job } else { self.clip });
        match method {
            "get" => server.get(&filled).await,
            "delete" => server.delete(&filled).await,
            "post" if path == "/v1/clips" || path.ends_with("/files") || path.ends_with("/file") => {
                let part = if path.ends_with("/files") { "files" } else { "file" };
                let bark = (part, "bark.wav", sound("animals/dog-barking.wav"));
                server.upload(path, request, &[bark]).await
            }
            method => server.json(method.to_uppercase().parse().unwrap(), &filled, request).await,
        }
    }
}

/// Where the document's examples are.
fn examples_file() -> PathBuf {
    crate::sandbox::repo().join("crates/server/src/examples.json")
}

/// An answer as an example: without this machine's folders, and not longer than people read.
fn as_example(answer: &Value, folder: &str) -> Value {
    match answer {
        Value::String(text) => Value::String(text.replace(folder, "/srv")),
        Value::Array(items) => {
            let most = if items.first().is_some_and(Value::is_number) { 3 } else { 2 };
            items.iter().take(most).map(|item| as_example(item, folder)).collect()
        }
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), as_example(value, folder))).collect()
        }
        other => other.clone(),
    }
}

/// The first lines of a text.
fn beginning(answer: &Answer) -> String {
    answer.text().lines().take(6).fold(String::new(), |text, line| text + line + "\n")
}

/// The examples of the document are what is asked and answered here. `EARMARK_UPDATE=1` writes them.
fn check_examples(found: &serde_json::Map<String, Value>) {
    if std::env::var_os("EARMARK_UPDATE").is_some() {
        std::fs::write(examples_file(), format!("{}\n", serde_json::to_string_pretty(found).unwrap()))
            .unwrap();
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(examples_file()).unwrap()).unwrap();
    let fields = |value: &Value| -> Vec<String> {
        value.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
    };
    for (id, example) in found {
        assert_eq!(kept[id]["request"], example["request"], "{id}: EARMARK_UPDATE=1 writes examples");
        assert_eq!(
            fields(&kept[id]["answer"]),
            fields(&example["answer"]),
            "{id}: EARMARK_UPDATE=1 writes examples"
        );
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
    let folder = server.dir.path().to_str().unwrap().to_owned();
    let clip = server.clip("dog-in-rain.wav").await;
    let started = server.post("/v1/jobs", json!({"root": "sounds"})).await.ok();
    let asked = Asked { clip: &clip, job: started["id"].as_str().unwrap() };
    server.get(&format!("/v1/jobs/{}/events", asked.job)).await;
    let mut examples = serde_json::Map::new();
    for (method, path, operation) in operations {
        let answer = asked.answer(&server, method, path).await;
        let status = answer.status.as_str();
        let mut example = json!({});
        let request = asked.request(method, path);
        if !request.is_null() {
            let part = if path.ends_with("/files") { "files" } else { "file" };
            example["request"] = match () {
                () if path == "/v1/clips" || path.ends_with("/file") => {
                    json!({"request": request, part: "bark.wav"})
                }
                () if path.ends_with("/files") => json!({"request": request, part: ["bark.wav"]}),
                () => request,
            };
        }
        let id = operation["operationId"].as_str().unwrap().to_owned();
        if (method, path) == ("delete", "/v1/jobs/{id}") {
            answer.problem(409);
            example["answer"] = as_example(&started, &folder);
            examples.insert(id, example);
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
        if is_shown(media) {
            let shown = if media == "application/json" { answer.json() } else { beginning(&answer).into() };
            example["answer"] = as_example(&shown, &folder);
        }
        examples.insert(id, example);
    }
    check_examples(&examples);
}
