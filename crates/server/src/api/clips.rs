//! `/v1/clips`: list, get, tags, delete, upload.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use earmark_engine::ingest::{IngestOptions, ingest};
use earmark_engine::{WalkOptions, walk};
use earmark_index::stored_path;
use earmark_library::{Clip, ClipPage, Filter, ListRequest, Sort, check_tags};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, ApiResult, Kind};
use crate::extract::{ApiId, ApiJson, ApiQuery, FilterQuery};
use crate::paging::PageQuery;
use crate::state::{App, Open};
use crate::uploads::WithFiles;

/// In which order, and which.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Part of the path, upper and lower case alike.
    q: Option<String>,
    /// The order.
    #[param(inline)]
    sort: Sort,
}

/// Clips of the index
///
/// A page of those that the filter lets through.
#[utoipa::path(get, path = "/v1/clips", operation_id = "listClips", tag = "clips",
    params(ListQuery, Filter, PageQuery),
    responses((status = 200, body = ClipPage, description = "A page of clips")))]
pub(crate) async fn list(
    State(app): State<App>,
    ApiQuery(ListQuery { q, sort }): ApiQuery<ListQuery>,
    FilterQuery(filter): FilterQuery,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> ApiResult<Json<ClipPage>> {
    let open = app.library()?;
    let limit = Some(page.limit(app.inner.config.limits.results)?);
    let request = ListRequest { q, sort, limit, cursor: page.cursor, filter };
    app.inner.searches.run(move || Ok(Json(open.library.list(&request)?))).await
}

/// A clip
///
/// With what is known of its file.
#[utoipa::path(get, path = "/v1/clips/{id}", operation_id = "getClip", tag = "clips",
    params(("id" = String, Path, description = "A clip's id")),
    responses((status = 200, body = Clip, description = "The clip")))]
pub(crate) async fn get(State(app): State<App>, ApiId(id): ApiId) -> ApiResult<Json<Clip>> {
    let open = app.library()?;
    app.inner.searches.run(move || Ok(Json(open.library.clip(id)?))).await
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
///
/// All of them: tags that are not given are gone then.
#[utoipa::path(patch, path = "/v1/clips/{id}", operation_id = "updateClip", tag = "clips",
    params(("id" = String, Path, description = "A clip's id")), request_body = ClipChange,
    responses((status = 200, body = Clip, description = "The clip as it is now")))]
pub(crate) async fn patch(
    State(app): State<App>,
    ApiId(id): ApiId,
    ApiJson(change): ApiJson<ClipChange>,
) -> ApiResult<Json<Clip>> {
    let open = app.library()?;
    app.inner.searches.run(move || Ok(Json(open.library.set_tags(id, &change.tags)?))).await
}

/// Take a clip out of the index
///
/// The file stays.
#[utoipa::path(delete, path = "/v1/clips/{id}", operation_id = "deleteClip", tag = "clips",
    params(("id" = String, Path, description = "A clip's id")),
    responses((status = 204, description = "It is out")))]
pub(crate) async fn delete(State(app): State<App>, ApiId(id): ApiId) -> ApiResult<StatusCode> {
    let open = app.library()?;
    app.inner.searches.run(move || Ok(open.library.remove_clip(id).map(|()| StatusCode::NO_CONTENT)?)).await
}

/// A sound file, and how to keep it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read as a stream")]
pub(crate) struct UploadForm {
    #[schema(required = false)]
    request: UploadRequest,
    /// The sound file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// How to keep an uploaded sound.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct UploadRequest {
    /// Tags for the clip.
    #[schema(max_items = 100)]
    tags: Vec<String>,
}

/// Upload a sound into the library
///
/// It is kept in the folder for uploads and indexed. A file that cannot be indexed is not kept.
#[utoipa::path(post, path = "/v1/clips", operation_id = "uploadClip", tag = "clips",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, body = Clip, description = "The new clip")))]
pub(crate) async fn upload(
    State(app): State<App>,
    WithFiles { request, files }: WithFiles<UploadRequest>,
) -> ApiResult<(StatusCode, Json<Clip>)> {
    let open = app.library()?;
    let Some(root) = app.inner.roots.uploads() else {
        let detail = "this server takes no uploads into its index; `upload_root` in its configuration names a folder for them";
        return Err(ApiError::new(Kind::Conflict, detail));
    };
    let tags = check_tags(&request.tags)?;
    let one = || ApiError::field("file", "expected exactly one file in a multipart request");
    let file = files.into_only().ok_or_else(one)?;
    let folder = root.path.clone();
    let work = move || {
        let path = store(&folder, &file.name, &file.bytes)?;
        let clip = index_one(&open, &path, tags);
        if clip.is_err() {
            // What cannot be indexed is not kept.
            let _ = std::fs::remove_file(&path);
        }
        Ok((StatusCode::CREATED, Json(clip?)))
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
fn index_one(open: &Open, path: &Path, tags: Vec<String>) -> ApiResult<Clip> {
    let engine = open.library.engine()?;
    // First, so that a bad file is not remembered as one of the library's.
    engine.embed_file(path, None).map_err(|e| hide_folder(e.into(), path))?;
    let walked = walk(&[path.to_path_buf()], &WalkOptions { any_extension: true, ..WalkOptions::default() })?;
    let options = IngestOptions { tags, ..IngestOptions::default() };
    let writer = open.library.live()?.write()?;
    let report = ingest(&engine, &*writer, walked, &options, &AtomicBool::new(false), |_| {})?;
    if let Some(failed) = report.failed.first() {
        return Err(hide_folder(ApiError::new(Kind::Undecodable, failed.reason.clone()), path));
    }
    let clip = writer.reader()?.clip_by_path(&stored_path(path))?;
    let clip = clip.ok_or_else(|| ApiError::internal("the clip is not in the index"))?;
    Ok((&clip).into())
}

/// Calls the file what the client calls it.
fn hide_folder(e: ApiError, path: &Path) -> ApiError {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    e.replacing(&path.display().to_string(), &name).replacing(&stored_path(path), &name)
}
