//! earmark for language models: the library as tools of the Model Context Protocol, over standard input and
//! output ([`serve_stdio`]) or as a service under the HTTP server ([`http_service`]).
//!
//! Arguments are the requests of [`earmark_library`], answers are its answers: each tool has their JSON Schemas.
//!
//! - [`Tools`] (`tools`): the tools, and the sounds of clips as resources
//! - `schema`: JSON Schemas of requests and answers

mod schema;
mod tools;

use std::sync::Arc;

use earmark_library::Library;
use rmcp::ServiceExt as _;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

pub use tools::{OpenLibrary, Tools};

/// Why the server on standard input and output ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum McpError {
    /// No threads could be had.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The client does not speak the protocol.
    #[error("the client does not speak the Model Context Protocol: {0}")]
    Protocol(String),
}

/// Serves a library over standard input and output until the client closes them. Requests may name files of
/// this machine, since the client runs on it.
///
/// # Errors
/// [`McpError`].
pub fn serve_stdio(library: Library) -> Result<(), McpError> {
    let library = Arc::new(library);
    let tools = Tools::new(Arc::new(move || Ok(Arc::clone(&library))), true);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let protocol = |e: &dyn std::fmt::Display| McpError::Protocol(e.to_string());
        let service = tools.serve(rmcp::transport::stdio()).await.map_err(|e| protocol(&e))?;
        service.waiting().await.map_err(|e| protocol(&e))?;
        Ok(())
    })
}

/// The tools as a service of streamable HTTP. Requests may not name files. Whoever mounts it decides which
/// hosts and origins may ask.
pub fn http_service(library: Arc<OpenLibrary>) -> StreamableHttpService<Tools, LocalSessionManager> {
    let tools = Tools::new(library, false);
    let mut config = StreamableHttpServerConfig::default();
    config.legacy_session_mode = false;
    config.json_response = true;
    // The server around it checks names, origins and keys.
    config.allowed_hosts = Vec::new();
    StreamableHttpService::new(move || Ok(tools.clone()), Arc::default(), config)
}
