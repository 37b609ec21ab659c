//! The index by its public verbs.

use crate::common::{identity, meta, segment};
use earmark_index::{Change, Error, Filter, Index, OpenOptions, SearchRequest};

#[test]
fn put_find_replace_move_remove() {
    let dir = tempfile::tempdir().unwrap();
    let opts = OpenOptions::default();
    let index = Index::create_or_open(dir.path(), &identity(4), &opts).unwrap();
    let put = |path: &str, axis: usize| Change::Put {
        meta: meta(path),
        segments: vec![segment(4, axis), segment(4, axis + 1)],
    };
    let ids = index.apply(vec![put("/a.wav", 0), put("/b.wav", 2)]).unwrap();
    assert_eq!(ids, [1, 2]);
    let query = segment(4, 2).vector;
    let hits = index.search(&query, &SearchRequest::default()).unwrap().hits;
    assert_eq!(hits[0].clip.id, 2);
    assert_eq!(hits[0].score, 1.0);
    assert_eq!(hits.len(), 2, "one hit a clip");

    index.apply(vec![Change::SetTags { id: 2, tags: vec!["dog".into()] }]).unwrap();
    assert_eq!(index.apply(vec![put("/b.wav", 0)]).unwrap(), [2]);
    assert_eq!(index.clip(2).unwrap().unwrap().meta.tags, ["dog"]);
    let hits = index.search(&query, &SearchRequest::default()).unwrap().hits;
    assert!(hits[0].score < 0.5);

    index.apply(vec![Change::Move { id: 1, meta: meta("/c.wav") }]).unwrap();
    assert!(index.clip_by_path("/a.wav").unwrap().is_none());
    assert_eq!(index.clip_by_path("/c.wav").unwrap().unwrap().id, 1);
    assert!(index.audit().unwrap().is_clean());

    index.apply(vec![Change::Remove(1)]).unwrap();
    assert!(matches!(index.apply(vec![Change::Remove(1)]), Err(Error::UnknownClip { id: 1 })));
    let filter = Filter { tags: vec!["dog".into()], ..Filter::default() };
    let request = SearchRequest { filter, collapse: false, ..SearchRequest::default() };
    assert_eq!(index.search(&query, &request).unwrap().hits.len(), 2);
    let stats = index.stats().unwrap();
    assert_eq!((stats.clips, stats.segments), (1, 2));

    assert!(matches!(Index::open(dir.path(), None, &opts), Err(Error::Locked { .. })));
    drop(index);
    let other = earmark_index::Identity { model_id: "other".into(), ..identity(4) };
    let error = Index::open(dir.path(), Some(&other), &opts).err().unwrap();
    assert!(matches!(error, Error::ModelMismatch { .. }), "{error}");
    let index = Index::open(dir.path(), Some(&identity(4)), &opts).unwrap();
    assert_eq!(index.segments(2).unwrap().len(), 2);
    assert!(index.audit().unwrap().is_clean());
}

#[test]
fn no_index_is_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let error = Index::open(dir.path(), None, &OpenOptions::default()).err().unwrap();
    assert!(matches!(error, Error::NotFound { .. }));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
