//! Models from a model hub or from disk: downloaded, verified, tried, installed.
//!
//! [`Hub::fetch`] gives a file of the hub, from the cache that the hub's own tools use or from the network,
//! checked against its SHA-256; nothing unchecked is ever put under a name that anybody trusts. [`Installer`]
//! makes models of files.
//!
//! - [`Settings`]: endpoint, token, proxies, cache folder, by the hub tools' environment variables
//! - `client`: one request, its redirects, and what its failure means
//! - `cache`: the cache's layout
//! - `download`: many requests until the bytes are there
//! - `fetch`: cache, lock, download, check, put in place
//! - `install`: the folder of installed models

mod cache;
mod client;
mod digest;
mod download;
mod error;
mod fetch;
mod install;
mod settings;
mod types;
mod url;

pub use digest::sha256_of_file;
pub use error::{HubError, Missing};
pub use fetch::Hub;
pub use install::{
    Imported, InstallError, Installed, Installer, Partial, Progress, Pulled, Recipe, Removed, Step, disk_use,
    fill_in_checksums, name_among,
};
pub use settings::{Proxies, Settings, Token};
pub use types::{Event, Fetched, RemoteFile};
