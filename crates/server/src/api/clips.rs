//! `/v1/clips`: list, get, tags, delete, upload.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use earmark_engine::ingest::{IngestOptions, ingest};
use earmark_engine::{WalkOptions, walk};
use earmark_index::{Change, Clip, IndexReader, IndexWriter as _, stored_path};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::dto::{ClipDto, FilterDto, FilterQuery, PageQuery, check_tags};
use crate::error::{ApiError, ApiResult, Kind, Problem};
use crate::extract::{ApiId, ApiJson, ApiQuery};
use crate::state::{App, Open};
use crate::uploads::WithFiles;

/// A page of clips.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClipPage {
    items: Vec<ClipDto>,
    next_cursor: Option<String>,
    /// Clips on all pages.
    total: usize,
}

/// In which order, and which.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Part of the path, ignoring case.
    q: Option<String>,
    #[param(inline)]
    sort: SortDto,
}

/// The order of clips.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Sort)]
pub(crate) enum SortDto {
    /// By path.
    #[default]
    Path,
    /// The latest indexed first.
    Indexed,
    /// The longest first.
    Duration,
}

impl SortDto {
    /// What clips are ordered by; the id makes it an order of all of them.
    fn key(self, clip: &Clip) -> (String, u64) {
        let falling = |n: u64| format!("{:016x}", u64::MAX - n);
        let key = match self {
            Self::Path => clip.meta.path.clone(),
            Self::Indexed => falling(clip.meta.indexed_unix_s.max(0) as u64),
            // Durations are not negative, and the bits of such floats are in their order.
            Self::Duration => falling(clip.meta.duration_s.max(0.0).to_bits()),
        };
        (key, clip.id)
    }
}

/// Clips of the index
#[utoipa::path(get, path = "/v1/clips", operation_id = "listClips", tag = "clips", params(ListQuery, FilterQuery, PageQuery),
    responses((status = 200, body = ClipPage), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(app): State<App>,
    ApiQuery(query): ApiQuery<ListQuery>,
    ApiQuery(filter): ApiQuery<FilterQuery>,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> ApiResult<Json<ClipPage>> {
    let open = app.library()?;
    let limit = page.limit(app.inner.config.limits.results)?;
    let after = page.cursor.as_deref().map(|cursor| read_cursor(query.sort, cursor)).transpose()?;
    let filter = FilterDto::from(filter).into_filter()?;
    let work = move || {
        let mut clips = open.index().clips(&filter)?;
        if let Some(q) = query.q.filter(|q| !q.is_empty()) {
            let q = q.to_lowercase();
            clips.retain(|clip| clip.meta.path.to_lowercase().contains(&q));
        }
        let total = clips.len();
        let mut keyed: Vec<((String, u64), Clip)> =
            clips.into_iter().map(|clip| (query.sort.key(&clip), clip)).collect();
        if let Some(after) = &after {
            keyed.retain(|(key, _)| key > after);
        }
        let more = keyed.len() > limit;
        if more {
            // The page, and no more, is put into order.
            keyed.select_nth_unstable_by(limit, |a, b| a.0.cmp(&b.0));
            keyed.truncate(limit);
        }
        keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let last = keyed.last().filter(|_| more).map(|(key, _)| key);
        let next_cursor = last.map(|key| write_cursor(query.sort, key)).transpose()?;
        let items = keyed.iter().map(|(_, clip)| ClipDto::new(clip)).collect();
        Ok(Json(ClipPage { items, next_cursor, total }))
    };
    app.inner.searches.run(work).await
}

fn write_cursor(sort: SortDto, key: &(String, u64)) -> ApiResult<String> {
    let json = serde_json::to_vec(&(format!("{sort:?}"), key)).map_err(ApiError::internal)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(json))
}

fn read_cursor(sort: SortDto, cursor: &str) -> ApiResult<(String, u64)> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let read = bytes.and_then(|bytes| serde_json::from_slice::<(String, (String, u64))>(&bytes).ok());
    match read {
        Some((of, key)) if of == format!("{sort:?}") => Ok(key),
        _ => Err(ApiError::field("cursor", "not a cursor of this list")),
    }
}

/// A clip by its id, or 404.
pub(crate) fn find(index: &dyn IndexReader, id: u64) -> ApiResult<Clip> {
    index.clip(id)?.ok_or_else(|| ApiError::not_found("clip", id))
}

/// A clip
#[utoipa::path(get, path = "/v1/clips/{id}", operation_id = "getClip", tag = "clips", params(("id" = String, Path,)),
    responses((status = 200, body = ClipDto), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(State(app): State<App>, ApiId(id): ApiId) -> ApiResult<Json<ClipDto>> {
    let open = app.library()?;
    app.inner.searches.run(move || Ok(Json(ClipDto::new(&find(&*open.index(), id)?)))).await
}

/// What to change of a clip.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClipChange {
    /// All tags that it is to have.
    #[schema(max_items = 100)]
    tags: Vec<String>,
}

/// Replace a clip's tags
#[utoipa::path(patch, path = "/v1/clips/{id}", operation_id = "updateClip", tag = "clips", params(("id" = String, Path,)), request_body = ClipChange,
    responses((status = 200, body = ClipDto), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn patch(
    State(app): State<App>,
    ApiId(id): ApiId,
    ApiJson(change): ApiJson<ClipChange>,
) -> ApiResult<Json<ClipDto>> {
    let open = app.library()?;
    let tags = check_tags(&change.tags)?;
    let work = move || {
        open.live.write()?.apply(vec![Change::SetTags { id, tags }])?;
        Ok(Json(ClipDto::new(&find(&*open.index(), id)?)))
    };
    app.inner.searches.run(work).await
}

/// Take a clip out of the index; the file stays
#[utoipa::path(delete, path = "/v1/clips/{id}", operation_id = "deleteClip", tag = "clips", params(("id" = String, Path,)),
    responses((status = 204, description = "It is out"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn delete(State(app): State<App>, ApiId(id): ApiId) -> ApiResult<StatusCode> {
    let open = app.library()?;
    let work = move || {
        open.live.write()?.apply(vec![Change::Remove(id)])?;
        Ok(StatusCode::NO_CONTENT)
    };
    app.inner.searches.run(work).await
}

/// Multipart form: a sound file, and how to keep it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
#[schema(as = UploadForm)]
pub(crate) struct UploadForm {
    request: Option<UploadBody>,
    #[schema(format = Binary, value_type = String)]
    file: Vec<u8>,
}

/// How to keep an uploaded sound.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = UploadRequest)]
pub(crate) struct UploadBody {
    #[schema(max_items = 100)]
    tags: Vec<String>,
}

/// Keep a sound in the folder for uploads, and index it
#[utoipa::path(post, path = "/v1/clips", operation_id = "uploadClips", tag = "clips",
    request_body(content((UploadForm = "multipart/form-data"))),
    responses((status = 201, body = ClipDto), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn upload(
    State(app): State<App>,
    WithFiles { request, mut files }: WithFiles<UploadBody>,
) -> ApiResult<(StatusCode, Json<ClipDto>)> {
    let open = app.library()?;
    let Some(root) = app.inner.roots.uploads() else {
        let detail = "this server takes no uploads into its index; `upload_root` in its configuration names a folder for them";
        return Err(ApiError::new(Kind::Conflict, detail));
    };
    let tags = check_tags(&request.tags)?;
    let (Some(file), true) = (files.pop(), files.is_empty()) else {
        return Err(ApiError::field("file", "expected exactly one file in a multipart request"));
    };
    let folder = root.path.clone();
    let work = move || {
        let path = store(&folder, &file.name, file.bytes())?;
        let clip = index_one(&open, &path, tags);
        if clip.is_err() {
            // What cannot be indexed is not kept.
            let _ = std::fs::remove_file(&path);
        }
        let clip = clip?;
        Ok((StatusCode::CREATED, Json(ClipDto::new(&clip))))
    };
    app.inner.encodes.run(work).await
}

/// Numbers that are tried one after the other.
const TRIED: usize = 50;

/// Writes a file under a name that is free, whole or not at all.
fn store(folder: &Path, name: &str, bytes: &[u8]) -> ApiResult<std::path::PathBuf> {
    let io = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            ApiError::unavailable("the disk is full")
        }
        _ => ApiError::internal(e),
    };
    let mut file = tempfile::Builder::new().prefix(".upload-").tempfile_in(folder).map_err(io)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(io)?;
    let (stem, extension) =
        name.rsplit_once('.').map_or((name, String::new()), |(s, e)| (s, format!(".{e}")));
    for n in 1.. {
        let name = match n {
            1 => name.to_owned(),
            2..TRIED => format!("{stem}-{n}{extension}"),
            // Where so many have the name, a number that nobody has is quicker than the next.
            _ => format!("{stem}-{:016x}{extension}", getrandom::u64().map_err(ApiError::internal)?),
        };
        let path = folder.join(name);
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists && n < 2 * TRIED => file = e.file,
            Err(e) => return Err(io(e.error)),
        }
    }
    Err(ApiError::internal("no name was free"))
}

/// Indexes one file; its failure is the request's.
fn index_one(open: &Arc<Open>, path: &Path, tags: Vec<String>) -> ApiResult<Clip> {
    // First, so that a bad file is not remembered as one of the library's.
    open.engine.embed_file(path, None).map_err(|e| hide_folder(e.into(), path))?;
    let walked = walk(&[path.to_path_buf()], &WalkOptions { any_extension: true, ..WalkOptions::default() })?;
    let options = IngestOptions { tags, ..IngestOptions::default() };
    let writer = open.live.write()?;
    let report = ingest(&open.engine, &*writer, walked, &options, &AtomicBool::new(false), |_| {})?;
    if let Some(failed) = report.failed.first() {
        return Err(hide_folder(ApiError::new(Kind::Undecodable, failed.reason.clone()), path));
    }
    let clip = writer.snapshot()?.clip_by_path(&stored_path(path))?;
    clip.ok_or_else(|| ApiError::internal("the clip is not in the index"))
}

/// Calls the file what the client calls it.
fn hide_folder(e: ApiError, path: &Path) -> ApiError {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    e.replacing(&path.display().to_string(), &name).replacing(&stored_path(path), &name)
}
