//! Indexing jobs over HTTP.

use serde_json::{Value, json};

use super::Server;

/// The events of a job, to its end.
pub(super) async fn follow(server: &Server, id: &str) -> Vec<(String, Value)> {
    let stream = server.get(&format!("/v1/jobs/{id}/events")).await;
    assert_eq!(stream.header("content-type"), "text/event-stream");
    let text = stream.text();
    let events = text.split("\n\n").filter(|event| event.contains("data:"));
    events
        .map(|event| {
            let line = |name: &str| {
                event.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
            };
            (line("event:"), serde_json::from_str(&line("data:")).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_job_tells_its_progress_and_what_failed() {
    let server = Server::new();
    std::fs::copy(crate::sandbox::sample("music/flute.opus"), server.sounds().join("flute.opus")).unwrap();
    std::fs::write(server.sounds().join("broken.wav"), b"RIFF....WAVE").unwrap();
    let started = server.post("/v1/jobs", json!({"root": "sounds", "tags": ["job"]})).await;
    assert_eq!(started.status, 202);
    let id = started.json()["id"].as_str().unwrap().to_owned();
    let events = follow(&server, &id).await;
    let (name, last) = events.last().unwrap();
    assert_eq!((name.as_str(), &last["state"]), ("done", &json!("done")));
    assert!(events[..events.len() - 1].iter().all(|(name, _)| name == "progress"));
    assert_eq!((&last["report"]["added"], &last["report"]["failed"]), (&json!(1), &json!(1)));
    assert_eq!(server.get(&format!("/v1/jobs/{id}")).await.ok()["state"], "done");
    let failures = server.get(&format!("/v1/jobs/{id}/failures")).await.ok();
    assert!(failures["items"][0]["path"].as_str().unwrap().ends_with("broken.wav"));
    assert_eq!(server.get("/v1/failures").await.ok()["total"], 1);
    assert_eq!(server.get("/v1/clips?tags=job").await.ok()["total"], 5);
    assert_eq!(server.get("/v1/jobs").await.ok()["items"][0]["id"], id.as_str());
    server.delete(&format!("/v1/jobs/{id}")).await.problem(409);
}

/// A drive that is not mounted is an empty folder.
#[tokio::test]
async fn a_job_prunes_what_is_gone_and_refuses_what_may_only_be_out_of_reach() {
    let server = Server::new();
    let run = async |body: Value| {
        let id = server.post("/v1/jobs", body).await.ok()["id"].as_str().unwrap().to_owned();
        follow(&server, &id).await.pop().unwrap().1
    };
    let total = async || server.get("/v1/clips").await.ok()["total"].as_u64().unwrap();
    let clips = total().await;
    let away = server.dir.path().join("away");
    std::fs::create_dir(&away).unwrap();
    for entry in std::fs::read_dir(server.sounds()).unwrap().map(Result::unwrap) {
        std::fs::rename(entry.path(), away.join(entry.file_name())).unwrap();
    }
    for prune in [json!(true), json!("careful")] {
        let job = run(json!({"root": "sounds", "prune": prune})).await;
        assert_eq!((&job["state"], &job["report"]["pruned"]), (&json!("failed"), &json!(0)), "{job}");
        let error = job["error"].as_str().unwrap();
        let says = ["is empty", &format!("{clips} of its {clips} clips"), r#""prune": "all""#];
        assert!(says.iter().all(|words| error.contains(words)), "{error}");
        assert_eq!(total().await, clips);
    }
    for prune in [json!(false), json!("never")] {
        let job = run(json!({"root": "sounds", "prune": prune})).await;
        assert_eq!((&job["state"], &job["report"]["pruned"]), (&json!("done"), &json!(0)), "{job}");
    }
    let (detail, field) =
        server.post("/v1/jobs", json!({"root": "sounds", "prune": "some"})).await.problem(400);
    assert!(field == "prune" && detail.contains("careful"), "{field}: {detail}");
    let job = run(json!({"root": "sounds", "prune": "all"})).await;
    assert_eq!((&job["state"], &job["report"]["pruned"]), (&json!("done"), &json!(clips)), "{job}");
    assert_eq!(total().await, 0);
}

#[tokio::test]
async fn clips_whose_names_are_not_utf8_are_heard_and_left_out_when_excluded() {
    use std::os::unix::ffi::OsStrExt;

    let server = Server::new();
    let folder = server.sounds().join(std::ffi::OsStr::from_bytes(b"\xff"));
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join(std::ffi::OsStr::from_bytes(b"fl\xf6te.opus"));
    std::fs::copy(crate::sandbox::sample("music/flute.opus"), &file).unwrap();
    // A job for the folder, by its name as it is shown.
    let job = server.post("/v1/jobs", json!({"root": r"sounds/\xff"})).await.ok();
    let done = follow(&server, job["id"].as_str().unwrap()).await.pop().unwrap().1;
    assert_eq!(done["report"]["added"], 1, "{done}");
    let clip = server.get("/v1/clips?q=te.opus").await.ok()["items"][0].clone();
    assert!(clip["path"].as_str().unwrap().ends_with(r"sounds/\xff/fl\xf6te.opus"), "{clip}");
    assert_eq!(clip["name"], r"fl\xf6te.opus");
    let id = clip["id"].as_str().unwrap();
    let audio = server.get(&format!("/v1/clips/{id}/audio")).await;
    assert_eq!((audio.status.as_u16(), &audio.bytes), (200, &std::fs::read(&file).unwrap()));
    assert_eq!(server.get(&format!("/v1/clips/{id}/peaks")).await.status, 200);
    std::fs::write(server.sounds().join(".earmarkignore"), "*.opus\n").unwrap();
    let job = server.post("/v1/jobs", json!({"root": "sounds"})).await.ok();
    let done = follow(&server, job["id"].as_str().unwrap()).await.pop().unwrap().1;
    assert_eq!(done["report"]["excluded"], 1, "{done}");
}

#[tokio::test]
async fn what_users_change_during_a_job_stays_changed() {
    let server = Server::new();
    for i in 0..30 {
        let bytes = [super::sound("events/dog-in-rain.wav"), vec![0, i]].concat();
        std::fs::write(server.sounds().join(format!("more-{i}.wav")), bytes).unwrap();
    }
    let start = async |body: Value| {
        let job = server.post("/v1/jobs", body).await.ok();
        job["id"].as_str().unwrap().to_owned()
    };
    let first = start(json!({"root": "sounds", "tags": ["old"]})).await;
    follow(&server, &first).await;
    // The last in order: the job, which does all again and gives a new tag, gets to them after the changes.
    let (edited, deleted) = (server.clip("siren-wail.mp3").await, server.clip("rain.flac").await);
    let second = start(json!({"root": "sounds", "force": true, "tags": ["new"]})).await;
    while server.get(&format!("/v1/jobs/{second}")).await.ok()["done"] == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let path = format!("/v1/clips/{edited}");
    server.json(axum::http::Method::PATCH, &path, json!({"tags": ["mine"]})).await.ok();
    assert_eq!(server.delete(&format!("/v1/clips/{deleted}")).await.status, 204);
    let events = follow(&server, &second).await;
    assert_eq!(events.last().unwrap().1["state"], "done", "{events:?}");
    assert_eq!(server.get(&path).await.ok()["tags"], json!(["mine", "new"]));
}

#[tokio::test]
async fn jobs_wait_in_a_bounded_queue_and_can_be_cancelled() {
    let server = Server::with(|config| config.limits.jobs = 1);
    // One that takes a while: a minute of sound many times over.
    for i in 0..30 {
        let bytes = super::sound("events/dog-in-rain.wav");
        // Different bytes at the end, which decoders pass over, so that each is encoded.
        let bytes = [bytes, vec![0, i]].concat();
        std::fs::write(server.sounds().join(format!("more-{i}.wav")), bytes).unwrap();
    }
    let start = async || server.post("/v1/jobs", json!({"root": "sounds", "force": true})).await;
    let first = start().await.ok()["id"].as_str().unwrap().to_owned();
    while server.get(&format!("/v1/jobs/{first}")).await.ok()["state"] == "queued" {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let mut waiting = Vec::new();
    let refused = loop {
        let answer = start().await;
        if answer.status != 202 {
            break answer;
        }
        waiting.push(answer.json()["id"].as_str().unwrap().to_owned());
        assert!(waiting.len() < 5, "the queue has no end");
    };
    refused.problem(429);
    assert!(!refused.header("retry-after").is_empty());
    for id in waiting.iter().chain([&first]) {
        let answer = server.delete(&format!("/v1/jobs/{id}")).await;
        assert!(matches!(answer.status.as_u16(), 202 | 409), "{}", answer.text());
    }
    let last = follow(&server, waiting.last().unwrap()).await;
    assert_eq!(last.last().unwrap().1["state"], "cancelled");
    assert_eq!(start().await.status, 202, "cancelled jobs leave their places");
    follow(&server, &first).await;
    // Searching went on all the while, and the index is whole.
    let hits = server.post("/v1/search", json!({"query": [{"text": "rain"}]})).await.ok();
    assert!(!hits["hits"].as_array().unwrap().is_empty());
    server.app.shut_down();
    server.post("/v1/jobs", json!({"root": "sounds"})).await.problem(503);
}
