//! The cache that is shared with the hub's own tools. That `huggingface_hub` reads what we write, and we what it writes,
//! is tried by hand (see `examples/fetch.rs`); this holds us to the layout.

use std::path::Path;

use earmark_hub::HubError;

use crate::server::{COMMIT, Remote};
use crate::setup::{LENGTH, Setup};

#[cfg(unix)]
#[test]
fn the_layout_is_the_one_of_the_hubs_tools() {
    let mut s = Setup::new();
    s.file.revision = "main".to_owned();
    let fetched = s.fetch_ok();
    assert_eq!(fetched.path, s.snapshot());
    let target = std::fs::read_link(s.snapshot()).unwrap();
    assert_eq!(target, Path::new("../../../blobs").join(s.file.sha256.as_ref().unwrap()));
    assert_eq!(std::fs::read_to_string(s.repo_folder().join("refs/main")).unwrap(), COMMIT);
    let lock = format!("hf/hub/.locks/models--org--model/{}.lock", s.file.sha256.as_ref().unwrap());
    assert!(s.dir.path().join(lock).is_file());
}

#[test]
fn what_is_there_needs_no_network() {
    let mut s = Setup::new();
    s.fetch_ok();
    let before = s.server.requests().len();
    assert!(s.fetch_ok().from_cache);
    assert_eq!(s.server.requests().len(), before);
    s.settings.offline = true;
    assert!(s.fetch_ok().from_cache);
}

#[test]
fn offline_says_what_is_missing_and_asks_nobody() {
    let mut s = Setup::new();
    s.settings.offline = true;
    let text = s.fetch_err().to_string();
    assert!(text.contains("HF_HUB_OFFLINE") && text.contains("onnx/audio.onnx"), "{text}");
    assert!(s.server.requests().is_empty());
}

#[test]
fn a_damaged_file_in_the_cache_is_found_and_downloaded_anew() {
    let s = Setup::new();
    s.fetch_ok();
    let mut damaged = s.bytes.clone();
    damaged[0] ^= 1;
    std::fs::write(s.blob(), damaged).unwrap();
    assert!(!s.fetch_ok().from_cache);
}

#[test]
fn a_good_file_that_is_not_the_one_pinned_is_left_alone() {
    let mut s = Setup::new();
    s.fetch_ok();
    let pinned = s.file.sha256.replace("0".repeat(64));
    assert!(matches!(s.fetch().unwrap_err(), HubError::Checksum { .. }));
    s.file.sha256 = pinned;
    assert!(s.fetch_ok().from_cache, "it belongs to the hub's tools too");
}

#[test]
fn a_blob_that_another_revision_brought_is_only_linked() {
    let mut s = Setup::new();
    s.fetch_ok();
    std::fs::remove_dir_all(s.repo_folder().join("snapshots")).unwrap();
    let before = s.server.ranges().len();
    assert!(s.fetch_ok().from_cache);
    assert_eq!(s.server.ranges().len(), before);
    s.file.revision = "main".to_owned();
    assert!(s.fetch_ok().from_cache);
}

#[test]
fn small_files_are_named_as_git_names_them() {
    let mut s = Setup::new();
    let text = b"hello\n".to_vec();
    let git = "ce013625030ba8dba906f756967f9e9ca394464a"; // git hash-object
    let remote = Remote { bytes: text.clone(), etag: git.to_owned(), linked: false };
    s.server.add("org/model", "config.json", remote);
    s.file.path = "config.json".to_owned();
    (s.file.bytes, s.file.sha256) = (None, None);
    let fetched = s.fetch().unwrap();
    assert_eq!(std::fs::read(&fetched.path).unwrap(), text);
    assert_eq!(fetched.sha256, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"); // sha256sum
    assert!(s.repo_folder().join("blobs").join(git).is_file());

    // Held against the name that git gives it, since nobody knows its SHA-256.
    std::fs::remove_dir_all(s.repo_folder()).unwrap();
    let remote = Remote { bytes: b"hullo\n".to_vec(), etag: git.to_owned(), linked: false };
    s.server.add("org/model", "config.json", remote);
    assert!(matches!(s.fetch().unwrap_err(), HubError::Checksum { .. }));
}

#[test]
fn a_tag_that_is_no_checksum_is_not_made_a_file_name() {
    let mut s = Setup::new();
    for tag in ["../../../evil", "W/abc", ""] {
        let remote = Remote { bytes: s.bytes.clone(), etag: tag.to_owned(), linked: true };
        s.server.add("org/model", "onnx/audio.onnx", remote);
        s.fetch_ok();
        assert!(s.blob().is_file(), "named by the checksum that was asked for");
        std::fs::remove_dir_all(s.repo_folder()).unwrap();
    }
    s.file.sha256 = None;
    assert!(matches!(s.fetch().unwrap_err(), HubError::Unverifiable { .. }));
}

#[test]
fn where_links_cannot_be_made_the_snapshot_has_the_file_itself() {
    let mut s = Setup::new();
    s.settings.no_symlinks = true;
    let fetched = s.fetch_ok();
    assert!(fetched.path.symlink_metadata().unwrap().is_file());
    assert_eq!(fetched.bytes, LENGTH as u64);
    assert!(s.fetch_ok().from_cache);
}
