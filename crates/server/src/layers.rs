//! What every request goes through: an id, a log line, the clock, the guards, safe headers.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use crate::auth::Scope;
use crate::error::{ApiError, ApiResult, Kind};
use crate::state::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Scripts, styles and data come from here and nowhere else. Pictures and sounds may be made in the page, styles set on
/// elements; the page's graphs use a worker.
const CSP: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
                   media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self' blob:; object-src 'none'; \
                   base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The outermost layer: gives the request its id, writes problem documents, logs and counts.
pub(crate) async fn outermost(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().map(|m| m.as_str().to_owned());
    let route = route.unwrap_or_else(|| "other".to_owned());
    let span = tracing::info_span!("request", %id, %method, path);
    let limit = Duration::from_secs_f64(app.inner.config.limits.request_s);
    let response = async {
        let response = match tokio::time::timeout(limit, next.run(request)).await {
            Ok(response) => finish(response, &id),
            Err(_) => ApiError::unavailable("the request took too long").respond(&id),
        };
        let (status, took) = (response.status(), begun.elapsed());
        if status.is_server_error() {
            tracing::error!(status = status.as_u16(), ms = took.as_millis() as u64, "failed");
        } else {
            tracing::info!(status = status.as_u16(), ms = took.as_millis() as u64, "done");
        }
        response
    };
    let mut response = response.instrument(span).await;
    app.inner.metrics.request(method.as_str(), &route, response.status().as_u16(), begun.elapsed());
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, CSP),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "microphone=(self), camera=(), geolocation=()"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // What a key was needed for must not be kept by proxies.
    if path.starts_with("/v1/") {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    }
    response
}

/// Turns what handlers and the router refuse into problem documents.
fn finish(mut response: Response, id: &str) -> Response {
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        if let Some(reason) = error.reason() {
            tracing::error!(reason, "internal error");
        }
        return error.respond(id);
    }
    let status = response.status();
    let is_theirs = status.is_client_error() || status.is_server_error();
    if is_theirs {
        let kept =
            [header::ALLOW, header::CONTENT_RANGE].map(|name| (response.headers().get(&name).cloned(), name));
        let kind = Kind::of_status(status);
        let detail = match kind {
            Kind::NoSuchRange => "the file ends before the range begins",
            Kind::NotFound => "there is nothing at this path",
            Kind::MethodNotAllowed => "this path does not take this method",
            _ => status.canonical_reason().unwrap_or_default(),
        };
        let mut problem = ApiError::new(kind, detail).respond(id);
        for (value, name) in kept {
            problem.headers_mut().extend(value.map(|value| (name, value)));
        }
        return problem;
    }
    response
}

/// The client's own id for the request if it is harmless, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok());
    let is_plain = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    given.filter(is_plain).map_or_else(new_id, str::to_owned)
}

fn new_id() -> String {
    let mut bytes = [0_u8; 8];
    // An id that is not unique is a nuisance, not a danger.
    let _ = getrandom::fill(&mut bytes);
    format!("{:016x}", u64::from_le_bytes(bytes))
}

/// Guards against web pages of others, which a browser on this machine may have open: they must not reach the server under
/// a name of their own (DNS rebinding), nor send it anything (forged requests).
pub(crate) async fn same_origin(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let host = host_of(request.headers(), request.uri());
    if app.inner.keys.is_open() && !app.inner.config.insecure {
        let name = host.as_deref().map(|host| without_port(host).to_ascii_lowercase());
        let is_known = |name: &str| {
            matches!(name, "localhost" | "127.0.0.1" | "[::1]")
                || app.inner.config.listen.ip().to_string() == name
                || app.inner.config.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        if !name.as_deref().is_none_or(is_known) {
            let detail = "the server is not known by this name; add it to `hosts` in its configuration";
            return Err(ApiError::new(Kind::Forbidden, detail));
        }
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD)
        && let Some(origin) = request.headers().get(header::ORIGIN)
    {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        if authority.is_none() || authority != host.as_deref() {
            return Err(ApiError::new(Kind::Forbidden, "requests from other sites are not taken"));
        }
    }
    Ok(next.run(request).await)
}

fn host_of(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let header = headers.get(header::HOST).and_then(|v| v.to_str().ok());
    header.or(uri.authority().map(|a| a.as_str())).map(str::to_owned)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Lets a request with a good key of the scope through.
pub(crate) async fn authorise(
    State((app, scope)): State<(App, Scope)>,
    request: Request,
    next: Next,
) -> ApiResult<Response> {
    let caller = app.inner.keys.check(request.headers(), scope)?;
    tracing::debug!(key = caller.name, scope = ?caller.scope, "allowed");
    Ok(next.run(request).await)
}
