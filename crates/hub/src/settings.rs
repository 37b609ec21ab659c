//! Where the hub is and how to reach it, by the environment variables of the hub's own tools.
//!
//! Names, defaults and precedence are those of `huggingface_hub` 2.4 (its `constants.py` and `utils/_auth.py`) and, for
//! proxies, of curl.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::HubError;

/// The public hub.
const ENDPOINT: &str = "https://huggingface.co";

/// An access token. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token, or none where `text` is blank.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Proxies by the scheme of what is asked for: `http://`, `https://`, `socks4://`, `socks5://` URLs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `https` addresses.
    pub https: Option<String>,
    /// For `http` addresses.
    pub http: Option<String>,
    /// Hosts to reach directly: `host`, `.domain`, `*.domain` or `*`.
    pub exceptions: Vec<String>,
}

/// Where the hub is and how to reach it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The hub, without a slash at the end.
    pub endpoint: String,
    /// Sent to the endpoint, and to nobody else.
    pub token: Option<Token>,
    /// The cache folder, shared with the hub's own tools.
    pub cache: PathBuf,
    /// Use the cache alone.
    pub offline: bool,
    /// Keep files in the cache's snapshots themselves instead of links to its blobs.
    pub no_symlinks: bool,
    /// Proxies.
    pub proxies: Proxies,
    /// How long to wait for a connection, and for the answer to a question about a file.
    pub connect_timeout: Duration,
    /// How long to wait for more bytes.
    pub stall_timeout: Duration,
    /// Tries in a row that may fail without progress before giving up; at least one.
    pub attempts: u32,
    /// Wait after the first failure; doubled after each.
    pub retry_wait: Duration,
}

impl Settings {
    /// Those of this process's environment.
    ///
    /// # Errors
    /// [`HubError::Setting`] for a value that makes no sense.
    pub fn from_env() -> Result<Self, HubError> {
        Self::from_vars(&|name| std::env::var(name).ok())
    }

    /// Those of an environment: `var` gives a variable's value.
    ///
    /// # Errors
    /// [`HubError::Setting`] for a value that makes no sense.
    pub fn from_vars(var: &dyn Fn(&str) -> Option<String>) -> Result<Self, HubError> {
        let var = |name: &str| var(name).filter(|value| !value.trim().is_empty());
        let home = var("HOME").or_else(|| var("USERPROFILE")).map(PathBuf::from).or_else(std::env::home_dir);
        let path = |name: &str| var(name).map(|text| expand(&text, home.as_deref()));
        let user_cache =
            path("XDG_CACHE_HOME").unwrap_or_else(|| home.clone().unwrap_or_default().join(".cache"));
        let hub_home = path("HF_HOME").unwrap_or_else(|| user_cache.join("huggingface"));
        let cache = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .unwrap_or_else(|| hub_home.join("hub"));

        let endpoint = var("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
        let endpoint = endpoint.trim().trim_end_matches('/').to_owned();
        if !endpoint.parse().is_ok_and(|url| crate::url::origin(&url).is_some()) {
            return Err(HubError::Setting {
                variable: "HF_ENDPOINT",
                expected: "an http or https URL",
                received: endpoint,
            });
        }

        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| hub_home.join("token"));
        let token = if is_true(var("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
            None
        } else {
            var("HF_TOKEN")
                .or_else(|| var("HUGGING_FACE_HUB_TOKEN"))
                .or_else(|| std::fs::read_to_string(token_file).ok())
                .and_then(|text| Token::new(&text))
        };

        let either = |lower: &str, upper: &str| var(lower).or_else(|| var(upper));
        let all = either("all_proxy", "ALL_PROXY");
        let exceptions = either("no_proxy", "NO_PROXY").unwrap_or_default();
        Ok(Self {
            endpoint,
            token,
            cache,
            offline: is_true(var("HF_HUB_OFFLINE").or_else(|| var("TRANSFORMERS_OFFLINE"))),
            no_symlinks: is_true(var("HF_HUB_DISABLE_SYMLINKS")),
            proxies: Proxies {
                https: either("https_proxy", "HTTPS_PROXY").or_else(|| all.clone()),
                http: either("http_proxy", "HTTP_PROXY").or(all),
                exceptions: exceptions
                    .split([',', ' '])
                    .filter(|e| !e.is_empty())
                    .map(str::to_owned)
                    .collect(),
            },
            connect_timeout: seconds("HF_HUB_ETAG_TIMEOUT", var("HF_HUB_ETAG_TIMEOUT"))?,
            stall_timeout: seconds("HF_HUB_DOWNLOAD_TIMEOUT", var("HF_HUB_DOWNLOAD_TIMEOUT"))?,
            attempts: 5,
            retry_wait: Duration::from_secs(1),
        })
    }
}

/// `~` at the start stands for the home folder.
fn expand(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ if text == "~" => home.unwrap_or(Path::new(text)).to_path_buf(),
        _ => PathBuf::from(text),
    }
}

fn is_true(value: Option<String>) -> bool {
    value.is_some_and(|v| ["1", "ON", "YES", "TRUE"].contains(&v.to_ascii_uppercase().as_str()))
}

/// A positive number of seconds; 10 where nothing is said.
fn seconds(variable: &'static str, value: Option<String>) -> Result<Duration, HubError> {
    let Some(text) = value else { return Ok(Duration::from_secs(10)) };
    let seconds = text.trim().parse().ok().filter(|s: &f64| *s > 0.0);
    seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()).ok_or(HubError::Setting {
        variable,
        expected: "seconds, more than 0",
        received: text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(vars: &[(&str, &str)]) -> Result<Settings, HubError> {
        Settings::from_vars(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn without_variables_it_is_the_public_hub_and_the_users_cache() {
        let s = settings(&[("HOME", "/home/me")]).unwrap();
        assert_eq!(s.endpoint, ENDPOINT);
        assert_eq!(s.cache, Path::new("/home/me/.cache/huggingface/hub"));
        assert_eq!((s.token, s.offline, s.proxies), (None, false, Proxies::default()));
    }

    #[test]
    fn the_cache_follows_the_most_specific_variable() {
        let vars =
            [("HOME", "/h"), ("XDG_CACHE_HOME", "/x"), ("HF_HOME", "~/hf"), ("HF_HUB_CACHE", "/cache")];
        for (n, expected) in [(2, "/x/huggingface/hub"), (3, "/h/hf/hub"), (4, "/cache")] {
            assert_eq!(settings(&vars[..n]).unwrap().cache, Path::new(expected));
        }
    }

    #[test]
    fn the_token_comes_from_the_variable_or_the_file_and_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap();
        std::fs::write(dir.path().join("token"), "hf_file\n").unwrap();
        let s = settings(&[("HF_HOME", home)]).unwrap();
        assert_eq!(s.token, Token::new("hf_file"));
        assert!(!format!("{s:?}").contains("hf_file"));
        let s = settings(&[("HF_HOME", home), ("HF_TOKEN", " hf_var ")]).unwrap();
        assert_eq!(s.token, Token::new("hf_var"));
        let s = settings(&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).unwrap();
        assert_eq!(s.token, None);
    }

    #[test]
    fn a_proxy_is_chosen_by_scheme() {
        let s = settings(&[
            ("HTTPS_PROXY", "http://a:1"),
            ("ALL_PROXY", "socks5://b:2"),
            ("NO_PROXY", "localhost, .lan"),
        ]);
        let p = s.unwrap().proxies;
        assert_eq!((p.https.as_deref(), p.http.as_deref()), (Some("http://a:1"), Some("socks5://b:2")));
        assert_eq!(p.exceptions, ["localhost", ".lan"]);
    }

    #[test]
    fn nonsense_is_refused_with_the_variable_that_has_it() {
        for (name, value) in [
            ("HF_ENDPOINT", "hub.test"),
            ("HF_ENDPOINT", "ftp://hub.test"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "soon"),
            ("HF_HUB_ETAG_TIMEOUT", "-1"),
        ] {
            let e = settings(&[(name, value)]).unwrap_err().to_string();
            assert!(e.contains(name) && e.contains(value), "{e}");
        }
    }
}
