//! Every status of the error table, with what it says.

use std::process::Command;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use super::{Server, multipart, sound};

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_its_field() {
    let server = Server::new();
    let search = |query: Value| json!({"query": query});
    for (body, field) in [
        (search(json!([])), "query"),
        (search(json!([{"text": ""}])), "query[0].text"),
        (search(json!([{"text": "x".repeat(5000)}])), "query[0].text"),
        (search(json!([{"text": "a", "clip_id": "1"}])), "query[0]"),
        (search(json!([{}])), "query[0]"),
        (search(json!([{"text": "a", "weight": -1}])), "query"),
        (search(json!([{"text": "a", "weight": 1e9}])), "query[0].weight"),
        (search(json!([{"clip_id": "1", "start_s": 5, "end_s": 2}])), "query[0].start_s"),
        (search(json!([{"clip_id": "one"}])), "query[0].clip_id"),
        (search(json!([{"file": "none"}])), "query[0].file"),
        (search(json!([{"text": "a", "wieght": 1}])), "query[0].wieght"),
        (json!({"query": [{"text": "a"}], "k": 0}), "k"),
        (json!({"query": [{"text": "a"}], "k": -1}), "k"),
        (json!({"query": [{"text": "a"}], "cursor": "x"}), "cursor"),
        (json!({"query": [{"text": "a"}], "cursor": format!("o{}", usize::MAX)}), "cursor"),
        (json!({"query": [{"text": "a"}], "filter": {"path": "[a"}}), "filter"),
        (json!({"query": [{"text": "a"}], "filter": {"indexed_since": "soon"}}), "filter.indexed_since"),
        (json!({}), "body"),
    ] {
        let answer = server.post("/v1/search", body.clone()).await;
        let (_, named) = answer.problem(400);
        assert_eq!(named, field, "{body}: {}", answer.text());
    }
    let id = server.clip("rain.flac").await;
    for (path, body, field) in [
        ("/v1/classify", json!({"labels": ["a"]}), "clip_ids"),
        ("/v1/classify", json!({"clip_ids": [id]}), "labels"),
        ("/v1/classify", json!({"clip_ids": [id], "labels": []}), "labels"),
        ("/v1/classify", json!({"clip_ids": [id], "labels": ["a", "A"]}), "labels"),
        ("/v1/classify", json!({"clip_ids": [id], "labels": ["a"], "templates": ["no place"]}), "templates"),
        ("/v1/classify", json!({"clip_ids": [id], "labels": ["a"], "threshold": 2}), "threshold"),
        ("/v1/classify", json!({"clip_ids": [id], "labels": ["a"], "pooling": "median"}), "pooling"),
        ("/v1/events", json!({"labels": ["a"]}), "clip_id"),
        ("/v1/events", json!({"clip_id": id, "labels": ["a"], "release": 0.9}), "release"),
        ("/v1/events", json!({"clip_id": id, "labels": ["a"], "hop_s": 1e-9}), "hop_s"),
        ("/v1/embeddings", json!({}), "input"),
        ("/v1/embeddings", json!({"input": "a", "model": "other"}), "model"),
        ("/v1/tag", json!({}), "clip_ids"),
        ("/v1/jobs", json!({"root": "sounds", "tags": ["a,b"]}), "tags"),
    ] {
        let answer = server.post(path, body.clone()).await;
        let (_, named) = answer.problem(400);
        assert_eq!(named, field, "{path} {body}: {}", answer.text());
    }
    // Misspelt, it would be left out, and the whole library listed.
    for (path, field, said) in [
        ("/v1/clips?tag=x".to_owned(), "tag", "there are: "),
        ("/v1/clips?tags=x&limit=1&order=path".to_owned(), "order", "tags"),
        (format!("/v1/clips/{id}?x=1"), "x", "has none"),
    ] {
        let answer = server.get(&path).await;
        let (detail, named) = answer.problem(400);
        assert!(named == field && detail.contains(said), "{path}: {}", answer.text());
    }
    let labels: Vec<String> = (0..5000).map(|i| format!("label {i}")).collect();
    server.post("/v1/classify", json!({"clip_ids": [id], "labels": labels})).await.problem(400);
    for query in [
        "limit=0",
        "limit=501",
        "limit=",
        "limit=x",
        "cursor=x",
        "sort=size",
        "min_duration_s=long",
        "min_duration_s=",
        "max_duration_s=NaN",
        "path=[a",
    ] {
        server.get(&format!("/v1/clips?{query}")).await.problem(400);
    }
    for path in ["peaks?points=0", "spectrogram.png?width=1", "similar?k=0"] {
        server.get(&format!("/v1/clips/{id}/{path}")).await.problem(400);
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let server = Server::new();
    for path in [
        "/v1/clips/999",
        "/v1/clips/x",
        "/v1/clips/-1",
        "/v1/clips/999/audio",
        "/v1/clips/999/peaks",
        "/v1/clips/999/spectrogram.png",
        "/v1/clips/999/similar",
        "/v1/jobs/9",
        "/v1/jobs/9/events",
        "/v1/jobs/9/failures",
        "/v1/labelsets/none",
        "/v1/none",
    ] {
        server.get(path).await.problem(404);
    }
    server.delete("/v1/clips/999").await.problem(404);
    server.delete("/v1/jobs/9").await.problem(404);
    server.json(Method::PATCH, "/v1/clips/999", json!({"tags": []})).await.problem(404);
    server.post("/v1/search", json!({"query": [{"clip_id": "999"}]})).await.problem(404);
    server.post("/v1/events", json!({"clip_id": "999", "labels": ["a"]})).await.problem(404);
    server.post("/v1/classify", json!({"clip_ids": ["999"], "labels": ["a"]})).await.problem(404);
    server.post("/v1/classify", json!({"clip_ids": ["1"], "label_set": "none"})).await.problem(404);
    let wrong = server.delete("/v1/search").await;
    wrong.problem(405);
    assert_eq!(wrong.header("allow"), "POST");
}

#[tokio::test]
async fn bodies_of_another_kind_or_size_are_refused() {
    let server = Server::with(|config| config.limits.upload_bytes = 50_000);
    let plain =
        Request::post("/v1/search").header("content-type", "text/plain").body(Body::from("rain")).unwrap();
    server.send(plain).await.problem(415);
    server.send(Request::post("/v1/search").body(Body::from("{}")).unwrap()).await.problem(415);
    let cut =
        Request::post("/v1/search").header("content-type", "application/json").body(Body::from("{")).unwrap();
    server.send(cut).await.problem(400);
    let large = sound("animals/dog-barking.wav");
    assert!(large.len() > 50_000);
    let request = json!({"query": [{"file": "a.wav"}]});
    server.upload("/v1/search/files", request.clone(), &[("f", "a.wav", large)]).await.problem(413);
    let json = json!({"query": [{"text": "x".repeat(60_000)}]});
    server.post("/v1/search", json).await.problem(413);
    let many: Vec<_> = (0..40).map(|_| ("f", "a.wav", vec![0_u8; 10])).collect();
    server.upload("/v1/classify/files", json!({"labels": ["a"]}), &many).await.problem(413);
    let long = json!({"query": [{"text": "x".repeat(2 << 20)}]});
    server.upload("/v1/search/files", long, &[]).await.problem(413);
    // A body in which no part ever begins is cut off long before it is all in memory.
    let mut endless = multipart("/v1/search/files", &request, &[]);
    *endless.body_mut() = Body::from(vec![b'x'; 20 << 20]);
    let (detail, _) = server.send(endless).await.problem(413);
    assert!(detail.contains("too much"), "{detail}");
    let mut broken = multipart("/v1/search/files", &request, &[]);
    *broken.body_mut() = Body::from("--xYzZy\r\nnonsense");
    server.send(broken).await.problem(400);
}

#[tokio::test]
async fn a_glob_that_cannot_be_compiled_is_refused() {
    let server = Server::new();
    let deep = format!("/v1/clips?path={}a{}", "%7B".repeat(500), "%7D".repeat(500));
    assert_eq!(server.get(&deep).await.problem(400).1, "filter");
    let long = json!({"query": [{"text": "rain"}], "filter": {"path": "*a".repeat(100_000)}});
    assert_eq!(server.post("/v1/search", long).await.problem(400).1, "filter");
}

#[tokio::test]
async fn sounds_that_cannot_be_decoded_are_refused_with_the_reason() {
    let server = Server::new();
    let fixture = |name: &str| std::fs::read(crate::sandbox::audio_fixture(name)).unwrap();
    for (bytes, reason) in [
        (b"%PDF-1.7 hello".to_vec(), "unsupported"),
        (Vec::new(), "0 bytes"),
        (fixture("bad_noise.bin"), "expected"),
    ] {
        let file = [("file", "it.wav", bytes)];
        for (path, request) in [
            ("/v1/search/files", json!({"query": [{"file": "it.wav"}]})),
            ("/v1/classify/files", json!({"labels": ["a"]})),
            ("/v1/events/file", json!({"labels": ["a"]})),
            ("/v1/tag/files", json!({})),
            ("/v1/embeddings/files", json!({})),
        ] {
            let answer = server.upload(path, request, &file).await;
            let (detail, _) = answer.problem(422);
            assert!(detail.contains("it.wav") && detail.contains(reason), "{path}: {detail}");
        }
    }
}

#[tokio::test]
async fn while_the_library_is_opened_only_health_answers() {
    let server = Server::still_loading(|_| {});
    assert_eq!(server.get("/healthz").await.status, 200);
    let (detail, _) = server.get("/readyz").await.problem(503);
    assert!(detail.contains("being opened"), "{detail}");
    let waiting = server.get("/v1/clips").await;
    waiting.problem(503);
    assert_eq!(waiting.header("retry-after"), "1");
    server.app.fail("the disk at /secret/path is broken".to_owned());
    let (detail, _) = server.get("/v1/clips").await.problem(500);
    assert!(!detail.contains("secret"), "internals are for the log: {detail}");
}

/// Mounting needs root: without it this test says so and passes.
#[tokio::test]
async fn after_a_full_disk_the_server_writes_again_without_a_restart() {
    let server = Server::still_loading(|_| {});
    let db = server.dir.path().join("test.earmark");
    std::fs::create_dir(&db).unwrap();
    let mount = |args: &[&str]| Command::new(args[0]).args(&args[1..]).arg(&db).status().unwrap().success();
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=16m", "earmark-test"]) {
        println!("skipped: mounting a tmpfs needs root");
        return;
    }
    let (library, jobs) = server.library();
    server.app.open(library, jobs).unwrap();
    assert_eq!(server.get("/readyz").await.status, 200);
    let path = format!("/v1/clips/{}", server.clip("rain.flac").await);
    let tag = async |tag: &str| server.json(Method::PATCH, &path, json!({"tags": [tag]})).await;

    let ballast = db.join("ballast");
    std::fs::write(&ballast, vec![1; 32 << 20]).unwrap_err();
    // sled and the file system find room for a few small writes.
    let mut failed = false;
    for number in 0..200 {
        let answer = tag(&format!("number {number}")).await;
        failed = answer.status != 200;
        if failed {
            let (detail, _) = answer.problem(503);
            assert!(detail.contains("full"), "{detail}");
        }
        let ready = server.get("/readyz").await;
        if failed || ready.status == 503 {
            assert!(ready.problem(503).0.contains("full"));
            break;
        }
    }
    assert_eq!(server.get("/v1/clips").await.status, 200, "reading goes on");
    let again = tag("again").await;
    assert!(again.status == 503 || !failed, "{again:?}");

    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(server.get("/readyz").await.status, 200);
    assert_eq!(tag("room").await.ok()["tags"], json!(["room"]));
    assert_eq!(server.get("/readyz").await.status, 200);
    drop(server);
    mount(&["umount", "--lazy"]);
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let server = std::sync::Arc::new(Server::with(|config| {
        config.limits.encodes = 1;
        config.limits.queue = 0;
    }));
    let bytes = sound("events/dog-in-rain.wav");
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (server, bytes) = (std::sync::Arc::clone(&server), bytes.clone());
            tokio::spawn(async move {
                server.upload("/v1/events/file", json!({"labels": ["dog"]}), &[("f", "a.wav", bytes)]).await
            })
        })
        .collect();
    let (mut served, mut busy) = (0, 0);
    for task in tasks {
        let answer = task.await.unwrap();
        if answer.status == 200 {
            served += 1;
        } else {
            answer.problem(429);
            assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
            busy += 1;
        }
    }
    assert!(served >= 1 && busy >= 1, "{served} served, {busy} refused");
    // There is memory for one body at a time.
    let room = bytes.len() as u64 + (16 << 10);
    let small = Server::with(|config| {
        (config.limits.upload_bytes, config.limits.upload_bytes_total) = (room, room);
    });
    let file = [("f", "a.wav", bytes)];
    let send =
        async || small.upload("/v1/events/file", json!({"labels": ["dog"]}), &file).await.status.as_u16();
    let (first, second) = tokio::join!(send(), send());
    assert_eq!((first.min(second), first.max(second)), (200, 429));
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let server = Server::with(|config| config.limits.request_s = 0.05);
    // A client that says it has something to send, and never does.
    let body = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request = Request::post("/v1/search").header("content-type", "application/json").body(body).unwrap();
    let (detail, _) = server.send(request).await.problem(503);
    assert!(detail.contains("too long"), "{detail}");
}
