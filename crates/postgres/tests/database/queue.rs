//! The queue: every file to one worker, and to another one where that is lost.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use earmark_index::{Change, IndexReader, IndexWriter};
use earmark_postgres::{Queue, QueuedFile};

use crate::common::{Numbers, meta, new_index, on_database};

fn all_folders() -> Vec<String> {
    vec!["/sounds".to_owned()]
}

fn files(n: usize) -> Vec<QueuedFile> {
    (0..n)
        .map(|i| QueuedFile { path: format!("/sounds/{i:04}.wav"), size: 5, mtime_ns: 7, force: false })
        .collect()
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn workers_at_once_get_each_file_once() {
    let (_database, index) = new_index(4);
    let queue = Queue::of(&index);
    assert_eq!(queue.add(&files(500)).unwrap(), 500);
    assert_eq!(queue.add(&files(501)).unwrap(), 1, "the others are there already");
    let taken: Vec<Vec<QueuedFile>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|number| {
                let queue = queue.clone();
                scope.spawn(move || {
                    let worker = queue.register("host", number).unwrap();
                    let mut all = Vec::new();
                    loop {
                        let lease = queue.take(worker, 7, &all_folders()).unwrap();
                        if lease.files.is_empty() {
                            return all;
                        }
                        queue.finish(worker, &lease.files, 0, 1.0).unwrap();
                        all.extend(lease.files);
                    }
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let all: Vec<&QueuedFile> = taken.iter().flatten().collect();
    let distinct: BTreeSet<&str> = all.iter().map(|file| file.path.as_str()).collect();
    assert_eq!((all.len(), distinct.len()), (501, 501));
    assert_eq!(all[0].size + all[0].mtime_ns.cast_unsigned(), 12);
    let progress = queue.progress().unwrap();
    assert_eq!((progress.waiting, progress.taken, progress.expired), (0, 0, 0));
    assert_eq!(progress.workers.iter().map(|worker| worker.files).sum::<i64>(), 501);
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn files_of_a_lost_worker_are_free_again_and_given_up_in_the_end() {
    let (database, index) = new_index(4);
    let queue = Queue::of(&index);
    queue.add(&files(3)).unwrap();
    let worker = queue.register("host", 0).unwrap();
    assert_eq!(queue.take(worker, 10, &all_folders()).unwrap().files.len(), 3);
    let other = queue.register("host", 100).unwrap();
    assert_eq!(
        queue.take(other, 10, &all_folders()).unwrap(),
        earmark_postgres::Lease::default(),
        "they are leased"
    );
    queue.renew(worker).unwrap();
    // As if the worker had been silent for long.
    let expire = "UPDATE earmark.work SET leased_until = now() - interval '1 second'";
    on_database(&database, expire);
    assert_eq!(queue.progress().unwrap().expired, 3);
    // One of them may be why: each is taken alone from now on.
    for number in 1..3 {
        let worker = queue.register("host", number).unwrap();
        let lease = queue.take(worker, 10, &all_folders()).unwrap();
        assert_eq!((lease.files.len(), lease.files[0].path.as_str()), (1, "/sounds/0000.wav"));
        on_database(&database, expire);
    }
    let worker = queue.register("host", 4).unwrap();
    let lease = queue.take(worker, 10, &all_folders()).unwrap();
    assert_eq!((lease.files.len(), lease.given_up.len()), (0, 1));
    queue.finish(worker, &lease.given_up, 1, 0.0).unwrap();
    assert_eq!(queue.left(&all_folders()).unwrap(), (2, 0));
    assert_eq!(queue.left(&["/sounds/0001.wav".to_owned()]).unwrap(), (1, 0));
    assert_eq!(
        queue.take(worker, 10, &["/elsewhere".to_owned()]).unwrap(),
        earmark_postgres::Lease::default()
    );
    queue.add(&[QueuedFile { force: true, ..files(2)[1].clone() }]).unwrap();
    assert!(queue.take(worker, 10, &all_folders()).unwrap().files[0].force);
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn what_is_given_back_was_not_tried_and_a_late_worker_strikes_nothing_off() {
    let (database, index) = new_index(4);
    let queue = Queue::of(&index);
    queue.add(&files(2)).unwrap();
    for number in 0..6 {
        let worker = queue.register("host", number).unwrap();
        assert_eq!(queue.take(worker, 10, &all_folders()).unwrap().files.len(), 2);
        queue.give_back(worker).unwrap();
    }
    let late = queue.register("host", 7).unwrap();
    let lease = queue.take(late, 10, &all_folders()).unwrap();
    on_database(&database, "UPDATE earmark.work SET leased_until = now() - interval '1 second'");
    let next = queue.register("host", 8).unwrap();
    assert_eq!(queue.take(next, 1, &all_folders()).unwrap().files.len(), 1);
    queue.finish(late, &lease.files, 0, 0.0).unwrap();
    assert_eq!(queue.progress().unwrap().taken, 1, "the file that the next worker has stays");
    assert_eq!(queue.clear().unwrap(), 0);
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn a_file_that_is_written_twice_is_one_clip() {
    let (_database, index) = new_index(4);
    let put = |numbers: &mut Numbers| Change::Put {
        meta: meta("/a.wav"),
        segments: numbers.segments(3, 4),
        texts: Vec::new(),
    };
    let writers: Vec<_> = (0..8)
        .map(|seed| {
            let index = index.clone();
            std::thread::spawn(move || index.apply(vec![put(&mut Numbers(seed))]).unwrap())
        })
        .collect();
    let ids: BTreeSet<Vec<u64>> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let stats = index.stats().unwrap();
    assert_eq!((stats.clips, stats.segments), (1, 3));
    assert_eq!(index.segments(*ids.first().unwrap().first().unwrap()).unwrap().len(), 3);
}
