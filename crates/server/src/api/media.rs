//! `/v1/clips/{id}/audio`: the file itself, whole or in ranges.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use tower_http::services::ServeFile;

use crate::api::clips::find;
use crate::error::{ApiError, ApiResult, Kind, Problem};
use crate::extract::ApiId;
use crate::state::App;

/// The clip's original file; `Range` is honoured
#[utoipa::path(get, path = "/v1/clips/{id}/audio", tag = "clips",
    params(("id" = String, Path,), ("range" = Option<String>, Header, description = "As `bytes=0-1023`")),
    responses(
        (status = 200, content_type = "audio/*", description = "The whole file"),
        (status = 206, content_type = "audio/*", description = "The range"),
        (status = 304, description = "Unchanged"),
        (status = 416, description = "There is no such range"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn audio(State(app): State<App>, ApiId(id): ApiId, request: Request) -> ApiResult<Response> {
    let open = app.library()?;
    let (roots, index) = (app.inner.roots.clone(), std::sync::Arc::clone(&open.index));
    let look = move || {
        let clip = find(&index, id)?;
        Ok((roots.clip_file(&clip.meta.path)?, clip))
    };
    let (path, clip) = app.inner.searches.run(look).await?;
    let etag = etag(&clip.meta.content_hash, clip.meta.mtime_ns);
    let asked = request.headers().get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    if asked.is_some_and(|asked| asked == "*" || asked.split(',').any(|tag| tag.trim() == etag)) {
        return Ok(with_tag(StatusCode::NOT_MODIFIED.into_response(), &etag));
    }
    // What the file is named must not decide what the browser takes it for: it might be named `.html`.
    let mime = mime(&clip.meta.format).parse().map_err(ApiError::internal)?;
    let response =
        ServeFile::new_with_mime(&path, &mime).oneshot(request).await.map_err(ApiError::internal)?;
    if response.status() == StatusCode::NOT_FOUND {
        return Err(ApiError::new(Kind::NotFound, "the clip's file is gone"));
    }
    let mut response = with_tag(response.map(Body::new), &etag);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if let Ok(value) = HeaderValue::from_str(&format!("inline; filename*=UTF-8''{}", encoded(&name))) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// The content as it was indexed; what has changed since has another time.
fn etag(hash: &[u8; 32], mtime_ns: i64) -> String {
    let hex = blake3::Hash::from_bytes(*hash).to_hex();
    format!("\"{}-{mtime_ns:x}\"", &hex[..24])
}

fn with_tag(mut response: Response, etag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// The media type of a container.
fn mime(format: &str) -> &'static str {
    match format {
        "wav" => "audio/wav",
        "aiff" => "audio/aiff",
        "flac" => "audio/flac",
        "mp3" | "mp2" | "mp1" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "mp4" => "audio/mp4",
        "mkv" => "audio/webm",
        "aac" => "audio/aac",
        "caf" => "audio/x-caf",
        _ => "application/octet-stream",
    }
}

/// Percent-encoding of all but unreserved characters, as RFC 8187 wants it.
fn encoded(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
