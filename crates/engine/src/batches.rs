//! Clips in batches whose vectors fit in memory: a store on another machine is asked once for each.

use earmark_index::{Clip, ClipId, IndexReader, Segment};

use crate::EngineError;

/// Bytes of vectors in one batch, roughly.
const BATCH_BYTES: usize = 16 << 20;

/// Clips in one batch at most.
const BATCH_CLIPS: usize = 1000;

/// The segments of each clip of a batch; `None` if the clip has been removed or re-indexed since it was listed.
///
/// # Errors
/// Errors of the index.
pub(crate) fn segments_of(
    index: &dyn IndexReader,
    batch: &[&Clip],
) -> Result<Vec<Option<Vec<Segment>>>, EngineError> {
    let ids: Vec<ClipId> = batch.iter().map(|clip| clip.id).collect();
    let segments = index.segments_of_clips(&ids)?.into_iter().zip(batch);
    Ok(segments.map(|(found, clip)| (found.len() == clip.segments as usize).then_some(found)).collect())
}

/// Cuts clips, in their order, into batches; vectors have `dim` elements.
pub(crate) fn batches<'a>(clips: &'a [&'a Clip], dim: usize) -> impl Iterator<Item = &'a [&'a Clip]> {
    let (mut bytes, mut count) = (0, 0);
    clips.chunk_by(move |clip, _| {
        bytes += 4 * dim * clip.segments as usize;
        count += 1;
        let fits = bytes < BATCH_BYTES && count < BATCH_CLIPS;
        if !fits {
            (bytes, count) = (0, 0);
        }
        fits
    })
}

#[cfg(test)]
mod tests {
    use earmark_index::ClipMeta;

    use super::*;

    #[test]
    fn a_batch_ends_where_it_is_full() {
        let meta = ClipMeta {
            path: "/a.wav".into(),
            content_hash: [0; 32],
            mtime_ns: 0,
            size: 0,
            duration_s: 1.0,
            sample_rate: 48_000,
            channels: 1,
            format: "wav".into(),
            decoder: None,
            tags: Vec::new(),
            indexed_unix_s: 0,
        };
        let clip = |segments| Clip { id: 0, meta: meta.clone(), segments };
        let full = u32::try_from(BATCH_BYTES / 4).unwrap();
        let clips = [1, full / 2, full / 2, 7, full, 8, 9].map(clip);
        let clips: Vec<&Clip> = clips.iter().collect();
        let batches: Vec<Vec<u32>> =
            batches(&clips, 1).map(|batch| batch.iter().map(|clip| clip.segments).collect()).collect();
        assert_eq!(batches, [vec![1, full / 2, full / 2], vec![7, full], vec![8, 9]]);
        let many = vec![clips[0]; BATCH_CLIPS + 1];
        assert_eq!(super::batches(&many, 1).map(<[_]>::len).collect::<Vec<_>>(), [BATCH_CLIPS, 1]);
    }
}
