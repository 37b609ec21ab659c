//! Bodies with files in them: multipart, within a budget of memory that all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header;
use earmark_engine::Source;
use earmark_library::{Error, Files, Library, SoundError, bounded};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{ApiError, ApiResult, Kind};
use crate::extract::{JSON_BYTES, from_json};
use crate::state::{App, Open};

/// Most bytes of a multipart body that have come and belong to no part's content (yet): boundaries, headers, what is before
/// the first part, and what came faster than it was taken.
const AHEAD_BYTES: u64 = 8 << 20;

const TOO_MUCH_AHEAD: &str = "too much between the parts, or before the first";

/// Longest name that an uploaded file keeps, bytes; file systems take 255, and a number may be put after it.
const NAME_BYTES: usize = 200;

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

/// A file's place in the budget, given back when it is dropped.
pub(crate) type Permit = Option<OwnedSemaphorePermit>;

/// A file of a multipart body.
#[derive(Debug)]
pub(crate) struct Upload {
    /// The file's name as the client gives it, by which requests name it; never a path.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    permit: Permit,
}

/// The files of a multipart body.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Vec<Upload>);

impl Uploads {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The only one, if there is one and no other.
    pub(crate) fn into_only(mut self) -> Option<Upload> {
        let only = self.0.pop();
        only.filter(|_| self.0.is_empty())
    }

    /// Refuses names in a request that no file has.
    pub(crate) fn check_names(&self, names: &[String]) -> ApiResult<()> {
        match names.iter().find(|name| !self.0.iter().any(|file| file.name == **name)) {
            Some(name) => Err(ApiError::field("files", format!("there is no file `{name}` in the request"))),
            None => Ok(()),
        }
    }

    /// For the library, with their places in the budget, which are to be kept as long as they are worked on.
    pub(crate) fn into_files(self) -> (Files, Vec<Permit>) {
        let (mut sent, mut permits) = (Vec::new(), Vec::new());
        for (name, source, permit) in self.into_sources() {
            sent.push((name, source));
            permits.push(permit);
        }
        (Files::sent(sent), permits)
    }

    /// One by one: name, sound, place in the budget.
    pub(crate) fn into_sources(self) -> Vec<(String, Source, Permit)> {
        let source =
            |Upload { name, bytes, permit }: Upload| (name.clone(), Source::Bytes { name, bytes }, permit);
        self.0.into_iter().map(source).collect()
    }
}

/// Works on the clips and files of a request one by one, so that others get their turn between them. `work`
/// gets a clip's id or a file, not both. If there is only one sound and it cannot be used, that is the answer's
/// error.
pub(crate) async fn in_turn<T: Send + 'static>(
    app: &App,
    open: &Arc<Open>,
    (clip_ids, names, files): (&[String], &[String], Uploads),
    work: impl Fn(&Library, Vec<String>, Files) -> Result<Vec<T>, Error> + Clone + Send + 'static,
    error: impl Fn(&T) -> Option<&SoundError>,
) -> ApiResult<Vec<T>> {
    files.check_names(names)?;
    let sounds = clip_ids.len() + files.len();
    bounded("clip_ids", sounds, 1, open.library.limits().tagged)?;
    let clips = clip_ids.iter().map(|id| (vec![id.clone()], Files::default(), None));
    let files = files.into_sources().into_iter();
    let files = files.map(|(name, source, permit)| (Vec::new(), Files::sent(vec![(name, source)]), permit));
    let mut results = Vec::with_capacity(sounds);
    for (clip_ids, files, permit) in clips.chain(files).collect::<Vec<_>>() {
        let (open, work) = (Arc::clone(open), work.clone());
        let work = move || {
            let results = work(&open.library, clip_ids, files)?;
            drop(permit);
            Ok(results)
        };
        results.extend(app.inner.encodes.run(work).await?);
    }
    if let [only] = results.as_slice()
        && let Some(error) = error(only)
    {
        return Err(ApiError::new(Kind::of_name(&error.kind), error.detail.clone()));
    }
    Ok(results)
}

/// A multipart request: JSON as its part `request`, which may be left out if nothing in it must be given, and
/// files.
pub(crate) struct WithFiles<T> {
    pub(crate) request: T,
    pub(crate) files: Uploads,
}

impl<T: DeserializeOwned> FromRequest<App> for WithFiles<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        if !kind.starts_with("multipart/form-data") {
            let detail = format!("expected multipart/form-data, got `{kind}`");
            return Err(ApiError::new(Kind::UnsupportedMediaType, detail));
        }
        let taken = Arc::<AtomicU64>::default();
        let request = request.map(|body| watched(body, Arc::clone(&taken)));
        let mut parts = Multipart::from_request(request, app)
            .await
            .map_err(|e| ApiError::field("body", e.body_text()))?;
        let bounds = &app.inner.config.limits;
        let mut left = bounds.upload_bytes;
        let (mut json, mut files) = (None, Vec::new());
        while let Some(field) = parts.next_field().await.map_err(from_multipart)? {
            let part = field.name().unwrap_or_default().to_owned();
            let name = file_name(field.file_name().unwrap_or(&part));
            if part == "request" {
                if json.is_some() {
                    return Err(ApiError::field("request", "given twice"));
                }
                let mut most = JSON_BYTES as u64;
                let too_large = || too_large("part `request`", JSON_BYTES as u64);
                json = Some(read(field, app, &mut most, &taken).await?.ok_or_else(too_large)?);
                continue;
            }
            let read = read(field, app, &mut left, &taken).await?;
            let (bytes, permit) = read.ok_or_else(|| too_large("body", bounds.upload_bytes))?;
            if files.len() == bounds.files {
                return Err(ApiError::new(
                    Kind::TooLarge,
                    format!("at most {} files a request", bounds.files),
                ));
            } else {
                files.push(Upload { name, bytes, permit });
            }
        }
        let request = from_json(json.as_ref().map_or(b"{}", |(bytes, _)| bytes.as_slice()))?;
        if files.is_empty() {
            return Err(ApiError::field("files", "expected at least one file besides `request`"));
        }
        Ok(Self { request, files: Uploads(files) })
    }
}

/// The body, cut off when too much of it has come that is no part's content: the parser of multipart keeps all of that, and
/// looks through it again each time more comes. `taken` counts the content that was handed on.
fn watched(body: Body, taken: Arc<AtomicU64>) -> Body {
    let mut come = 0_u64;
    Body::from_stream(body.into_data_stream().map(move |chunk| {
        let chunk = chunk.map_err(std::io::Error::other)?;
        come += chunk.len() as u64;
        if come > taken.load(Ordering::Relaxed) + AHEAD_BYTES {
            return Err(std::io::Error::other(TOO_MUCH_AHEAD));
        }
        Ok(chunk)
    }))
}

/// A part's bytes, and their place in the budget.
type Read = (Vec<u8>, Permit);

/// Reads a part, so long as there is room for it; `None` if it is larger than what is `left`.
async fn read(mut field: Field<'_>, app: &App, left: &mut u64, taken: &AtomicU64) -> ApiResult<Option<Read>> {
    let (mut bytes, mut held) = (Vec::new(), None::<OwnedSemaphorePermit>);
    while let Some(chunk) = field.chunk().await.map_err(from_multipart)? {
        taken.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        let Some(rest) = left.checked_sub(chunk.len() as u64) else { return Ok(None) };
        *left = rest;
        let permit = app.inner.uploads.take(chunk.len())?;
        match &mut held {
            Some(held) => held.merge(permit),
            None => held = Some(permit),
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some((bytes, held)))
}

pub(crate) fn too_large(what: &str, limit: u64) -> ApiError {
    ApiError::new(Kind::TooLarge, format!("the {what} is larger than the limit of {limit} bytes"))
}

fn from_multipart(e: MultipartError) -> ApiError {
    let mut cause: Option<&dyn std::error::Error> = Some(&e);
    while let Some(error) = cause {
        if error.to_string() == TOO_MUCH_AHEAD {
            return ApiError::new(Kind::TooLarge, TOO_MUCH_AHEAD);
        }
        cause = error.source();
    }
    ApiError::field("body", e.body_text())
}

/// The last part of a name, without anything that could be a path or hide in a log.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).collect();
    let clean = clean.trim_matches(|c: char| c == '.' || c.is_whitespace());
    if clean.is_empty() {
        return "upload".to_owned();
    }
    // The extension stays, so that jobs take the file up by its name as well.
    match clean.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 8 => {
            format!("{}.{extension}", shortened(stem, NAME_BYTES - 9))
        }
        _ => shortened(clean, NAME_BYTES).to_owned(),
    }
}

/// At most so many bytes, in whole characters.
fn shortened(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
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

    #[test]
    fn long_names_are_cut_in_bytes_and_keep_their_extension() {
        for name in ["\u{1f389}".repeat(115) + ".wav", "a".repeat(5000) + ".wav"] {
            let cut = file_name(&name);
            assert!(cut.len() <= NAME_BYTES && cut.ends_with(".wav"), "{cut}");
        }
        assert_eq!(file_name(&"a.".repeat(500)).len(), NAME_BYTES - 9 + 2);
        assert_eq!(file_name(&"é".repeat(500)).len(), NAME_BYTES);
    }
}
