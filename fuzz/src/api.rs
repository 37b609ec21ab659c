//! Requests to the API, through the real router.
//!
//! The first line of the input is a method and a path with its query string, the rest is the body: multipart if
//! it starts with [`BOUNDARY`], else JSON. There is a small library behind it where ONNX Runtime is found; else
//! requests are read and refused.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{LazyLock, Once};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use earmark_audio::Limits;
use earmark_engine::ingest::{IngestOptions, ingest};
use earmark_engine::{EngineOptions, WalkOptions, walk};
use earmark_index::OpenOptions;
use earmark_library::{Access, Library, LibraryOptions, Place, Settings};
use earmark_server::{App, Config, RootConfig, router};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::panics;

/// What a multipart body starts with.
const BOUNDARY: &str = "--xYzZy";

/// The largest answer: a picture, a map.
const MAX_ANSWER: usize = 16 << 20;

/// Sounds in the library.
const SOUNDS: [&str; 2] = ["faults/dog.mp3", "audio/wav_s16.wav"];

struct Server {
    router: Router,
    runtime: tokio::runtime::Runtime,
    has_library: bool,
    _folder: TempDir,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::new().expect("a server"));

/// Sends a request.
///
/// # Panics
/// Where the answer is an internal error, or endless.
pub fn request(data: &[u8]) {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| {
        LazyLock::force(&SERVER);
        panics::watch();
    });
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (line, body) = (&data[..line], data.get(line + 1..).unwrap_or_default());
    let Some((method, path)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(' ')) else { return };
    let kind = if body.starts_with(BOUNDARY.as_bytes()) {
        format!("multipart/form-data; boundary={}", &BOUNDARY[2..])
    } else {
        "application/json".to_owned()
    };
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, kind);
    let Ok(request) = request.body(Body::from(body.to_vec())) else { return };
    let server = &*SERVER;
    server.runtime.block_on(async {
        let Ok(response) = server.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let stream = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        if stream {
            return;
        }
        let answer = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        assert!(answer.len() <= MAX_ANSWER, "an answer of {} bytes", answer.len());
        let is_internal = parts.status == StatusCode::INTERNAL_SERVER_ERROR;
        assert!(!is_internal || !server.has_library, "{}", String::from_utf8_lossy(&answer));
    });
}

impl Server {
    fn new() -> Result<Self, Box<dyn Error>> {
        let folder = if Path::new("/dev/shm").is_dir() { TempDir::new_in("/dev/shm")? } else { TempDir::new()? };
        let sounds = folder.path().join("sounds");
        std::fs::create_dir(&sounds)?;
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
        for name in SOUNDS {
            std::fs::copy(fixtures.join(name), sounds.join(name.replace('/', "-")))?;
        }
        let mut config = Config::default();
        config.roots = vec![RootConfig { name: "sounds".to_owned(), path: sounds.clone() }];
        config.limits.requests_per_s = 1e6;
        config.limits.label_sets = 8;
        config.limits.jobs = 1;
        let app = App::new(config)?;
        let library = library(&app, folder.path(), &sounds);
        if let Err(error) = &library {
            eprintln!("without a library: {error}");
        }
        let has_library = library.is_ok();
        if let Ok((library, jobs)) = library {
            app.open(library, jobs)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { router: router(app), runtime, has_library, _folder: folder })
    }
}

fn library(app: &App, folder: &Path, sounds: &Path) -> Result<(Library, EngineOptions), Box<dyn Error>> {
    let place = Place::at(folder.join("fuzz.earmark"));
    drop(place.choose_or_make(&OpenOptions::default())?);
    let settings = Settings {
        threads: 1,
        ffmpeg: Some("".into()),
        graph_cache: Some("".into()),
        audio: Limits { max_duration_s: 30.0, max_decode_s: 5.0, ..Limits::default() },
        ..Settings::default()
    };
    let jobs = settings.engine_options()?;
    let options = LibraryOptions {
        access: Access::Live,
        settings,
        limits: app.limits(),
        clip_files: app.clip_files(),
    };
    let library = Library::open(place, options)?;
    let walked = walk(&[sounds.to_path_buf()], &WalkOptions::default())?;
    let (engine, never) = (library.engine()?, AtomicBool::new(false));
    ingest(&engine, &*library.live()?.write()?, walked, &IngestOptions::default(), &never, |_| {})?;
    Ok((library, jobs))
}
