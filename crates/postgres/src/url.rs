//! [`DatabaseUrl`]: where a database is, and who asks.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::pass_file::PORT;

/// How long a server may take to answer a new connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be silent before it is asked whether it lives, and how long sent bytes may stay
/// unacknowledged before it counts as lost. Without it, a machine that
/// vanishes is waited for a quarter of an hour.
const SILENT_FOR: Duration = Duration::from_secs(30);

/// The address of a database: `postgres://USER@HOST/NAME`. It may hold a password, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    config: Box<Config>,
    /// Certificates to trust besides, or instead of, the system's.
    pub(crate) root_certificate: Option<PathBuf>,
}

/// Why a text is no address of a database. Does not repeat the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; expected postgres://USER@HOST:PORT/DATABASE?sslmode=require")]
pub struct BadUrl(String);

impl DatabaseUrl {
    /// Whether a text is meant as the address of a database.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Whether there is a password in it.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// How to connect, with `password` where the address has none.
    pub(crate) fn config(&self, password: Option<String>) -> Config {
        let mut config = (*self.config).clone();
        if let (None, Some(password)) = (config.get_password(), password) {
            config.password(password);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENT_FOR);
        }
        config.keepalives_idle(SILENT_FOR).keepalives_interval(SILENT_FOR / 3).keepalives_retries(3);
        if config.get_application_name().is_none() {
            config.application_name("earmark");
        }
        config
    }
}

impl FromStr for DatabaseUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let mut root_certificate = None;
        let mut kept = Vec::new();
        let mut is_verified = false;
        for setting in query.split('&').filter(|setting| !setting.is_empty()) {
            match setting.split_once('=') {
                Some(("sslrootcert", path)) => root_certificate = Some(PathBuf::from(path)),
                // The certificate and the host's name are always verified.
                Some(("sslmode", "verify-ca" | "verify-full")) => is_verified = true,
                _ => kept.push(setting),
            }
        }
        let rest = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
        let mut config: Config = format!("{address}{rest}").parse().map_err(|e: tokio_postgres::Error| {
            // The reason is behind the error, and names the setting, not its value.
            let reason = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
            BadUrl(format!("this is no address of a database ({reason})"))
        })?;
        if is_verified {
            config.ssl_mode(SslMode::Require);
        }
        if config.get_hosts().is_empty() {
            return Err(BadUrl("the address of the database names no host".to_owned()));
        }
        Ok(Self { config: Box::new(config), root_certificate })
    }
}

impl fmt::Display for DatabaseUrl {
    /// Host, port and database.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(PORT);
        let name = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        write!(f, "postgres://{host}:{port}/{name}")
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let url: DatabaseUrl =
            "postgres://ann:s3cret@db.example:5433/sounds?sslmode=require".parse().unwrap();
        assert!(url.has_password());
        assert_eq!(url.to_string(), "postgres://db.example:5433/sounds");
        assert!(!format!("{url:?} {url}").contains("s3cret"));
        for bad in [
            "postgres://ann:s3cret@db.example/sounds?sslmode=s3cret",
            "postgres://ann:s3cret@db.example:s3cret/sounds",
            "postgres://ann:s3cret@db.example/sounds?s3cret=s3cret&port=1",
        ] {
            let error = bad.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(!error.contains("=s3cret") && error.contains("postgres://USER@HOST"), "{error}");
        }
    }

    #[test]
    fn certificates_are_named_as_libpq_names_them() {
        let url: DatabaseUrl =
            "postgresql://db/sounds?sslmode=verify-full&sslrootcert=/etc/ca.pem&connect_timeout=3"
                .parse()
                .unwrap();
        assert_eq!(url.root_certificate, Some("/etc/ca.pem".into()));
        let config = url.config(Some("word".into()));
        assert_eq!(config.get_ssl_mode(), SslMode::Require);
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(config.get_password(), Some(&b"word"[..]));
        assert!("postgres:///sounds".parse::<DatabaseUrl>().is_err(), "no host");
    }
}
