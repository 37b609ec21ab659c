//! Servers that do what they should not.

use std::time::{Duration, Instant};

use earmark_hub::{Event, Hub, HubError};

use crate::server::{Fault, Server};
use crate::setup::{LENGTH, Setup};

#[test]
fn a_file_comes_whole_through_the_hubs_redirect() {
    let s = Setup::new();
    let fetched = s.fetch_ok();
    assert_eq!((fetched.bytes, fetched.from_cache), (LENGTH as u64, false));
    assert!(!s.incomplete().exists());
}

#[test]
fn a_silent_server_is_given_up_on_in_time() {
    let mut s = Setup::new();
    s.settings.attempts = 2;
    s.server.faults([Fault::Redirect("/store/org/model/resolve/x/onnx/audio.onnx".into())]);
    s.server.faults([Fault::StallAfter(1000, Duration::from_secs(60))]);
    s.server.faults([Fault::Redirect("/store/org/model/resolve/x/onnx/audio.onnx".into())]);
    s.server.faults([Fault::StallAfter(0, Duration::from_secs(60))]);
    let begun = Instant::now();
    let error = s.fetch_err();
    assert!(matches!(error, HubError::Stalled { .. }), "{error}");
    // Not the server's minute: the bound is generous for slow machines.
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(std::fs::metadata(s.incomplete()).unwrap().len(), 1000);
    s.fetch_ok();
}

#[test]
fn a_server_that_trickles_is_as_good_as_silent() {
    let mut s = Setup::new();
    s.settings.attempts = 1;
    skip_redirect(&s, Fault::Trickle(Duration::from_millis(20)));
    assert!(matches!(s.fetch_err(), HubError::Stalled { .. }));
}

#[test]
fn a_server_that_never_says_anything_is_given_up_on() {
    let mut s = Setup::new();
    s.settings.attempts = 1;
    s.settings.connect_timeout = Duration::from_millis(300);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    s.settings.endpoint = format!("http://{}", silent.local_addr().unwrap());
    let error = s.fetch_err();
    assert!(matches!(error, HubError::Stalled { .. }), "{error}");
}

#[test]
fn wrong_bytes_are_deleted_and_reported_with_both_checksums() {
    let s = Setup::new();
    let mut wrong = s.bytes.clone();
    wrong[LENGTH / 2] ^= 1;
    skip_redirect(&s, Fault::Instead(wrong));
    let error = s.fetch_err();
    assert!(matches!(error, HubError::Checksum { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(s.file.sha256.as_ref().unwrap()) && text.matches("sha256").count() == 2, "{text}");
    assert!(!s.incomplete().exists());
}

#[test]
fn another_file_than_the_one_pinned_is_refused_before_it_is_downloaded() {
    let mut s = Setup::new();
    s.file.sha256 = Some("0".repeat(64));
    assert!(matches!(s.fetch().unwrap_err(), HubError::Checksum { .. }));
    s.file.bytes = Some(5);
    s.file.sha256 = None;
    assert!(matches!(s.fetch().unwrap_err(), HubError::Length { expected: 5, .. }));
    assert!(s.server.ranges().is_empty(), "nothing was asked for");
}

#[test]
fn lies_about_length_are_not_believed() {
    for by in [-1, 1, 1_000_000] {
        let s = Setup::new();
        skip_redirect(&s, Fault::LengthLie(by));
        let error = s.fetch_err();
        assert!(matches!(error, HubError::Length { .. }), "{by}: {error}");
        assert!(!s.incomplete().exists());
    }
    // The hub itself, when asked.
    let s = Setup::new();
    s.server.head_faults([Fault::Status(200, &[("x-linked-size", "7")])]);
    assert!(matches!(s.fetch_err(), HubError::Length { received: 7, .. }));
}

#[test]
fn without_a_length_the_file_is_still_held_to_its_size() {
    let s = Setup::new();
    skip_redirect(&s, Fault::NoLength);
    s.fetch_ok();

    let s = Setup::new();
    skip_redirect(&s, Fault::Chunked(s.bytes.clone()));
    s.fetch_ok();

    let s = Setup::new();
    let long = [s.bytes.as_slice(), &[0]].concat();
    skip_redirect(&s, Fault::Chunked(long));
    assert!(matches!(s.fetch_err(), HubError::Length { .. }));
    assert!(!s.incomplete().exists());

    // Too short, and then the rest.
    let s = Setup::new();
    skip_redirect(&s, Fault::Chunked(s.bytes[..1000].to_vec()));
    s.fetch_ok();
    assert_eq!(s.server.ranges().last().unwrap().as_deref(), Some("bytes=1000-"));
}

#[test]
fn what_passes_is_tried_again_and_told() {
    let s = Setup::new();
    s.server.head_faults([Fault::Status(503, &[]), Fault::Garbage]);
    s.server.faults([
        Fault::Status(500, &[]),
        Fault::Status(429, &[("retry-after", "0")]),
        Fault::Garbage,
        Fault::Status(403, &[]),
    ]);
    // The last of these is from the endpoint, where it is no passing trouble.
    let error = s.fetch_err();
    assert!(matches!(error, HubError::Denied { status: 403, .. }), "{error}");

    s.server.faults([Fault::Status(500, &[]), Fault::Status(429, &[("retry-after", "0")])]);
    let mut retries = Vec::new();
    let hub = Hub::new(s.settings.clone()).unwrap();
    let fetched = hub.fetch(&s.file, &mut |event| {
        if let Event::Retrying { error, .. } = event {
            retries.push(error.to_string());
        }
    });
    assert!(!fetched.unwrap().from_cache);
    assert!(retries.len() == 2 && retries[0].contains("500") && retries[1].contains("429"), "{retries:?}");
}

#[test]
fn trouble_that_does_not_pass_is_not_tried_for_ever() {
    let s = Setup::new();
    s.server.head_faults(vec![Fault::Status(502, &[]); 20]);
    assert!(matches!(s.fetch_err(), HubError::Busy { status: 502, .. }));
    assert_eq!(s.server.requests().len(), s.settings.attempts as usize);

    // A server that asks for an hour is not waited for.
    let s = Setup::new();
    s.server.head_faults([Fault::Status(429, &[("retry-after", "3600")])]);
    let text = s.fetch_err().to_string();
    assert!(text.contains("429") && text.contains("3600 s"), "{text}");
    assert_eq!(s.server.requests().len(), 1);
}

#[test]
fn redirects_end() {
    let s = Setup::new();
    let here = format!("/{}/resolve/x/onnx/audio.onnx", s.file.repo);
    s.server.faults(vec![Fault::Redirect(here); 50]);
    let error = s.fetch_err();
    assert!(matches!(error, HubError::Redirect { .. }), "{error}");
    assert!(s.server.ranges().len() < 20);

    let s = Setup::new();
    s.server.faults([Fault::Redirect("file:///etc/passwd".into())]);
    assert!(matches!(s.fetch_err(), HubError::Redirect { .. }));
}

#[test]
fn the_token_goes_to_the_endpoint_and_to_nobody_else() {
    let mut s = Setup::new();
    s.settings.token = earmark_hub::Token::new("hf_secret");
    s.server.want_token("hf_secret");
    let other = Server::start();
    other.add(
        &s.file.repo,
        &s.file.path,
        crate::server::Remote { bytes: s.bytes.clone(), etag: "other".into(), linked: false },
    );
    s.server.faults([Fault::Redirect(format!("{}/org/model/resolve/x/onnx/audio.onnx?sig=1", other.url()))]);
    other.faults([]);
    let fetched = s.fetch();
    // The other server knows no query strings; what matters is what it was sent.
    drop(fetched);
    assert!(s.server.requests().iter().all(|r| r.headers.contains_key("authorization")));
    assert!(!other.requests().is_empty());
    assert!(other.requests().iter().all(|r| !r.headers.contains_key("authorization")));
}

/// The fault for the request after the hub's redirect, which is where the bytes come from.
fn skip_redirect(s: &Setup, fault: Fault) {
    s.server.faults([Fault::Redirect("/store/org/model/resolve/x/onnx/audio.onnx".into()), fault]);
}
