//! The tools, and how a call of one becomes a request to the library.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use earmark_audio::Format;
use earmark_library::{
    ClassifyAnswer, ClassifyRequest, Clip, ClipPage, DescribeAnswer, DescribeRequest, DuplicatesAnswer,
    DuplicatesRequest, Error, EventsAnswer, EventsRequest, Files, Info, Library, ListRequest, SearchAnswer,
    SearchRequest,
};
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation,
    InitializeResult, JsonObject, ListResourceTemplatesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource, ResourceContents,
    ResourceTemplate, ServerCapabilities, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::schema::schema_of;

/// Clips that `list_clips` lists if a request does not say.
const LISTED: usize = 20;

/// Hits, clips and results of one answer at most: models pay for every word.
const MOST: usize = 100;

/// Largest file that is handed over, bytes.
const AUDIO_BYTES: u64 = 16 << 20;

const INSTRUCTIONS: &str = "A library of sounds that can be searched by describing them. Texts are English \
    descriptions of sounds, such as `heavy rain on a tin roof`. Scores are cosines: 0.3 is a fair match, 0.6 a good \
    one. Clips are named by their ids; the sound itself is at earmark://clips/ID/audio.";

/// Gives the library, or why there is none yet.
pub type OpenLibrary = dyn Fn() -> Result<Arc<Library>, String> + Send + Sync;

/// The library as tools.
#[derive(Clone)]
pub struct Tools {
    library: Arc<OpenLibrary>,
    /// Whether requests may name files of this machine.
    has_files: bool,
    /// Requests that work at a time.
    working: Arc<Semaphore>,
}

impl Tools {
    /// Tools of a library. `has_files` says whether requests may name files of this machine: only for clients
    /// that are its user's own.
    pub fn new(library: Arc<OpenLibrary>, has_files: bool) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { library, has_files, working: Arc::new(Semaphore::new(cores)) }
    }

    /// Does blocking work on a thread of its own; only so many at a time.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Library, Files) -> Result<T, Error> + Send + 'static,
    ) -> Result<Result<T, Error>, ErrorData> {
        let internal = |e: String| ErrorData::internal_error(e, None);
        let library = (self.library)().map_err(internal)?;
        let permit = Arc::clone(&self.working).acquire_owned().await;
        let permit = permit.map_err(|e| internal(e.to_string()))?;
        let files = if self.has_files { Files::local() } else { Files::default() };
        let work = move || {
            let answer = work(&library, files);
            drop(permit);
            answer
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| internal(e.to_string()))
    }

    async fn call(&self, name: &str, arguments: JsonObject) -> Result<CallToolResult, ErrorData> {
        match name {
            "search_sounds" => {
                let request: SearchRequest = match read(arguments) {
                    Ok(request) => request,
                    Err(refused) => return Ok(refused),
                };
                let request = SearchRequest { k: request.k.min(MOST), ..request };
                let answer = self.run(move |library, files| library.search(&request, files)).await?;
                Ok(reply(answer, said_hits, |answer: &SearchAnswer| {
                    answer.hits.iter().map(|hit| &hit.clip).collect()
                }))
            }
            "classify_sound" => {
                let request: ClassifyRequest = match read(arguments) {
                    Ok(request) => request,
                    Err(refused) => return Ok(refused),
                };
                let answer = self.run(move |library, files| library.classify(&request, files)).await?;
                Ok(reply(answer, said_labels, |_| Vec::new()))
            }
            "find_events" => {
                let request: EventsRequest = match read(arguments) {
                    Ok(request) => request,
                    Err(refused) => return Ok(refused),
                };
                let answer = self.run(move |library, files| library.events(&request, files)).await?;
                Ok(reply(answer, said_events, |_| Vec::new()))
            }
            "describe_sound" => {
                let request: DescribeRequest = match read(arguments) {
                    Ok(request) => request,
                    Err(refused) => return Ok(refused),
                };
                let answer = self.run(move |library, files| library.describe(&request, files)).await?;
                Ok(reply(answer, said_descriptions, |_| Vec::new()))
            }
            "find_duplicates" => {
                let request: DuplicatesRequest = match read(arguments) {
                    Ok(request) => request,
                    Err(refused) => return Ok(refused),
                };
                let answer = self.run(move |library, _| library.duplicates(&request)).await?;
                Ok(reply(answer, said_duplicates, |_| Vec::new()))
            }
            "list_clips" => {
                let request: ListRequest = match read(arguments) {
                    Ok(request) => request,
                    Err(refused) => return Ok(refused),
                };
                let limit = Some(request.limit.unwrap_or(LISTED).min(MOST));
                let request = ListRequest { limit, ..request };
                let answer = self.run(move |library, _| library.list(&request)).await?;
                Ok(reply(answer, said_clips, |page: &ClipPage| page.items.iter().collect()))
            }
            "library_info" => {
                let answer = self.run(|library, _| library.info()).await?;
                Ok(reply(answer, said_info, |_| Vec::new()))
            }
            other => Err(ErrorData::invalid_params(format!("there is no tool `{other}`"), None)),
        }
    }
}

/// A request of the arguments, or an answer that says which of them is wrong.
fn read<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, CallToolResult> {
    serde_json::from_value(Value::Object(arguments))
        .map_err(|e| refusal(&Error::field_is("arguments", e.to_string())))
}

/// An error as an answer: the model that called can put it right.
fn refusal(e: &Error) -> CallToolResult {
    let mut result = CallToolResult::error(vec![ContentBlock::text(e.to_string())]);
    result.structured_content =
        Some(json!({ "kind": e.kind().name(), "field": e.field(), "detail": e.reason() }));
    result
}

/// An answer: in words, with links to the sounds, and whole.
fn reply<T: Serialize>(
    answer: Result<T, Error>,
    words: impl Fn(&T) -> String,
    clips: impl Fn(&T) -> Vec<&Clip>,
) -> CallToolResult {
    let answer = match answer {
        Ok(answer) => answer,
        Err(e) => return refusal(&e),
    };
    let mut content = vec![ContentBlock::text(words(&answer))];
    content.extend(clips(&answer).into_iter().map(|clip| ContentBlock::resource_link(link(clip))));
    let mut result = CallToolResult::success(content);
    // By way of text: `to_value` makes 0.10000000149011612 of a single-precision 0.1.
    result.structured_content =
        serde_json::to_string(&answer).ok().and_then(|text| serde_json::from_str(&text).ok());
    result
}

/// The sound of a clip as a resource.
fn link(clip: &Clip) -> Resource {
    let resource = Resource::new(format!("earmark://clips/{}/audio", clip.id), clip.name.clone());
    resource.with_mime_type(media_type(&clip.format)).with_size(clip.size)
}

fn media_type(format: &str) -> &'static str {
    Format::named(format).map_or("application/octet-stream", |format| format.media_type)
}

fn said_hits(answer: &SearchAnswer) -> String {
    if answer.hits.is_empty() {
        return format!(
            "Nothing matches among {} clips; {} score less than {:.2}.",
            answer.clips_admitted,
            answer.below_min_score,
            answer.min_score.unwrap_or(-1.0)
        );
    }
    let line = |hit: &earmark_library::Hit| {
        let reasons: Vec<String> = hit.reasons.iter().map(ToString::to_string).collect();
        let likely = match hit.probability {
            Some(p) => format!("{:.0} % likely, cosine {:.2}", 100.0 * p, hit.score),
            None => format!("cosine {:.2}", hit.score),
        };
        format!(
            "{} (clip {}), {:.1} to {:.1} s: {likely}; {}",
            hit.clip.name,
            hit.clip.id,
            hit.start_s,
            hit.end_s,
            reasons.join("; ")
        )
    };
    answer.hits.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn said_labels(answer: &ClassifyAnswer) -> String {
    let line = |result: &earmark_library::Classified| {
        let what = match &result.error {
            Some(error) => error.detail.clone(),
            None if result.accepted.is_empty() => "none of these".to_owned(),
            None => result.accepted.join(", "),
        };
        format!("{}: {what}", result.path.as_ref().unwrap_or(&result.source))
    };
    answer.results.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn said_events(answer: &EventsAnswer) -> String {
    if answer.events.is_empty() {
        return format!("Nothing heard in {:.1} s of sound.", answer.duration_s);
    }
    let line = |e: &earmark_library::Event| {
        format!("{:.2} to {:.2} s: {} ({:.2})", e.onset_s, e.offset_s, e.label, e.score)
    };
    answer.events.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn said_descriptions(answer: &DescribeAnswer) -> String {
    let line = |result: &earmark_library::Described| match &result.error {
        Some(error) => format!("{}: {}", result.source, error.detail),
        None => format!("{}: {}", result.path.as_ref().unwrap_or(&result.source), result.sentence),
    };
    answer.results.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn said_duplicates(answer: &DuplicatesAnswer) -> String {
    if answer.groups.is_empty() {
        return format!("No duplicates among {} clips.", answer.clips);
    }
    let clip = |clip: &Clip| format!("{} (clip {})", clip.name, clip.id);
    let line = |group: &earmark_library::DuplicateGroup| {
        let others: Vec<String> = group
            .clips
            .iter()
            .map(|other| {
                format!("{}, {}, likeness {:.2}", clip(&other.clip), other.relation.name(), other.likeness)
            })
            .collect();
        format!("{}: {}", clip(&group.keep), others.join("; "))
    };
    answer.groups.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn said_clips(page: &ClipPage) -> String {
    let line = |clip: &Clip| format!("{}  {} ({:.1} s)", clip.id, clip.path, clip.duration_s);
    let clips = page.items.iter().map(line).collect::<Vec<_>>().join("\n");
    format!("{} of {} clips\n{clips}", page.items.len(), page.total)
}

fn said_info(info: &Info) -> String {
    format!(
        "{} clips, {:.1} hours of sound, vectors of model {}",
        info.clips,
        info.duration_s / 3600.0,
        info.model
    )
}

/// All tools, with the schemas of their requests and answers.
fn tools() -> Vec<Tool> {
    let tool = |name: &'static str, title: &str, description: &'static str, input, output| {
        let mut annotations = ToolAnnotations::new();
        annotations.read_only_hint = Some(true);
        annotations.open_world_hint = Some(false);
        let tool: Tool = Tool::new(name, description, input);
        tool.with_title(title).with_raw_output_schema(output).with_annotations(annotations)
    };
    let nothing = Arc::new(JsonObject::from_iter([
        ("type".to_owned(), json!("object")),
        ("additionalProperties".to_owned(), json!(false)),
    ]));
    vec![
        tool(
            "search_sounds",
            "Search sounds",
            "Find sounds by describing them, by clips that they are like, or both. `query` is a list of parts, each with \
             a `text` or a `clip_id`, and a `weight`, negative to keep away from it.",
            schema_of::<SearchRequest>(),
            schema_of::<SearchAnswer>(),
        ),
        tool(
            "classify_sound",
            "Label sounds",
            "Label sounds with any words: which of `labels` fits each best, or none of them. Clips are named by \
             `clip_ids`.",
            schema_of::<ClassifyRequest>(),
            schema_of::<ClassifyAnswer>(),
        ),
        tool(
            "find_events",
            "Find when something is heard",
            "Find when each of `labels` is heard in one recording, named by `clip_id`. Times are seconds.",
            schema_of::<EventsRequest>(),
            schema_of::<EventsAnswer>(),
        ),
        tool(
            "describe_sound",
            "Describe recordings",
            "A short account of recordings: a sentence, length, level, silence, what is heard when, how much of it is \
             speech and music.",
            schema_of::<DescribeRequest>(),
            schema_of::<DescribeAnswer>(),
        ),
        tool(
            "find_duplicates",
            "Find duplicates",
            "Find clips that are the same sound, in groups: copies, other encodings, other gain, cut or padded. Each \
             group names the clip to keep. The files are compared, which takes a while; `filter` says which clips.",
            schema_of::<DuplicatesRequest>(),
            schema_of::<DuplicatesAnswer>(),
        ),
        tool(
            "list_clips",
            "List clips",
            "List the clips of the library, filtered by path, tags, format, length or age.",
            schema_of::<ListRequest>(),
            schema_of::<ClipPage>(),
        ),
        tool(
            "library_info",
            "The library in numbers",
            "How many clips and how much sound the library has, and which model listens.",
            nothing,
            schema_of::<Info>(),
        ),
    ]
}

impl ServerHandler for Tools {
    fn get_info(&self) -> InitializeResult {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        InitializeResult::new(capabilities)
            .with_server_info(Implementation::new("earmark", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        Ok(self.call(&request.name, request.arguments.unwrap_or_default()).await?.into())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let audio = ResourceTemplate::new("earmark://clips/{id}/audio", "audio")
            .with_title("The sound of a clip")
            .with_description("The clip's file as it is on disk, up to 16 MiB");
        Ok(ListResourceTemplatesResult::with_all_items(vec![audio]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri.clone();
        let unknown = || ErrorData::resource_not_found(format!("there is nothing at `{uri}`"), None);
        let id = uri.strip_prefix("earmark://clips/").and_then(|rest| rest.strip_suffix("/audio"));
        let id: u64 = id.and_then(|id| id.parse().ok()).ok_or_else(unknown)?;
        let read = self.run(move |library, _| audio(library, id)).await?;
        let (bytes, mime) = read.map_err(|e| ErrorData::resource_not_found(e.to_string(), None))?;
        let contents = ResourceContents::BlobResourceContents {
            uri: request.uri,
            mime_type: Some(mime.to_owned()),
            blob: BASE64_STANDARD.encode(bytes),
            meta: None,
        };
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}

/// The bytes of a clip's file, and their media type.
fn audio(library: &Library, id: u64) -> Result<(Vec<u8>, &'static str), Error> {
    let clip = library.find_clip(id)?;
    let path = library.clip_file(&clip.meta.path)?;
    let gone =
        |e: std::io::Error| Error::ClipFile { forbidden: false, reason: format!("the clip's file: {e}") };
    let size = std::fs::metadata(&path).map_err(gone)?.len();
    if size > AUDIO_BYTES {
        let reason =
            format!("the clip's file has {size} bytes, more than the {AUDIO_BYTES} that are handed over");
        return Err(Error::ClipFile { forbidden: true, reason });
    }
    Ok((std::fs::read(&path).map_err(gone)?, media_type(&clip.meta.format)))
}
