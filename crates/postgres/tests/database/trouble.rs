//! Versions, roots, and servers that go away.

#![allow(clippy::unwrap_used)]

use earmark_index::{Change, Error, IndexReader, IndexWriter};
use earmark_postgres::{Database, Queue, QueuedFile, Roots};

use crate::common::{Numbers, identity, meta, new_database, new_index, on_database};

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn tables_are_made_once_and_those_of_a_later_version_are_refused() {
    let url = new_database();
    let none = Roots::default();
    assert!(matches!(Database::open(&url, None, &none), Err(Error::NotFound { .. })));
    let made: Vec<_> = (0..4)
        .map(|_| {
            let (url, none) = (url.clone(), none.clone());
            std::thread::spawn(move || Database::migrate(&url, None, &none).unwrap())
        })
        .collect();
    let databases: Vec<Database> = made.into_iter().map(|one| one.join().unwrap()).collect();
    let spaces: Vec<_> = databases.iter().map(|database| database.make(&identity(3)).unwrap()).collect();
    assert!(spaces.iter().all(|space| *space == spaces[0]) && spaces[0].is_current);
    let other = databases[0].make(&identity(5)).unwrap();
    assert!(!other.is_current && other.header.identity.dim == 5);
    databases[1].switch(&other).unwrap();
    assert_eq!(databases[2].current().unwrap().name, other.name);
    on_database(&databases[0], "INSERT INTO earmark.migration VALUES (77)");
    for refused in [Database::open(&url, None, &none), Database::migrate(&url, None, &none)] {
        assert!(matches!(refused, Err(Error::FormatVersion { received: 77, .. })), "{refused:?}");
    }
    // Tables of an earlier version are told apart, and brought to this one.
    let back = "DELETE FROM earmark.migration WHERE version > 1; DROP TABLE earmark.job;
                ALTER TABLE earmark.graph DROP COLUMN method; ALTER TABLE earmark.graph ADD PRIMARY KEY (space)";
    on_database(&databases[0], back);
    let refused = Database::open(&url, None, &none);
    assert!(matches!(refused, Err(Error::OldTables { received: 1, .. })), "{refused:?}");
    Database::migrate(&url, None, &none).unwrap();
    Database::open(&url, None, &none).unwrap();
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn a_space_that_is_locked_is_not_written_and_one_that_is_worked_on_not_locked() {
    let (database, index) = new_index(3);
    let (space, other) = (database.current().unwrap(), database.make(&identity(5)).unwrap());
    let change = || Change::Put {
        meta: meta("/sounds/a.wav"),
        segments: Numbers(1).segments(1, 3),
        texts: Vec::new(),
    };
    let held = database.lock_space(&space).unwrap();
    assert!(matches!(database.lock_space(&space), Err(Error::Locked { .. })), "it is held");
    drop(database.lock_space(&other).unwrap());
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| index.apply(vec![change()]).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(!writing.is_finished() && index.stats().unwrap().clips == 0, "it waits");
        drop(held);
    });
    assert_eq!(index.stats().unwrap().clips, 1);

    let queue = Queue::of(&index);
    let file = QueuedFile { path: "/sounds/b.wav".into(), size: 5, mtime_ns: 7, force: false };
    queue.add(&[file]).unwrap();
    drop(database.lock_space(&space).unwrap());
    let worker = queue.register("host", 1).unwrap();
    assert_eq!(queue.take(worker, 9, &["/sounds".to_owned()]).unwrap().files.len(), 1);
    assert!(matches!(database.lock_space(&space), Err(Error::Locked { .. })), "a worker has a file");
    queue.give_back(worker).unwrap();
    database.lock_space(&space).unwrap();
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn machines_mount_a_root_at_different_places() {
    let url = new_database();
    let mut here = Database::migrate(&url, None, &Roots::default()).unwrap();
    let space = here.make(&identity(3)).unwrap();
    let put =
        |path: &str| Change::Put { meta: meta(path), segments: Numbers(1).segments(1, 3), texts: Vec::new() };
    here.index(&space).apply(vec![put("/mnt/sounds/dry.wav"), put("/mnt/sounds2/x.wav")]).unwrap();
    here.add_root("library", "/mnt/sounds/").unwrap();
    here.add_root("library", "/mnt/sounds").unwrap();
    for (name, folder) in [("library", "/other"), ("wet", "/mnt/sounds/wet"), ("all", "/mnt")] {
        assert!(matches!(here.add_root(name, folder), Err(Error::Root { .. })), "{name} {folder}");
    }
    here.index(&space).apply(vec![put("/mnt/sounds/wet/rain.wav"), put("/mnt/sounds/dry.wav")]).unwrap();
    assert_eq!(
        here.index(&space).stats().unwrap().clips,
        3,
        "the clip that was there before has the root, too"
    );
    let mut roots = Roots::default();
    roots.set("library", "/Volumes/S");
    let there = Database::open(&url, None, &roots).unwrap().index(&space);
    assert!(there.clip_by_path("/Volumes/S/dry.wav").unwrap().is_some());
    let clip = there.clip_by_path("/Volumes/S/wet/rain.wav").unwrap().unwrap();
    assert_eq!(clip.meta.path, "/Volumes/S/wet/rain.wav");
    let inside = earmark_index::Filter { path_within: Some("/Volumes/S/wet".into()), ..Default::default() };
    assert_eq!(there.clips(&inside).unwrap().len(), 1);
    let outside = earmark_index::Filter { path_within: Some("/mnt/sounds".into()), ..Default::default() };
    assert_eq!(there.clips(&outside).unwrap().len(), 0);
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn connections_that_break_are_made_again_and_nothing_is_lost_or_doubled() {
    let (database, index) = new_index(3);
    let mut numbers = Numbers(3);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                // Other tests have connections of their own.
                on_database(
                    &database,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE application_name = 'earmark' AND datname = current_database() AND random() < 0.5",
                );
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        });
        for number in 0..200 {
            let change = Change::Put {
                meta: meta(&format!("/{number}.wav")),
                segments: numbers.segments(2, 3),
                texts: Vec::new(),
            };
            let ids = index.apply(vec![change]).unwrap();
            assert!(index.clip(ids[0]).unwrap().is_some(), "{number}");
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let stats = index.stats().unwrap();
    assert_eq!((stats.clips, stats.segments), (200, 400));
    drop(database);
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn an_address_that_is_wrong_is_told_at_once_and_without_the_password() {
    let begun = std::time::Instant::now();
    for (url, part) in [
        ("postgres://ann:s3cret@127.0.0.1:1/x", "refused"),
        ("postgres://ann:s3cret@127.0.0.1:1/x?sslmode=require&sslrootcert=/nowhere.pem", "/nowhere.pem"),
    ] {
        let error = Database::open(&url.parse().unwrap(), None, &Roots::default()).unwrap_err().to_string();
        assert!(
            error.contains(part) && error.contains("127.0.0.1:1/x") && !error.contains("s3cret"),
            "{error}"
        );
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
}
