//! The page, embedded in the program: what `web/dist` held when it was built.

use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::error::{ApiError, Kind};

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Files;

/// Shown where no page was built in.
const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>earmark</title>\
    <h1>earmark</h1><p>The server runs, but this program was built without its page. The API is at \
    <a href=\"/docs/\">/docs/</a>.</p></html>";

/// A file of the page; the page itself for the addresses of its views.
pub(crate) async fn page(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path == "v1" || path.starts_with("v1/") {
        return ApiError::new(Kind::NotFound, "there is nothing at this path").into_response();
    }
    let is_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    let (name, found) = match Files::get(path).filter(|_| !path.is_empty()) {
        Some(file) => (path, Some(file)),
        None if is_file => {
            return ApiError::new(Kind::NotFound, "there is nothing at this path").into_response();
        }
        None => ("index.html", Files::get("index.html")),
    };
    let Some(file) = found else {
        return (StatusCode::OK, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], PLACEHOLDER)
            .into_response();
    };
    // Vite puts a hash into the names of assets, so that they may be kept for ever.
    let keep = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [(header::CONTENT_TYPE, mime(name)), (header::CACHE_CONTROL, keep)];
    (StatusCode::OK, headers, file.data.into_owned()).into_response()
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
