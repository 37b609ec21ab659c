//! One question to the hub: the request, its redirects, and what a refusal means.

use std::sync::Arc;
use std::time::Duration;

use ureq::http::{HeaderMap, Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

use crate::types::RemoteFile;
use crate::{HubError, Missing, Settings, url};

/// Redirects followed in a row; ureq by itself allows as many.
const MAX_REDIRECTS: usize = 10;

/// Where a proxy's address comes from.
const PROXY_VARIABLES: &str = "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY";

/// Speaks to the hub and to the hosts it redirects to.
#[derive(Debug)]
pub(crate) struct Client {
    https: Agent,
    http: Agent,
    settings: Arc<Settings>,
}

/// What the hub says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// The name of the content, where it gives one.
    pub(crate) etag: Option<String>,
    /// The commit that the revision is.
    pub(crate) commit: Option<String>,
    /// Bytes.
    pub(crate) size: Option<u64>,
}

impl Client {
    pub(crate) fn new(settings: Arc<Settings>) -> Result<Self, HubError> {
        // Fails when there is one already, which is then as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let agent = |proxy: &Option<String>| -> Result<Agent, HubError> {
            let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .tls_config(tls)
                .proxy(proxy.as_deref().map(|p| self::proxy(p, &settings.proxies.exceptions)).transpose()?)
                .user_agent(concat!("earmark/", env!("CARGO_PKG_VERSION")))
                // Compressed bytes have other lengths, and cannot be resumed.
                .accept_encoding("identity")
                .timeout_resolve(Some(settings.connect_timeout))
                .timeout_connect(Some(settings.connect_timeout))
                .timeout_recv_response(Some(settings.connect_timeout.max(settings.stall_timeout)))
                .timeout_per_read(Some(settings.stall_timeout))
                .timeout_per_write(Some(settings.stall_timeout));
            Ok(config.build().new_agent())
        };
        let (https, http) = (agent(&settings.proxies.https)?, agent(&settings.proxies.http)?);
        Ok(Self { https, http, settings })
    }

    /// Asks what a file is. Redirects are followed only within the hub: it answers this itself, and what it redirects to
    /// knows other entity tags.
    pub(crate) fn metadata(&self, file: &RemoteFile) -> Result<Metadata, HubError> {
        let mut url = self.url_of(file)?;
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send(&url, true, 0)?;
            let status = answer.status().as_u16();
            let moved = redirect(&url, &answer)?.filter(|to| url::origin(to) == url::origin(&url));
            let linked = answer.headers().contains_key("x-linked-etag");
            match moved {
                Some(to) if !linked => url = to,
                _ if status < 400 => return Ok(read_metadata(answer.headers(), status)),
                _ => return Err(self.refusal(file, &url, &answer)),
            }
        }
        Err(too_many(&url))
    }

    /// Asks for a file's bytes from `from` on, wherever the hub keeps them. Status 200, 206 or 416.
    pub(crate) fn bytes(&self, file: &RemoteFile, from: u64) -> Result<(String, Response<Body>), HubError> {
        let mut url = self.url_of(file)?;
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send(&url, false, from)?;
            if let Some(to) = redirect(&url, &answer)? {
                url = to;
                continue;
            }
            return match answer.status().as_u16() {
                200 | 206 | 416 => Ok((host(&url), answer)),
                _ => Err(self.refusal(file, &url, &answer)),
            };
        }
        Err(too_many(&url))
    }

    fn url_of(&self, file: &RemoteFile) -> Result<Uri, HubError> {
        let (repo, path) = (url::encode(&file.repo, "/"), url::encode(&file.path, "/"));
        let text =
            format!("{}/{repo}/resolve/{}/{path}", self.settings.endpoint, url::encode(&file.revision, ""));
        text.parse().map_err(|_| HubError::Name { what: "path", value: text, expected: "a URL" })
    }

    fn at_endpoint(&self, url: &Uri) -> bool {
        let endpoint = self.settings.endpoint.parse().ok().and_then(|e| url::origin(&e));
        endpoint.is_some() && endpoint == url::origin(url)
    }

    fn send(&self, url: &Uri, head: bool, from: u64) -> Result<Response<Body>, HubError> {
        let secure = url.scheme_str() == Some("https");
        let (agent, proxy) = match secure {
            true => (&self.https, &self.settings.proxies.https),
            false => (&self.http, &self.settings.proxies.http),
        };
        let mut request = if head { agent.head(url.clone()) } else { agent.get(url.clone()) };
        if let Some(token) = self.settings.token.as_ref().filter(|_| self.at_endpoint(url)) {
            request = request.header("authorization", token.header());
        }
        // Without If-Range: the hub redirects to stores whose entity tags are not the hub's, and they would start over
        // each time. Lengths are checked, and the whole file's checksum.
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        request.call().map_err(|e| translate(e, &host(url), proxy.is_some(), &self.settings))
    }

    fn refusal(&self, file: &RemoteFile, url: &Uri, answer: &Response<Body>) -> HubError {
        let status = answer.status().as_u16();
        let code = header(answer.headers(), "x-error-code").unwrap_or_default();
        let at_endpoint = self.at_endpoint(url);
        let missing = match code {
            "RepoNotFound" => Some(Missing::Repo),
            "RevisionNotFound" => Some(Missing::Revision),
            "EntryNotFound" => Some(Missing::File),
            _ if status == 404 => Some(Missing::File),
            _ => None,
        };
        let endpoint = self.settings.endpoint.clone();
        match (status, missing) {
            (_, Some(missing)) if at_endpoint => HubError::NotFound {
                missing,
                endpoint,
                repo: file.repo.clone(),
                revision: file.revision.clone(),
                path: file.path.clone(),
            },
            (401 | 403, _) if at_endpoint => HubError::Denied {
                endpoint,
                repo: file.repo.clone(),
                status,
                had_token: self.settings.token.is_some(),
            },
            // Elsewhere 403 means that a signed address has expired; the hub signs another.
            (403 | 408 | 429 | 500..=599, _) => {
                let seconds = header(answer.headers(), "retry-after").and_then(|v| v.trim().parse().ok());
                HubError::Busy { host: host(url), status, retry_after: seconds.map(Duration::from_secs) }
            }
            _ => HubError::Status { url: shown(url), status },
        }
    }
}

fn proxy(text: &str, exceptions: &[String]) -> Result<Proxy, HubError> {
    let bad = |_| HubError::Setting {
        variable: PROXY_VARIABLES,
        expected: "a proxy's URL",
        received: hide_user(text),
    };
    let parsed = Proxy::new(text).map_err(bad)?;
    let mut builder = Proxy::builder(parsed.protocol()).host(parsed.host()).port(parsed.port());
    if let Some(name) = parsed.username() {
        builder = builder.username(name);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    exceptions.iter().fold(builder, |b, exception| b.no_proxy(exception)).build().map_err(bad)
}

/// A proxy's URL without the user and password in it.
fn hide_user(text: &str) -> String {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest).to_owned()
}

/// Where an answer redirects to, if it does.
fn redirect(url: &Uri, answer: &Response<Body>) -> Result<Option<Uri>, HubError> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let bad = |reason: String| HubError::Redirect { url: shown(url), reason };
    let location = header(answer.headers(), "location").unwrap_or_default();
    let to =
        url::join(url, location).ok_or_else(|| bad("a redirect that leads to no HTTP address".into()))?;
    if url.scheme_str() == Some("https") && to.scheme_str() != Some("https") {
        return Err(bad(format!("redirected to {}, which is not secure", host(&to))));
    }
    Ok(Some(to))
}

fn too_many(url: &Uri) -> HubError {
    HubError::Redirect { url: shown(url), reason: format!("more than {MAX_REDIRECTS} redirects in a row") }
}

/// As `huggingface_hub` reads them: the linked file's where there is one, for the pointer to it has its own.
fn read_metadata(headers: &HeaderMap, status: u16) -> Metadata {
    let tag = header(headers, "x-linked-etag").or_else(|| header(headers, "etag"));
    let length = header(headers, "content-length").filter(|_| status < 300);
    Metadata {
        etag: tag.map(|t| t.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase()),
        commit: header(headers, "x-repo-commit").map(str::to_owned),
        size: header(headers, "x-linked-size").or(length).and_then(|s| s.parse().ok()),
    }
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn host(url: &Uri) -> String {
    url.authority().map_or("", |a| a.as_str()).to_owned()
}

/// A URL without its query, which may be a signature that opens the file for anyone.
fn shown(url: &Uri) -> String {
    url.to_string().split('?').next().unwrap_or_default().to_owned()
}

/// What an error of ureq means here.
pub(crate) fn translate(error: ureq::Error, host: &str, proxied: bool, settings: &Settings) -> HubError {
    use ureq::{Error, Timeout};
    let host = host.to_owned();
    match error {
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            let reason = format!("no answer in {:.0} s", settings.connect_timeout.as_secs_f64());
            HubError::Unreachable { host, reason }
        }
        Error::Timeout(_) => HubError::Stalled { host, seconds: settings.stall_timeout.as_secs_f64() },
        Error::HostNotFound => HubError::Unreachable { host, reason: "no such host".to_owned() },
        Error::ConnectProxyFailed(reason) => HubError::Proxy { host, reason },
        Error::InvalidProxyUrl => HubError::Proxy { host, reason: "its address makes no sense".to_owned() },
        Error::Tls(reason) => HubError::Tls { host, reason: reason.to_owned() },
        Error::Rustls(e) => HubError::Tls { host, reason: e.to_string() },
        Error::Io(e) if is_tls(&e) => HubError::Tls { host, reason: e.to_string() },
        Error::Io(e) if proxied && e.kind() == std::io::ErrorKind::ConnectionRefused => {
            HubError::Proxy { host, reason: e.to_string() }
        }
        Error::Io(e) => HubError::Unreachable { host, reason: e.to_string() },
        Error::ConnectionFailed => HubError::Unreachable { host, reason: "connection failed".to_owned() },
        other => HubError::Protocol { host, reason: other.to_string() },
    }
}

/// Handshake failures come as I/O errors with rustls's own inside.
fn is_tls(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}
