//! Several servers of one database.

use std::time::Duration;

use serde_json::json;

use super::jobs::follow;
use super::{Server, sound};
use crate::sandbox::on_server;

/// Two servers of one database.
fn two() -> (Server, Server) {
    let one = Server::new();
    assert!(one.database.is_some(), "run this with `cargo xtask test --postgres`");
    let other = one.another();
    (one, other)
}

/// Sounds that take a while to embed.
fn add_sounds(server: &Server) {
    for i in 0..30 {
        // Different bytes at the end, which decoders pass over, so that each is encoded.
        let bytes = [sound("events/dog-in-rain.wav"), vec![0, i]].concat();
        std::fs::write(server.sounds().join(format!("more-{i}.wav")), bytes).unwrap();
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
async fn every_server_tells_of_every_job() {
    let (one, other) = two();
    add_sounds(&one);
    std::fs::write(one.sounds().join("broken.wav"), b"RIFF....WAVE").unwrap();
    let id = one.post("/v1/jobs", json!({"root": "sounds"})).await.ok()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/jobs/{id}");
    let known = other.get(&path).await.ok();
    assert_eq!((&known["id"], &known["root"]), (&json!(id), &json!("sounds")));
    let events = follow(&other, &id).await;
    let (name, last) = events.last().unwrap();
    assert_eq!((name.as_str(), &last["report"]["added"], &last["failed"]), ("done", &json!(30), &json!(1)));
    assert_eq!(one.get(&path).await.ok(), other.get(&path).await.ok());
    let failures = other.get(&format!("{path}/failures")).await.ok();
    assert!(failures["items"][0]["path"].as_str().unwrap().ends_with("broken.wav"), "{failures}");
    other.delete(&path).await.problem(409);
    other.delete("/v1/jobs/4711").await.problem(404);
    let second =
        other.post("/v1/jobs", json!({"root": "sounds"})).await.ok()["id"].as_str().unwrap().to_owned();
    follow(&one, &second).await;
    for server in [&one, &other] {
        let all = server.get("/v1/jobs").await.ok();
        let ids: Vec<&str> =
            all["items"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
        assert_eq!(ids, [second.as_str(), id.as_str()]);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
async fn any_server_cancels_a_job_and_one_that_is_gone_is_told() {
    let (one, other) = two();
    add_sounds(&one);
    let start = async || {
        let job = one.post("/v1/jobs", json!({"root": "sounds", "force": true})).await.ok();
        format!("/v1/jobs/{}", job["id"].as_str().unwrap())
    };
    let (running, waiting) = (start().await, start().await);
    for path in [&waiting, &running] {
        let answer = other.delete(path).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let mut state = json!("queued");
        for _ in 0..600 {
            state = one.get(path).await.ok()["state"].clone();
            if state == "cancelled" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(state, "cancelled");
    }
    // As if a third server had been killed some time ago.
    let killed = r#"INSERT INTO earmark.job (space, content, seen)
        SELECT max(space), jsonb_set(jsonb_set(min(content::text)::jsonb, '{state}', '"running"'), '{id}', '"99"'),
               now() - interval '5 minutes' FROM earmark.job"#;
    on_server(one.database.as_deref().unwrap(), killed);
    let listed = other.get("/v1/jobs").await.ok();
    let gone = &listed["items"][0];
    assert_eq!(gone["state"], "failed", "{listed}");
    assert!(gone["error"].as_str().unwrap().contains("is gone"), "{gone}");
}
