//! API keys: hashed at rest, compared in constant time, each with scopes and a rate.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::error::{ApiError, ApiResult, Kind};

/// What a key may do; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scope {
    /// Search, listen, label.
    Read,
    /// Change tags and label sets, upload, delete.
    Write,
    /// Run jobs, see metrics.
    Admin,
}

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Whose it is; shown in logs.
    pub name: String,
    /// BLAKE3 of the key, in hexadecimal. Keys are 32 random bytes, so a slow hash would add nothing.
    pub hash: String,
    /// What it may do.
    pub scope: Scope,
}

impl Key {
    /// A new key: what to give to its owner, and what to keep.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate(name: &str, scope: Scope) -> Result<(String, Self), getrandom::Error> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes)?;
        let secret = format!("earmark_{}", blake3::Hash::from_bytes(bytes).to_hex());
        let hash = blake3::hash(secret.as_bytes()).to_hex().to_string();
        Ok((secret, Self { name: name.to_owned(), hash, scope }))
    }
}

/// Seconds of a key's rate that may be used at once.
const BURST_S: f64 = 2.0;

/// Who a request comes from.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) scope: Scope,
}

/// The keys, ready to be asked.
pub(crate) struct Keys {
    keys: Vec<(Key, blake3::Hash, Mutex<Bucket>)>,
    per_s: f64,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Keys {
    pub(crate) fn new(keys: &[Key], per_s: f64) -> Result<Self, ConfigError> {
        let ready = |key: &Key| {
            let hash = blake3::Hash::from_hex(&key.hash);
            let hash = hash.map_err(|_| ConfigError::Key { name: key.name.clone() })?;
            let bucket = Bucket { tokens: (per_s * BURST_S).max(1.0), at: Instant::now() };
            Ok((key.clone(), hash, Mutex::new(bucket)))
        };
        Ok(Self { keys: keys.iter().map(ready).collect::<Result<_, ConfigError>>()?, per_s })
    }

    /// Whether everybody may do everything.
    pub(crate) fn is_open(&self) -> bool {
        self.keys.is_empty()
    }

    /// Who sent a request with these headers, if that one may do what `needs` says.
    pub(crate) fn check(&self, headers: &HeaderMap, needs: Scope) -> ApiResult<Caller> {
        if self.is_open() {
            return Ok(Caller { name: "anyone".to_owned(), scope: Scope::Admin });
        }
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let secret = given.and_then(|value| {
            let (scheme, secret) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
        });
        let missing = || ApiError::new(Kind::Unauthorized, "send `Authorization: Bearer KEY`");
        let hash = blake3::hash(secret.ok_or_else(missing)?.as_bytes());
        // Hashes compare in constant time, and every key is looked at.
        let mut found = None;
        for key in &self.keys {
            if key.1 == hash {
                found = Some(key);
            }
        }
        let (key, _, bucket) =
            found.ok_or_else(|| ApiError::new(Kind::Unauthorized, "this key is not known here"))?;
        if key.scope < needs {
            let (has, needs) = (format!("{:?}", key.scope), format!("{needs:?}"));
            let detail =
                format!("the key's scope is {}, this needs {}", has.to_lowercase(), needs.to_lowercase());
            return Err(ApiError::new(Kind::Forbidden, detail));
        }
        self.take(bucket)?;
        Ok(Caller { name: key.name.clone(), scope: key.scope })
    }

    fn take(&self, bucket: &Mutex<Bucket>) -> ApiResult<()> {
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let earned = now.duration_since(bucket.at).as_secs_f64() * self.per_s;
        bucket.tokens = (bucket.tokens + earned).min((self.per_s * BURST_S).max(1.0));
        bucket.at = now;
        if bucket.tokens < 1.0 {
            let wait_s = ((1.0 - bucket.tokens) / self.per_s).ceil() as u64;
            return Err(ApiError::busy("this key sends more requests than it may", wait_s));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}
