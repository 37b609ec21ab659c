//! Connections to the server: a pool, and trying again where that is safe.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime as PoolRuntime,
};
use earmark_index::{Error, Result};
use futures_util::future::try_join_all;
use rustls::ClientConfig;
use rustls_tokio_postgres::{MakeRustlsConnect, config_from_ca_cert, config_platform_verifier};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row};

use crate::url::DatabaseUrl;
use crate::values::{Value, Values};

/// Connections at most. A server allows a hundred as a rule, for all machines together.
const CONNECTIONS: usize = 8;

/// How often something is tried that failed for a reason which may pass, and how long is waited after each try.
const PAUSES: [Duration; 8] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
];

/// Longest that one statement may take. Building a graph has no limit.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(300);

/// Longest that a transaction may wait for its client. One that is gone must not keep its locks; with the keepalives,
/// which both sides send, it is noticed within a minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A pool of connections, with a thread that serves them.
pub(crate) struct Connections {
    place: String,
    pool: Pool,
    /// For those who hold a lock, or wait for one, while they use the others.
    apart: Pool,
    /// `None` only while this is dropped.
    runtime: Option<Runtime>,
    /// Whether a connection has ever been made. Until then, a failure to connect is reported at once, since the
    /// address may be wrong; afterwards it is tried again, since the server may be restarting.
    has_answered: AtomicBool,
}

/// The rows of a statement, in one round trip.
pub(crate) async fn rows_of(
    client: &Client,
    statement: &str,
    values: &[&dyn Value],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let typed: Vec<(&(dyn ToSql + Sync), Type)> =
        values.iter().map(|value| (value.to_sql(), value.sql_type())).collect();
    client.query_typed(statement, &typed).await
}

/// Why something failed, and whether it may succeed when tried again.
pub(crate) enum Trouble {
    /// The server or the network; a second try may succeed. `in_doubt`: the statement may have been carried out.
    Passing { error: Error, in_doubt: bool },
    /// A second try will fail, too.
    Lasting(Error),
    /// The transaction has failed already, by an earlier statement.
    Aftermath(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Lasting(error)
    }
}

impl Connections {
    /// Prepares connections; the first is made when it is needed.
    pub(crate) fn new(url: &DatabaseUrl, password: Option<String>) -> Result<Self> {
        let place = url.to_string();
        let bad = |what: String| Error::Database { place: place.clone(), what };
        let mut config = url.config(password);
        let usual = format!(
            "-c statement_timeout={} -c idle_in_transaction_session_timeout={} -c tcp_keepalives_idle=30 \
             -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
            STATEMENT_TIMEOUT.as_millis(),
            IDLE_TIMEOUT.as_millis()
        );
        let options = config.get_options().map_or_else(|| usual.clone(), |own| format!("{usual} {own}"));
        config.options(options);
        let recycle = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let new_pool = || {
            let config = config.clone();
            let manager = match (config.get_ssl_mode(), tls_config(url)) {
                (SslMode::Disable, _) => Manager::from_config(config, NoTls, recycle.clone()),
                // A machine without authorities of its own still talks to servers that do not ask for TLS.
                (SslMode::Prefer, Err(_)) if url.root_certificate.is_none() => {
                    Manager::from_config(config, NoTls, recycle.clone())
                }
                (_, tls) => {
                    let tls = tls.map_err(|e| bad(format!("TLS: {e}")))?;
                    Manager::from_config(config, MakeRustlsConnect::new(tls), recycle.clone())
                }
            };
            let pool = Pool::builder(manager).max_size(CONNECTIONS).runtime(PoolRuntime::Tokio1).build();
            pool.map_err(|e| bad(e.to_string()))
        };
        let (pool, apart) = (new_pool()?, new_pool()?);
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("postgres").enable_all().build();
        let runtime = runtime.map_err(|e| bad(format!("no thread could be started: {e}")))?;
        Ok(Self { place, pool, apart, runtime: Some(runtime), has_answered: AtomicBool::new(false) })
    }

    /// The server and the database.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Runs `work` with a connection, again and again while the trouble may pass. Only for what may be done twice.
    pub(crate) fn run<T>(&self, work: impl AsyncFn(&mut Object) -> Result<T, Trouble>) -> Result<T> {
        self.block_on(async {
            let mut pauses = PAUSES.iter();
            loop {
                let error = match self.attempt(&work).await {
                    Ok(done) => return Ok(done),
                    Err(Trouble::Lasting(error) | Trouble::Aftermath(error)) => return Err(error),
                    Err(Trouble::Passing { error, .. }) => error,
                };
                let Some(pause) = pauses.next() else { return Err(error) };
                tokio::time::sleep(*pause).await;
            }
        })
    }

    /// The rows of a statement. Only for what may be done twice.
    pub(crate) fn query(&self, statement: &str, values: &[&dyn Value]) -> Result<Vec<Row>> {
        self.run(async |client: &mut Object| {
            rows_of(client, statement, values).await.map_err(|e| self.trouble(&e))
        })
    }

    /// The rows of statements that are sent together, and so take one round trip. Only for what may be done twice.
    pub(crate) fn query_all(&self, statements: &[(String, Values)]) -> Result<Vec<Vec<Row>>> {
        self.run(async |client: &mut Object| {
            let client: &Client = client;
            let asked = statements
                .iter()
                .map(async |(statement, values)| rows_of(client, statement, &values.all()).await);
            try_join_all(asked).await.map_err(|e| self.trouble(&e))
        })
    }

    /// A connection, made ready by `work`, that nobody else uses until it is closed.
    pub(crate) fn own_connection(
        &self,
        work: impl AsyncFnOnce(&Object) -> Result<(), tokio_postgres::Error>,
    ) -> Result<Object> {
        self.block_on(async {
            let client = self.apart.get().await.map_err(|e| match e {
                PoolError::Backend(e) => self.error(told(&e)),
                e => self.error(e.to_string()),
            })?;
            match work(&client).await {
                Ok(()) => Ok(client),
                Err(e) => {
                    drop(Object::take(client));
                    Err(self.error(told(&e)))
                }
            }
        })
    }

    /// Closes a connection, and with it what it holds on the server.
    pub(crate) fn close(&self, client: Object) {
        let _context = self.runtime.as_ref().map(Runtime::enter);
        drop(Object::take(client));
    }

    /// Runs `work` in a transaction. Where it is not known whether that was committed, `is_done` finds out.
    pub(crate) fn transact<T>(
        &self,
        work: impl AsyncFn(&deadpool_postgres::Transaction<'_>) -> Result<T, Trouble>,
        is_done: impl AsyncFn(&Object) -> Result<Option<T>, Trouble>,
    ) -> Result<T> {
        self.block_on(async {
            let mut pauses = PAUSES.iter();
            let mut is_in_doubt = false;
            loop {
                let tried = self
                    .attempt(&async |client: &mut Object| {
                        if is_in_doubt && let Some(done) = is_done(client).await? {
                            return Ok(done);
                        }
                        let transaction = client.transaction().await.map_err(|e| self.trouble(&e))?;
                        let done = work(&transaction).await?;
                        transaction.commit().await.map_err(|e| self.in_doubt(&e))?;
                        Ok(done)
                    })
                    .await;
                let error = match tried {
                    Ok(done) => return Ok(done),
                    Err(Trouble::Lasting(error) | Trouble::Aftermath(error)) => return Err(error),
                    Err(Trouble::Passing { error, in_doubt }) => {
                        is_in_doubt |= in_doubt;
                        error
                    }
                };
                let Some(pause) = pauses.next() else { return Err(error) };
                tokio::time::sleep(*pause).await;
            }
        })
    }

    async fn attempt<T>(&self, work: &impl AsyncFn(&mut Object) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let mut client = match self.pool.get().await {
            Ok(client) => client,
            Err(PoolError::Backend(e)) => {
                return Err(match self.trouble(&e) {
                    Trouble::Passing { error, .. } if !self.has_answered.load(Ordering::Relaxed) => {
                        Trouble::Lasting(error)
                    }
                    trouble => trouble,
                });
            }
            Err(e) => return Err(Trouble::Passing { error: self.error(e.to_string()), in_doubt: false }),
        };
        self.has_answered.store(true, Ordering::Relaxed);
        let done = work(&mut client).await;
        if matches!(done, Err(Trouble::Passing { .. })) && client.is_closed() {
            // The others have most likely gone with it.
            self.pool.retain(|client, _| !client.is_closed());
        }
        done
    }

    fn block_on<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(runtime) = &self.runtime else {
            return Err(self.error("the connection is being closed".to_owned()));
        };
        // Its thread serves the connections; this one, whatever it serves itself, waits.
        let _context = runtime.enter();
        futures_executor::block_on(work)
    }

    /// An error of this database's.
    pub(crate) fn error(&self, what: String) -> Error {
        Error::Database { place: self.place.clone(), what }
    }

    /// What an error of the server or the network means.
    pub(crate) fn trouble(&self, error: &tokio_postgres::Error) -> Trouble {
        let told = self.error(told(error));
        let Some(state) = error.code() else {
            // A certificate that is not trusted will not be trusted the next time either.
            let is_lasting = is_about_tls(error);
            return if is_lasting {
                Trouble::Lasting(told)
            } else {
                Trouble::Passing { error: told, in_doubt: false }
            };
        };
        if *state == SqlState::IN_FAILED_SQL_TRANSACTION {
            return Trouble::Aftermath(told);
        }
        let passes = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::CONNECTION_EXCEPTION,
            SqlState::CONNECTION_FAILURE,
            SqlState::LOCK_NOT_AVAILABLE,
        ];
        if passes.contains(state) {
            Trouble::Passing { error: told, in_doubt: false }
        } else {
            Trouble::Lasting(told)
        }
    }

    /// As [`Self::trouble`], of a commit: it may have been carried out though the answer was lost.
    fn in_doubt(&self, error: &tokio_postgres::Error) -> Trouble {
        match self.trouble(error) {
            Trouble::Passing { error, .. } => Trouble::Passing { error, in_doubt: true },
            trouble => trouble,
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed on a thread that serves requests.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What an error says, down to its cause; never the statement, whose values may be anybody's.
fn told(error: &tokio_postgres::Error) -> String {
    if let Some(server) = error.as_db_error() {
        let hint = match *server.code() {
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                "; is the password right? It may be in the environment variable PGPASSWORD, in ~/.pgpass, or in the \
                 address in EARMARK_DB"
            }
            SqlState::DISK_FULL => {
                "; free some space on the server and run this again: what was acknowledged is kept"
            }
            SqlState::INSUFFICIENT_PRIVILEGE => "; grant this user the right, or use another one",
            _ => "",
        };
        return format!("{}{hint}", server.message());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        let next = deeper.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = deeper.source();
    }
    if is_about_tls(error) {
        text += "; `sslrootcert=FILE` in the address names the authority of the server's certificate, \
                 `sslmode=disable` does without TLS";
    }
    text
}

fn is_about_tls(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        let inner = deeper.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if deeper.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        cause = deeper.source();
    }
    false
}

fn tls_config(url: &DatabaseUrl) -> Result<ClientConfig, String> {
    match &url.root_certificate {
        Some(path) => config_from_ca_cert(path).map_err(|e| format!("{}: {e}", path.display())),
        None => config_platform_verifier().map_err(|e| e.to_string()),
    }
}

/// Shared by all who use a database.
pub(crate) type Shared = Arc<Connections>;
