//! Who may ask for what.

use axum::body::Body;
use axum::http::{Method, Request};
use earmark_server::{App, Config, Key, Scope};
use serde_json::json;

use super::Server;

fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn keys_open_what_their_scope_says() {
    let made: Vec<(String, Key)> = [Scope::Read, Scope::Write, Scope::Admin]
        .into_iter()
        .map(|scope| Key::generate("someone", scope).unwrap())
        .collect();
    let kept: Vec<Key> = made.iter().map(|(_, key)| key.clone()).collect();
    for (secret, key) in &made {
        assert!(!format!("{key:?}").contains(secret.as_str()), "a key is kept as its hash only");
    }
    let server = Server::with(|config| config.keys = kept);
    let bearer = |i: usize| format!("Bearer {}", made[i].0);
    let status = async |i: usize, method: Method, path: &str| {
        server.send(request(method, path, &[("authorization", &bearer(i))])).await.status.as_u16()
    };
    let none = server.get("/v1/clips").await;
    none.problem(401);
    assert_eq!(none.header("www-authenticate"), "Bearer");
    for wrong in ["Bearer nonsense", "Basic abc", "Bearer", ""] {
        server.send(request(Method::GET, "/v1/clips", &[("authorization", wrong)])).await.problem(401);
    }
    assert_eq!(status(0, Method::GET, "/v1/clips").await, 200);
    assert_eq!(status(0, Method::DELETE, "/v1/clips/999").await, 403);
    assert_eq!(status(1, Method::DELETE, "/v1/clips/999").await, 404);
    assert_eq!(status(1, Method::DELETE, "/v1/jobs/999").await, 403);
    assert_eq!(status(1, Method::GET, "/metrics").await, 403);
    assert_eq!(status(2, Method::DELETE, "/v1/jobs/999").await, 404);
    assert_eq!(status(2, Method::GET, "/metrics").await, 200);
    for open in ["/healthz", "/readyz", "/", "/docs/", "/openapi.json"] {
        assert_eq!(server.get(open).await.status, 200, "{open}");
    }
}

#[tokio::test]
async fn a_key_has_a_rate() {
    let (secret, key) = Key::generate("someone", Scope::Read).unwrap();
    let server = Server::with(|config| {
        config.keys = vec![key];
        config.limits.requests_per_s = 0.5;
    });
    let bearer = format!("Bearer {secret}");
    let ask = async || server.send(request(Method::GET, "/v1/roots", &[("authorization", &bearer)])).await;
    assert_eq!(ask().await.status, 200);
    let refused = ask().await;
    refused.problem(429);
    assert_eq!(refused.header("retry-after"), "2");
}

#[tokio::test]
async fn other_machines_are_served_only_with_keys_or_on_purpose() {
    let open = |insecure: bool, keys: Vec<Key>| {
        let mut config = Config::default();
        config.listen = "0.0.0.0:0".parse().unwrap();
        (config.insecure, config.keys) = (insecure, keys);
        App::new(config).map(|_| ())
    };
    let refused = open(false, Vec::new()).unwrap_err();
    assert!(refused.to_string().contains("there are no API keys"), "{refused}");
    open(true, Vec::new()).unwrap();
    open(false, vec![Key::generate("a", Scope::Read).unwrap().1]).unwrap();
}

#[tokio::test]
async fn pages_of_others_cannot_use_the_server_through_a_browser() {
    let server = Server::new();
    let host = async |host: &str| {
        server.send(request(Method::GET, "/v1/roots", &[("host", host)])).await.status.as_u16()
    };
    for known in ["localhost:7788", "127.0.0.1:7788", "[::1]:7788", "LOCALHOST"] {
        assert_eq!(host(known).await, 200, "{known}");
    }
    for rebound in ["evil.example", "evil.example:7788", "localhost.evil.example"] {
        assert_eq!(host(rebound).await, 403, "{rebound}");
    }
    let from = async |origin: &str| {
        let headers = [("host", "localhost:7788"), ("origin", origin)];
        server.send(request(Method::DELETE, "/v1/clips/999", &headers)).await.status.as_u16()
    };
    assert_eq!(from("http://localhost:7788").await, 404);
    for other in ["https://evil.example", "null", "http://localhost:8080"] {
        assert_eq!(from(other).await, 403, "{other}");
    }
}

#[tokio::test]
async fn every_answer_has_safe_headers_and_an_id() {
    let server = Server::new();
    for path in ["/", "/v1/clips", "/v1/none", "/healthz", "/docs/"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("content-security-policy").contains("default-src 'self'"), "{path}");
        assert!(answer.header("access-control-allow-origin").is_empty(), "no page of others may read this");
        assert_eq!(answer.header("x-request-id").len(), 16);
    }
    let own = server.send(request(Method::GET, "/v1/clips", &[("x-request-id", "mine-1")])).await;
    assert_eq!(own.header("x-request-id"), "mine-1");
    let odd = server.send(request(Method::GET, "/v1/clips", &[("x-request-id", "a b<c>")])).await;
    assert_ne!(odd.header("x-request-id"), "a b<c>");
}

#[tokio::test]
async fn nothing_outside_the_roots_is_indexed_or_read() {
    let server = Server::new();
    let outside = server.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let wav = outside.join("secret.wav");
    std::fs::copy(crate::sandbox::sample("animals/dog-barking.wav"), &wav).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&outside, server.sounds().join("link")).unwrap();
    for root in [
        "..",
        "sounds/..",
        "sounds/../outside",
        "/",
        "/etc",
        "outside",
        "sounds/link",
        "",
        "sounds\0",
        outside.to_str().unwrap(),
        "sounds/link/secret.wav",
    ] {
        let answer = server.post("/v1/jobs", json!({"root": root})).await;
        answer.problem(403);
    }
    server.post("/v1/jobs", json!({"root": "sounds/none"})).await.problem(404);
    // A link within the root that leads out is not followed by a job either.
    let id =
        server.post("/v1/jobs", json!({"root": "sounds", "retry_failed": true})).await.ok()["id"].clone();
    let id = id.as_str().unwrap();
    let told = server.get(&format!("/v1/jobs/{id}/events")).await;
    assert!(told.text().contains("event: done"), "{}", told.text());
    assert_eq!(server.get("/v1/clips?q=secret").await.ok()["total"], 0);
    let failures = server.get(&format!("/v1/jobs/{id}/failures")).await.ok();
    assert!(failures["items"][0]["reason"].as_str().unwrap().contains("leads out"), "{failures}");
    // A clip whose file has become such a link is not read.
    let clip = server.clip("rain.flac").await;
    std::fs::remove_file(server.sounds().join("rain.flac")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&wav, server.sounds().join("rain.flac")).unwrap();
    server.get(&format!("/v1/clips/{clip}/audio")).await.problem(403);
    server.get(&format!("/v1/clips/{clip}/peaks")).await.problem(403);
}
