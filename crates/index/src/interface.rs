//! What the engine asks of an index: to read it, and to change it. The local index is one answer
//! ([`crate::Snapshot`], [`crate::Writer`]); a store on another machine is another.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::names::{NameMatches, NameQuery};
use crate::query::{Hit, SearchRequest, SearchResponse, SegmentRef, Spread};
use crate::report::Stats;
use crate::types::{Change, Clip, ClipId, ClipText, Failure, Header, Segment};

/// A committed state of an index, which does not change while it is read.
///
/// # Errors
/// All methods: [`crate::Error::Published`] for damaged files, [`crate::Error::Io`].
pub trait IndexReader: Send + Sync {
    /// What the index says about itself.
    fn header(&self) -> &Header;

    /// The segments nearest to `query` (`[dim]`, unit length) that the filter lets through: `k` of them, or
    /// fewer only when fewer match.
    ///
    /// # Errors
    /// [`crate::Error::DimMismatch`], [`crate::Error::NotUnit`], [`crate::Error::NonFinite`],
    /// [`crate::Error::BadFilter`].
    fn search(&self, query: &[f32], request: &SearchRequest) -> Result<SearchResponse>;

    /// The clips with words of `query` in their names, tags or metadata that the filter lets through: the `k`
    /// with most of it.
    ///
    /// # Errors
    /// [`crate::Error::BadFilter`], [`crate::Error::Names`].
    fn named(&self, query: &NameQuery, filter: &Filter, k: usize) -> Result<NameMatches>;

    /// The best segment of each of these clips, in their order. Clips without segments, or that are gone, are
    /// left out.
    ///
    /// # Errors
    /// [`crate::Error::DimMismatch`], [`crate::Error::NotUnit`], [`crate::Error::NonFinite`].
    fn best_of(&self, query: &[f32], clips: &[ClipId]) -> Result<Vec<Hit>>;

    /// How `query` scores with the segments of the index.
    ///
    /// # Errors
    /// [`crate::Error::DimMismatch`], [`crate::Error::NotUnit`], [`crate::Error::NonFinite`].
    fn spread(&self, query: &[f32]) -> Result<Spread>;

    /// What the files of these clips say about themselves, in their order; nothing for clips that are gone.
    ///
    /// # Errors
    /// [`crate::Error::Names`].
    fn texts(&self, ids: &[ClipId]) -> Result<Vec<Vec<ClipText>>>;

    /// The clip with this id.
    fn clip(&self, id: ClipId) -> Result<Option<Clip>>;

    /// The clip at this path.
    fn clip_by_path(&self, path: &str) -> Result<Option<Clip>>;

    /// The clips at these paths, in any order.
    fn clips_at(&self, paths: &[String]) -> Result<Vec<Clip>> {
        let mut clips = Vec::new();
        for path in paths {
            clips.extend(self.clip_by_path(path)?);
        }
        Ok(clips)
    }

    /// The clips whose files have this content, by id.
    fn clips_by_hash(&self, hash: &[u8; 32]) -> Result<Vec<Clip>>;

    /// The clips that `filter` lets through, by id; all of them with the default filter.
    ///
    /// # Errors
    /// [`crate::Error::BadFilter`].
    fn clips(&self, filter: &Filter) -> Result<Vec<Clip>>;

    /// A clip's segments, in order.
    ///
    /// # Errors
    /// [`crate::Error::UnknownClip`].
    fn segments(&self, id: ClipId) -> Result<Vec<Segment>>;

    /// The segments of each of these clips, in their order; none for clips that are gone.
    fn segments_of_clips(&self, ids: &[ClipId]) -> Result<Vec<Vec<Segment>>> {
        let of_clip = |id: &ClipId| match self.segments(*id) {
            Err(Error::UnknownClip { .. }) => Ok(Vec::new()),
            segments => segments,
        };
        ids.iter().map(of_clip).collect()
    }

    /// The vectors (`[dim]`) of segments, in their order. Each is named by its clip and its number there; its
    /// vector is empty if there is no such segment.
    fn vectors(&self, segments: &[(ClipId, u32)]) -> Result<Vec<Vec<f32>>>;

    /// Lends each segment that the filter lets through to `visit`, clip by clip and a clip's segments in
    /// order, until it gives `false`.
    ///
    /// # Errors
    /// [`crate::Error::BadFilter`].
    fn for_each_segment(&self, filter: &Filter, visit: &mut dyn FnMut(SegmentRef<'_>) -> bool) -> Result<()>;

    /// All remembered bad files, by path.
    fn failures(&self) -> Result<Vec<Failure>>;

    /// The bad files remembered at these paths, in any order.
    fn failures_at(&self, paths: &[String]) -> Result<Vec<Failure>>;

    /// The index in numbers.
    fn stats(&self) -> Result<Stats>;
}

/// The right to change an index. One process has it at a time.
pub trait IndexWriter: Send + Sync {
    /// Makes all the changes, in order, or none of them; on return they are on disk. Gives the id of the clip
    /// that each change spoke of, in order (those that name a path only give none).
    ///
    /// # Errors
    /// [`crate::Error::UnknownClip`], [`crate::Error::DimMismatch`], [`crate::Error::NotUnit`],
    /// [`crate::Error::NonFinite`], [`crate::Error::BadSegment`], [`crate::Error::Limit`]: nothing was changed.
    /// [`crate::Error::DiskFull`], [`crate::Error::Io`], [`crate::Error::Corrupt`]: the batch is not acknowledged, and
    /// this writer takes no more changes ([`crate::Error::Failed`]); open the index again.
    fn apply(&self, changes: Vec<Change>) -> Result<Vec<ClipId>>;

    /// The index with everything that was applied.
    ///
    /// # Errors
    /// [`crate::Error::DiskFull`], [`crate::Error::Io`] where what was applied could not be published.
    fn reader(&self) -> Result<Arc<dyn IndexReader>>;
}
