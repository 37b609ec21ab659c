//! `/v1/duplicates`.

use earmark_engine::duplicates::same_sound;
use earmark_index::{Clip, Filter};
use serde_json::json;

use super::Server;

#[tokio::test]
async fn copies_are_grouped_and_bad_requests_are_told_why() {
    let server = Server::new();
    let none = server.post("/v1/duplicates", json!({})).await.ok();
    assert_eq!((&none["groups"], &none["clips"]), (&json!([]), &json!(4)));

    let copy = server.sounds().join("copy.wav");
    std::fs::copy(server.sounds().join("dog-barking.wav"), copy).unwrap();
    let job = server.post("/v1/jobs", json!({"root": "sounds"})).await.ok();
    server.get(&format!("/v1/jobs/{}/events", job["id"].as_str().unwrap())).await;
    let found = server.post("/v1/duplicates", json!({})).await.ok();
    assert_eq!(found["groups"][0]["keep"]["name"], "copy.wav", "{found}");
    assert_eq!(found["groups"][0]["clips"][0]["relation"], "copy");
    let filter = json!({"filter": {"path": "*.flac"}, "verify": false});
    assert_eq!(server.post("/v1/duplicates", filter).await.ok()["clips"], 1);

    for (request, field) in [
        (json!({"threshold": 0.1}), "threshold"),
        (json!({"keep": ["beauty"]}), "keep[0]"),
        (json!({"filter": {"formats": ["banana"]}}), "filter.formats"),
        (json!({"files": []}), "files"),
    ] {
        let (_, named) = server.post("/v1/duplicates", request).await.problem(400);
        assert_eq!(named, field);
    }
}

#[test]
fn hits_that_are_one_sound_are_grouped_by_what_the_index_stores() {
    let server = Server::still_loading(|_| {});
    std::fs::copy(server.sounds().join("rain.flac"), server.sounds().join("also-rain.flac")).unwrap();
    let (library, _) = server.library();
    let index = library.index().unwrap();
    let mut clips = index.clips(&Filter::default()).unwrap();
    clips.sort_by(|a, b| a.meta.path.cmp(&b.meta.path));
    // Two that have left the index: nobody knows any more what they sounded like.
    for number in [1, 2] {
        let mut gone = clips[0].clone();
        gone.id = u64::MAX - number;
        gone.meta.content_hash = [number as u8; 32];
        clips.push(gone);
    }
    let hits: Vec<&Clip> = clips.iter().collect();
    let groups = same_sound(&*index, &hits).unwrap();
    assert_eq!(groups, [vec![0, 3], vec![1], vec![2], vec![4], vec![5], vec![6]]);
}
