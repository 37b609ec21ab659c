//! The listener: from its first connection to its last.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::router::router;
use crate::state::{App, Library};

/// How long requests may go on once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// How long a client may take to say what it wants, and a connection may be idle.
const HEAD: Duration = Duration::from_secs(30);

/// Listens and answers until Ctrl-C or SIGTERM, then finishes what was begun; a second signal ends the process. The library is opened by `open`, on a thread of
/// its own, while the server answers 503; `ready` is told the address at once.
///
/// # Errors
/// The configuration, the address, or opening the library failed.
pub fn serve(
    app: &App,
    open: impl FnOnce() -> Result<Library, String> + Send + 'static,
    ready: impl FnOnce(std::net::SocketAddr),
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // The gates decide how many work; this is only an upper bound.
        .max_blocking_threads(1024)
        .build()
        .map_err(|e| e.to_string())?;
    let result = runtime.block_on(run(app, open, ready));
    // What is at work holds the index; it is let go of before the process ends.
    runtime.shutdown_timeout(DRAIN);
    result
}

async fn run(
    app: &App,
    open: impl FnOnce() -> Result<Library, String> + Send + 'static,
    ready: impl FnOnce(std::net::SocketAddr),
) -> Result<(), String> {
    let address = app.inner.config.listen;
    let listener = TcpListener::bind(address).await.map_err(|e| format!("{address}: {e}"))?;
    ready(listener.local_addr().map_err(|e| e.to_string())?);
    let opening = app.clone();
    let mut opening = tokio::task::spawn_blocking(move || {
        let opened = open().and_then(|library| opening.open(library));
        if let Err(reason) = &opened {
            opening.fail(reason.clone());
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
            ended = &mut server => return ended.map_err(|e| e.to_string()),
            opened = &mut opening, if is_opening => {
                is_opening = false;
                outcome = opened.map_err(|e| e.to_string()).and_then(|opened| opened);
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
