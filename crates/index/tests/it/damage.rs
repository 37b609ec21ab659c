//! Damaged files: derived ones are made anew and said so, the store's own are refused without a panic.

use std::fs;
use std::path::{Path, PathBuf};

use earmark_index::{Error, Hit, Index, IndexEvent, OpenOptions, SearchMode};

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

fn derived_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_file() && !p.ends_with("last-commit"))
        .collect();
    files.sort();
    files
}

fn exact_and_graph(index: &Index) -> (Vec<Hit>, Vec<Hit>) {
    let query = Rng(42).clustered(DIM, 20);
    (search(index, &query, SearchMode::Exact), search(index, &query, SearchMode::Graph))
}

#[test]
fn derived_files_are_never_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let opts = OpenOptions { graph_min_rows: 1000, ..OpenOptions::default() };
    let index = filled(dir.path(), DIM, 600, 4);
    let (truth, _) = exact_and_graph(&index);
    drop(index);
    let names: Vec<String> = derived_files(dir.path())
        .iter()
        .map(|p| p.file_name().unwrap().to_string_lossy().chars().take(6).collect())
        .collect();
    assert_eq!(names, ["graph-", "graph-", "graph.", "vector"]);

    for file in 0..4 {
        for (way, damage) in WAYS {
            let path = derived_files(dir.path())[file].clone();
            damage(&path);
            let index = Index::open(dir.path(), None, &opts).unwrap();
            let (exact, graph) = exact_and_graph(&index);
            assert_eq!(exact, truth, "{way}: {}", path.display());
            assert_eq!(graph.len(), truth.len());
            let events = index.take_events();
            let told = events.iter().any(|e| matches!(e, IndexEvent::GraphBuilt { .. }));
            assert!(told, "{way}: {}: {events:?}", path.display());
            let reread = events.iter().any(|e| matches!(e, IndexEvent::VectorsReread { .. }));
            assert_eq!(reread, file == 3, "{way}: {events:?}");
            assert!(index.audit().unwrap().is_clean());
            drop(index);
            // And what was made anew is used.
            let index = Index::open(dir.path(), None, &opts).unwrap();
            assert_eq!(exact_and_graph(&index).0, truth);
            assert_eq!(index.take_events(), []);
            assert_eq!(derived_files(dir.path()).len(), 4);
        }
    }
}

#[test]
fn a_store_from_a_backup_does_not_get_the_newer_vectors() {
    let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let index = filled(dir.path(), DIM, 600, 4);
    index.refresh_graph().unwrap();
    drop(index);
    copy(&dir.path().join("store"), backup.path());
    // Two ways on from the backup: sequence numbers are the same, vectors are not.
    let opts = OpenOptions::default();
    let more = |seed| {
        let mut rng = Rng(seed);
        (0..700).map(move |i| crate::common::put(&format!("/more{i}.wav"), &mut rng, DIM, 4)).collect()
    };
    let index = Index::open(dir.path(), None, &opts).unwrap();
    index.apply(more(1)).unwrap();
    index.refresh_graph().unwrap();
    drop(index);
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    copy(backup.path(), &dir.path().join("store"));
    let index = Index::open(dir.path(), None, &opts).unwrap();
    for _ in 0..3 {
        index.apply(more(2)).unwrap();
    }
    let audit = index.audit().unwrap();
    assert!(audit.is_clean(), "{audit:?}");
    let events = index.take_events();
    let told = [IndexEvent::BatchesLost { lost: 1 }, IndexEvent::VectorsReread { reason: "stale".into() }];
    assert_eq!(events, told);
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
    let index = Index::create_or_open(whole.path(), &identity(DIM), &OpenOptions::default()).unwrap();
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

/// Opens a damaged index: all the clips are there and sound, or it says what is wrong.
fn check_damaged(dir: &Path, clips: usize, how: &str) {
    let index = match Index::open(dir, Some(&identity(DIM)), &OpenOptions::default()) {
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

#[test]
fn an_unfinished_snapshot_does_not_shut_the_store() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), DIM, 100, 4));
    let unfinished = dir.path().join("store/snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&unfinished, b"cut off").unwrap();
    let index = Index::open(dir.path(), None, &OpenOptions::default()).unwrap();
    assert_eq!(index.audit().unwrap().clips, 100);
    assert!(!unfinished.exists());
}
