//! Downloads that were cut.

use earmark_hub::{Event, Hub, HubError};

use crate::server::{Fault, Remote};
use crate::setup::{LENGTH, PATH, REPO, Setup, sha256};

const STORE: &str = "/store/org/model/resolve/x/onnx/audio.onnx";

fn redirect() -> Fault {
    Fault::Redirect(STORE.into())
}

#[test]
fn a_cut_connection_is_taken_up_where_it_ended() {
    let s = Setup::new();
    s.server.faults([redirect(), Fault::CutAfter(70_000), redirect(), Fault::CutAfter(30_000)]);
    s.fetch_ok();
    let ranges = s.server.ranges();
    assert!(ranges.contains(&Some("bytes=70000-".into())), "{ranges:?}");
    assert!(ranges.contains(&Some("bytes=100000-".into())), "{ranges:?}");
}

#[test]
fn a_later_run_goes_on_from_what_an_earlier_one_left() {
    let mut s = Setup::new();
    s.settings.attempts = 1;
    s.server.faults([redirect(), Fault::CutAfter(150_000)]);
    assert!(matches!(s.fetch_err(), HubError::Cut { received: 150_000, .. }));
    let mut started = None;
    let hub = Hub::new(s.settings.clone()).unwrap();
    let mut tell = |event: Event| {
        if let Event::Started { have, total } = event {
            started = Some((have, total));
        }
    };
    hub.fetch(&s.file, &mut tell).unwrap();
    assert_eq!(started, Some((150_000, Some(LENGTH as u64))));
    assert_eq!(s.server.ranges().last().unwrap().as_deref(), Some("bytes=150000-"));
    s.fetch_ok();
}

#[test]
fn a_server_that_ignores_ranges_starts_over() {
    let s = Setup::new();
    s.leave_incomplete(&s.bytes[..1000]);
    s.server.faults([redirect(), Fault::IgnoreRange]);
    s.fetch_ok();
}

#[test]
fn an_answer_to_another_range_is_not_appended() {
    for lie in ["bytes 0-199999/200000", "bytes 999-199999/200000", "nonsense"] {
        let s = Setup::new();
        s.leave_incomplete(&s.bytes[..1000]);
        s.server.faults([redirect(), Fault::ContentRange(lie)]);
        s.fetch_ok();
        assert_eq!(s.server.ranges().last().unwrap(), &None, "{lie}: starts over");
    }
    let mut s = Setup::new();
    s.settings.attempts = 1;
    s.leave_incomplete(&s.bytes[..1000]);
    s.server.faults([redirect(), Fault::ContentRange("bytes 1000-5000/5001")]);
    assert!(matches!(s.fetch_err(), HubError::Length { received: 5001, .. }));
}

#[test]
fn a_bad_beginning_is_found_out_and_downloaded_anew() {
    let s = Setup::new();
    s.leave_incomplete(&[7; 1000]);
    s.fetch_ok();
    // All of it there, and wrong.
    let s = Setup::new();
    s.leave_incomplete(&[7; LENGTH]);
    s.fetch_ok();
    // More than all of it.
    let s = Setup::new();
    s.leave_incomplete(&[7; LENGTH + 1]);
    s.fetch_ok();
}

#[test]
fn a_complete_beginning_only_needs_its_name() {
    let s = Setup::new();
    s.leave_incomplete(&s.bytes);
    s.fetch_ok();
    assert!(s.server.ranges().is_empty());
}

#[test]
fn a_server_that_always_cuts_is_given_up_on() {
    let s = Setup::new();
    for _ in 0..20 {
        s.server.faults([redirect(), Fault::CutAfter(10)]);
    }
    assert!(matches!(s.fetch_err(), HubError::Cut { received: 50, .. }));
}

#[test]
fn bytes_that_come_again_and_again_are_no_progress() {
    let mut s = Setup::new();
    s.bytes = s.bytes.repeat(15);
    let sha256 = sha256(s.dir.path(), &s.bytes);
    s.server.add(REPO, PATH, Remote { bytes: s.bytes.clone(), etag: sha256.clone(), linked: true });
    (s.file.bytes, s.file.sha256) = (Some(s.bytes.len() as u64), Some(sha256));
    for _ in 0..20 {
        s.server.faults([redirect(), Fault::CutAfter(2 << 20), redirect(), Fault::ContentRange("nonsense")]);
    }
    assert!(matches!(s.fetch_err(), HubError::Cut { .. }));
    assert!(s.server.ranges().len() <= 10, "{:?}", s.server.ranges());
}

#[test]
fn two_at_once_download_it_once() {
    let s = Setup::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| s.fetch_ok());
        }
    });
    assert_eq!(s.server.requests().iter().filter(|r| r.path.starts_with("/store/")).count(), 1);
}
