//! Files from a model hub: downloaded, resumed, verified, and kept in the cache that the hub's own tools use.
//!
//! [`Hub::fetch`] is the one verb. What it gives has been checked against its SHA-256; nothing unchecked is ever put
//! under a name that anybody trusts.
//!
//! - [`Settings`]: endpoint, token, proxies, cache folder, by the hub tools' environment variables
//! - `client`: one request, its redirects, and what its failure means
//! - `cache`: the cache's layout
//! - `download`: many requests until the bytes are there
//! - `fetch`: cache, lock, download, check, put in place

mod cache;
mod client;
mod digest;
mod download;
mod error;
mod fetch;
mod settings;
mod url;

pub use digest::sha256_of_file;
pub use error::{HubError, Missing};
pub use fetch::{Event, Fetched, Hub, RemoteFile};
pub use settings::{Proxies, Settings, Token};
