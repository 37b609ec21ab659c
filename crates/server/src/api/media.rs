//! `/v1/clips/{id}/audio`: the file itself, whole or in ranges.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use earmark_audio::Format;
use earmark_index::Clip;
use tower::ServiceExt;
use tower_http::services::ServeFile;

use crate::error::{ApiError, ApiResult, Kind};
use crate::extract::ApiId;
use crate::openapi::Binary;
use crate::state::{App, Open};

/// The original file of a clip
///
/// As it is on the server's disk, whole or, with `Range`, in part. Its media type is that of its format, or
/// `application/octet-stream`.
#[utoipa::path(get, path = "/v1/clips/{id}/audio", operation_id = "getClipAudio", tag = "clips",
    params(("id" = String, Path, description = "A clip's id"),
        ("range" = Option<String>, Header, description = "As `bytes=0-1023`")),
    responses(
        (status = 200, description = "The whole file",
            content((Binary = "audio/*"), (Binary = "application/octet-stream"))),
        (status = 206, description = "The range",
            content((Binary = "audio/*"), (Binary = "application/octet-stream"))),
        (status = 304, description = "Unchanged")))]
pub(crate) async fn audio(
    State(app): State<App>,
    ApiId(id): ApiId,
    mut request: Request,
) -> ApiResult<Response> {
    let open = app.library()?;
    let File { etag, path, clip } = file(&app, &open, id).await?;
    if is_known(request.headers(), &etag) {
        return Ok(with_tag(StatusCode::NOT_MODIFIED.into_response(), &etag));
    }
    settle_range(request.headers_mut(), &etag);
    // What the file is named must not decide what the browser takes it for: it might be named `.html`.
    let mime =
        Format::named(&clip.meta.format).map_or("application/octet-stream", |format| format.media_type);
    let mime = mime.parse().map_err(ApiError::internal)?;
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

/// A clip with its file, as that is now.
pub(crate) struct File {
    pub(crate) etag: String,
    pub(crate) path: PathBuf,
    pub(crate) clip: Clip,
}

/// Looks a clip's file up.
pub(crate) async fn file(app: &App, open: &Arc<Open>, id: u64) -> ApiResult<File> {
    let open = Arc::clone(open);
    let look = move || {
        let clip = open.library.find_clip(id)?;
        let path = open.library.clip_file(&clip.meta.path)?;
        Ok(File { etag: etag(&path)?, path, clip })
    };
    app.inner.searches.run(look).await
}

/// The file's content as far as its size and time tell it: the index may not know yet that it has changed.
fn etag(path: &Path) -> ApiResult<String> {
    let metadata =
        std::fs::metadata(path).map_err(|_| ApiError::new(Kind::NotFound, "the clip's file is gone"))?;
    let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    Ok(format!("\"{:x}-{:x}\"", metadata.len(), modified.map_or(0, |t| t.as_nanos())))
}

/// Whether the client has this content already.
pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let asked = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let same = |tag: &str| tag.trim().trim_start_matches("W/") == etag;
    asked.is_some_and(|asked| asked == "*" || asked.split(',').any(same))
}

/// Leaves `Range` only where it is one plain range of this very content; without it the whole file is the right answer
/// (RFC 9110, 13.1.5 and 14.2).
fn settle_range(headers: &mut HeaderMap, etag: &str) {
    let is_other = headers.remove(header::IF_RANGE).is_some_and(|known| known != etag);
    let range = headers.remove(header::RANGE);
    let plain = range.as_ref().and_then(|range| range.to_str().ok()).and_then(plain_range);
    if let Some(value) = plain.filter(|_| !is_other).and_then(|range| HeaderValue::from_str(&range).ok()) {
        headers.insert(header::RANGE, value);
    }
}

/// One range of bytes; numbers that no file reaches are made as large as numbers get.
fn plain_range(range: &str) -> Option<String> {
    let (first, last) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| digits.parse().unwrap_or(i64::MAX as u64).min(i64::MAX as u64))
    };
    match (first, last) {
        ("", last) => Some(format!("bytes=-{}", number(last)?)),
        (first, "") => Some(format!("bytes={}-", number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| format!("bytes={first}-{last}"))
        }
    }
}

fn with_tag(mut response: Response, etag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// Percent-encoding of all but unreserved characters, as RFC 8187 wants it.
fn encoded(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
