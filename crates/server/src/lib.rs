//! earmark over HTTP: a versioned JSON API, its OpenAPI document, and the page. The only place that knows HTTP and async.
//!
//! - [`Config`]: what can be set; [`Key`]s
//! - [`App`]: what handlers share; [`router`] and [`serve`]: how it is reached; [`openapi`]: its document
//! - `api`: the endpoints, one file a group; `extract`, `uploads`, `paging`, `parameters`: what goes in
//! - `error`: the one error type, with the one table of statuses
//! - `layers`, `auth`, `roots`: who may ask for what
//! - `gate`, `jobs`, `graphs`: where work is done, on threads of its own and bounded
//! - `metrics`, `page`, `pca`: what it says
//!
//! Requests and answers are those of [`earmark_library`].

mod api;
mod auth;
mod config;
mod error;
mod extract;
mod gate;
mod graphs;
mod jobs;
mod layers;
mod metrics;
mod openapi;
mod page;
mod paging;
mod parameters;
mod pca;
mod roots;
mod router;
mod serve;
mod state;
mod uploads;

pub use auth::{Key, Scope};
pub use config::{Bounds, Config, ConfigError, RootConfig};
pub use openapi::openapi;
pub use router::router;
pub use serve::{ServeError, log, serve};
pub use state::App;
