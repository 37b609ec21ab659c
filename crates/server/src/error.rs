//! The one error type of the API, with the one table of statuses. Bodies are RFC 9457 problem documents.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use earmark_audio::AudioError;
use earmark_engine::EngineError;
use earmark_index::Error as IndexError;
use earmark_library::{Error, Kind as LibraryKind};
use serde::Serialize;
use utoipa::ToSchema;

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    NoSuchRange,
    Undecodable,
    Busy,
    Internal,
    Unavailable,
}

/// Kind, status, the name in the problem's `type`, title.
pub(crate) const TABLE: &[(Kind, StatusCode, &str, &str)] = &[
    (Kind::BadRequest, StatusCode::BAD_REQUEST, "bad-request", "The request makes no sense"),
    (Kind::Unauthorized, StatusCode::UNAUTHORIZED, "unauthorized", "An API key is needed"),
    (Kind::Forbidden, StatusCode::FORBIDDEN, "forbidden", "This is not allowed"),
    (Kind::NotFound, StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
    (Kind::MethodNotAllowed, StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Not with this method"),
    (Kind::Conflict, StatusCode::CONFLICT, "conflict", "This does not fit the present state"),
    (Kind::TooLarge, StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
    (
        Kind::UnsupportedMediaType,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "Not a content type that is read here",
    ),
    (Kind::NoSuchRange, StatusCode::RANGE_NOT_SATISFIABLE, "no-such-range", "There is no such range"),
    (Kind::Undecodable, StatusCode::UNPROCESSABLE_ENTITY, "undecodable", "The sound cannot be used"),
    (Kind::Busy, StatusCode::TOO_MANY_REQUESTS, "busy", "Too many requests"),
    (Kind::Internal, StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on the server"),
    (Kind::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not ready"),
];

impl Kind {
    pub(crate) fn row(self) -> (StatusCode, &'static str, &'static str) {
        let row = TABLE.iter().find(|row| row.0 == self);
        row.map_or((StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal"), |r| (r.1, r.2, r.3))
    }

    /// The kind of a name in the table; of none of them, the request's fault.
    pub(crate) fn of_name(name: &str) -> Self {
        TABLE.iter().find(|row| row.2 == name).map_or(Self::BadRequest, |row| row.0)
    }

    /// The kind that a status stands for, of responses that others made.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let exact = TABLE.iter().find(|row| row.1 == status).map(|row| row.0);
        let general = if status.is_server_error() { Self::Internal } else { Self::BadRequest };
        exact.unwrap_or(general)
    }
}

/// An RFC 9457 problem document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A name of the kind of problem, `urn:earmark:problem:` and a word.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The kind in words.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What went wrong this time.
    pub(crate) detail: String,
    /// The field of the request that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// Names the request in the server's log; also in the header `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
}

/// Everything a handler can fail with.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    kind: Kind,
    detail: String,
    field: Option<String>,
    retry_after_s: Option<u64>,
    /// For the log only.
    internal: Option<String>,
}

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), field: None, retry_after_s: None, internal: None }
    }

    pub(crate) fn field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(Kind::BadRequest, detail) }
    }

    pub(crate) fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("there is no {what} `{name}`"))
    }

    pub(crate) fn busy(detail: &str, retry_after_s: u64) -> Self {
        Self { retry_after_s: Some(retry_after_s.max(1)), ..Self::new(Kind::Busy, detail) }
    }

    pub(crate) fn unavailable(detail: &str) -> Self {
        Self { retry_after_s: Some(1), ..Self::new(Kind::Unavailable, detail) }
    }

    /// Whether it is for now only, and may be told as it is.
    pub(crate) fn is_unavailable(&self) -> bool {
        matches!(self.kind, Kind::Unavailable)
    }

    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self.kind, Kind::NotFound)
    }

    /// The reason goes to the log, never to the client.
    pub(crate) fn internal(reason: impl std::fmt::Display) -> Self {
        let detail = "the server's log says more under this request id";
        Self { internal: Some(reason.to_string()), ..Self::new(Kind::Internal, detail) }
    }

    /// The same, with one text in its detail replaced.
    pub(crate) fn replacing(mut self, from: &str, to: &str) -> Self {
        self.detail = self.detail.replace(from, to);
        self
    }

    /// The document, without the request's id.
    pub(crate) fn problem(&self) -> Problem {
        let (status, name, title) = self.kind.row();
        Problem {
            kind: format!("urn:earmark:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail.clone(),
            field: self.field.clone(),
            request_id: None,
        }
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        self.internal.as_deref()
    }

    /// The response, with the request's id.
    pub(crate) fn respond(&self, request_id: &str) -> Response {
        let (status, ..) = self.kind.row();
        let problem = Problem { request_id: Some(request_id.to_owned()), ..self.problem() };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind == Kind::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for ApiError {
    /// Only the status and the error itself: the outermost layer knows the request's id and writes the document.
    fn into_response(self) -> Response {
        let mut response = self.kind.row().0.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for ApiError {
    fn from(e: Error) -> Self {
        let (kind, field) = (e.kind(), e.field().map(str::to_owned));
        let kind = match kind {
            LibraryKind::BadRequest => Kind::BadRequest,
            LibraryKind::NotFound => Kind::NotFound,
            LibraryKind::Forbidden => Kind::Forbidden,
            LibraryKind::Conflict => Kind::Conflict,
            LibraryKind::TooLarge => Kind::TooLarge,
            LibraryKind::Undecodable => Kind::Undecodable,
            LibraryKind::Busy => return Self::busy(&e.to_string(), 1),
            LibraryKind::Unavailable => return unavailable(&e),
            LibraryKind::Internal => return Self::internal(e),
        };
        // Paths of the index are not the client's business.
        let detail = match &e {
            Error::Engine(EngineError::Index(IndexError::ReadOnly { .. })) => {
                "the index is read-only here".to_owned()
            }
            e => e.reason(),
        };
        Self { field, ..Self::new(kind, detail) }
    }
}

/// What is in the way and will go away.
fn unavailable(e: &Error) -> ApiError {
    ApiError::unavailable(match e {
        Error::Engine(EngineError::Index(IndexError::Locked { .. })) => {
            "another process is writing the index; try again soon"
        }
        Error::Engine(EngineError::Index(IndexError::DiskFull { .. })) => "the disk of the index is full",
        // Where the database is and what it said is in the log.
        Error::Engine(EngineError::Index(e @ IndexError::Database { .. })) => {
            tracing::error!(error = %e, "index");
            "the database of the index does not answer as it should; try again soon"
        }
        // The next write opens the index again.
        _ => "the index could not be written; try again soon",
    })
}

impl From<EngineError> for ApiError {
    fn from(e: EngineError) -> Self {
        Error::from(e).into()
    }
}

impl From<AudioError> for ApiError {
    fn from(e: AudioError) -> Self {
        Error::from(e).into()
    }
}

impl From<IndexError> for ApiError {
    fn from(e: IndexError) -> Self {
        Error::from(e).into()
    }
}
