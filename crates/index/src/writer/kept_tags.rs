//! Tags of removed clips, kept for when their sound is found again.
//!
//! Tags are people's work, and a clip may be removed by mistake: a drive was not mounted, a glob matched too
//! much. So the batch that removes a clip with tags also writes what it was tagged with, under its content;
//! and a new clip with that content takes the tags back, if it can those of the clip that was at its path. At
//! most [`MOST`] are kept, the latest, and each for [`KEPT_TAGS_S`]. They are in the store only: no reader needs
//! them.

use serde::{Deserialize, Serialize};

use super::Writer;
use super::batch::Batch;
use crate::audit::Problems;
use crate::clock::unix_now_s;
use crate::codec::{self, ClipRecord};
use crate::error::Result;

/// Removed clips whose tags are kept.
const MOST: u64 = if cfg!(test) { 3 } else { 200_000 };

/// How long tags of removed clips are kept, seconds: a year.
pub const KEPT_TAGS_S: i64 = 366 * 24 * 3600;

/// Records that one batch drops for their age or their number; the next batch goes on.
const DROPPED_AT_ONCE: usize = 1000;

fn oldest_unix_s() -> i64 {
    unix_now_s().saturating_sub(KEPT_TAGS_S)
}

/// What a removed clip was tagged with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptTags {
    pub(crate) path: String,
    pub(crate) tags: Vec<String>,
    pub(crate) removed_unix_s: i64,
}

/// How many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The next one's number: the higher, the later.
    pub(crate) next: u64,
    pub(crate) count: u64,
}

impl Batch<'_> {
    /// Keeps the tags of a clip that is removed.
    pub(super) fn keep_tags(&mut self, clip: &ClipRecord) -> Result<()> {
        if clip.meta.tags.is_empty() {
            return Ok(());
        }
        let mut kept = self.kept()?;
        let number = kept.next;
        kept.next += 1;
        kept.count += 1;
        let record = KeptTags {
            path: clip.meta.path.clone(),
            tags: clip.meta.tags.clone(),
            removed_unix_s: unix_now_s(),
        };
        let hash = &clip.meta.content_hash;
        self.set(codec::kept_tags_key(hash, number), codec::encode(&record)?);
        self.set(codec::kept_order_key(number), hash.to_vec());
        self.set(codec::KEPT_KEY.to_vec(), codec::encode(&kept)?);
        Ok(())
    }

    /// Takes back the tags that are kept for a content: those of the clip that was at `path`, else of the
    /// last one.
    pub(super) fn take_tags(&mut self, hash: &[u8; 32], path: &str) -> Result<Vec<String>> {
        let mut found: Option<(u64, KeptTags)> = None;
        let oldest = oldest_unix_s();
        for (number, record) in self.kept_for(hash)? {
            if record.removed_unix_s < oldest {
                continue;
            }
            let is_better = found
                .as_ref()
                .is_none_or(|(last, best)| (record.path == path, number) > (best.path == path, *last));
            if is_better {
                found = Some((number, record));
            }
        }
        let Some((number, record)) = found else { return Ok(Vec::new()) };
        self.drop_kept(hash, number)?;
        Ok(record.tags)
    }

    /// Drops what is too old or too many. To be called when all changes were added.
    pub(super) fn drop_old_tags(&mut self) -> Result<()> {
        // Only what was written now can have made them too many.
        if !self.writes.contains_key(codec::KEPT_KEY) {
            return Ok(());
        }
        let oldest = oldest_unix_s();
        let mut old = Vec::new();
        let count = self.kept()?.count;
        for pair in self.store.scan(codec::KEPT_ORDER_PREFIX)? {
            let (key, hash) = pair?;
            if self.writes.contains_key(&*key) {
                continue;
            }
            let number = codec::u64_at(&key, 1).ok_or_else(|| self.store.corrupt("a short key"))?;
            let hash: [u8; 32] =
                hash.as_ref().try_into().map_err(|_| self.store.corrupt("kept tags without a content"))?;
            let record: Option<KeptTags> = self.store.record(&codec::kept_tags_key(&hash, number))?;
            let is_old = record.is_none_or(|record| record.removed_unix_s < oldest);
            if old.len() == DROPPED_AT_ONCE || !(is_old || count.saturating_sub(old.len() as u64) > MOST) {
                break;
            }
            old.push((hash, number));
        }
        old.into_iter().try_for_each(|(hash, number)| self.drop_kept(&hash, number))
    }

    fn kept(&self) -> Result<Kept> {
        Ok(self.record(codec::KEPT_KEY)?.unwrap_or_default())
    }

    /// The records for a content, those of this batch among them.
    fn kept_for(&self, hash: &[u8; 32]) -> Result<Vec<(u64, KeptTags)>> {
        let prefix = codec::kept_tags_prefix(hash);
        let number =
            |key: &[u8]| codec::u64_at(key, prefix.len()).ok_or_else(|| self.store.corrupt("a short key"));
        let decode = |bytes: &[u8]| codec::decode(bytes).map_err(|what| self.store.corrupt(what));
        let mut found = Vec::new();
        for pair in self.store.scan(&prefix)? {
            let (key, value) = pair?;
            if !self.writes.contains_key(&*key) {
                found.push((number(&key)?, decode(&value)?));
            }
        }
        for (key, value) in
            self.writes.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix))
        {
            if let Some(value) = value {
                found.push((number(key)?, decode(value)?));
            }
        }
        Ok(found)
    }

    fn drop_kept(&mut self, hash: &[u8; 32], number: u64) -> Result<()> {
        let mut kept = self.kept()?;
        kept.count = kept.count.saturating_sub(1);
        self.clear(codec::kept_tags_key(hash, number));
        self.clear(codec::kept_order_key(number));
        self.set(codec::KEPT_KEY.to_vec(), codec::encode(&kept)?);
        Ok(())
    }
}

impl Writer {
    /// How many removed clips have their tags kept.
    pub(super) fn kept_tags(&self) -> Result<Kept> {
        Ok(self.store.record(codec::KEPT_KEY)?.unwrap_or_default())
    }

    /// Each record is in the order of removals once, and they are as many as is said.
    pub(super) fn audit_kept_tags(&self, problems: &mut Problems) -> Result<()> {
        let kept = self.kept_tags()?;
        let mut count = 0;
        for pair in self.store.scan(codec::KEPT_TAGS_PREFIX)? {
            let (key, value) = pair?;
            let number = codec::u64_at(&key, 33).unwrap_or(u64::MAX);
            count += 1;
            if let Err(what) = codec::decode::<KeptTags>(&value) {
                problems.add(|| format!("kept tags {number}: {what}"));
            }
            let order = self.store.get(&codec::kept_order_key(number))?;
            if order.is_none_or(|hash| key.get(1..33) != Some(&*hash)) || number >= kept.next {
                problems.add(|| format!("kept tags {number} are not in the order of removals"));
            }
        }
        let mut ordered = 0;
        for pair in self.store.scan(codec::KEPT_ORDER_PREFIX)? {
            pair?;
            ordered += 1;
        }
        if (count, ordered) != (kept.count, kept.count) {
            let said = kept.count;
            problems.add(|| {
                format!(
                    "tags of {count} removed clips are kept, {ordered} in their order, and {said} are counted"
                )
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::{IndexReader, IndexWriter};
    use crate::types::{Change, ClipMeta, Identity, OpenOptions};

    fn put(number: u8, tags: &[&str]) -> Change {
        let meta = ClipMeta {
            path: format!("/{number}.wav"),
            content_hash: [number; 32],
            mtime_ns: 0,
            size: 1,
            duration_s: 1.0,
            sample_rate: 48_000,
            channels: 1,
            format: "wav".to_owned(),
            decoder: None,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            indexed_unix_s: 0,
        };
        Change::Put { meta, segments: Vec::new(), texts: Vec::new() }
    }

    #[test]
    fn only_so_many_are_kept_and_the_oldest_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let identity =
            Identity { model_id: "m".into(), manifest_hash: "h".into(), pipeline_version: 1, dim: 2 };
        let index = Writer::create_or_open(dir.path(), &identity, &OpenOptions::default()).unwrap();
        let remove = |number: u8| Change::RemoveAt(format!("/{number}.wav"));
        index.apply((0..6).map(|number| put(number, &["mine"])).collect()).unwrap();
        // One after the other, then two together.
        for batch in [vec![remove(0)], vec![remove(1)], vec![remove(2)], vec![remove(3)]] {
            index.apply(batch).unwrap();
        }
        assert_eq!(index.kept_tags().unwrap().count, MOST);
        index.apply(vec![remove(4), remove(5)]).unwrap();
        assert_eq!(index.kept_tags().unwrap(), Kept { next: 6, count: MOST });
        assert!(index.audit().unwrap().is_clean());
        index.apply((0..6).map(|number| put(number, &[])).collect()).unwrap();
        let snapshot = index.snapshot().unwrap();
        let tags = |number: u8| snapshot.clip_by_path(&format!("/{number}.wav")).unwrap().unwrap().meta.tags;
        assert!((0..3).all(|number| tags(number).is_empty()));
        assert!((3..6).all(|number| tags(number) == ["mine"]));
        assert_eq!(index.kept_tags().unwrap().count, 0);
        assert!(index.audit().unwrap().is_clean());
    }

    #[test]
    fn a_record_that_does_not_fit_the_others_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let identity =
            Identity { model_id: "m".into(), manifest_hash: "h".into(), pipeline_version: 1, dim: 2 };
        let index = Writer::create_or_open(dir.path(), &identity, &OpenOptions::default()).unwrap();
        index.apply(vec![put(1, &["mine"]), Change::RemoveAt("/1.wav".to_owned())]).unwrap();
        index.store.commit([(codec::kept_order_key(0), None)].into()).unwrap();
        let problems = index.audit().unwrap().problems.join("; ");
        assert!(problems.contains("order of removals"), "{problems}");
        assert!(problems.contains("1 are counted"), "{problems}");
    }
}
