//! The listener: from its first connection to its last.

use std::sync::Arc;
use std::time::Duration;

use earmark_engine::EngineOptions;
use earmark_library::Library;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::router::router;
use crate::state::App;

/// How long requests may go on once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// How long a client may take to say what it wants, and a connection may be idle.
const HEAD: Duration = Duration::from_secs(30);

/// Why a server cannot be started, or not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("{address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The system has no threads left, or the like.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The library cannot be used.
    #[error(transparent)]
    Library(#[from] earmark_library::Error),
    /// A library is at work already.
    #[error("a library is open already")]
    AlreadyOpen,
    /// A thread of the server panicked.
    #[error("internal error: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

/// Listens and answers until Ctrl-C or SIGTERM, then finishes what was begun; a second signal ends the process.
/// The library is opened by `open`, on a thread of its own, while the server answers 503; the options are those
/// of the engine that works for jobs. `ready` receives the address at once.
///
/// # Errors
/// [`ServeError`].
pub fn serve(
    app: &App,
    open: impl FnOnce() -> Result<(Library, EngineOptions), earmark_library::Error> + Send + 'static,
    ready: impl FnOnce(std::net::SocketAddr),
) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // The gates decide how many work; this is only an upper bound.
        .max_blocking_threads(1024)
        .build()?;
    let result = runtime.block_on(run(app, open, ready));
    // What is at work holds the index; it is let go of before the process ends.
    runtime.shutdown_timeout(DRAIN);
    result
}

async fn run(
    app: &App,
    open: impl FnOnce() -> Result<(Library, EngineOptions), earmark_library::Error> + Send + 'static,
    ready: impl FnOnce(std::net::SocketAddr),
) -> Result<(), ServeError> {
    let address = app.inner.config.listen;
    let listen = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    ready(listener.local_addr()?);
    let opening = app.clone();
    let mut opening = tokio::task::spawn_blocking(move || {
        let opened = open().map_err(ServeError::from);
        let opened = opened.and_then(|(library, jobs)| opening.open(library, jobs));
        if let Err(reason) = &opened {
            opening.fail(reason.to_string());
        }
        opened
    });
    let (quit, quitting) = watch::channel(false);
    let mut server = tokio::spawn(answer(listener, app.clone(), quitting));
    let mut outcome = Ok(());
    let stop = signal();
    tokio::pin!(stop);
    let mut is_opening = true;
    loop {
        tokio::select! {
            () = &mut stop => break,
            ended = &mut server => return Ok(ended?),
            opened = &mut opening, if is_opening => {
                is_opening = false;
                outcome = opened.map_err(ServeError::from).and_then(|opened| opened);
                if outcome.is_err() {
                    break;
                }
                tracing::info!("the library is open");
            }
        }
    }
    if outcome.is_ok() {
        tracing::info!("stopping: finishing what was begun");
    }
    let _ = quit.send(true);
    tokio::spawn(async {
        signal().await;
        std::process::exit(130);
    });
    let stopping = app.clone();
    let jobs = tokio::task::spawn_blocking(move || stopping.shut_down());
    if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
        tracing::warn!("some requests took too long and were cut off");
        server.abort();
    }
    let _ = jobs.await;
    outcome
}

/// Takes connections until told to quit, then lets those there are finish what they ask.
async fn answer(listener: TcpListener, app: App, mut quitting: watch::Receiver<bool>) {
    let places =
        Arc::new(Semaphore::new(app.inner.config.limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let router = router(app);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let open = GracefulShutdown::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            _ = quitting.wait_for(|quit| *quit) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(e) => {
                // As when there are no more file descriptors; some will be free again.
                tracing::warn!(error = %e, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Answers and events are written whole; there is nothing to wait for.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(e) = connection.await {
                tracing::debug!(error = %e, "connection");
            }
            drop(place);
        });
    }
    // Whoever comes now is refused at once instead of waiting for an answer that never comes.
    drop(listener);
    open.shutdown().await;
}

/// Ctrl-C, or SIGTERM where there is one.
async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => return,
                _ = terminate.recv() => return,
            }
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Logs to standard error; `EARMARK_LOG` says how much, as in `info` or `earmark_server=debug`.
pub fn log(json: bool) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("EARMARK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = if json { logs.json().try_init() } else { logs.with_target(false).try_init() };
}
