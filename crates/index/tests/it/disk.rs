//! Full disks and read-only ones, on small tmpfs mounts. Mounting needs root: without it these tests say so
//! and pass.

use std::path::Path;
use std::process::Command;

use earmark_index::{Change, Error, Index, IndexEvent, OpenOptions, SearchMode};

use crate::common::{Rng, filled, identity, meta, put, search};

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
    let index = Index::create_or_open(mount.path(), &identity(DIM), &opts).unwrap();
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
    match Index::open(mount.path(), None, &opts) {
        Ok(index) => assert!(index.stats().unwrap().clips >= acknowledged),
        Err(e) => assert!(matches!(e, Error::DiskFull { .. }), "{e:?}"),
    }
    mount.remount("size=64m");
    let index = Index::open(mount.path(), None, &opts).unwrap();
    assert_eq!(index.take_events(), [], "nothing acknowledged was lost");
    for i in 0..acknowledged {
        assert!(index.clip_by_path(&format!("/{i}.wav")).unwrap().is_some(), "{i} of {acknowledged}");
    }
    let audit = index.audit().unwrap();
    assert!(audit.is_clean(), "{audit:?}");
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
    let error = Index::open(mount.path(), None, &opts).err().unwrap();
    assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
    let index = Index::open_read_only(mount.path(), Some(&identity(DIM)), &opts).unwrap();
    let events = index.take_events();
    let [IndexEvent::OpenedCopy { to, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(search(&index, &query, SearchMode::Exact), truth);
    assert_eq!(search(&index, &query, SearchMode::Graph).len(), truth.len());
    let refused = index.apply(vec![Change::Put { meta: meta("/x.wav"), segments: vec![] }]).unwrap_err();
    assert!(matches!(refused, Error::ReadOnly { .. }));
    assert!(index.audit().unwrap().is_clean());
    drop(index);
    assert!(!to.exists());
}

#[test]
fn opened_for_reading_on_a_writable_disk() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), DIM, 3, 4));
    let index = Index::open_read_only(dir.path(), None, &OpenOptions::default()).unwrap();
    assert!(matches!(index.apply(vec![Change::Remove(1)]), Err(Error::ReadOnly { .. })));
    assert!(matches!(index.rebuild(), Err(Error::ReadOnly { .. })));
    assert_eq!(index.clips().unwrap().count(), 3);
    assert_eq!(index.take_events(), []);
}

#[test]
fn a_disk_too_full_for_the_caches_still_searches() {
    let Some(mount) = Mount::new("size=5m") else { return };
    let opts = OpenOptions { graph_min_rows: 1000, ..OpenOptions::default() };
    let index = filled(mount.path(), DIM, 600, 4);
    drop(index);
    let ballast = mount.path().join("ballast");
    std::fs::write(&ballast, vec![1; 8 << 20]).unwrap_err();
    let error = Index::open(mount.path(), None, &opts).err().unwrap();
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    let index = Index::open_read_only(mount.path(), None, &opts).unwrap();
    assert!(matches!(index.take_events()[..], [IndexEvent::OpenedCopy { .. }]));
    assert_eq!(index.stats().unwrap().segments, 2400);
    drop(index);

    // Enough for sled to open (one log segment of its own), too little for the caches.
    let full = std::fs::metadata(&ballast).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&ballast).unwrap().set_len(full - (690 << 10)).unwrap();
    let index = match Index::open(mount.path(), None, &opts) {
        Err(Error::DiskFull { .. }) => return println!("skipped: sled wants more space"),
        index => index.unwrap(),
    };
    index.refresh_graph().unwrap();
    let query = Rng(1).clustered(DIM, 20);
    assert_eq!(search(&index, &query, SearchMode::Exact).len(), 10);
    let events = index.take_events();
    assert!(events.iter().any(|e| matches!(e, IndexEvent::CacheNotSaved { .. })), "{events:?}");
    // What could not be written left nothing behind.
    let left =
        std::fs::read_dir(mount.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = left.filter(|name| name.starts_with(".tmp") || name.starts_with("graph-")).collect();
    assert_eq!(left, [""; 0]);
}
