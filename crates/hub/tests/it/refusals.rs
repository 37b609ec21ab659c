//! What a hub, a proxy or this machine refuses, and what is said about it.

use std::io::{Read, Write};

use earmark_hub::{HubError, Missing, Proxies};

use crate::server::{Fault, Server};
use crate::setup::Setup;

#[test]
fn what_is_not_there_is_named() {
    let mut s = Setup::new();
    s.file.path = "onnx/other.onnx".to_owned();
    let error = s.fetch().unwrap_err();
    assert!(matches!(error, HubError::NotFound { missing: Missing::File, .. }), "{error}");
    assert!(error.to_string().contains("onnx/other.onnx in org/model"), "{error}");

    for (code, expected) in [("RepoNotFound", Missing::Repo), ("RevisionNotFound", Missing::Revision)] {
        let s = Setup::new();
        let headers: &'static [(&str, &str)] = Box::leak(Box::new([("x-error-code", code)]));
        // The hub says 401 for a repository that does not exist, so as not to tell who has private ones.
        s.server.head_faults([Fault::Status(401, headers)]);
        let error = s.fetch_err();
        assert!(matches!(error, HubError::NotFound { missing, .. } if missing == expected), "{error}");
    }
}

#[test]
fn a_gated_repository_says_what_to_set() {
    let mut s = Setup::new();
    s.server.want_token("hf_right");
    let text = s.fetch_err().to_string();
    assert!(text.contains("HF_TOKEN") && text.contains("accept its terms"), "{text}");
    s.settings.token = earmark_hub::Token::new("hf_wrong");
    let text = s.fetch_err().to_string();
    assert!(text.contains("the token in use may not read it") && !text.contains("hf_wrong"), "{text}");
    s.settings.token = earmark_hub::Token::new("hf_right");
    s.fetch_ok();
}

#[test]
fn nobody_listening_and_no_such_host_are_told_apart_from_the_rest() {
    let mut s = Setup::new();
    s.settings.attempts = 1;
    // The port of a listener that is gone.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [format!("http://{address}"), "http://no-such-host.invalid".to_owned()] {
        s.settings.endpoint = endpoint.clone();
        let error = s.fetch_err();
        assert!(matches!(error, HubError::Unreachable { .. }), "{endpoint}: {error}");
    }
}

#[test]
fn a_server_without_tls_is_no_secure_hub() {
    let mut s = Setup::new();
    s.settings.attempts = 1;
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    s.settings.endpoint = format!("https://{}", plain.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = plain.accept().unwrap();
        // As servers greet a client that speaks TLS to their plain port.
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let _ = stream.read(&mut [0; 4096]);
    });
    let error = s.fetch_err();
    assert!(matches!(error, HubError::Tls { .. }), "{error:?}");
}

#[test]
fn the_proxy_of_the_scheme_is_used_and_exceptions_are_not() {
    let mut s = Setup::new();
    let proxy = Server::start();
    proxy.add(&s.file.repo, &s.file.path, remote(&s));
    s.settings.endpoint = "http://hub.invalid".to_owned();
    s.settings.proxies = Proxies { http: Some(proxy.url()), ..Proxies::default() };
    s.fetch_ok();
    let asked = proxy.requests();
    assert!(asked[0].method == "CONNECT" && asked[0].path == "hub.invalid:80", "{asked:?}");

    let mut s = Setup::new();
    let proxy = Server::start();
    let exceptions = vec!["127.0.0.1".to_owned()];
    s.settings.proxies = Proxies { http: Some(proxy.url()), exceptions, ..Proxies::default() };
    s.fetch_ok();
    assert!(proxy.requests().is_empty());
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let mut s = Setup::new();
    s.settings.attempts = 1;
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    s.settings.proxies.http = Some(format!("http://user:secret@{address}"));
    let error = s.fetch_err();
    assert!(matches!(error, HubError::Proxy { .. }), "{error:?}");
    assert!(error.to_string().contains("HTTPS_PROXY") && !error.to_string().contains("secret"), "{error}");
}

#[test]
fn a_file_larger_than_the_disk_is_not_begun() {
    let mut s = Setup::new();
    s.file.bytes = Some(1 << 60);
    s.server.head_faults([Fault::Status(200, &[("x-linked-size", "1152921504606846976")])]);
    let error = s.fetch_err();
    assert!(matches!(error, HubError::DiskFull { .. }), "{error}");
    assert!(s.server.ranges().is_empty());
}

#[test]
fn names_that_lead_out_of_the_cache_are_refused() {
    let good = Setup::new();
    let cases = [
        ("../org", "main", "a"),
        ("org/name/more", "main", "a"),
        ("org/na me", "main", "a"),
        ("org/name", "../../x", "a"),
        ("org/name", "main", "../../../../etc/passwd"),
        ("org/name", "main", "/etc/passwd"),
        ("org/name", "main", "C:\\x"),
        ("org/name", "main", ""),
    ];
    for (repo, revision, path) in cases {
        let mut s = Setup { dir: tempfile::tempdir().unwrap(), ..Setup::new() };
        (s.file.repo, s.file.revision, s.file.path) = (repo.into(), revision.into(), path.into());
        s.settings.endpoint = good.server.url();
        let error = s.fetch().unwrap_err();
        assert!(matches!(error, HubError::Name { .. }), "{repo} {revision} {path}: {error}");
    }
    assert!(good.server.requests().is_empty());
}

fn remote(s: &Setup) -> crate::server::Remote {
    crate::server::Remote { bytes: s.bytes.clone(), etag: s.file.sha256.clone().unwrap(), linked: true }
}
