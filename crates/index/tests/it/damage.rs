//! Damaged files: derived ones are made anew and said so, the store's own are refused without a panic.

use std::fs;
use std::path::{Path, PathBuf};

use earmark_index::{
    Change, Error, Filter, IndexEvent, IndexReader, IndexWriter, OpenOptions, SearchMode, SearchRequest,
    Snapshot, Writer,
};

use crate::common::{Rng, filled, identity, search};

const DIM: usize = 32;

/// A way to damage a file, and its name.
type Way = (&'static str, fn(&Path));

const WAYS: [Way; 6] = [
    ("missing", |path| fs::remove_file(path).unwrap()),
    ("empty", |path| fs::write(path, b"").unwrap()),
    ("halved", |path| cut(path, 2)),
    ("short by a byte", |path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    }),
    ("a flipped bit", |path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        fs::write(path, bytes).unwrap();
    }),
    ("garbage", |path| fs::write(path, vec![0xff; 4096]).unwrap()),
];

fn cut(path: &Path, divisor: usize) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / divisor]).unwrap();
}

fn published_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir.join("published")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

/// Damage to any published file, in any way: a reader that may write has it made anew, one that may not says
/// so.
#[test]
fn published_files_are_never_trusted() {
    let whole = tempfile::tempdir().unwrap();
    let index = filled(whole.path(), DIM, 300, 4);
    index.apply(vec![Change::Remove(7)]).unwrap();
    let query = Rng(42).clustered(DIM, 20);
    let truth = search(&index, &query, SearchMode::Exact);
    drop(index);
    let kinds: Vec<String> = published_files(whole.path())
        .iter()
        .map(|p| p.extension().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    assert_eq!(kinds.iter().filter(|k| *k == "segment").count(), 2, "{kinds:?}");
    assert!(kinds.iter().any(|k| k == "dead"), "{kinds:?}");
    for file in 0..kinds.len() {
        for (way, damage) in WAYS {
            let dir = tempfile::tempdir().unwrap();
            copy_tree(whole.path(), dir.path());
            let path = published_files(dir.path())[file].clone();
            damage(&path);
            let how = format!("{way}: {}", path.display());
            // Where damage is found only when the part is read, the search says so.
            let searched = Snapshot::open(dir.path(), None, &OpenOptions::default())
                .and_then(|snapshot| Ok((snapshot.search(&query, &all())?.hits, snapshot.take_events())));
            match searched {
                Ok((hits, _)) => assert_eq!(hits, truth, "{how}"),
                Err(e) => assert!(matches!(e, Error::Published { .. }), "{how}: {e:?}"),
            }
            // What no search came across, an audit finds.
            let writer = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
            if !writer.snapshot().unwrap().audit().unwrap().is_clean() {
                writer.rebuild().unwrap();
            }
            drop(writer);
            let writer = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
            crate::common::expect_clean(&writer);
            assert_eq!(search(&writer, &query, SearchMode::Auto), truth, "{how}");
        }
    }
}

#[test]
fn damaged_codes_cost_time_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path(), DIM, 100, 4);
    let query = Rng(42).clustered(DIM, 20);
    let truth = search(&index, &query, SearchMode::Exact);
    drop(index);
    let segment = published_files(dir.path()).into_iter().find(|p| p.extension().is_some()).unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    // Part 8; its offset is in the header.
    let at = bytes.as_chunks::<8>().0[(56 + 8 * 16) / 8];
    bytes[u64::from_le_bytes(at) as usize + 5] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let snapshot = Snapshot::open(dir.path(), None, &OpenOptions::default()).unwrap();
    for _ in 0..2 {
        assert_eq!(snapshot.search(&query, &all()).unwrap().hits, truth);
    }
    let events = snapshot.take_events();
    assert!(matches!(events[..], [IndexEvent::CodesDamaged { .. }]), "{events:?}");
    assert!(!snapshot.audit().unwrap().is_clean());
}

/// Every single byte of a segment: its damage is found by an audit, and no search gives a wrong answer.
#[test]
fn no_damaged_byte_of_a_segment_goes_unnoticed() {
    let whole = tempfile::tempdir().unwrap();
    let index = filled(whole.path(), 8, 3, 2);
    index.apply(vec![Change::Fail(failure("/bad.wav"))]).unwrap();
    index.rebuild().unwrap();
    let query = Rng(42).clustered(8, 20);
    let truth = search(&index, &query, SearchMode::Exact);
    drop(index);
    let segment = published_files(whole.path()).into_iter().find(|p| p.extension().is_some()).unwrap();
    let bytes = fs::read(&segment).unwrap();
    let mut unused = 0;
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("published")).unwrap();
        fs::copy(segment.with_file_name("list"), dir.path().join("published/list")).unwrap();
        fs::write(dir.path().join("published").join(segment.file_name().unwrap()), &damaged).unwrap();
        let snapshot = match Snapshot::open(dir.path(), None, &OpenOptions::default()) {
            Ok(snapshot) => snapshot,
            Err(Error::Published { .. }) => continue,
            Err(e) => panic!("byte {at}: {e:?}"),
        };
        match snapshot.search(&query, &all()) {
            Ok(response) => assert_eq!(response.hits, truth, "byte {at}"),
            Err(e) => assert!(matches!(e, Error::Published { .. }), "byte {at}: {e:?}"),
        }
        // Between the parts there are zeros that nobody reads.
        if snapshot.audit().unwrap().is_clean() {
            assert_eq!(bytes[at], 0, "byte {at} of {}", bytes.len());
            unused += 1;
        }
    }
    assert!(unused < 10 * 64, "{unused} bytes are not checked");
}

/// Checksums are no signature: a header may count whatever it likes, and its products may overflow.
#[test]
fn counts_that_no_file_could_hold_are_refused() {
    /// Bytes of a segment's header, and of a list's last entry with the list's checksum (FORMAT.md).
    const HEADER: usize = 264;
    const ENTRY: usize = 48 + 8;
    let put = |bytes: &mut [u8], at: usize, number: u64| {
        bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
    };
    let whole = tempfile::tempdir().unwrap();
    drop(filled(whole.path(), DIM, 40, 4));
    let files = published_files(whole.path());
    let segment = files.iter().find(|p| p.extension().is_some_and(|e| e == "segment")).unwrap();
    let list = whole.path().join("published/list");
    let (sound, sound_list) = (fs::read(segment).unwrap(), fs::read(&list).unwrap());
    // Nothing is kept at 48.
    for at in (24..HEADER - 8).step_by(8).filter(|at| *at != 48) {
        for number in [1 << 59, 1 << 61, (1 << 61) + 40, u64::MAX] {
            let (mut bytes, mut listed) = (sound.clone(), sound_list.clone());
            put(&mut bytes, at, number);
            let check = xxhash_rust::xxh3::xxh3_64(&bytes[..HEADER - 8]);
            put(&mut bytes, HEADER - 8, check);
            let entry = listed.len() - ENTRY;
            put(&mut listed, entry + 8, check);
            if at == 40 {
                put(&mut listed, entry + 24, number);
            }
            let end = listed.len() - 8;
            let sum = xxhash_rust::xxh3::xxh3_64(&listed[..end]);
            put(&mut listed, end, sum);
            fs::remove_file(segment).unwrap();
            fs::write(segment, bytes).unwrap();
            fs::write(&list, listed).unwrap();
            let opened = Snapshot::load_published(whole.path()).map(|_| ());
            assert!(matches!(opened, Err(Error::Published { .. })), "{number:x} at {at}: {opened:?}");
        }
    }
}

fn failure(path: &str) -> earmark_index::Failure {
    earmark_index::Failure {
        path: path.into(),
        size: 1,
        mtime_ns: 2,
        reason: "no sound in it".into(),
        kind: "empty".into(),
        seen_unix_s: 3,
    }
}

fn all() -> SearchRequest {
    SearchRequest { collapse: false, ..SearchRequest::default() }
}

/// Copies a folder with all that is in it.
fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// sled drops what follows a damaged record; the published files still have it.
#[test]
fn what_the_store_lost_comes_back_from_the_published_files() {
    let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let index = filled(dir.path(), DIM, 60, 4);
    index.apply(vec![Change::Fail(failure("/bad.wav"))]).unwrap();
    drop(index);
    copy_tree(dir.path(), backup.path());
    let index = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
    let mut rng = Rng(5);
    let put = |path: &str, rng: &mut Rng| crate::common::put(path, rng, DIM, 3);
    index.apply((0..40).map(|i| put(&format!("/more{i}.wav"), &mut rng)).collect()).unwrap();
    // A clip that is replaced, one that is tagged, one that goes and whose path another gets.
    index.apply(vec![put("/5.wav", &mut rng), Change::SetTags { id: 9, tags: vec!["x".into()] }]).unwrap();
    index.apply(vec![Change::RemoveAt("/11.wav".into()), put("/11.wav", &mut rng)]).unwrap();
    let query = Rng(42).clustered(DIM, 20);
    let truth = search(&index, &query, SearchMode::Exact);
    let clips = index.snapshot().unwrap().clips(&Filter::default()).unwrap();
    drop(index);
    // The store goes back; the published files do not.
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    copy_tree(&backup.path().join("store"), &dir.path().join("store"));
    let snapshot = Snapshot::open(dir.path(), None, &OpenOptions::default()).unwrap();
    assert_eq!(snapshot.clips(&Filter::default()).unwrap(), clips, "readers see all that was acknowledged");
    let index = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
    let events = index.take_events();
    assert!(matches!(events[..], [IndexEvent::BatchesRestored { batches: 3, clips: 43 }]), "{events:?}");
    assert_eq!(index.snapshot().unwrap().clips(&Filter::default()).unwrap(), clips);
    assert_eq!(search(&index, &query, SearchMode::Auto), truth);
    crate::common::expect_clean(&index);
    let ids = index.apply(vec![put("/later.wav", &mut rng)]).unwrap();
    assert!(clips.iter().all(|clip| clip.id < ids[0]), "an id is used twice");
    drop(index);
    let index = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
    assert_eq!(index.take_events(), []);
}

/// Without published files that could help, the loss is told until somebody has answered for it.
#[test]
fn what_is_lost_for_good_is_told_by_every_reader() {
    let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(filled(dir.path(), DIM, 20, 2));
    copy_tree(dir.path(), backup.path());
    let index = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
    for i in 0..3 {
        index.apply(vec![crate::common::put(&format!("/more{i}.wav"), &mut Rng(i), DIM, 3)]).unwrap();
    }
    drop(index);
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    copy_tree(&backup.path().join("store"), &dir.path().join("store"));
    fs::write(dir.path().join("published/list"), b"nothing").unwrap();
    let lost = [IndexEvent::BatchesLost { lost: 3 }];
    for _ in 0..2 {
        let snapshot = Snapshot::open(dir.path(), None, &OpenOptions::default()).unwrap();
        assert!(snapshot.take_events().iter().any(|e| lost.contains(e)));
        assert_eq!(snapshot.stats().unwrap().lost, 3);
        assert!(!snapshot.audit().unwrap().is_clean());
    }
    // Not even the useless files are deleted.
    let kept = |e: std::io::Result<fs::DirEntry>| {
        e.unwrap().file_name().to_string_lossy().starts_with("published.damaged-")
    };
    assert!(fs::read_dir(dir.path()).unwrap().any(kept));
    let index = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
    assert_eq!(index.take_events(), lost);
    index.apply(vec![crate::common::put("/new.wav", &mut Rng(9), DIM, 3)]).unwrap();
    assert!(!index.snapshot().unwrap().audit().unwrap().is_clean(), "a write made it forgotten");
    index.rebuild().unwrap();
    crate::common::expect_clean(&index);
}

/// Two ways on from one backup: sequence numbers are the same, vectors are not.
#[test]
fn a_store_that_went_another_way_does_not_get_the_vectors_of_the_first() {
    let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(filled(dir.path(), DIM, 60, 4));
    copy_tree(dir.path(), backup.path());
    let more = |seed| -> Vec<Change> {
        let mut rng = Rng(seed);
        (0..70).map(move |i| crate::common::put(&format!("/more{i}.wav"), &mut rng, DIM, 4)).collect()
    };
    for (place, seed) in [(dir.path(), 1), (backup.path(), 2)] {
        let index = Writer::open(place, None, &OpenOptions::default()).unwrap();
        (0..seed).for_each(|_| drop(index.apply(more(seed)).unwrap()));
    }
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    copy_tree(&backup.path().join("store"), &dir.path().join("store"));
    let index = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
    let events = index.take_events();
    assert!(matches!(events[..], [IndexEvent::PublishedAnew { .. }]), "{events:?}");
    crate::common::expect_clean(&index);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("blobs")).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_damaged_store_is_an_error_or_says_what_it_lost() {
    for (way, damage) in WAYS {
        for name in ["db", "conf"] {
            let dir = tempfile::tempdir().unwrap();
            drop(filled(dir.path(), DIM, 100, 4));
            damage(&dir.path().join("store").join(name));
            check_damaged(dir.path(), 100, &format!("{name} {way}"));
        }
    }
}

#[test]
fn flipped_bits_are_never_silent() {
    let whole = tempfile::tempdir().unwrap();
    let index = Writer::create_or_open(whole.path(), &identity(DIM), &OpenOptions::default()).unwrap();
    let mut rng = Rng(11);
    for i in 0..60 {
        let put = |j| crate::common::put(&format!("/{i}-{j}.wav"), &mut rng, DIM, 8);
        index.apply((0..5).map(put).collect()).unwrap();
    }
    drop(index);
    for round in 0..40 {
        let dir = tempfile::tempdir().unwrap();
        copy(&whole.path().join("store"), &dir.path().join("store"));
        fs::copy(whole.path().join("last-commit"), dir.path().join("last-commit")).unwrap();
        let db = dir.path().join("store/db");
        let mut bytes = fs::read(&db).unwrap();
        // Not beyond the last record: there sled keeps zeros.
        let end = bytes.iter().rposition(|b| *b != 0).unwrap();
        let at = rng.next() as usize % end;
        bytes[at] ^= 1 << (rng.next() % 8);
        fs::write(&db, bytes).unwrap();
        check_damaged(dir.path(), 300, &format!("round {round}, byte {at} of {end}"));
    }
}

/// Opens a damaged store, without published files: all the clips are there and sound, or it says what is
/// wrong.
fn check_damaged(dir: &Path, clips: usize, how: &str) {
    let _ = fs::remove_dir_all(dir.join("published"));
    let index = match Writer::open(dir, Some(&identity(DIM)), &OpenOptions::default()) {
        Ok(index) => index,
        Err(e) => {
            println!("{how}: {e}");
            assert!(matches!(e, Error::Corrupt { .. }), "{how}: {e:?}");
            return;
        }
    };
    let lost = index.take_events().iter().any(|event| matches!(event, IndexEvent::BatchesLost { .. }));
    match index.audit() {
        Ok(audit) => {
            println!("{how}: {} clips, lost {lost}, {:?}", audit.clips, audit.problems.first());
            assert!(audit.clips == clips || lost || !audit.is_clean(), "{how}: silent loss");
        }
        Err(e) => {
            println!("{how}: {e}");
            assert!(matches!(e, Error::Corrupt { .. }), "{how}: {e:?}");
        }
    }
}

/// sled makes its page table's snapshots and its settings anew; without the damaged file all clips are back.
#[test]
fn a_damaged_file_that_sled_can_do_without_is_kept_aside() {
    let whole = tempfile::tempdir().unwrap();
    drop(filled(whole.path(), DIM, 100, 4));
    // Opened and closed once more, so that there is a snapshot.
    drop(Writer::open(whole.path(), None, &OpenOptions::default()).unwrap());
    let names: Vec<String> = fs::read_dir(whole.path().join("store"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("snap.") || name == "conf")
        .collect();
    assert!(names.len() >= 2, "{names:?}");
    for name in names {
        let dir = tempfile::tempdir().unwrap();
        copy_tree(whole.path(), dir.path());
        let path = dir.path().join("store").join(&name);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let index =
            Writer::open(dir.path(), None, &OpenOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let events = index.take_events();
        crate::common::expect_clean(&index);
        assert_eq!(index.snapshot().unwrap().stats().unwrap().clips, 100, "{name}");
        let [IndexEvent::StoreMended { file }] = &events[..] else { panic!("{name}: {events:?}") };
        assert_eq!(fs::read(file).unwrap(), bytes, "the damaged file is not kept");
    }
}

#[test]
fn an_unfinished_snapshot_does_not_shut_the_store() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), DIM, 100, 4));
    let unfinished = dir.path().join("store/snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&unfinished, b"cut off").unwrap();
    let index = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
    assert_eq!(index.audit().unwrap().clips, 100);
    assert!(!unfinished.exists());
}
