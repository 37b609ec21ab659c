//! Full disks and read-only ones, on small tmpfs mounts. Mounting needs root: without it these tests say so
//! and pass.

use std::path::Path;
use std::process::Command;

use earmark_index::{
    Change, Error, Filter, IndexReader, IndexWriter, OpenOptions, SearchMode, Snapshot, Writer,
};

use crate::common::{Rng, expect_clean, filled, identity, put, search, search_at};

const DIM: usize = 64;

/// A mounted tmpfs, unmounted when dropped.
pub(crate) struct Mount(tempfile::TempDir);

impl Mount {
    pub(crate) fn new(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "earmark-test"])
            .arg(dir.path())
            .output()
            .is_ok_and(|out| out.status.success());
        if !mounted {
            println!("skipped: mounting a tmpfs needs root");
        }
        mounted.then(|| Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn remount(&self, options: &str) {
        let args = ["-o", &format!("remount,{options}")];
        // Busy while sled's threads still hold files that they were writing.
        let remounted = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            Command::new("mount").args(args).arg(self.path()).output().unwrap().status.success()
        });
        assert!(remounted, "the disk stays busy");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: sled's threads may take a moment to let go of the files.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_is_said_and_loses_nothing_acknowledged() {
    let Some(mount) = Mount::new("size=3m") else { return };
    let opts = OpenOptions::default();
    let index = Writer::create_or_open(mount.path(), &identity(DIM), &opts).unwrap();
    let mut rng = Rng(1);
    let mut acknowledged = 0;
    let error = loop {
        match index.apply(vec![put(&format!("/{acknowledged}.wav"), &mut rng, DIM, 20)]) {
            Ok(_) => acknowledged += 1,
            Err(e) => break e,
        }
        assert!(acknowledged < 2000, "the disk does not fill up");
    };
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    println!("{acknowledged} clips fit; {error}");
    let again = index.apply(vec![put("/again.wav", &mut rng, DIM, 1)]).unwrap_err();
    assert!(matches!(again, Error::Failed { .. }), "{again:?}");
    drop(index);

    // Still full: reading works or says why; with space, everything acknowledged is there.
    match Writer::open(mount.path(), None, &opts) {
        Ok(index) => assert!(index.snapshot().unwrap().stats().unwrap().clips >= acknowledged),
        Err(e) => assert!(matches!(e, Error::DiskFull { .. }), "{e:?}"),
    }
    mount.remount("size=64m");
    let index = Writer::open(mount.path(), None, &opts).unwrap();
    assert_eq!(index.take_events(), [], "nothing acknowledged was lost");
    for i in 0..acknowledged {
        assert!(
            index.snapshot().unwrap().clip_by_path(&format!("/{i}.wav")).unwrap().is_some(),
            "{i} of {acknowledged}"
        );
    }
    expect_clean(&index);
    index.apply(vec![put("/again.wav", &mut rng, DIM, 1)]).unwrap();
}

#[test]
fn a_read_only_disk_can_be_searched() {
    let Some(mount) = Mount::new("size=64m") else { return };
    let query = Rng(1).clustered(DIM, 20);
    let index = filled(mount.path(), DIM, 700, 4);
    let truth = search(&index, &query, SearchMode::Exact);
    drop(index);
    mount.remount("ro");
    let opts = OpenOptions::default();
    let error = Writer::open(mount.path(), None, &opts).err().unwrap();
    assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
    let index = Snapshot::open(mount.path(), Some(&identity(DIM)), &opts).unwrap();
    assert_eq!(index.take_events(), []);
    assert_eq!(search_at(mount.path(), &query, SearchMode::Auto), truth);
    assert!(index.audit().unwrap().is_clean());
    assert_eq!(index.clips(&Filter::default()).unwrap().len(), 700);
}

#[test]
fn what_was_never_published_says_so_on_a_read_only_disk() {
    let Some(mount) = Mount::new("size=64m") else { return };
    drop(filled(mount.path(), DIM, 10, 4));
    std::fs::remove_dir_all(mount.path().join("published")).unwrap();
    mount.remount("ro");
    let error = Snapshot::open(mount.path(), None, &OpenOptions::default()).err().unwrap();
    assert!(matches!(error, Error::Unpublished { .. }), "{error:?}");
    assert!(error.to_string().contains("no files that can be read"));
}

#[test]
fn a_full_disk_can_be_searched_and_written_again_when_there_is_room() {
    let Some(mount) = Mount::new("size=6m") else { return };
    let opts = OpenOptions::default();
    let index = filled(mount.path(), DIM, 300, 4);
    let query = Rng(1).clustered(DIM, 20);
    let ballast = mount.path().join("ballast");
    std::fs::write(&ballast, vec![1; 8 << 20]).unwrap_err();
    assert_eq!(search_at(mount.path(), &query, SearchMode::Auto), search(&index, &query, SearchMode::Exact));
    // The store may still find room within its own files; what is not acknowledged, or not published, says
    // so.
    let mut rng = Rng(3);
    let mut acknowledged = 0;
    let error =
        (0..500).find_map(|i| match index.apply(vec![put(&format!("/more{i}.wav"), &mut rng, DIM, 20)]) {
            Ok(_) => {
                acknowledged += 1;
                None
            }
            Err(e) => Some(e),
        });
    assert!(matches!(error, Some(Error::DiskFull { .. })), "{error:?}");
    drop(index);
    assert!(Snapshot::open(mount.path(), None, &opts).unwrap().stats().unwrap().clips >= 300);
    std::fs::remove_file(&ballast).unwrap();
    let index = Writer::open(mount.path(), None, &opts).unwrap();
    let clips = index.snapshot().unwrap().stats().unwrap().clips;
    assert!(
        (300 + acknowledged..=301 + acknowledged).contains(&clips),
        "{clips}, {acknowledged} acknowledged"
    );
    index.apply(vec![put("/again.wav", &mut rng, DIM, 1)]).unwrap();
    expect_clean(&index);
    let left = std::fs::read_dir(mount.path().join("published")).unwrap().map(|e| e.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with(".tmp")));
}

#[test]
fn the_room_of_removed_clips_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    // Wide vectors, so that there is something to give back: 10,000 rows are 80 MB.
    const WIDE: usize = 2048;
    let index = Writer::create_or_open(dir.path(), &identity(WIDE), &OpenOptions::default()).unwrap();
    let mut rng = Rng(5);
    for i in 0..400 {
        index.apply(vec![put(&format!("/{i}.wav"), &mut rng, WIDE, 25)]).unwrap();
    }
    let before = index.snapshot().unwrap().stats().unwrap();
    for i in 0..400 {
        if i % 3 > 0 {
            index.apply(vec![Change::RemoveAt(format!("/{i}.wav"))]).unwrap();
        }
    }
    let freed = index.tidy().unwrap();
    let index = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
    assert_eq!(index.take_events(), []);
    let after = index.snapshot().unwrap().stats().unwrap();
    println!("{} bytes, {} after removing two thirds; {freed} freed", before.disk_bytes, after.disk_bytes);
    assert_eq!(after.clips, 134);
    assert!(after.dead < after.segments / 3, "{after:?}");
    assert!(after.disk_bytes < before.disk_bytes / 2, "{} of {}", after.disk_bytes, before.disk_bytes);
    expect_clean(&index);
    // Again finds nothing to do.
    let bytes = after.disk_bytes;
    index.tidy().unwrap();
    let index = Writer::open(dir.path(), None, &OpenOptions::default()).unwrap();
    assert_eq!(index.snapshot().unwrap().stats().unwrap().disk_bytes, bytes);
}

#[test]
fn a_store_that_cannot_be_written_anew_stays_as_it_is() {
    let Some(mount) = Mount::new("size=700m") else { return };
    const WIDE: usize = 2048;
    let index = Writer::create_or_open(mount.path(), &identity(WIDE), &OpenOptions::default()).unwrap();
    let mut rng = Rng(5);
    for i in 0..300 {
        index.apply(vec![put(&format!("/{i}.wav"), &mut rng, WIDE, 25)]).unwrap();
    }
    let removed: Vec<_> = (0..200).map(|i| Change::RemoveAt(format!("/{i}.wav"))).collect();
    index.apply(removed).unwrap();
    let ballast = mount.path().join("ballast");
    std::fs::write(&ballast, vec![1; 800 << 20]).unwrap_err();
    let error = index.tidy().unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    std::fs::remove_file(&ballast).unwrap();
    let index = Writer::open(mount.path(), None, &OpenOptions::default()).unwrap();
    assert_eq!(index.take_events(), []);
    assert_eq!(index.snapshot().unwrap().stats().unwrap().clips, 100);
    expect_clean(&index);
}
