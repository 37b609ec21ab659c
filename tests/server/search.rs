//! `/v1/search` and its neighbours.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Server, sound};

fn names(answer: &Value) -> Vec<&str> {
    answer["hits"].as_array().unwrap().iter().map(|hit| hit["clip"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn words_examples_and_clips_find_and_keep_away() {
    let server = Server::new();
    let search = async |body: Value| server.post("/v1/search", body).await.ok();
    let siren = search(json!({"query": [{"text": "siren"}]})).await;
    assert_eq!(names(&siren)[0], "siren-wail.mp3");
    assert!(siren["below_min_score"].as_u64() > Some(0), "{siren}");
    assert_eq!(siren["texts"][0]["text"], "siren");
    assert!(siren["texts"][0]["familiarity"].as_f64() > Some(0.9), "{siren}");
    let strange = search(json!({"query": [{"text": "qwertyuiop"}]})).await;
    assert!(strange["texts"][0]["familiarity"].as_f64() < Some(0.5), "{strange}");

    let all = search(json!({"query": [{"text": "rain"}], "min_score": null})).await;
    assert_eq!((names(&all).len(), &all["below_min_score"]), (4, &json!(0)));

    let request = json!({"query": [{"text": "dog"}, {"file": "x.flac", "weight": -1.0}], "min_score": null});
    let file = ("mine", "x.flac", sound("weather/rain.flac"));
    let found = server.upload("/v1/search/files", request, &[file]).await.ok();
    assert_eq!(names(&found)[0], "dog-barking.wav");
    assert_eq!(names(&found)[3], "rain.flac", "what to keep away from comes last");

    // An example is not among what is like it.
    let id = server.clip("dog-barking.wav").await;
    let like = search(json!({"query": [{"clip_id": id}], "k": 1, "explain": true})).await;
    assert_eq!(names(&like), ["dog-in-rain.wav"]);
    assert!(like["hits"][0]["shares"][0]["class"].is_string());

    // The first two seconds of the dog in the rain are rain alone.
    let mixed = server.clip("dog-in-rain.wav").await;
    let start =
        search(json!({"query": [{"clip_id": mixed, "start_s": 0.0, "end_s": 1.5}], "min_score": null,
        "filter": {"path": "sounds/{rain,dog-barking}.*"}}))
        .await;
    assert_eq!(names(&start)[0], "rain.flac");
    assert_eq!(start["clips_admitted"], 2);
}

#[tokio::test]
async fn pages_follow_each_other_without_gaps() {
    let server = Server::new();
    let body = |k: usize, cursor: Value| json!({"query": [{"text": "animal"}], "k": k, "min_score": null, "collapse": false, "cursor": cursor});
    let whole = server.post("/v1/search", body(50, json!(null))).await.ok();
    let mut paged: Vec<Value> = Vec::new();
    let mut cursor = json!(null);
    loop {
        let page = server.post("/v1/search", body(2, cursor)).await.ok();
        paged.extend(page["hits"].as_array().unwrap().iter().cloned());
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(json!(paged), whole["hits"]);
}

#[tokio::test]
async fn similar_clips_leave_out_the_clip_itself() {
    let server = Server::new();
    let id = server.clip("rain.flac").await;
    let similar = server.get(&format!("/v1/clips/{id}/similar?k=1")).await.ok();
    assert_eq!(names(&similar), ["dog-in-rain.wav"]);
    let filtered = server.get(&format!("/v1/clips/{id}/similar?formats=mp3")).await.ok();
    assert_eq!(names(&filtered), ["siren-wail.mp3"]);
}

#[tokio::test]
async fn many_texts_at_once_get_each_its_own_answer() {
    let server = std::sync::Arc::new(Server::new());
    let texts = ["rain", "dog barking", "siren", "piano", "wind", "a bell"];
    let tasks: Vec<_> = (0..60)
        .map(|i| {
            let (server, text) = (std::sync::Arc::clone(&server), texts[i % texts.len()]);
            tokio::spawn(
                async move { (text, server.post("/v1/embeddings", json!({"input": text})).await.ok()) },
            )
        })
        .collect();
    let mut known = std::collections::HashMap::new();
    for task in tasks {
        let (text, answer) = task.await.unwrap();
        let vector = answer["data"][0]["embedding"].clone();
        let first = known.entry(text).or_insert_with(|| vector.clone());
        assert_eq!(*first, vector, "{text}");
    }
    assert_eq!(known.len(), texts.len());
}

#[tokio::test]
async fn a_page_ends_where_hits_score_too_little() {
    let server = Server::new();
    let page = async |k: usize, min: f64, cursor: Value| {
        let body = json!({"query": [{"text": "rain"}], "k": k, "min_score": min, "cursor": cursor});
        server.post("/v1/search", body).await.ok()
    };
    let all = page(4, -1.0, json!(null)).await;
    let scores: Vec<f64> =
        all["hits"].as_array().unwrap().iter().map(|hit| hit["score"].as_f64().unwrap()).collect();
    assert_eq!(scores.len(), 4);
    let min = (scores[2] + scores[3]) / 2.0;
    // (page size, hits and what is left out, page by page)
    for (k, expected) in
        [(2, vec![(2, 0), (1, 1)]), (3, vec![(3, 0)]), (4, vec![(3, 1)]), (1, vec![(1, 0), (1, 0), (1, 0)])]
    {
        let (mut found, mut cursor) = (Vec::new(), json!(null));
        loop {
            let page = page(k, min, cursor).await;
            found.push((names(&page).len(), page["below_min_score"].as_u64().unwrap()));
            cursor = page["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(found, expected, "pages of {k}");
    }
}

#[tokio::test]
async fn a_graph_is_built_in_the_background() {
    let server = Server::with(|config| {
        config.limits.graph_segments = 3;
        config.limits.graph_quiet_s = 0.05;
    });
    let patience = std::time::Instant::now();
    while server.get("/v1/info").await.ok()["graphs"] == json!([]) {
        assert!(patience.elapsed().as_secs() < 60, "no graph");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let search = async |mode: &str| {
        let body = json!({"query": [{"text": "rain"}], "min_score": null, "mode": mode});
        server.post("/v1/search", body).await.ok()["hits"].clone()
    };
    assert_eq!(search("graph").await, search("exact").await);
    // Writing goes on beside it, and what is written is found.
    let id = server.clip("rain.flac").await;
    server.json(Method::PATCH, &format!("/v1/clips/{id}"), json!({"tags": ["wet"]})).await.ok();
    let tagged = json!({"query": [{"text": "rain"}], "filter": {"tags": ["wet"]}, "mode": "graph"});
    assert_eq!(names(&server.post("/v1/search", tagged).await.ok()), ["rain.flac"]);
}
