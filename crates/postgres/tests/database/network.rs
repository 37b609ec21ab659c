//! What goes over the network: TLS, and how often an answer is waited for.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;

use earmark_index::{Change, Filter, IndexReader, IndexWriter, NameQuery, SearchRequest};
use earmark_postgres::{Database, Roots};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::common::{Numbers, identity, meta, new_database};
use crate::proxy::Proxy;

/// A file of `tests/tls`.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

fn certificate() -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_file(file("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap())
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn a_server_is_spoken_to_by_tls_only_if_its_certificate_holds() {
    let direct = new_database();
    Database::migrate(&direct, None, &Roots::default()).unwrap();
    let proxy = Proxy::start(Some(certificate()));
    let authority = file("ca.pem");
    let trusted = format!("sslmode=require&sslrootcert={}", authority.display());
    let open = |host: &str, settings: &str| {
        Database::open(&proxy.url(&direct, host, settings), None, &Roots::default())
    };
    let database = open("localhost", &trusted).unwrap();
    let index = database.index(&database.make(&identity(8)).unwrap());
    let mut numbers = Numbers(5);
    let change = Change::Put { meta: meta("/a.wav"), segments: numbers.segments(3, 8), texts: Vec::new() };
    let id = index.apply(vec![change]).unwrap()[0];
    let hits = index.search(&numbers.unit(8), &SearchRequest::default()).unwrap().hits;
    assert_eq!(hits.iter().map(|hit| hit.clip.id).collect::<Vec<_>>(), [id]);

    for (host, settings, part) in [
        // The system's authorities have not signed it.
        ("localhost", "sslmode=require", "certificate"),
        ("localhost", "sslmode=verify-full", "certificate"),
        // It is for another name.
        ("127.0.0.1", trusted.as_str(), "certificate"),
        ("localhost", "sslmode=require&sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem"),
    ] {
        let error = open(host, settings).unwrap_err().to_string();
        assert!(error.contains(part), "{host} {settings}: {error}");
    }
    // A server without TLS is not spoken to where TLS is asked for.
    let plain = Proxy::start(None);
    let error =
        Database::open(&plain.url(&direct, "localhost", &trusted), None, &Roots::default()).unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --postgres"]
fn a_call_waits_for_an_answer_once() {
    let direct = new_database();
    Database::migrate(&direct, None, &Roots::default()).unwrap();
    let proxy = Proxy::start(None);
    let url = proxy.url(&direct, "localhost", "");
    let database = Database::open(&url, None, &Roots::default()).unwrap();
    let space = database.make(&identity(8)).unwrap();
    let index = database.index(&space);
    let mut numbers = Numbers(9);
    let mut put = |number: usize| Change::Put {
        meta: meta(&format!("/sounds/dog barking {number}.wav")),
        segments: numbers.segments(3, 8),
        texts: vec![crate::common::text("title", "a dog")],
    };
    let changes: Vec<Change> = (0..100).map(&mut put).collect();
    index.apply(vec![put(200)]).unwrap();
    proxy.turns();
    let ids = index.apply(changes).unwrap();
    let turns = proxy.turns();
    assert!(turns <= 16, "a batch of 100 clips: {turns}");

    let query = numbers.unit(8);
    let request = SearchRequest::default();
    index.search(&query, &request).unwrap();
    proxy.turns();
    let names = NameQuery::parse(r#"dog barking "dog barking" -cat"#);
    let calls: [(&str, &dyn Fn()); 7] = [
        ("search", &|| drop(index.search(&query, &request).unwrap())),
        ("named", &|| drop(index.named(&names, &Filter::default(), 10).unwrap())),
        ("best_of", &|| drop(index.best_of(&query, &ids).unwrap())),
        ("spread", &|| assert_eq!(index.spread(&query).unwrap().sampled, 303)),
        ("texts", &|| drop(index.texts(&ids).unwrap())),
        ("segments_of_clips", &|| drop(index.segments_of_clips(&ids).unwrap())),
        ("vectors", &|| drop(index.vectors(&[(ids[0], 1), (ids[5], 2)]).unwrap())),
    ];
    for (name, call) in calls {
        call();
        let turns = proxy.turns();
        // A count of all clips is kept for a while, and more candidates are fetched where they are alike.
        let most = if ["search", "named", "spread"].contains(&name) { 2 } else { 1 };
        assert!(turns <= most, "{name}: {turns}");
    }
    let filtered =
        SearchRequest { filter: Filter { formats: vec!["wav".into()], ..Filter::default() }, ..request };
    index.search(&query, &filtered).unwrap();
    let turns = proxy.turns();
    assert!(turns <= 3, "the count, and the search, twice where candidates are alike: {turns}");
}
