//! The clips of a library: one, a page of them, their tags; and the files that could not be indexed.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use earmark_index::{Change, Clip as IndexClip, Failure as IndexFailure};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{Error, Result};
use crate::filter::{Filter, check_tags};
use crate::library::Library;
use crate::words::{Version, bounded, cursor, moment, name_and_folder, offset};

/// A sound file in the index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Clip {
    /// Its lasting name.
    #[schema(example = "17")]
    pub id: String,
    /// Absolute path on the machine of the library.
    pub path: String,
    /// File name.
    pub name: String,
    /// Folder.
    pub folder: String,
    /// Length, seconds.
    pub duration_s: f64,
    /// Hz.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u16,
    /// Container: `wav`, `mp3`, …
    pub format: String,
    /// The program that decoded it, with its version, if it was not earmark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<String>,
    /// File size, bytes.
    pub size: u64,
    /// Free labels.
    pub tags: Vec<String>,
    /// When it was indexed.
    #[schema(format = "date-time")]
    pub indexed_at: String,
    /// Stretches with a vector of their own.
    pub segments: usize,
}

impl From<&IndexClip> for Clip {
    fn from(clip: &IndexClip) -> Self {
        let meta = &clip.meta;
        let (name, folder) = name_and_folder(&meta.path);
        Self {
            id: clip.id.to_string(),
            name,
            folder,
            path: meta.path.clone(),
            duration_s: meta.duration_s,
            sample_rate: meta.sample_rate,
            channels: meta.channels,
            format: meta.format.clone(),
            decoder: meta.decoder.clone(),
            size: meta.size,
            tags: meta.tags.clone(),
            indexed_at: moment(meta.indexed_unix_s),
            segments: clip.segments as usize,
        }
    }
}

/// The order of clips.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// By path.
    #[default]
    Path,
    /// The latest indexed first.
    Indexed,
    /// The longest first.
    Duration,
}

/// What clips are ordered by; the id makes it an order of all of them.
type Key = (String, u64);

impl Sort {
    fn key(self, clip: &IndexClip) -> Key {
        let falling = |n: u64| format!("{:016x}", u64::MAX - n);
        let key = match self {
            Self::Path => clip.meta.path.clone(),
            Self::Indexed => falling(clip.meta.indexed_unix_s.max(0) as u64),
            // Durations are not negative, and the bits of such floats are in their order.
            Self::Duration => falling(clip.meta.duration_s.max(0.0).to_bits()),
        };
        (key, clip.id)
    }

    fn cursor(self, key: &Key) -> String {
        // Text and a number are always JSON.
        let json = serde_json::json!([self, key.0, key.1]).to_string();
        BASE64_URL_SAFE_NO_PAD.encode(json)
    }

    fn read_cursor(self, cursor: &str) -> Result<Key> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
        match bytes.and_then(|bytes| serde_json::from_slice::<(Self, String, u64)>(&bytes).ok()) {
            Some((of, text, id)) if of == self => Ok((text, id)),
            _ => Err(Error::field_is("cursor", "not a cursor of this list")),
        }
    }
}

/// Which clips to list, in which order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct ListRequest {
    /// Part of the path, upper and lower case alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// The order.
    #[param(inline)]
    pub sort: Sort,
    /// At most so many; the server's default is 50.
    #[param(minimum = 1, maximum = 500)]
    #[schema(minimum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Which clips.
    #[param(ignore)]
    pub filter: Filter,
}

/// A page of clips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClipPage {
    /// The version of this answer's fields.
    pub version: Version,
    /// The clips.
    pub items: Vec<Clip>,
    /// Where the next page begins; `null` on the last.
    pub next_cursor: Option<String>,
    /// Clips on all pages.
    pub total: usize,
}

/// A file that could not be indexed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// Absolute path.
    pub path: String,
    /// `unsupported`, `malformed`, `limit`, `empty`, `non-finite`, `no-decoder`, `silent`, `io` or `encoder`.
    pub kind: String,
    /// Why, for people.
    pub reason: String,
    /// When it was tried last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time")]
    pub seen_at: Option<String>,
}

impl From<IndexFailure> for Failure {
    fn from(failure: IndexFailure) -> Self {
        let seen_at = Some(moment(failure.seen_unix_s));
        Self { path: failure.path, kind: failure.kind, reason: failure.reason, seen_at }
    }
}

/// A page of failures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FailurePage {
    /// The version of this answer's fields.
    pub version: Version,
    /// The failures.
    pub items: Vec<Failure>,
    /// Where the next page begins; `null` on the last.
    pub next_cursor: Option<String>,
    /// Failures on all pages.
    pub total: usize,
}

impl FailurePage {
    /// The page of `all` that begins at a cursor.
    ///
    /// # Errors
    /// [`Error::Field`] named `cursor`.
    pub fn of(all: Vec<Failure>, limit: Option<usize>, start: Option<&str>) -> Result<Self> {
        let (total, start) = (all.len(), offset(start)?);
        let items: Vec<Failure> = all.into_iter().skip(start).take(limit.unwrap_or(usize::MAX)).collect();
        let next = start.saturating_add(items.len());
        let next_cursor = (next < total).then(|| cursor(next));
        Ok(Self { version: Version, items, next_cursor, total })
    }
}

impl Library {
    /// A page of the library's clips.
    ///
    /// # Errors
    /// [`Error::Field`] for a bad filter, limit or cursor.
    pub fn list(&self, request: &ListRequest) -> Result<ClipPage> {
        let limit = match request.limit {
            Some(limit) => bounded("limit", limit, 1, self.limits().results)?,
            None => usize::MAX,
        };
        let sort = request.sort;
        let after = request.cursor.as_deref().map(|cursor| sort.read_cursor(cursor)).transpose()?;
        let mut clips = self.index()?.clips(&request.filter.check()?)?;
        if let Some(q) = request.q.as_deref().filter(|q| !q.is_empty()) {
            let q = q.to_lowercase();
            clips.retain(|clip| clip.meta.path.to_lowercase().contains(&q));
        }
        let total = clips.len();
        let mut keyed: Vec<(Key, IndexClip)> =
            clips.into_iter().map(|clip| (sort.key(&clip), clip)).collect();
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
        let last = keyed.last().filter(|_| more);
        let next_cursor = last.map(|(key, _)| sort.cursor(key));
        let items = keyed.iter().map(|(_, clip)| clip.into()).collect();
        Ok(ClipPage { version: Version, items, next_cursor, total })
    }

    /// A clip by its id.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn clip(&self, id: u64) -> Result<Clip> {
        Ok((&self.find_clip(id)?).into())
    }

    /// A clip as the index has it.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn find_clip(&self, id: u64) -> Result<IndexClip> {
        let clip = self.index()?.clip(id)?;
        clip.ok_or_else(|| Error::Unknown { what: "clip", name: id.to_string() })
    }

    /// Replaces a clip's tags.
    ///
    /// # Errors
    /// [`Error::Field`] named `tags`, [`Error::Unknown`]; as [`earmark_index::LiveIndex::write`].
    pub fn set_tags(&self, id: u64, tags: &[String]) -> Result<Clip> {
        let tags = check_tags(tags)?;
        self.live()?.write()?.apply(vec![Change::SetTags { id, tags }])?;
        self.clip(id)
    }

    /// Takes a clip out of the index. The file stays.
    ///
    /// # Errors
    /// [`Error::Unknown`]; as [`earmark_index::LiveIndex::write`].
    pub fn remove_clip(&self, id: u64) -> Result<()> {
        self.live()?.write()?.apply(vec![Change::Remove(id)])?;
        Ok(())
    }

    /// A page of the files that could not be indexed.
    ///
    /// # Errors
    /// [`Error::Field`] named `cursor`.
    pub fn failures(&self, limit: Option<usize>, cursor: Option<&str>) -> Result<FailurePage> {
        let all = self.index()?.failures()?.into_iter().map(Failure::from).collect();
        FailurePage::of(all, limit, cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_one_order() {
        let key = ("/a/é.wav".to_owned(), 7);
        let cursor = Sort::Path.cursor(&key);
        assert_eq!(Sort::Path.read_cursor(&cursor).unwrap(), key);
        assert!(Sort::Duration.read_cursor(&cursor).is_err());
        assert!(Sort::Path.read_cursor("o40").is_err());
    }
}
