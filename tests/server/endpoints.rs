//! Every endpoint answers, as its clients expect.

use axum::body::Body;
use axum::http::{Method, Request};
use earmark_encoder::{Catalogue, Runtime};
use earmark_engine::fit::{FitOptions, Labelled, fit};
use earmark_engine::label_sets::{FitSummary, LabelSets, SavedSet};
use earmark_engine::labels::LabelSet;
use earmark_engine::{Engine, EngineOptions};
use serde_json::{Value, json};

use super::{Server, sound};
use crate::sandbox::sample;

#[tokio::test]
async fn clips_are_listed_filtered_sorted_and_paged() {
    let server = Server::new();
    let all = server.get("/v1/clips").await.ok();
    assert_eq!((all["total"].as_u64(), all["items"].as_array().unwrap().len()), (Some(4), 4));
    assert_eq!(all["next_cursor"], json!(null));
    let clip = &all["items"][0];
    assert_eq!(clip["name"], "dog-barking.wav");
    assert_eq!(clip["folder"], server.sounds().to_str().unwrap());
    assert!(clip["id"].is_string() && clip["segments"].as_u64() >= Some(1) && clip["sample_rate"] == 16_000);

    for sort in ["path", "indexed", "duration"] {
        let mut names = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = server.get(&format!("/v1/clips?limit=3&sort={sort}{cursor}")).await.ok();
            names.extend(page["items"].as_array().unwrap().iter().map(|c| c["name"].to_string()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let whole = server.get(&format!("/v1/clips?sort={sort}")).await.ok();
        let whole: Vec<String> =
            whole["items"].as_array().unwrap().iter().map(|c| c["name"].to_string()).collect();
        assert_eq!(names, whole, "{sort}");
    }
    let count =
        async |query: &str| server.get(&format!("/v1/clips?{query}")).await.ok()["total"].as_u64().unwrap();
    assert_eq!(count("path=*.wav").await, 2);
    assert_eq!(count("formats=wav&formats=mp3").await, 3);
    assert_eq!(count("q=DOG").await, 2);
    assert_eq!(count("min_duration_s=8").await, 1);
    assert_eq!(count("indexed_since=1h").await, 4);
    assert_eq!(count("tags=nothing").await, 0);
}

#[tokio::test]
async fn a_clip_is_tagged_and_taken_out_while_its_file_stays() {
    let server = Server::new();
    let id = server.clip("rain.flac").await;
    let path = format!("/v1/clips/{id}");
    let tagged = server.json(Method::PATCH, &path, json!({"tags": ["wet", " field ", "wet"]})).await.ok();
    assert_eq!(tagged["tags"], json!(["wet", "field"]));
    assert_eq!(server.get(&path).await.ok()["tags"], json!(["wet", "field"]));
    assert_eq!(server.get("/v1/clips?tags=wet&tags=field").await.ok()["total"], 1);
    assert_eq!(server.delete(&path).await.status, 204);
    server.get(&path).await.problem(404);
    assert!(server.sounds().join("rain.flac").is_file());
}

#[tokio::test]
async fn an_upload_is_kept_indexed_and_found() {
    let server = Server::new();
    let file = ("file", "../a bell.flac", sound("music/church-bell.flac"));
    let made = server.upload("/v1/clips", json!({"tags": ["new"]}), std::slice::from_ref(&file)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let clip = made.json();
    assert_eq!((&clip["name"], &clip["tags"]), (&json!("a bell.flac"), &json!(["new"])));
    let again = server.upload("/v1/clips", json!({}), &[file]).await.ok();
    assert_eq!(again["name"], "a bell-2.flac", "no file is overwritten");
    let hits = server.post("/v1/search", json!({"query": [{"text": "church bell"}], "k": 2})).await.ok();
    let name = hits["hits"][0]["clip"]["name"].as_str().unwrap();
    assert!(name.starts_with("a bell"), "{hits}");
    // What cannot be decoded is neither kept nor remembered.
    let bad = server.upload("/v1/clips", json!({}), &[("file", "bad.wav", b"RIFF nonsense".to_vec())]).await;
    let (detail, _) = bad.problem(422);
    assert!(detail.starts_with("bad.wav: "), "{detail}");
    assert!(!server.dir.path().join("uploads/bad.wav").exists());
    assert_eq!(server.get("/v1/failures").await.ok()["total"], 0);
}

#[tokio::test]
async fn audio_comes_whole_or_in_ranges_and_is_not_sent_again() {
    let server = Server::new();
    let id = server.clip("dog-barking.wav").await;
    let path = format!("/v1/clips/{id}/audio");
    let bytes = sound("animals/dog-barking.wav");
    let whole = server.get(&path).await;
    assert_eq!((whole.status.as_u16(), whole.header("content-type")), (200, "audio/wav"));
    assert_eq!(whole.bytes, bytes);
    let get = |name: &'static str, value: String| {
        Request::get(path.as_str()).header(name, value).body(Body::empty()).unwrap()
    };
    let range = server.send(get("range", "bytes=100-199".to_owned())).await;
    assert_eq!((range.status.as_u16(), &range.bytes[..]), (206, &bytes[100..200]));
    assert_eq!(range.header("content-range"), format!("bytes 100-199/{}", bytes.len()));
    let beyond = server.send(get("range", "bytes=999999999-".to_owned())).await;
    beyond.problem(416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{}", bytes.len()));
    let last = server.send(get("range", "bytes=-10".to_owned())).await;
    assert_eq!((last.status.as_u16(), &last.bytes[..]), (206, &bytes[bytes.len() - 10..]));
    let clamped = server.send(get("range", "bytes=9-99999999999999999999999".to_owned())).await;
    assert_eq!((clamped.status.as_u16(), &clamped.bytes[..]), (206, &bytes[9..]));
    // What is no range, or several, is answered with the whole file.
    for range in ["bytes=abc", "items=0-3", "bytes=5-2", "bytes=0-0,5-9", "bytes=-"] {
        let answer = server.send(get("range", range.to_owned())).await;
        assert_eq!((answer.status.as_u16(), answer.bytes.len()), (200, bytes.len()), "{range}");
    }
    let both = |tag: &str| {
        let request = Request::get(path.as_str()).header("range", "bytes=0-3").header("if-range", tag);
        request.body(Body::empty()).unwrap()
    };
    assert_eq!(server.send(both("\"stale\"")).await.status, 200);
    assert_eq!(server.send(both(whole.header("etag"))).await.status, 206);
    let same = server.send(get("if-none-match", whole.header("etag").to_owned())).await;
    assert_eq!((same.status.as_u16(), same.bytes.len()), (304, 0));
    // Another file in its place is other content, though the index has not seen it yet.
    let file = server.sounds().join("dog-barking.wav");
    std::fs::write(&file, sound("weather/rain.flac")).unwrap();
    assert_eq!(server.send(get("if-none-match", whole.header("etag").to_owned())).await.status, 200);
    std::fs::remove_file(file).unwrap();
    server.get(&path).await.problem(404);
}

#[tokio::test]
async fn peaks_and_pictures_are_drawn_once() {
    let server = Server::new();
    let id = server.clip("siren-wail.mp3").await;
    let peaks = server.get(&format!("/v1/clips/{id}/peaks?points=100")).await.ok();
    let (min, max) = (peaks["min"].as_array().unwrap(), peaks["max"].as_array().unwrap());
    assert_eq!((min.len(), max.len()), (100, 100));
    assert!(min.iter().zip(max).all(|(a, b)| a.as_f64() <= b.as_f64()));
    assert!(max.iter().filter(|m| m.as_f64() > Some(0.05)).count() > 50, "a siren is loud most of the time");
    let picture = server.get(&format!("/v1/clips/{id}/spectrogram.png?width=200&height=50")).await;
    assert_eq!((picture.status.as_u16(), picture.header("content-type")), (200, "image/png"));
    assert_eq!(&picture.bytes[..8], b"\x89PNG\r\n\x1a\n");
    let again = server.get(&format!("/v1/clips/{id}/spectrogram.png?width=200&height=50")).await;
    assert_eq!(again.bytes, picture.bytes);
    let known = Request::get(format!("/v1/clips/{id}/peaks")).header("if-none-match", again.header("etag"));
    assert_eq!(server.send(known.body(Body::empty()).unwrap()).await.status, 304);
}

#[tokio::test]
async fn sounds_are_labelled_by_upload_and_by_id() {
    let server = Server::new();
    let labels = json!(["rain", "dog", {"name": "alarm", "prompts": ["a siren", "an alarm"]}]);
    let id = server.clip("dog-barking.wav").await;
    let request = json!({"labels": labels, "clip_ids": [id]});
    let files = [("a", "rain.flac", sound("weather/rain.flac")), ("b", "bad.txt", b"hello".to_vec())];
    let answer = server.upload("/v1/classify/files", request, &files).await.ok();
    let results = answer["results"].as_array().unwrap();
    assert_eq!((&results[0]["source"], &results[0]["label"]), (&json!(id), &json!("dog")));
    assert_eq!((&results[1]["source"], &results[1]["label"]), (&json!("rain.flac"), &json!("rain")));
    assert_eq!(
        results[2]["error"]["kind"], "undecodable",
        "a bad file among several does not spoil the rest"
    );
    let sum: f64 =
        results[1]["scores"].as_array().unwrap().iter().map(|s| s["probability"].as_f64().unwrap()).sum();
    assert!((sum + results[1]["none_probability"].as_f64().unwrap() - 1.0).abs() < 1e-4);
    let texts: Vec<&Value> = answer["texts"].as_array().unwrap().iter().map(|known| &known["text"]).collect();
    assert_eq!(texts, ["rain", "dog", "a siren", "an alarm"]);
    assert!(answer["texts"][0]["familiarity"].as_f64() > Some(0.9), "{answer}");

    let multi = json!({"labels": ["rain", "dog"], "multi": true, "pooling": "max", "top": 1});
    let files = [("a", "dog-in-rain.wav", sound("events/dog-in-rain.wav"))];
    let answer = server.upload("/v1/classify/files", multi, &files).await.ok();
    assert_eq!(answer["results"][0]["scores"].as_array().unwrap().len(), 2, "accepted labels at least");
    assert_eq!(answer["results"][0]["accepted"].as_array().unwrap().len(), 2, "{answer}");
}

#[tokio::test]
async fn events_are_found_and_tracks_agree_with_them() {
    let server = Server::new();
    let id = server.clip("dog-in-rain.wav").await;
    let answer =
        server.post("/v1/events", json!({"clip_id": id, "labels": ["dog bark"], "tracks": true})).await.ok();
    let events = answer["events"].as_array().unwrap();
    assert!(!events.is_empty());
    for event in events {
        assert!(event["onset_s"].as_f64() < event["offset_s"].as_f64());
    }
    let tracks = &answer["tracks"];
    assert_eq!(tracks["rows"][0].as_array().unwrap().len(), tracks["times"].as_array().unwrap().len());
    let file = ("file", "d.wav", sound("events/dog-in-rain.wav"));
    let uploaded = server.upload("/v1/events/file", json!({"labels": ["dog bark"]}), &[file]).await.ok();
    assert_eq!(uploaded["events"], answer["events"], "an upload is heard as the clip is");
    assert!(uploaded.get("tracks").is_none());
    let strange =
        server.post("/v1/events", json!({"clip_id": id, "labels": ["dog bark", "qwertyuiop"]})).await.ok();
    assert_eq!(strange["texts"][1]["text"], "qwertyuiop");
    assert!(strange["texts"][1]["familiarity"].as_f64() < Some(0.5), "{strange}");
}

#[tokio::test]
async fn a_tagger_says_what_it_hears() {
    let server = Server::new();
    let id = server.clip("rain.flac").await;
    let answer = server.post("/v1/tag", json!({"clip_ids": [id], "top": 3})).await.ok();
    let tags = answer["results"][0]["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 3);
    assert!(tags[0]["class"].as_str().unwrap().contains("Rain") && tags[0]["heard"] == true, "{tags:?}");
    let file = ("file", "r.flac", sound("weather/rain.flac"));
    let uploaded = server.upload("/v1/tag/files", json!({"top": 3}), &[file]).await.ok();
    assert_eq!(uploaded["results"][0]["tags"], answer["results"][0]["tags"]);
}

#[tokio::test]
async fn label_sets_are_saved_used_and_deleted() {
    let server = Server::new();
    let set = json!({"labels": ["rain", {"name": "dog", "prompts": ["a dog barking"]}], "templates": ["the sound of {}"]});
    assert_eq!(server.json(Method::PUT, "/v1/labelsets/my%20set", set.clone()).await.status, 201);
    assert_eq!(server.json(Method::PUT, "/v1/labelsets/my%20set", set.clone()).await.status, 200);
    let saved = server.get("/v1/labelsets/my%20set").await.ok();
    assert_eq!((&saved["labels"], &saved["name"]), (&set["labels"], &json!("my set")));
    assert_eq!(server.get("/v1/labelsets").await.ok()["total"], 1);
    let id = server.clip("dog-barking.wav").await;
    let answer = server.post("/v1/classify", json!({"clip_ids": [id], "label_set": "my set"})).await.ok();
    assert_eq!(answer["results"][0]["label"], "dog");
    assert_eq!(server.delete("/v1/labelsets/my%20set").await.status, 204);
    server.get("/v1/labelsets/my%20set").await.problem(404);
    server.delete("/v1/labelsets/my%20set").await.problem(404);
}

/// Saves the set `kinds`, fitted to sample sounds, with a model of this identity.
fn save_fitted(server: &Server, edit: impl FnOnce(&mut earmark_index::Identity)) {
    let model = Catalogue::default().open("mini").unwrap();
    let engine = Engine::new(model, Runtime::load(None).unwrap(), EngineOptions::default());
    let clips =
        ["animals/dog-barking.wav", "animals/cat-meowing.flac", "alarms/siren-wail.mp3", "alarms/beep.wav"];
    let vectors: Vec<_> =
        clips.iter().map(|clip| engine.embed_file(&sample(clip), None).unwrap().0).collect();
    let names = ["animal".to_owned(), "alarm".to_owned()];
    let labelled = Labelled { vectors: &vectors, truth: &[0, 0, 1, 1], names: &names, texts: None };
    let head = fit(&labelled, &engine.model().manifest().scores, &FitOptions::default()).unwrap().head;
    let mut identity = engine.identity();
    edit(&mut identity);
    let summary = FitSummary {
        method: "prototypes".to_owned(),
        text_weight: 0.0,
        clips: 4,
        held_out: 4,
        accuracy: Some(1.0),
        answered: Some(0.75),
        unknown_refused: Some(0.5),
        zero_shot_accuracy: None,
        zero_shot_answered: None,
        ece: None,
    };
    let words = LabelSet::from_list("animal, alarm").unwrap();
    LabelSets::new(&server.dir.path().join("test.earmark"), 10)
        .put_fitted("kinds", SavedSet::of(&words, Vec::new()), identity, head, summary)
        .unwrap();
}

#[tokio::test]
async fn a_fitted_label_set_saved_by_the_program_works_by_name_at_once() {
    let server = Server::new();
    save_fitted(&server, |_| {});
    let saved = server.get("/v1/labelsets/kinds").await.ok();
    assert_eq!((&saved["fitted"]["clips"], &saved["model"]), (&json!(4), &json!("mini")));
    assert_eq!((&saved["fitted"]["accuracy"], &saved["fitted"]["answered"]), (&json!(1.0), &json!(0.75)));
    let (dog, siren) = (server.clip("dog-barking.wav").await, server.clip("siren-wail.mp3").await);
    let request = json!({"clip_ids": [dog, siren], "label_set": "kinds"});
    let answer = server.post("/v1/classify", request.clone()).await.ok();
    assert_eq!(answer["results"][0]["scores"][0]["label"], "animal");
    assert_eq!(answer["results"][1]["scores"][0]["label"], "alarm");
    let strict = json!({"clip_ids": [dog], "label_set": "kinds", "threshold": 1.0});
    let strict = server.post("/v1/classify", strict).await.ok();
    assert_eq!(strict["results"][0]["accepted"], json!([]), "no probability is 1: {strict}");
    let any = json!({"clip_ids": [dog, siren], "label_set": "kinds", "threshold": 0.0});
    let any = server.post("/v1/classify", any).await.ok();
    assert_eq!(
        (&any["results"][0]["label"], &any["results"][1]["label"]),
        (&json!("animal"), &json!("alarm"))
    );
    let multi = server
        .post("/v1/classify", json!({"clip_ids": [dog], "label_set": "kinds", "multi": true}))
        .await
        .ok();
    assert_eq!(multi["results"][0]["accepted"], json!(["animal"]), "by its own thresholds: {multi}");
    let events = server.post("/v1/events", json!({"clip_id": dog, "label_set": "kinds"})).await.ok();
    assert_eq!(events["labels"], json!(["animal", "alarm"]));
    assert!(events["events"].as_array().unwrap().iter().any(|e| e["label"] == "animal"), "{events}");
    let templates = json!({"clip_ids": [dog], "label_set": "kinds", "templates": ["a {}"]});
    assert_eq!(server.post("/v1/classify", templates).await.problem(400).1, "templates");
    // Words of the same name take its place, and nothing of it is left in a cache.
    let words = json!({"labels": ["animal", "alarm"]});
    assert!(server.json(Method::PUT, "/v1/labelsets/kinds", words).await.ok().get("fitted").is_none());
    assert_ne!(server.post("/v1/classify", request).await.ok(), answer);
}

#[tokio::test]
async fn a_label_set_of_another_model_is_refused() {
    let server = Server::new();
    save_fitted(&server, |identity| identity.manifest_hash = "0".repeat(64));
    let id = server.clip("dog-barking.wav").await;
    let (detail, _) =
        server.post("/v1/classify", json!({"clip_ids": [id], "label_set": "kinds"})).await.problem(409);
    assert!(detail.contains("was made with model `mini` (manifest 000000000000"), "{detail}");
    assert!(!detail.contains("--model"), "it is the same model, made anew: {detail}");
}

#[tokio::test]
async fn embeddings_have_the_shape_that_clients_speak() {
    let server = Server::new();
    let answer =
        server.post("/v1/embeddings", json!({"input": ["rain", "a dog"], "model": "mini"})).await.ok();
    assert_eq!((&answer["object"], &answer["model"]), (&json!("list"), &json!("mini")));
    // `[CLS] rain [SEP]` and `[CLS] a dog [SEP]`.
    assert_eq!(answer["usage"], json!({"prompt_tokens": 7, "total_tokens": 7}));
    let vector: Vec<f64> =
        answer["data"][1]["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    assert_eq!((vector.len(), &answer["data"][1]["index"]), (623, &json!(1)));
    assert!((vector.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-4);
    let packed =
        server.post("/v1/embeddings", json!({"input": "a dog", "encoding_format": "base64"})).await.ok();
    let short = server.post("/v1/embeddings", json!({"input": "a dog", "dimensions": 8})).await;
    assert_eq!(short.problem(400).1, "dimensions");
    // 623 floats of 4 bytes, in groups of 3 bytes as 4 characters.
    assert_eq!(packed["data"][0]["embedding"].as_str().unwrap().len(), (623_usize * 4).div_ceil(3) * 4);
    let sounds = server
        .upload("/v1/embeddings/files", json!({}), &[("f", "r.flac", sound("weather/rain.flac"))])
        .await
        .ok();
    assert_eq!(sounds["data"][0]["embedding"].as_array().unwrap().len(), 623);
}

#[tokio::test]
async fn the_server_tells_of_itself() {
    let server = Server::new();
    let info = server.get("/v1/info").await.ok();
    assert_eq!((&info["clips"], &info["model"], &info["dim"]), (&json!(4), &json!("mini"), &json!(623)));
    let models = server.get("/v1/models").await.ok();
    let current: Vec<_> =
        models["data"].as_array().unwrap().iter().filter(|m| m["current"] == true).collect();
    assert!(current.len() == 1 && current[0]["id"] == "mini" && current[0]["state"] == "bundled");
    let map = server.get("/v1/map").await.ok();
    assert_eq!(map["points"].as_array().unwrap().len(), 4);
    assert!(map["points"][0]["top_class"].is_string());
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/readyz").await.status, 200);
    let metrics = server.get("/metrics").await;
    assert!(metrics.text().contains("earmark_clips 4"), "{}", metrics.text());
    assert!(metrics.text().contains("route=\"/v1/info\",status=\"200\"} 1"), "{}", metrics.text());
    let docs = server.get("/docs/").await;
    assert!(docs.status == 200 && docs.text().contains("swagger"));
    let page = server.get("/some/view").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(server.get("/assets/none.js").await.status, 404);
}
