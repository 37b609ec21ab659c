//! The HTTP API, called in process: no sockets, the real router, engine and index.

mod duplicates;
mod endpoints;
mod errors;
mod guards;
mod jobs;
mod on_database;
mod openapi;
mod search;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use earmark_audio::Limits;
use earmark_engine::ingest::{IngestOptions, ingest};
use earmark_engine::{EngineOptions, WalkOptions, walk};
use earmark_index::OpenOptions;
use earmark_library::{Access, Library, LibraryOptions, Location, Place, Settings};
use earmark_server::{App, Config, RootConfig, router};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::sandbox::{database, sample};

/// Sample sounds that most tests have in their index.
const SOUNDS: [&str; 4] =
    ["animals/dog-barking.wav", "weather/rain.flac", "alarms/siren-wail.mp3", "events/dog-in-rain.wav"];

/// A server with a few sounds.
pub(crate) struct Server {
    pub(crate) app: App,
    router: Router,
    pub(crate) dir: Arc<TempDir>,
    database: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The JSON of an answer that must be a success.
    pub(crate) fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        self.json()
    }

    /// A problem document of this status; its detail and field.
    pub(crate) fn problem(&self, status: u16) -> (String, String) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let json = self.json();
        assert_eq!(json["status"], status);
        assert_eq!(json["request_id"], self.header("x-request-id"));
        assert!(json["type"].as_str().unwrap().starts_with("urn:earmark:problem:"));
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        (text("detail"), text("field"))
    }
}

impl Server {
    /// The usual sounds and settings.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// The usual sounds, other settings.
    pub(crate) fn with(set: impl FnOnce(&mut Config)) -> Self {
        Self::still_loading(set).opened()
    }

    /// Another server of the same sounds, and of the same database.
    pub(crate) fn another(&self) -> Self {
        Self::of(Arc::clone(&self.dir), self.database.clone(), |_| {}).opened()
    }

    fn opened(self) -> Self {
        let (library, jobs) = self.library();
        self.app.open(library, jobs).unwrap();
        self
    }

    /// Without its library.
    pub(crate) fn still_loading(set: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sounds = dir.path().join("sounds");
        std::fs::create_dir(&sounds).unwrap();
        for name in SOUNDS {
            std::fs::copy(sample(name), sounds.join(Path::new(name).file_name().unwrap())).unwrap();
        }
        Self::of(Arc::new(dir), database(), set)
    }

    fn of(dir: Arc<TempDir>, database: Option<String>, set: impl FnOnce(&mut Config)) -> Self {
        let sounds = dir.path().join("sounds");
        let mut config = Config::default();
        config.roots = vec![RootConfig { name: "sounds".to_owned(), path: sounds }];
        config.upload_root = Some(dir.path().join("uploads"));
        set(&mut config);
        let app = App::new(config).unwrap();
        Self { router: router(app.clone()), app, dir, database }
    }

    /// The library, with the usual sounds in its index, and how jobs work.
    pub(crate) fn library(&self) -> (Library, EngineOptions) {
        let place = match &self.database {
            Some(url) => Place::at(Location::parse(url).unwrap()),
            None => Place::at(self.dir.path().join("test.earmark")),
        };
        let chosen = place.choose_or_make(&OpenOptions::default()).unwrap();
        drop(chosen);
        let settings = Settings {
            threads: 1,
            ffmpeg: Some("".into()),
            graph_cache: Some("".into()),
            audio: Limits { max_duration_s: 60.0, ..Limits::default() },
            ..Settings::default()
        };
        let jobs = settings.engine_options().unwrap();
        let options = LibraryOptions {
            access: Access::Live,
            settings,
            limits: self.app.limits(),
            clip_files: self.app.clip_files(),
        };
        let library = Library::open(place, options).unwrap();
        let walked = walk(&[self.sounds()], &WalkOptions::default()).unwrap();
        let (engine, never) = (library.engine().unwrap(), AtomicBool::new(false));
        let writer = library.live().unwrap().write().unwrap();
        ingest(&engine, &*writer, walked, &IngestOptions::default(), &never, |_| {}).unwrap();
        drop(writer);
        (library, jobs)
    }

    pub(crate) fn sounds(&self) -> PathBuf {
        self.dir.path().join("sounds")
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn json(&self, method: Method, path: &str, body: Value) -> Answer {
        let request =
            Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.json(Method::POST, path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Request::delete(path).body(Body::empty()).unwrap()).await
    }

    /// A multipart request: JSON, and files by part and name.
    pub(crate) async fn upload(&self, path: &str, request: Value, files: &[(&str, &str, Vec<u8>)]) -> Answer {
        self.send(multipart(path, &request, files)).await
    }

    /// The id of the clip whose file has this name.
    pub(crate) async fn clip(&self, name: &str) -> String {
        let page = self.get(&format!("/v1/clips?q={name}")).await.ok();
        page["items"][0]["id"].as_str().unwrap_or_else(|| panic!("no clip {name}: {page}")).to_owned()
    }
}

/// The bytes of a sample sound.
pub(crate) fn sound(name: &str) -> Vec<u8> {
    std::fs::read(sample(name)).unwrap()
}

pub(crate) fn multipart(path: &str, request: &Value, files: &[(&str, &str, Vec<u8>)]) -> Request<Body> {
    let mut body = Vec::new();
    let mut part = |head: &str, bytes: &[u8]| {
        body.extend_from_slice(
            format!("--xYzZy\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    };
    part("name=\"request\"", request.to_string().as_bytes());
    for (name, file, bytes) in files {
        part(&format!("name=\"{name}\"; filename=\"{file}\""), bytes);
    }
    body.extend_from_slice(b"--xYzZy--\r\n");
    let request = Request::post(path).header(header::CONTENT_TYPE, "multipart/form-data; boundary=xYzZy");
    request.body(Body::from(body)).unwrap()
}
