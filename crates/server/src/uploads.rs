//! Bodies with files in them: multipart, within a budget of memory that all requests share.

use std::sync::Arc;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header;
use earmark_engine::Source;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{ApiError, ApiResult, Kind};
use crate::extract::{ApiJson, from_json};
use crate::state::App;

/// Bytes that bodies may take up at a time, counted in KiB.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let kib = usize::try_from(bytes >> 10).unwrap_or(usize::MAX);
        Self(Arc::new(Semaphore::new(kib.clamp(1, Semaphore::MAX_PERMITS))))
    }

    fn take(&self, bytes: usize) -> ApiResult<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let busy = |_| ApiError::busy("too many uploads at a time; try again soon", 2);
        Arc::clone(&self.0).try_acquire_many_owned(kib).map_err(busy)
    }
}

/// A file of a multipart body.
#[derive(Debug)]
pub(crate) struct Upload {
    /// The part's name.
    pub(crate) part: String,
    /// The file's name as the client gives it; for messages, and never a path.
    pub(crate) name: String,
    bytes: Vec<u8>,
    /// Its place in the budget, given back when it is dropped.
    permit: Option<OwnedSemaphorePermit>,
}

impl Upload {
    /// For the engine. The place in the budget is to be kept as long as it is worked on.
    pub(crate) fn into_source(self) -> (Source, Option<OwnedSemaphorePermit>) {
        (Source::Bytes { name: self.name, bytes: self.bytes }, self.permit)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A request with files, or without any: JSON, or multipart whose part `request` is that JSON.
pub(crate) struct WithFiles<T> {
    pub(crate) request: T,
    pub(crate) files: Vec<Upload>,
}

impl<T: DeserializeOwned> FromRequest<App> for WithFiles<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        if !kind.starts_with("multipart/form-data") {
            let ApiJson(request) = ApiJson::from_request(request, app).await?;
            return Ok(Self { request, files: Vec::new() });
        }
        let mut parts = Multipart::from_request(request, app)
            .await
            .map_err(|e| ApiError::field("body", e.body_text()))?;
        let bounds = &app.inner.config.limits;
        let mut left = bounds.upload_bytes;
        let (mut json, mut files) = (None, Vec::new());
        while let Some(field) = parts.next_field().await.map_err(from_multipart)? {
            let part = field.name().unwrap_or_default().to_owned();
            let name = file_name(field.file_name().unwrap_or(&part));
            let (bytes, permit) = read(field, app, &mut left).await?;
            if part == "request" {
                json = Some(bytes);
            } else if files.len() == bounds.files {
                return Err(ApiError::new(
                    Kind::TooLarge,
                    format!("at most {} files a request", bounds.files),
                ));
            } else {
                files.push(Upload { part, name, bytes, permit });
            }
        }
        let request = from_json(json.as_deref().unwrap_or(b"{}"))?;
        Ok(Self { request, files })
    }
}

/// Reads a part, so long as there is room for it.
async fn read(
    mut field: Field<'_>,
    app: &App,
    left: &mut u64,
) -> ApiResult<(Vec<u8>, Option<OwnedSemaphorePermit>)> {
    let (mut bytes, mut held) = (Vec::new(), None::<OwnedSemaphorePermit>);
    while let Some(chunk) = field.chunk().await.map_err(from_multipart)? {
        *left = left.checked_sub(chunk.len() as u64).ok_or_else(|| too_large(app))?;
        let permit = app.inner.uploads.take(chunk.len())?;
        match &mut held {
            Some(held) => held.merge(permit),
            None => held = Some(permit),
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((bytes, held))
}

pub(crate) fn too_large(app: &App) -> ApiError {
    let limit = app.inner.config.limits.upload_bytes;
    ApiError::new(Kind::TooLarge, format!("the body is larger than the limit of {limit} bytes"))
}

fn from_multipart(e: MultipartError) -> ApiError {
    ApiError::field("body", e.body_text())
}

/// The last part of a name, without anything that could be a path or hide in a log.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).take(120).collect();
    let clean = clean.trim_matches(|c: char| c == '.' || c.is_whitespace()).to_owned();
    if clean.is_empty() { "upload".to_owned() } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_never_lead_anywhere() {
        for (given, expected) in [
            ("dog.wav", "dog.wav"),
            ("../../etc/passwd", "passwd"),
            ("C:\\sounds\\dog.wav", "dog.wav"),
            ("..", "upload"),
            ("a\u{0}b\n.wav", "ab.wav"),
            ("", "upload"),
            (".hidden", "hidden"),
        ] {
            assert_eq!(file_name(given), expected);
        }
    }
}
