//! Who answers a command's request: the library on this machine, or a server that has one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use earmark_engine::{Source, WalkOptions, typed_path, walk};
use earmark_index::{Change, file_path, stored_path};
use earmark_library::{
    Access, Classified, ClassifyAnswer, ClassifyRequest, Clip, ClipPage, DuplicatesAnswer, DuplicatesRequest,
    EventsAnswer, EventsRequest, FailurePage, Files, Filter, Info, Library, ListRequest, Place, SearchAnswer,
    SearchRequest,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempPath;
use ureq::unversioned::multipart::{Form, Part};
use ureq::{Agent, RequestBuilder};

use crate::args::{Global, WaitArgs};
use crate::context;
use crate::progress::{Stages, stop_on_ctrl_c};

/// Files sent to a server in one request.
const FILES_AT_ONCE: usize = 8;

/// Items of one page that a server is asked for.
const PAGE: usize = 500;

/// Another machine, or another process on this one, that answers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// Send the request to this `earmark serve`, and files with it
    #[arg(long, env = "EARMARK_SERVER", value_name = "URL")]
    server: Option<String>,
    /// The API key for that server
    #[arg(long, env = "EARMARK_SERVER_KEY", hide_env_values = true, value_name = "KEY")]
    server_key: Option<String>,
}

/// Who answers.
pub(crate) enum Answerer {
    /// The library on this machine.
    Here(Box<Library>),
    /// A server.
    There(Server),
}

impl Answerer {
    /// The server that is named, else the library of a place, opened for one request.
    pub(crate) fn new(global: &Global, args: &ServerArgs, place: Place) -> Result<Self> {
        Self::with_access(global, args, place, Access::Once)
    }

    /// As [`Self::new`]; `access` says how a library is opened.
    pub(crate) fn with_access(
        global: &Global,
        args: &ServerArgs,
        place: Place,
        access: Access,
    ) -> Result<Self> {
        match &args.server {
            Some(url) => Ok(Self::There(Server::new(url, args.server_key.clone())?)),
            None => Ok(Self::Here(Box::new(context::library(global, place, access)?))),
        }
    }

    /// What it is called, if it is a server.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Here(_) => None,
            Self::There(server) => Some(server.url.clone()),
        }
    }

    pub(crate) fn search(&self, request: &SearchRequest) -> Result<SearchAnswer> {
        match self {
            Self::Here(library) => Ok(library.search(request, Files::local())?),
            Self::There(server) => server.search(request),
        }
    }

    /// Classifies, and hands results to `each` in lots, as they come. The answer has them no more.
    pub(crate) fn classify(
        &self,
        request: &ClassifyRequest,
        stdin: Option<Source>,
        each: &mut dyn FnMut(Vec<Classified>) -> Result<()>,
    ) -> Result<ClassifyAnswer> {
        match self {
            Self::Here(library) => {
                let classifier = library.classifier(request)?;
                let mut failed = Ok(());
                library.classify_with(&classifier, request, with_stdin(stdin), &mut |classified| {
                    failed = each(vec![classified]);
                    failed.is_ok()
                })?;
                failed?;
                Ok(classifier.answer(Vec::new()))
            }
            Self::There(server) => server.classify(request, stdin, each),
        }
    }

    pub(crate) fn events(&self, request: &EventsRequest, stdin: Option<Source>) -> Result<EventsAnswer> {
        match self {
            Self::Here(library) => Ok(library.events(request, with_stdin(stdin))?),
            Self::There(server) => server.events(request, stdin),
        }
    }

    /// Finds duplicates. The library shows how far it is and stops at Ctrl-C. A server tells no progress, and
    /// Ctrl-C ends the program.
    pub(crate) fn duplicates(&self, request: &DuplicatesRequest, quiet: bool) -> Result<DuplicatesAnswer> {
        match self {
            Self::Here(library) => {
                let stop = stop_on_ctrl_c()?;
                let mut stages = Stages::new(quiet);
                let answer = library.duplicates_with(request, &stop, |progress| stages.tell(progress));
                stages.finish();
                Ok(answer?)
            }
            Self::There(server) => server.post("v1/duplicates", request, "files", Vec::new()),
        }
    }

    /// The file of a clip: on this machine where it lies, from a server as a copy that is removed when
    /// dropped.
    pub(crate) fn clip_file(&self, clip: &Clip) -> Result<ClipFile> {
        match self {
            Self::Here(library) => Ok(ClipFile::Here(library.clip_file(&clip.path)?)),
            Self::There(server) => Ok(ClipFile::Copy(server.clip_file(clip)?)),
        }
    }

    /// All clips that a request lists, on one page.
    pub(crate) fn list(&self, request: &ListRequest) -> Result<ClipPage> {
        match self {
            Self::Here(library) => Ok(library.list(request)?),
            Self::There(server) => server.list(request),
        }
    }

    /// Writes the tags of clips, in all spaces of the index.
    pub(crate) fn set_tags(&self, clips: &[Clip], global: &Global, wait: &WaitArgs) -> Result<()> {
        if clips.is_empty() {
            return Ok(());
        }
        match self {
            Self::Here(_) => {
                for index in context::open_all_to_change(global, wait)? {
                    let reader = index.snapshot()?;
                    let mut changes = Vec::new();
                    for clip in clips {
                        let id = reader.clip_by_path(&clip.path)?.map(|there| there.id);
                        changes.extend(id.map(|id| Change::SetTags { id, tags: clip.tags.clone() }));
                    }
                    index.apply(changes)?;
                }
                Ok(())
            }
            Self::There(server) => clips.iter().try_for_each(|clip| server.set_tags(clip)),
        }
    }

    pub(crate) fn failures(&self) -> Result<FailurePage> {
        match self {
            Self::Here(library) => Ok(library.failures(None, None)?),
            Self::There(server) => server.failures(),
        }
    }

    pub(crate) fn info(&self) -> Result<Info> {
        match self {
            Self::Here(library) => Ok(library.info()?),
            Self::There(server) => server.get("v1/info", &Value::Null),
        }
    }
}

/// The file of a clip.
pub(crate) enum ClipFile {
    /// Where it lies.
    Here(PathBuf),
    /// A copy of a server's file.
    Copy(TempPath),
}

impl ClipFile {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Here(path) => path,
            Self::Copy(path) => path,
        }
    }
}

/// Files on this machine, and standard input under the name `-`.
pub(crate) fn with_stdin(stdin: Option<Source>) -> Files {
    match stdin {
        Some(source) => Files::local().with("-", source),
        None => Files::local(),
    }
}

/// A server's API, as this program's own requests and answers.
pub(crate) struct Server {
    agent: Agent,
    url: String,
    key: Option<String>,
}

/// A file to send: its name there, and its bytes.
type Sent = (String, Vec<u8>);

impl Server {
    fn new(url: &str, key: Option<String>) -> Result<Self> {
        let url = url.trim_end_matches('/').to_owned();
        if !url.starts_with("http://") && !url.starts_with("https://") {
            bail!("--server: expected a URL such as http://127.0.0.1:7788, got `{url}`");
        }
        let config = Agent::config_builder().http_status_as_error(false);
        Ok(Self { agent: config.build().new_agent(), url, key })
    }

    fn search(&self, request: &SearchRequest) -> Result<SearchAnswer> {
        let mut request = request.clone();
        let mut files = Vec::new();
        for part in &mut request.query {
            if let Some(name) = &mut part.file {
                let (sent, bytes) = read(Source::Path(typed_path(Path::new(name))))?;
                // Two files may have one name; here each gets its own.
                *name = format!("{}-{sent}", files.len());
                files.push((name.clone(), bytes));
            }
        }
        self.post("v1/search", &request, "files", files)
    }

    fn classify(
        &self,
        request: &ClassifyRequest,
        stdin: Option<Source>,
        each: &mut dyn FnMut(Vec<Classified>) -> Result<()>,
    ) -> Result<ClassifyAnswer> {
        let names = request.files.iter().filter(|name| *name != "-");
        let walked: Vec<Source> = sounds(names)?;
        let sources: Vec<Source> = stdin.into_iter().chain(walked).collect();
        let request = ClassifyRequest { files: Vec::new(), ..request.clone() };
        if sources.is_empty() {
            let mut answer: ClassifyAnswer = self.post("v1/classify", &request, "files", Vec::new())?;
            each(std::mem::take(&mut answer.results))?;
            return Ok(answer);
        }
        let mut last = None;
        for some in sources.chunks(FILES_AT_ONCE) {
            let mut names = Vec::new();
            let mut files = Vec::new();
            for source in some {
                names.push(source.name());
                files.push(read(source.clone())?);
            }
            let mut answer: ClassifyAnswer = self.post("v1/classify", &request, "files", files)?;
            // The server knows only the files' last names.
            let results = std::mem::take(&mut answer.results).into_iter().zip(names);
            each(results.map(|(result, source)| Classified { source, ..result }).collect())?;
            last = Some(answer);
        }
        last.context("nothing to classify")
    }

    fn events(&self, request: &EventsRequest, stdin: Option<Source>) -> Result<EventsAnswer> {
        let mut request = request.clone();
        let named = request.file.take().map(|name| Source::Path(typed_path(Path::new(&name))));
        let Some(source) = stdin.or(named) else {
            return self.post("v1/events", &request, "file", Vec::new());
        };
        let name = source.name();
        let answer: EventsAnswer = self.post("v1/events", &request, "file", vec![read(source)?])?;
        Ok(EventsAnswer { source: name, ..answer })
    }

    fn list(&self, request: &ListRequest) -> Result<ClipPage> {
        let mut all: Option<ClipPage> = None;
        loop {
            let cursor = all.as_ref().and_then(|all| all.next_cursor.clone());
            let page = json!({ "q": request.q, "sort": request.sort, "limit": PAGE, "cursor": cursor });
            let page: ClipPage = self.get_filtered("v1/clips", page, &request.filter)?;
            let is_last = page.next_cursor.is_none();
            match &mut all {
                None => all = Some(page),
                Some(all) => {
                    all.items.extend(page.items);
                    all.next_cursor = page.next_cursor;
                }
            }
            if is_last && let Some(all) = all.take() {
                return Ok(all);
            }
        }
    }

    /// A request with the key, if the server asks for one.
    fn keyed<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    fn set_tags(&self, clip: &Clip) -> Result<()> {
        let patch = self.keyed(self.agent.patch(format!("{}/v1/clips/{}", self.url, clip.id)));
        self.answer::<Clip>(patch.send_json(json!({ "tags": clip.tags }))).map(drop)
    }

    fn failures(&self) -> Result<FailurePage> {
        let mut all: FailurePage = self.get("v1/failures", &json!({ "limit": PAGE }))?;
        while let Some(cursor) = all.next_cursor.take() {
            let page: FailurePage = self.get("v1/failures", &json!({ "limit": PAGE, "cursor": cursor }))?;
            all.items.extend(page.items);
            all.next_cursor = page.next_cursor;
        }
        Ok(all)
    }

    fn clip_file(&self, clip: &Clip) -> Result<TempPath> {
        let request = self.keyed(self.agent.get(format!("{}/v1/clips/{}/audio", self.url, clip.id)));
        let mut answer = request.call().with_context(|| format!("{} cannot be asked", self.url))?;
        if !answer.status().is_success() {
            let text = answer.body_mut().read_to_string().unwrap_or_default();
            return Err(self.refusal(answer.status().as_u16(), &text));
        }
        let mut file = tempfile::NamedTempFile::new().context("no temporary file can be made")?;
        std::io::copy(&mut answer.body_mut().as_reader(), &mut file).with_context(|| self.url.clone())?;
        Ok(file.into_temp_path())
    }

    fn get_filtered<T: DeserializeOwned>(&self, path: &str, query: Value, filter: &Filter) -> Result<T> {
        let (mut query, filter) = (query, serde_json::to_value(filter)?);
        if let (Value::Object(query), Value::Object(filter)) = (&mut query, filter) {
            query.extend(filter);
        }
        self.get(path, &query)
    }

    /// A page, with the fields of `query` as parameters.
    fn get<T: DeserializeOwned>(&self, path: &str, query: &Value) -> Result<T> {
        let mut request = self.keyed(self.agent.get(format!("{}/{path}", self.url)));
        for (name, value) in query.as_object().into_iter().flatten() {
            let values = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
            for value in values.iter().filter(|value| !value.is_null()) {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                request = request.query(name, text);
            }
        }
        self.answer(request.call())
    }

    /// A request as JSON, or with files as a form, whose operation is `path/part`.
    fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
        part: &str,
        files: Vec<Sent>,
    ) -> Result<T> {
        let path = if files.is_empty() { path.to_owned() } else { format!("{path}/{part}") };
        let post = self.keyed(self.agent.post(format!("{}/{path}", self.url)));
        if files.is_empty() {
            return self.answer(post.send_json(request));
        }
        let text = serde_json::to_string(request)?;
        let mut form = Form::new().text("request", &text);
        for (name, bytes) in &files {
            form = form.part(part, Part::bytes(bytes).file_name(name));
        }
        self.answer(post.send(form))
    }

    fn answer<T: DeserializeOwned>(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T> {
        let mut answer = answer.with_context(|| format!("{} cannot be asked", self.url))?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(u64::MAX).read_to_string();
        let text = text.with_context(|| self.url.clone())?;
        if status.is_success() {
            return serde_json::from_str(&text)
                .with_context(|| format!("{}: the answer is not that of this version of earmark", self.url));
        }
        Err(self.refusal(status.as_u16(), &text))
    }

    /// The error for an answer that is none.
    fn refusal(&self, status: u16, text: &str) -> anyhow::Error {
        let problem: Value = serde_json::from_str(text).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or("no reason was given").to_owned();
        let error = match problem["field"].as_str() {
            Some(field) => anyhow::Error::from(earmark_library::Error::field_is(field, detail)),
            None => anyhow!(detail),
        };
        error.context(format!("{} answers {status}", self.url))
    }
}

/// A file to send, under its last name.
fn read(source: Source) -> Result<Sent> {
    match source {
        Source::Bytes { name, bytes } => Ok((name, bytes)),
        Source::Path(path) => {
            let bytes = std::fs::read(&path).with_context(|| stored_path(&path))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok((name, bytes))
        }
    }
}

/// The sound files that names stand for, those of folders among them.
fn sounds<'a>(names: impl Iterator<Item = &'a String>) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for name in names {
        let walked = walk(&[file_path(name)], &WalkOptions::default())?;
        sources.extend(walked.files.into_iter().map(Source::Path));
    }
    Ok(sources)
}
