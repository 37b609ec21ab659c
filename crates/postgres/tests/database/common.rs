//! A database of its own for each test, on the server that `cargo xtask test --postgres` starts.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::sync::atomic::{AtomicU32, Ordering};

use earmark_index::{ClipMeta, ClipText, Identity, Segment};
use earmark_postgres::{Database, DatabaseUrl, PgIndex, Roots};

/// The address of the server: a user who may make databases, and one database to connect to.
pub(crate) fn server() -> String {
    std::env::var("EARMARK_TEST_POSTGRES").expect("run these tests with `cargo xtask test --postgres`")
}

/// The address of a new, empty database.
pub(crate) fn new_database() -> DatabaseUrl {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    admin(&format!("CREATE DATABASE {name}"));
    let server = server();
    let (address, query) = server.split_once('?').unwrap_or((&server, ""));
    let (address, _) = address.rsplit_once('/').unwrap();
    format!("{address}/{name}?{query}").parse().unwrap()
}

/// Runs a statement in a test's own database.
pub(crate) fn on_database(database: &Database, statement: &str) {
    let (_, name) = database.place().rsplit_once('/').unwrap();
    let server = server();
    let (address, _) = server.rsplit_once('/').unwrap();
    run_at(&format!("{address}/{name}"), statement);
}

/// Runs a statement as the server's administrator.
pub(crate) fn admin(statement: &str) {
    run_at(&server(), statement);
}

fn run_at(url: &str, statement: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(statement).await.unwrap();
    });
}

pub(crate) fn identity(dim: usize) -> Identity {
    Identity { model_id: "m".into(), manifest_hash: "h".into(), pipeline_version: 1, dim }
}

/// An empty space of vectors with `dim` elements.
pub(crate) fn new_index(dim: usize) -> (Database, PgIndex) {
    let database = Database::migrate(&new_database(), None, &Roots::default()).unwrap();
    let space = database.make(&identity(dim)).unwrap();
    let index = database.index(&space);
    (database, index)
}

pub(crate) fn meta(path: &str) -> ClipMeta {
    let hash = path.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let mut content_hash = [0; 32];
    content_hash[..8].copy_from_slice(&hash.to_le_bytes());
    ClipMeta {
        path: path.into(),
        content_hash,
        mtime_ns: 1_700_000_000_123_456_789,
        size: 44,
        duration_s: 1.5,
        sample_rate: 48_000,
        channels: 2,
        format: "wav".into(),
        decoder: None,
        tags: Vec::new(),
        indexed_unix_s: 1_700_000_000,
    }
}

pub(crate) fn text(name: &str, text: &str) -> ClipText {
    ClipText { name: name.into(), text: text.into() }
}

/// Numbers that look random and are the same each time.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }

    /// A vector of length 1; many of them are close to one of a few.
    pub(crate) fn unit(&mut self, dim: usize) -> Vec<f32> {
        let centre = self.below(3);
        let raw: Vec<f32> = (0..dim)
            .map(|i| if i % 3 == centre { 1.0 } else { 0.0 } + self.below(1000) as f32 / 2e5)
            .collect();
        let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.iter().map(|x| x / norm).collect()
    }

    /// A vector of length 1 in any direction.
    pub(crate) fn any_unit(&mut self, dim: usize) -> Vec<f32> {
        let raw: Vec<f32> = (0..dim).map(|_| self.below(2000) as f32 / 1000.0 - 1.0).collect();
        let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.iter().map(|x| x / norm).collect()
    }

    pub(crate) fn segments(&mut self, n: usize, dim: usize) -> Vec<Segment> {
        (0..n).map(|i| Segment { start_s: i as f64, end_s: i as f64 + 1.5, vector: self.unit(dim) }).collect()
    }
}
