//! A proxy in front of the test server: it counts round trips, and speaks TLS, which the server does not.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use earmark_postgres::DatabaseUrl;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::common::server;

/// What a client sends that wants to speak TLS: its length, and PostgreSQL's number for it.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// How long an answer takes, so that what a client sends without waiting for one is sent by then.
const DISTANCE: Duration = Duration::from_millis(10);

/// Listens until it is dropped.
pub(crate) struct Proxy {
    port: u16,
    turns: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Proxy {
    /// In front of the test server; `tls`: with this certificate.
    pub(crate) fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let server: DatabaseUrl = server().parse().unwrap();
        let address = server.to_string();
        let address = address.trim_start_matches("postgres://").split('/').next().unwrap();
        let address: SocketAddr = address.parse().unwrap();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(
                    client,
                    address,
                    tls.clone().map(TlsAcceptor::from),
                    Arc::clone(&counted),
                ));
            }
        });
        Self { port, turns, _runtime: runtime }
    }

    /// A database's address by way of this, at `host`, with `settings` after the `?`.
    pub(crate) fn url(&self, database: &DatabaseUrl, host: &str, settings: &str) -> DatabaseUrl {
        let direct = database.to_string();
        let (_, name) = direct.rsplit_once('/').unwrap();
        let server = server();
        let (user, _) = server.trim_start_matches("postgres://").split_once('@').unwrap();
        format!("postgres://{user}@{host}:{}/{name}?{settings}", self.port).parse().unwrap()
    }

    /// How often the client has spoken and waited for an answer since this was asked last.
    pub(crate) fn turns(&self) -> usize {
        self.turns.swap(0, Ordering::SeqCst)
    }
}

async fn serve(
    mut client: TcpStream,
    server: SocketAddr,
    tls: Option<TlsAcceptor>,
    turns: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    match tls {
        Some(tls) => {
            let mut request = [0; 8];
            client.read_exact(&mut request).await?;
            assert_eq!(request, TLS_REQUEST);
            client.write_all(b"S").await?;
            relay(tls.accept(client).await?, server, &turns).await
        }
        None => relay(client, server, &turns).await,
    }
}

async fn relay<C: AsyncRead + AsyncWrite>(
    client: C,
    server: TcpStream,
    turns: &AtomicUsize,
) -> std::io::Result<()> {
    let (from_client, to_client) = split(client);
    let (from_server, to_server) = split(server);
    let is_clients_turn = AtomicBool::new(true);
    let asked = pass(from_client, to_server, Duration::ZERO, || {
        if is_clients_turn.swap(false, Ordering::SeqCst) {
            turns.fetch_add(1, Ordering::SeqCst);
        }
    });
    let answered = pass(from_server, to_client, DISTANCE, || is_clients_turn.store(true, Ordering::SeqCst));
    tokio::try_join!(asked, answered).map(drop)
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
    passed: impl Fn(),
) -> std::io::Result<()> {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let n = from.read(&mut bytes).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        tokio::time::sleep(delay).await;
        passed();
        to.write_all(&bytes[..n]).await?;
        to.flush().await?;
    }
}
